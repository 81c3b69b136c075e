"""Columns and batches: what does not fit, and the views of buffers."""

from __future__ import annotations

import unittest
from array import array
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from weir_plugin import Batch, Column, DataError, FatalError, Field, Schema
from weir_plugin import types as t


class WhatFits(unittest.TestCase):
    def test_values_that_do_not_fit_exactly_are_refused(self) -> None:
        cases: list[tuple[t.DataType, list[Any]]] = [
            (t.boolean, [1, 0, "true"]),
            (t.int8, [128, -129, 1.0, "1", Decimal(1)]),
            (t.uint8, [-1, 256]),
            (t.int64, [2**63, 1.5]),
            (t.uint64, [-1, 2**64]),
            (t.float16, [1e6, "1"]),
            (t.float64, ["1.5"]),
            (t.utf8, [b"x", 1, "\ud800"]),
            (t.binary, ["x", 3]),
            (t.date32, [datetime(2020, 1, 1), "2020-01-01", 3]),
            (t.time("second"), [time(1, 2, 3, 4), time(1, tzinfo=UTC), 5]),
            (t.time("millisecond"), [time(1, 2, 3, 4)]),
            (t.time("nanosecond"), [time(1), 2**63]),
            (t.timestamp("second"), [datetime(2020, 1, 1, microsecond=1), datetime(2020, 1, 1, tzinfo=UTC)]),
            (t.timestamp("second", "UTC"), [datetime(2020, 1, 1), date(2020, 1, 1)]),
            (
                t.decimal128(4, 2),
                [Decimal("1.234"), Decimal(100), Decimal("NaN"), Decimal("1e999999"), 1.5, "1", True],
            ),
            (t.list_of(t.int8), ["ab", 3, [300], {"a": 1}]),
            (t.struct(Field("a", t.int8)), [{"b": 1}, {"a": "x"}, [1], 3]),
        ]
        for data_type, values in cases:
            for value in values:
                with self.subTest(f"{value!r} in {data_type}"):
                    self.assertFalse(data_type.fits(value))

    def test_floats_are_numbers_that_do_not_become_infinite(self) -> None:
        for data_type, value in [(t.float32, 1e300), (t.float64, Decimal(1)), (t.float64, True)]:
            self.assertFalse(data_type.fits(value), f"{data_type} {value!r}")
        self.assertTrue(t.float32.fits(float("inf")))
        self.assertFalse(t.decimal128(3, 2).fits(Decimal("1." + "0" * 450 + "1")))

    def test_values_that_fit(self) -> None:
        for data_type, value in [
            (t.decimal128(4, 2), Decimal("99.99")),
            (t.decimal128(4, 2), 99),
            (t.decimal128(38, 0), 10**38 - 1),
            (t.decimal128(3, -2), Decimal(12300)),
            (t.timestamp("second", "+02:00"), datetime(2020, 1, 1, tzinfo=UTC)),
            (t.struct(Field("a", t.int8), Field("b", t.int8)), {"a": 1}),
            (t.utf8, None),
        ]:
            self.assertTrue(data_type.fits(value), f"{value!r} in {data_type}")

    def test_the_error_names_column_and_row_but_no_value(self) -> None:
        schema = Schema(Field("a", t.int8), Field("b", t.utf8))
        with self.assertRaises(FatalError) as caught:
            Batch.from_rows(schema, [{"a": 1, "b": "x"}, {"a": 777, "b": "y"}])
        message = str(caught.exception)
        self.assertIn("column `a`, row 1: a value of type int does not fit int8", message)
        self.assertNotIn("777", message)

    def test_null_where_it_must_not_be(self) -> None:
        schema = Schema(Field("a", t.int8, nullable=False))
        with self.assertRaisesRegex(FatalError, "column `a`, row 1: null"):
            Batch.from_rows(schema, [{"a": 1}, {"a": None}])
        nested = t.struct(Field("a", t.int8, nullable=False))
        self.assertFalse(nested.fits({"a": None}))
        self.assertFalse(t.list_of(Field("item", t.int8, nullable=False)).fits([None]))

    def test_a_misspelt_column_is_named(self) -> None:
        schema = Schema(Field("amount", t.int8))
        with self.assertRaisesRegex(FatalError, "no field `amuont`; its fields are amount"):
            Batch.from_rows(schema, [{"amuont": 1}])
        with self.assertRaisesRegex(FatalError, "no column `x`; there are amount"):
            Batch.from_rows(schema, [])["x"]
        with self.assertRaisesRegex(FatalError, "not int"):
            Batch.from_rows(schema, [3])

    def test_columns_of_other_types_or_lengths_are_refused(self) -> None:
        schema = Schema(Field("a", t.int8), Field("b", t.int8))
        one, two = Column.from_list(t.int8, [1]), Column.from_list(t.int8, [1, 2])
        with self.assertRaisesRegex(FatalError, "has 2 rows, the batch 1"):
            Batch(schema, [one, two])
        with self.assertRaisesRegex(FatalError, "is utf8 where int8 was bound"):
            Batch(schema, [one, Column.from_list(t.utf8, ["x"])])
        with self.assertRaisesRegex(FatalError, "1 columns where the schema has 2"):
            Batch(schema, [one])


