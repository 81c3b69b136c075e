import unittest

from weir_plugin.testing import Harness

from {{module}} import {{Type}}


# The harness decodes each file a second time, byte by byte: no test needs to cut it into chunks.
class Test{{Type}}(unittest.TestCase):
    def test_lines_become_rows(self) -> None:
        decoded = Harness({{Type}}).decode("a=1\r\n\n\r\nb==2\n=\nkéy=välue".encode())
        self.assertEqual(
            [(row["key"], row["value"]) for row in decoded.rows],
            [("a", "1"), ("b", "=2"), ("", ""), ("kéy", "välue")],
        )
        self.assertEqual(decoded.rejections, [])

    def test_lines_that_are_no_pair_are_rejected(self) -> None:
        decoded = Harness({{Type}}).decode(b"a=1\nnone\r\nb=\xff\n=2\nlast")
        self.assertEqual([row["value"] for row in decoded.rows], ["1", "2"])
        self.assertEqual(
            [(offset, length, rule) for offset, length, rule, _ in decoded.rejections],
            [(4, 6, "no_pair"), (10, 4, "no_pair"), (17, 4, "no_pair")],
        )

    def test_an_empty_file_has_no_rows(self) -> None:
        self.assertEqual(Harness({{Type}}).decode().rows, [])


if __name__ == "__main__":
    unittest.main()
