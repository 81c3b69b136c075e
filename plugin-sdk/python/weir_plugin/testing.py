"""Runs a plugin natively, under the contract's rules, without WebAssembly.

A :class:`Harness` takes the plugin through its whole life on the same path as in a component:
configuration read from JSON, batches carried over as buffers, everything emitted checked. It runs
every input a second time with other batch borders, and says so if the results differ. A source is
read once more from each of its states, a fold once more by several instances. ::

    outcome = Harness(Claims, {"amount": "paid"}).run(schema, [{"paid": "260.00"}, {"paid": "n/a"}])
    assert outcome.rejected("bad_amount") == [1]
    assert outcome.output("out") == [{"paid": Decimal("260.00")}]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from . import config as _config
from . import source as _source
from .columns import Batch
from .errors import ConfigError, FatalError
from .fold import Fold, Result, snapshot_of
from .host import connect
from .http import Request, Response
from .info import Context, Output, Run, SideInput
from .plugin import BATCH_ROWS, Bound, Check, Decoder, Emitter, Rows, Transform, Verdict
from .source import Source, Stream
from .types import Schema
from .wire import Parts, assemble, disassemble, flatten, unflatten


@dataclass(frozen=True)
class Rejection:
    """A row that was rejected or failed, counted over all batches."""

    row: int
    rule: str
    message: str


@dataclass(frozen=True)
class Call:
    """A call to the host as it crosses: a batch emitted, or rows rejected."""

    #: The rows rejected; of a batch the origins, if they were given. They count within the batch in process.
    rows: list[int] | None
    #: The batch emitted; ``None`` where rows were rejected.
    batch: Parts | None = None
    #: Where it was emitted to.
    output: int = 0
    rule: str = ""
    message: str = ""


@dataclass
class Recorded:
    """What a plugin asked of the host."""

    #: Level and message of each log line.
    logs: list[tuple[str, str]] = field(default_factory=list)
    #: The sum of each counter.
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass
class Outcome(Recorded):
    """What a transform or a check made of its input."""

    #: Input rows.
    rows: int = 0
    #: Every rejected or failed row, in order of batches.
    rejections: list[Rejection] = field(default_factory=list)
    #: Every call to the host, in order.
    calls: list[Call] = field(default_factory=list)
    _kept: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)

    def output(self, name: str = "out") -> list[dict[str, Any]]:
        """The rows of an output that are kept: emitted from a row that was not rejected."""
        if name not in self._kept:
            raise KeyError(f"no output `{name}`; there are {', '.join(self._kept) or 'none'}")
        refused = {rejection.row for rejection in self.rejections}
        kept = sorted(self._kept[name], key=itemgetter(0))
        return [row for origin, row in kept if origin not in refused]

    def rejected(self, rule: str) -> list[int]:
        """The rows rejected or failed under one rule."""
        return [rejection.row for rejection in self.rejections if rejection.rule == rule]

    def _settled(self) -> str:
        """What does not depend on where batches end."""
        rejections = sorted((item.row, item.rule, item.message) for item in self.rejections)
        return repr(({name: self.output(name) for name in self._kept}, rejections))

    def dropped(self) -> list[int]:
        """The rows from which nothing was emitted and which were not rejected."""
        seen = {rejection.row for rejection in self.rejections}
        seen.update(origin for kept in self._kept.values() for origin, _ in kept)
        return [row for row in range(self.rows) if row not in seen]


@dataclass
class Decoded(Recorded):
    """What a decoder made of a file."""

    #: The rows, in order.
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: Offset, length, rule and message of each part that formed no row.
    rejections: list[tuple[int, int, str, str]] = field(default_factory=list)


@dataclass
class Folded(Recorded):
    """What a fold made of its input."""

    #: The rows of the result, in order.
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What a test answers to a request."""

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()

    @classmethod
    def json(cls, value: Any, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        """200 with this JSON."""
        return cls(200, json.dumps(value).encode(), [("content-type", "application/json"), *headers])


@dataclass(frozen=True)
class RejectedRecord:
    """A record that formed no row."""

    #: What is shown of it.
    record: str
    rule: str
    message: str


@dataclass
class Read(Recorded):
    """What was read of one shard of a stream."""

    #: The rows, in order.
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: The records that formed no row, in order.
    rejections: list[RejectedRecord] = field(default_factory=list)
    #: The state behind each page, as JSON.
    states: list[str] = field(default_factory=list)
    #: The requests made, in order.
    requests: list[Request] = field(default_factory=list)
    _ends: list[tuple[int, int]] = field(default_factory=list)


#: Most pages that a harness reads before it says that the source does not end.
MOST_PAGES = 10_000

#: The parts among which a fold's rows are shared out.
PARTS = 3

#: How each kind of plugin is run.
_CALLS = (
    (Transform, "a transform", "run"),
    (Check, "a check", "run"),
    (Decoder, "a decoder", "decode"),
    (Source, "a source", "read"),
    (Fold, "a fold", "fold"),
)


class Harness:
    """How a plugin is to be run: its class, configuration, run context, and what the step hands to it.

    ``side_inputs`` has the schema and rows of each reference table by its name.
    """

    def __init__(
        self,
        plugin: type,
        config: Mapping[str, Any] | None = None,
        *,
        run: Run = Run(),
        side_inputs: Mapping[str, tuple[Schema, Sequence[Any] | Batch]] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._plugin: Any = plugin
        self._config = json.dumps(dict(config or {}))
        self._run = run
        self._side_inputs = {
            name: rows if isinstance(rows, Batch) else Batch.from_rows(schema, rows)
            for name, (schema, rows) in (side_inputs or {}).items()
        }
        self._secrets = dict(secrets or {})
        self._answer: Callable[[Request], Answer] | None = None

    def respond(self, answer: Callable[[Request], Answer]) -> Harness:
        """Answers the plugin's requests from now on; without, each is a :class:`ConfigError`. Returns itself."""
        self._answer = answer
        return self

    def bind(self, schema: Schema = Schema()) -> Any:
        """Binds a plugin as the planner does, and returns what its ``bind`` gives."""
        return self._bind(schema).answer

    def run(self, schema: Schema, *batches: Sequence[Any] | Batch) -> Outcome:
        """Runs a transform or a check from ``bind`` to ``finish`` over batches of rows."""
        self._is_run_with("run")
        made = [rows if isinstance(rows, Batch) else Batch.from_rows(schema, rows) for rows in batches]
        outcome = self._run_once(schema, made)
        again = self._run_once(schema, [part for batch in made for part in _parts(batch)])
        if outcome._settled() != again._settled():
            raise FatalError("what becomes of a row depends on where batches end")
        return outcome

    def decode(self, *chunks: bytes) -> Decoded:
        """Runs a decoder over one file that comes in these chunks."""
        self._is_run_with("decode")
        decoded = self._decode_once(chunks)
        again = self._decode_once([bytes([byte]) for byte in b"".join(chunks)])
        # As text, in which NaN is NaN.
        if repr((decoded.rows, decoded.rejections)) != repr((again.rows, again.rejections)):
            raise FatalError("what it decodes depends on where chunks end")
        return decoded

    def discover(self) -> list[Stream]:
        """The streams of a source."""
        self._is_run_with("read")
        before = connect(_Recorder(Recorded(), self._secrets, self._answer))
        try:
            streams = _source.discover(self._plugin, self._config, self._run)[1]
        finally:
            connect(before)
        _check_streams(streams)
        return streams

    def read(self, stream: str, shard: str = "") -> Read:
        """Reads a stream from the beginning to its end.

        Then again from every state that was returned, which must give the rows behind it: as a run that begins where
        another ended.
        """
        read = self._read_once(stream, shard, None)
        for state, (rows, rejections) in zip(read.states, read._ends):
            again = self._read_once(stream, shard, state)
            behind, refused = read.rows[rows:], read.rejections[rejections:]
            # As text, in which NaN is NaN.
            if repr((again.rows, again.rejections)) != repr((behind, refused)):
                raise FatalError(
                    f"a run that begins with the state {state} reads other rows than those behind it: "
                    f"{len(again.rows)} rows and {len(again.rejections)} rejections, "
                    f"not {len(behind)} and {len(refused)}"
                )
        return read

    def read_behind(self, stream: str, state: str, shard: str = "") -> Read:
        """Reads a stream behind a state, which is JSON, to its end."""
        return self._read_once(stream, shard, state)

    def fold(
        self,
        schema: Schema,
        *batches: Sequence[Any] | Batch,
        same: Callable[[list[dict[str, Any]], list[dict[str, Any]]], bool] | None = None,
    ) -> Folded:
        """Runs a fold over batches of rows, and gives its result.

        Then once more over single rows in several instances, whose states are merged. ``same`` says whether the rows
        of two results are the same, where they need not be equal: floating-point sums differ in their last digits.
        """
        self._is_run_with("fold")
        made = [rows if isinstance(rows, Batch) else Batch.from_rows(schema, rows) for rows in batches]
        folded = self._fold_parts(schema, [made])
        single = [batch.slice(row, row + 1) for batch in made for row in range(batch.rows)]
        merged = self._fold_parts(schema, [single[part::PARTS] for part in range(PARTS)])
        if not (same(folded.rows, merged.rows) if same else repr(folded.rows) == repr(merged.rows)):
            raise FatalError("its result depends on how rows are shared out among instances")
        return folded

    def _is_run_with(self, call: str) -> None:
        kind, wanted = next((kind, wanted) for known, kind, wanted in _CALLS if issubclass(self._plugin, known))
        if call != wanted:
            raise FatalError(f"{kind} is run with `{wanted}`")

    def _bind(self, schema: Schema) -> Bound:
        _config.json_schema(self._plugin.Config)
        if issubclass(self._plugin, Source):
            raise FatalError("a source has no `bind`; see which streams it has with `discover`")
        side_inputs = [SideInput(name, _crossed(rows.schema)) for name, rows in self._side_inputs.items()]
        context = Context(self._run, _crossed(schema), side_inputs)
        before = connect(_Recorder(Recorded(), self._secrets))
        try:
            bound = Bound(self._plugin, self._config, context)
            if Bound(self._plugin, self._config, context).answer != bound.answer:
                raise FatalError("`bind` gives different answers for the same arguments")
        finally:
            connect(before)
        return bound

    def _run_once(self, schema: Schema, batches: Sequence[Batch]) -> Outcome:
        bound = self._bind(schema)
        plugin, outputs = bound.plugin, bound.answer
        outcome = Outcome()
        if isinstance(plugin, Transform):
            outcome._kept = {output.name: [] for output in outputs}
        rules = type(plugin).all_rules()
        before = connect(_Recorder(outcome, self._secrets, side_inputs=self._side_inputs))
        try:
            for batch in batches:
                batch = assemble(schema, disassemble(batch))
                start = outcome.rows
                outcome.rows += batch.rows
                if isinstance(plugin, Transform):
                    out = Emitter(outputs, rules, batch.rows, _collect(outcome, outputs, start))
                    bound.loaded().process(batch, out)
                    reasons = out.rejected()
                else:
                    verdict = Verdict(rules, batch.rows)
                    bound.loaded().process(batch, verdict)
                    reasons = verdict.failed()
                for rows, rule, message in reasons:
                    outcome.calls.append(Call(rows, rule=rule, message=message))
                    outcome.rejections.extend(Rejection(start + row, rule, message) for row in rows)
            plugin.finish()
        finally:
            connect(before)
        return outcome

    def _decode_once(self, chunks: Sequence[bytes]) -> Decoded:
        bound = self._bind(Schema())
        schema = bound.answer
        decoded = Decoded()

        def emit(batch: Batch) -> None:
            decoded.rows.extend(assemble(schema, disassemble(batch)).to_rows())

        def reject(offset: int, length: int, rule: str, message: str) -> None:
            decoded.rejections.append((offset, length, rule, message))

        rows = Rows(schema, self._plugin.all_rules(), emit, reject)
        before = connect(_Recorder(decoded, self._secrets, side_inputs=self._side_inputs))
        try:
            for chunk in chunks:
                bound.loaded().decode(chunk, rows)
            bound.loaded().finish(rows)
        finally:
            connect(before)
        return decoded

    def _read_once(self, stream: str, shard: str, state: str | None) -> Read:
        self._is_run_with("read")
        _config.json_schema(self._plugin.Config)
        _source.check(self._plugin)
        read = Read()

        def reject(record: str, rule: str, message: str) -> None:
            read.rejections.append(RejectedRecord(record, rule, message))

        before = connect(_Recorder(read, self._secrets, self._answer, read.requests))
        try:
            reading = _source.OpenSource(self._plugin, self._config, self._run, stream, shard, state)
            schema = reading.schema

            def emit(batch: Batch) -> None:
                read.rows.extend(assemble(schema, disassemble(batch)).to_rows([]))

            done = False
            while not done:
                if len(read.states) == MOST_PAGES:
                    raise FatalError(f"{MOST_PAGES} pages were read, and it does not say that it is done")
                text, done = reading.read(emit, reject)
                read.states.append(text)
                read._ends.append((len(read.rows), len(read.rejections)))
        finally:
            connect(before)
        return read

    def _fold_parts(self, schema: Schema, parts: Sequence[Sequence[Batch]]) -> Folded:
        last = self._bind(schema)
        result = last.answer
        folded = Folded()

        def emit(batch: Batch) -> None:
            folded.rows.extend(assemble(result, disassemble(batch)).to_rows([]))

        instances = [self._bind(schema) for _ in parts]
        def asked(instance: int) -> Any:
            """The plugin of an instance, with a host of its own: every one is given all side inputs anew."""
            connect(hosts[instance])
            return (last if instance < 0 else instances[instance]).loaded()

        hosts = [_Recorder(folded, self._secrets, side_inputs=self._side_inputs) for _ in [*parts, last]]
        before = connect(hosts[-1])
        try:
            for instance, part in enumerate(parts):
                for batch in part:
                    asked(instance).process(assemble(schema, disassemble(batch)))
                state = snapshot_of(instances[instance].plugin)
                asked(-1).merge(state)
            asked(-1).finish(Result(result, emit))
        finally:
            connect(before)
        return folded


def _crossed(schema: Schema) -> Schema:
    """A schema as a component hands it out: the one that crossed, not the one that was given."""
    return unflatten(list(flatten(schema)))


def _check_streams(streams: Sequence[Stream]) -> None:
    """Raises a :class:`FatalError` for streams that the host would refuse."""
    names = [stream.name for stream in streams]
    for stream in streams:
        if names.count(stream.name) > 1:
            raise FatalError(f"two streams are named `{stream.name}`")
        if len(set(stream.shards)) < len(stream.shards):
            raise FatalError(f"stream `{stream.name}` names a shard twice")
        for column in [*stream.primary_key, *([stream.cursor] if stream.cursor is not None else [])]:
            if column not in stream.schema:
                raise FatalError(f"stream `{stream.name}` has no column `{column}`")


def _parts(batch: Batch) -> list[Batch]:
    """The same rows in batches that end elsewhere."""
    first = -(-batch.rows // 3)
    return [batch.slice(0, first), batch.slice(first, batch.rows)]


def _collect(outcome: Outcome, outputs: Sequence[Output], start: int) -> Any:
    def emit(output: int, batch: Batch, origin: list[int] | None) -> None:
        parts = disassemble(batch)
        outcome.calls.append(Call(origin, parts, output))
        rows = assemble(outputs[output].schema, parts).to_rows([])
        origins = range(len(rows)) if origin is None else origin
        kept = outcome._kept[outputs[output].name]
        kept.extend((start + row, values) for row, values in zip(origins, rows))

    return emit


class _Recorder:
    """A host that writes down what it is asked."""

    def __init__(
        self,
        recorded: Recorded,
        secrets: Mapping[str, str],
        answer: Callable[[Request], Answer] | None = None,
        requests: list[Request] | None = None,
        side_inputs: Mapping[str, Batch] | None = None,
    ) -> None:
        self._recorded = recorded
        self._secrets = secrets
        self._answer = answer
        self._requests = [] if requests is None else requests
        self._side_inputs = side_inputs or {}
        #: How many rows of each side input have been given.
        self._given: dict[str, int] = {}

    def log(self, level: str, message: str) -> None:
        self._recorded.logs.append((level, message))

    def metric(self, name: str, value: float) -> None:
        self._recorded.metrics[name] = self._recorded.metrics.get(name, 0.0) + value

    def secret(self, name: str) -> str | None:
        return self._secrets.get(name)

    def send(self, request: Request) -> Response:
        self._requests.append(request)
        if self._answer is None:
            raise ConfigError("no request is granted here: answer it in the test, with `Harness.respond`")
        answer = self._answer(request)
        headers = [(name.lower(), value) for name, value in answer.headers]
        return Response(answer.status, headers, iter([answer.body] if answer.body else []))

    def next_rows(self, place: int, table: SideInput) -> Batch | None:
        rows, begin = self._side_inputs[table.name], self._given.get(table.name, 0)
        if begin >= rows.rows:
            return None
        end = self._given[table.name] = begin + BATCH_ROWS
        return assemble(table.schema, disassemble(rows.slice(begin, end)))
