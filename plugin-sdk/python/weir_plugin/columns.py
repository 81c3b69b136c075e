"""Columns and batches: Arrow buffers, seen as lists of values, as memoryviews or as rows."""

from __future__ import annotations

import struct as _struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields as _dataclass_fields
from dataclasses import is_dataclass
from itertools import accumulate, chain, pairwise
from math import isinf
from operator import attrgetter, itemgetter
from typing import Any

from .errors import DataError, FatalError
from .types import DataType, Field, Schema
from .values import FORMATS, expected, reader, writer

if sys.byteorder != "little":
    raise ImportError("weir_plugin needs a little-endian machine: Arrow's buffers are little-endian")

#: The eight bits of each byte, the lowest first.
_BITS = tuple(tuple(bool(byte >> bit & 1) for bit in range(8)) for byte in range(256))

#: What goes wrong when a value does not fit a buffer.
_UNFIT = (TypeError, ValueError, OverflowError, AttributeError, KeyError, _struct.error)


class _Unfit(Exception):
    """A value that does not fit its column, in words."""


class Column:
    """One array: its values, and which of them are null.

    Made of values by :meth:`from_list`, of a buffer by :meth:`from_buffer`. A column never changes.
    """

    __slots__ = ("type", "length", "null_count", "validity", "buffers", "children")

    def __init__(
        self,
        data_type: DataType,
        length: int,
        null_count: int,
        validity: bytes,
        buffers: tuple[bytes, ...],
        children: tuple[Column, ...] = (),
    ) -> None:
        """For the wire. Plugins use the class methods."""
        self.type = data_type
        self.length = length
        self.null_count = null_count
        #: One bit a value, the lowest first, set where there is a value; empty if none is null.
        self.validity = validity
        #: The buffers of the Arrow format after the validity: the values; or offsets and data.
        self.buffers = buffers
        #: The items of a list, the fields of a struct.
        self.children = children

    @classmethod
    def from_list(cls, data_type: DataType, values: Sequence[object], name: str = "") -> Column:
        """A column of these values; ``None`` is null. ``name`` is for the error's words.

        Raises a :class:`FatalError` that names the first row whose value does not fit.
        """
        try:
            return _encode(data_type, values)
        except _Unfit:
            for row, value in enumerate(values):
                try:
                    _encode(data_type, [value])
                except _Unfit as why:
                    where = f"column `{name}`, row {row}" if name else f"row {row}"
                    raise FatalError(f"{where}: {why}") from None
            raise

    @classmethod
    def from_buffer(
        cls, data_type: DataType, values: Any, nulls: Iterable[int] = ()
    ) -> Column:
        """A column of fixed width from what has the buffer protocol: ``array``, ``bytes``,
        ``memoryview``. ``nulls`` are the rows that are null.

        Dates, times and moments are counts, as :attr:`values` shows them.
        """
        width, given = _width(data_type), memoryview(values)
        item = FORMATS.get(data_type.kind, "H" if data_type.kind == "float16" else "Q")
        fits_item = (given.itemsize, given.format in "efd") == (_struct.calcsize(item), item in "fd")
        if given.format != "B" and not fits_item:
            raise FatalError(f"{data_type} takes bytes or an array of `{item}`, not of `{given.format}`")
        buffer = bytes(given)
        length, rest = divmod(len(buffer), width)
        if rest:
            raise FatalError(f"{len(buffer)} bytes are no whole number of {data_type}")
        null_rows = set(nulls)
        if not null_rows:
            return cls(data_type, length, 0, b"", (buffer,))
        if not all(0 <= row < length for row in null_rows):
            raise FatalError(f"a null row lies outside of {length} rows")
        validity = _pack([row not in null_rows for row in range(length)])
        return cls(data_type, length, len(null_rows), validity, (buffer,))

    def __len__(self) -> int:
        return self.length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Column) and (
            (self.type, self.length, self.null_count, self.validity, self.buffers, self.children)
            == (other.type, other.length, other.null_count, other.validity, other.buffers, other.children)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Column({self.type}, {self.length} values, {self.null_count} null)"

    @property
    def values(self) -> memoryview:
        """The values of a fixed-width column, null or not, without a copy.

        Integers and floats as they are; dates, times and moments as counts; float16 as 16-bit
        patterns; decimals as pairs of 64-bit halves, the lower first; booleans as packed bytes.
        What stands in the place of a null means nothing.
        """
        kind = self.type.kind
        _width(self.type, booleans=True)
        if kind == "decimal128":
            return memoryview(self.buffers[0]).cast("Q")
        view: Any = memoryview(self.buffers[0])
        return view.cast(FORMATS.get(kind, "H" if kind == "float16" else "B"))

    @property
    def offsets(self) -> memoryview:
        """Of text, bytes and lists: where each value begins, and at the end where the last ends."""
        if self.type.kind not in ("utf8", "binary", "list"):
            raise FatalError(f"a column of {self.type} has no offsets")
        return memoryview(self.buffers[0]).cast("i")

    @property
    def data(self) -> bytes:
        """Of text and bytes: all values, one behind the other, as :attr:`offsets` cuts them."""
        if self.type.kind not in ("utf8", "binary"):
            raise FatalError(f"a column of {self.type} has no data; it has `values` or `children`")
        return self.buffers[1]

    @property
    def items(self) -> Column:
        """Of lists: all items, one list behind the other, as :attr:`offsets` cuts them."""
        if self.type.kind != "list":
            raise FatalError(f"a column of {self.type} has no items")
        return self.children[0]

    def field(self, name: str) -> Column:
        """Of structs: the column of one field."""
        for at, child in enumerate(self.type.children):
            if self.type.kind == "struct" and child.name == name:
                return self.children[at]
        raise FatalError(f"a column of {self.type} has no field `{name}`")

    def slice(self, begin: int, end: int) -> Column:
        """The rows from ``begin`` up to ``end``, as a copy; both are clipped as those of a list."""
        begin, end = _clipped(begin, end, self.length)
        valid = self.valid()[begin:end]
        nulls = valid.count(False)
        validity = _pack(valid) if nulls else b""
        kind, length = self.type.kind, end - begin
        buffers, children = self.buffers, self.children
        if kind in ("utf8", "binary", "list"):
            own = self.offsets[begin : end + 1].tolist()
            first, last = own[0], own[-1]
            buffers = (array("i", [offset - first for offset in own]).tobytes(),)
            if kind == "list":
                children = (self.children[0].slice(first, last),)
            else:
                buffers += (self.buffers[1][first:last],)
        elif kind == "struct":
            children = tuple(child.slice(begin, end) for child in self.children)
        elif kind == "boolean":
            buffers = (_pack(_unpack(self.buffers[0], self.length)[begin:end]),)
        else:
            width = _width(self.type)
            buffers = (self.buffers[0][begin * width : end * width],)
        return Column(self.type, length, nulls, validity, buffers, children)

    @classmethod
    def concat(cls, data_type: DataType, columns: Sequence[Column]) -> Column:
        """One column of the values of several, all of this type."""
        columns = [column for column in columns if column.length]
        if len(columns) == 1:
            return columns[0]
        nulls = sum([column.null_count for column in columns])
        validity = _pack(list(chain.from_iterable([column.valid() for column in columns]))) if nulls else b""
        kind = data_type.kind
        buffers: tuple[bytes, ...] = ()
        children: tuple[Column, ...] = ()
        if kind in ("utf8", "binary", "list"):
            lengths = [after - before for column in columns for before, after in pairwise(column.offsets.tolist())]
            buffers = (_offsets(lengths),)
            if kind != "list":
                buffers += (b"".join([column.buffers[1] for column in columns]),)
        elif kind == "boolean":
            flags = [_unpack(column.buffers[0], column.length) for column in columns]
            buffers = (_pack(list(chain.from_iterable(flags))),)
        elif kind != "struct":
            buffers = (b"".join([column.buffers[0] for column in columns]),)
        if kind in ("list", "struct"):
            children = tuple(
                cls.concat(child.type, [column.children[at] for column in columns])
                for at, child in enumerate(data_type.children)
            )
        return cls(data_type, sum(map(len, columns)), nulls, validity, buffers, children)

    def valid(self) -> list[bool]:
        """For each row whether there is a value."""
        return _unpack(self.validity, self.length) if self.null_count else [True] * self.length

    def null_rows(self) -> list[int]:
        """The rows that are null."""
        return [row for row, valid in enumerate(self.valid()) if not valid] if self.null_count else []

    def to_list(self, unreadable: list[int] | None = None) -> list[Any]:
        """The values, ``None`` for null.

        A date or moment outside of the years 1 to 9999, or a time past midnight, is no value in
        Python. Its row is added to ``unreadable`` and it reads as ``None``; without the argument it
        is a :class:`DataError`.
        """
        found: list[int] = []
        values = _decode(self, found)
        if unreadable is not None:
            unreadable.extend(found)
        elif found:
            raise DataError(
                f"row {min(found)}: a date or time that Python cannot hold; "
                "read the counts with `values`, or pass a list as `unreadable`"
            )
        return values


def _clipped(begin: int, end: int, length: int) -> tuple[int, int]:
    first, last, _ = slice(begin, end).indices(length)
    return first, max(first, last)


def _width(data_type: DataType, booleans: bool = False) -> int:
    """Bytes of one value of a fixed-width type."""
    kind = data_type.kind
    if kind in FORMATS:
        return array(FORMATS[kind]).itemsize
    if kind in ("float16", "decimal128"):
        return 2 if kind == "float16" else 16
    if kind == "boolean" and booleans:
        return 1
    raise FatalError(f"{data_type} has no values of fixed width; use lists of values")


def _pack(flags: Sequence[bool]) -> bytes:
    """Bits in bytes, the lowest first."""
    digits = "".join(["1" if flag else "0" for flag in reversed(flags)])
    return int(digits or "0", 2).to_bytes((len(flags) + 7) // 8, "little")


def _unpack(data: bytes, length: int) -> list[bool]:
    flags = list(chain.from_iterable(map(_BITS.__getitem__, data)))
    del flags[length:]
    return flags


# ---- to lists --------------------------------------------------------------------------------


def _decode(column: Column, unreadable: list[int]) -> list[Any]:
    inner: list[int] = []
    match column.type.kind:
        case "utf8" | "binary":
            values = _decode_bytes(column)
        case "list":
            items = _decode(column.children[0], inner)
            offsets = column.offsets.tolist()
            inner = sorted({bisect_right(offsets, item) - 1 for item in inner})
            values = [items[begin:end] for begin, end in pairwise(offsets)]
        case "struct":
            names = [child.name for child in column.type.children]
            fields = [_decode(child, inner) for child in column.children]
            values = [dict(zip(names, row)) for row in zip(*fields)]
        case _:
            values = _decode_fixed(column)
    if column.null_count:
        valid = column.valid()
        values = [value if there else None for value, there in zip(values, valid)]
        inner = [row for row in inner if valid[row]]  # What lies under a null means nothing.
    unreadable.extend(inner)
    if (read := reader(column.type)) is not None:
        return _read(values, read, unreadable)
    return values


def _read(values: list[Any], read: Any, unreadable: list[int]) -> list[Any]:
    try:
        return [None if value is None else read(value) for value in values]
    except (ValueError, OverflowError):
        pass
    result: list[Any] = []
    for row, value in enumerate(values):
        try:
            result.append(None if value is None else read(value))
        except (ValueError, OverflowError):
            unreadable.append(row)
            result.append(None)
    return result


def _decode_fixed(column: Column) -> list[Any]:
    kind, buffer = column.type.kind, column.buffers[0]
    if kind == "boolean":
        return _unpack(buffer, column.length)
    if kind == "float16":
        return list(_struct.unpack(f"<{column.length}e", buffer))
    if kind == "decimal128":
        halves = _struct.unpack("<" + "Qq" * column.length, buffer)
        return [low + (high << 64) for low, high in zip(halves[::2], halves[1::2])]
    return column.values.tolist()


def _decode_bytes(column: Column) -> list[Any]:
    offsets, data = column.offsets.tolist(), column.data
    if column.type.kind == "binary":
        return [data[begin:end] for begin, end in pairwise(offsets)]
    if data.isascii():
        # One conversion for all of them: a character is a byte.
        text = data.decode("ascii")
        return [text[begin:end] for begin, end in pairwise(offsets)]
    return [data[begin:end].decode() for begin, end in pairwise(offsets)]


# ---- from lists ------------------------------------------------------------------------------


def _encode(data_type: DataType, values: Sequence[Any]) -> Column:
    """A column in which ``None`` is null."""
    if None not in values:
        return _encode_valid(data_type, values, None)
    valid = [value is not None for value in values]
    column = _encode_valid(data_type, values, valid)
    column.validity = _pack(valid)
    column.null_count = len(valid) - sum(valid)
    return column


def fits(data_type: DataType, value: object) -> bool:
    """Whether a value can stand in a column of a type, exactly."""
    if value is None:
        return True
    try:
        if (write := writer(data_type)) is not None:
            write(value)  # Asked for each row: no column is made for it.
        else:
            _encode(data_type, [value])
    except (*_UNFIT, _Unfit):
        return False
    return True


def _encode_valid(data_type: DataType, values: Sequence[Any], valid: list[bool] | None) -> Column:
    """A column without nulls; where ``valid`` is false there is no value, and zero stands there."""
    encode = _ENCODERS.get(data_type.kind, _encode_fixed)
    try:
        buffers, children = encode(data_type, values, valid)
    except _UNFIT:
        raise _Unfit(_what_is_wrong(data_type, values)) from None
    return Column(data_type, len(values), 0, b"", buffers, children)


def _what_is_wrong(data_type: DataType, values: Sequence[Any]) -> str:
    # Only the last, most narrow attempt (one value) is shown. Types and names, never the value.
    kinds = ", ".join(sorted({type(value).__name__ for value in values if value is not None}))
    return f"a value of type {kinds} does not fit {data_type}; it takes {expected(data_type)}"


_Encoded = tuple[tuple[bytes, ...], tuple[Column, ...]]


def _encode_fixed(data_type: DataType, values: Sequence[Any], valid: list[bool] | None) -> _Encoded:
    if (write := writer(data_type)) is not None:
        values = [0 if value is None else write(value) for value in values]
    elif valid is not None:
        values = [0 if value is None else value for value in values]
    kind = data_type.kind
    if kind == "float16":
        return (_struct.pack(f"<{len(values)}e", *values),), ()
    if kind == "decimal128":
        return (b"".join([value.to_bytes(16, "little", signed=True) for value in values]),), ()
    if kind in ("float32", "float64") and not all([type(value) is float or type(value) is int for value in values]):
        raise TypeError
    made = array(FORMATS[kind], values)
    if kind == "float32" and sum(map(isinf, made)) != sum(map(isinf, values)):
        raise OverflowError
    return (made.tobytes(),), ()


def _encode_boolean(_: DataType, values: Sequence[Any], valid: list[bool] | None) -> _Encoded:
    if not all([value is True or value is False or value is None for value in values]):
        raise TypeError
    return (_pack(values),), ()


def _encode_utf8(_: DataType, values: Sequence[Any], valid: list[bool] | None) -> _Encoded:
    if valid is not None:
        values = ["" if value is None else value for value in values]
    text = "".join(values)
    if text.isascii():
        return (_offsets(map(len, values)), text.encode("ascii")), ()
    parts = [value.encode() for value in values]
    return (_offsets(map(len, parts)), b"".join(parts)), ()


def _encode_binary(_: DataType, values: Sequence[Any], valid: list[bool] | None) -> _Encoded:
    if valid is not None:
        values = [b"" if value is None else value for value in values]
    return (_offsets([len(memoryview(value).cast("B")) for value in values]), b"".join(values)), ()


def _encode_list(data_type: DataType, values: Sequence[Any], valid: list[bool] | None) -> _Encoded:
    if valid is not None:
        values = [() if value is None else value for value in values]
    if not all([isinstance(value, (list, tuple)) for value in values]):
        raise TypeError
    items = list(chain.from_iterable(values))
    return (_offsets(map(len, values)),), (_encode_child(data_type.children[0], items, None),)


def _encode_struct(data_type: DataType, values: Sequence[Any], valid: list[bool] | None) -> _Encoded:
    fields = data_type.children
    columns = _columns_of([child.name for child in fields], values)
    return (), tuple(_encode_child(child, column, valid) for child, column in zip(fields, columns))


def _encode_child(child: Field, values: Sequence[Any], valid: list[bool] | None) -> Column:
    """The column of a field. In a row where its parent is null it is null, or zero if it must not be."""
    if child.nullable or None not in values:
        return _encode(child.type, values)
    valid = valid or [True] * len(values)
    if any([value is None and there for value, there in zip(values, valid)]):
        raise _Unfit(f"null where `{child.name}` must not be null")
    return _encode_valid(child.type, values, valid)


def _offsets(lengths: Iterable[int]) -> bytes:
    return array("i", accumulate(lengths, initial=0)).tobytes()


_ENCODERS = {
    "boolean": _encode_boolean,
    "utf8": _encode_utf8,
    "binary": _encode_binary,
    "list": _encode_list,
    "struct": _encode_struct,
}


def _columns_of(names: list[str], rows: Sequence[Any]) -> list[list[Any]]:
    """The fields of rows, column by column. A row is a mapping, a dataclass, or ``None``."""
    if not rows:
        return [[] for _ in names]
    if len(names) == 1:
        from_mapping: Any = lambda row, get=itemgetter(names[0]): (get(row),)  # noqa: E731
        from_object: Any = lambda row, get=attrgetter(names[0]): (get(row),)  # noqa: E731
    else:
        from_mapping, from_object = itemgetter(*names), attrgetter(*names)
    absent = (None,) * len(names)
    count = len(names)
    tuples: list[tuple[Any, ...]] = []
    fitting: set[type] = set()
    for row in rows:
        if row is None:
            tuples.append(absent)
        elif type(row) in fitting:
            tuples.append(from_object(row))
        elif isinstance(row, Mapping):
            try:
                if len(row) == count:
                    tuples.append(from_mapping(row))
                    continue
            except KeyError:
                pass
            _check_known(names, row)
            tuples.append(tuple([row.get(name) for name in names]))
        elif is_dataclass(row):
            _check_known(names, [field.name for field in _dataclass_fields(row)])
            tuples.append(from_object(row))
            fitting.add(type(row))
        else:
            raise TypeError
    return [list(column) for column in zip(*tuples)]


def _check_known(names: list[str], given: Iterable[str]) -> None:
    for name in given:
        if name not in names:
            raise _Unfit(f"it has no field `{name}`; its fields are {', '.join(names)}")


# ---- batches ---------------------------------------------------------------------------------


class Batch:
    """Rows of one schema, as columns."""

    __slots__ = ("schema", "rows", "columns")

    def __init__(self, schema: Schema, columns: Sequence[Column], rows: int | None = None) -> None:
        """``rows`` is only needed where there is no column.

        Raises a :class:`FatalError` for columns of other types or lengths than the schema says.
        """
        if len(columns) != len(schema):
            raise FatalError(f"{len(columns)} columns where the schema has {len(schema)}")
        if rows is None:
            rows = len(columns[0]) if columns else 0
        for field, column in zip(schema, columns):
            if column.type != field.type:
                raise FatalError(f"column `{field.name}` is {column.type} where {field.type} was bound")
            if len(column) != rows:
                raise FatalError(f"column `{field.name}` has {len(column)} rows, the batch {rows}")
            if column.null_count and not field.nullable:
                row = column.null_rows()[0]
                raise FatalError(f"column `{field.name}`, row {row}: null where it must not be null")
        self.schema = schema
        self.rows = rows
        self.columns = list(columns)

    @classmethod
    def from_rows(cls, schema: Schema, rows: Sequence[Any]) -> Batch:
        """A batch of rows: dicts or dataclasses. A key that is left out is null.

        Raises a :class:`FatalError` that names column and row of the first value that does not fit.
        """
        try:
            columns = _columns_of(schema.names, rows)
        except _Unfit as why:
            raise FatalError(f"a row does not fit: {why}") from None
        except (TypeError, AttributeError):
            kinds = sorted({type(row).__name__ for row in rows})
            raise FatalError(f"rows are dicts or dataclasses with the fields bound, not {', '.join(kinds)}") from None
        return cls.from_columns(schema, dict(zip(schema.names, columns)), len(rows))

    @classmethod
    def from_columns(
        cls, schema: Schema, columns: Mapping[str, Column | Sequence[object]], rows: int | None = None
    ) -> Batch:
        """A batch of columns by name, each a :class:`Column` or a list of values."""
        missing = [name for name in schema.names if name not in columns]
        unknown = [name for name in columns if name not in schema]
        if missing or unknown:
            raise FatalError(
                f"columns {', '.join(columns) or 'none'} where the schema has {', '.join(schema.names) or 'none'}"
            )
        built = []
        for field in schema:
            column = columns[field.name]
            if not isinstance(column, Column):
                column = Column.from_list(field.type, column, field.name)
            built.append(column)
        return cls(schema, built, rows)

    @classmethod
    def concat(cls, schema: Schema, batches: Sequence[Batch]) -> Batch:
        """One batch of the rows of several, all of this schema."""
        columns = [
            Column.concat(field.type, [batch.columns[at] for batch in batches]) for at, field in enumerate(schema)
        ]
        return cls(schema, columns, sum(map(len, batches)))

    def __getitem__(self, name: str) -> Column:
        return self.columns[self.schema.position(name)]

    def __len__(self) -> int:
        return self.rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch) and (
            (self.schema, self.rows, self.columns) == (other.schema, other.rows, other.columns)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Batch({self.rows} rows of {self.schema!r})"

    def slice(self, begin: int, end: int) -> Batch:
        """The rows from ``begin`` up to ``end``, as a copy; both are clipped as those of a list."""
        begin, end = _clipped(begin, end, self.rows)
        return Batch(self.schema, [column.slice(begin, end) for column in self.columns], end - begin)

    def to_rows(self, unreadable: list[int] | None = None) -> list[dict[str, Any]]:
        """The rows as dicts; ``unreadable`` as in :meth:`Column.to_list`."""
        if not self.columns:
            return [{} for _ in range(self.rows)]
        names = self.schema.names
        columns = [column.to_list(unreadable) for column in self.columns]
        return [dict(zip(names, row)) for row in zip(*columns)]
