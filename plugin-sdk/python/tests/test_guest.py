"""The glue of a component, between stand-ins for the modules that ``componentize-py`` makes."""

from __future__ import annotations

import enum
import json
import sys
import unittest
from collections import namedtuple
from types import ModuleType
from typing import Any

from weir_plugin import (
    Check,
    Context,
    DataError,
    Decoder,
    Done,
    More,
    Rule,
    Schema,
    Source,
    Stream,
    Verdict,
    host,
    http,
)
from weir_plugin import types as t
from weir_plugin.types import DataType

from .test_conformance import Conformance, field, fixture
from .test_folds import Sum
from .test_side_inputs import CODES, HINT, INPUT, UNKNOWN, Judges, Known, Letters, Matches

RECORDS = {
    "Info": "name version description config_schema columns rules",
    "Rule": "name description",
    "Field": "name data_type nullable children",
    "TimestampType": "unit zone",
    "DecimalType": "precision scale",
    "Output": "name schema",
    "SideInput": "name schema",
    "Batch": "rows nodes buffers",
    "Node": "length null_count",
    "Run": "pipeline step parameters",
    "Parameter": "name value",
    "StreamInfo": "name schema cursor primary_key shards",
    "Page": "state done",
}
WITH_VALUE = ("time32", "time64", "timestamp", "decimal128")
KINDS = [
    "boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "utf8", "binary", "date32", "date64", *WITH_VALUE, "list", "struct",
]  # fmt: skip


class Err(Exception):
    """An error as the contract has it."""

    def __init__(self, value: Any) -> None:
        self.value = value


def bindings(calls: list[tuple[Any, ...]], handed: list[Any]) -> dict[str, ModuleType]:
    """Modules that note what they are called with. ``handed`` has the batches of the side input that is read."""

    def module(name: str, **members: Any) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(members)
        return made

    def noted(name: str) -> Any:
        return lambda *given: calls.append((name, *given))

    wit: dict[str, Any] = {name: namedtuple(name, fields) for name, fields in RECORDS.items()}
    wit["TimeUnit"] = enum.Enum("TimeUnit", "SECOND MILLISECOND MICROSECOND NANOSECOND")
    for kind in KINDS:
        name = "DataType_" + kind.capitalize()
        wit[name] = namedtuple(name, "value" if kind in WITH_VALUE else "")
    for kind in ("Config", "Data", "Retry", "Fatal"):
        wit["Error_" + kind] = namedtuple("Error_" + kind, "value")
    level = enum.Enum("Level", "DEBUG INFO WARN")
    imports = module(
        "wit_world.imports",
        __path__=[],
        types=module("types", **wit),
        host=module("host", Level=level, log=noted("log"), metric=noted("metric")),
        emitting=module("emitting", emit=noted("emit"), reject=noted("reject")),
        judging=module("judging", fail=noted("fail")),
        decoding=module("decoding", emit=noted("emit"), reject=noted("reject")),
        sourcing=module("sourcing", emit=noted("emit"), reject=noted("reject")),
        folding=module("folding", emit=noted("emit")),
        side_inputs=module("side_inputs", next=lambda place: handed.pop(0) if handed else None),
    )
    return {
        "wit_world": module("wit_world", __path__=[], imports=imports),
        "wit_world.imports": imports,
        "componentize_py_types": module("componentize_py_types", Err=Err),
    }


def written(batch: Any) -> dict[str, Any]:
    nodes = [list(node) for node in batch.nodes]
    return {"rows": batch.rows, "nodes": nodes, "buffers": [bytes(buffer).hex() for buffer in batch.buffers]}


EMPTY = Rule("empty", "A text is not empty.")


class Texts(Check):
    """Refuses texts that are empty."""

    name = "texts"
    rules = [EMPTY]

    def bind(self, context: Context) -> None:
        if "text" not in context.input.names:
            raise DataError(f"no text on {context.run.parameters['date']}")

    def process(self, batch: Any, out: Verdict) -> None:
        out.fail([row for row, text in enumerate(batch["text"].to_list()) if not text], EMPTY)


class Sizes(Decoder):
    """Gives the size of each chunk."""

    name = "sizes"
    rules = [EMPTY]

    def bind(self, context: Context) -> Schema:
        return Schema(t.Field("size", t.int32))

    def decode(self, chunk: bytes, out: Any) -> None:
        if chunk:
            out.emit({"size": [len(chunk)]})
        else:
            out.reject(7, 2, EMPTY)


