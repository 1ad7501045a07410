"""Fields of records set from rows."""

import datetime
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from google.api import resource_pb2  # type: ignore[import-untyped]
from google.protobuf import message_factory

from detente import _contract, records
from detente._contract import is_output_only, is_repeated
from detente._load.dates import Dates, one_date
from detente._load.faults import CellError
from detente._load.rows import Row
from detente._load.takes import Each, Nulls, Take, When, as_text, slug

DATE = "detente.v1.UncertainDate"
ESTIMATE = "detente.v1.Estimate"
TIMESTAMP = "google.protobuf.Timestamp"

FROM_ROW = 1
CONSTANT = 2

_WHOLE = re.compile(r"[-+]?\d+|\d{1,3}(?:[,' \u00a0\u202f]\d{3})+")
_RANGES = {  # by cpp_type: of int32, int64, uint32, uint64
    1: (-(2**31), 2**31),
    2: (-(2**63), 2**63),
    3: (0, 2**32),
    4: (0, 2**64),
}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Wrong = list[CellError]
"""The bad cells of one row."""


class Setter(Protocol):
    """Sets one field of a message."""

    def apply(self, message: Any, row: Mapping[str, Any], wrong: Wrong) -> int:
        """Sets it, and tells from what: FROM_ROW, CONSTANT, both, or 0."""


class Values:
    """A field of texts, numbers, enums, dates or estimates, or of whole messages."""

    def __init__(self, field: Any, takes: Sequence[Take], dates: Sequence[Dates]) -> None:
        self._field = field
        self._takes = takes
        self._dates = dates
        self._repeated = is_repeated(field)
        self._message = field.message_type
        self._kind = self._message.full_name if self._message is not None else ""
        self._collection = _referred(field)

    def apply(self, message: Any, row: Mapping[str, Any], wrong: Wrong) -> int:
        found: list[Any] = []
        origin = 0
        for take, dates in zip(self._takes, self._dates, strict=True):
            try:
                values = take.take(row)
                converted = [self._converted(value, take.label, dates) for value in values]
                one = not self._repeated and self._kind != DATE
                if one and len(converted) > 1 and len(set(map(str, converted))) > 1:
                    raise CellError(
                        take.label,
                        "; ".join(map(str, converted)),
                        "several values, where the field takes one",
                        "take the `first`, or `join` them",
                    )
            except CellError as bad:
                wrong.append(bad)
                continue
            if converted:
                found.extend(converted[:1] if one else converted)
                origin |= FROM_ROW if take.label else CONSTANT
        if found:
            try:
                self._set(message, found)
            except CellError as bad:
                wrong.append(bad)
        return origin

    def _as_one_date(self, found: list[Any], column: str) -> list[Any]:
        texts = [date.edtf for date in found if date.edtf]
        if len(texts) < 2:
            return found
        return [type(found[0])(edtf=one_date(texts, column))]

    def _set(self, message: Any, found: list[Any]) -> None:
        name = self._field.name
        if self._repeated:
            if self._message is None:
                found = list(dict.fromkeys(found))
            getattr(message, name).extend(found)
        elif self._message is not None:
            if self._kind == DATE:
                label = " and ".join(dict.fromkeys(take.label for take in self._takes))
                found = self._as_one_date(found, label)
            getattr(message, name).CopyFrom(found[0])
        elif self._field.type == self._field.TYPE_STRING and not self._collection:
            setattr(message, name, "\n".join(dict.fromkeys(found)))
        else:
            setattr(message, name, found[0])

    def _converted(self, value: Any, column: str, dates: Dates) -> Any:
        field = self._field
        if self._message is not None:
            return self._message_of(value, column, dates)
        if field.enum_type is not None:
            return _enum(field.enum_type, value, column)
        if field.type == field.TYPE_STRING:
            text = as_text(value, column)
            if self._collection:
                return _name(self._collection, text, column)
            return slug(text) if field.name == "id" else text
        if field.type == field.TYPE_BOOL:
            truth = _TRUTHS.get(as_text(value, column).casefold())
            if truth is None:
                raise CellError(column, value, "neither yes nor no", "write true or false")
            return truth
        if field.cpp_type in _RANGES:
            number = _whole(value, column)
            low, high = _RANGES[field.cpp_type]
            if low <= number < high:
                return number
            raise CellError(column, value, "out of range", f"from {low:,} to {high - 1:,}")
        try:
            return float(as_text(value, column))
        except ValueError:
            raise CellError(column, value, "no number", "write it as 3.5") from None

    def _message_of(self, value: Any, column: str, dates: Dates) -> Any:
        made: Any = message_factory.GetMessageClass(self._message)()
        if isinstance(value, Mapping):
            try:
                return records.from_dict(type(made), plain(self._message, value))
            except ValueError as error:
                raise CellError(column, value, str(error)) from None
        if self._kind == DATE:
            made.edtf = dates.read(value, column)
        elif self._kind == ESTIMATE:
            number = _whole(value, column)
            if not -(2**63) <= number < 2**63:
                raise CellError(column, value, "out of range")
            made.best = number
        elif self._kind == TIMESTAMP:
            _set_time(made, value, column)
        else:
            told = f"no value of {self._message.name}"
            raise CellError(column, value, told, "name its fields, as `place.display_name`")
        return made


