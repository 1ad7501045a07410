"""The reference of the contract, a page for each resource or file, made of what protoc wrote."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from detente.v1 import options_pb2
from google.api import annotations_pb2, field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).parents[2]
PACKAGE = "detente.v1"
FIELD = descriptor_pb2.FieldDescriptorProto
BEHAVIORS = field_behavior_pb2.FieldBehavior


class Element:
    """A message, enum or service, its name below the package, and where its comments are."""

    def __init__(self, file: Any, proto: Any, name: str, path: tuple[int, ...], page: str) -> None:
        self.file, self.proto, self.name, self.path, self.page = file, proto, name, path, page


class Contract:
    """The descriptors of one package, and the page of each message and enum."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self.files = [file for file in files.file if file.package == PACKAGE]
        self.comments = {
            (file.name, tuple(location.path)): location.leading_comments
            for file in self.files
            for location in file.source_code_info.location
        }
        self.elements = [element for file in self.files for element in _elements(file)]
        self.named = {e.name: e for e in self.elements}
        self.resources = {
            e.proto.options.Extensions[resource_pb2.resource].type: e
            for e in self.elements
            if isinstance(e.proto, descriptor_pb2.DescriptorProto)
            and e.proto.options.HasExtension(resource_pb2.resource)
        }

    def comment(self, element: Element, *path: int) -> str:
        """What the contract says of an element, or of a part of it, on one line."""
        text = self.comments.get((element.file.name, element.path + path), "")
        return prose(" ".join(text.split()))

    def link(self, name: str, page: str) -> str:
        """A type's name: a link where it is one of ours."""
        element = self.named.get(name.removeprefix(f".{PACKAGE}."))
        if element is None:
            return name.rpartition(".")[2]  # google.protobuf.Timestamp and the like
        return f"[{element.name}]({element.page}.md#{slug(element.name)})"


def read() -> Contract:
    """The contract as it was built."""
    binary = Path(os.environ.get("DETENTE_BINARY_DIR", ROOT / "build/release"))
    return Contract(
        descriptor_pb2.FileDescriptorSet.FromString((binary / "detente.pb").read_bytes())
    )


def slug(title: str) -> str:
    """The anchor that MyST, as GitHub, gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def prose(text: str) -> str:
    """A comment as Markdown: what is not in backticks has no marks."""
    parts = re.split(r"(`[^`]*`)", text)
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(r"([*_<>\[\]{}$|\\])", r"\\\1", parts[number])
    return re.sub(r"docs/(\w+)\.md", r"[\g<0>](../\1.md)", "".join(parts))


def cell(text: str) -> str:
    """The same in a table, where a bar ends the cell also within code."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def page_of(file: str) -> str:
    return Path(file).stem.removesuffix("_service")


def _elements(file: Any) -> Iterator[Element]:
    page = page_of(file.name)

    def below(proto: Any, outer: str, path: tuple[int, ...]) -> Iterator[Element]:
        name = f"{outer}{proto.name}"
        yield Element(file, proto, name, path, page)
        for number, nested in enumerate(proto.nested_type):
            if not nested.options.map_entry:
                yield from below(nested, f"{name}.", (*path, 3, number))
        for number, nested in enumerate(proto.enum_type):
            yield Element(file, nested, f"{name}.{nested.name}", (*path, 4, number), page)

    for number, proto in enumerate(file.service):
        yield Element(file, proto, proto.name, (6, number), page)
    for number, proto in enumerate(file.message_type):
        yield from below(proto, "", (4, number))
    for number, proto in enumerate(file.enum_type):
        yield Element(file, proto, proto.name, (5, number), page)


def pages() -> dict[str, str]:
    """The pages by their place in the site, with an index of them."""
    contract = read()
    by_page: dict[str, list[Element]] = {}
    for file in sorted(contract.files, key=lambda file: file.name):  # a service's file is second
        by_page.setdefault(page_of(file.name), [])
    for element in contract.elements:
        by_page[element.page].append(element)
    found = {f"proto/{page}.md": text(contract, page, e) for page, e in by_page.items()}
    return found | {"proto/index.md": index(contract, by_page)}


def title(contract: Contract, page: str, elements: list[Element]) -> str:
    """A resource's name, or what the file is called."""
    for element in elements:
        if element in contract.resources.values():
            return element.name
    services = [
        e.name for e in elements if isinstance(e.proto, descriptor_pb2.ServiceDescriptorProto)
    ]
    return services[0] if services else page.replace("_", " ").capitalize()


def index(contract: Contract, by_page: Mapping[str, list[Element]]) -> str:
    titles = {page: title(contract, page, elements) for page, elements in by_page.items()}
    records = sorted(e.page for e in contract.resources.values())
    others = sorted(set(by_page) - set(records))
    lines = [
        "# Proto reference",
        "",
        f"The contract, package `{PACKAGE}`, as the server was built from it. Each page has the",
        "messages, enums and services of one kind of record, or of one file; over HTTP the paths",
        "stand below the methods.",
    ]
    for heading, names in (("Records", records), ("Shared by all, and other services", others)):
        lines += ["", f"## {heading}", "", "| | |", "|---|---|"]
        for name in names:
            told = about(contract, by_page[name])
            lines.append(f"| [{titles[name]}]({name}.md) | {cell(told)} |")
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *records, *others, "```", ""])


