"""The resources of the contract and their methods, found in its descriptors."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from google.api import field_behavior_pb2, resource_pb2  # type: ignore[import-untyped]
from google.protobuf import message_factory
from google.protobuf.descriptor import (
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message

import detente.v1
from detente import errors


class Method(NamedTuple):
    """One RPC; `path` is what a connection calls, `/detente.v1.ReleaseService/GetRelease`.

    `input` is the type of its requests, `response` that of its answers.
    """

    path: str
    input: type[Any]
    response: type[Any]

    def request(self, **fields: Any) -> Any:
        """A request with these fields; where one holds half a character, the error names it."""
        try:
            return self.input(**fields)
        except UnicodeEncodeError as error:
            raise errors.no_text(_holding(error.object, fields), error.object) from None


class Resource(NamedTuple):
    """One kind of record with its standard methods.

    `collection` is the first part of its names and the field of its records in lists
    (`releases`), `singular` the field of the record in writes (`release`).
    """

    collection: str
    singular: str
    message: type[Message]
    get: Method
    list: Method
    create: Method
    update: Method
    delete: Method
    undelete: Method
    batch_get: Method
    revisions: Method
    rollback: Method

    @property
    def type_name(self) -> str:
        """The name of its message, as in `detente.Release`."""
        return self.message.DESCRIPTOR.name


def collection_of(descriptor: Any) -> str:
    """The collection of a resource message; empty for other messages."""
    resource = descriptor.GetOptions().Extensions[resource_pb2.resource]
    pattern: str = resource.pattern[0] if resource.pattern else ""
    return pattern.partition("/")[0]


def is_repeated(field: Any) -> bool:
    """Whether a field is a list or a map."""
    repeated = getattr(field, "is_repeated", None)  # protobuf 6.31 and later
    return field.label == field.LABEL_REPEATED if repeated is None else bool(repeated)


def is_output_only(field: Any) -> bool:
    """Whether the server makes a field, and ignores what is sent for it."""
    behaviors = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.OUTPUT_ONLY in behaviors


def exported() -> dict[str, Any]:
    """The messages and enums of files without services: what `detente` itself offers by name."""
    return {
        name: getattr(module, name)
        for module in detente.v1.modules()
        if not module.DESCRIPTOR.services_by_name
        for name in (
            *module.DESCRIPTOR.message_types_by_name,
            *module.DESCRIPTOR.enum_types_by_name,
        )
    }


@functools.cache
def resources() -> Mapping[str, Resource]:
    """The resources that have a service, by collection."""
    found = {}
    for module in detente.v1.modules():
        for service in module.DESCRIPTOR.services_by_name.values():
            resource = _resource(service)
            if resource is not None:
                found[resource.collection] = resource
    return dict(sorted(found.items()))


@functools.cache
def method(path: str) -> Method:
    """A method by its path, such as `/detente.v1.RecordService/BatchWrite`."""
    service, _, name = path.strip("/").partition("/")
    for module in detente.v1.modules():
        for descriptor in module.DESCRIPTOR.services_by_name.values():
            if descriptor.full_name == service:
                return _method(descriptor.methods_by_name[name])
    raise LookupError(f"no service {service} in the contract")


def _holding(text: str, fields: Mapping[str, Any]) -> str:
    """Which of the fields has a text, perhaps in a list."""
    for name, value in fields.items():
        if value == text:
            return name
        if isinstance(value, list | tuple) and text in value:
            return f"{name}[{list(value).index(text)}]"
    return "request"


def _method(descriptor: MethodDescriptor) -> Method:
    return Method(
        f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        message_factory.GetMessageClass(descriptor.input_type),
        message_factory.GetMessageClass(descriptor.output_type),
    )


def _resource(service: ServiceDescriptor) -> Resource | None:
    methods = service.methods_by_name
    for name, get in methods.items():
        descriptor = get.output_type
        collection = collection_of(descriptor)
        if not collection or name != f"Get{descriptor.name}":
            continue
        if "citations" not in descriptor.fields_by_name:
            return None  # no record: a commit, a snapshot
        named = {
            "get": name,
            "create": f"Create{descriptor.name}",
            "update": f"Update{descriptor.name}",
            "delete": f"Delete{descriptor.name}",
            "undelete": f"Undelete{descriptor.name}",
            "revisions": f"List{descriptor.name}Revisions",
            "rollback": f"Rollback{descriptor.name}",
        }
        named["list"] = next(n for n in methods if n.startswith("List") and n != named["revisions"])
        named["batch_get"] = next(n for n in methods if n.startswith("BatchGet"))
        update = methods[named["update"]].input_type
        return Resource(
            collection=collection,
            singular=next(f.name for f in update.fields if f.message_type is descriptor),
            message=message_factory.GetMessageClass(descriptor),
            **{verb: _method(methods[method_name]) for verb, method_name in named.items()},
        )
    return None


@functools.cache
def known_to_core(descriptor: Any) -> str:
    """The full name of a message that `_core` knows, also where it was built without its file."""
    from detente import _core

    _core.add_file(descriptor.file.name, descriptor.file.serialized_pb)
    name: str = descriptor.full_name
    return name
