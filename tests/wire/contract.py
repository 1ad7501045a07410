"""The contract as the tests see it: descriptors that protoc wrote, in a pool of their own.

A pool of its own, because the package `detente` puts the same messages into protobuf's own one.
"""

import dataclasses
import functools
import os
import pathlib
from typing import Any

from google.protobuf import descriptor, descriptor_pb2, descriptor_pool, message_factory

SOURCE_DIR = pathlib.Path(os.environ.get("DETENTE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
BINARY_DIR = pathlib.Path(os.environ.get("DETENTE_BINARY_DIR", SOURCE_DIR / "build/release"))


def read_set(file: str) -> descriptor_pb2.FileDescriptorSet:
    path = BINARY_DIR / file
    if not path.exists():
        raise FileNotFoundError(f"{path}: not built; `./dev test` builds it")
    return descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())


@dataclasses.dataclass(frozen=True)
class Resource:
    """A message that has a service of standard methods."""

    contract: "Contract"
    descriptor: Any
    service: Any
    type: str  # detente.dev/Release
    collection: str
    singular: str

    @property
    def one(self) -> str:
        return self.descriptor.name  # Release

    @property
    def many(self) -> str:
        return self.collection[0].upper() + self.collection[1:]  # Releases

    def new(self, **fields: Any) -> Any:
        return self.contract.new(self.descriptor.full_name, **fields)

    def __repr__(self) -> str:
        return self.collection


class Contract:
    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self.files = files
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:  # protoc puts what is imported first
            self.pool.Add(file)

    def new(self, full_name: str, **fields: Any) -> Any:
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(full_name))(**fields)

    def own_files(self) -> list[Any]:
        names = [f.name for f in self.files.file if f.package == "detente.v1"]
        return [self.pool.FindFileByName(name) for name in names]

    @functools.cached_property
    def services(self) -> list[Any]:
        return [s for file in self.own_files() for s in file.services_by_name.values()]

    @functools.cached_property
    def resources(self) -> list[Resource]:
        found = []
        for service in self.services:
            get = service.methods_by_name.get("Get" + service.name.removesuffix("Service"))
            if get is None or "citations" not in get.output_type.fields_by_name:
                continue  # across resources, or of something that is no record
            option = self.option(get.output_type, "google.api.resource")
            found.append(
                Resource(
                    self,
                    get.output_type,
                    service,
                    option.type,
                    option.plural,
                    option.singular,
                )
            )
        return found

    def resource(self, collection: str) -> Resource:
        return next(r for r in self.resources if r.collection == collection)

    def option(self, element: Any, extension: str) -> Any:
        """An extension of the element's options, at its default where it is not set."""
        options = element.GetOptions()
        own = self.new(options.DESCRIPTOR.full_name)
        own.ParseFromString(options.SerializeToString())
        return own.Extensions[self.pool.FindExtensionByName(extension)]

    @functools.cache  # noqa: B019 - one contract for the whole run
    def behavior(self, field: Any) -> frozenset[str]:
        enum = self.pool.FindEnumTypeByName("google.api.FieldBehavior")
        numbers = self.option(field, "google.api.field_behavior")
        return frozenset(enum.values_by_number[n].name for n in numbers)

    @functools.cache  # noqa: B019
    def reference(self, field: Any) -> str:
        """The type that the field refers to; empty where it refers to none."""
        return self.option(field, "google.api.resource_reference").type

    @functools.cache  # noqa: B019
    def element_reference(self, field: Any) -> Any:
        return self.option(field, "detente.v1.element_reference")


def is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def repeated(field: Any) -> bool:
    return field.is_repeated


def messages(container: Any) -> list[Any]:
    """A file's messages, nested ones too, without the entries of maps."""
    nested = (
        container.message_types_by_name
        if isinstance(container, descriptor.FileDescriptor)
        else container.nested_types_by_name
    )
    found = []
    for message in nested.values():
        if not message.GetOptions().map_entry:
            found += [message, *messages(message)]
    return found


@functools.cache
def detente() -> Contract:
    return Contract(read_set("detente.pb"))


@functools.cache
def specimen() -> Contract:
    """The contract with the one resource more that only the tests have."""
    return Contract(read_set("specimen.pb"))
