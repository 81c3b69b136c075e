"""The canonical transform of the conformance set: what it does is said in ``../README.md``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

from weir_plugin import Batch, Context, Emitter, Output, Rule, Schema, Transform, setting
from weir_plugin import types as t

NO_ID = Rule("no_id", "A row has an id.")
NEGATIVE_ID = Rule("negative_id", "An id is zero or more.")


@dataclass
class Place:
    """A struct that is null for every fifth id."""

    even: bool
    text: str | None


@dataclass
class Facts:
    """What the transform says of a row."""

    id: int
    label: str
    nulls: Annotated[int, t.uint32]
    share: Annotated[Decimal, t.decimal128(20, 2)] | None
    day: date | None
    words: list[str | None] | None
    place: Place | None


class Conformance(Transform):
    """Does the same in every language."""

    name = "conformance"
    rules = [NO_ID, NEGATIVE_ID]
    columns = ["id"]

    @dataclass
    class Config:
        """The configuration."""

        tag: str = setting("What labels begin with.")

    def bind(self, context: Context) -> list[Output]:
        context.require(["id"])
        return [Output("kept", context.input), Output("facts", Schema.of(Facts))]

    def process(self, batch: Batch, out: Emitter) -> None:
        rows = batch.to_rows()
        kept = []
        for at, row in enumerate(rows):
            if row["id"] is None:
                out.reject([at], NO_ID)
            elif row["id"] < 0:
                out.reject([at], NEGATIVE_ID, "the id is negative")
            else:
                kept.append(at)
        backwards = kept[::-1]
        out.emit(Batch.from_rows(out.outputs[0].schema, [rows[at] for at in backwards]), "kept", backwards)
        facts = [self.facts(rows[at]) for at in kept]
        out.emit(Batch.from_rows(out.outputs[1].schema, facts), "facts", kept)

    def facts(self, row: dict[str, Any]) -> Facts:
        id = row["id"]
        return Facts(
            id=id,
            label=f"{self.config.tag} {id}",
            nulls=sum(value is None for value in row.values()),
            share=Decimal(id * 25).scaleb(-2) if id % 3 else None,
            day=date(1970, 1, 1) + timedelta(days=id) if id <= 2_932_896 else None,
            words=[None if word == 1 else f"wört {word}" for word in range(id % 4)],
            place=Place(id % 2 == 0, str(id) if id % 7 else None) if id % 5 else None,
        )
