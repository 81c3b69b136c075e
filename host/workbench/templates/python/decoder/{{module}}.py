"""Reads files of lines KEY=VALUE."""

from dataclasses import dataclass

from weir_plugin import Context, Decoder, Rows, Rule, Schema

# Quarantine and reports group what is rejected by the names of rules: keep them from version to version.
NO_PAIR = Rule("no_pair", "A line is a key, an equals sign and a value, in UTF-8.")


@dataclass
class Pair:
    """A row as it goes."""

    key: str
    value: str


class {{Type}}(Decoder):
    """Reads files of lines KEY=VALUE."""

    name = "{{name}}"
    version = "0.1.0"
    rules = [NO_PAIR]

    # Each file has an instance of its own, so these are true where a file begins.
    rest = b""  # A line that has not ended yet.
    offset = 0  # Where `rest` begins in the file.

    def bind(self, context: Context) -> Schema:
        return Schema.of(Pair)

    def decode(self, chunk: bytes, out: Rows) -> None:
        # A chunk may end anywhere. Bytes are cut at line ends and decoded line by line, so that no
        # character is cut in two.
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        pairs = [self.pair(line.removesuffix(b"\r"), len(line) + 1, out) for line in lines]
        # All at once: each call of `emit` hands over a batch.
        out.emit([pair for pair in pairs if pair])

    def finish(self, out: Rows) -> None:
        pair = self.pair(self.rest, len(self.rest), out)
        if pair:
            out.emit([pair])

    def pair(self, line: bytes, length: int, out: Rows) -> Pair | None:
        """The pair of a line, which is `length` bytes long with its end."""
        begin = self.offset
        self.offset += length
        if not line:
            return None
        try:
            key, value = line.decode().split("=", 1)
        except ValueError:  # There is no `=`, or the line is not UTF-8: that is a ValueError too.
            out.reject(begin, length, NO_PAIR)
            return None
        return Pair(key, value)
