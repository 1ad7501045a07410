"""The contract keeps its conventions, and each is seen to be broken. Part of `./dev lint`."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from wire import contract, conventions
from wire.contract import Contract


@pytest.mark.parametrize("rule", conventions.RULES, ids=lambda r: r.__name__)
def test_the_contract_keeps(rule: Callable) -> None:
    assert list(rule(contract.detente())) == []


def test_every_exception_is_needed() -> None:
    detente = contract.detente()
    names = {f.name for f in conventions.all_fields(detente)}
    assert set(conventions.PREPOSITIONS) <= names
    assert set(conventions.NO_PLURAL) <= names
    assert set(conventions.FOREIGN_IDS) <= names
    values = {f"{e.full_name}.{v.name}" for e in conventions.all_enums(detente) for v in e.values}
    assert set(conventions.PREFIXED) <= values
    assert set(conventions.DATES) <= {f.full_name for f in conventions.all_fields(detente)}
    assert set(conventions.FREE_ENUMS) <= {e.full_name for e in conventions.all_enums(detente)}


def test_the_contract_has_the_resources_of_the_model() -> None:
    found = [r.collection for r in contract.detente().resources]
    assert sorted(found) == [
        "commitments",
        "detentions",
        "events",
        "exchanges",
        "measures",
        "negotiations",
        "organizations",
        "persons",
        "releases",
        "sources",
        "statements",
        "tallies",
    ]


# --- Each rule broken once ----------------------------------------------------------------------


class Draft:
    """A copy of the contract's files to spoil."""

    def __init__(self) -> None:
        self.files = descriptor_pb2.FileDescriptorSet()
        self.files.CopyFrom(contract.detente().files)

    def file(self, name: str) -> Any:
        return next(f for f in self.files.file if f.name == f"detente/v1/{name}.proto")

    def message(self, file: str, *names: str) -> Any:
        found = self.file(file).message_type
        for name in names:
            message = next(m for m in found if m.name == name)
            found = message.nested_type
        return message

    def field(self, file: str, *names: str) -> Any:
        return next(f for f in self.message(file, *names[:-1]).field if f.name == names[-1])

    def method(self, name: str) -> Any:
        service = self.file("release_service").service[0]
        return next(m for m in service.method if m.name == name)


def set_option(element: Any, extension: str, value: Any) -> None:
    """Replaces an extension of the element's options; None removes it."""
    detente = contract.detente()
    options = detente.new(element.options.DESCRIPTOR.full_name)
    options.ParseFromString(element.options.SerializeToString())
    key = detente.pool.FindExtensionByName(extension)
    options.ClearExtension(key)
    if isinstance(value, list):
        options.Extensions[key].extend(value)
    elif value is not None:
        for name, text in value.items():
            setattr(options.Extensions[key], name, text)
    element.options.Clear()
    element.options.MergeFromString(options.SerializeToString())


def rename(name: str) -> Callable:
    return lambda element: setattr(element, "name", name)


def number(value: int) -> Callable:
    return lambda element: setattr(element, "number", value)


def uncomment(draft: Draft) -> None:
    locations = draft.file("release").source_code_info.location
    next(x for x in locations if list(x.path) == [4, 0, 2, 20]).ClearField("leading_comments")


def unnest(draft: Draft) -> None:
    added = draft.file("release").enum_type.add(name="Loose")
    added.value.add(name="LOOSE_UNSPECIFIED", number=0)


def last_enum(draft: Draft) -> Any:
    return draft.message("release", "Release").enum_type[0]


def add_field(draft: Draft, name: str, value: int, kind: int = 9) -> None:
    draft.message("release", "Release").field.add(name=name, number=value, type=kind, label=1)


