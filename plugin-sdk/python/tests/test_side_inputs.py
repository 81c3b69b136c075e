"""Side inputs: read in ``load``, once, by plugins of every kind that has them."""

from __future__ import annotations

import struct
import unittest
from datetime import date
from decimal import Decimal
from typing import Any

from weir_plugin import (
    Batch,
    Check,
    Column,
    ConfigError,
    Context,
    DataError,
    Decoder,
    Emitter,
    FatalError,
    Field,
    Fold,
    Reject,
    Result,
    RowCheck,
    RowTransform,
    Rule,
    Schema,
    SideInput,
    SideInputs,
    Transform,
)
from weir_plugin import types as t
from weir_plugin.plugin import Bound
from weir_plugin.testing import Harness

UNKNOWN = Rule("unknown", "A code is in the table.")
INPUT = Schema(Field("code", t.utf8))
GIVEN = [{"code": "a"}, {"code": "x"}, {"code": "b"}]
CODES = Schema(Field("code", t.utf8, nullable=False), Field("weight", t.int64))
TABLE: dict[str, Any] = {"codes": (CODES, [{"code": "a", "weight": 1}, {"code": "b", "weight": None}])}
HINT = (
    "it needs the side input `codes`: add side_inputs = { codes = { table = \"zone.table\" } } "
    "beside the stage's `config`"
)


class Loads:
    """Keeps the codes that there are."""

    codes: set[str]

    def load(self, side_inputs: SideInputs) -> None:
        assert not hasattr(self, "codes"), "loaded twice"
        self.codes = set(side_inputs.read("codes")["code"].to_list())


class Known(Loads, Transform):
    name = "known"
    rules = [UNKNOWN]

    def bind(self, context: Context) -> Schema:
        assert context.side_input("codes").schema == CODES
        return context.input

    def process(self, batch: Batch, out: Emitter) -> None:
        out.reject([row for row, code in enumerate(batch["code"].to_list()) if code not in self.codes], UNKNOWN)
        out.emit(batch)


class Weights(RowTransform):
    name = "weights"
    rules = [UNKNOWN]

    def bind(self, context: Context) -> Schema:
        return context.side_input("codes").schema

    def load(self, side_inputs: SideInputs) -> None:
        self.rows = {row["code"]: row for row in side_inputs.read("codes").to_rows()}

    def row(self, row: Any, out: Any) -> None:
        if row["code"] not in self.rows:
            raise Reject(UNKNOWN)
        out.emit(self.rows[row["code"]])


class Judges(Loads, Check):
    name = "judges"
    rules = [UNKNOWN]

    def process(self, batch: Batch, out: Any) -> None:
        out.fail([row for row, code in enumerate(batch["code"].to_list()) if code not in self.codes], UNKNOWN)


class JudgesRows(Loads, RowCheck):
    name = "judges"
    rules = [UNKNOWN]

    def row(self, row: Any, fail: Any) -> None:
        if row["code"] not in self.codes:
            fail(UNKNOWN)


class Letters(Loads, Decoder):
    name = "letters"

    def bind(self, context: Context) -> Schema:
        return INPUT

    def decode(self, chunk: bytes, out: Any) -> None:
        out.emit([{"code": letter} for letter in chunk.decode() if letter in self.codes])

    def finish(self, out: Any) -> None:
        out.emit([{"code": f"of {len(self.codes)}"}])


class Matches(Loads, Fold):
    name = "matches"

    def bind(self, context: Context) -> Schema:
        self.count = 0
        return Schema(Field("count", t.int64), Field("codes", t.int64))

    def process(self, batch: Batch) -> None:
        self.count += sum(code in self.codes for code in batch["code"].to_list())

    def snapshot(self) -> bytes:
        return struct.pack("<q", self.count)

    def merge(self, snapshot: bytes) -> None:
        assert self.codes, "merged before it is loaded"
        self.count += struct.unpack("<q", snapshot)[0]

    def finish(self, out: Result) -> None:
        out.emit([{"count": self.count, "codes": len(self.codes)}])


class Reads(Known):
    """Keeps what it was handed."""

    handed: Batch

    def bind(self, context: Context) -> Schema:
        return context.input

    def load(self, side_inputs: SideInputs) -> None:
        type(self).handed, self.codes = side_inputs.read("codes"), set()