class Counts(Source):
    """Counts to two, from where it is told."""

    name = "counts"
    rules = [EMPTY]

    def discover(self) -> list[Stream]:
        return [Stream(self.run.parameters["date"], Schema(t.Field("n", t.int32)), "n", ["n"], ["a"])]

    def open(self, stream: Stream, shard: str, state: Any) -> None:
        self.at = 0 if state is None else state

    def read(self, out: Any) -> More | Done:
        self.at += 1
        if self.at == 3:
            http.get("https://h")
        out.emit({"n": [self.at]})
        out.reject({"n": self.at}, EMPTY)
        return Done(self.at) if self.at == 2 else More(self.at)


class Components(unittest.TestCase):
    def setUp(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.handed: list[Any] = []
        self.modules = bindings(self.calls, self.handed)
        sys.modules.update(self.modules)
        self.before = host._host
        import weir_plugin.guest as guest

        self.guest = guest
        self.wit: Any = self.modules["wit_world.imports"].types
        self.run_of = self.wit.Run("p", "s", [self.wit.Parameter("date", "2024-02-29")])

    def tearDown(self) -> None:
        host.connect(self.before)
        for name in [*self.modules, "weir_plugin.guest"]:
            del sys.modules[name]

    def batch(self, value: dict[str, Any]) -> Any:
        nodes = [self.wit.Node(*node) for node in value["nodes"]]
        return self.wit.Batch(value["rows"], nodes, [bytes.fromhex(buffer) for buffer in value["buffers"]])

    def test_the_calls_of_a_transform(self) -> None:
        for case in fixture("transform.json"):
            with self.subTest(case["name"]):
                self.calls.clear()
                component = self.guest.transformer(Conformance)()
                self.assertEqual(component.describe().name, "conformance")
                schema = Schema(*[field(column) for column in case["input"]])
                component.bind(json.dumps(case["config"]), self.run_of, self.guest._schema_to_wit(schema), [])
                for batch in case["batches"]:
                    component.process(self.batch(batch))
                component.finish()
                made = [
                    {"emit": given[0], "origin": given[2], "batch": written(given[1])}
                    if name == "emit"
                    else {"reject": given[0], "rule": given[1], "message": given[2]}
                    for name, *given in self.calls
                ]
                self.assertEqual(made, case["calls"])

    def test_the_calls_of_a_check_and_its_errors(self) -> None:
        component = self.guest.checker(Texts)()
        with self.assertRaises(Err) as raised:
            component.bind("{}", self.run_of, [], [])
        self.assertEqual(raised.exception.value, self.wit.Error_Data("no text on 2024-02-29"))
        schema = Schema(t.Field("text", t.utf8))
        component.bind("{}", self.run_of, self.guest._schema_to_wit(schema), [])
        buffers = ["", "00000000010000000100000002000000", "6162"]
        component.process(self.batch({"rows": 3, "nodes": [[3, 0]], "buffers": buffers}))
        component.finish()
        self.assertEqual(self.calls, [("fail", [1], "empty", "A text is not empty.")])

    def test_the_calls_of_a_decoder(self) -> None:
        component = self.guest.decoder_plugin(Sizes)()
        size = self.wit.Field("size", self.wit.DataType_Int32(), True, 0)
        self.assertEqual(component.bind("{}", self.run_of, []), [size])
        component.decode(b"abc")
        component.decode(b"")
        component.finish()
        (_, batch), rejected = self.calls
        self.assertEqual(written(batch), {"rows": 1, "nodes": [[1, 0]], "buffers": ["", "03000000"]})
        self.assertEqual(rejected, ("reject", 7, 2, "empty", "A text is not empty."))

    def test_the_calls_of_a_source(self) -> None:
        component = self.guest.source_plugin(Counts)()
        n = self.wit.Field("n", self.wit.DataType_Int32(), True, 0)
        streams = component.discover("{}", self.run_of)
        self.assertEqual(streams, [self.wit.StreamInfo("2024-02-29", [n], "n", ["n"], ["a"])])
        self.assertEqual(component.open("{}", self.run_of, "2024-02-29", "a", None), [n])
        self.assertEqual(component.read(), self.wit.Page("1", False))
        (_, batch), rejected = self.calls
        self.assertEqual(written(batch), {"rows": 1, "nodes": [[1, 0]], "buffers": ["", "01000000"]})
        self.assertEqual(rejected, ("reject", '{"n":1}', "empty", "A text is not empty."))
        component = self.guest.source_plugin(Counts)()
        component.open("{}", self.run_of, "2024-02-29", "a", "1")
        self.assertEqual(component.read(), self.wit.Page("2", True))

    def test_the_errors_of_a_source(self) -> None:
        component = self.guest.source_plugin(Counts)()
        with self.assertRaises(Err) as raised:
            component.open("{}", self.run_of, "x", "", None)
        words = "there is no stream 'x'; the streams are 2024-02-29"
        self.assertEqual(raised.exception.value, self.wit.Error_Config(words))
        component.open("{}", self.run_of, "2024-02-29", "", "2")
        with self.assertRaises(Err) as raised:
            component.read()
        words = "only a source makes requests, and it imports weir_plugin.http where its module begins"
        self.assertEqual(raised.exception.value, self.wit.Error_Fatal(words))

    def test_the_calls_of_a_fold(self) -> None:
        n = self.guest._schema_to_wit(Schema(t.Field("n", t.int64)))
        folds = [self.guest.folder(Sum)() for _ in range(2)]
        for fold in folds:
            bound = fold.bind("{}", self.run_of, n, [])
            self.assertEqual(bound, [self.wit.Field("sum", self.wit.DataType_Int64(), False, 0)])
        folds[0].process(self.batch({"rows": 2, "nodes": [[2, 0]], "buffers": ["", "01" + "00" * 7 + "02" + "00" * 7]}))
        snapshot = folds[0].snapshot()
        self.assertEqual(snapshot, b"\3" + bytes(7))
        folds[1].merge(snapshot)
        folds[1].merge(snapshot)
        folds[1].finish()
        self.assertEqual(written(self.calls[0][1])["buffers"], ["", "06" + "00" * 7])

    def test_side_inputs_are_read_before_the_first_call_that_gives_something(self) -> None:
        code = self.guest._schema_to_wit(INPUT)
        sides = [self.wit.SideInput("other", []), self.wit.SideInput("codes", self.guest._schema_to_wit(CODES))]

        def part(letter: str) -> Any:
            buffers = ["", "0000000001000000", letter, "", "01" + "00" * 7]
            return self.batch({"rows": 1, "nodes": [[1, 0], [1, 0]], "buffers": buffers})

        given = self.batch({"rows": 1, "nodes": [[1, 0]], "buffers": ["", "0000000001000000", "78"]})
        for made, bind, first in [
            (self.guest.transformer(Known), [code], lambda component: component.process(given)),
            (self.guest.checker(Judges), [code], lambda component: component.process(given)),
            (self.guest.decoder_plugin(Letters), [], lambda component: component.decode(b"b")),
            (self.guest.decoder_plugin(Letters), [], lambda component: component.finish()),
            (self.guest.folder(Matches), [code], lambda component: component.process(given)),
            (self.guest.folder(Matches), [code], lambda component: component.merge(bytes(8))),
            (self.guest.folder(Matches), [code], lambda component: component.finish()),
        ]:
            self.handed[:] = [part("61"), part("62")]
            component = made()
            component.bind("{}", self.run_of, *bind, sides)
            self.assertEqual(len(self.handed), 2)
            first(component)
            self.assertEqual(self.handed, [])
        rejected = [call for call in self.calls if call[0] in ("reject", "fail")]
        self.assertEqual(rejected, [(kind, [0], "unknown", UNKNOWN.description) for kind in ("reject", "fail")])
        emitted = [part.buffers[-1] for call in self.calls for part in call if isinstance(part, self.wit.Batch)]
        self.assertEqual(emitted, [b"x", b"b", b"of 2", (2).to_bytes(8, "little")])

    def test_the_place_of_a_side_input_is_asked_for(self) -> None:
        asked: list[int] = []
        self.guest._side_inputs.next = asked.append  # Answers with nothing.
        component = self.guest.checker(Judges)()
        sides = [self.wit.SideInput("other", []), self.wit.SideInput("codes", self.guest._schema_to_wit(CODES))]
        component.bind("{}", self.run_of, self.guest._schema_to_wit(INPUT), sides)
        batch = self.batch({"rows": 0, "nodes": [[0, 0]], "buffers": ["", "00000000", ""]})
        component.process(batch)
        component.process(batch)
        self.assertEqual(asked, [1])

    def test_a_table_that_the_step_lacks_is_an_error_of_the_configuration(self) -> None:
        component = self.guest.transformer(Known)()
        with self.assertRaises(Err) as raised:
            component.bind("{}", self.run_of, self.guest._schema_to_wit(INPUT), [])
        self.assertEqual(raised.exception.value, self.wit.Error_Config(HINT))

    def test_every_type_crosses_and_comes_back(self) -> None:
        types = [DataType(kind) for kind in KINDS if kind not in (*WITH_VALUE, "list", "struct")]
        types += [t.time("second"), t.time("nanosecond"), t.timestamp("microsecond"), t.decimal128(12, 2)]
        types += [t.timestamp("millisecond", "UTC"), t.list_of(t.struct(t.Field("a", t.utf8, False)))]
        schema = Schema(*[t.Field(f"c{at}", data_type) for at, data_type in enumerate(types)])
        self.assertEqual(self.guest._schema_from_wit(self.guest._schema_to_wit(schema)), schema)
