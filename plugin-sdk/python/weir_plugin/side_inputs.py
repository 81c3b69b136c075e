"""The small reference tables that a step hands to a plugin."""

from __future__ import annotations

from collections.abc import Sequence

from . import host as _host
from .columns import Batch
from .errors import FatalError
from .info import SideInput, lacking


class SideInputs:
    """The rows of the reference tables that the step hands to the plugin.

    They come when the first batch does, never while the run is planned: ``load`` is where a plugin makes of them what
    it looks up. All tables together have at most a quarter of the memory granted.
    """

    def __init__(self, tables: Sequence[SideInput]) -> None:
        self._tables = tables
        self._read: set[str] = set()

    def read(self, name: str) -> Batch:
        """All rows of one table, once; :meth:`to_rows <weir_plugin.Batch.to_rows>` gives them as dicts.

        Raises a :class:`ConfigError` if the step has no table of this name, a :class:`FatalError` if it has been read
        before.
        """
        for place, table in enumerate(self._tables):
            if table.name == name:
                break
        else:
            raise lacking(name)
        if name in self._read:
            raise FatalError(f"the side input `{name}` was read before: keep what you need of it")
        self._read.add(name)
        batches = []
        while (batch := _host.next_rows(place, table)) is not None:
            batches.append(batch)
        return Batch.concat(table.schema, batches)
