"""The founding case in samples/belarus-2025 loads, holds together, and says what facts.tsv says."""

import copy
import csv
import datetime
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from detente import records
from detente.v1 import options_pb2
from google.api import field_behavior_pb2, resource_pb2
from google.protobuf.message import Message

FOLDER = Path(__file__).parents[2] / "samples" / "belarus-2025"
OWN_FIELDS = 20  # the number of a resource's first own field
FACT_IDS = {
    *(f"REL-{n:02}" for n in range(1, 25)),
    *(f"PER-{n:02}" for n in (*range(1, 8), *range(10, 18), *range(20, 23), 25, 26)),
    *(f"PER-{n:02}" for n in (30, 31, 32, 35, 36, 40, 41, 45, 46, 50, 55, 56, 60, 61)),
    *(f"PER-{n:02}" for n in (65, 66, 67, 68, 70)),
    *(f"NEG-{n:02}" for n in (*range(1, 15), *range(20, 25), *range(30, 39), 40, 41)),
    "NEG-21b",
    *(f"SAN-{n:02}" for n in range(1, 22)),
    *(f"STM-{n:02}" for n in range(18)),
    *(f"BKG-{n:02}" for n in range(1, 17)),
    *(f"COM-{n:02}" for n in range(1, 12)),
    *(f"DIS-{n:02}" for n in range(1, 22)),
}
STEP = re.compile(r'([a-z][a-z0-9_]*)(?:\["([^"\\]+)"\]|(\[\*\]))?(?:\.(?=.)|$)')
DAY = r"(?:\d{4}(?:-\d\d(?:-\d\d)?)?[?~%]?)"
EDTF = re.compile(rf"{DAY}|(?:{DAY}|\.\.)?/(?:{DAY}|\.\.)?")


class Spot(NamedTuple):
    """A field of a message, or one element of a repeated field."""

    parent: Any
    field: Any
    element: Any  # None for the field as a whole

    @property
    def value(self) -> Any:
        value = getattr(self.parent, self.field.name) if self.element is None else self.element
        enum = self.field.enum_type
        if enum is None:
            return value
        numbers = [value] if isinstance(value, int) else value
        names = [enum.values_by_number[number].name for number in numbers]
        return names[0] if isinstance(value, int) else names

    @property
    def is_set(self) -> bool:
        return self.element is not None or self.field in [f for f, _ in self.parent.ListFields()]

    def parse(self, value: Any) -> Any:
        """What a ProtoJSON value of this spot's type stands for."""
        if value is None:
            return None
        if self.element is not None and self.field.message_type is not None:
            return records.from_dict(type(self.element), value)
        listed = [value] if self.element is not None else value
        parsed = records.from_dict(type(self.parent), {self.field.name: listed})
        whole = Spot(parsed, self.field, None).value
        return whole[0] if self.element is not None else whole


def resolve(record: Message, path: str) -> list[Spot]:
    """Where a path leads: several spots behind `[*]`; ValueError where it leads nowhere."""
    steps = [STEP.match(path)]
    while (step := steps[-1]) is not None and step.end() < len(path):
        steps.append(STEP.match(path, step.end()))
    if None in steps:
        raise ValueError("not a path")
    spots = [Spot(None, None, record)]
    for step in steps:
        name, key, every = step.groups()
        found = []
        for message in (spot.value for spot in spots) if spots[0].field else [record]:
            field = message.DESCRIPTOR.fields_by_name.get(name)
            if field is None:
                raise ValueError(f"{message.DESCRIPTOR.name} has no field {name}")
            spot = Spot(message, field, None)
            if every:
                found += [Spot(message, field, element) for element in getattr(message, name)]
            elif key is not None:
                elements = [element for element in getattr(message, name) if element.id == key]
                if not elements:
                    raise ValueError(f"no element {key} in {name}")
                found.append(Spot(message, field, elements[0]))
            else:
                found.append(spot)
        spots = found
        if not spots:
            raise ValueError(f"nothing in {name}")
    return spots


