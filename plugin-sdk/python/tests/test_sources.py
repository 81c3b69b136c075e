"""Sources through the harness: streams, pages, states, requests."""

from __future__ import annotations

import unittest
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from weir_plugin import (
    Batch,
    ConfigError,
    DataError,
    Done,
    FatalError,
    Field,
    More,
    Page,
    RetryError,
    Rule,
    Schema,
    Source,
    Stream,
    http,
    setting,
)
from weir_plugin import types as t
from weir_plugin.http import Request
from weir_plugin.testing import Answer, Harness, RejectedRecord

from .test_plugins import Double

NO_NUMBER = Rule("no_number", "A person has a number.")
PEOPLE = [{"id": 1, "name": "Ada"}, {"id": 2, "name": None}, {"name": "Bo"}, {"id": 5, "name": "Cy"}]


@dataclass
class Person:
    id: int
    name: str | None


@dataclass
class State:
    last: int
    pages: int = 0


class People(Source):
    """Reads people."""

    name = "people"
    rules = [NO_NUMBER]
    State: Any = State

    @dataclass
    class Config:
        url: str = setting("Where the API is.", default="https://h")

    def discover(self) -> list[Stream]:
        return [Stream("people", Schema.of(Person), "id", ["id"], ["a", "b"]), Stream("none", Schema.of(Person))]

    def open(self, stream: Stream, shard: str, state: State | None) -> None:
        self.stream, self.shard = stream, shard
        self.state = state or State(0)

    def read(self, out: Page) -> More | Done:
        params = {"after": self.state.last, "shard": self.shard or None}
        people = http.get(f"{self.config.url}/{self.stream.name}", params=params).ok().json()
        rows = []
        for person in people:
            if "id" in person:
                rows.append(Person(person["id"], person["name"]))
                self.state.last = person["id"]
            else:
                out.reject(person, NO_NUMBER)
        out.emit(rows)
        self.state.pages += 1
        return More(self.state) if people else Done(self.state)


def api(request: Request) -> Answer:
    """Two people behind the one of that number; those without one come with the one before."""
    after = int(request.url.split("after=")[1].split("&")[0])
    at = next((at for at, person in enumerate(PEOPLE) if person.get("id", 0) > after), len(PEOPLE))
    return Answer.json(PEOPLE[at : at + 3])


def people() -> Harness:
    return Harness(People).respond(api)


