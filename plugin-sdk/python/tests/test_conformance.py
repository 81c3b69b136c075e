"""The shared fixtures: read, made again, and what the canonical transform makes of them."""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path
from typing import Any

from weir_plugin import Batch, Field, Schema
from weir_plugin import types as t
from weir_plugin.testing import Harness
from weir_plugin.wire import Parts, assemble, disassemble, flatten, unflatten

CONFORMANCE = Path(__file__).parents[2] / "conformance"
CONTRACT = Path(__file__).parents[3] / "wit" / "0.1"
sys.path[:0] = [str(CONFORMANCE), str(CONFORMANCE / "python")]

import generate  # noqa: E402
from conformance import Conformance  # noqa: E402


def fixture(name: str) -> Any:
    return json.loads((CONFORMANCE / name).read_text(encoding="utf-8"))


def field(value: dict[str, Any]) -> Field:
    data_type = t.DataType(
        value["type"],
        unit=value.get("unit"),
        zone=value.get("zone"),
        precision=value.get("precision", 0),
        scale=value.get("scale", 0),
        children=tuple(field(child) for child in value.get("children", ())),
    )
    return Field(value["name"], data_type, value["nullable"])


def parts(value: dict[str, Any]) -> Parts:
    nodes = [(length, nulls) for length, nulls in value["nodes"]]
    return Parts(value["rows"], nodes, [bytes.fromhex(buffer) for buffer in value["buffers"]])


class Conformances(unittest.TestCase):
    def test_the_fixtures_are_what_the_sdk_makes(self) -> None:
        for name, make in generate.FILES.items():
            self.assertEqual((CONFORMANCE / name).read_text(encoding="utf-8"), generate.text_of(make()), name)

    def test_columns_are_read_and_made_again(self) -> None:
        for case in fixture("columns.json"):
            with self.subTest(case["name"]):
                schema = Schema(field(case["field"]))
                self.assertEqual(unflatten(list(flatten(schema))), schema)
                given = parts(case["batch"])
                column = assemble(schema, given).columns[0]
                values = column.to_list()
                self.assertEqual([generate.written(column.type, value) for value in values], case["values"])
                again = Batch.from_columns(schema, {"value": values})
                self.assertEqual(disassemble(again), given)

    def test_slices_are_the_columns_of_fewer_rows(self) -> None:
        for case in fixture("columns.json"):
            with self.subTest(case["name"]):
                schema = Schema(field(case["field"]))
                batch = assemble(schema, parts(case["batch"]))
                values = batch.columns[0].to_list()
                for begin in range(batch.rows + 1):
                    for end in range(begin, batch.rows + 1):
                        fewer = Batch.from_columns(schema, {"value": values[begin:end]})
                        self.assertEqual(disassemble(batch.slice(begin, end)), disassemble(fewer))

    def test_the_transform_makes_the_same_calls_as_in_all_languages(self) -> None:
        for case in fixture("transform.json"):
            with self.subTest(case["name"]):
                schema = Schema(*[field(column) for column in case["input"]])
                batches = [assemble(schema, parts(batch)) for batch in case["batches"]]
                outcome = Harness(Conformance, case["config"]).run(schema, *batches)
                for call, expected in zip(outcome.calls, case["calls"], strict=True):
                    if call.batch is None:
                        self.assertEqual(
                            {"reject": call.rows, "rule": call.rule, "message": call.message}, expected
                        )
                    else:
                        self.assertEqual((call.output, call.rows), (expected["emit"], expected["origin"]))
                        self.assertEqual(call.batch, parts(expected["batch"]))

    def test_the_contract_in_the_package_is_the_contract(self) -> None:
        import weir_plugin

        copies = Path(weir_plugin.__file__).parent / "wit"
        originals = sorted(CONTRACT.iterdir())
        self.assertEqual([file.name for file in originals], sorted(file.name for file in copies.iterdir()))
        for original in originals:
            self.assertEqual((copies / original.name).read_bytes(), original.read_bytes(), original.name)


if __name__ == "__main__":
    unittest.main()
