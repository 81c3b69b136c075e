"""Why a plugin cannot go on, and why a row cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .info import Rule


class PluginError(Exception):
    """A call that could not be done. It ends the step.

    Raise one of the four subclasses: which one says who mends it. One row's problem is a
    :class:`Reject` instead. Messages carry names, counts and places, never values of the data.
    """


class ConfigError(PluginError):
    """The configuration does not fit; the pipeline's author mends it."""


class DataError(PluginError):
    """The input as a whole cannot be used, such as a column that is missing."""


class RetryError(PluginError):
    """It may work if tried again later."""


class FatalError(PluginError):
    """It will not work; the plugin's author mends it."""


class Reject(Exception):
    """Raised in :meth:`RowTransform.row <weir_plugin.RowTransform.row>`: rejects the row.

    What was emitted from the row before is withdrawn; the step's ``on_fail`` decides what becomes
    of it. The message stands in quarantine beside the row: say what is demanded, and leave the
    value out.
    """

    def __init__(self, rule: Rule, message: str = "") -> None:
        super().__init__(rule.name)
        self.rule = rule
        self.message = message or rule.description
