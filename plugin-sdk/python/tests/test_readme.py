"""The examples of the README that stand alone: they run as they are written."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path
from types import ModuleType

from weir_plugin import Batch, ConfigError, DataError, Schema
from weir_plugin.testing import Harness

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def examples(heading: str) -> ModuleType:
    """The Python of a section, as one module. Dataclasses look their types up there."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    module = sys.modules["readme"] = ModuleType("readme")
    exec(compile("\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL)), heading, "exec"), vars(module))
    return module


class Readme(unittest.TestCase):
    def tearDown(self) -> None:
        del sys.modules["readme"]

    def test_the_source_is_read_as_its_test_says(self) -> None:
        module = examples("Sources")
        self.assertEqual(module.read.states, ['{"last":1}', '{"last":1}'])

    def test_the_fold_sums(self) -> None:
        module = examples("Folds")
        rows = [{"site": "x", "amount": 1}, {"site": "y", "amount": 2}, {"site": "x", "amount": 3}]
        folded = Harness(module.Sums).fold(Schema.of(module.Amount), rows, rows[:1])
        self.assertEqual(folded.rows, [{"site": "x", "amount": 5}, {"site": "y", "amount": 2}])

    def test_the_side_input_is_read_as_its_test_says(self) -> None:
        module = examples("Side inputs")
        visits = Schema.of(module.Visit)
        self.assertRaisesRegex(ConfigError, "needs the side input `codes`", Harness(module.Codes).bind, visits)
        without = Harness(module.Codes, side_inputs={"codes": (Schema(), Batch(Schema(), [], 1))})
        self.assertRaisesRegex(DataError, "needs a column code", without.bind, visits)


if __name__ == "__main__":
    unittest.main()