class Part:
    """A field that holds one message."""

    def __init__(self, field: Any, setters: Sequence[Setter], has_columns: bool) -> None:
        self._name = field.name
        self._type = message_factory.GetMessageClass(field.message_type)
        self._setters = setters
        self._needs_row = has_columns

    def apply(self, message: Any, row: Mapping[str, Any], wrong: Wrong) -> int:
        part = self._type()
        origin = apply(self._setters, part, row, wrong)
        if not _is_there(origin, self._needs_row):
            return 0
        getattr(message, self._name).CopyFrom(part)
        return origin


class Element:
    """One sort of element of a list: what it is made of, of what and when."""

    def __init__(
        self,
        setters: Sequence[Setter],
        each: Each | None,
        when: When | None,
        has_columns: bool,
        nulls: Nulls,
    ) -> None:
        self._setters = setters
        self._each = each
        self._when = when
        self._needs_row = has_columns
        self._nulls = nulls

    def add(self, elements: Any, seen: set[bytes], row: Mapping[str, Any], wrong: Wrong) -> int:
        """Adds elements to a list, but for those seen already."""
        origin = 0
        for item in [row] if self._each is None else self._each.items(row, self._nulls):
            before = len(wrong)
            if self._when is None or self._when.holds(item, self._nulls):
                element = elements.add()
                made = apply(self._setters, element, item, wrong)
                content = element.SerializeToString(deterministic=True)
                if not _is_there(made, self._needs_row) or content in seen:
                    del elements[-1]
                seen.add(content)
                origin |= made
            if isinstance(item, Row):
                for bad in wrong[before:]:
                    bad.row = bad.row or item
        return origin


class Elements:
    """A list of messages."""

    def __init__(self, field: Any, elements: Sequence[Element]) -> None:
        self._name = field.name
        self._elements = elements

    def apply(self, message: Any, row: Mapping[str, Any], wrong: Wrong) -> int:
        origin = 0
        seen: set[bytes] = set()
        for element in self._elements:
            try:
                origin |= element.add(getattr(message, self._name), seen, row, wrong)
            except CellError as bad:  # of what there is an element for, or when
                wrong.append(bad)
        return origin


class Entries:
    """A map of texts: key by key, or whole as JSON and Arrow have them."""

    def __init__(
        self, field: Any, entries: Mapping[str, Sequence[Take]], whole: Sequence[Take] = ()
    ) -> None:
        self._name = field.name
        self._entries = entries
        self._whole = whole

    def apply(self, message: Any, row: Mapping[str, Any], wrong: Wrong) -> int:
        origin = 0
        for key, takes in self._entries.items():
            try:
                found = [as_text(v, take.label) for take in takes for v in take.take(row)]
            except CellError as bad:
                wrong.append(bad)
                continue
            if found:
                getattr(message, self._name)[key] = "; ".join(dict.fromkeys(found))
                origin |= FROM_ROW if any(take.label for take in takes) else CONSTANT
        for take in self._whole:
            try:
                for key, value in _pairs(take.take(row), take.label):
                    getattr(message, self._name)[key] = value
                    origin |= FROM_ROW
            except CellError as bad:
                wrong.append(bad)
        return origin


