"""The glue between a component's exports and a plugin. Imported in components only.

``componentize-py`` calls the methods of classes named like the exported interfaces, with the types
of its generated module ``wit_world``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import componentize_py_types as _results
from wit_world.imports import host as _host
from wit_world.imports import types as _wit

from . import config as _config
from . import fold as _fold
from . import plugin as _plugin
from . import source as _source
from . import types as _types
from .columns import Batch
from .errors import ConfigError, DataError, FatalError, PluginError, RetryError
from .host import connect
from .info import Context, Run, SideInput
from .types import DataType, Schema
from .wire import FlatField, Parts, assemble, disassemble, flatten, unflatten

try:
    from wit_world.imports import secrets as _secrets
except ImportError:  # Built without `--secrets`.
    _secrets = None

try:
    from wit_world.imports import side_inputs as _side_inputs
except ImportError:  # A source has none.
    _side_inputs = None

try:
    from .guest_http import send as _send
except ImportError:  # Built without HTTP: no source, or one that makes no requests.
    _send = None

_ERRORS = {
    ConfigError: _wit.Error_Config,
    DataError: _wit.Error_Data,
    RetryError: _wit.Error_Retry,
    FatalError: _wit.Error_Fatal,
}
_UNITS: dict[Any, Any] = dict(zip(_types.UNITS, _wit.TimeUnit))
_UNITS_BACK = {unit: name for name, unit in _UNITS.items()}
_LEVELS = {"debug": _host.Level.DEBUG, "info": _host.Level.INFO, "warn": _host.Level.WARN}


class _Component:
    """The host's imports."""

    def log(self, level: str, message: str) -> None:
        _host.log(_LEVELS[level], message)

    def metric(self, name: str, value: float) -> None:
        _host.metric(name, value)

    def secret(self, name: str) -> str | None:
        if _secrets is None:
            raise FatalError("the plugin asks for a secret, but was built without `--secrets`")
        return _secrets.get(name)

    def send(self, request: Any) -> Any:
        if _send is None:
            raise FatalError("only a source makes requests, and it imports weir_plugin.http where its module begins")
        return _send(request)

    def next_rows(self, place: int, table: SideInput) -> Batch | None:
        if _side_inputs is None:
            raise FatalError("a source is handed no side inputs")
        batch = _side_inputs.next(place)
        return None if batch is None else _batch_from_wit(table.schema, batch)


connect(_Component())


def _answer(call: Callable[[], Any]) -> Any:
    """Calls the plugin; its errors become those of the contract."""
    try:
        return call()
    except PluginError as error:
        fault = error
    except Exception as error:
        fault = _plugin.unexpected(error)
    kind = next(wit for known, wit in _ERRORS.items() if isinstance(fault, known) or known is FatalError)
    raise _results.Err(kind(str(fault)))


def _info(plugin: Any) -> _wit.Info:
    return _wit.Info(
        plugin.name,
        plugin.version,
        plugin.describe_in_words(),
        _config.json_schema(plugin.Config),
        list(plugin.columns),
        [_wit.Rule(rule.name, rule.description) for rule in plugin.all_rules()],
    )


def _type_to_wit(data_type: DataType) -> Any:
    name = "DataType_" + data_type.kind.capitalize()
    match data_type.kind:
        case "time32" | "time64":
            return getattr(_wit, name)(_UNITS[data_type.unit])
        case "timestamp":
            return _wit.DataType_Timestamp(_wit.TimestampType(_UNITS[data_type.unit], data_type.zone))
        case "decimal128":
            return _wit.DataType_Decimal128(_wit.DecimalType(data_type.precision, data_type.scale))
    return getattr(_wit, name)()


def _type_from_wit(data_type: Any) -> DataType:
    kind = type(data_type).__name__.removeprefix("DataType_").lower()
    match kind:
        case "time32" | "time64":
            return DataType(kind, unit=_UNITS_BACK[data_type.value])
        case "timestamp":
            return DataType(kind, unit=_UNITS_BACK[data_type.value.unit], zone=data_type.value.zone)
        case "decimal128":
            return DataType(kind, precision=data_type.value.precision, scale=data_type.value.scale)
    return DataType(kind)


def _schema_to_wit(schema: Schema) -> list[Any]:
    return [
        _wit.Field(field.name, _type_to_wit(field.type), field.nullable, field.children)
        for field in flatten(schema)
    ]


def _schema_from_wit(fields: list[Any]) -> Schema:
    return unflatten(
        [FlatField(field.name, _type_from_wit(field.data_type), field.nullable, field.children) for field in fields]
    )


def _run(run: Any) -> Run:
    return Run(run.pipeline, run.step, {parameter.name: parameter.value for parameter in run.parameters})


def _context(run: Any, fields: list[Any], side_inputs: list[Any]) -> Context:
    return Context(
        _run(run),
        _schema_from_wit(fields),
        [SideInput(side.name, _schema_from_wit(side.schema)) for side in side_inputs],
    )


def _batch_to_wit(batch: Batch) -> Any:
    parts = disassemble(batch)
    return _wit.Batch(parts.rows, [_wit.Node(*node) for node in parts.nodes], parts.buffers)


def _batch_from_wit(schema: Schema, batch: Any) -> Batch:
    nodes = [(node.length, node.null_count) for node in batch.nodes]
    return assemble(schema, Parts(batch.rows, nodes, batch.buffers))


class _Instance:
    """The one plugin of a component."""

    def __init__(self, plugin: type[_plugin.Bindable]) -> None:
        self.type = plugin
        self._bound: _plugin.Bound | None = None

    def bind(self, config: str, context: Context) -> Any:
        self._bound = _plugin.Bound(self.type, config, context)
        return self._bound.answer

    @property
    def bound(self) -> _plugin.Bound:
        if self._bound is None:
            raise FatalError("the host did not bind the plugin")
        return self._bound


