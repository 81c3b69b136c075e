"""Makes decimals of amounts that come as text."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from weir_plugin import ConfigError, Context, DataError, Reject, RowEmitter, RowTransform, Rule, Schema, setting
from weir_plugin import types as t

AMOUNT = t.decimal128(12, 2)
# As many digits as AMOUNT holds. `Decimal` alone would also take 1e5, 1_000 and NaN.
DIGITS = re.compile(r"[+-]?[0-9]{1,10}(\.[0-9]{1,2})?")

# Quarantine and reports group rows by the names of rules: keep them from version to version.
BAD_AMOUNT = Rule(
    "bad_amount", "An amount is a decimal with at most ten digits before and two after the point."
)
BELOW_MINIMUM = Rule("below_minimum", "An amount is not below the minimum of the configuration.")


@dataclass
class RawRow:
    """A row as it comes."""

    id: str | None
    amount: str | None


@dataclass
class TypedRow:
    """A row as it goes."""

    id: str | None
    amount: Annotated[Decimal, AMOUNT] | None


class {{Type}}(RowTransform):
    """Makes decimals of amounts that come as text."""

    name = "{{name}}"
    version = "0.1.0"
    columns = ["id", "amount"]  # Planning fails if the stage does not grant them.
    rules = [BAD_AMOUNT, BELOW_MINIMUM]
    Row = RawRow

    @dataclass
    class Config:
        minimum: str | None = setting("Amounts below it are rejected; a decimal, as text.", default=None)

        def __post_init__(self) -> None:
            if self.minimum is not None and not DIGITS.fullmatch(self.minimum):
                raise ConfigError('minimum must be a decimal as text, such as "0.00"')

    def bind(self, context: Context) -> Schema:
        # Called when a run is planned too: a column of another type is found before data moves.
        for column in Schema.of(RawRow):
            given = context.input[column.name].type
            if given != column.type:
                raise DataError(f"column `{column.name}` is {given}, not {column.type}")
        self.minimum = Decimal(self.config.minimum or "-Infinity")
        return Schema.of(TypedRow)

    def row(self, row: RawRow, out: RowEmitter) -> None:
        amount = decimal(row.amount)
        if amount is not None and amount < self.minimum:
            raise Reject(BELOW_MINIMUM)
        out.emit(TypedRow(row.id, amount))


def decimal(text: str | None) -> Decimal | None:
    # Without an argument `strip` would take off more than ASCII's blanks.
    text = (text or "").strip(" \t\n\r\f")
    if not text:
        return None
    if not DIGITS.fullmatch(text):
        raise Reject(BAD_AMOUNT)
    return Decimal(text)
