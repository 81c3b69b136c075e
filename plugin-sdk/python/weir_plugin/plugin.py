"""What a plugin can be: a transform, a check or a decoder, over batches or row by row.

A :class:`~weir_plugin.source.Source` and a :class:`~weir_plugin.fold.Fold` stand in modules of their own.
"""

from __future__ import annotations

import traceback
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from typing import Any, ClassVar

from . import config as _config
from .columns import Batch, Column
from .errors import FatalError, PluginError, Reject
from .host import log
from .info import ONLY_OUTPUT, Context, Output, Rule
from .side_inputs import SideInputs
from .types import Schema, without_none

#: Rows of text for a batch that a decoder emits. As large as those that the host sends.
BATCH_ROWS = 8_192

#: The rule under which row by row plugins reject what Python has no value for.
UNREADABLE = Rule("unreadable_date", "Dates and moments lie in the years 1 to 9999, times within a day.")


class Plugin:
    """What all plugins have. Set these in the class."""

    #: The plugin's name, in lower case with dashes.
    name: ClassVar[str] = ""
    #: The plugin's own version, in semver.
    version: ClassVar[str] = "0.1.0"
    #: One sentence that says what it does; by default the first line of the docstring.
    description: ClassVar[str] = ""
    #: The columns it wants to be granted; empty means: it depends on the configuration.
    columns: ClassVar[Sequence[str]] = ()
    #: Every rule it can raise. Raising another is an error.
    rules: ClassVar[Sequence[Rule]] = ()
    #: The dataclass of its configuration.
    Config: ClassVar[type] = _config.NoConfig

    #: The configuration, read from the pipeline file before ``bind`` is called.
    config: Any

    @classmethod
    def all_rules(cls) -> list[Rule]:
        """The rules it declares, and those that the SDK adds."""
        return list(cls.rules)

    @classmethod
    def describe_in_words(cls) -> str:
        """Its description."""
        return cls.description or (cls.__doc__ or "").strip().split("\n")[0]


class Bindable(Plugin):
    """What all plugins but sources have: they are bound, and take side inputs."""

    @classmethod
    def bound_to(cls, answer: Any) -> Any:
        """What ``bind`` answered, as the SDK goes on with it; a :class:`FatalError` if it cannot be."""
        return answer

    def load(self, side_inputs: SideInputs) -> None:
        """Takes the reference tables that the step hands to the plugin.

        Called once, before the first batch (of a decoder the first bytes of each file, of a fold the first batch or
        state), where there are rows; never while the run is planned.
        """


class Transform(Bindable):
    """Turns batches of one schema into batches of one or more others.

    Several copies may run side by side, each over a part of the input, and batch borders fall
    anywhere: what becomes of a row must depend on that row alone. Over rows instead of columns it
    is a :class:`RowTransform`.
    """

    @classmethod
    def bound_to(cls, answer: Any) -> list[Output]:
        """The outputs; one schema is the only output."""
        outputs = [Output(ONLY_OUTPUT, answer)] if isinstance(answer, Schema) else answer
        if not isinstance(outputs, list) or not all(isinstance(output, Output) for output in outputs):
            raise FatalError("`bind` of a transform returns a Schema or a list of Output")
        return outputs

    def bind(self, context: Context) -> Schema | list[Output]:
        """Says which outputs there are: one schema, or several named outputs.

        Called at plan time too, before data moves: the same configuration and context must give
        the same answer.
        """
        raise NotImplementedError

    def process(self, batch: Batch, out: Emitter) -> None:
        """Takes a batch of the columns granted, of at most 8,192 rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called once after the last batch. Emits nothing."""


class ByRow:
    """What plugins over one row at a time have in common."""

    #: A dataclass to read rows into; by default they are dicts.
    Row: ClassVar[type | None] = None

    rules: ClassVar[list[Rule]]

    @classmethod
    def all_rules(cls) -> list[Rule]:
        """The rules it declares, and the one for dates that Python cannot hold."""
        return [*cls.rules, UNREADABLE]


class RowTransform(ByRow, Transform):
    """A transform of one row at a time."""

    def row(self, row: Any, out: RowEmitter) -> None:
        """Takes a row: emits any number of rows to ``out``, or raises a :class:`Reject`."""
        raise NotImplementedError

    def process(self, batch: Batch, out: Emitter) -> None:
        """Calls :meth:`row` for each row."""
        emitted = RowEmitter(out.outputs)
        at = 0
        try:
            for at, row in rows_of(self.Row, batch, out.reject):
                emitted.begin(at)
                try:
                    self.row(row, emitted)
                except Reject as reason:
                    emitted.withdraw()
                    out.reject([at], reason.rule, reason.message)
        except PluginError:
            raise
        except Exception as error:
            raise unexpected(error, f", at row {at} of the batch") from None
        for index, (rows, origin) in enumerate(emitted.taken):
            if rows:
                out.emit(_batch_of(out.outputs[index], rows, origin), to=index, origin=origin)


