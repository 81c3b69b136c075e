"""Makes ``columns.json`` and ``transform.json`` with the Python SDK, from the values below."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "python"), str(HERE.parent / "python")]

from conformance import Conformance  # noqa: E402
from weir_plugin import Batch, Field, Schema, types as t  # noqa: E402
from weir_plugin.testing import Harness  # noqa: E402
from weir_plugin.values import writer  # noqa: E402
from weir_plugin.wire import Parts, disassemble  # noqa: E402

NAN, INFINITY = float("nan"), float("inf")
DATES = [date(2010, 3, 12), None, date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1), date(1969, 12, 31)]
TIMES = [time(0, 0), None, time(23, 59, 59), time(12, 30, 15)]
MOMENTS = [datetime(2010, 3, 12, 1, 2, 3), None, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)]
PERSON = t.struct(
    Field("name", t.utf8), Field("born", t.date32, nullable=False), Field("tags", t.list_of(t.utf8))
)


def moments(zone: Any = None, **rest: int) -> list[datetime | None]:
    """Moments with so much behind the second."""
    return [value and value.replace(tzinfo=zone) + timedelta(**rest) for value in MOMENTS]


#: Name, type, whether it may be null, values.
COLUMNS: list[tuple[str, t.DataType, bool, list[Any]]] = [
    ("no rows", t.int32, True, []),
    ("no rows of text", t.utf8, True, []),
    ("no rows of lists", t.list_of(t.int8), True, []),
    ("only nulls", t.utf8, True, [None, None, None]),
    ("nine rows, one bit into a second byte", t.int8, True, [1, 2, 3, 4, 5, 6, 7, 8, None]),
    ("boolean", t.boolean, True, [True, False, None, True, True, False, True, True, None, True]),
    ("boolean without nulls", t.boolean, False, [True, False, True]),
    ("int8", t.int8, True, [-128, None, 127, 0]),
    ("int16", t.int16, True, [-(2**15), None, 2**15 - 1, 0]),
    ("int32", t.int32, True, [-(2**31), None, 2**31 - 1, 0]),
    ("int64", t.int64, True, [-(2**63), None, 2**63 - 1, 0]),
    ("uint8", t.uint8, True, [255, None, 0]),
    ("uint16", t.uint16, True, [2**16 - 1, None, 0]),
    ("uint32", t.uint32, True, [2**32 - 1, None, 0]),
    ("uint64", t.uint64, True, [2**64 - 1, None, 0]),
    ("int64 without nulls", t.int64, False, [1, 2, 3]),
    ("float16", t.float16, True, [1.5, None, -0.0, 65504.0, INFINITY, NAN, 6.103515625e-05]),
    ("float32", t.float32, True, [1.5, None, -0.0, 3.4028234663852886e38, -INFINITY, NAN]),
    ("float64", t.float64, True, [1.1, None, -0.0, 1.7976931348623157e308, 5e-324, INFINITY, NAN]),
    ("utf8", t.utf8, True, ["plain", None, "", "é", "語", "a\u0000b", "🦀 crab", " blank "]),
    ("utf8, all of it ASCII", t.utf8, False, ["one", "", "three"]),
    ("binary", t.binary, True, [b"\x00\xff", None, b"", b"abc"]),
    ("date32", t.date32, True, DATES),
    ("date64", t.date64, True, DATES),
    ("time32 in seconds", t.time("second"), True, TIMES),
    ("time32 in milliseconds", t.time("millisecond"), True, [*TIMES, time(1, 2, 3, 4000)]),
    ("time64 in microseconds", t.time("microsecond"), True, [*TIMES, time(23, 59, 59, 999_999)]),
    ("time64 in nanoseconds", t.time("nanosecond"), True, [0, None, 86_399_999_999_999]),
    ("timestamp in seconds", t.timestamp("second"), True, moments()),
    ("timestamp in milliseconds", t.timestamp("millisecond"), True, moments(milliseconds=7)),
    ("timestamp in microseconds", t.timestamp("microsecond"), True, moments(microseconds=7)),
    ("timestamp in nanoseconds", t.timestamp("nanosecond"), True, [-(2**63), None, 2**63 - 1, 1]),
    ("timestamp in UTC", t.timestamp("microsecond", "UTC"), True, moments(UTC, microseconds=1)),
    ("timestamp with an offset", t.timestamp("second", "+02:00"), True, moments(UTC)),
    (
        "decimal128",
        t.decimal128(12, 2),
        True,
        [Decimal("12.50"), None, Decimal("-0.01"), Decimal("9999999999.99"), Decimal(0)],
    ),
    (
        "decimal128 of all digits",
        t.decimal128(38, 10),
        True,
        [Decimal("9" * 28 + "." + "9" * 10), Decimal("-" + "9" * 28 + "." + "9" * 10), None],
    ),
    ("decimal128 without a point", t.decimal128(5, 0), False, [Decimal(1), Decimal(-99999)]),
    ("list of int32", t.list_of(t.int32), True, [[1, 2], None, [], [None, 3]]),
    ("list of text that is there", t.list_of(Field("item", t.utf8, nullable=False)), False, [["a", "é"], [], ["b"]]),
    ("list of lists", t.list_of(t.list_of(t.boolean)), True, [[[True], None], None, [[], [None, False]]]),
    (
        "struct",
        PERSON,
        True,
        [
            {"name": "Ada", "born": date(1815, 12, 10), "tags": ["x", None]},
            None,
            {"name": None, "born": date(1970, 1, 1), "tags": None},
        ],
    ),
    (
        "list of structs",
        t.list_of(t.struct(Field("n", t.int64), Field("amount", t.decimal128(9, 3)))),
        True,
        [[{"n": 1, "amount": Decimal("1.234")}, None], None, [], [{"n": None, "amount": None}]],
    ),
    (
        "struct of structs",
        t.struct(Field("inner", t.struct(Field("flag", t.boolean, nullable=False)))),
        True,
        [{"inner": {"flag": True}}, {"inner": None}, None],
    ),
]

INPUT = Schema(
    Field("text", t.utf8),
    Field("id", t.int64),
    Field("paid", t.decimal128(12, 2)),
    Field("seen", t.timestamp("microsecond", "UTC")),
    Field("born", t.date32),
    Field("flag", t.boolean),
    Field("weight", t.float64),
    Field("raw", t.binary),
    Field("person", PERSON),
    Field("counts", t.list_of(t.int32)),
)


def row(id: int | None) -> dict[str, Any]:
    """A row with a null here and there, as its id says."""
    n = id or 0
    every = lambda divisor, value: None if n % divisor == 0 else value  # noqa: E731
    return {
        "text": every(4, f"é{n}" if n % 2 else f"row {n}"),
        "id": id,
        "paid": every(6, Decimal(n % 1_000_000).scaleb(-2)),
        "seen": every(5, datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)),
        "born": every(3, date(2000, 1, 1) + timedelta(days=n % 1000)),
        "flag": every(7, n % 2 == 1),
        "weight": every(9, n / 4),
        "raw": every(8, bytes(range(abs(n) % 5))),
        "person": every(5, {"name": every(2, f"p{n}"), "born": date(1990, 1, 1), "tags": every(3, ["a", None])}),
        "counts": every(4, [n % 100, None, -1][: abs(n) % 4]),
    }


#: Name, tag, ids of the rows of each batch.
TRANSFORMS: list[tuple[str, str, list[list[int | None]]]] = [
    ("one batch", "row", [[1, None, 2, -3, 5, 0, 7, None, 12, 35, -1, 2_932_896, 2_932_897, 2**40]]),
    ("several batches, one of no rows", "tág", [[3, 4], [], [None], [-7, -8], [60]]),
    ("a hundred rows", "", [list(range(100))]),
]


def described(field: Field) -> dict[str, Any]:
    """A field as the fixtures write it."""
    kind = field.type
    result: dict[str, Any] = {"name": field.name, "type": kind.kind, "nullable": field.nullable}
    if kind.unit:
        result["unit"] = kind.unit
    if kind.zone:
        result["zone"] = kind.zone
    if kind.kind == "decimal128":
        result |= {"precision": kind.precision, "scale": kind.scale}
    if kind.children:
        result["children"] = [described(child) for child in kind.children]
    return result


def crossing(parts: Parts) -> dict[str, Any]:
    """A batch as the fixtures write it."""
    return {
        "rows": parts.rows,
        "nodes": [list(node) for node in parts.nodes],
        "buffers": [buffer.hex() for buffer in parts.buffers],
    }


def written(kind: t.DataType, value: Any) -> Any:
    """A value as the fixtures write it."""
    if value is None:
        return None
    match kind.kind:
        case "int64" | "uint64" | "decimal128":
            return str(value)
        case "float16" | "float32" | "float64":
            if value != value:
                return "NaN"
            if value in (INFINITY, -INFINITY):
                return "Infinity" if value > 0 else "-Infinity"
            return "-0" if str(value) == "-0.0" else value
        case "binary":
            return value.hex()
        case "date32" | "date64":
            return value.isoformat()
        case "time32" | "time64" | "timestamp":
            write = writer(kind)
            return str(write(value) if write else value)
        case "list":
            return [written(kind.children[0].type, item) for item in value]
        case "struct":
            return {child.name: written(child.type, value[child.name]) for child in kind.children}
    return value


def columns() -> list[dict[str, Any]]:
    """The content of ``columns.json``."""
    cases = []
    for name, kind, nullable, values in COLUMNS:
        field = Field("value", kind, nullable)
        batch = Batch.from_columns(Schema(field), {"value": values})
        if kind.kind == "decimal128":
            values = batch["value"].to_list()  # With all digits of the scale.
        cases.append(
            {
                "name": name,
                "field": described(field),
                "values": [written(kind, value) for value in values],
                "batch": crossing(disassemble(batch)),
            }
        )
    return cases


def transforms() -> list[dict[str, Any]]:
    """The content of ``transform.json``."""
    cases = []
    for name, tag, ids in TRANSFORMS:
        batches = [Batch.from_rows(INPUT, [row(id) for id in batch]) for batch in ids]
        calls: list[dict[str, Any]] = []
        for call in Harness(Conformance, {"tag": tag}).run(INPUT, *batches).calls:
            if call.batch is None:
                calls.append({"reject": call.rows, "rule": call.rule, "message": call.message})
            else:
                calls.append({"emit": call.output, "origin": call.rows, "batch": crossing(call.batch)})
        cases.append(
            {
                "name": name,
                "config": {"tag": tag},
                "input": [described(field) for field in INPUT],
                "batches": [crossing(disassemble(batch)) for batch in batches],
                "calls": calls,
            }
        )
    return cases


def text_of(cases: list[dict[str, Any]]) -> str:
    """The file's text: one line for each part of a case, so that a change can be read."""
    lines = []
    for case in cases:
        parts = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in case.items()]
        lines.append("{\n" + ",\n".join(parts) + "\n}")
    return "[" + ",\n".join(lines) + "]\n"


FILES = {"columns.json": columns, "transform.json": transforms}

if __name__ == "__main__":
    for name, make in FILES.items():
        (HERE / name).write_text(text_of(make()), encoding="utf-8")