class Sources(unittest.TestCase):
    def test_pages_are_read_to_the_last(self) -> None:
        read = people().read("people", "a")
        self.assertEqual([row["id"] for row in read.rows], [1, 2, 5])
        self.assertEqual(read.rows[1], {"id": 2, "name": None})
        rejected = RejectedRecord('{"name":"Bo"}', "no_number", "A person has a number.")
        self.assertEqual(read.rejections, [rejected])
        self.assertEqual(read.states, [f'{{"last":{last},"pages":{page}}}' for page, last in [(1, 2), (2, 5), (3, 5)]])
        self.assertEqual(
            [request.url for request in read.requests],
            [f"https://h/people?after={last}&shard=a" for last in (0, 2, 5)],
        )

    def test_it_goes_on_behind_a_state(self) -> None:
        self.assertEqual(people().read_behind("people", '{"last":2}').rows, [{"id": 5, "name": "Cy"}])
        # What a later version no longer has is passed over, at any depth of a state.
        self.assertEqual(people().read_behind("people", '{"last":2,"gone":1}').rows, [{"id": 5, "name": "Cy"}])

    def test_a_state_that_is_none_says_what_to_do(self) -> None:
        for state, words in [("{", "Expecting property name"), ('{"last":"2"}', "last must be an integer"),
                             ("3", "the state must be an object"), ("{}", "`last` is missing")]:  # fmt: skip
            with self.assertRaisesRegex(DataError, rf"cannot be read \({words}.*; run the step with --full-refresh"):
                people().read_behind("people", state)

    def test_rows_behind_a_state_that_differ_are_found(self) -> None:
        class Forgets(People):
            def read(self, out: Page) -> More | Done:
                progress = super().read(out)
                kept = State(0) if self.state.last == 2 else self.state
                return type(progress)(kept)

        with self.assertRaisesRegex(FatalError, r'state \{"last":0,"pages":0\} reads other rows .*: 3 rows and 1 rej'):
            Harness(Forgets).respond(api).read("people")

        class Twice(People):
            """Reads two pages that are the same, whatever the state is."""

            State: Any = None
            rows = True

            def open(self, stream: Stream, shard: str, state: Any) -> None:
                self.page = 0

            def read(self, out: Page) -> More | Done:
                self.page += 1
                if self.rows:
                    out.emit([Person(1, None)])
                else:
                    out.reject("x", NO_NUMBER)
                return (More if self.page == 1 else Done)(self.page)

        for rows in (True, False):
            with self.assertRaisesRegex(FatalError, "the state 1 reads other rows than those behind it"):
                Harness(type("Twice", (Twice,), {"rows": rows})).read("people")

    def test_streams(self) -> None:
        self.assertEqual([stream.name for stream in people().discover()], ["people", "none"])
        with self.assertRaisesRegex(ConfigError, "there is no stream 'x'; the streams are people, none"):
            people().read("x")
        schema = Schema(Field("a", t.int64))
        for streams, words in [
            ([Stream("a", schema), Stream("a", schema)], "two streams are named `a`"),
            ([Stream("a", schema, cursor="b")], "stream `a` has no column `b`"),
            ([Stream("a", schema, primary_key=["a", "c"])], "stream `a` has no column `c`"),
            ([Stream("a", schema, shards=["x", "x"])], "stream `a` names a shard twice"),
            (["a"], "`discover` returns a list of Stream"),
        ]:
            harness = Harness(type("Bad", (People,), {"discover": lambda self, streams=streams: streams}))
            self.assertRaisesRegex(FatalError, words, harness.discover)

    def test_the_configuration_and_the_run_are_there(self) -> None:
        class Looks(People):
            def discover(self) -> list[Stream]:
                return [Stream(f"{self.run.pipeline}-{self.config.url}", Schema.of(Person))]

        self.assertEqual(Harness(Looks, {"url": "u"}).discover()[0].name, "test-u")
        self.assertRaisesRegex(ConfigError, "unknown key `x`; there are url", Harness(Looks, {"x": 1}).discover)

    def test_breaches_of_the_contract_are_named(self) -> None:
        def reads(body: Any) -> Any:
            return Harness(type("Bad", (People,), {"read": body}))

        other = Rule("other", "Not declared.")
        for body, words in [
            (lambda self, out: None, r"`read` returns More\(state\) or Done\(state\)"),
            (lambda self, out: out.reject("x", other), "`other` is not among the plugin's `rules`"),
            (lambda self, out: out.emit([{"id": "x"}]), "column `id`, row 0"),
            (lambda self, out: out.emit(Batch.from_rows(Schema(Field("x", t.int64)), [])), "emitted where"),
            (lambda self, out: Done({1, 2}), "its state is no JSON: Object of type set"),
            (lambda self, out: Done(float("nan")), "its state is no JSON"),
            (lambda self, out: Done("ä" * 32768), "a state of 65538 bytes; at most 65536 are kept"),
        ]:
            self.assertRaisesRegex(FatalError, words, reads(body).read, "people")
        self.assertRaisesRegex(FatalError, "10000 pages were read", reads(lambda self, out: More(None)).read, "people")

    def test_a_record_is_shown_as_text(self) -> None:
        records = ["as it is", {"id": "ä", "at": [1, None]}, "half \ud800", {1: Decimal("1.0")}]

        def read(self: People, out: Page) -> Done:
            for record in records:
                out.reject(record, NO_NUMBER, "why")
            return Done(State(0))

        shown = Harness(type("Shows", (People,), {"read": read})).read_behind("people", '{"last":0}').rejections
        self.assertEqual(
            [one.record for one in shown], [records[0], '{"id":"ä","at":[1,null]}', "half ?", '{"1":"1.0"}']
        )
        self.assertEqual({one.message for one in shown}, {"why"})

    def test_a_state_is_what_json_has(self) -> None:
        class Bare(Source):
            """Counts to three."""

            name = "bare"

            def discover(self) -> list[Stream]:
                return [Stream("n", Schema(Field("n", t.int64)))]

            def open(self, stream: Stream, shard: str, state: Any) -> None:
                self.at = 0 if state is None else state["at"]

            def read(self, out: Page) -> More | Done:
                self.at += 1
                out.emit({"n": [self.at]})
                return (Done if self.at == 3 else More)({"at": self.at})

        self.assertEqual([row["n"] for row in Harness(Bare).read_behind("n", '{"at":1}').rows], [2, 3])
        # The last state is where a later run begins: this one does not end there.
        self.assertRaisesRegex(FatalError, "does not say that it is done", Harness(Bare).read, "n")
        Bare.State = set
        self.assertRaisesRegex(FatalError, "Bare.State has the type", Harness(Bare).read, "n")

    def test_the_wrong_call_is_named(self) -> None:
        schema = Schema.of(Person)
        self.assertRaisesRegex(FatalError, "a source is run with `read`", people().run, schema, [])
        self.assertRaisesRegex(FatalError, "a source has no `bind`", people().bind)
        self.assertRaisesRegex(FatalError, "a transform is run with `run`", Harness(Double).read, "people")
        self.assertRaisesRegex(FatalError, "a transform is run with `run`", Harness(Double).discover)