F = descriptor_pb2.FieldDescriptorProto
RELEASE = "release", "Release"
REQUEST = "release_service", "GetReleaseRequest"
BROKEN = {
    "common_fields: another number": ("note", lambda d: number(16)(d.field(*RELEASE, "note"))),
    "common_fields: another name": ("note", lambda d: rename("notes")(d.field(*RELEASE, "note"))),
    "common_fields: another type": (
        "note",
        lambda d: setattr(d.field(*RELEASE, "note"), "type", F.TYPE_BYTES),
    ),
    "common_fields: another behavior": (
        "uid",
        lambda d: set_option(d.field(*RELEASE, "uid"), "google.api.field_behavior", None),
    ),
    "common_fields: own below 20": ("own fields", lambda d: add_field(d, "early", 17)),
    "element_ids": (
        "participants",
        lambda d: rename("key")(d.field(*RELEASE, "Participant", "id")),
    ),
    "resource_option": (
        "pattern",
        lambda d: set_option(
            d.message(*RELEASE),
            "google.api.resource",
            {"type": "detente.dev/Release", "singular": "release", "plural": "releases"},
        ),
    ),
    "standard_methods: missing": (
        "UndeleteRelease",
        lambda d: rename("RestoreRelease")(d.method("UndeleteRelease")),
    ),
    "standard_methods: answer": (
        "DeleteRelease",
        lambda d: setattr(
            d.method("DeleteRelease"), "output_type", ".detente.v1.GetReleaseRequest"
        ),
    ),
    "standard_methods: http": (
        "get /v1",
        lambda d: set_option(
            d.method("GetRelease"), "google.api.http", {"get": "/v2/{name=releases/*}"}
        ),
    ),
    "standard_methods: signature": (
        "signature",
        lambda d: set_option(d.method("GetRelease"), "google.api.method_signature", ["at"]),
    ),
    "http_paths: none": (
        "GetRelease",
        lambda d: set_option(d.method("GetRelease"), "google.api.http", None),
    ),
    "http_paths: twice": (
        "taken",
        lambda d: set_option(
            d.method("GetRelease"), "google.api.http", {"get": "/v1/{name=persons/*}"}
        ),
    ),
    "request_shapes: behavior": (
        "name",
        lambda d: set_option(d.field(*REQUEST, "name"), "google.api.field_behavior", None),
    ),
    "request_shapes: reference": (
        "name",
        lambda d: set_option(
            d.field(*REQUEST, "name"),
            "google.api.resource_reference",
            {"type": "detente.dev/Person"},
        ),
    ),
    "request_shapes: number": ("at", lambda d: number(9)(d.field(*REQUEST, "at"))),
    "enums: first": ("first value", lambda d: rename("NO_MECHANISM")(last_enum(d).value[0])),
    "enums: prefix": ("prefix", lambda d: rename("MECHANISM_PARDON")(last_enum(d).value[1])),
    "enums: case": ("UPPER", lambda d: rename("Pardon")(last_enum(d).value[1])),
    "enums: free": ("nested", unnest),
    "field_names: case": ("snake_case", lambda d: add_field(d, "camelCase", 50)),
    "field_names: reserved": ("reserved", lambda d: add_field(d, "class", 50)),
    "field_names: preposition": ("preposition", lambda d: add_field(d, "freed_from", 50)),
    "field_names: is": ("is_", lambda d: add_field(d, "is_large", 50, F.TYPE_BOOL)),
    "field_names: code": ("AIP-143", lambda d: add_field(d, "home_country", 50)),
    "field_names: unsigned": ("one of", lambda d: add_field(d, "size", 50, F.TYPE_UINT32)),
    "field_names: plural": (
        "plural",
        lambda d: rename("transfer")(d.field(*RELEASE, "transfers")),
    ),
    "times_and_dates: time": (
        "_time",
        lambda d: rename("created")(d.field(*RELEASE, "create_time")),
    ),
    "times_and_dates: text": ("_time", lambda d: add_field(d, "swap_time", 50)),
    "times_and_dates: date": (
        "date",
        lambda d: rename("announced")(d.field(*RELEASE, "announce_date")),
    ),
    "references: type": (
        "no detente.dev/Nobody",
        lambda d: set_option(
            d.field(*RELEASE, "negotiation"),
            "google.api.resource_reference",
            {"type": "detente.dev/Nobody"},
        ),
    ),
    "references: kind": (
        "a string",
        lambda d: setattr(d.field(*RELEASE, "negotiation"), "type", F.TYPE_BYTES),
    ),
    "references: list": (
        "no list",
        lambda d: set_option(
            d.field("commitment", "Commitment", "term_id"),
            "detente.v1.element_reference",
            {"record": "negotiation", "list": "nothing"},
        ),
    ),
    "references: record": (
        "refers to no one record",
        lambda d: set_option(
            d.field("commitment", "Commitment", "term_id"),
            "detente.v1.element_reference",
            {"record": "note", "list": "terms"},
        ),
    ),
    "references: id": (
        "the id of what",
        lambda d: set_option(
            d.field("commitment", "Commitment", "term_id"), "detente.v1.element_reference", None
        ),
    ),
    "behaviors": (
        "one field behavior",
        lambda d: set_option(d.field(*RELEASE, "uid"), "google.api.field_behavior", [2, 3]),
    ),
    "comments": ("a comment", uncomment),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_seen(case: str) -> None:
    words, spoil = BROKEN[case]
    draft = Draft()
    spoil(draft)
    rule = getattr(conventions, case.split(":")[0])
    found = list(rule(Contract(draft.files)))
    assert any(words in finding for finding in found), found
    assert all(re.fullmatch(".+: .+", finding) for finding in found)


def test_every_rule_is_broken_once() -> None:
    assert {case.split(":")[0] for case in BROKEN} == {r.__name__ for r in conventions.RULES}
