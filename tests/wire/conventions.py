"""The conventions of the contract, as rules over its descriptors: AIPs 121 to 235 as far as the
design names them, and our own. Each rule yields what breaks it, as "element: what is expected".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from wire.contract import Contract, Resource, is_map, messages, repeated

OUTPUT = frozenset({"OUTPUT_ONLY"})
TIMESTAMP = "google.protobuf.Timestamp"
MASK = "google.protobuf.FieldMask"

# name, type or message, repeated, field behavior; the position is the number.
COMMON = [
    ("name", "string", False, frozenset({"IDENTIFIER"})),
    ("uid", "string", False, OUTPUT),
    ("etag", "string", False, frozenset()),
    ("revision", "int64", False, OUTPUT),
    ("create_time", TIMESTAMP, False, OUTPUT),
    ("update_time", TIMESTAMP, False, OUTPUT),
    ("delete_time", TIMESTAMP, False, OUTPUT),
    ("display_name", "string", False, frozenset()),
    ("review_state", "detente.v1.Record.ReviewState", False, frozenset()),
    ("visibility", "detente.v1.Record.Visibility", False, frozenset()),
    ("restricted_fields", "string", True, frozenset()),
    ("citations", "detente.v1.Citation", True, frozenset()),
    ("external_ids", "detente.v1.ExternalId", True, frozenset()),
    ("labels", "map<string, string>", True, frozenset()),
    ("note", "string", False, frozenset()),
]
FIRST_OWN = 20

# AIP-140: no prepositions. These are kept:
PREPOSITIONS = {
    "as_told_by": "the record as a source has it: design/api.md's own name",
    "at": "the read point of every read; `read_point.revision` says it twice (at.revision)",
    "order_by": "AIP-132's own name",
    "announced_by": "an actor named by the verb it did, as design/model.md has it",
    "ordered_by": "the same",
    "requested_by": "the same",
    "received_by": "the same",
    "imposed_by": "the same",
    "counted_by": "the same",
    "shared_with": "the same",
    "on_behalf_of": "one notion, without a word of its own",
    "based_on": "sources that a source rests on",
    "conditional_on": "records that a commitment depends on",
    "as_of_date": "the day that a stock is counted on, as statistics call it",
    "about": "the records that a statement or event bears on: a topic, not a place",
    "merged_into": "the direction of a merge, as UnmergePersons reads it",
    "via": "the place between origin and destination",
}
PREPOSITION_WORDS = re.compile(
    "about|above|after|against|along|among|around|as|at|before|behind|below|beside|"
    "between|by|during|except|for|from|in|into|near|of|off|on|onto|out|over|past|per|"
    "since|through|to|toward|under|until|up|upon|via|with|within|without"
)
# AIP-140: a list's name is a plural. These have none:
NO_PLURAL = {
    "about": "a topic, one or several",
    "based_on": "see PREPOSITIONS",
    "conditional_on": "see PREPOSITIONS",
    "requested_by": "see PREPOSITIONS",
    "shared_with": "see PREPOSITIONS",
    "criteria": "the plural of criterion",
    "series": "its own plural",
}
# Enums outside of a message.
FREE_ENUMS = {"detente.v1.ErrorReason": "spans all methods: `reason` of ErrorInfo"}
# Values that begin with the enum's name.
PREFIXED = {
    "detente.v1.Measure.Success.SUCCESS_PART": "the code of the Global Sanctions Data Base",
    "detente.v1.Measure.Success.SUCCESS_TOTAL": "the code of the Global Sanctions Data Base",
}
# Ids of others, not of an element.
FOREIGN_IDS = {
    "geonames_id": "geonames.org's",
    "list_entry_id": "the sanctioning body's",
}
# Lists of messages without an id.
NO_ID: dict[str, str] = {}
# Days that are no uncertain date.
DATES = {
    "detente.v1.UncertainDate.earliest": "a bound of the date",
    "detente.v1.UncertainDate.latest": "a bound of the date",
    "detente.v1.ComputeStockRequest.first_day": "a day to compute for, not one that a source gives",
    "detente.v1.ComputeStockRequest.last_day": "the same",
    "detente.v1.ComputeStockResponse.Point.day": "the same",
}
# Of C++ and Python, which have accessors of these names.
RESERVED = re.compile(
    "alignas|alignof|and|asm|async|auto|await|bool|break|case|catch|char|class|compl|"
    "concept|const|continue|decltype|def|default|del|delete|do|double|elif|else|enum|"
    "except|explicit|export|extern|false|finally|float|for|friend|from|global|goto|if|"
    "import|in|inline|int|is|lambda|long|mutable|namespace|new|nonlocal|not|operator|or|"
    "pass|private|protected|public|raise|register|requires|return|short|signed|sizeof|"
    "static|struct|switch|template|this|throw|true|try|typedef|typeid|typename|union|"
    "unsigned|using|virtual|void|volatile|while|with|xor|yield|None|True|False"
)
SCALARS = frozenset({"string", "bool", "int32", "int64", "double", "bytes"})

GET, POST, PATCH, DELETE = "get", "post", "patch", "delete"


def type_of(field: Any) -> str:
    if is_map(field):
        entry = field.message_type.fields_by_name
        return f"map<{type_of(entry['key'])}, {type_of(entry['value'])}>"
    if field.message_type is not None:
        return field.message_type.full_name
    if field.enum_type is not None:
        return field.enum_type.full_name
    names = {
        getattr(type(field), name): name.removeprefix("TYPE_").lower()
        for name in dir(type(field))
        if name.startswith("TYPE_")
    }
    return names[field.type]


def all_messages(contract: Contract) -> list[Any]:
    return [m for file in contract.own_files() for m in messages(file)]


def all_fields(contract: Contract) -> list[Any]:
    return [f for message in all_messages(contract) for f in message.fields]


def all_enums(contract: Contract) -> list[Any]:
    found = [e for file in contract.own_files() for e in file.enum_types_by_name.values()]
    return found + [e for m in all_messages(contract) for e in m.enum_types]


def stored_messages(contract: Contract) -> list[Any]:
    """The resources and every message in them."""
    found: dict[str, Any] = {}

    def add(message: Any) -> None:
        if message.full_name in found or not message.full_name.startswith("detente."):
            return
        found[message.full_name] = message
        for field in message.fields:
            if field.message_type is not None and not is_map(field):
                add(field.message_type)

    for resource in contract.resources:
        add(resource.descriptor)
    return list(found.values())


def resource_option(contract: Contract) -> Iterator[str]:
    """AIP-122, AIP-123: what a resource is called."""
    for message in all_messages(contract):
        option = contract.option(message, "google.api.resource")
        if not option.type:
            continue
        if not any(s.name == f"{message.name}Service" for s in contract.services):
            yield f"{message.full_name}: a service {message.name}Service expected"
    for r in contract.resources:
        option = contract.option(r.descriptor, "google.api.resource")
        if r.type != f"detente.dev/{r.one}":
            yield f"{r.one}: type detente.dev/{r.one} expected"
        if list(option.pattern) != [f"{r.collection}/{{{r.singular}}}"]:
            yield f"{r.one}: pattern {r.collection}/{{{r.singular}}} expected"
        if r.singular != snake(r.one):
            yield f"{r.one}: singular {snake(r.one)} expected"
        if not re.fullmatch("[a-z][a-zA-Z0-9]*s", r.collection):
            yield f"{r.one}: a plural in camel case expected"


def snake(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


def common_fields(contract: Contract) -> Iterator[str]:
    """AIP-148 and design/model.md: fields 1 to 15 are the same everywhere, own ones start at 20."""
    for r in contract.resources:
        for number, (name, kind, is_list, behavior) in enumerate(COMMON, 1):
            field = r.descriptor.fields_by_number.get(number)
            if field is None:
                yield f"{r.one}: field {number} must be {name}"
                continue
            found = (field.name, type_of(field), repeated(field), contract.behavior(field))
            if found != (name, kind, is_list, behavior):
                yield f"{field.full_name}: {(name, kind, is_list, set(behavior))} expected"
        for field in r.descriptor.fields:
            if len(COMMON) < field.number < FIRST_OWN:
                yield f"{field.full_name}: own fields start at {FIRST_OWN}"


def element_ids(contract: Contract) -> Iterator[str]:
    """Elements of lists are named by id, never by index."""
    for message in stored_messages(contract):
        for field in message.fields:
            if field.message_type is None or not repeated(field) or is_map(field):
                continue
            child = field.message_type
            first = child.fields_by_number.get(1)
            has_id = first is not None and (first.name, type_of(first)) == ("id", "string")
            if not has_id and child.full_name not in NO_ID:
                yield f"{field.full_name}: {child.name} must have string id = 1"


def _methods(r: Resource) -> list[tuple[str, str, str, str, str, str | None]]:
    """name, request, response, HTTP verb and path, body, signature of the standard methods."""
    c, s = r.collection, r.singular
    one, many = r.one, r.many
    item = f"/v1/{{name={c}/*}}"
    return [
        (f"Get{one}", one, f"{GET} {item}", "", "name", "131"),
        (f"List{many}", f"List{many}Response", f"{GET} /v1/{c}", "", "", "132"),
        (f"Create{one}", one, f"{POST} /v1/{c}", s, f"{s},{s}_id", "133"),
        (f"Update{one}", one, f"{PATCH} /v1/{{{s}.name={c}/*}}", s, f"{s},update_mask", "134"),
        (f"Delete{one}", one, f"{DELETE} {item}", "", "name", "135, 164"),
        (f"Undelete{one}", one, f"{POST} {item}:undelete", "*", "name", "164"),
        (
            f"BatchGet{many}",
            f"BatchGet{many}Response",
            f"{GET} /v1/{c}:batchGet",
            "",
            None,
            "231",
        ),
        (
            f"List{one}Revisions",
            f"List{one}RevisionsResponse",
            f"{GET} {item}:listRevisions",
            "",
            "name",
            "162",
        ),
        (f"Rollback{one}", one, f"{POST} {item}:rollback", "*", "name,revision", "162"),
    ]


def standard_methods(contract: Contract) -> Iterator[str]:
    """AIP-127, 130 to 136, 162, 164, 231: the methods, their HTTP rules and signatures."""
    for r in contract.resources:
        expected = _methods(r)
        for name in set(r.service.methods_by_name) - {m[0] for m in expected}:
            yield f"{r.service.name}.{name}: no standard method"
        for name, response, http, body, signature, aip in expected:
            method = r.service.methods_by_name.get(name)
            if method is None:
                yield f"{r.service.name}: {name} expected (AIP-{aip})"
                continue
            if method.input_type.full_name != f"detente.v1.{name}Request":
                yield f"{method.full_name}: {name}Request expected"
            if method.output_type.full_name != f"detente.v1.{response}":
                yield f"{method.full_name}: answers with {response}"
            rule = contract.option(method, "google.api.http")
            pattern = rule.WhichOneof("pattern")
            found = f"{pattern} {getattr(rule, pattern)}" if pattern else ""
            if (found, rule.body) != (http, body):
                yield f"{method.full_name}: {http} body {body!r} expected, not {found}"
            signatures = list(contract.option(method, "google.api.method_signature"))
            if signatures != ([] if signature is None else [signature]):
                yield f"{method.full_name}: signature {signature!r} expected"


def _shapes(r: Resource) -> dict[str, list[tuple[str, str]]]:
    """The fields of requests and responses, by number from 1; `!` = REQUIRED, `>` = refers to r."""
    me = r.descriptor.full_name
    at, mask = ("at", "detente.v1.ReadPoint"), ("read_mask", MASK)
    name = ("name", "string!>")
    write = [("validate_only", "bool"), ("request_id", "string"), ("reason", "string")]
    records = (r.collection, f"repeated {me}")
    page = [("page_size", "int32"), ("page_token", "string")]
    token = ("next_page_token", "string")
    etag = ("etag", "string")
    told = [("as_told_by", "string"), ("value_policy", "detente.v1.Evidence.ValuePolicy")]
    return {
        f"Get{r.one}Request": [name, at, mask, *told],
        f"List{r.many}Request": [
            *page,
            ("filter", "string"),
            ("order_by", "string"),
            ("show_deleted", "bool"),
            mask,
            at,
            ("return_total_size", "bool"),
            *told,
            ("reviewed_only", "bool"),
        ],
        f"List{r.many}Response": [
            records,
            token,
            ("total_size", "int32"),
            ("revision", "int64"),
        ],
        f"Create{r.one}Request": [(r.singular, me + "!"), (f"{r.singular}_id", "string"), *write],
        f"Update{r.one}Request": [
            (r.singular, me + "!"),
            ("update_mask", MASK),
            ("allow_missing", "bool"),
            *write,
        ],
        f"Delete{r.one}Request": [name, etag, ("force", "bool"), *write],
        f"Undelete{r.one}Request": [name, etag, *write],
        f"BatchGet{r.many}Request": [("names", "repeated string!>"), at, mask, *told],
        f"BatchGet{r.many}Response": [records, ("revision", "int64")],
        f"List{r.one}RevisionsRequest": [name, *page, mask],
        f"List{r.one}RevisionsResponse": [records, token],
        f"Rollback{r.one}Request": [name, ("revision", "int64!"), etag, *write],
    }


def request_shapes(contract: Contract) -> Iterator[str]:
    """AIP-131 to 135, 154, 155, 157, 158, 163, 164, 203, 231: what requests and responses hold."""
    for r in contract.resources:
        for name, fields in _shapes(r).items():
            message = contract.pool.FindMessageTypeByName(f"detente.v1.{name}")
            found = []
            for field in message.fields:
                text = ("repeated " if repeated(field) else "") + type_of(field)
                text += "!" if "REQUIRED" in contract.behavior(field) else ""
                refers = field.name != "as_told_by" and contract.reference(field) == r.type
                text += ">" if refers else ""
                found.append((field.number, field.name, text))
            expected = [(i, *field) for i, field in enumerate(fields, 1)]
            for wrong in sorted(set(expected) ^ set(found)):
                missing = "missing" if wrong in expected else "not expected"
                yield f"{name}: {wrong[1]} = {wrong[0]} ({wrong[2]}): {missing}"


def http_paths(contract: Contract) -> Iterator[str]:
    """AIP-127: every method over HTTP too, no two under one path; but for those streams that HTTP
    has not."""
    taken: dict[tuple[str, str], str] = {}
    for service in contract.services:
        for method in service.methods:
            rule = contract.option(method, "google.api.http")
            pattern = rule.WhichOneof("pattern")
            if pattern is None and method.client_streaming:
                continue
            if pattern is None:
                yield f"{method.full_name}: google.api.http expected"
                continue
            key = pattern, getattr(rule, pattern)
            if key in taken:
                yield f"{method.full_name}: {key} is taken by {taken[key]}"
            taken[key] = method.full_name


def enums(contract: Contract) -> Iterator[str]:
    """AIP-126: nested, the first value X_UNSPECIFIED, the others without a prefix."""
    for enum in all_enums(contract):
        prefix = snake(enum.name).upper()
        first = enum.values[0]
        if (first.name, first.number) != (f"{prefix}_UNSPECIFIED", 0):
            yield f"{enum.full_name}: the first value must be {prefix}_UNSPECIFIED = 0"
        if enum.containing_type is None and enum.full_name not in FREE_ENUMS:
            yield f"{enum.full_name}: enums are nested in their message"
        for value in enum.values[1:]:
            full_name = f"{enum.full_name}.{value.name}"
            if value.name.startswith(prefix + "_") and full_name not in PREFIXED:
                yield f"{full_name}: without the prefix {prefix}_"
            if not re.fullmatch("[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", value.name):
                yield f"{full_name}: UPPER_SNAKE_CASE expected"
        if len({v.number for v in enum.values}) != len(enum.values):
            yield f"{enum.full_name}: no two values of one number"


def field_names(contract: Contract) -> Iterator[str]:
    """AIP-140, 141, 143: snake case, no reserved words, no prepositions, plural lists, no is_."""
    for field in all_fields(contract):
        name = field.name
        if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            yield f"{field.full_name}: snake_case expected"
        if RESERVED.fullmatch(name):
            yield f"{field.full_name}: a reserved word"
        if name not in PREPOSITIONS and any(
            PREPOSITION_WORDS.fullmatch(word) for word in name.split("_")
        ):
            yield f"{field.full_name}: no prepositions"
        if name.startswith("is_"):
            yield f"{field.full_name}: without is_"
        if name.split("_")[-1] in ("country", "language", "currency", "lang", "locale"):
            yield f"{field.full_name}: region_code, language_code, currency_code (AIP-143)"
        if repeated(field) and not name.endswith("s") and name not in NO_PLURAL:
            yield f"{field.full_name}: a list's name is a plural"
        scalar = field.message_type is None and field.enum_type is None
        if scalar and type_of(field) not in SCALARS:
            yield f"{field.full_name}: one of {sorted(SCALARS)} expected"


def times_and_dates(contract: Contract) -> Iterator[str]:
    """AIP-142: an instant is a Timestamp x_time; a day of the sources an UncertainDate x_date."""
    for field in all_fields(contract):
        kind, name = type_of(field), field.name
        is_time = bool(re.search("(^|_)times?$", name))
        is_date = bool(re.search("(^|_)dates?$", name))
        if (kind == TIMESTAMP) != is_time:
            yield f"{field.full_name}: Timestamps, and they alone, end in _time"
        if (kind == "detente.v1.UncertainDate") != is_date:
            yield f"{field.full_name}: UncertainDates, and they alone, end in date"
        if kind == "google.type.Date" and field.full_name not in DATES:
            yield f"{field.full_name}: an UncertainDate expected"


def references(contract: Contract) -> Iterator[str]:
    """AIP-122: references say what they name; ids of elements, of which list they are."""
    types = {contract.option(m, "google.api.resource").type for m in all_messages(contract)} | {"*"}
    for field in all_fields(contract):
        kind = contract.reference(field)
        if kind and kind not in types:
            yield f"{field.full_name}: there is no {kind}"
        if kind and type_of(field) != "string":
            yield f"{field.full_name}: a reference is a string"
    for r in contract.resources:
        yield from _element_references(contract, r, [r.descriptor])


def _element_references(contract: Contract, r: Resource, around: list[Any]) -> Iterator[str]:
    for field in around[-1].fields:
        option = contract.element_reference(field)
        own = re.search("_ids?$", field.name) and around[-1].full_name.startswith(
            r.descriptor.full_name
        )
        common = field.number <= len(COMMON) and len(around) == 1
        if own and not common and not option.list and field.name not in FOREIGN_IDS:
            yield f"{field.full_name}: the id of what? (detente.v1.element_reference)"
        if option.list:
            target = r
            if option.record:
                holder = next(
                    (
                        m.fields_by_name[option.record]
                        for m in reversed(around)
                        if option.record in m.fields_by_name
                    ),
                    None,
                )
                kind = holder is not None and contract.reference(holder)
                target = next((t for t in contract.resources if t.type == kind), None)
                if target is None or repeated(holder):
                    yield f"{field.full_name}: {option.record} refers to no one record"
                    continue
            lists = target.descriptor.fields_by_name.get(option.list)
            if lists is None or not repeated(lists) or lists.message_type is None:
                yield f"{field.full_name}: {target.one} has no list {option.list}"
            if type_of(field) != "string":
                yield f"{field.full_name}: an id is a string"
        elif option.record:
            yield f"{field.full_name}: the element of which list?"
        child = field.message_type
        if child is not None and child.full_name.startswith("detente.") and child not in around:
            yield from _element_references(contract, r, [*around, child])


def behaviors(contract: Contract) -> Iterator[str]:
    """AIP-203: behaviors that exclude each other."""
    for field in all_fields(contract):
        if len(contract.behavior(field)) > 1:
            yield f"{field.full_name}: one field behavior at most"


def comments(contract: Contract) -> Iterator[str]:
    """AIP-192: a comment on every element."""
    kinds = {4: "message", 5: "enum", 6: "service"}
    for file in contract.files.file:
        if file.package != "detente.v1":
            continue
        commented = {
            tuple(location.path)
            for location in file.source_code_info.location
            if location.leading_comments.strip() or location.trailing_comments.strip()
        }

        def missing(path: tuple[int, ...], name: str, seen: set = commented) -> Iterator[str]:
            if path not in seen:
                yield f"{name}: a comment expected"

        def of_enum(path: tuple[int, ...], enum: Any, name: str) -> Iterator[str]:
            yield from missing(path, f"{name}.{enum.name}")
            for i, value in enumerate(enum.value):
                yield from missing((*path, 2, i), f"{name}.{enum.name}.{value.name}")

        def of_message(path: tuple[int, ...], message: Any, name: str) -> Iterator[str]:
            if message.options.map_entry:
                return
            name = f"{name}.{message.name}"
            yield from missing(path, name)
            for i, field in enumerate(message.field):
                yield from missing((*path, 2, i), f"{name}.{field.name}")
            synthetic = {f.oneof_index for f in message.field if f.proto3_optional}
            for i, oneof in enumerate(message.oneof_decl):
                if i not in synthetic:
                    yield from missing((*path, 8, i), f"{name}.{oneof.name}")
            for i, nested in enumerate(message.nested_type):
                yield from of_message((*path, 3, i), nested, name)
            for i, enum in enumerate(message.enum_type):
                yield from of_enum((*path, 4, i), enum, name)

        for i, message in enumerate(file.message_type):
            yield from of_message((4, i), message, file.package)
        for i, enum in enumerate(file.enum_type):
            yield from of_enum((5, i), enum, file.package)
        for i, service in enumerate(file.service):
            yield from missing((6, i), f"{kinds[6]} {service.name}")
            for j, method in enumerate(service.method):
                yield from missing((6, i, 2, j), f"{service.name}.{method.name}")
        for i, extension in enumerate(file.extension):
            yield from missing((7, i), extension.name)


RULES = [
    resource_option,
    common_fields,
    element_ids,
    standard_methods,
    request_shapes,
    http_paths,
    enums,
    field_names,
    times_and_dates,
    references,
    behaviors,
    comments,
]
