"""Plugins that make few rows of many: sums, statistics, models."""

from __future__ import annotations

from typing import Any

from .columns import Batch
from .errors import DataError, FatalError, PluginError
from .info import Context, Rule
from .plugin import Bindable, ByRow, Emits, only_schema, rows_of, unexpected
from .types import Schema


class Fold(Bindable):
    """Makes few rows of many: sums, statistics, models.

    Many instances fold side by side, each its part of the rows; one takes the states of all others and emits the
    result. Rows come in any order, and so do states, so that the result must not depend on it. ``rules`` stays empty,
    since a fold rejects nothing. Over rows instead of columns it is a :class:`RowFold`.

    After :meth:`bind` an instance is either given rows and asked for its :meth:`snapshot`, or given those of others and
    asked for the result.
    """

    @classmethod
    def bound_to(cls, answer: Any) -> Schema:
        """The schema of the result."""
        return only_schema("fold", answer)

    def bind(self, context: Context) -> Schema:
        """Begins with no rows, and says which schema the result has. Called at plan time too."""
        raise NotImplementedError

    def process(self, batch: Batch) -> None:
        """Takes a batch of the columns granted, of at most 8,192 rows, into the state."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """The state, as :meth:`merge` takes it; at most a quarter of the memory granted."""
        raise NotImplementedError

    def merge(self, snapshot: bytes) -> None:
        """Takes the state of another instance into this one's."""
        raise NotImplementedError

    def finish(self, out: Result) -> None:
        """All states are merged: emits the result."""
        raise NotImplementedError


class RowFold(ByRow, Fold):
    """A fold that takes one row at a time."""

    @classmethod
    def all_rules(cls) -> list[Rule]:
        """The rules it declares: none."""
        return list(cls.rules)

    def row(self, row: Any) -> None:
        """Takes a row into the state."""
        raise NotImplementedError

    def process(self, batch: Batch) -> None:
        """Calls :meth:`row` for each row."""
        at = 0
        try:
            for at, row in rows_of(self.Row, batch, _unreadable):
                self.row(row)
        except PluginError:
            raise
        except Exception as error:
            raise unexpected(error, f", at row {at} of the batch") from None


def _unreadable(rows: list[int], rule: Rule) -> None:
    """A fold has no way to reject a row."""
    raise DataError(f"row {rows[0]} of the batch has a date or time that Python cannot hold: {rule.description}")


class Result(Emits):
    """Takes the rows of the result."""


def snapshot_of(plugin: Fold) -> bytes:
    """The state of a fold."""
    state = plugin.snapshot()
    if not isinstance(state, bytes):
        raise FatalError(f"`snapshot` returns bytes, such as json.dumps(…).encode(), not {type(state).__name__}")
    return state
