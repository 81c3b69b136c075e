"""Counts and sums the amounts of each site."""

import json
from dataclasses import dataclass

from weir_plugin import Context, DataError, Result, RowFold, Schema


@dataclass
class FoldedRow:
    """What the fold sees of a row."""

    site: str | None
    amount: int | None


@dataclass
class SumOfSite:
    """A row of the result."""

    site: str
    count: int
    total: int


class {{Type}}(RowFold):
    """Counts and sums the amounts of each site."""

    name = "{{name}}"
    version = "0.1.0"
    columns = ["site", "amount"]  # Planning fails if the stage does not grant them.
    Row = FoldedRow

    def bind(self, context: Context) -> Schema:
        # Called when a run is planned too: a column of another type is found before data moves.
        for column in Schema.of(FoldedRow):
            given = context.input[column.name].type
            if given != column.type:
                raise DataError(f"column `{column.name}` is {given}, not {column.type}")
        # Of each site how many amounts, and their sum. Whole numbers: their sum is the same in whatever order rows come.
        self.sums: dict[str, tuple[int, int]] = {}
        return Schema.of(SumOfSite)

    def row(self, row: FoldedRow) -> None:
        if row.site is not None and row.amount is not None:
            self.add(row.site, 1, row.amount)

    # Several instances fold, each its part of the rows. The states of all are merged in one of them.
    def snapshot(self) -> bytes:
        return json.dumps(self.sums).encode()

    def merge(self, snapshot: bytes) -> None:
        for site, (count, total) in json.loads(snapshot).items():
            self.add(site, count, total)

    def finish(self, out: Result) -> None:
        out.emit([SumOfSite(site, count, total) for site, (count, total) in sorted(self.sums.items())])

    def add(self, site: str, count: int, total: int) -> None:
        before = self.sums.get(site, (0, 0))
        self.sums[site] = (before[0] + count, before[1] + total)
