"""Reads people from an API that gives them page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from weir_plugin import Done, More, Page, Rule, Schema, Source, Stream, http, setting
from weir_plugin import types as t

# Quarantine and reports group what is rejected by the names of rules: keep them from version to version.
NO_NUMBER = Rule("no_number", "A person has a number.")


@dataclass
class Person:
    """A row as it goes."""

    id: int
    name: str | None


class {{Type}}(Source):
    """Reads people from an API that gives them page by page."""

    name = "{{name}}"
    version = "0.1.0"
    rules = [NO_NUMBER]

    @dataclass
    class Config:
        url: str = setting("Where the API is, such as https://api.example.org")

    @dataclass
    class State:
        """How far the people were read: kept beside the rows, for the next run."""

        last: int = 0  # The highest number of a person.

    def discover(self) -> Sequence[Stream]:
        return [Stream("people", Schema.of(Person), primary_key=["id"])]

    def open(self, stream: Stream, shard: str, state: State | None) -> None:
        self.last = state.last if state else 0

    # A page: its rows are kept together with the state that it ends with, or not at all.
    def read(self, out: Page) -> More | Done:
        before, rows = self.last, []
        for person in http.get(f"{self.config.url}/people", params={"after": before}).ok().json():
            number, name = person.get("id"), person.get("name")
            # To Python `true` is an int too.
            if type(number) is not int or not t.int64.fits(number):
                out.reject(person, NO_NUMBER)
                continue
            rows.append(Person(number, name if isinstance(name, str) else None))
            self.last = max(self.last, number)
        out.emit(rows)
        # A page that leads no further is the last, though it may have people who were rejected.
        return More(self.State(self.last)) if self.last > before else Done(self.State(self.last))
