"""Plugins of every kind through the harness: emitting, rejecting, errors, configuration."""

from __future__ import annotations

import json
import sys
import unittest
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import weir_plugin
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
    Output,
    Reject,
    RetryError,
    RowCheck,
    RowTransform,
    Rule,
    Schema,
    Transform,
    log,
    metric,
    secret,
    setting,
)
from weir_plugin import (
    types as t,
)
from weir_plugin.build import BuildError, build, find_plugin
from weir_plugin.config import json_schema, parse
from weir_plugin.testing import Harness

EXAMPLE = Path(weir_plugin.__file__).parents[1] / "example"
sys.path.insert(0, str(EXAMPLE))

import claims  # noqa: E402

ODD = Rule("odd", "Numbers are even.")
LARGE = Rule("large", "Numbers are small.")
NUMBERS = Schema(Field("n", t.int64))


def rows(*numbers: int | None) -> list[dict[str, Any]]:
    return [{"n": number} for number in numbers]


class Double(Transform):
    """Doubles a column, buffer by buffer."""

    name = "double"
    rules = [ODD]

    def bind(self, context: Context) -> Schema:
        context.require(["n"])
        return context.input

    def process(self, batch: Batch, out: Emitter) -> None:
        column = batch["n"]
        values = column.values
        out.reject([row for row in range(len(batch)) if values[row] % 2], ODD)
        doubled = memoryview(bytearray(8 * len(batch))).cast("q")
        for row, value in enumerate(values):
            doubled[row] = value * 2
        out.emit({"n": Column.from_buffer(t.int64, doubled, nulls=column.null_rows())})


