import unittest

from weir_plugin import DataError, Field, Schema
from weir_plugin import types as t
from weir_plugin.testing import Harness

from {{module}} import {{Type}}, FoldedRow

INPUT = Schema.of(FoldedRow)


# The harness folds a second time in several instances, whose states are merged.
class Test{{Type}}(unittest.TestCase):
    def test_amounts_are_summed_by_site(self) -> None:
        rows = [
            FoldedRow("x", 1),
            FoldedRow("y", -2),
            FoldedRow("x", 3),
            FoldedRow(None, 4),
            FoldedRow("x", None),
            FoldedRow("", 5),
        ]
        self.assertEqual(
            Harness({{Type}}).fold(INPUT, rows).rows,
            [
                {"site": "", "count": 1, "total": 5},
                {"site": "x", "count": 2, "total": 4},
                {"site": "y", "count": 1, "total": -2},
            ],
        )

    def test_no_rows_have_no_sums(self) -> None:
        self.assertEqual(Harness({{Type}}).fold(INPUT).rows, [])

    def test_another_type_is_found_when_the_run_is_planned(self) -> None:
        with self.assertRaisesRegex(DataError, "column `amount` is utf8, not int64"):
            Harness({{Type}}).bind(Schema(Field("site", t.utf8), Field("amount", t.utf8)))


if __name__ == "__main__":
    unittest.main()