def days_held(record: Any) -> Any:
    """The output field, which the server computes: whole days between two dates of a day each."""
    start, end = (
        datetime.date.fromisoformat(date.edtf) for date in (record.start_date, record.end_date)
    )
    days = (end - start).days
    return records.from_dict(type(record.days_held), {"low": days, "best": days, "high": days})


def has_behavior(field: Any, name: str) -> bool:
    behaviors = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.FieldBehavior.Value(name) in behaviors


def is_output(field: Any) -> bool:
    return has_behavior(field, "OUTPUT_ONLY")


def resource_type(message: Message) -> str:
    return message.DESCRIPTOR.GetOptions().Extensions[resource_pb2.resource].type


def walk(message: Any, around: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Every field that is set, elements one by one, with the messages around it."""
    around = (*around, message)
    for field, value in message.ListFields():
        for item in (
            [value]
            if not isinstance(value, (list, tuple)) and not hasattr(value, "append")
            else value
        ):
            yield around, field, item
            if isinstance(item, Message):
                yield from walk(item, around)


class Samples(NamedTuple):
    """The records by name, and the lines of facts.tsv."""

    records: dict[str, Any]
    facts: list[dict[str, str]]


@pytest.fixture(scope="module")
def samples() -> Samples:
    found = {}
    for collection in records.COLLECTIONS:
        for record in records.read_yaml(FOLDER / f"{collection}.yaml"):
            assert record.name.startswith(f"{collection}/"), f"{record.name} in {collection}.yaml"
            assert record.name not in found, f"{record.name} twice"
            found[record.name] = record
    with (FOLDER / "facts.tsv").open(encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return Samples(found, facts)


def citations(samples: Samples) -> Iterator[tuple[Any, Any]]:
    for record in samples.records.values():
        for citation in record.citations:
            yield record, citation


def shape(samples: Samples) -> Iterator[str]:
    """Names, sizes, dates and ids of elements."""
    if len(samples.records) > 1000:
        yield "more than one commit holds"
    for name, record in samples.records.items():
        if not re.fullmatch(r"[a-z]+/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
            yield f"{name}: not a name"
        if record.ByteSize() > 100_000:
            yield f"{name}: {record.ByteSize()} bytes"
        if not record.display_name:
            yield f"{name}: no display_name"
        for around, field, value in walk(record):
            if is_output(field):
                yield f"{name}: {field.name} is output only"
            if field.full_name == "detente.v1.UncertainDate.edtf" and not EDTF.fullmatch(value):
                yield f"{name}: {value} is no date"
            if field.full_name == "detente.v1.UncertainDate.state" and around[-1].edtf:
                yield f"{name}: a date and a state"
        for message in (record, *(v for _, _, v in walk(record) if isinstance(v, Message))):
            if not re.fullmatch(
                r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?", getattr(message, "id", "")
            ):
                yield f"{name}: {message.id} is no id"
            for field in message.DESCRIPTOR.fields:
                if has_behavior(field, "REQUIRED") and not getattr(message, field.name):
                    yield f"{name}: {message.DESCRIPTOR.name} without {field.name}"
            for field, value in message.ListFields():
                if hasattr(value, "add"):
                    ids = Counter(element.id for element in value if getattr(element, "id", ""))
                    yield from (f"{name}: {field.name}: {i} twice" for i in ids if ids[i] > 1)


def references(samples: Samples) -> Iterator[str]:
    """References lead to records of the right type, element references to elements."""
    for name, record in samples.records.items():
        for around, field, value in walk(record):
            reference = field.GetOptions().Extensions[resource_pb2.resource_reference]
            if reference.type:
                target = samples.records.get(value)
                if target is None:
                    yield f"{name}: {field.name}: {value} is not there"
                elif reference.type not in ("*", resource_type(target)):
                    yield f"{name}: {field.name}: {value} is no {reference.type}"
            if field.GetOptions().HasExtension(options_pb2.element_reference):
                option = field.GetOptions().Extensions[options_pb2.element_reference]
                home = record
                if option.record:
                    named = [getattr(m, option.record, "") for m in around]
                    home = samples.records.get(next((n for n in reversed(named) if n), ""))
                if home is None or value not in [e.id for e in getattr(home, option.list)]:
                    yield f"{name}: {field.name}: no element {value}"


def cited(samples: Samples) -> Iterator[str]:
    """Every record is cited, every citation names fields that exist, and says something."""
    for name, record in samples.records.items():
        if not name.startswith("sources/") and not record.citations:
            yield f"{name}: not cited"
    for record, citation in citations(samples):
        where = f"{record.name}: {citation.source}"
        if not citation.fields:
            yield f"{where}: no fields"
        if bool(citation.quote) == bool(citation.paraphrase):
            yield f"{where}: neither or both of quote and paraphrase"
        if citation.quote and citation.source != "sources/r00":
            yield f"{where}: a quote from another source than the founding report"
        if citation.paraphrase and citation.source == "sources/r00":
            yield f"{where}: the founding report is quoted"
        if len(citation.quote.split()) > 25:
            yield f"{where}: a quote of {len(citation.quote.split())} words"
        for path in citation.fields:
            try:
                spots = resolve(record, path)
            except ValueError as error:
                yield f"{where}: {path}: {error}"
                continue
            first = record.DESCRIPTOR.fields_by_name[STEP.match(path)[1]]
            if first.number < OWN_FIELDS:
                yield f"{where}: {path}: no own field"
            if not all(spot.is_set or is_output(spot.field) for spot in spots):
                yield f"{where}: {path}: holds nothing"


def asserted(samples: Samples) -> Iterator[str]:
    """What contradicts says what it asserts of one field, in that field's type, and differs."""
    for record, citation in citations(samples):
        where = f"{record.name}: {citation.source}"
        contradicts = citation.stance == type(citation).CONTRADICTS
        if contradicts != bool(citation.asserted_value):
            yield f"{where}: contradicting and asserting go together"
        if (citation.rank == type(citation).DEPRECATED) != bool(citation.deprecation_reason):
            yield f"{where}: deprecated without a reason, or a reason alone"
        if citation.asserted_value:
            if len(citation.fields) != 1:
                yield f"{where}: asserts a value of {len(citation.fields)} fields"
                continue
            (spot,) = resolve(record, citation.fields[0])
            try:
                if spot.parse(json.loads(citation.asserted_value)) == spot.value:
                    yield f"{where}: asserts what the record says"
            except ValueError as error:
                yield f"{where}: {error}"


def facts(samples: Samples) -> Iterator[str]:
    """Each line of facts.tsv is the record's value, or the one that its source asserts."""
    ids = {fact["fact_id"] for fact in samples.facts}
    yield from (f"{i}: no line" for i in sorted(FACT_IDS - ids))
    yield from (f"{i}: no such fact" for i in sorted(ids - FACT_IDS))
    for fact in samples.facts:
        where = "{fact_id}: {record}: {path}".format(**fact)
        record = samples.records.get(fact["record"])
        if record is None:
            yield f"{where}: no such record"
            continue
        try:
            spots = resolve(record, fact["path"])
            value = spots[0].parse(json.loads(fact["value"]))
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        if fact["asserted_by"]:
            held = [
                spots[0].parse(json.loads(citation.asserted_value))
                for citation in record.citations
                if citation.source == fact["asserted_by"]
                and list(citation.fields) == [fact["path"]]
                and citation.asserted_value
            ]
        elif fact["path"] == "days_held":
            held = [days_held(record)]
        else:
            held = [spot.value for spot in spots if spot.is_set]
        if value not in held:
            yield f"{where}: {fact['value']} is not what is there"


CHECKS = [shape, references, cited, asserted, facts]


@pytest.mark.parametrize("check", CHECKS)
def test_samples(samples: Samples, check: Callable[[Samples], Iterator[str]]) -> None:
    assert list(check(samples)) == []


def test_as_many_facts_as_documented() -> None:
    assert Counter(i[:3] for i in FACT_IDS) == {
        "REL": 24, "PER": 39, "NEG": 31, "SAN": 21, "STM": 18, "BKG": 16, "COM": 11, "DIS": 21,
    }  # fmt: skip


def test_round_trip(samples: Samples) -> None:
    for record in samples.records.values():
        assert records.from_dict(type(record), records.to_dict(record)) == record


RELEASE = "releases/by-2025-12-13"


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Samples], None]:
    return lambda samples: change(samples.records[name]) and None


