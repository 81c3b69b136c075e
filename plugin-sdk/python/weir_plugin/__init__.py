"""What a Python author of a Weir plugin uses.

A plugin is a class. It takes and gives rows or columns; a row that it cannot take, it rejects with
a rule and a message. The same code is tested natively and runs as a WebAssembly component::

    from dataclasses import dataclass
    from decimal import Decimal, InvalidOperation

    from weir_plugin import Context, Field, Reject, RowTransform, Rule, Schema, setting, types as t

    BAD_AMOUNT = Rule("bad_amount", "An amount is a decimal with at most two digits after the point.")
    AMOUNT = t.decimal128(12, 2)


    class Claims(RowTransform):
        \"\"\"Types the raw claims table.\"\"\"

        name = "claims"
        rules = [BAD_AMOUNT]

        @dataclass
        class Config:
            amount: str = setting("The column that holds the amount paid.")

        def bind(self, context: Context) -> Schema:
            context.require([self.config.amount])
            return Schema(Field(self.config.amount, AMOUNT))

        def row(self, row, out):
            try:
                amount = Decimal(row[self.config.amount] or "")
            except InvalidOperation:
                raise Reject(BAD_AMOUNT)
            if not AMOUNT.fits(amount):
                raise Reject(BAD_AMOUNT)
            out.emit({self.config.amount: amount})

Map:

- :class:`RowTransform`, :class:`Transform`, :class:`RowCheck`, :class:`Check`, :class:`Decoder`,
  :class:`RowFold`, :class:`Fold`, :class:`Source`: what a plugin can be.
- :class:`Rule`, :class:`Output`, :class:`Context`: what it says of itself and is told.
- :class:`Schema`, :class:`Field`, :mod:`types`; :class:`Batch`, :class:`Column`: data.
- :class:`SideInputs`: small reference tables, handed to a plugin before its first batch.
- :class:`Reject` for a row; :class:`ConfigError`, :class:`DataError`, :class:`RetryError`,
  :class:`FatalError` for a call.
- :class:`log`, :func:`metric`, :func:`secret`: what the host offers. :mod:`weir_plugin.http`: requests of a source.
- :mod:`weir_plugin.testing`: runs a plugin natively. ``python -m weir_plugin build`` makes the
  component.
"""

from . import types
from .columns import Batch, Column
from .config import setting
from .errors import ConfigError, DataError, FatalError, PluginError, Reject, RetryError
from .fold import Fold, Result, RowFold
from .host import log, metric, secret
from .info import Context, Output, Rule, Run, SideInput
from .plugin import (
    Check,
    Decoder,
    Emitter,
    RowCheck,
    RowEmitter,
    Rows,
    RowTransform,
    Transform,
    Verdict,
)
from .side_inputs import SideInputs
from .source import Done, More, Page, Source, Stream
from .types import DataType, Field, Schema

__all__ = [
    "Batch",
    "Check",
    "Column",
    "ConfigError",
    "Context",
    "DataError",
    "DataType",
    "Decoder",
    "Done",
    "Emitter",
    "FatalError",
    "Field",
    "Fold",
    "More",
    "Output",
    "Page",
    "PluginError",
    "Reject",
    "Result",
    "RetryError",
    "RowCheck",
    "RowEmitter",
    "RowFold",
    "RowTransform",
    "Rows",
    "Rule",
    "Run",
    "Schema",
    "SideInput",
    "SideInputs",
    "Source",
    "Stream",
    "Transform",
    "Verdict",
    "log",
    "metric",
    "secret",
    "setting",
    "types",
]