def about(contract: Contract, elements: list[Element]) -> str:
    """The comment on the first element, for the index."""
    first = next((e for e in elements if e in contract.resources.values()), None)
    first = first or next(iter(elements), None)
    return contract.comment(first) if first else ""


def text(contract: Contract, page: str, elements: list[Element]) -> str:
    files = sorted({f.name for f in contract.files if page_of(f.name) == page})
    lines = [f"# {title(contract, page, elements)}", ""]
    sources = ", ".join(f"[{Path(f).name}](repository:proto/{f})" for f in files)
    lines += [f"From {sources}.", ""]
    for element in elements:
        if element in contract.resources.values():
            pattern = element.proto.options.Extensions[resource_pb2.resource].pattern[0]
            lines += [f"Names: `{pattern}`", ""]
    records = [e for e in elements if not is_call(e)]
    calls = [e for e in elements if is_call(e)]
    for element in [*records, *sorted(calls, key=lambda e: not is_service(e))]:
        lines += section(contract, element)
    return "\n".join(lines)


def is_service(element: Element) -> bool:
    return isinstance(element.proto, descriptor_pb2.ServiceDescriptorProto)


def is_call(element: Element) -> bool:
    """A service, or what its methods take and answer."""
    return bool(element.file.service)


def section(contract: Contract, element: Element) -> list[str]:
    lines = [f"## {element.name}", "", contract.comment(element), ""]
    if isinstance(element.proto, descriptor_pb2.EnumDescriptorProto):
        return lines + values(contract, element)
    if isinstance(element.proto, descriptor_pb2.ServiceDescriptorProto):
        return lines + methods(contract, element)
    return lines + fields(contract, element)


def values(contract: Contract, element: Element) -> list[str]:
    lines = ["{.reference .short}", "| value | number | meaning |", "|---|---|---|"]
    for number, value in enumerate(element.proto.value):
        told = contract.comment(element, 2, number)
        lines.append(f"| `{value.name}` | {value.number} | {cell(told)} |")
    return [*lines, ""]


def fields(contract: Contract, element: Element) -> list[str]:
    if not element.proto.field:
        return []
    lines = ["{.reference .short}", "| field | type | meaning |", "|---|---|---|"]
    for number, field in enumerate(element.proto.field):
        told = contract.comment(element, 2, number)
        marks = "".join(f" *{mark}*" for mark in behaviors(element, field))
        lines.append(
            f"| `{field.name}` = {field.number} | {cell(type_of(contract, element, field))} |"
            f" {cell(told)}{marks} |"
        )
    return [*lines, ""]


def behaviors(element: Element, field: Any) -> Iterator[str]:
    for behavior in field.options.Extensions[field_behavior_pb2.field_behavior]:
        yield BEHAVIORS.Name(behavior).lower().replace("_", " ")
    if field.proto3_optional:
        yield "may be absent"
    elif field.HasField("oneof_index"):
        yield f"one of {element.proto.oneof_decl[field.oneof_index].name}"
    longest = field.options.Extensions[options_pb2.max_bytes]
    if longest:
        yield f"at most {longest:,} bytes"


def type_of(contract: Contract, element: Element, field: Any) -> str:
    name = field.type_name
    entry = next((n for n in element.proto.nested_type if name.endswith(f".{n.name}")), None)
    if entry is not None and entry.options.map_entry:
        key, value = (kind(contract, element, f) for f in entry.field)
        return f"map of {key} to {value}"
    told = kind(contract, element, field)
    return f"list of {told}" if field.label == FIELD.LABEL_REPEATED else told


def kind(contract: Contract, element: Element, field: Any) -> str:
    if field.type_name:
        return contract.link(field.type_name, element.page)
    told = FIELD.Type.Name(field.type).removeprefix("TYPE_").lower()
    reference = field.options.Extensions[resource_pb2.resource_reference]
    target = contract.resources.get(reference.type)
    if target is not None:
        return f"{told}, a name: {contract.link(target.name, element.page)}"
    if reference.type or reference.child_type:
        return f"{told}, a record's name"
    listed = field.options.Extensions[options_pb2.element_reference]
    if listed.list:
        where = f"`{listed.list}` of {f'`{listed.record}`' if listed.record else 'this record'}"
        return f"{told}, an id in {where}"
    return told


def methods(contract: Contract, element: Element) -> list[str]:
    lines = []
    for number, method in enumerate(element.proto.method):
        takes, gives = (
            ("stream of " if stream else "") + contract.link(name, element.page)
            for name, stream in (
                (method.input_type, method.client_streaming),
                (method.output_type, method.server_streaming),
            )
        )
        lines += [f"### {method.name}", "", contract.comment(element, 2, number), ""]
        lines += [f"Takes {takes}, answers {gives}.", ""]
        lines += [f"{told}\n" for told in paths(method)]
    return lines


def paths(method: Any) -> Iterator[str]:
    """Where a method is over HTTP."""
    rule = method.options.Extensions[annotations_pb2.http]
    for one in (rule, *rule.additional_bindings):
        verb = one.WhichOneof("pattern")
        if verb is None:
            continue
        path = one.custom.path if verb == "custom" else getattr(one, verb)
        name = one.custom.kind if verb == "custom" else verb.upper()
        body = {"": "", "*": ", the request as body"}.get(one.body, f", `{one.body}` as body")
        yield f"`{name} {path}`{body}"