class Requests(unittest.TestCase):
    def answered(self, call: Any, answer: Any) -> tuple[Any, list[Request]]:
        """What a source made of one answer, and its requests."""
        found: list[Any] = []

        class Once(People):
            def read(self, out: Page) -> Done:
                found.append(call())
                return Done(None)

        read = (
            Harness(type("Once", (Once,), {"State": None})).respond(lambda request: answer).read_behind("none", "null")
        )
        return found[0], read.requests

    def test_a_request_as_it_goes(self) -> None:
        _, requests = self.answered(
            lambda: http.get(
                "https://h/p?x=1", params={"a b": "1&2/", "ü": "~", "no": None}, headers={"Accept": "*/*"}
            ),
            Answer(),
        )
        self.assertEqual(requests, [Request("GET", "https://h/p?x=1&a%20b=1%262%2F&%C3%BC=~", [("Accept", "*/*")])])
        _, requests = self.answered(
            lambda: http.post_json("https://h", {"é": 1}, params=[("a", 1), ("a", 2)]), Answer()
        )
        sent = Request("POST", "https://h?a=1&a=2", [("content-type", "application/json")], '{"é": 1}'.encode())
        self.assertEqual(requests, [sent])
        self.assertRaisesRegex(FatalError, "the body of a request is no JSON", http.post_json, "https://h", {1, 2})
        _, requests = self.answered(lambda: http.request("PUT", "https://h", body=b"x"), Answer())
        self.assertEqual(requests, [Request("PUT", "https://h", [], b"x")])

    def test_a_response_as_it_comes(self) -> None:
        answer = Answer(203, b'{"a": 0.10}', [("Link", "one"), ("link", "two")])
        response, _ = self.answered(lambda: http.get("https://h"), answer)
        self.assertEqual((response.status, response.header("LINK"), response.header("x")), (203, "one", None))
        self.assertEqual(response.headers, [("link", "one"), ("link", "two")])
        self.assertEqual(response.ok().json(), {"a": 0.1})
        self.assertEqual(str(response.json(parse_float=Decimal)["a"]), "0.10")
        self.assertEqual((response.text(), response.bytes()), ('{"a": 0.10}', b'{"a": 0.10}'))
        response, _ = self.answered(lambda: list(http.get("https://h").chunks()), Answer(body=b"ab"))
        self.assertEqual(response, [b"ab"])

    def test_each_status_says_who_mends_it(self) -> None:
        for status, kind, words in [
            (429, RetryError, "status 429$"),
            (503, RetryError, "status 503$"),
            (408, RetryError, "status 408$"),
            (401, ConfigError, "status 401: look at the secrets of the grant"),
            (302, DataError, "status 302, a redirect; grant and configure where it leads to"),
            (404, DataError, "status 404$"),
        ]:
            with self.assertRaisesRegex(kind, f"the server answers with {words}"):
                self.answered(lambda: http.get("https://h").ok(), Answer(status))

    def test_what_is_no_json_says_where_and_no_values(self) -> None:
        for body, words in [
            (b'{"a":\n canary}', "at line 2 column 2$"),
            (b"", "at line 1 column 1$"),
            (b"[NaN]", "expected$"),
            (b"[" * 100_000, "expected$"),
            (b'"\xff"', "the response is no UTF-8"),
        ]:
            with self.assertRaisesRegex(DataError, words) as caught:
                self.answered(lambda: http.get("https://h").json(), Answer(body=body))
            self.assertNotIn("canary", str(caught.exception))

    def test_without_an_answer_nothing_is_granted(self) -> None:
        with self.assertRaisesRegex(ConfigError, "answer it in the test, with `Harness.respond`"):
            Harness(People).read("people")
        self.assertRaisesRegex(FatalError, "use weir_plugin.testing.Harness", http.get, "https://h")


if __name__ == "__main__":
    unittest.main()
