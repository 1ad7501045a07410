"""Records as rows: which columns a collection has, and what stands in them.

Names and values are those of the Arrow batches that a server streams; docs/frames.md has the rules.
"""

import datetime
import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import Message

from detente import errors
from detente._contract import is_repeated

_WHOLE = {"google.type.Date", "google.protobuf.Timestamp", "google.protobuf.Duration"}


class Column(NamedTuple):
    """A column of flat rows.

    Attributes:
        name: The path of its field, such as `headcount.best`.
        fields: The descriptors of the fields along the path.
        read: From a record to the value that stands there.
    """

    name: str
    fields: tuple[Any, ...]
    read: Callable[[Any], Any]

    @property
    def field(self) -> Any:
        """The descriptor of the field whose values stand in it."""
        return self.fields[-1]


@functools.cache
def flat_columns(descriptor: Any) -> tuple[Column, ...]:
    """The flat columns of a record, in the order of its fields.

    A message is taken apart into columns `a.b`, but for points in time and days; lists and maps
    stay whole. A message within another of its own type is left out.

    Args:
        descriptor: Of the records, as `detente.Release.DESCRIPTOR`.

    Example:
        >>> [column.name for column in flat_columns(detente.Release.DESCRIPTOR)][-1]
        'unnamed_remainder.groups'
    """
    return tuple(_flat(descriptor, (), (descriptor.full_name,)))


def chosen(descriptor: Any, names: Iterable[str], argument: str = "columns") -> list[Column]:
    """The flat columns of those names, in that order; a message's name means all below it.

    Raises:
        InvalidArgumentError: There is no such column, or one comes twice.
    """
    if isinstance(names, str):
        raise errors.invalid(argument, f"a list of columns expected, not {names!r}")
    all_columns = flat_columns(descriptor)
    found: dict[str, Column] = {}
    for name in names:
        below = [c for c in all_columns if c.name == name or c.name.startswith(f"{name}.")]
        if not below:
            raise errors.invalid(argument, _no_such(descriptor, name, all_columns))
        for column in below:
            if column.name in found:
                raise errors.invalid(argument, f"{column.name} is there twice")
            found[column.name] = column
    if not found:
        raise errors.invalid(argument, "no column at all; leave it out for all of them")
    return list(found.values())


def row(record: Message, columns: Sequence[Column]) -> list[Any]:
    """A record's values in flat columns.

    They are what `pyarrow.RecordBatch.to_pylist` gives of the same columns: None, bool, int,
    float, str, `datetime.date`, `datetime.datetime` in UTC, lists and dicts.
    """
    return [column.read(record) for column in columns]


@functools.cache
def reader(field: Any) -> Callable[[Any], Any]:
    """From a message to the value of its field, nested as in Arrow: messages are dicts."""
    name, kind = field.name, field.message_type
    one = _converter(field)
    if is_repeated(field):
        if kind is not None and kind.GetOptions().map_entry:
            return lambda message: sorted(getattr(message, name).items())
        return lambda message: [one(item) for item in getattr(message, name)]
    if field.has_presence:
        return lambda message: one(getattr(message, name)) if message.HasField(name) else None
    if one is _same:
        return operator.attrgetter(name)
    return lambda message: one(getattr(message, name))


def is_taken_apart(field: Any) -> bool:
    """Whether a field is a message with columns of its own."""
    return (
        field.message_type is not None
        and not is_repeated(field)
        and field.message_type.full_name not in _WHOLE
    )


def _flat(descriptor: Any, above: tuple[Any, ...], types: tuple[str, ...]) -> Iterable[Column]:
    for field in descriptor.fields:
        fields = (*above, field)
        if not is_taken_apart(field):
            yield Column(".".join(f.name for f in fields), fields, _at(fields))
        elif field.message_type.full_name not in types:
            yield from _flat(field.message_type, fields, (*types, field.message_type.full_name))


def _at(fields: tuple[Any, ...]) -> Callable[[Any], Any]:
    """A reader of the last field below the others; of what is not set there is nothing."""
    read = reader(fields[-1])
    names = [field.name for field in fields[:-1]]
    if not names:
        return read

    def below(message: Any) -> Any:
        for name in names:
            if not message.HasField(name):
                return None
            message = getattr(message, name)
        return read(message)

    return below


def _converter(field: Any) -> Callable[[Any], Any]:
    """From a value of the field, or of an element of it, to what stands in a column."""
    kind = field.message_type
    if kind is None:
        return functools.partial(_enum, field.enum_type) if field.enum_type is not None else _same
    return _SPECIAL.get(kind.full_name) or _message(kind)


def _same(found: Any) -> Any:
    return found


def _enum(enum: Any, number: int) -> str | None:
    known = enum.values_by_number.get(number)
    return None if number == 0 else known.name if known else str(number)


def _message(descriptor: Any) -> Callable[[Any], Any]:
    readers: list[tuple[str, Callable[[Any], Any]]] = []

    def read(message: Any) -> dict[str, Any]:
        if not readers:  # now, as a message may be within its own type
            readers.extend((field.name, reader(field)) for field in descriptor.fields)
        return {name: one(message) for name, one in readers}

    return read


def _day(day: Any) -> datetime.date | None:
    return datetime.date(day.year, day.month, day.day) if day.month and day.day else None


def _time(time: Any) -> datetime.datetime:
    found: datetime.datetime = time.ToDatetime(datetime.UTC)
    return found


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "google.type.Date": _day,
    "google.protobuf.Timestamp": _time,
    "google.protobuf.Duration": lambda duration: duration.ToTimedelta(),
}


def _no_such(descriptor: Any, name: str, columns: Sequence[Column]) -> str:
    listed = next((c for c in columns if name.startswith((f"{c.name}.", f"{c.name}["))), None)
    if listed is not None:
        return f"{name}: {listed.name} is one column; what is in it has none of its own"
    near = difflib.get_close_matches(name, [column.name for column in columns], 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{descriptor.name} has no column {name!r}{hint}"