def transformer(plugin: type[_plugin.Transform]) -> type:
    """The class ``Transformer`` of a component that exports ``plugin``."""
    from wit_world.imports import emitting

    instance = _Instance(plugin)
    rules = plugin.all_rules()

    class Transformer:
        def describe(self) -> Any:
            return _info(plugin)

        def bind(self, config: str, run: Any, input: list[Any], side_inputs: list[Any]) -> list[Any]:
            def call() -> list[Any]:
                outputs = instance.bind(config, _context(run, input, side_inputs))
                return [_wit.Output(output.name, _schema_to_wit(output.schema)) for output in outputs]

            return _answer(call)

        def process(self, rows: Any) -> None:
            def emit(output: int, batch: Batch, origin: list[int] | None) -> None:
                emitting.emit(output, _batch_to_wit(batch), origin)

            def call() -> None:
                out = _plugin.Emitter(instance.bound.answer, rules, rows.rows, emit)
                instance.bound.loaded().process(_batch_from_wit(instance.bound.input, rows), out)
                for rejected, rule, message in out.rejected():
                    emitting.reject(rejected, rule, message)

            _answer(call)

        def finish(self) -> None:
            _answer(lambda: instance.bound.plugin.finish())

    return Transformer


def checker(plugin: type[_plugin.Check]) -> type:
    """The class ``Checker`` of a component that exports ``plugin``."""
    from wit_world.imports import judging

    instance = _Instance(plugin)
    rules = plugin.all_rules()

    class Checker:
        def describe(self) -> Any:
            return _info(plugin)

        def bind(self, config: str, run: Any, input: list[Any], side_inputs: list[Any]) -> None:
            _answer(lambda: instance.bind(config, _context(run, input, side_inputs)))

        def process(self, rows: Any) -> None:
            def call() -> None:
                out = _plugin.Verdict(rules, rows.rows)
                instance.bound.loaded().process(_batch_from_wit(instance.bound.input, rows), out)
                for failed, rule, message in out.failed():
                    judging.fail(failed, rule, message)

            _answer(call)

        def finish(self) -> None:
            _answer(lambda: instance.bound.plugin.finish())

    return Checker


def decoder_plugin(plugin: type[_plugin.Decoder]) -> type:
    """The class ``DecoderPlugin`` of a component that exports ``plugin``."""
    from wit_world.imports import decoding

    instance = _Instance(plugin)
    rules = plugin.all_rules()

    def rows() -> _plugin.Rows:
        return _plugin.Rows(
            instance.bound.answer, rules, lambda batch: decoding.emit(_batch_to_wit(batch)), decoding.reject
        )

    class DecoderPlugin:
        def describe(self) -> Any:
            return _info(plugin)

        def bind(self, config: str, run: Any, side_inputs: list[Any]) -> list[Any]:
            return _answer(lambda: _schema_to_wit(instance.bind(config, _context(run, [], side_inputs))))

        def decode(self, bytes: bytes) -> None:
            _answer(lambda: instance.bound.loaded().decode(bytes, rows()))

        def finish(self) -> None:
            _answer(lambda: instance.bound.loaded().finish(rows()))

    return DecoderPlugin


def source_plugin(plugin: type[_source.Source]) -> type:
    """The class ``SourcePlugin`` of a component that exports ``plugin``."""
    from wit_world.imports import sourcing

    reading: list[_source.OpenSource] = []

    class SourcePlugin:
        def describe(self) -> Any:
            return _info(plugin)

        def discover(self, config: str, run: Any) -> list[Any]:
            def call() -> list[Any]:
                _, streams = _source.discover(plugin, config, _run(run))
                return [
                    _wit.StreamInfo(
                        stream.name,
                        _schema_to_wit(stream.schema),
                        stream.cursor,
                        list(stream.primary_key),
                        list(stream.shards),
                    )
                    for stream in streams
                ]

            return _answer(call)

        def open(self, config: str, run: Any, stream: str, shard: str, state: str | None) -> list[Any]:
            def call() -> list[Any]:
                reading[:] = [_source.OpenSource(plugin, config, _run(run), stream, shard, state)]
                return _schema_to_wit(reading[0].schema)

            return _answer(call)

        def read(self) -> Any:
            def call() -> Any:
                state, done = reading[0].read(lambda batch: sourcing.emit(_batch_to_wit(batch)), sourcing.reject)
                return _wit.Page(state, done)

            return _answer(call)

    return SourcePlugin


def folder(plugin: type[_fold.Fold]) -> type:
    """The class ``Folder`` of a component that exports ``plugin``."""
    from wit_world.imports import folding

    instance = _Instance(plugin)

    class Folder:
        def describe(self) -> Any:
            return _info(plugin)

        def bind(self, config: str, run: Any, input: list[Any], side_inputs: list[Any]) -> list[Any]:
            return _answer(lambda: _schema_to_wit(instance.bind(config, _context(run, input, side_inputs))))

        def process(self, rows: Any) -> None:
            _answer(lambda: instance.bound.loaded().process(_batch_from_wit(instance.bound.input, rows)))

        def snapshot(self) -> bytes:
            return _answer(lambda: _fold.snapshot_of(instance.bound.plugin))

        def merge(self, snapshot: bytes) -> None:
            _answer(lambda: instance.bound.loaded().merge(snapshot))

        def finish(self) -> None:
            def call() -> None:
                out = _fold.Result(instance.bound.answer, lambda batch: folding.emit(_batch_to_wit(batch)))
                instance.bound.loaded().finish(out)

            _answer(call)

    return Folder
