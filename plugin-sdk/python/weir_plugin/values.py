"""What one value is in Python and in an Arrow buffer: exact both ways, or an error."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import cache

from .types import DataType

#: The `array` and `memoryview` formats of the fixed-width types.
FORMATS = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
    "date32": "i",
    "date64": "q",
    "time32": "i",
    "time64": "q",
    "timestamp": "q",
}

#: What an author has to give for a column of each type.
EXPECTED = {
    "boolean": "a bool",
    "int8": "an int from -128 to 127",
    "int16": "an int of 16 bits with sign",
    "int32": "an int of 32 bits with sign",
    "int64": "an int of 64 bits with sign",
    "uint8": "an int from 0 to 255",
    "uint16": "an int from 0 to 65535",
    "uint32": "an int of 32 bits from 0 up",
    "uint64": "an int of 64 bits from 0 up",
    "float16": "a float up to 65504",
    "float32": "a float",
    "float64": "a float",
    "utf8": "a str of whole characters",
    "binary": "bytes",
    "date32": "a datetime.date",
    "date64": "a datetime.date",
    "decimal128": "a Decimal or int of no more digits",
    "list": "a list",
    "struct": "a dict or dataclass with these fields and no others",
}

_EPOCH_ORDINAL = datetime.date(1970, 1, 1).toordinal()
_DAY_MILLISECONDS = 86_400_000
_PER_SECOND = {"second": 1, "millisecond": 1_000, "microsecond": 1_000_000}
#: Nothing is ever rounded, however many digits an author gives.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def expected(data_type: DataType) -> str:
    """What has to be given for a column of this type, in words."""
    if data_type.unit == "nanosecond":
        return "an int that counts nanoseconds"
    if data_type.kind in ("time32", "time64"):
        return f"a datetime.time without a zone, no finer than a {data_type.unit}"
    if data_type.kind == "timestamp":
        zone = "without a zone" if data_type.zone is None else "with a zone"
        return f"a datetime.datetime {zone}, no finer than a {data_type.unit}"
    return EXPECTED[data_type.kind]


def reader(data_type: DataType) -> Callable[[int], object] | None:
    """Turns what stands in the buffer into a value; none where they are the same.

    The function raises ``ValueError`` or ``OverflowError`` for what Python's type cannot hold.
    """
    match data_type.kind:
        case "date32":
            return lambda days: datetime.date.fromordinal(days + _EPOCH_ORDINAL)
        case "date64":
            return _date_from_milliseconds
        case "decimal128":
            scale = -data_type.scale
            return lambda unscaled: Decimal(unscaled).scaleb(scale, _EXACT)
    if data_type.unit not in _PER_SECOND:
        return None  # No time at all, or nanoseconds, which stay counts.
    factor = 1_000_000 // _PER_SECOND[data_type.unit]
    if data_type.kind == "timestamp":
        epoch = datetime.datetime(1970, 1, 1, tzinfo=None if data_type.zone is None else datetime.UTC)
        return lambda count: epoch + datetime.timedelta(microseconds=count * factor)
    return lambda count: _time_from_microseconds(count * factor)


@cache
def writer(data_type: DataType) -> Callable[[object], int] | None:
    """Turns a value into what stands in the buffer; none where they are the same.

    The function raises ``TypeError`` or ``ValueError`` for a value that does not fit exactly.
    """
    match data_type.kind:
        case "date32":
            return lambda value: _ordinal(value) - _EPOCH_ORDINAL
        case "date64":
            return lambda value: (_ordinal(value) - _EPOCH_ORDINAL) * _DAY_MILLISECONDS
        case "decimal128":
            return _decimal_writer(data_type.precision, data_type.scale)
    if data_type.unit not in _PER_SECOND:
        return None
    factor = 1_000_000 // _PER_SECOND[data_type.unit]
    if data_type.kind == "timestamp":
        return _timestamp_writer(factor, zoned=data_type.zone is not None)
    return lambda value: _whole(_microseconds_of_day(value), factor)


def _date_from_milliseconds(count: int) -> datetime.date:
    days, rest = divmod(count, _DAY_MILLISECONDS)
    if rest:
        raise ValueError("no whole number of days")
    return datetime.date.fromordinal(days + _EPOCH_ORDINAL)


def _time_from_microseconds(count: int) -> datetime.time:
    seconds, microsecond = divmod(count, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return datetime.time(hour, minute, second, microsecond)


def _ordinal(value: object) -> int:
    # A datetime is a date to Python; its time of day would be lost without a word.
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise TypeError
    return value.toordinal()


def _microseconds_of_day(value: object) -> int:
    if not isinstance(value, datetime.time) or value.tzinfo is not None:
        raise TypeError
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * 1_000_000 + value.microsecond


def _whole(count: int, factor: int) -> int:
    whole, rest = divmod(count, factor)
    if rest:
        raise ValueError("finer than the unit")
    return whole


def _timestamp_writer(factor: int, zoned: bool) -> Callable[[object], int]:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC if zoned else None)
    microsecond = datetime.timedelta(microseconds=1)

    def write(value: object) -> int:
        if not isinstance(value, datetime.datetime) or (value.tzinfo is not None) != zoned:
            raise TypeError
        return _whole((value - epoch) // microsecond, factor)

    return write


def _decimal_writer(precision: int, scale: int) -> Callable[[object], int]:
    limit = 10**precision

    def write(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (Decimal, int)):
            raise TypeError
        if not (value := Decimal(value)).is_finite():
            raise ValueError("not finite")
        # Before scaling, which would be slow for `Decimal("1e1000000")`.
        if value and not -400 < value.adjusted() < 200:
            raise ValueError("too large or too small")
        scaled = value.scaleb(scale, _EXACT)
        unscaled = int(scaled)
        if unscaled != scaled or abs(unscaled) >= limit:
            raise ValueError("more digits than the type has")
        return unscaled

    return write
