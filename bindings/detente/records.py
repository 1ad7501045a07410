"""Records as mappings: ProtoJSON with proto field names, and the YAML files that people edit.

Two shorthands are understood at any depth: a string where an UncertainDate stands is its EDTF, and
a whole number where an Estimate stands is its best value.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from detente import _contract
from detente._contract import is_output_only, is_repeated

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

M = TypeVar("M", bound=Message)

_FIRST = ("name", "display_name")
_OWN = 20  # the number of a resource's first own field


COLLECTIONS: Mapping[str, type[Message]] = {
    collection: resource.message for collection, resource in _contract.resources().items()
}
"""From collection (`releases`) to the message class of its records."""


def from_dict(message_type: type[M], mapping: Mapping[str, Any]) -> M:
    """The record that a ProtoJSON mapping describes; ValueError names the path of what is wrong."""
    descriptor: Any = message_type.DESCRIPTOR
    start = descriptor.name
    if isinstance(mapping, Mapping) and isinstance(mapping.get("name"), str):
        start = mapping["name"]
    plain = _expand(descriptor, mapping, start, "")
    try:
        return json_format.ParseDict(plain, message_type())
    except json_format.ParseError as error:
        _locate(descriptor, plain, start, "")
        raise ValueError(f"{start}: {error}") from error


def to_dict(message: Message) -> dict[str, Any]:
    """The ProtoJSON mapping of a message, with proto field names."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def read_yaml(path: str | Path) -> Iterator[Message]:
    """The records of a YAML sequence; the collection in a record's `name` tells its type."""
    for _, record in read(path):
        yield record


def read(path: str | Path, text: str | None = None) -> Iterator[tuple[str, Message]]:
    """The records of a file, each with where it stands (`persons.yaml:12`).

    `.json` holds a record or a list of them, `.jsonl` one on each line; all else is YAML: a record
    or a sequence of them. The collection in a record's `name` tells its type. `text` is taken in
    place of the file's own.

    Raises:
        ValueError: Something is no record; the message has the place and the path of the field.
    """
    try:
        text = Path(path).read_text(encoding="utf-8") if text is None else text
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8: {error}") from error
    ending = Path(path).suffix.lower()
    plain = {".json": _plain_json, ".jsonl": _plain_lines, ".ndjson": _plain_lines}
    for where, mapping in plain.get(ending, _plain_yaml)(str(path), text):
        yield where, _record(mapping, where)


def editable(message: Message, *, outputs: bool = False) -> dict[str, Any]:
    """What a person edits: no output-only fields, dates and estimates in their shorthands.

    `from_dict` reads it back. With `outputs`, what the server made is there too, for reading.
    """
    plain: dict[str, Any] = {}
    is_record = bool(_contract.collection_of(message.DESCRIPTOR))
    fields = list(message.ListFields())
    if is_record:  # the resource's own fields before those of every record
        fields.sort(key=lambda item: item[0].name not in _FIRST and item[0].number < _OWN)
        fields.sort(key=lambda item: item[0].name == "citations")
    for field, value in fields:
        if is_output_only(field) and not outputs:
            continue
        if not is_repeated(field):
            plain[field.name] = _editable(field, value, outputs)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            kind = field.message_type.fields_by_name["value"]
            plain[field.name] = {key: _editable(kind, item, outputs) for key, item in value.items()}
        else:
            plain[field.name] = [_editable(field, item, outputs) for item in value]
    if is_record and not outputs:
        plain.pop("etag", None)
    return plain


def to_yaml(records: Message | Iterable[Message]) -> str:
    """YAML of a record, or of a sequence of them, as `editable`; `read` takes it back."""
    plain: Any
    if isinstance(records, Message):
        plain = editable(records)
    else:
        plain = [editable(record) for record in records]
    return dump_yaml(plain)


def dump_yaml(plain: Any) -> str:
    """YAML that `read` takes back, of mappings, sequences, strings, numbers and booleans."""
    text: str = yaml.dump(plain, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)
    return text