class Check(Bindable):
    """Judges rows and changes nothing. Lives as a :class:`Transform` does."""

    def bind(self, context: Context) -> None:
        """Looks whether configuration and columns fit. Called at plan time too."""

    def process(self, batch: Batch, out: Verdict) -> None:
        """Takes a batch of the columns granted, of at most 8,192 rows; names bad rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called once after the last batch."""


class RowCheck(ByRow, Check):
    """A check of one row at a time."""

    def row(self, row: Any, fail: Callable[..., None]) -> None:
        """Takes a row; calls ``fail(RULE, message)`` for each rule that it breaks."""
        raise NotImplementedError

    def process(self, batch: Batch, out: Verdict) -> None:
        """Calls :meth:`row` for each row."""
        at = 0

        def fail(rule: Rule, message: str = "") -> None:
            out.fail([at], rule, message)

        try:
            for at, row in rows_of(self.Row, batch, out.fail):
                self.row(row, fail)
        except PluginError:
            raise
        except Exception as error:
            raise unexpected(error, f", at row {at} of the batch") from None


class Decoder(Bindable):
    """Turns the bytes of one file into rows.

    Bound for each file anew, given the file's bytes chunk by chunk, then finished. Chunk borders
    fall anywhere, even within a character: keep what is incomplete until the next chunk.
    """

    @classmethod
    def bound_to(cls, answer: Any) -> Schema:
        """The schema of the rows."""
        return only_schema("decoder", answer)

    def bind(self, context: Context) -> Schema:
        """Begins a file, and says which schema its rows have. Called at plan time too."""
        raise NotImplementedError

    def decode(self, chunk: bytes, out: Rows) -> None:
        """Takes the next bytes of the file."""
        raise NotImplementedError

    def finish(self, out: Rows) -> None:
        """The file has ended: emits what is left."""


class _Reasons:
    """Rows named one by one, handed over in few calls: one for each rule and message."""

    def __init__(self, rules: Sequence[Rule], batch_rows: int) -> None:
        self._rules = {rule.name for rule in rules}
        self._batch_rows = batch_rows
        self.groups: dict[tuple[str, str], list[int]] = {}

    def add(self, rows: Sequence[int], rule: Rule, message: str) -> None:
        check_rule(self._rules, rule)
        if not rows:
            return
        if not 0 <= min(rows) <= max(rows) < self._batch_rows:
            raise FatalError(f"rule `{rule.name}` names a row outside of a batch of {self._batch_rows} rows")
        self.groups.setdefault((rule.name, message or rule.description), []).extend(rows)


def check_rule(known: set[str], rule: Rule) -> None:
    """Raises a :class:`FatalError` for a rule that the plugin does not declare."""
    if rule.name not in known:
        raise FatalError(f"the rule `{rule.name}` is not among the plugin's `rules`; add it there")


class Emitter:
    """Takes what a transform makes of the batch in process."""

    def __init__(
        self,
        outputs: Sequence[Output],
        rules: Sequence[Rule],
        batch_rows: int,
        emit: Callable[[int, Batch, list[int] | None], None],
    ) -> None:
        self.outputs = outputs
        self._batch_rows = batch_rows
        self._emit = emit
        self._reasons = _Reasons(rules, batch_rows)

    def emit(
        self,
        batch: Batch | Mapping[str, Column | Sequence[object]],
        to: int | str = 0,
        origin: Sequence[int] | None = None,
    ) -> None:
        """Emits a :class:`Batch`, or columns by name, to an output.

        ``origin`` gives, for each emitted row, the row of the batch in process that it came from:
        the host traces and withdraws rows by it, and re-attaches the columns that were not
        granted. Without it there is one row out for each row in, in order; rejected rows stay in
        it as placeholders, which the host removes.
        """
        index = output_index(self.outputs, to)
        output = self.outputs[index]
        try:
            batch = _matched(output.schema, batch)
        except FatalError as error:
            raise FatalError(f"output `{output.name}`: {error}") from None
        if origin is None:
            if batch.rows != self._batch_rows:
                raise FatalError(
                    f"output `{output.name}`: {batch.rows} rows emitted for {self._batch_rows} read; "
                    "say with `origin` from which row each came"
                )
        elif len(origin) != batch.rows:
            raise FatalError(f"output `{output.name}`: {len(origin)} origins for {batch.rows} rows")
        elif batch.rows and not 0 <= min(origin) <= max(origin) < self._batch_rows:
            raise FatalError(f"output `{output.name}`: an origin outside of a batch of {self._batch_rows} rows")
        self._emit(index, batch, None if origin is None else list(origin))

    def reject(self, rows: Sequence[int], rule: Rule, message: str = "") -> None:
        """Rejects rows of the batch in process; none, if ``rows`` is empty.

        All that was or will be emitted from them is withdrawn, and the step's ``on_fail`` decides
        what becomes of them. Keep values out of the message.
        """
        self._reasons.add(rows, rule, message)

    def rejected(self) -> Iterator[tuple[list[int], str, str]]:
        """What was rejected: rows, rule and message, in the order in which each pair first came up."""
        for (rule, message), rows in self._reasons.groups.items():
            yield rows, rule, message


