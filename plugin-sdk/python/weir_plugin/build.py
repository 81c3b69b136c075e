"""Makes a component of a plugin with ``componentize-py``."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import source as _source
from .config import json_schema
from .fold import Fold, RowFold
from .plugin import Check, Decoder, RowCheck, RowTransform, Transform
from .source import Source

#: For each kind of plugin: the world, the class that componentize-py looks for, and what makes it.
_WORLDS = (
    (Transform, "transform", "Transformer", "transformer"),
    (Check, "check", "Checker", "checker"),
    (Decoder, "decoder", "DecoderPlugin", "decoder_plugin"),
    (Source, "source", "SourcePlugin", "source_plugin"),
    (Fold, "fold", "Folder", "folder"),
)
_OWN = (Transform, RowTransform, Check, RowCheck, Decoder, Source, Fold, RowFold)

#: The version of componentize-py that the SDK is tested with.
COMPONENTIZE_PY = "0.25.1"


class BuildError(Exception):
    """Why no component could be made; its words say what to do."""


def build(source: Path, output: Path | None = None, plugin: str | None = None, secrets: bool = False) -> Path:
    """Builds the plugin class of the file ``source`` and returns where the component lies."""
    if not source.is_file():
        raise BuildError(f"there is no file {source}")
    if importlib.util.find_spec("componentize_py") is None:
        raise BuildError(f"componentize-py is missing\nhint: pip install componentize-py=={COMPONENTIZE_PY}")
    found = find_plugin(source, plugin)
    json_schema(found.Config)  # Says here what the component could not say when it is asked.
    if issubclass(found, Source):
        _source.check(found)
    world, exported, maker = next(entry[1:] for entry in _WORLDS if issubclass(found, entry[0]))
    http = world == "source" and makes_requests()
    output = output or source.with_suffix(".wasm")
    with tempfile.TemporaryDirectory() as folder:
        # componentize-py wants a module of its own that holds the exported class by name.
        entry = Path(folder) / "weir_component.py"
        entry.write_text(
            f"from weir_plugin import guest\n"
            f"from {source.stem} import {found.__name__}\n\n"
            f"{exported} = guest.{maker}({found.__name__})\n"
        )
        package = Path(__file__).parent
        command = [
            *[sys.executable, "-c", "import componentize_py as c, sys; sys.exit(c.script())", "--quiet"],
            *["--wit-path", str(package / "wit")],
            *(_http(package) if http else []),
            *["--world", f"weir:{'python' if http else 'plugin'}/{world}{'-with-secrets' if secrets else ''}"],
            *["componentize", "weir_component", "--output", str(output.resolve())],
            *["--python-path", folder],
            *["--python-path", str(source.parent.resolve())],
            *["--python-path", str(package.parent)],
        ]
        done = subprocess.run(command, stdout=sys.stderr)
    if done.returncode:
        raise BuildError(f"componentize-py ended with status {done.returncode}; its words stand above")
    return output


def makes_requests() -> bool:
    """Whether the plugin that was found imports ``weir_plugin.http``, which nothing here does by itself.

    A component that could make requests runs only where some are granted: so one that makes none must not ask.
    """
    return "weir_plugin.http" in sys.modules


def _http(package: Path) -> list[str]:
    """The arguments for worlds with `wasi:http`."""
    return [
        *["--wit-path", str(package / "wit_http")],
        # Both have an interface of this name.
        *["--import-interface-name", "weir:plugin/types@0.1.0=types"],
        *["--import-interface-name", "wasi:http/types@0.2.0=http_types"],
    ]


def find_plugin(source: Path, name: str | None = None) -> type[Any]:
    """The plugin class that a file defines."""
    if not source.stem.isidentifier() or source.stem in sys.stdlib_module_names:
        raise BuildError(
            f"`{source.stem}` cannot be imported by that name\n"
            "hint: call the file by letters, digits and underscores, and not like a module of Python's"
        )
    sys.path.insert(0, str(source.parent.resolve()))
    try:
        spec = importlib.util.spec_from_file_location(source.stem, source)
        if spec is None or spec.loader is None:
            raise BuildError(f"{source} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[source.stem] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    kinds = tuple(entry[0] for entry in _WORLDS)
    found = {
        known: value
        for known, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, kinds) and value not in _OWN
        and value.__module__ == source.stem
    }
    if name is not None:
        if name not in found:
            raise BuildError(f"{source} has no plugin class `{name}`; it has {', '.join(found) or 'none'}")
        found = {name: found[name]}
    if len(found) != 1:
        raise BuildError(
            f"{source} has {len(found)} plugin classes ({', '.join(found) or 'none'})\n"
            "hint: define one, or name it with --plugin"
        )
    only = next(iter(found.values()))
    if not only.name:
        raise BuildError(f"{only.__name__} has no `name`\nhint: set `name = \"…\"` in the class")
    return only
