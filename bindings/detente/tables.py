"""Records as Arrow batches: the schema of a collection, and batches made of its messages."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from detente import _contract, _core
from detente.columns import Column
from detente.frames import arrow

pa = arrow()


@functools.lru_cache(100)
def _rows(kind: str, columns: tuple[str, ...]) -> _core.Rows:
    return _core.Rows(kind, list(columns), False)


def schema(descriptor: Any, columns: Sequence[Column] | None = None) -> Any:
    """The nested Arrow schema of records: messages are structs, lists lists, enums dictionaries.

    Args:
        descriptor: Of the records, as `detente.Release.DESCRIPTOR`.
        columns: Only these, of `detente.columns`; None = all.
    """
    whole = pa.ipc.read_schema(
        pa.py_buffer(_rows(_contract.known_to_core(descriptor), ()).schema())
    )
    return whole if columns is None else pa.schema(_chosen(whole, _tree(columns)))


def batches(records: Iterable[Message], arrow_schema: Any, *, rows: int = 1000) -> Iterator[Any]:
    """The records as nested batches of at most `rows`, with the columns of the schema."""
    found = iter(records)
    while part := list(itertools.islice(found, rows)):
        made = _rows(_contract.known_to_core(part[0].DESCRIPTOR), tuple(arrow_schema.names))
        stream = made.arrow([record.SerializeToString() for record in part])
        for batch in pa.ipc.open_stream(pa.py_buffer(stream)):
            yield batch.cast(arrow_schema)


def _tree(columns: Sequence[Column]) -> dict[str, Any]:
    """Chosen fields below fields; an empty dict stands for all that is below."""
    tree: dict[str, Any] = {}
    for column in columns:
        below = tree
        for field in column.fields:
            below = below.setdefault(field.name, {})
    return tree


def _chosen(fields: Any, tree: dict[str, Any]) -> list[Any]:
    """Of the fields of a schema or a struct those of the tree, in its order."""
    found = []
    for name, below in tree.items():
        field = fields.field(name)
        if below:
            field = field.with_type(pa.struct(_chosen(field.type, below)))
        found.append(field)
    return found
