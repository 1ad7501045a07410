"""Filter text: the values in it, and what is given as a text, an expression or a mapping."""

import datetime
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from google.protobuf.message import Message

from detente import errors
from detente._contract import collection_of, is_repeated
from detente.expressions import Expression


class ParsedFilter(Protocol):
    """A `detente.Filter`."""

    @property
    def text(self) -> str: ...


FilterLike: TypeAlias = "str | Expression | ParsedFilter"
"""What is taken as a filter."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONE_BACKSLASH = re.compile(r"(\\[\\*])|\\")
_WORDS = frozenset({"AND", "OR", "NOT"})


def join(filter: Any, where: Mapping[str, Any] | None, descriptor: Any) -> str:
    """`filter` AND each of `where`: `{"region_code": "BY"}` is `region_code = "BY"`.

    Lists of values mean any of them; repeated fields are asked whether they hold the value. Texts
    are taken as they are: a `*` in one is no wildcard.
    """
    text = text_of(filter, descriptor)
    if where is not None and not isinstance(where, Mapping):
        raise errors.invalid(
            "where", f'fields and their values, as {{"region_code": "BY"}}, not {where!r}'
        )
    if not where:
        return text
    conditions = [_condition(path, value, descriptor) for path, value in where.items()]
    if text.strip():
        conditions.insert(0, f"({text})")
    return " AND ".join(conditions)


def text_of(filter: Any, descriptor: Any = None) -> str:
    """The text of a filter for records of that descriptor."""
    if isinstance(filter, str):
        return filter
    if isinstance(filter, Expression):
        return filter._text(descriptor)
    text = getattr(filter, "text", None)
    if isinstance(text, str):
        return text
    raise errors.invalid(
        "filter", f"a text, a detente.Filter or an expression of detente.f, not {filter!r}"
    )


def literal(value: Any, field: Any, where: str) -> str:
    """A value as a filter writes it.

    Args:
        value: The value.
        field: The descriptor of the field that it is compared with; None = not known.
        where: What an error names.
    """
    enum = field.enum_type if field is not None else None
    value = _plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if enum is not None and isinstance(value, int) and value in enum.values_by_number:
        return str(enum.values_by_number[value].name)
    if enum is not None and isinstance(value, str) and value in enum.values_by_name:
        return value
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise errors.invalid(where, f"a number expected, not {value}")
        # Means are floats where the field holds whole numbers; and enums of Python are numbers.
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < 2**63)
        return repr(int(value)) if whole else repr(float(value))
    if isinstance(value, str):
        return quoted(errors.text(where, value))
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, datetime.datetime):
        # A day, as pandas and numpy have days: midnight nowhere.
        day = value.tzinfo is None and value.time() == datetime.time.min
        if value.tzinfo is None and not (day and (field is None or _is_date(field))):
            raise errors.invalid(
                where, f"{value} has no time zone; give it one, as datetime.UTC, or its .date()"
            )
        if not day and not _is_date(field):
            return quoted(value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z"))
    if isinstance(value, Message) and collection_of(value.DESCRIPTOR):
        name: str = getattr(value, "name")  # noqa: B009
        if not name:
            raise errors.invalid(where, "the record has no name; is it to be created?")
        return quoted(name)
    if _is_date_like(value):
        return quoted(date_text(value))
    raise errors.invalid(where, f"no value of a filter: {value!r}{_hint(value)}")


def window(value: Any, where: str) -> str:
    """Days as EDTF, from whatever a `detente.Date` is made of or a pair of first and last day."""
    value = _plain(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple) and len(value) == 2:
        ends = [".." if day is None else date_text(day) for day in map(_plain, value)]
        return quoted("/".join(ends))
    if _is_date_like(value):
        return quoted(date_text(value))
    raise errors.invalid(where, f"days as an EDTF text, a date or a pair of dates, not {value!r}")


def date_text(value: Any) -> str:
    """The EDTF text of what a `detente.Date` is made of."""
    if isinstance(value, str):
        return value
    if type(value) in (datetime.date, datetime.datetime):
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    from detente.dates import Date

    return Date(value).text


def quoted(text: str) -> str:
    """A text in quotes, of which every character is itself."""
    return pattern(text.replace("\\", "\\\\").replace("*", "\\*"))


def pattern(text: str) -> str:
    """A text with wildcards in quotes: `*` is any characters, `\\*` a star, `\\\\` a backslash.

    A backslash before anything else is itself: no text ends its own quotes.
    """
    text = _LONE_BACKSLASH.sub(lambda found: found[1] or "\\\\", text)
    text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return '"' + text.replace('"', '\\"') + '"'


def argument(filter: str) -> str:
    """A filter in quotes, as an argument of `any`."""
    return '"' + filter.replace("\\", "\\\\").replace('"', '\\"') + '"'


def segment(key: str) -> str:
    """A part of a path: a field's name, or a map's key in quotes."""
    return key if _NAME.fullmatch(key) and key not in _WORDS else quoted(key)


def fields(path: tuple[str, ...], descriptor: Any) -> list[Any]:
    """The fields along a path, as far as they are known; the server judges the rest."""
    found = []
    for name in path:
        field = descriptor.fields_by_name.get(name) if descriptor is not None else None
        if field is None:
            return []
        found.append(field)
        descriptor = field.message_type
        if descriptor is not None and descriptor.GetOptions().map_entry:
            return []
    return found


def _condition(path: Any, value: Any, descriptor: Any) -> str:
    if not isinstance(path, str) or not path:
        raise errors.invalid("where", f"the path of a field expected, not {path!r}")
    names = tuple(path.split("."))
    found = fields(names, descriptor)
    where = f"where[{path!r}]"
    values = [value] if is_one(value) else list(value)
    if not values:
        raise errors.invalid(where, "no value at all")
    last = found[-1] if found else None
    head = ".".join(map(segment, with_key(names, descriptor))) + operator(found)
    return one_of(f"{head}{literal(item, last, where)}" for item in values)


def operator(found: list[Any]) -> str:
    """What asks fields along a path for a value."""
    return ":" if any(map(is_repeated, found)) else " = "


def is_one(value: Any) -> bool:
    """Whether it is one value, and not several, any of which will do."""
    return not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | Message)


def with_key(path: tuple[str, ...], descriptor: Any) -> tuple[str, ...]:
    """The path with all that is behind a map's name as its key: keys may have dots."""
    for at, name in enumerate(path):
        field = descriptor.fields_by_name.get(name) if descriptor is not None else None
        descriptor = field.message_type if field is not None else None
        if descriptor is not None and descriptor.GetOptions().map_entry and at + 1 < len(path):
            return (*path[: at + 1], ".".join(path[at + 1 :]))
    return path