def _matched(schema: Schema, given: Batch | Mapping[str, Column | Sequence[object]]) -> Batch:
    """What an author emits, as a batch of the schema bound."""
    if not isinstance(given, Batch):
        return Batch.from_columns(schema, given)
    if given.schema is schema:
        return given
    if given.schema.names != schema.names:
        raise FatalError(f"{given.schema!r} emitted where {schema!r} was bound")
    return Batch(schema, given.columns, given.rows)


def output_index(outputs: Sequence[Output], to: int | str) -> int:
    """Where an output stands; a :class:`FatalError` lists the outputs if it is not there."""
    for index, output in enumerate(outputs):
        if to == index or to == output.name:
            return index
    names = ", ".join(output.name for output in outputs)
    raise FatalError(f"there is no output {to!r}; `bind` returned {names or 'none'}")


class RowEmitter:
    """Takes the rows that a :class:`RowTransform` makes of one row."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._indexes: dict[int | str, int] = {}
        self._at = 0
        #: For each output the rows and their origins.
        self.taken: list[tuple[list[Any], list[int]]] = [([], []) for _ in outputs]

    def emit(self, row: Any, to: int | str = 0) -> None:
        """Emits a row (a dict or a dataclass) to an output, by its name or place."""
        index = self._indexes.get(to)
        if index is None:
            index = self._indexes[to] = output_index(self._outputs, to)
        rows, origin = self.taken[index]
        rows.append(copy(row))  # The author may go on with the same one.
        origin.append(self._at)

    def begin(self, at: int) -> None:
        """What is emitted from now on comes from row ``at``."""
        self._at = at

    def withdraw(self) -> None:
        """Takes back what was emitted from the row."""
        for rows, origin in self.taken:
            while origin and origin[-1] == self._at:
                origin.pop()
                rows.pop()


class Verdict:
    """Takes what a check says of the batch in process."""

    def __init__(self, rules: Sequence[Rule], batch_rows: int) -> None:
        self._reasons = _Reasons(rules, batch_rows)

    def fail(self, rows: Sequence[int], rule: Rule, message: str = "") -> None:
        """Says that rows break ``rule``; none, if ``rows`` is empty. A row may break several.

        The step's ``on_fail`` decides what becomes of them. Keep values out of the message.
        """
        self._reasons.add(rows, rule, message)

    def failed(self) -> Iterator[tuple[list[int], str, str]]:
        """What failed: rows, rule and message, in the order in which each pair first came up."""
        for (rule, message), rows in self._reasons.groups.items():
            yield rows, rule, message


class Emits:
    """Takes rows of one schema that do not come from rows of a batch."""

    def __init__(self, schema: Schema, emit: Callable[[Batch], None]) -> None:
        #: The schema of the rows.
        self.schema = schema
        self._emit = emit

    def emit(self, rows: Batch | Mapping[str, Column | Sequence[object]] | Sequence[Any]) -> None:
        """Emits a :class:`Batch`, columns by name, or a list of rows; about 8,192 at a time serve best."""
        if isinstance(rows, (Batch, Mapping)):
            self._emit(_matched(self.schema, rows))
        else:
            for begin in range(0, len(rows), BATCH_ROWS):
                self._emit(Batch.from_rows(self.schema, rows[begin : begin + BATCH_ROWS]))


class Rows(Emits):
    """Takes what a decoder makes of a file."""

    def __init__(
        self,
        schema: Schema,
        rules: Sequence[Rule],
        emit: Callable[[Batch], None],
        reject: Callable[[int, int, str, str], None],
    ) -> None:
        super().__init__(schema, emit)
        self._rules = {rule.name for rule in rules}
        self._reject = reject

    def reject(self, offset: int, length: int, rule: Rule, message: str = "") -> None:
        """Rejects ``length`` bytes that begin ``offset`` bytes into the file: they form no row."""
        check_rule(self._rules, rule)
        self._reject(offset, length, rule.name, message or rule.description)


# ---- a bound plugin: the one path on which batches reach it, in a component and in tests -----


class Bound:
    """A plugin that is bound."""

    def __init__(self, plugin: type[Bindable], config: str, context: Context) -> None:
        made: Any = plugin()
        made.config = _config.parse(plugin.Config, config)
        if isinstance(made, ByRow) and made.Row is not None:
            context.require(row_names(made.Row))
        #: What its ``bind`` gave: outputs, nothing, or a schema.
        self.answer = plugin.bound_to(made.bind(context))
        #: The plugin itself, for calls that need no side inputs.
        self.plugin = made
        self.input = context.input
        self._side_inputs: SideInputs | None = SideInputs(context.side_inputs)

    def loaded(self) -> Any:
        """The plugin, after it has taken its side inputs."""
        side_inputs, self._side_inputs = self._side_inputs, None
        if side_inputs is not None:
            self.plugin.load(side_inputs)
        return self.plugin


def only_schema(kind: str, answer: Any) -> Schema:
    """What ``bind`` answered where it must be one schema."""
    if not isinstance(answer, Schema):
        raise FatalError(f"`bind` of a {kind} returns a Schema")
    return answer


def unexpected(error: Exception, place: str = "") -> FatalError:
    """What an exception that is no :class:`PluginError` becomes.

    Its own words, which may hold values of the data, go to the plugin's log and no further.
    """
    log.warn("".join(traceback.format_exception(error)))
    return FatalError(f"{type(error).__name__} {_where(error)}{place}; its words are in the plugin's log")


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    inner = [frame for frame in frames if "weir_plugin" not in frame.filename] or frames
    if not inner:
        return "in the plugin"
    name = inner[-1].filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"in {name}, line {inner[-1].lineno}"


def rows_of(
    row_type: Any, batch: Batch, refuse: Callable[[list[int], Rule], None]
) -> Iterator[tuple[int, Any]]:
    """The rows of a batch that Python can read, as dicts or as the plugin's dataclass."""
    found: list[int] = []
    if row_type is None:
        rows: Any = batch.to_rows(found)
    else:
        hints = typing.get_type_hints(row_type, include_extras=True)
        columns = []
        for name in row_names(row_type):
            values, make = batch[name].to_list(found), _maker(hints[name])
            columns.append(values if make is _same else [make(value) for value in values])
        rows = [row_type(*values) for values in zip(*columns)]
    if not found:
        return enumerate(rows)
    unreadable = set(found)
    refuse(sorted(unreadable), UNREADABLE)
    return ((at, row) for at, row in enumerate(rows) if at not in unreadable)


