"""Plugins that read rows from somewhere else, such as an API or a web site, page by page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, ClassVar

from . import config as _config
from .columns import Batch
from .errors import ConfigError, DataError, FatalError
from .info import Rule, Run
from .plugin import Emits, Plugin, check_rule
from .types import Schema

#: Longest state that the host keeps, in bytes.
MAX_STATE = 64 << 10


@dataclass(frozen=True)
class Stream:
    """A stream of rows that a source can read, such as a table or a kind of record."""

    #: Its name, by which the pipeline file addresses it.
    name: str
    #: The schema of its rows.
    schema: Schema
    #: The column by which it tells new rows, if there is one: for people.
    cursor: str | None = None
    #: The columns that identify a row; empty if that cannot be said.
    primary_key: Sequence[str] = ()
    #: Parts that may be read side by side, by names that stay the same from run to run. Empty: one part, whose name
    #: is empty.
    shards: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class More:
    """A page after which there is more. ``state`` is what :meth:`Source.open` takes to go on behind it."""

    state: Any


@dataclass(frozen=True, slots=True)
class Done:
    """A page after which there is nothing more for now. A later run begins with ``state``."""

    state: Any


class Source(Plugin):
    """Reads rows from somewhere else, such as an API or a web site, page by page.

    The host opens one shard of one stream, with the state that an earlier run left behind, and calls :meth:`read`
    until it says that it is done. A page counts whole or not at all: its rows are kept together with the state it
    returns. After a :class:`RetryError` the host waits, opens another instance with the state kept last, and reads on;
    any other error ends the run, and the next one goes on from there.

    It reaches what its step grants it, through :mod:`weir_plugin.http`.
    """

    #: How far a shard has been read: a dataclass of what JSON has, or another type that a setting may have. By default
    #: whatever JSON has. It is kept as JSON, at most 64 KiB, beside the rows: a secret has no business in it, and a
    #: later version of the plugin should still be able to read it.
    State: ClassVar[Any] = None

    #: Where it runs, set before ``discover`` and ``open`` are called.
    run: Run

    def discover(self) -> Sequence[Stream]:
        """The streams that can be read with this configuration. Called at plan time, and when a run begins.

        Raises a :class:`ConfigError` for a configuration that cannot be, a :class:`RetryError` if whoever is asked
        does not answer.
        """
        raise NotImplementedError

    def open(self, stream: Stream, shard: str, state: Any) -> None:
        """Makes ready to read one of the streams: from the beginning if ``state`` is ``None``, or behind it.

        Raises what :meth:`discover` does.
        """
        raise NotImplementedError

    def read(self, out: Page) -> More | Done:
        """Reads a page; emits and rejects through ``out``.

        Raises a :class:`RetryError` where it may work later; any other error ends the run. A record that forms no row
        is a rejection instead.
        """
        raise NotImplementedError


class Page(Emits):
    """Takes the rows of a page."""

    def __init__(
        self,
        schema: Schema,
        rules: Sequence[Rule],
        emit: Callable[[Batch], None],
        reject: Callable[[str, str, str], None],
    ) -> None:
        super().__init__(schema, emit)
        self._rules = {rule.name for rule in rules}
        self._reject = reject

    def reject(self, record: object, rule: Rule, message: str = "") -> None:
        """Rejects a record that forms no row.

        ``record`` is what of it a person should see in quarantine: text, or what becomes JSON.
        """
        check_rule(self._rules, rule)
        if not isinstance(record, str):
            record = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
        # JSON may have half a character, which does not cross.
        whole = record.encode(errors="replace").decode()
        self._reject(whole, rule.name, message or rule.description)


# ---- the one path on which a source is asked, in a component and in tests --------------------


def check(plugin: type[Source]) -> None:
    """Raises a :class:`FatalError` for a type of state that JSON does not have."""
    if plugin.State is not None:
        _config.check_type(plugin.State, f"{plugin.__name__}.State")


def discover(plugin: type[Source], config: str, run: Run) -> tuple[Source, list[Stream]]:
    """Makes a source, and the streams that it has."""
    made = plugin()
    made.config, made.run = _config.parse(plugin.Config, config), run
    streams = list(made.discover())
    if not all(isinstance(stream, Stream) for stream in streams):
        raise FatalError("`discover` returns a list of Stream")
    return made, streams


class OpenSource:
    """A source that reads one shard of a stream."""

    def __init__(self, plugin: type[Source], config: str, run: Run, stream: str, shard: str, state: str | None) -> None:
        self._plugin, streams = discover(plugin, config, run)
        found = next((known for known in streams if known.name == stream), None)
        if found is None:
            names = ", ".join(known.name for known in streams)
            raise ConfigError(f"there is no stream '{stream}'; the streams are {names}")
        self.schema = found.schema
        self._plugin.open(found, shard, None if state is None else _state_of(plugin, state))

    def read(self, emit: Callable[[Batch], None], reject: Callable[[str, str, str], None]) -> tuple[str, bool]:
        """Reads a page: the state behind it as JSON, and whether there is nothing more."""
        progress = self._plugin.read(Page(self.schema, type(self._plugin).all_rules(), emit, reject))
        if not isinstance(progress, (More, Done)):
            raise FatalError("`read` returns More(state) or Done(state)")
        return _text_of(progress.state), isinstance(progress, Done)


def _state_of(plugin: type[Source], text: str) -> Any:
    """A state of an earlier run."""
    try:
        state = json.loads(text)
        return state if plugin.State is None else _config.read(plugin.State, state, "the state")
    except ValueError as why:
        raise DataError(
            f"the state of an earlier run cannot be read ({why}); run the step with --full-refresh"
        ) from None


def _text_of(state: Any) -> str:
    """A state as it is kept."""
    try:
        plain = asdict(state) if is_dataclass(state) and not isinstance(state, type) else state
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        length = len(text.encode())
    except (TypeError, ValueError) as why:
        raise FatalError(f"its state is no JSON: {why}") from None
    if length > MAX_STATE:
        raise FatalError(f"a state of {length} bytes; at most {MAX_STATE} are kept")
    return text
