"""``python -m weir_plugin build PLUGIN.py``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .build import BuildError, build
from .errors import PluginError


def main() -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser("python -m weir_plugin", description="Builds Weir plugins.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build", help="make a WebAssembly component of a plugin")
    command.add_argument("source", type=Path, help="the Python file that defines the plugin's class")
    command.add_argument("-o", "--output", type=Path, help="where to write [default: beside the source, .wasm]")
    command.add_argument("--plugin", help="the class, if the file defines several")
    command.add_argument("--secrets", action="store_true", help="the plugin asks for secrets")
    arguments = parser.parse_args()
    try:
        print(build(arguments.source, arguments.output, arguments.plugin, arguments.secrets))
    except (BuildError, PluginError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
