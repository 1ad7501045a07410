"""Records as rows: which columns a collection has, and what stands in them.

Names and values are those of the Arrow batches that a server streams; docs/frames.md has the rules.
"""

import datetime
import difflib
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import Message

from detente import errors
from detente._contract import is_repeated

DATE = "detente.v1.UncertainDate"
DATE_PARTS = ("edtf", "state", "earliest", "latest")
"""What a column of dates has; the other fields of an UncertainDate follow from its EDTF."""

_WHOLE = {"google.type.Date", "google.protobuf.Timestamp", "google.protobuf.Duration"}


class Column(NamedTuple):
    """A column: its name, which is the path of a field (`headcount.best`), and the fields there."""

    name: str
    fields: tuple[Any, ...]

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
    return [_at(record, column.fields) for column in columns]


def value(field: Any, message: Message) -> Any:
    """A field's value, nested as in Arrow: messages are dicts of all their columns."""
    found = getattr(message, field.name)
    kind = field.message_type
    if is_repeated(field):
        if kind is not None and kind.GetOptions().map_entry:
            return sorted(found.items())
        one = _converter(field)
        return [one(item) for item in found]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _converter(field)(found)


def parts(descriptor: Any) -> list[Any]:
    """The fields of a message that its columns are made of."""
    if descriptor.full_name == DATE:
        return [descriptor.fields_by_name[name] for name in DATE_PARTS]
    return list(descriptor.fields)


def is_taken_apart(field: Any) -> bool:
    """Whether a field is a message with columns of its own."""
    return (
        field.message_type is not None
        and not is_repeated(field)
        and field.message_type.full_name not in _WHOLE
    )


def _flat(descriptor: Any, above: tuple[Any, ...], types: tuple[str, ...]) -> Iterable[Column]:
    for field in parts(descriptor):
        fields = (*above, field)
        if not is_taken_apart(field):
            yield Column(".".join(f.name for f in fields), fields)
        elif field.message_type.full_name not in types:
            yield from _flat(field.message_type, fields, (*types, field.message_type.full_name))


def _at(record: Message, fields: tuple[Any, ...]) -> Any:
    message: Any = record
    for field in fields[:-1]:
        if not message.HasField(field.name):
            return None
        message = getattr(message, field.name)
    return value(fields[-1], message)


def _converter(field: Any) -> Callable[[Any], Any]:
    """From a value of the field, or of an element of it, to what stands in a column."""
    kind = field.message_type
    if kind is None:
        return functools.partial(_enum, field.enum_type) if field.enum_type is not None else _same
    return _SPECIAL.get(kind.full_name, _message)


def _same(found: Any) -> Any:
    return found


def _enum(enum: Any, number: int) -> str | None:
    known = enum.values_by_number.get(number)
    return None if number == 0 else known.name if known else str(number)


def _message(message: Any) -> dict[str, Any]:
    return {field.name: value(field, message) for field in parts(message.DESCRIPTOR)}


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
