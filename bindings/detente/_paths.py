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


def python_value(collection: str, path: str, text: str) -> Any:
    """What the JSON of a field holds, with whole numbers of 64 bits, texts there, as numbers."""
    value = json.loads(text) if text else None
    resource = resources().get(collection)
    found = _field(resource.message.DESCRIPTOR, path) if resource else None
    return value if found is None else _numbers(found[0], value)


def plain_json(collection: str, path: str, text: str) -> str:
    """The JSON of a field as people write it: with numbers in place of texts that hold them."""
    if not text:
        return ""
    value = python_value(collection, path, text)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _numbers(field: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(field, item) for item in value]
    if isinstance(value, dict) and field.message_type is not None:
        fields = field.message_type.fields_by_name
        return {k: _numbers(fields[k], v) if k in fields else v for k, v in value.items()}
    if isinstance(value, str) and field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64):
        return int(value)
    return value


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