class Split(RowTransform):
    """Sends rows to two outputs."""

    name = "split"
    rules = [ODD]

    def bind(self, context: Context) -> list[Output]:
        return [Output("small", NUMBERS), Output("large", Schema(Field("n", t.int64), Field("of", t.int64)))]

    def row(self, row: dict[str, Any], out: Any) -> None:
        if row["n"] is None:
            return
        out.emit(row, to="small")
        if row["n"] == 3:
            raise Reject(ODD)
        for of in range(row["n"] // 100):
            out.emit({"n": row["n"], "of": of}, to="large")


class Transforms(unittest.TestCase):
    def test_columns(self) -> None:
        outcome = Harness(Double).run(NUMBERS, rows(2, None, 3), rows(4))
        self.assertEqual(outcome.output(), rows(4, None, 8))
        self.assertEqual(outcome.rejected("odd"), [2])

    def test_rows_to_several_outputs(self) -> None:
        outcome = Harness(Split).run(NUMBERS, rows(1, 3, None, 200))
        self.assertEqual(outcome.output("small"), rows(1, 200))
        self.assertEqual(outcome.output("large"), [{"n": 200, "of": 0}, {"n": 200, "of": 1}])
        self.assertEqual((outcome.rejected("odd"), outcome.dropped()), ([1], [2]))
        self.assertEqual([call.rows for call in outcome.calls], [[0, 3], [3, 3], [1]])

    def test_the_example(self) -> None:
        schema = Schema(*[Field(name, t.utf8) for name in claims.Claims.columns])
        given = [
            {"claim_id": " a1 ", "paid": "12.5", "paid_on": "2010-03-12", "codes": "x y"},
            {"claim_id": "a2", "paid": "12.555", "paid_on": None, "codes": None},
            {"claim_id": None, "paid": "1", "paid_on": None, "codes": None},
            {"claim_id": "a4", "paid": None, "paid_on": "12.3.2010", "codes": None},
            {"claim_id": "a5", "paid": "n/a", "paid_on": None, "codes": None},
        ]
        outcome = Harness(claims.Claims).run(schema, given)
        self.assertEqual(
            outcome.output(),
            [{"claim_id": "a1", "paid": Decimal("12.50"), "paid_on": date(2010, 3, 12), "codes": ["x", "y"]}],
        )
        self.assertEqual(
            [(item.row, item.rule) for item in outcome.rejections],
            [(1, "bad_amount"), (2, "no_id"), (3, "bad_date"), (4, "bad_amount")],
        )
        with self.assertRaisesRegex(DataError, "the input lacks paid, paid_on, codes; it has claim_id"):
            Harness(claims.Claims).bind(Schema(Field("claim_id", t.utf8)))

    def test_an_emitted_row_is_a_copy(self) -> None:
        class Three(RowTransform):
            """Makes three rows of one."""

            name = "three"

            def bind(self, context: Context) -> Schema:
                return Schema(Field("n", t.int64))

            def row(self, row: dict[str, Any], out: Any) -> None:
                made = {}
                for n in range(3):
                    made["n"] = n
                    out.emit(made)

        outcome = Harness(Three).run(Schema(Field("x", t.int64)), [{"x": 1}])
        self.assertEqual(outcome.output(), [{"n": 0}, {"n": 1}, {"n": 2}])

    def test_a_row_that_does_not_fit_is_named_by_its_place_in_the_batch(self) -> None:
        first = Rule("first", "The first are rejected.")

        class Late(RowTransform):
            """Gives a text for a number."""

            name = "late"
            rules = [first]

            def bind(self, context: Context) -> Schema:
                return Schema(Field("n", t.int32))

            def row(self, row: dict[str, Any], out: Any) -> None:
                if row["x"] < 2:
                    raise Reject(first)
                out.emit({"n": "two"})

        with self.assertRaisesRegex(FatalError, "from row 2 of the batch"):
            Harness(Late).run(Schema(Field("x", t.int64)), [{"x": 0}, {"x": 1}, {"x": 2}])

    def test_dates_out_of_range_are_rejected_by_the_sdk(self) -> None:
        @dataclass
        class Row:
            day: date | None

        globals()["Row"] = Row
        schema = Schema(Field("day", t.date32))
        batch = Batch.from_columns(schema, {"day": Column.from_buffer(t.date32, b"\xff\xff\xff\x7f" + bytes(4))})
        for row_type in (None, Row):

            class Days(RowTransform):
                name = "days"
                Row = row_type

                def bind(self, context: Context) -> Schema:
                    return context.input

                def row(self, row: Any, out: Any) -> None:
                    out.emit(row)

            outcome = Harness(Days).run(schema, batch)
            self.assertEqual(outcome.output(), [{"day": date(1970, 1, 1)}])
            self.assertEqual(outcome.rejected("unreadable_date"), [0])

    def test_nested_dataclasses_come_as_such(self) -> None:
        @dataclass
        class Item:
            code: str
            parts: list[str] | None

        @dataclass
        class Visit:
            items: list[Item] | None
            main: Item | None

        globals().update(Item=Item, Visit=Visit)
        seen = []

        class Visits(RowTransform):
            name = "visits"
            Row = Visit

            def bind(self, context: Context) -> Schema:
                return Schema.of(Visit)

            def row(self, row: Any, out: Any) -> None:
                seen.append(row)
                out.emit(row)

        given = [Visit([Item("a", ["x"]), Item("b", None)], Item("c", [])), Visit(None, None)]
        outcome = Harness(Visits).run(Schema.of(Visit), given)
        self.assertEqual(seen[:2], given)
        self.assertEqual(outcome.output()[1], {"items": None, "main": None})

    def test_breaches_of_the_contract_are_named(self) -> None:
        def transform(body: Any) -> type[Transform]:
            return type("Bad", (Double,), {"process": body})

        for body, words in [
            (lambda self, batch, out: out.emit({"n": []}), "0 rows emitted for 2 read"),
            (lambda self, batch, out: out.emit({"m": [1, 2]}), "columns m where the schema has n"),
            (lambda self, batch, out: out.emit({"n": [1]}, origin=[2]), "an origin outside of a batch of 2"),
            (lambda self, batch, out: out.emit({"n": [1]}, origin=[0, 1]), "2 origins for 1 rows"),
            (lambda self, batch, out: out.emit({"n": [1, 2]}, to="x"), "no output 'x'; `bind` returned out"),
            (lambda self, batch, out: out.reject([2], ODD), "names a row outside of a batch of 2 rows"),
            (lambda self, batch, out: out.reject([0], LARGE), "`large` is not among the plugin's `rules`"),
            (
                lambda self, batch, out: out.emit(Batch.from_rows(Schema(Field("x", t.int64)), [{"x": 1}] * 2)),
                "Schema.* emitted where",
            ),
        ]:
            with self.assertRaisesRegex(FatalError, words):
                Harness(transform(body)).run(NUMBERS, rows(2, 4))

    def test_what_depends_on_batch_borders_is_found(self) -> None:
        class First(Transform):
            name = "first"

            def bind(self, context: Context) -> Schema:
                return context.input

            def process(self, batch: Batch, out: Emitter) -> None:
                out.emit(batch.slice(0, 1), origin=[0]) if len(batch) else None

        with self.assertRaisesRegex(FatalError, "depends on where batches end"):
            Harness(First).run(NUMBERS, rows(1, 2, 3))

    def test_an_unexpected_exception_gives_place_but_no_words(self) -> None:
        class Fails(RowTransform):
            name = "fails"

            def bind(self, context: Context) -> Schema:
                return context.input

            def row(self, row: Any, out: Any) -> None:
                int("secret canary")

        with self.assertRaises(FatalError) as caught:
            Harness(Fails).run(NUMBERS, rows(1))
        message = str(caught.exception)
        self.assertRegex(message, r"^ValueError in test_plugins.py, line \d+, at row 0 of the batch")
        self.assertNotIn("canary", message)

    def test_bind_must_give_what_it_promises(self) -> None:
        class Wrong(Double):
            def bind(self, context: Context) -> Any:
                return "x"

        with self.assertRaisesRegex(FatalError, "returns a Schema or a list of Output"):
            Harness(Wrong).bind(NUMBERS)

        class Changes(Double):
            times = 0

            def bind(self, context: Context) -> Any:
                Changes.times += 1
                return [Output(f"out{Changes.times}", NUMBERS)]

        with self.assertRaisesRegex(FatalError, "different answers"):
            Harness(Changes).bind(NUMBERS)


class Checks(unittest.TestCase):
    def test_columns_and_rows(self) -> None:
        class Odd(Check):
            name = "odd"
            rules = [ODD]

            def process(self, batch: Batch, out: Any) -> None:
                out.fail([row for row, value in enumerate(batch["n"].values) if value % 2], ODD)

        class OddRows(RowCheck):
            name = "odd-rows"
            rules = [ODD, LARGE]

            def row(self, row: dict[str, Any], fail: Any) -> None:
                if row["n"] % 2:
                    fail(ODD)
                if row["n"] > 100:
                    fail(LARGE, "too large")

        self.assertEqual(Harness(Odd).run(NUMBERS, rows(1, 2, 3)).rejected("odd"), [0, 2])
        outcome = Harness(OddRows).run(NUMBERS, rows(1, 2, 101))
        self.assertEqual((outcome.rejected("odd"), outcome.rejected("large")), ([0, 2], [2]))


class Lines(Decoder):
    """One row a line."""

    name = "lines"
    rules = [Rule("not_utf8", "A line is UTF-8.")]

    def bind(self, context: Context) -> Schema:
        self.rest, self.offset = b"", 0
        return Schema(Field("line", t.utf8, nullable=False))

    def decode(self, chunk: bytes, out: Any) -> None:
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        self.take(lines, out)

    def finish(self, out: Any) -> None:
        self.take([self.rest] if self.rest else [], out)

    def take(self, lines: list[bytes], out: Any) -> None:
        good = []
        for line in lines:
            try:
                good.append({"line": line.decode()})
            except UnicodeDecodeError:
                out.reject(self.offset, len(line), self.rules[0])
            self.offset += len(line) + 1
        out.emit(good)


class Decoders(unittest.TestCase):
    def test_a_file_in_chunks(self) -> None:
        decoded = Harness(Lines).decode("one\ntwö\n".encode(), b"\xff\xff\n", b"last")
        self.assertEqual([row["line"] for row in decoded.rows], ["one", "twö", "last"])
        self.assertEqual(decoded.rejections, [(9, 2, "not_utf8", "A line is UTF-8.")])

    def test_columns_and_batches(self) -> None:
        class Columns(Lines):
            def take(self, lines: list[bytes], out: Any) -> None:
                out.emit({"line": [line.decode() for line in lines]})
                out.emit(Batch.from_rows(Schema(Field("line", t.utf8, nullable=False)), []))

        self.assertEqual(Harness(Columns).decode(b"a\nb").rows, [{"line": "a"}, {"line": "b"}])

    def test_columns_are_those_that_were_bound(self) -> None:
        class Swapped(Decoder):
            """Gives its columns the wrong way round."""

            name = "swapped"

            def bind(self, context: Context) -> Schema:
                return Schema(Field("a", t.utf8), Field("b", t.utf8))

            def decode(self, chunk: bytes, out: Any) -> None:
                schema = Schema(Field("b", t.utf8), Field("a", t.utf8))
                out.emit(Batch.from_rows(schema, [{"a": "in a", "b": "in b"}]))

        with self.assertRaisesRegex(FatalError, "emitted where"):
            Harness(Swapped).decode(b"x")

    def test_the_wrong_call_is_named(self) -> None:
        self.assertRaisesRegex(FatalError, "`decode`", Harness(Lines).run, NUMBERS, rows(1))
        self.assertRaisesRegex(FatalError, "`run`", Harness(Double).decode, b"")


@dataclass
class Inner:
    size: int = setting("How large.", default=1)


@dataclass
class Config:
    column: str = setting("The column.")
    mode: Literal["a", "b"] = "a"
    limits: dict[str, float] = field(default_factory=dict)
    inner: list[Inner] = field(default_factory=list)
    least: int | None = None
    either: int | str = 0

    def __post_init__(self) -> None:
        if self.least == 13:
            raise ConfigError("`least` must not be 13")


class Configurations(unittest.TestCase):
    def test_a_dataclass_is_read(self) -> None:
        config = parse(Config, '{"column": "c", "limits": {"x": 1}, "inner": [{"size": 2}, {}], "either": "s"}')
        self.assertEqual(config, Config("c", "a", {"x": 1.0}, [Inner(2), Inner(1)], None, "s"))

    def test_all_faults_are_named_at_once(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            parse(Config, '{"mode": "c", "inner": [{"sise": 2}, 3], "least": true, "either": [], "limits": 1}')
        self.assertEqual(
            str(caught.exception).split("; "),
            [
                "`column` is missing",
                'mode must be one of "a", "b"',
                "limits must be an object",
                "unknown key `inner[0].sise`",
                "there are size",
                "inner[1] must be an object",
                "least must be an integer",
                "either fits none of the types that it may have",
            ],
        )
        for text, words in [
            ("[]", "the configuration must be an object"),
            ("{", "no JSON"),
            ('{"column": "c", "least": 13}', "must not be 13"),
        ]:
            self.assertRaisesRegex(ConfigError, words, parse, Config, text)

    def test_the_schema_says_what_is_read(self) -> None:
        schema = json.loads(json_schema(Config))
        self.assertEqual(schema["required"], ["column"])
        self.assertFalse(schema["additionalProperties"])
        properties = schema["properties"]
        self.assertEqual(properties["column"], {"type": "string", "description": "The column."})
        self.assertEqual(properties["mode"], {"enum": ["a", "b"], "default": "a"})
        self.assertEqual(properties["limits"], {"type": "object", "additionalProperties": {"type": "number"}})
        self.assertEqual(properties["least"]["anyOf"], [{"type": "integer"}, {"type": "null"}])
        self.assertEqual(properties["inner"]["items"]["properties"]["size"]["default"], 1)

    def test_no_configuration(self) -> None:
        Harness(Double).bind(NUMBERS)
        with self.assertRaisesRegex(ConfigError, "unknown key `x`; there are none"):
            Harness(Double, {"x": 1}).bind(NUMBERS)


class Hosts(unittest.TestCase):
    def test_log_metric_and_secret(self) -> None:
        class Asks(Double):
            def process(self, batch: Batch, out: Emitter) -> None:
                log.info(f"{len(batch)} rows")
                metric("rows", len(batch))
                if secret("KEY") != "k" or secret("OTHER") is not None:
                    raise RetryError("no key")
                super().process(batch, out)

        outcome = Harness(Asks, secrets={"KEY": "k"}).run(NUMBERS, rows(2), rows(4, 6))
        self.assertEqual(outcome.logs, [("info", "1 rows"), ("info", "2 rows")])
        self.assertEqual(outcome.metrics, {"rows": 3.0})
        self.assertRaises(RetryError, Harness(Asks).run, NUMBERS, rows(2))


class Builds(unittest.TestCase):
    def test_the_plugin_of_a_file_is_found(self) -> None:
        self.assertEqual(find_plugin(EXAMPLE / "claims.py").__name__, "Claims")
        with self.assertRaisesRegex(BuildError, "no plugin class `X`; it has Claims"):
            find_plugin(EXAMPLE / "claims.py", "X")
        with self.assertRaisesRegex(BuildError, "there is no file"):
            build(EXAMPLE / "none.py")


if __name__ == "__main__":
    unittest.main()
