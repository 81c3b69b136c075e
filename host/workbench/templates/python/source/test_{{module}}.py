import unittest
from typing import Any

from weir_plugin import ConfigError, RetryError
from weir_plugin.http import Request
from weir_plugin.testing import Answer, Harness

from {{module}} import {{Type}}

URL = "https://api.example.org"


def api(*people: Any) -> Harness:
    """The plugin, with an API that has these people and gives two at a time."""

    def answer(request: Request) -> Answer:
        after = int(request.url.removeprefix(f"{URL}/people?after="))
        return Answer.json([person for person in people if person.get("id", 1) > after][:2])

    return Harness({{Type}}, {"url": URL}).respond(answer)


# The harness reads a second time from each state, as a run does that begins where another ended.
class Test{{Type}}(unittest.TestCase):
    def test_people_are_read_to_the_last(self) -> None:
        read = api({"id": 1, "name": "Ada"}, {"id": 2}, {"id": 3, "name": 4}).read("people")
        self.assertEqual([(row["id"], row["name"]) for row in read.rows], [(1, "Ada"), (2, None), (3, None)])
        # Behind the last page too there is a state: a later run begins with it.
        self.assertEqual(read.states, ['{"last":2}', '{"last":3}', '{"last":3}'])

    def test_a_later_run_reads_only_what_is_new(self) -> None:
        read = api({"id": 1, "name": "Ada"}, {"id": 2, "name": "Bo"}).read_behind("people", '{"last":1}')
        self.assertEqual([row["id"] for row in read.rows], [2])

    def test_people_without_a_number_are_rejected(self) -> None:
        read = api({"name": "Bo"}, {"id": 1, "name": "Ada"}).read("people")
        self.assertEqual([(one.record, one.rule) for one in read.rejections], [('{"name":"Bo"}', "no_number")])

    def test_a_number_is_whole_and_of_64_bits(self) -> None:
        for number in ["2", True, 2**63, 1.5, None]:
            pages = {f"{URL}/people?after=0": [{"id": number}, {"id": 1}], f"{URL}/people?after=1": []}
            harness = Harness({{Type}}, {"url": URL})
            read = harness.respond(lambda request: Answer.json(pages[request.url])).read("people")
            self.assertEqual((len(read.rows), len(read.rejections)), (1, 1), number)

    def test_a_page_that_leads_no_further_is_the_last(self) -> None:
        read = api({"name": "Bo"}).read_behind("people", '{"last":0}')
        self.assertEqual((len(read.rejections), read.states), (1, ['{"last":0}']))

    def test_a_server_that_is_busy_is_asked_again(self) -> None:
        for status, error in [(503, RetryError), (401, ConfigError)]:
            harness = Harness({{Type}}, {"url": URL}).respond(lambda request: Answer(status))
            self.assertRaises(error, harness.read, "people")

    def test_the_streams(self) -> None:
        (stream,) = api().discover()
        self.assertEqual((stream.name, stream.primary_key), ("people", ["id"]))


if __name__ == "__main__":
    unittest.main()
