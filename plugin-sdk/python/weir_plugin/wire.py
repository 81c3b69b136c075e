"""How schemas and batches cross the sandbox boundary: fields in preorder, buffers depth first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .columns import Batch, Column
from .errors import FatalError
from .types import DataType, Field, Schema


class FlatField(NamedTuple):
    """A field of a schema in preorder, with the number of its direct children that follow."""

    name: str
    type: DataType
    nullable: bool
    children: int


@dataclass(frozen=True, slots=True)
class Parts:
    """A batch as it crosses: for each field in preorder length and null count, then its buffers."""

    rows: int
    nodes: list[tuple[int, int]]
    buffers: list[bytes]


def flatten(schema: Iterable[Field]) -> Iterator[FlatField]:
    """The fields of a schema in preorder."""
    for field in schema:
        yield FlatField(field.name, field.type, field.nullable, len(field.type.children))
        yield from flatten(field.type.children)


def unflatten(fields: Sequence[FlatField]) -> Schema:
    """The schema whose fields in preorder are these; a :class:`FatalError` if they form no tree."""
    at = 0

    def next_field() -> Field:
        nonlocal at
        if at == len(fields):
            raise FatalError("the host sent a schema that is no tree")
        flat = fields[at]
        at += 1
        children = tuple(next_field() for _ in range(flat.children))
        is_tree = {"list": len(children) == 1, "struct": len(children) > 0}
        if not is_tree.get(flat.type.kind, not children):
            raise FatalError("the host sent a schema that is no tree")
        data_type = DataType(flat.type.kind, children=children) if children else flat.type
        return Field(flat.name, data_type, flat.nullable)

    columns = []
    while at < len(fields):
        columns.append(next_field())
    return Schema(*columns)


def disassemble(batch: Batch) -> Parts:
    """Takes a batch apart. Buffers are not copied."""
    parts = Parts(batch.rows, [], [])

    def take(column: Column) -> None:
        parts.nodes.append((column.length, column.null_count))
        parts.buffers.append(column.validity)
        parts.buffers.extend(column.buffers)
        for child in column.children:
            take(child)

    for column in batch.columns:
        take(column)
    return parts


#: Buffers of each type behind its validity; 1 for all others.
_BUFFERS = {"utf8": 2, "binary": 2, "struct": 0}


def assemble(schema: Schema, parts: Parts) -> Batch:
    """Puts together a batch that the host sent. The host has verified it; buffers are not copied."""
    nodes, buffers = iter(parts.nodes), iter(parts.buffers)

    def build(data_type: DataType) -> Column:
        length, null_count = next(nodes)
        validity = next(buffers)
        own = tuple(next(buffers) for _ in range(_BUFFERS.get(data_type.kind, 1)))
        children = tuple(build(child.type) for child in data_type.children)
        return Column(data_type, length, null_count, validity if null_count else b"", own, children)

    try:
        columns = []
        for field in schema:
            columns.append(build(field.type))
    except (StopIteration, RuntimeError):
        raise FatalError("the host sent less than the schema bound has") from None
    if next(nodes, None) is not None or next(buffers, None) is not None:
        raise FatalError("the host sent more than the schema bound has")
    return Batch(schema, columns, parts.rows)