def one_of(alternatives: Any) -> str:
    """Any of the conditions."""
    listed = list(alternatives)
    return str(listed[0]) if len(listed) == 1 else f"({' OR '.join(listed)})"


def _is_date(field: Any) -> bool:
    message = field.message_type if field is not None else None
    return message is not None and message.full_name == "detente.v1.UncertainDate"


def _is_date_like(value: Any) -> bool:
    if isinstance(value, datetime.date):
        return True
    if isinstance(value, Message):
        return bool(value.DESCRIPTOR.full_name == "detente.v1.UncertainDate")
    return (type(value).__module__.partition(".")[0], type(value).__name__) in (
        ("detente", "Date"),
        ("pandas", "Period"),
    )


def _plain(value: Any) -> Any:
    """The value of Python that one of numpy, pandas or decimal is; None = there is none."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "numpy" and value.shape == ():
        # Its own days and nanoseconds are numbers to Python.
        times = {"M": "datetime64[us]", "m": "timedelta64[us]"}.get(value.dtype.kind)
        return (value if times is None else value.astype(times)).item()
    if package == "pandas" and kind.__name__ in ("NaTType", "NAType"):
        return None
    if package == "decimal" and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _hint(value: Any) -> str:
    if value is None:
        return "; absence is ~f.field.present()"
    if not is_one(value):
        return "; one of several is f.field.is_in([…])"
    return ""
