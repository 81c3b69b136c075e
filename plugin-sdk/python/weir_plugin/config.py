"""A plugin's configuration: a dataclass, read from JSON and described by a JSON Schema.

The state of a source is read in the same way.
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin

from .errors import ConfigError, FatalError
from .types import without_none

_JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass
class NoConfig:
    """The configuration of a plugin that has none."""


def setting(description: str, **options: Any) -> Any:
    """A field of a configuration dataclass, with a description for its JSON Schema.

    ``options`` are those of ``dataclasses.field``, such as ``default``.
    """
    return field(metadata={"description": description}, **options)


def json_schema(config: type) -> str:
    """The JSON Schema (2020-12) of a configuration dataclass."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": config.__name__}
    return json.dumps(schema | _object_schema(config), ensure_ascii=False, default=_plain)


def _plain(default: object) -> object:
    if is_dataclass(default) and not isinstance(default, type):
        return asdict(default)
    raise FatalError(f"a default of the configuration is of type {type(default).__name__}, which JSON does not have")


def parse(config: type, text: str) -> Any:
    """Reads a configuration; no text at all counts as ``{}``.

    Raises a :class:`ConfigError` that names every fault with its path.
    """
    try:
        value = json.loads(text if text.strip() else "{}")
    except ValueError as error:
        raise ConfigError(f"the configuration is no JSON: {error}") from None
    faults = _Faults()
    parsed = _read(config, value, "", faults)
    if faults:
        raise ConfigError("; ".join(faults))
    return parsed


def check_type(hint: Any, where: str) -> None:
    """Raises a :class:`FatalError` for a type that :func:`read` could not read."""
    _schema(hint, where)


def read(hint: Any, value: Any, what: str) -> Any:
    """Reads JSON as a value of a type. Keys that it does not have are passed over: a version that had them wrote it.

    Raises a ``ValueError`` that names every fault.
    """
    faults = _Faults(what=what, strict=False)
    made = _read(hint, value, "", faults)
    if faults:
        raise ValueError("; ".join(faults))
    return made


class _Faults(list[str]):
    """What is wrong with a value, so far."""

    def __init__(self, what: str = "the configuration", strict: bool = True) -> None:
        super().__init__()
        #: What is read, in words.
        self.what = what
        #: Whether a key that is not known is a fault.
        self.strict = strict


def _settings(config: type) -> list[tuple[Field[Any], Any]]:
    if not is_dataclass(config):
        raise FatalError(f"{config!r} is no dataclass; put @dataclass above it")
    hints = typing.get_type_hints(config)
    return [(item, hints[item.name]) for item in fields(config)]


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _object_schema(config: type) -> dict[str, Any]:
    properties = {}
    for item, hint in _settings(config):
        described = _schema(hint, f"{config.__name__}.{item.name}")
        if "description" in item.metadata:
            described["description"] = item.metadata["description"]
        if item.default is not MISSING:
            described["default"] = item.default
        properties[item.name] = described
    required = [item.name for item, _ in _settings(config) if _is_required(item)]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def _schema(hint: Any, where: str) -> dict[str, Any]:
    hint, nullable = without_none(hint)
    if nullable:
        return {"anyOf": [_schema(hint, where), {"type": "null"}]}
    if hint in _JSON_NAMES:
        return {"type": _JSON_NAMES[hint]}
    if is_dataclass(hint):
        return _object_schema(hint)  # type: ignore[arg-type]
    match get_origin(hint), get_args(hint):
        case (origin, (item,)) if origin is list:
            return {"type": "array", "items": _schema(item, where)}
        case (origin, (key, item)) if origin is dict and key is str:
            return {"type": "object", "additionalProperties": _schema(item, where)}
        case (origin, choices) if origin is Literal:
            return {"enum": list(choices)}
        case (types.UnionType | typing.Union, parts):
            return {"anyOf": [_schema(part, where) for part in parts]}
    raise FatalError(
        f"{where} has the type {hint!r}, which JSON does not have; use str, int, float, bool, "
        "list[…], dict[str, …], Literal[…], … | None or a dataclass"
    )


def _read(hint: Any, value: Any, path: str, faults: _Faults) -> Any:
    here = path or faults.what
    plain, nullable = without_none(hint)
    if nullable:
        return None if value is None else _read(plain, value, path, faults)
    if hint in _JSON_NAMES:
        if hint is float and type(value) is int:
            return float(value)
        if type(value) is not hint:
            faults.append(f"{here} must be {_article(_JSON_NAMES[hint])}")
        return value
    if is_dataclass(hint):
        return _read_object(hint, value, path, faults)  # type: ignore[arg-type]
    match get_origin(hint), get_args(hint):
        case (origin, (item,)) if origin is list:
            if isinstance(value, list):
                return [_read(item, part, f"{path}[{at}]", faults) for at, part in enumerate(value)]
            faults.append(f"{here} must be an array")
        case (origin, (_, item)) if origin is dict:
            if isinstance(value, dict):
                return {key: _read(item, part, _join(path, key), faults) for key, part in value.items()}
            faults.append(f"{here} must be an object")
        case (origin, choices) if origin is Literal:
            if not any(value == choice and type(value) is type(choice) for choice in choices):
                faults.append(f"{here} must be one of {', '.join(map(json.dumps, choices))}")
        case (_, parts):
            for part in parts:
                attempt = _Faults(faults.what, faults.strict)
                read = _read(part, value, path, attempt)
                if not attempt:
                    return read
            faults.append(f"{here} fits none of the types that it may have")
    return value


def _read_object(config: type, value: Any, path: str, faults: _Faults) -> Any:
    if not isinstance(value, dict):
        faults.append(f"{path or faults.what} must be an object")
        return None
    known = _settings(config)
    names = [item.name for item, _ in known]
    before = len(faults)
    for key in value:
        if key not in names and faults.strict:
            faults.append(f"unknown key `{_join(path, key)}`; there are {', '.join(names) or 'none'}")
    arguments = {}
    for item, hint in known:
        if item.name in value:
            arguments[item.name] = _read(hint, value[item.name], _join(path, item.name), faults)
        elif _is_required(item):
            faults.append(f"`{_join(path, item.name)}` is missing")
    if len(faults) > before:
        return None
    try:
        return config(**arguments)
    except (ValueError, ConfigError) as error:  # From `__post_init__`, where authors check more.
        faults.append(str(error))
        return None


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aio" else f"a {name}"
