"""Records of any resource, made from its descriptor."""

import itertools
from typing import Any

from wire.calls import Client
from wire.contract import Contract, Resource, is_map, repeated

ELEMENT = "e1"  # the id of the first element of every list
COMMON = 7  # fields up to this number are the server's or the record's identity

TEXTS = {
    "region_code": "BY",
    "nationalities": "BY",
    "subdivision_code": "BY-HM",
    "language_code": "be",
    "script_code": "Cyrl",
    "currency_code": "USD",
    "restricted_fields": "note",
    "asserted_value": '"other"',
}

_numbers = itertools.count(1)


def new_id(prefix: str = "r") -> str:
    """An id that no test has used."""
    return f"{prefix}-{next(_numbers)}"


class World:
    """Fills records, and makes the records that they refer to, one for each collection."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.contract: Contract = client.contract
        self._made: dict[str, str] = {}
        self._making: list[str] = []

    def record(self, resource: Resource) -> Any:
        """A record with every field that a caller may set, every list of one element."""
        record = resource.new()
        self._fill(record, root=True, optional=True)
        return record

    def least(self, resource: Resource) -> Any:
        """A record with what is required of it only."""
        record = resource.new()
        self._fill(record, root=True, optional=False, least=True)
        return record

    def reference(self, collection: str) -> str:
        """The name of a record to refer to. It has an element ELEMENT in its lists."""
        if collection not in self._made:
            resource = self.contract.resource(collection)
            self._making.append(resource.type)
            record = resource.new()
            self._fill(record, root=True, optional=False)
            name = self.client.of(collection).create(record, new_id("seed")).name
            self._making.pop()
            self._made[collection] = name
        return self._made[collection]

    def _fill(self, message: Any, root: bool, optional: bool, least: bool = False) -> None:
        for field in message.DESCRIPTOR.fields:
            behavior = self.contract.behavior(field)
            required = "REQUIRED" in behavior
            if "OUTPUT_ONLY" in behavior or (root and field.number <= COMMON):
                continue
            if least and not required:
                continue
            oneof = field.containing_oneof
            if oneof is not None and message.WhichOneof(oneof.name) not in (None, field.name):
                continue
            if is_map(field):
                getattr(message, field.name)["key"] = "value"
            elif field.message_type is not None:
                child = field.message_type.full_name
                if not required and not optional and not self._can_make(field.message_type):
                    continue
                if repeated(field):
                    self._fill_message(getattr(message, field.name).add(), child, optional, least)
                else:
                    self._fill_message(getattr(message, field.name), child, optional, least)
            elif (value := self._scalar(field, required, optional)) is not None:
                if repeated(field):
                    getattr(message, field.name).append(value)
                else:
                    setattr(message, field.name, value)

    def _can_make(self, descriptor: Any) -> bool:
        """Whether the message asks for no reference to a record that is being made."""
        return not any(
            "REQUIRED" in self.contract.behavior(f) and self.contract.reference(f) in self._making
            for f in descriptor.fields
        )

    def _fill_message(self, message: Any, full_name: str, optional: bool, least: bool) -> None:
        message.SetInParent()
        if full_name == "detente.v1.UncertainDate":
            message.edtf, message.state = "2025-12-13", 1
        elif full_name == "detente.v1.Estimate":
            message.low, message.best, message.high = 1, 2, 3
            message.text = "one to three"
        elif full_name == "google.type.LatLng":
            message.latitude, message.longitude = 53.9, 27.5
        elif full_name == "google.protobuf.Timestamp":
            message.seconds, message.nanos = 1765584000, 5000
        else:
            self._fill(message, root=False, optional=optional, least=least)

    def _scalar(self, field: Any, required: bool, optional: bool) -> Any:
        if field.enum_type is not None:
            return field.enum_type.values[1].number
        if field.type == field.TYPE_STRING:
            return self._text(field, required, optional)
        if field.type == field.TYPE_BYTES:
            return b"\x00\xff"
        if field.type == field.TYPE_BOOL:
            return True
        return 1.5 if field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT) else 7

    def _text(self, field: Any, required: bool, optional: bool) -> str | None:
        if type_name := self.contract.reference(field):
            if not required and not optional:
                return None
            if type_name == "*":
                return self.reference("sources")
            target = next(r for r in self.contract.resources if r.type == type_name)
            return self.reference(target.collection)
        if self.contract.element_reference(field).list:
            of_another = bool(self.contract.element_reference(field).record)
            return None if of_another and not optional else ELEMENT
        if field.name == "id":
            return ELEMENT
        if field.full_name == "detente.v1.Citation.fields":
            return "display_name"
        for name, text in TEXTS.items():
            if field.name == name or field.name.endswith("_" + name):
                return text
        if field.name == "url" or field.name.endswith("_url"):
            return "https://example.org/" + field.name
        if field.name.endswith("_sha256"):
            return "0123456789abcdef" * 4
        return field.name.replace("_", " ")


def content(record: Any, contract: Contract) -> Any:
    """The record without what the server says of it: what a caller sent."""
    copy = type(record)()
    copy.CopyFrom(record)
    _clear_output(copy, contract, root=True)
    return copy


def _clear_output(message: Any, contract: Contract, root: bool) -> None:
    for field, value in message.ListFields():
        if "OUTPUT_ONLY" in contract.behavior(field) or (root and field.number <= COMMON):
            message.ClearField(field.name)
        elif field.message_type is not None and not is_map(field):
            for child in value if repeated(field) else [value]:
                _clear_output(child, contract, root=False)


def newer(message: Any) -> Any:
    """The message as a newer contract would have it: with a field that no server here knows."""
    copy = type(message)()
    copy.CopyFrom(message)
    copy.MergeFromString(b"\xfa\xf0\x04\x03new")
    return copy
