import unittest

from weir_plugin import DataError, Field, Schema
from weir_plugin import types as t
from weir_plugin.testing import Harness

from {{module}} import {{Type}}, JudgedRow


class Test{{Type}}(unittest.TestCase):
    def test_rows_that_break_a_rule_fail(self) -> None:
        rows = [
            JudgedRow("a", 1),
            JudgedRow("b", -1),
            JudgedRow(None, 0),
            JudgedRow("", -(2**63)),
            JudgedRow("c", None),
        ]
        outcome = Harness({{Type}}).run(Schema.of(JudgedRow), rows)
        self.assertEqual(outcome.rejected("negative_amount"), [1, 3])
        self.assertEqual(outcome.rejected("missing_id"), [2, 3])

    def test_another_type_is_found_when_the_run_is_planned(self) -> None:
        with self.assertRaisesRegex(DataError, "column `amount` is utf8, not int64"):
            Harness({{Type}}).bind(Schema(Field("id", t.utf8), Field("amount", t.utf8)))


if __name__ == "__main__":
    unittest.main()
