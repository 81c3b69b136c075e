"""Judges the ids and amounts of rows."""

from collections.abc import Callable
from dataclasses import dataclass

from weir_plugin import Context, DataError, RowCheck, Rule, Schema

# Quarantine and reports group rows by the names of rules: keep them from version to version.
NEGATIVE_AMOUNT = Rule("negative_amount", "An amount is not negative.")
MISSING_ID = Rule("missing_id", "Each row has an id.")


@dataclass
class JudgedRow:
    """What the check sees of a row."""

    id: str | None
    amount: int | None


class {{Type}}(RowCheck):
    """Judges the ids and amounts of rows."""

    name = "{{name}}"
    version = "0.1.0"
    columns = ["id", "amount"]  # Planning fails if the stage does not grant them.
    rules = [NEGATIVE_AMOUNT, MISSING_ID]
    Row = JudgedRow

    def bind(self, context: Context) -> None:
        # Called when a run is planned too: a column of another type is found before data moves.
        for column in Schema.of(JudgedRow):
            given = context.input[column.name].type
            if given != column.type:
                raise DataError(f"column `{column.name}` is {given}, not {column.type}")

    def row(self, row: JudgedRow, fail: Callable[[Rule], None]) -> None:
        # A row may break several rules.
        if row.amount is not None and row.amount < 0:
            fail(NEGATIVE_AMOUNT)
        if not row.id:
            fail(MISSING_ID)
