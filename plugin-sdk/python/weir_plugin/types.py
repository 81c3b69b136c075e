"""The data types that cross the sandbox boundary, fields and schemas.

::

    from weir_plugin import Field, Schema, types as t

    Schema(Field("id", t.int64, nullable=False), Field("paid", t.decimal128(12, 2)))

A value is, in Python: ``bool``, ``int``, ``float``, ``str``, ``bytes``, ``decimal.Decimal``,
``datetime.date``, ``datetime.time``, ``datetime.datetime``, a ``list``, a ``dict`` for a struct, or
``None``. Times and moments in nanoseconds are ``int``, since Python's own types end at microseconds.
"""

from __future__ import annotations

import datetime
import types as _python
import typing
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as _dataclass_fields
from typing import Annotated, Any, get_args, get_origin

from .errors import FatalError

#: The units of times and moments, coarsest first.
UNITS = ("second", "millisecond", "microsecond", "nanosecond")


@dataclass(frozen=True, slots=True)
class DataType:
    """One of the contract's types. Use the names and functions of this module to get one."""

    #: The name of the type in the contract, such as ``int64``.
    kind: str
    #: Of times and timestamps: one of :data:`UNITS`.
    unit: str | None = None
    #: Of timestamps: an IANA name or an offset. Without one they are wall-clock time.
    zone: str | None = None
    #: Of decimals: digits in all.
    precision: int = 0
    #: Of decimals: digits after the point.
    scale: int = 0
    #: Of a list its one item field, of a struct its fields.
    children: tuple[Field, ...] = ()

    def fits(self, value: object) -> bool:
        """Whether ``value`` can stand in a column of this type, exactly. ``None`` always fits."""
        from .columns import fits

        return fits(self, value)

    def __str__(self) -> str:
        match self.kind:
            case "decimal128":
                return f"decimal128({self.precision}, {self.scale})"
            case "timestamp" if self.zone is not None:
                return f"timestamp({self.unit}, {self.zone})"
            case "time32" | "time64" | "timestamp":
                return f"{self.kind}({self.unit})"
            case "list":
                return f"list<{self.children[0].type}>"
            case "struct":
                return f"struct<{', '.join(f'{child.name}: {child.type}' for child in self.children)}>"
        return self.kind


@dataclass(frozen=True, slots=True)
class Field:
    """One column, item of a list or field of a struct."""

    name: str
    type: DataType
    nullable: bool = True

    def __str__(self) -> str:
        return f"`{self.name}` {self.type}{'' if self.nullable else ' not null'}"


boolean = DataType("boolean")
int8 = DataType("int8")
int16 = DataType("int16")
int32 = DataType("int32")
int64 = DataType("int64")
uint8 = DataType("uint8")
uint16 = DataType("uint16")
uint32 = DataType("uint32")
uint64 = DataType("uint64")
float16 = DataType("float16")
float32 = DataType("float32")
float64 = DataType("float64")
utf8 = DataType("utf8")
binary = DataType("binary")
#: Days; in Python ``datetime.date``.
date32 = DataType("date32")
#: Whole days counted in milliseconds; in Python ``datetime.date``.
date64 = DataType("date64")


def time(unit: str = "microsecond") -> DataType:
    """A time of day: 32 bits for seconds and milliseconds, 64 for what is finer."""
    _check_unit(unit)
    return DataType("time32" if unit in ("second", "millisecond") else "time64", unit=unit)


def timestamp(unit: str = "microsecond", zone: str | None = None) -> DataType:
    """A moment. With a ``zone`` values are aware ``datetime`` in UTC, without one naive."""
    _check_unit(unit)
    return DataType("timestamp", unit=unit, zone=zone)


def decimal128(precision: int, scale: int) -> DataType:
    """An exact decimal of 1 to 38 digits, ``scale`` of them after the point."""
    if not 1 <= precision <= 38:
        raise FatalError(f"a decimal has 1 to 38 digits, not {precision}")
    if not -128 <= scale <= precision:
        raise FatalError(f"a decimal of {precision} digits has no scale of {scale}")
    return DataType("decimal128", precision=precision, scale=scale)