class SideInputsOfPlugins(unittest.TestCase):
    def test_every_kind_loads_before_it_is_given_anything(self) -> None:
        for plugin in (Known, Weights, Judges, JudgesRows):
            outcome = Harness(plugin, side_inputs=TABLE).run(INPUT, GIVEN, GIVEN)
            self.assertEqual(outcome.rejected("unknown"), [1, 4])
        rows = Harness(Weights, side_inputs=TABLE).run(INPUT, GIVEN).output()
        self.assertEqual(rows, [{"code": "a", "weight": 1}, {"code": "b", "weight": None}])
        decoded = Harness(Letters, side_inputs=TABLE).decode(b"ax", b"b")
        self.assertEqual([row["code"] for row in decoded.rows], ["a", "b", "of 2"])
        self.assertEqual(Harness(Letters, side_inputs=TABLE).decode().rows, [{"code": "of 2"}])
        for batches in ([GIVEN, GIVEN], []):
            folded = Harness(Matches, side_inputs=TABLE).fold(INPUT, *batches)
            self.assertEqual(folded.rows, [{"count": 2 * len(batches), "codes": 2}])

    def test_nothing_is_loaded_where_it_is_only_bound(self) -> None:
        class Fails(Known):
            def load(self, side_inputs: SideInputs) -> None:
                raise FatalError("loaded")

        harness = Harness(Fails, side_inputs=TABLE)
        self.assertEqual([output.name for output in harness.bind(INPUT)], ["out"])
        self.assertEqual(harness.run(INPUT).rows, 0)
        self.assertRaisesRegex(FatalError, "loaded", harness.run, INPUT, GIVEN)

    def test_a_table_that_is_not_handed_over_is_asked_for(self) -> None:
        for harness in (Harness(Known), Harness(Reads, side_inputs={"code": TABLE["codes"]})):
            with self.assertRaises(ConfigError) as raised:
                harness.run(INPUT, GIVEN)
            self.assertEqual(str(raised.exception), HINT)

    def test_a_table_is_read_once(self) -> None:
        class Twice(Known):
            def load(self, side_inputs: SideInputs) -> None:
                side_inputs.read("codes")
                side_inputs.read("codes")

        words = "the side input `codes` was read before: keep what you need of it"
        self.assertRaisesRegex(FatalError, words, Harness(Twice, side_inputs=TABLE).run, INPUT, GIVEN)

    def test_without_a_harness_there_are_no_rows(self) -> None:
        bound = Bound(Known, "{}", Context(side_inputs=[SideInput("codes", CODES)]))
        self.assertRaisesRegex(FatalError, "the side input `codes` has no rows: there is no test", bound.loaded)

    def test_rows_of_every_shape_come_whole(self) -> None:
        item = t.struct(Field("name", t.utf8), Field("on", t.date32))
        schema = Schema(
            Field("n", t.int64),
            Field("flag", t.boolean),
            Field("text", t.utf8),
            Field("bytes", t.binary, nullable=False),
            Field("paid", t.decimal128(12, 2)),
            Field("half", t.float16),
            Field("items", t.list_of(item)),
            Field("item", item),
        )
        day = date(2024, 2, 29)
        for count in (0, 1, 8192, 8193, 20_001):
            rows = [
                {
                    "n": n,
                    "flag": None if n % 5 == 0 else n % 2 == 0,
                    "text": None if n % 7 == 0 else f"ä{n}",
                    "bytes": b"x" * (n % 3),
                    "paid": Decimal(n) / 4 if n > 8192 else None,
                    "half": 0.5,
                    "items": None if n % 11 == 0 else [{"name": str(n), "on": day}] * (n % 3),
                    "item": {"name": None, "on": day} if n % 2 else None,
                }
                for n in range(count)
            ]
            Harness(Reads, side_inputs={"codes": (schema, rows)}).run(INPUT, GIVEN)
            self.assertEqual(Reads.handed, Batch.from_rows(schema, rows))
            self.assertEqual(Reads.handed.to_rows(), rows)
        Harness(Reads, side_inputs={"codes": (Schema(), Batch(Schema(), [], 2))}).run(INPUT, GIVEN)
        self.assertEqual(len(Reads.handed), 2)

    def test_rows_may_be_a_batch_and_a_date_that_python_lacks_is_named(self) -> None:
        schema = Schema(Field("on", t.date32))
        column = Column.from_buffer(t.date32, bytes(4) + b"\xff\xff\xff\x7f")
        batch = Batch.from_columns(schema, {"on": column})
        Harness(Reads, side_inputs={"codes": (schema, batch)}).run(INPUT, GIVEN)
        self.assertEqual(Reads.handed["on"].values[1], 2**31 - 1)
        self.assertRaisesRegex(DataError, "row 1: a date or time that Python cannot hold", Reads.handed.to_rows)


if __name__ == "__main__":
    unittest.main()
