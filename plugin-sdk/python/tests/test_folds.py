"""Folds through the harness: alone, and shared out among several instances."""

from __future__ import annotations

import json
import struct
import unittest
from dataclasses import dataclass
from datetime import date
from typing import Any

from weir_plugin import Batch, Column, Context, DataError, FatalError, Field, Fold, Result, RowFold, Schema
from weir_plugin import types as t
from weir_plugin.testing import Harness

from .test_plugins import Double

NUMBERS = Schema(Field("n", t.int64))
GIVEN = [{"n": 1}, {"n": 2}, {"n": None}, {"n": 4}]


class Sum(Fold):
    """Sums a column."""

    name = "sum"

    def bind(self, context: Context) -> Schema:
        context.require(["n"])
        self.sum = 0
        return Schema(Field("sum", t.int64, nullable=False))

    def process(self, batch: Batch) -> None:
        self.sum += sum(value for value in batch["n"].to_list() if value is not None)

    def snapshot(self) -> bytes:
        return struct.pack("<q", self.sum)

    def merge(self, snapshot: bytes) -> None:
        self.sum += struct.unpack("<q", snapshot)[0]

    def finish(self, out: Result) -> None:
        out.emit([{"sum": self.sum}])


@dataclass
class Number:
    n: int | None


class Largest(RowFold):
    """Keeps the two largest numbers."""

    name = "largest"
    Row = Number

    def bind(self, context: Context) -> Schema:
        self.kept: list[int] = []
        return Schema.of(Number)

    def row(self, row: Number) -> None:
        if row.n is not None:
            self.kept = sorted([*self.kept, row.n])[-2:]

    def snapshot(self) -> bytes:
        return json.dumps(self.kept).encode()

    def merge(self, snapshot: bytes) -> None:
        for n in json.loads(snapshot):
            self.row(Number(n))

    def finish(self, out: Result) -> None:
        out.emit([Number(n) for n in self.kept])


class Folds(unittest.TestCase):
    def test_columns_and_rows(self) -> None:
        self.assertEqual(Harness(Sum).fold(NUMBERS, GIVEN, GIVEN).rows, [{"sum": 14}])
        self.assertEqual(Harness(Largest).fold(NUMBERS, GIVEN).rows, [{"n": 2}, {"n": 4}])
        self.assertEqual(Harness(Sum).fold(NUMBERS).rows, [{"sum": 0}])
        self.assertEqual(Harness(Sum).bind(NUMBERS), Schema(Field("sum", t.int64, nullable=False)))

    def test_what_depends_on_the_instances_is_found(self) -> None:
        class Forgets(Sum):
            def merge(self, snapshot: bytes) -> None:
                self.sum = struct.unpack("<q", snapshot)[0]

        class Last(Largest):
            def row(self, row: Number) -> None:
                self.kept = [row.n or 0]

        harness = Harness(Forgets)
        self.assertRaisesRegex(FatalError, "shared out among instances", harness.fold, NUMBERS, GIVEN)
        self.assertRaisesRegex(FatalError, "shared out among instances", Harness(Last).fold, NUMBERS, GIVEN)
        as_many = Harness(Last).fold(NUMBERS, GIVEN, same=lambda one, other: len(one) == len(other))
        self.assertEqual(as_many.rows, [{"n": 4}])

    def test_columns_that_are_missing_are_named(self) -> None:
        for fold in (Sum, Largest):
            with self.assertRaisesRegex(DataError, "the input lacks n; it has x"):
                Harness(fold).bind(Schema(Field("x", t.int64)))

    def test_breaches_of_the_contract_are_named(self) -> None:
        for name, body, words in [
            (
                "snapshot",
                lambda self: {"sum": 1},
                r"`snapshot` returns bytes, such as json.dumps\(…\).encode\(\), not dict",
            ),
            ("bind", lambda self, context: [NUMBERS], "`bind` of a fold returns a Schema"),
            ("finish", lambda self, out: out.emit([{"sum": "x"}]), "column `sum`, row 0"),
        ]:
            harness = Harness(type("Bad", (Sum,), {name: body}))
            self.assertRaisesRegex(FatalError, words, harness.fold, NUMBERS, GIVEN)

    def test_a_row_that_fails_is_named_without_its_values(self) -> None:
        class Fails(Largest):
            def row(self, row: Number) -> None:
                if row.n == 4:
                    int("canary")

        with self.assertRaisesRegex(FatalError, r"^ValueError in test_folds.py, line \d+, at row 3 of") as caught:
            Harness(Fails).fold(NUMBERS, GIVEN)
        self.assertNotIn("canary", str(caught.exception))

    def test_a_date_that_python_cannot_hold_ends_it(self) -> None:
        class Years(Largest):
            Row: Any = None

            def row(self, row: Any) -> None:
                self.kept.append(row["day"].year)

            def merge(self, snapshot: bytes) -> None:
                self.kept += json.loads(snapshot)

        schema = Schema(Field("day", t.date32))
        column = Column.from_buffer(t.date32, bytes(4) + b"\xff\xff\xff\x7f")
        with self.assertRaisesRegex(DataError, "row 1 of the batch has a date .*: Dates and moments lie in"):
            Harness(Years).fold(schema, Batch.from_columns(schema, {"day": column}))
        self.assertEqual(Harness(Years).fold(schema, [{"day": date(1970, 1, 1)}]).rows, [{"n": 1970}])

    def test_it_declares_no_rules(self) -> None:
        self.assertEqual((Largest.all_rules(), Sum.all_rules()), ([], []))

    def test_the_wrong_call_is_named(self) -> None:
        self.assertRaisesRegex(FatalError, "a fold is run with `fold`", Harness(Sum).run, NUMBERS, GIVEN)
        self.assertRaisesRegex(FatalError, "a transform is run with `run`", Harness(Double).fold, NUMBERS, GIVEN)


if __name__ == "__main__":
    unittest.main()
