"""What the command asks of ``componentize-py``, by a stand-in that says what it was asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import weir_plugin

PACKAGE = Path(weir_plugin.__file__).parent

STAND_IN = """
import sys
from pathlib import Path

def script():
    given = sys.argv[1:]
    entry = Path(given[given.index("--python-path") + 1], "weir_component.py")
    Path(given[given.index("--output") + 1]).write_text("\\n".join([*given, entry.read_text()]))
"""

SOURCE = """
from weir_plugin import Done, Fold, Schema, Source, Transform
{more}

class One({kind}):
    name = "one"
    {body}
"""


class Builds(unittest.TestCase):
    def built(self, kind: str, more: str = "", body: str = "", *options: str) -> str:
        """What `componentize-py` is given for a plugin, or what the command says instead."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "componentize_py.py").write_text(STAND_IN)
            source = Path(folder, "one.py")
            source.write_text(SOURCE.format(kind=kind, more=more, body=body))
            environment = os.environ | {"PYTHONPATH": os.pathsep.join([folder, str(PACKAGE.parent)])}
            command = [sys.executable, "-m", "weir_plugin", "build", str(source), *options]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            component = source.with_suffix(".wasm")
            return component.read_text() if component.exists() else done.stderr

    def test_each_kind_has_its_world_and_class(self) -> None:
        for kind, world, entry in [
            ("Transform", "transform", "Transformer = guest.transformer(One)"),
            ("Source", "source", "SourcePlugin = guest.source_plugin(One)"),
            ("Fold", "fold", "Folder = guest.folder(One)"),
        ]:
            given = self.built(kind)
            self.assertIn(f"--world\nweir:plugin/{world}\n", given)
            self.assertIn(entry, given)
            self.assertNotIn("wit_http", given)
            self.assertIn(f"weir:plugin/{world}-with-secrets\n", self.built(kind, "", "", "--secrets"))

    def test_only_a_source_that_makes_requests_asks_for_them(self) -> None:
        for more in ("from weir_plugin import http", "import weir_plugin.http", "from weir_plugin.http import get"):
            given = self.built("Source", more)
            self.assertIn("--world\nweir:python/source\n", given)
            self.assertIn(f"--wit-path\n{PACKAGE / 'wit_http'}\n", given)
        given = self.built("Source", "from weir_plugin import http", "", "--secrets")
        self.assertIn("weir:python/source-with-secrets\n", given)
        self.assertIn("weir:plugin/transform\n", self.built("Transform", "from weir_plugin import http"))

    def test_a_state_that_json_does_not_have_is_found(self) -> None:
        self.assertIn("error: One.State has the type <class 'set'>", self.built("Source", "", "State = set"))

    def test_the_worlds_with_requests_are_those_of_the_contract(self) -> None:
        contract = (PACKAGE / "wit" / "worlds.wit").read_text(encoding="utf-8")
        http = (PACKAGE / "wit_http" / "http.wit").read_text(encoding="utf-8")
        version = re.match(r"package weir:plugin@(.*);", contract)
        assert version is not None
        for world in ("source", "source-with-secrets"):
            self.assertIn(f"include weir:plugin/{world}@{version[1]};", http)


if __name__ == "__main__":
    unittest.main()