def apply(setters: Iterable[Setter], message: Any, row: Mapping[str, Any], wrong: Wrong) -> int:
    """Sets fields of a message; see `Setter`."""
    origin = 0
    for setter in setters:
        origin |= setter.apply(message, row, wrong)
    return origin


def _pairs(values: Iterable[Any], column: str) -> Iterator[tuple[str, str]]:
    for value in values:
        for pair in value.items() if isinstance(value, Mapping) else [value]:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise CellError(column, value, "no mapping of texts", "as {key: text}")
            yield as_text(pair[0], column), as_text(pair[1], column)


def _is_there(origin: int, needs_row: bool) -> bool:
    """Whether a message is more than the constants of a row that says nothing of it."""
    return bool(origin & FROM_ROW if needs_row else origin)


def _enum(enum: Any, value: Any, column: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number:
        return value
    text = as_text(value, column)
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    if name in enum.values_by_name:
        number: int = enum.values_by_name[name].number
        return number
    known = [each.name for each in enum.values if each.number]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise CellError(column, text, f"no {enum.name}", f"{hint}; `values` translate")


def _whole(value: Any, column: str) -> int:
    text = as_text(value, column)
    if not _WHOLE.fullmatch(text) or len(text) > 32:
        raise CellError(column, value, "no whole number", "write it as 1234")
    return int(re.sub(r"[,' \u00a0\u202f]", "", text))


def _set_time(message: Any, value: Any, column: str) -> None:
    text = as_text(value, column)
    try:
        found = datetime.datetime.fromisoformat(text)
        message.FromDatetime(found if found.tzinfo else found.replace(tzinfo=datetime.UTC))
    except (ValueError, OverflowError):
        advice = "write it as 2020-12-31T23:59:00Z"
        raise CellError(column, value, "no time", advice) from None


def _referred(field: Any) -> str:
    """The collection whose records a field refers to; `*` = any, empty = it refers to none."""
    kind = field.GetOptions().Extensions[resource_pb2.resource_reference].type
    if not kind or kind == "*":
        return str(kind)
    for collection, resource in _contract.resources().items():
        options = resource.message.DESCRIPTOR.GetOptions()
        if options.Extensions[resource_pb2.resource].type == kind:
            return collection
    return "*"


def _name(collection: str, text: str, column: str) -> str:
    """The name of the record that a text refers to: its id, or its name."""
    given, slash, identifier = text.rpartition("/")
    if collection != "*":
        if slash and given != collection:
            raise CellError(column, text, f"not one of {collection}", f"as {collection}/x, or x")
        return f"{collection}/{slug(identifier)}"
    if given not in _contract.resources():
        raise CellError(column, text, "no record's name", "as persons/x")
    return f"{given}/{slug(identifier)}"


def plain(descriptor: Any, value: Any) -> Any:
    """A message as Arrow or JSON has it, without what the server makes."""
    if not isinstance(value, Mapping):
        return value.isoformat() if isinstance(value, datetime.date) else value
    if descriptor.full_name.startswith("google."):
        return value
    made = {}
    for key, item in value.items():
        field = descriptor.fields_by_name.get(key)
        if item is None or (field is not None and is_output_only(field)):
            continue
        if field is None or field.message_type is None:
            made[key] = list(item) if isinstance(item, tuple) else item
        elif field.message_type.GetOptions().map_entry:
            made[key] = dict(item)
        elif is_repeated(field) and isinstance(item, list | tuple):
            made[key] = [plain(field.message_type, element) for element in item]
        else:
            made[key] = plain(field.message_type, item)
    return made
