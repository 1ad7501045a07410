#!/usr/bin/env python3
"""Writes the Lua filter of deploy/envoy.yaml: tables of what JSON bodies may hold, then its code.

generate_fields.py openapi.json deploy/known_fields.lua OUTPUT
"""

import json
import pathlib
import re
import sys
from typing import Any

PREFIX = "#/components/schemas/"


def bodies(document: dict[str, Any]) -> tuple[dict[str, str], set[str]]:
    """From `PATCH /v1/persons/*` to the message that the body is; those that may be left out."""
    found, optional = {}, set()
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if body := operation.get("requestBody"):
                schema = body["content"]["application/json"]["schema"]
                message = schema["$ref"].removeprefix(PREFIX)
                found[f"{verb.upper()} {re.sub('{[^}]*}', '*', path)}"] = message
                if not body["required"]:
                    optional.add(message)
    return found, optional


def fields(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """From a message to its fields, in both spellings of ProtoJSON, to the messages below."""
    schemas = document["components"]["schemas"]
    return {
        name: {
            spelling: below(schema, schemas)
            for field, schema in message["properties"].items()
            for spelling in (field, camel(field))
        }
        for name, message in schemas.items()
        if message["type"] == "object"
    }


def below(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The message that a field holds, `*` for an Any; empty for what has no fields."""
    schema = schema.get("items", schema)
    if "oneOf" in schema:
        return "*"
    name = str(schema.get("$ref", "")).removeprefix(PREFIX)
    return name if name and schemas[name]["type"] == "object" else ""


def camel(field: str) -> str:
    return re.sub("_([a-z])", lambda m: m[1].upper(), field)


def lua(value: dict[str, Any] | str) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'["{k}"] = {lua(v)}' for k, v in value.items()) + "}"
    return f'"{value}"' if value else "false"


def main() -> None:
    source, code, target = map(pathlib.Path, sys.argv[1:])
    document = json.loads(source.read_text())
    messages, optional = bodies(document)
    lines = [f"  {lua({k: v})[1:-1]}," for k, v in fields(document).items()]
    target.write_text(
        "-- Written by proto/generate_fields.py; edit that.\n"
        f"local BODIES = {lua(messages)}\n"
        f"local OPTIONAL = {{{', '.join(f'{name} = true' for name in sorted(optional))}}}\n"
        "local FIELDS = {\n" + "\n".join(lines) + "\n}\n\n" + code.read_text()
    )


if __name__ == "__main__":
    main()
