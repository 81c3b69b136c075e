"""What a plugin says of itself, is told, and promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import ConfigError, DataError
from .types import Schema


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason for which a plugin may reject or fail a row.

    ``name`` is short, in lower case with underscores, and stable across versions: quarantine and
    reports are grouped by it. ``description`` is one sentence that says what the rule demands.
    """

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Output:
    """A named output of a transform and the schema of every batch emitted to it."""

    name: str
    schema: Schema


#: The name of the output of a transform that has only one.
ONLY_OUTPUT = "out"


@dataclass(frozen=True, slots=True)
class Run:
    """Where in which pipeline the plugin runs.

    Nothing in it differs between two runs with the same parameters, so that output which depends
    on it stays reproducible.
    """

    pipeline: str = "test"
    step: str = "test"
    #: The run's parameters and their values as text.
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SideInput:
    """The name and schema of a small reference table that the step hands to the plugin.

    Its rows are read through :class:`SideInputs <weir_plugin.SideInputs>`.
    """

    #: Its name in the pipeline file.
    name: str
    schema: Schema


def lacking(name: str) -> ConfigError:
    """What is wrong where the step does not hand a table of this name."""
    return ConfigError(
        f'it needs the side input `{name}`: add side_inputs = {{ {name} = {{ table = "zone.table" }} }} '
        "beside the stage's `config`"
    )


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin is told when it is bound."""

    run: Run = field(default_factory=Run)
    #: The columns granted. Empty for a decoder.
    input: Schema = field(default_factory=Schema)
    #: The small reference tables that the step hands to the plugin.
    side_inputs: Sequence[SideInput] = ()

    def side_input(self, name: str) -> SideInput:
        """The reference table of this name; its rows come with ``load``.

        Raises a :class:`ConfigError` that says how the step hands it over.
        """
        for table in self.side_inputs:
            if table.name == name:
                return table
        raise lacking(name)

    def require(self, names: Iterable[str]) -> None:
        """Raises a :class:`DataError` that lists every name that is no column of the input."""
        there = [column.name for column in self.input]
        missing = [name for name in names if name not in there]
        if missing:
            raise DataError(
                f"the input lacks {', '.join(missing)}; it has {', '.join(there) or 'no columns'}; "
                "name the missing columns in the stage's `grant`"
            )