class Views(unittest.TestCase):
    def test_fixed_width_values_are_memoryviews(self) -> None:
        column = Column.from_list(t.int64, [1, None, 3])
        self.assertEqual(column.values.format, "q")
        self.assertEqual(column.values.tolist(), [1, 0, 3])
        self.assertEqual(column.null_rows(), [1])
        days = Column.from_list(t.date32, [date(1970, 1, 3)])
        self.assertEqual(days.values.tolist(), [2])
        amount = Column.from_list(t.decimal128(9, 2), [Decimal("-0.01")])
        self.assertEqual(amount.values.tolist(), [2**64 - 1, 2**64 - 1])

    def test_columns_are_made_of_buffers(self) -> None:
        doubled = array("q", [value * 2 for value in (1, 2, 3)])
        column = Column.from_buffer(t.int64, doubled, nulls=[1])
        self.assertEqual(column.to_list(), [2, None, 6])
        with self.assertRaisesRegex(FatalError, "no whole number"):
            Column.from_buffer(t.int64, b"123")
        with self.assertRaisesRegex(FatalError, "lies outside of 1 rows"):
            Column.from_buffer(t.int8, b"1", nulls=[1])
        with self.assertRaisesRegex(FatalError, "no values of fixed width"):
            Column.from_buffer(t.utf8, b"1")

    def test_buffers_of_other_items_are_refused(self) -> None:
        for data_type, values in [
            (t.int64, array("i", [1, 2, 3, 4])),
            (t.int64, array("d", [1.0])),
            (t.float64, array("q", [1])),
        ]:
            with self.assertRaisesRegex(FatalError, "takes bytes or an array of"):
                Column.from_buffer(data_type, values)

    def test_slices_are_clipped(self) -> None:
        batch = Batch.from_rows(Schema(Field("n", t.int32)), [{"n": 1}, {"n": 2}])
        self.assertEqual(batch.slice(0, 5).to_rows(), [{"n": 1}, {"n": 2}])
        self.assertEqual(batch.slice(-1, 9).to_rows(), [{"n": 2}])
        self.assertEqual(batch.slice(2, 0).rows, 0)

    def test_text_and_lists_show_their_offsets(self) -> None:
        text = Column.from_list(t.utf8, ["ab", None, "é"])
        self.assertEqual((text.offsets.tolist(), text.data), ([0, 2, 2, 4], "abé".encode()))
        lists = Column.from_list(t.list_of(t.int8), [[1, 2], [3]])
        self.assertEqual((lists.offsets.tolist(), lists.items.to_list()), ([0, 2, 3], [1, 2, 3]))
        struct = Column.from_list(t.struct(Field("a", t.int8)), [{"a": 5}])
        self.assertEqual(struct.field("a").to_list(), [5])
        for wrong in (lambda: text.values, lambda: text.items, lambda: lists.data, lambda: struct.offsets):
            self.assertRaises(FatalError, wrong)
        self.assertRaises(FatalError, struct.field, "b")

    def test_dates_that_python_cannot_hold(self) -> None:
        column = Column.from_buffer(t.date32, array("i", [0, 2**31 - 1, 5]), nulls=[2])
        unreadable: list[int] = []
        self.assertEqual(column.to_list(unreadable), [date(1970, 1, 1), None, None])
        self.assertEqual(unreadable, [1])
        with self.assertRaisesRegex(DataError, "row 1: a date or time that Python cannot hold"):
            column.to_list()

    def test_they_are_found_in_lists_and_structs(self) -> None:
        dates = Column.from_buffer(t.date32, array("i", [0, 2**31 - 1]))
        lists = Column(t.list_of(t.date32), 3, 0, b"", (array("i", [0, 0, 1, 2]).tobytes(),), (dates,))
        unreadable: list[int] = []
        self.assertEqual(lists.to_list(unreadable), [[], [date(1970, 1, 1)], [None]])
        self.assertEqual(unreadable, [2])
        hidden = Column(t.struct(Field("d", t.date32)), 2, 1, b"\x01", (), (dates,))
        unreadable = []
        self.assertEqual(hidden.to_list(unreadable), [{"d": date(1970, 1, 1)}, None])
        self.assertEqual(unreadable, [], "what lies under a null means nothing")


class Schemas(unittest.TestCase):
    def test_a_dataclass_says_its_schema(self) -> None:
        @dataclass
        class Item:
            code: str
            amount: Annotated[Decimal, t.decimal128(9, 2)] | None

        globals()["Item"] = Item

        @dataclass
        class Row:
            id: int
            at: Annotated[datetime, t.timestamp("second", "UTC")]
            day: date | None
            items: list[Item]
            words: list[str | None] | None

        self.assertEqual(
            Schema.of(Row),
            Schema(
                Field("id", t.int64, False),
                Field("at", t.timestamp("second", "UTC"), False),
                Field("day", t.date32, True),
                Field(
                    "items",
                    t.list_of(
                        Field(
                            "item",
                            t.struct(Field("code", t.utf8, False), Field("amount", t.decimal128(9, 2), True)),
                            False,
                        )
                    ),
                    False,
                ),
                Field("words", t.list_of(t.utf8), True),
            ),
        )

    def test_none_may_stand_within_annotated(self) -> None:
        @dataclass
        class Row:
            paid: Annotated[Decimal | None, t.decimal128(5, 2)]

        self.assertTrue(list(Schema.of(Row))[0].nullable)

    def test_a_type_without_a_column_type_is_named(self) -> None:
        @dataclass
        class Row:
            amount: Decimal

        with self.assertRaisesRegex(FatalError, r"Row.amount has the type .*Decimal.*Annotated"):
            Schema.of(Row)
        with self.assertRaisesRegex(FatalError, "@dataclass"):
            Schema.of(int)

    def test_types_that_cannot_be(self) -> None:
        for wrong in (
            lambda: t.decimal128(39, 0),
            lambda: t.decimal128(5, 6),
            lambda: t.time("hour"),
            lambda: t.struct(),
            lambda: Schema(Field("a", t.int8), Field("a", t.int8)),
        ):
            self.assertRaises(FatalError, wrong)


if __name__ == "__main__":
    unittest.main()
