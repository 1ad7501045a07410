#!/usr/bin/env python3
"""Writes openapi.json: the contract over HTTP and JSON, as deploy/envoy.yaml speaks it.

    generate_openapi.py detente.pb openapi.json

Everything follows from the descriptors: paths from google.api.http, descriptions from comments.
OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
"""

import json
import pathlib
import re
import sys
from collections.abc import Iterator, Set
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
)

Json = dict[str, Any]

PACKAGE = "detente.v1."
INTEGER = {FieldDescriptor.CPPTYPE_INT32: "int32", FieldDescriptor.CPPTYPE_UINT32: "uint32"}
LONG = {FieldDescriptor.CPPTYPE_INT64: "int64", FieldDescriptor.CPPTYPE_UINT64: "uint64"}
# Messages that JSON writes as something else (ProtoJSON).
WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
}
# What the `details` of an error hold.
DETAILS = ("ErrorInfo", "BadRequest", "PreconditionFailure", "RetryInfo")

ABOUT = """\
Records of releases, detentions and exchanges of prisoners: dated, sourced and versioned.

Fields have the names of the .proto files; requests may write them in lowerCamelCase too. Fields \
at their default (0, `""`, `false`, an empty list) are left out of answers. 64-bit numbers are \
strings. Unknown query parameters and unknown fields are an error.

Errors are a `google.rpc.Status`; the HTTP status follows from its `code`: 400 INVALID_ARGUMENT, \
FAILED_PRECONDITION, OUT_OF_RANGE; 404 NOT_FOUND; 409 ALREADY_EXISTS, ABORTED; 429 \
RESOURCE_EXHAUSTED; 499 CANCELLED; 500 INTERNAL; 501 UNIMPLEMENTED; 503 UNAVAILABLE; 504 \
DEADLINE_EXCEEDED."""

ACTOR = {
    "name": "detente-actor",
    "in": "header",
    "description": "Who makes the call, kept on the commit: UTF-8 of at most 256 bytes, "
    "percent-encoded. It is what the caller says of itself, and proves nothing.",
    "schema": {"type": "string"},
}


def comments_of(files: descriptor_pb2.FileDescriptorSet) -> dict[str, str]:
    """The comment above each element, by its full name; a value's is below its enum."""
    found: dict[str, str] = {}
    for file in files.file:
        for location in file.source_code_info.location:
            if not location.leading_comments:
                continue
            element, names, path = file, [file.package], list(location.path)
            while path and path[0] in element.DESCRIPTOR.fields_by_number:
                field = element.DESCRIPTOR.fields_by_number[path.pop(0)]
                if not path or field.name == "options":
                    break
                element = getattr(element, field.name)[path.pop(0)]
                names.append(element.name)
            else:
                text = re.sub(r"^ ", "", location.leading_comments.strip("\n"), flags=re.M)
                # Lines are joined, paragraphs and lists stay.
                text = re.sub(r"(?<!\n)\n(?![\n*-])", " ", text.strip())
                found[".".join(names)] = text
    return found