def load_yaml(text: str) -> Any:
    """The mapping, sequence or scalar that YAML text holds; ValueError where it is none."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    finally:
        loader.dispose()


def _plain_yaml(path: str, text: str) -> Iterator[tuple[str, Any]]:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return
        if isinstance(root, yaml.ScalarNode):
            raise ValueError(f"{path}: expected a record or a sequence of records")
        for node in root.value if isinstance(root, yaml.SequenceNode) else [root]:
            where = f"{path}:{node.start_mark.line + 1}"
            yield where, loader.construct_object(node, deep=True)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error
    finally:
        loader.dispose()


def _plain_json(path: str, text: str) -> Iterator[tuple[str, Any]]:
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if isinstance(plain, list):
        for index, mapping in enumerate(plain):
            yield f"{path}[{index}]", mapping
    else:
        yield path, plain


def _plain_lines(path: str, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                plain = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
            yield f"{path}:{number}", plain


def _editable(field: Any, value: Any, outputs: bool) -> Any:
    if field.message_type is None:
        if field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            return known.name if known else value
        return value
    if field.message_type.full_name.startswith("google.protobuf."):
        return json_format.MessageToDict(value)
    if field.message_type.full_name == "detente.v1.UncertainDate":
        plain = editable(value)
        return plain["edtf"] if plain.get("state", "VALUE") == "VALUE" and value.edtf else plain
    plain = editable(value, outputs=outputs)
    if field.message_type.full_name == "detente.v1.Estimate" and list(plain) == ["best"]:
        return plain["best"]
    return plain


def _record(mapping: Any, where: str) -> Message:
    if not isinstance(mapping, dict) or not isinstance(mapping.get("name"), str):
        raise ValueError(f"{where}: a record is a mapping with a `name`")
    collection = mapping["name"].partition("/")[0]
    if collection not in COLLECTIONS:
        known = ", ".join(COLLECTIONS)
        raise ValueError(
            f"{where}: {mapping['name']}: no collection {collection!r}; there are {known}"
        )
    try:
        return from_dict(COLLECTIONS[collection], mapping)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _expand(descriptor: Descriptor, value: Any, start: str, path: str) -> Any:
    """`value` with the shorthands written out; refuses unknown fields and wrong shapes."""
    if descriptor.full_name == "detente.v1.UncertainDate":
        if isinstance(value, str):
            return {"edtf": value}
        if isinstance(value, int):
            raise _wrong(start, path, f"a date is a string: '{value}', in quotes")
    if descriptor.full_name == "detente.v1.Estimate" and type(value) is int:
        return {"best": value}
    if descriptor.full_name.startswith("google.protobuf."):
        return value
    if not isinstance(value, Mapping):
        raise _wrong(start, path, f"expected a mapping, got {value!r}")
    plain = {}
    for key, item in value.items():
        field = _field(descriptor, key)
        if field is None:
            near = difflib.get_close_matches(str(key), list(descriptor.fields_by_name), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise _wrong(start, _join(path, key), f"no such field in {descriptor.name}{hint}")
        if field.name in plain:
            raise _wrong(start, _join(path, key), "given twice")
        inside = _join(path, field.name)
        message = field.message_type
        if item is None or message is None or message.GetOptions().map_entry:
            plain[field.name] = item
        elif not is_repeated(field):
            plain[field.name] = _expand(message, item, start, inside)
        elif isinstance(item, list | tuple):
            plain[field.name] = [
                _expand(message, element, start, _at(inside, index, element))
                for index, element in enumerate(item)
            ]
        else:
            raise _wrong(start, inside, f"expected a list, got {item!r}")
    return plain


def _locate(descriptor: Descriptor, value: Any, start: str, path: str) -> None:
    """Raises for the innermost part of `value` that cannot be parsed, if there is one."""
    message_type = message_factory.GetMessageClass(descriptor)
    if isinstance(value, Mapping) and not descriptor.full_name.startswith("google.protobuf."):
        for key, item in value.items():
            field = descriptor.fields_by_name[key]
            inside = _join(path, key)
            if item is None:
                continue
            if field.message_type is None or field.message_type.GetOptions().map_entry:
                _try({key: item}, message_type, start, inside)
            elif is_repeated(field):
                for index, element in enumerate(item):
                    _locate(field.message_type, element, start, _at(inside, index, element))
            else:
                _locate(field.message_type, item, start, inside)
    if path:
        _try(value, message_type, start, path)


def _try(value: Any, message_type: type[Message], start: str, path: str) -> None:
    try:
        json_format.ParseDict(value, message_type())
    except json_format.ParseError as error:
        raise _wrong(start, path, str(error)) from error


def _field(descriptor: Descriptor, key: Any) -> FieldDescriptor | None:
    return descriptor.fields_by_name.get(key) or descriptor.fields_by_camelcase_name.get(key)


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _at(path: str, index: int, element: Any) -> str:
    """The path of an element: by its id, or by its place while it has none."""
    known = element.get("id") if isinstance(element, Mapping) else None
    return f'{path}["{known}"]' if known else f"{path}[{index}]"


def _wrong(start: str, path: str, reason: str) -> ValueError:
    return ValueError(f"{start}: {path}: {reason}" if path else f"{start}: {reason}")


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or 1.2 would read as something else than a string."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal parts are written out."""
        return True


class _Loader(SafeLoader):
    """YAML 1.2 core: null, booleans, numbers, all else a string; no key is given twice."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        """A mapping whose keys are all different."""
        pairs: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in pairs:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", key_node.start_mark
                )
            pairs[key] = self.construct_object(value_node, deep=True)
        return pairs

    def integer(self, node: yaml.ScalarNode) -> int:
        """Decimal, `0o` octal or `0x` hexadecimal; a leading zero changes nothing."""
        text = self.construct_scalar(node)
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
        r"|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}",
            re.compile(rf"^(?:{_pattern})$"),
            ["" if first == "\0" else first for first in _first],
        )
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.integer)
