"""Paths of fields, and what stands there in words."""

import json
import re
from typing import Any

from detente import display
from detente._contract import is_repeated, resources

_SEGMENT = re.compile(r'\.?([a-z_0-9]+)(?:\[(?:"([^"]*)"|\*)\])?')


def value_text(collection: str, path: str, text: str) -> str:
    """The JSON of a field in words: `123` for `{"best":123}`, where the field is known."""
    if not text:
        return "absent"
    value = json.loads(text)
    if value is None:
        return "none"
    resource = resources().get(collection)
    found = _field(resource.message.DESCRIPTOR, path) if resource else None
    return text if found is None else _words(*found, value, text)


def spoken(record: Any, path: str) -> str:
    """A path for readers: elements of lists by their first field in place of their ids."""
    words: list[str] = []
    message: Any = record
    for name, key in _SEGMENT.findall(path):
        words.append(name.replace("_", " "))
        field = message.DESCRIPTOR.fields_by_name.get(name) if message is not None else None
        message = getattr(message, name) if field is not None and field.message_type else None
        if not key:
            continue
        if field is not None and is_repeated(field):
            message = next((item for item in message or () if item.id == key), None)
        first = None
        if message is not None:
            first = next((f for f, _ in message.ListFields() if f.name != "id"), None)
        words[-1] += f": {display.field_text(message, first) if first is not None else key}"
    return " / ".join(words)


def _field(descriptor: Any, path: str) -> tuple[Any, bool] | None:
    """The field that a path leads to, and whether it is one element of it."""
    field, key, end = None, "", 0
    for match in _SEGMENT.finditer(path):
        field = descriptor.fields_by_name.get(match[1]) if descriptor is not None else None
        if field is None or match.start() != end:
            return None
        descriptor, key, end = field.message_type, match[0].partition("[")[1], match.end()
    return (field, bool(key)) if field is not None and end == len(path) else None


def _words(field: Any, element: bool, value: Any, text: str) -> str:
    from google.protobuf import json_format, message_factory

    given = [value] if is_repeated(field) and element else value
    parent = message_factory.GetMessageClass(field.containing_type)
    try:
        message = json_format.ParseDict({field.name: given}, parent(), ignore_unknown_fields=True)
    except json_format.ParseError:  # the contract has moved on, or it is an element of a map
        return text
    words = display.field_text(message, field)
    if field.enum_type is not None:
        words = words.lower().replace("_", " ")
    return words or text