class OpenApi:
    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self._pool.Add(file)
        self._comments = comments_of(files)
        own = [f.name for f in files.file if f.package == PACKAGE.removesuffix(".")]
        self._services = [
            service
            for name in own
            for service in self._pool.FindFileByName(name).services_by_name.values()
        ]
        self._records = [
            message
            for name in own
            for message in self._pool.FindFileByName(name).message_types_by_name.values()
            if resource_of(message) and "citations" in message.fields_by_name
        ]
        # Of records, and of commits and snapshots.
        self._singular = {
            resource.plural: resource.singular
            for name in own
            for message in self._pool.FindFileByName(name).message_types_by_name.values()
            if (resource := resource_of(message))
        }
        self._schemas: Json = {}
        self._answered: set[str] = set()  # messages that answers hold

    def document(self) -> Json:
        status = self._pool.FindMessageTypeByName("google.rpc.Status")
        methods = [m for s in self._services for m in s.methods if rule_of(m)]
        for method in methods:
            self._mark(method.output_type)
        for record in self._records:
            self._mark(record)
        paths: Json = {}
        for method in methods:
            path, verb, operation = self._operation(method)
            paths.setdefault(path, {})[verb] = operation
        error = self._reference(status)
        return {
            "openapi": "3.1.1",
            "info": {
                "title": "Détente",
                "version": "v1",
                "description": ABOUT,
                "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [
                {"name": service.name, "description": self._about(service)}
                for service in self._services
                if any(m.containing_service is service for m in methods)
            ],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(self._schemas.items())),
                "parameters": {"Actor": ACTOR},
                "responses": {
                    "Error": {
                        "description": "What went wrong.",
                        "content": {"application/json": {"schema": error}},
                    }
                },
            },
        }

    # --- Operations -----------------------------------------------------------------------------

    def _operation(self, method: MethodDescriptor) -> tuple[str, str, Json]:
        rule = rule_of(method)
        assert rule is not None
        verb, template, body = rule
        path, parameters, bound = self._path(template)
        request = method.input_type
        if body != "*":
            parameters += [
                parameter
                for field in request.fields
                if field.name not in bound and field.name != body
                for parameter in self._query(field)
            ]
        operation: Json = {
            "tags": [method.containing_service.name],
            "operationId": method.name,
            "description": self._about(method),
        }
        if verb != "get":
            parameters.append({"$ref": "#/components/parameters/Actor"})
        if parameters:
            operation["parameters"] = parameters
        if body == "*":
            operation["requestBody"] = content(self._reference(request, without=bound))
            operation["requestBody"]["required"] = any(
                is_required(f) for f in request.fields if f.name not in bound
            )
        elif body:
            field = request.fields_by_name[body]
            operation["requestBody"] = content(self._reference(field.message_type))
            operation["requestBody"]["description"] = self._about(field)
            operation["requestBody"]["required"] = True
        success = content(self._reference(method.output_type))
        success["description"] = "The answer."
        if method.server_streaming:
            success["description"] = "The answers, one a line."
        operation["responses"] = {
            "200": success,
            "default": {"$ref": "#/components/responses/Error"},
        }
        return path, verb, operation

    def _path(self, template: str) -> tuple[str, list[Json], set[str]]:
        """`/v1/{name=releases/*}:undelete` is `/v1/releases/{release}:undelete`; the fields of the
        request that the path gives are the third."""
        parameters: list[Json] = []
        bound: set[str] = set()

        def expand(match: re.Match[str]) -> str:
            bound.add(match[1].partition(".")[0])
            names = iter(["collection", "id"])

            def parameter(segment: str, before: str) -> str:
                if segment != "*":
                    return segment
                name = self._singular.get(before) or next(names)
                schema: Json = {"type": "string"}
                if name == "collection":
                    schema["enum"] = sorted(resource_of(r).plural for r in self._records)
                about = {"collection": "Of which collection.", "id": "The record's id."}
                parameters.append(
                    {
                        "name": name,
                        "in": "path",
                        "required": True,
                        "description": about.get(
                            name, f"The {name}'s id: what follows `{before}/` in its name."
                        ),
                        "schema": schema,
                    }
                )
                return f"{{{name}}}"

            segments = match[2].split("/")
            before = ["", *segments]
            return "/".join(parameter(s, b) for s, b in zip(segments, before, strict=False))

        return re.sub(r"\{([\w.]+)=([^}]*)\}", expand, template), parameters, bound

    def _query(
        self, field: FieldDescriptor, prefix: str = "", about: str = "", required: bool = False
    ) -> Iterator[Json]:
        """The query parameters of a field; of a message, one for each of its fields."""
        message = field.message_type
        about = f"{about} {self._about(field)}".strip()
        required = required or is_required(field)
        if message and message.full_name not in WELL_KNOWN:
            assert not field.is_repeated, f"{field.full_name} is not possible in a query"
            for inner in message.fields:
                yield from self._query(inner, f"{prefix}{field.name}.", about, required)
            return
        parameter: Json = {
            "name": prefix + field.name,
            "in": "query",
            "description": about,
            "schema": self._field(field),
        }
        if required:
            parameter["required"] = True
        yield parameter

    def _about(self, element: Any, value: str = "") -> str:
        name = f"{element.full_name}.{value}" if value else element.full_name
        return self._comments.get(name, "")

    # --- Schemas --------------------------------------------------------------------------------

    def _mark(self, message: Descriptor) -> None:
        if message.full_name not in self._answered:
            self._answered.add(message.full_name)
            for field in message.fields:
                if field.message_type:
                    self._mark(field.message_type)

    def _reference(
        self, element: Descriptor | EnumDescriptor, without: Set[str] = frozenset()
    ) -> Json:
        name = element.full_name.removeprefix(PACKAGE)
        if name not in self._schemas:
            self._schemas[name] = {}  # a message may hold itself
            self._schemas[name] = (
                self._enum(element)
                if isinstance(element, EnumDescriptor)
                else self._message(element, without)
            )
        return {"$ref": f"#/components/schemas/{name}"}

    def _message(self, message: Descriptor, without: Set[str]) -> Json:
        fields = [f for f in message.fields if f.name not in without]
        schema: Json = {"type": "object"}
        if about := self._about(message):
            schema["description"] = about
        schema["properties"] = {f.name: self._property(f) for f in fields}
        # Masks leave fields out of answers.
        required = [f.name for f in fields if is_required(f)]
        if required and message.full_name not in self._answered:
            schema["required"] = required
        choices = [[f.name for f in o.fields] for o in message.oneofs if not is_optional(o)]
        if choices:
            schema["allOf"] = [at_most_one(names) for names in choices]
        return schema

    def _enum(self, enum: EnumDescriptor) -> Json:
        lines = [self._about(enum), ""]
        for value in enum.values:
            lines.append(f"* `{value.name}`: {self._about(enum, value.name)}")
        return {
            "type": "string",
            "description": "\n".join(lines).strip(),
            "enum": [value.name for value in enum.values],
        }

    def _property(self, field: FieldDescriptor) -> Json:
        schema = self._field(field)
        about = self._about(field)
        behavior = behavior_of(field)
        if "REQUIRED" in behavior and field.containing_type.full_name in self._answered:
            about += " Required in writes."
        if about:
            schema["description"] = about
        if "OUTPUT_ONLY" in behavior:
            schema["readOnly"] = True
        return schema

    def _field(self, field: FieldDescriptor) -> Json:
        if field.message_type and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            return {"type": "object", "additionalProperties": self._value(value)}
        if field.is_repeated:
            return {"type": "array", "items": self._value(field)}
        return self._value(field)

    def _value(self, field: FieldDescriptor) -> Json:
        if field.enum_type:
            return self._reference(field.enum_type)
        if field.message_type:
            return self._message_value(field)
        kind = field.cpp_type
        if kind in INTEGER:
            return {"type": "integer", "format": INTEGER[kind]}
        if kind in LONG:
            return {"type": "string", "format": LONG[kind], "pattern": "^-?[0-9]+$"}
        if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return {"type": "number"}
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return {"type": "string"}

    def _message_value(self, field: FieldDescriptor) -> Json:
        message = field.message_type
        if message.full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[message.full_name])
        if message.full_name != "google.protobuf.Any":
            return self._reference(message)
        if field.full_name == "google.rpc.Status.details":
            found = [self._pool.FindMessageTypeByName(f"google.rpc.{name}") for name in DETAILS]
            for detail in found:
                self._mark(detail)
        else:
            found = self._records
        return {"oneOf": [self._any(m) for m in found]}

    def _any(self, message: Descriptor) -> Json:
        own: Json = {"@type": {"const": f"type.googleapis.com/{message.full_name}"}}
        if message.full_name == "google.rpc.ErrorInfo":  # a string there, an enum here
            own["reason"] = self._reference(self._pool.FindEnumTypeByName(f"{PACKAGE}ErrorReason"))
        return {
            "allOf": [
                self._reference(message),
                {"type": "object", "properties": own, "required": ["@type"]},
            ]
        }