@pytest.mark.parametrize(
    ("check", "breakage", "complaint"),
    [
        (shape, edit(RELEASE, lambda r: r.participants.append(r.participants[0])), "twice"),
        (
            shape,
            edit(RELEASE, lambda r: setattr(r.effective_date, "edtf", "13.12.2025")),
            "no date",
        ),
        (shape, edit(RELEASE, lambda r: setattr(r, "revision", 1)), "output only"),
        (shape, edit(RELEASE, lambda r: setattr(r.participants[0], "id", "A b")), "is no id"),
        (shape, edit(RELEASE, lambda r: r.participants[0].ClearField("person")), "without person"),
        (references, lambda s: s.records.pop("persons/ales-bialiatski"), "is not there"),
        (references, edit(RELEASE, lambda r: setattr(r, "negotiation", RELEASE)), "is no"),
        (
            references,
            edit("measures/us-belarus", lambda r: r.targets.pop(1)),
            "no element belaruskali",
        ),
        (
            references,
            edit("negotiations/minsk-2025-12", lambda r: r.terms.pop(0)),
            "exchanges/us-by-2025-12: term_id: no element release",
        ),
        (cited, edit("persons/rabkova", lambda r: r.ClearField("citations")), "not cited"),
        (cited, edit(RELEASE, lambda r: r.citations[0].ClearField("fields")), "no fields"),
        (cited, edit(RELEASE, lambda r: r.citations[0].fields.append("participants[0]")), "a path"),
        (cited, edit(RELEASE, lambda r: r.citations[0].fields.append('transfers["x"]')), "no elem"),
        (cited, edit(RELEASE, lambda r: r.citations[0].fields.append("note")), "no own field"),
        (cited, edit(RELEASE, lambda r: r.ClearField("mechanism")), "holds nothing"),
        (cited, edit(RELEASE, lambda r: setattr(r.citations[0], "quote", "a " * 26)), "26 words"),
        (
            cited,
            edit(RELEASE, lambda r: setattr(r.citations[0], "source", "sources/s01")),
            "a quote from another",
        ),
        (
            asserted,
            edit("detentions/valiantsin-stefanovic", lambda r: r.proceedings[0].ClearField("id")),
            "no element",
        ),
        (facts, edit(RELEASE, lambda r: setattr(r.headcount, "best", 124)), "REL-01"),
        (facts, lambda s: s.facts.pop(0) and s.facts.pop(0) and s.facts.pop(0), "REL-01: no line"),
        (facts, lambda s: s.facts[0].update(fact_id="UNS-01"), "UNS-01: no such fact"),
    ],
)
def test_a_break_is_seen(
    samples: Samples,
    check: Callable[[Samples], Iterator[str]],
    breakage: Callable[[Samples], Any],
    complaint: str,
) -> None:
    broken = copy.deepcopy(samples)
    breakage(broken)
    try:
        problems = list(check(broken))
    except ValueError as error:
        problems = [str(error)]
    assert any(complaint in problem for problem in problems), problems