def list_of(item: DataType | Field) -> DataType:
    """A list; its items may be null unless a :class:`Field` says otherwise."""
    return DataType("list", children=(item if isinstance(item, Field) else Field("item", item),))


def struct(*children: Field) -> DataType:
    """A struct of at least one field, with names that differ."""
    if not children:
        raise FatalError("a struct needs at least one field")
    _check_names(children, "a struct")
    return DataType("struct", children=children)


def _check_unit(unit: str) -> None:
    if unit not in UNITS:
        raise FatalError(f"`{unit}` is no unit; it is one of {', '.join(UNITS)}")


def _check_names(children: tuple[Field, ...], of: str) -> None:
    seen: set[str] = set()
    for child in children:
        if child.name in seen:
            raise FatalError(f"{of} has two fields named `{child.name}`")
        seen.add(child.name)


class Schema:
    """The columns of a batch, in order."""

    __slots__ = ("columns", "_positions")

    def __init__(self, *columns: Field) -> None:
        _check_names(columns, "a schema")
        self.columns: tuple[Field, ...] = columns
        self._positions = {column.name: at for at, column in enumerate(columns)}

    @classmethod
    def of(cls, row: type) -> Schema:
        """The schema of a dataclass, one column for each field.

        ``str``, ``int``, ``float``, ``bool``, ``bytes``, ``date``, ``time``, ``datetime``,
        ``list[T]`` and dataclasses have a type of their own (``int64``, ``float64``, times in
        microseconds without a zone). Any other type is named in an annotation:
        ``Annotated[Decimal, t.decimal128(12, 2)]``. What may be null is ``T | None``.
        """
        return cls(*_fields_of(row))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    def position(self, name: str) -> int:
        """Where a column stands; a :class:`FatalError` lists the columns if it is not there."""
        try:
            return self._positions[name]
        except KeyError:
            raise FatalError(
                f"there is no column `{name}`; there are {', '.join(self.names) or 'none'}"
            ) from None

    def __getitem__(self, name: str) -> Field:
        return self.columns[self.position(name)]

    def __contains__(self, name: object) -> bool:
        return name in self._positions

    def __iter__(self) -> Iterator[Field]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.columns)

    def __repr__(self) -> str:
        return f"Schema({', '.join(map(str, self.columns))})"


_BY_PYTHON_TYPE: dict[object, DataType] = {
    bool: boolean,
    int: int64,
    float: float64,
    str: utf8,
    bytes: binary,
    datetime.date: date32,
    datetime.time: time(),
    datetime.datetime: timestamp(),
}


def _fields_of(row: type) -> list[Field]:
    if not is_dataclass(row):
        raise FatalError(f"{row!r} is no dataclass; put @dataclass above it")
    hints = typing.get_type_hints(row, include_extras=True)
    return [_field_of(f"{row.__name__}.{item.name}", item.name, hints[item.name]) for item in _dataclass_fields(row)]


def _field_of(where: str, name: str, hint: Any) -> Field:
    hint, nullable = without_none(hint)
    if get_origin(hint) is Annotated:
        nullable = nullable or without_none(get_args(hint)[0])[1]  # Annotated[X | None, type]
        for note in get_args(hint)[1:]:
            if isinstance(note, DataType):
                return Field(name, note, nullable)
        hint = without_none(get_args(hint)[0])[0]
    if hint in _BY_PYTHON_TYPE:
        return Field(name, _BY_PYTHON_TYPE[hint], nullable)
    if get_origin(hint) is list:
        return Field(name, list_of(_field_of(where, "item", get_args(hint)[0])), nullable)
    if is_dataclass(hint):
        return Field(name, struct(*_fields_of(hint)), nullable)  # type: ignore[arg-type]
    raise FatalError(
        f"{where} has the type {hint!r}, which says no column type; "
        "write Annotated[…, t.decimal128(12, 2)] or the like"
    )


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type without ``| None``, and whether it had it."""
    if get_origin(hint) in (typing.Union, _python.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        if len(rest) < len(get_args(hint)):
            return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), True
    return hint, False