def content(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def at_most_one(names: list[str]) -> Json:
    given = [{"required": [name]} for name in names]
    return {"oneOf": [*given, {"not": {"anyOf": given}}]}


def is_optional(oneof: Any) -> bool:
    """Whether it is the one that protoc makes of an `optional` field."""
    return len(oneof.fields) == 1 and oneof.name == f"_{oneof.fields[0].name}"


def rule_of(method: MethodDescriptor) -> tuple[str, str, str] | None:
    """HTTP verb, path template and body of a method; none where it is not there in HTTP."""
    rule = copied(method, annotations_pb2.http)
    verb = rule.WhichOneof("pattern")
    return (verb, getattr(rule, verb), rule.body) if verb else None


def resource_of(message: Descriptor) -> Any:
    resource = copied(message, resource_pb2.resource)
    return resource if resource.type else None


def behavior_of(field: FieldDescriptor) -> set[str]:
    numbers = copied(field, field_behavior_pb2.field_behavior)
    return {field_behavior_pb2.FieldBehavior.Name(n) for n in numbers}


def is_required(field: FieldDescriptor) -> bool:
    return "REQUIRED" in behavior_of(field)


def copied(element: Any, extension: Any) -> Any:
    """An option as the module of its extension has it; a pool of one's own does not know those."""
    options = element.GetOptions()
    own = getattr(descriptor_pb2, extension.containing_type.name)()
    own.ParseFromString(options.SerializeToString())
    return own.Extensions[extension]


def main() -> None:
    source, target = map(pathlib.Path, sys.argv[1:])
    files = descriptor_pb2.FileDescriptorSet.FromString(source.read_bytes())
    document = OpenApi(files).document()
    target.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
