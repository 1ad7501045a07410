"""Records as Arrow batches: the schema of a collection, and batches made of its messages."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from detente import columns as columns_
from detente._contract import is_repeated
from detente.columns import Column
from detente.frames import arrow

pa = arrow()

_SCALARS = {  # by FieldDescriptor.cpp_type
    1: pa.int32(),
    2: pa.int64(),
    3: pa.uint32(),
    4: pa.uint64(),
    5: pa.float64(),
    6: pa.float32(),
    7: pa.bool_(),
    9: pa.string(),
}
_MESSAGES = {
    "google.type.Date": pa.date32(),
    "google.protobuf.Timestamp": pa.timestamp("us", tz="UTC"),
    "google.protobuf.Duration": pa.duration("us"),
}


def schema(descriptor: Any, columns: Sequence[Column] | None = None) -> Any:
    """The nested Arrow schema of records: messages are structs, lists lists, enums dictionaries.

    Args:
        descriptor: Of the records, as `detente.Release.DESCRIPTOR`.
        columns: Only these, of `detente.columns`; None = all.
    """
    return pa.schema(_fields(descriptor, _tree(columns), (descriptor.full_name,)))


def batches(records: Iterable[Message], arrow_schema: Any, *, rows: int = 1000) -> Iterator[Any]:
    """The records as nested batches of at most `rows`, with the columns of the schema."""
    waiting: list[dict[str, Any]] = []
    for record in records:
        fields = record.DESCRIPTOR.fields_by_name
        waiting.append({n: columns_.reader(fields[n])(record) for n in arrow_schema.names})
        if len(waiting) == rows:
            yield pa.RecordBatch.from_pylist(waiting, arrow_schema)
            waiting = []
    if waiting:
        yield pa.RecordBatch.from_pylist(waiting, arrow_schema)


def _tree(columns: Sequence[Column] | None) -> dict[str, Any]:
    """Chosen fields below fields; an empty dict stands for all that is below."""
    tree: dict[str, Any] = {}
    for column in columns or ():
        below = tree
        for field in column.fields:
            below = below.setdefault(field.name, {})
    return tree


def _fields(descriptor: Any, tree: dict[str, Any], types: tuple[str, ...]) -> list[Any]:
    found = []
    for field in [descriptor.fields_by_name[name] for name in tree] or descriptor.fields:
        kind = field.message_type
        if kind is None or kind.full_name not in types:
            found.append(_field(field, tree.get(field.name, {}), types))
    return found


def _field(field: Any, tree: dict[str, Any], types: tuple[str, ...]) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = pa.field("value", _element(kind.fields_by_name["value"], {}, types), nullable=False)
        return pa.field(field.name, pa.map_(pa.string(), value), nullable=False)
    element, is_enum = _element(field, tree, types), field.enum_type is not None
    if is_repeated(field):
        item = pa.field("item", element, nullable=is_enum)
        return pa.field(field.name, pa.list_(item), nullable=False)
    return pa.field(field.name, element, nullable=is_enum or field.has_presence)


def _element(field: Any, tree: dict[str, Any], types: tuple[str, ...]) -> Any:
    kind = field.message_type
    if kind is not None:
        if kind.full_name in _MESSAGES:
            return _MESSAGES[kind.full_name]
        return pa.struct(_fields(kind, tree, (*types, kind.full_name)))
    if field.enum_type is not None:
        few = len(field.enum_type.values) <= 128
        return pa.dictionary(pa.int8() if few else pa.int16(), pa.string())
    if field.type == field.TYPE_BYTES:
        return pa.binary()
    return _SCALARS[field.cpp_type]
