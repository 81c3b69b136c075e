import unittest
from decimal import Decimal

from weir_plugin import ConfigError, DataError, Field, Schema
from weir_plugin import types as t
from weir_plugin.testing import Harness, Outcome

from {{module}} import {{Type}}, RawRow

INPUT = Schema.of(RawRow)


def run(*amounts: str | None, **config: str) -> Outcome:
    """What the plugin makes of rows with these amounts."""
    return Harness({{Type}}, config).run(INPUT, [{"id": "a", "amount": amount} for amount in amounts])


class Test{{Type}}(unittest.TestCase):
    def test_amounts_become_decimals(self) -> None:
        outcome = run("12.5", " -3\t", "+0.07", "9999999999.99")
        self.assertEqual(
            [row["amount"] for row in outcome.output()],
            [Decimal("12.50"), Decimal("-3.00"), Decimal("0.07"), Decimal("9999999999.99")],
        )
        self.assertEqual(outcome.output()[0]["id"], "a")

    def test_null_and_blank_become_null(self) -> None:
        outcome = run(None, "", " \n", minimum="1")
        self.assertEqual([row["amount"] for row in outcome.output()], [None, None, None])

    def test_what_is_no_amount_is_rejected(self) -> None:
        amounts = ["n/a", "1e5", "NaN", "1_000", "1,5", "1.", ".5", "1.234", "12345678901", "\u00a01", "\u0661"]
        outcome = run(*amounts)
        self.assertEqual(outcome.rejected("bad_amount"), list(range(len(amounts))))
        self.assertEqual(outcome.output(), [])

    def test_amounts_below_the_minimum_are_rejected(self) -> None:
        self.assertEqual(run("0.49", "0.5", "-1", minimum="0.50").rejected("below_minimum"), [0, 2])

    def test_the_configuration_is_checked(self) -> None:
        for minimum in ["", "low", "1e5"]:
            with self.assertRaisesRegex(ConfigError, "minimum must be a decimal"):
                run(minimum=minimum)

    def test_another_type_is_found_when_the_run_is_planned(self) -> None:
        with self.assertRaisesRegex(DataError, "column `amount` is int64, not utf8"):
            Harness({{Type}}).bind(Schema(Field("id", t.utf8), Field("amount", t.int64)))


if __name__ == "__main__":
    unittest.main()