def _batch_of(output: Output, rows: list[Any], origin: list[int]) -> Batch:
    """A batch of emitted rows. The error names the row of the batch in process that they came from."""
    try:
        return Batch.from_rows(output.schema, rows)
    except FatalError:
        for at, row in zip(origin, rows):
            try:
                Batch.from_rows(output.schema, [row])
            except FatalError as error:
                raise FatalError(f"output `{output.name}`, from row {at} of the batch: {error}") from None
        raise


def row_names(row_type: Any) -> list[str]:
    """The names of the columns that a dataclass of rows needs."""
    return [item.name for item in dataclass_fields(row_type)]


def _maker(hint: Any) -> Callable[[Any], Any]:
    """Turns dicts into the dataclasses that a type asks for, however deep they stand."""
    hint, _ = without_none(hint)
    if typing.get_origin(hint) is typing.Annotated:
        return _maker(typing.get_args(hint)[0])
    if typing.get_origin(hint) is list:
        make = _maker(typing.get_args(hint)[0])
        if make is _same:
            return _same
        return lambda values: None if values is None else [make(value) for value in values]
    if not is_dataclass(hint):
        return _same
    hints = typing.get_type_hints(hint, include_extras=True)
    makers = [(name, _maker(hints[name])) for name in row_names(hint)]
    row_type: Any = hint

    def build(row: dict[str, Any] | None) -> Any:
        return None if row is None else row_type(*[make(row[name]) for name, make in makers])

    return build


def _same(value: Any) -> Any:
    return value
