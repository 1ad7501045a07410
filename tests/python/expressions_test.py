"""`detente.f` and `where`: the filters that they make."""

import copy
import datetime
import decimal
import re
from typing import Any

import detente
import numpy
import pandas
import pytest
from detente import _contract, _filter, f
from detente.expressions import Field, Fields

UTC = datetime.UTC
DESCRIPTOR = detente.Release.DESCRIPTOR

CASES: list[tuple[Any, str]] = [
    (f.region_code == "BY", 'region_code = "BY"'),
    (f.region_code != "BY", 'region_code != "BY"'),
    (f.headcount.best < 5, "headcount.best < 5"),
    (f.headcount.best <= 5, "headcount.best <= 5"),
    (f.headcount.best > -5, "headcount.best > -5"),
    (f.headcount.best >= 2.5, "headcount.best >= 2.5"),
    (f.headcount.best > 50, "headcount.best > 50"),
    (f.headcount.approximate == True, "headcount.approximate = true"),  # noqa: E712
    (f.mechanism == detente.Release.PARDON, "mechanism = PARDON"),
    (f.mechanism == "PARDON", "mechanism = PARDON"),
    (f.participants.outcomes.kind.has("REARRESTED"), "participants.outcomes.kind:REARRESTED"),
    (f.participants.person.has("persons/x"), 'participants.person:"persons/x"'),
    (
        f.participants.person.has(detente.Person(name="persons/x")),
        'participants.person:"persons/x"',
    ),
    (f.negotiation == detente.Negotiation(name="negotiations/n"), 'negotiation = "negotiations/n"'),
    (f.announced_by.present(), "announced_by:*"),
    (~f.announced_by.present(), "NOT announced_by:*"),
    (f.labels["my key"] == "v", 'labels."my key" = "v"'),
    (f.labels["plain"].present(), "labels.plain:*"),
    (f.labels["OR"] == "v", 'labels."OR" = "v"'),
    (f.labels.has("my key"), 'labels:"my key"'),
    (f["headcount.best"] == 1, "headcount.best = 1"),
    (f.effective_date.possibly("2025-12"), 'possibly(effective_date, "2025-12")'),
    (f.effective_date.certainly(datetime.date(2025, 12, 1)),
     'certainly(effective_date, "2025-12-01")'),
    (f.effective_date.possibly((datetime.date(2025, 1, 1), None)),
     'possibly(effective_date, "2025-01-01/..")'),
    (f.effective_date.possibly((None, "2025-06")), 'possibly(effective_date, "../2025-06")'),
    (f.effective_date.possibly(detente.Date("202X")), 'possibly(effective_date, "202X")'),
    (f.effective_date == detente.Date("2025-12"), 'effective_date = "2025-12"'),
    (f.effective_date == detente.UncertainDate(edtf="2025"), 'effective_date = "2025"'),
    (f.effective_date < datetime.date(2025, 1, 2), 'effective_date < "2025-01-02"'),
    (f.effective_date < datetime.datetime(2025, 1, 2, 3, tzinfo=UTC),
     'effective_date < "2025-01-02"'),
    (f.create_time >= datetime.datetime(2025, 1, 2, 3, tzinfo=UTC),
     'create_time >= "2025-01-02T03:00:00Z"'),
    (f.nowhere == datetime.timedelta(minutes=1, milliseconds=500), "nowhere = 60.5s"),
    (f.nowhere == datetime.timedelta(days=1), "nowhere = 86400s"),
    (f.display_name == 'say "no"', 'display_name = "say \\"no\\""'),
    (f.display_name == "50*", 'display_name = "50\\*"'),
    (f.display_name == "a\n\x07", 'display_name = "a\n\\u0007"'),
    (f.display_name == "a\\b", 'display_name = "a\\\\b"'),
    (f.display_name.like("Al*"), 'display_name = "Al*"'),
    (f.participants.person.like("persons/a*"), 'participants.person:"persons/a*"'),
    (f.region_code.is_in(["BY", "LT"]), 'region_code = "BY" OR region_code = "LT"'),
    (f.region_code.is_in("BY"), 'region_code = "BY"'),
    (f.participants.person.is_in(["persons/x", "persons/y"]),
     'participants.person:"persons/x" OR participants.person:"persons/y"'),
    (f.display_name.like('a\\" OR note = "b'), 'display_name = "a\\\\\\" OR note = \\"b"'),
    (f.display_name.like("a\\"), 'display_name = "a\\\\"'),
    (f.display_name.like("a\\*\\\\*"), 'display_name = "a\\*\\\\*"'),
    (f.headcount.best > 50.0, "headcount.best > 50"),
    (f.headcount.best > numpy.int64(50), "headcount.best > 50"),
    (f.headcount.best > numpy.float64(50.5), "headcount.best > 50.5"),
    (f.headcount.best > decimal.Decimal("50.5"), "headcount.best > 50.5"),
    (f.headcount.best.is_in(numpy.array([1, 2])), "headcount.best = 1 OR headcount.best = 2"),
    (f.headcount.approximate == numpy.bool_(True), "headcount.approximate = true"),
    (f.region_code.is_in(pandas.Series(["BY"])), 'region_code = "BY"'),
    (f.effective_date < numpy.datetime64("2025-01-02", "ns"), 'effective_date < "2025-01-02"'),
    (f.effective_date < pandas.Timestamp("2025-01-02"), 'effective_date < "2025-01-02"'),
    (f.effective_date.possibly((pandas.Timestamp("2025-01-02"), pandas.NaT)),
     'possibly(effective_date, "2025-01-02/..")'),
    (f.nowhere == numpy.timedelta64(90, "s"), "nowhere = 90s"),
    ((f.note == "a") & (f.note == "b") & (f.note == "c"),
     'note = "a" AND note = "b" AND note = "c"'),
    ((f.note == "a") & (f.note == "b") | (f.note == "c"),
     '(note = "a" AND note = "b") OR note = "c"'),
    ((f.note == "a") & ((f.note == "b") | (f.note == "c")),
     'note = "a" AND (note = "b" OR note = "c")'),
    (~((f.note == "a") & (f.note == "b")), 'NOT (note = "a" AND note = "b")'),
    (~~(f.note == "a"), 'note = "a"'),
    (~(f.note == "a") & (f.note != "b"), 'NOT note = "a" AND note != "b"'),
    (f.participants.any((f.mechanism == 1) & f.outcomes.kind.has("FREED")),
     'any(participants, "mechanism = PARDON AND outcomes.kind:FREED")'),
    (f.any("participants", f.person == 'a"*'),
     'any(participants, "person = \\"a\\\\\\"\\\\*\\"")'),
    (f.participants.any("mechanism = PARDON"), 'any(participants, "mechanism = PARDON")'),
    (f.cites("s01"), 'cites("sources/s01")'),
    (f.cites(detente.Source(name="sources/s01")), 'cites("sources/s01")'),
    (f.refers_to("persons/y"), 'refers_to("persons/y")'),
    (f.refers_to(detente.Person(name="persons/y")), 'refers_to("persons/y")'),
    (f.matches_name("Бяляцкі"), 'matches_name("Бяляцкі")'),
    (f.words("Ales Bialiatski"), '"Ales Bialiatski"'),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "text"), CASES, ids=[text for _, text in CASES])
def test_an_expression_is_text(expression: Any, text: str) -> None:
    assert isinstance(expression, detente.Expression)
    assert _filter.text_of(expression, DESCRIPTOR) == text


def test_without_a_resource_enums_are_as_given() -> None:
    assert str(f.mechanism == "PARDON") == 'mechanism = "PARDON"'
    assert str(f.mechanism == 1) == "mechanism = 1"
    assert repr(f.a == 1) == "<detente.Expression a = 1>"
    assert repr(f.labels["my key"]) == 'detente.f.labels."my key"'
    assert repr(f) == "detente.f"


@pytest.mark.parametrize(
    ("misuse", "hint"),
    [
        (lambda: bool(f.a == 1), "chains"),
        (lambda: (f.a == 1) and (f.b == 2), "parentheses"),
        (lambda: not f.a.present(), "parentheses"),
        (lambda: 1 < f.a < 9, "chains"),
        (lambda: (f.a == 1) & True, "True is no condition"),
        (lambda: True | (f.a == 1), "True is no condition"),
        (lambda: f.a & (f.b == 2), "a is a field"),
        (lambda: (f.a == 1) & f.b, "is no condition"),
        (lambda: f.a == 1 & f.b == 2, "b is a field"),
        (lambda: ~f.a, "a is a field"),
        (lambda: "x" in f.a, "holds no values"),
        (lambda: list(f.a), "holds no values"),
        (lambda: f.a == f.b, "not with a field"),
        (lambda: f.a[0], r"use any"),
        (lambda: f.a.like(1), "a text expected"),
        (lambda: f.words(" "), "words expected"),
        (lambda: f.matches_name(""), "a text expected"),
        (lambda: {f.a: 1}, "unhashable"),
    ],
)
def test_misuse_says_what_is_right(misuse: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        misuse()


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda: f.a == None, "~f.field.present"),  # noqa: E711
        (lambda: f.a == ["x"], r"is_in"),
        (lambda: f.a == float("nan"), "a number"),
        (lambda: f.a == "\ud800", "half a character"),
        (lambda: f.a == object(), "no value of a filter"),
        (lambda: f.a == detente.Person(), "no name"),
        (lambda: f.a == datetime.datetime(2025, 1, 1, 3), "time zone"),
        (lambda: _filter.text_of(f.create_time > pandas.Timestamp("2025"), DESCRIPTOR),
         "time zone"),
        (lambda: f.a == pandas.NaT, "~f.field.present"),
        (lambda: f.a == pandas.NA, "~f.field.present"),
        (lambda: f.a == numpy.array([1, 2]), "is_in"),
        (lambda: f.a.is_in([]), "no value at all"),
        (lambda: f.a.is_in(None), "~f.field.present"),
        (lambda: _filter.text_of(f.participants.person == "persons/x", DESCRIPTOR), "has"),
        (lambda: _filter.join("", "region_code=BY", DESCRIPTOR), "fields and their values"),  # type: ignore[arg-type]
        (lambda: _filter.join("", f.a == 1, DESCRIPTOR), "fields and their values"),  # type: ignore[arg-type]
        (lambda: _filter.join("", {1: "x"}, DESCRIPTOR), "path of a field"),  # type: ignore[dict-item]
        (lambda: _filter.join("", {"": "x"}, DESCRIPTOR), "path of a field"),
        (lambda: _filter.join("", {"headcount": {"best": 5}}, DESCRIPTOR), "no value of a filter"),
        (lambda: f.a.possibly(7), "EDTF"),
        (lambda: f.cites("persons/x"), "not one of sources"),
        (lambda: f.refers_to("x"), "releases/x"),
        (lambda: _filter.text_of(7), "detente.Filter"),
        (lambda: _filter.text_of(f.a), "detente.f"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(wrong: Any, hint: str) -> None:
    with pytest.raises(detente.InvalidArgumentError, match=hint):
        wrong()


def test_no_field_is_hidden_by_a_method() -> None:
    own = {name for kind in (Field, Fields) for name in dir(kind) if not name.startswith("_")}
    seen = set()

    def walk(descriptor: Any) -> None:
        if descriptor.full_name in seen:
            return
        seen.add(descriptor.full_name)
        for field in descriptor.fields:
            assert field.name not in own, field.full_name
            if field.message_type is not None:
                walk(field.message_type)

    for resource in _contract.resources().values():
        walk(resource.message.DESCRIPTOR)
    assert len(seen) > 20


def test_fields_do_not_pretend() -> None:
    """What looks for special methods, such as notebooks and copy, finds none."""
    assert not hasattr(f.a, "_repr_html_")
    assert not hasattr(f, "__wrapped__")
    assert str(copy.deepcopy(f.a == 1)) == "a = 1"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"display_name": "50*"}, 'display_name = "50\\*"'),
        ({"effective_date": datetime.date(2025, 12, 13)}, 'effective_date = "2025-12-13"'),
        ({"effective_date": detente.Date("2025-12?")}, 'effective_date = "2025-12?"'),
        ({"negotiation": detente.Negotiation(name="negotiations/n")},
         'negotiation = "negotiations/n"'),
        ({"participants.outcomes.kind": ["FREED", 5]},
         "(participants.outcomes.kind:FREED OR participants.outcomes.kind:REARRESTED)"),
        ({"labels.k": "v"}, 'labels.k = "v"'),
        ({"labels.my key.x": "v"}, 'labels."my key.x" = "v"'),
        ({"headcount.best": range(1, 3)}, "(headcount.best = 1 OR headcount.best = 2)"),
        ({"headcount.best": numpy.array([1.0])}, "headcount.best = 1"),
        ({"a = 1 OR name": "x"}, '"a = 1 OR name" = "x"'),
    ],
)  # fmt: skip
def test_where_shares_the_values(where: dict[str, Any], text: str) -> None:
    assert _filter.join("", where, DESCRIPTOR) == text
    both = _filter.join((f.note == "a") | (f.note == "b"), where, DESCRIPTOR)
    assert both == f'(note = "a" OR note = "b") AND {text}'


def test_values_cannot_break_out() -> None:
    for text in ('" OR name = "x', "\\", '\\" OR x', "*", 'a\\*"', "\\\\*"):
        written = str(f.note == text)
        inner = re.fullmatch(r'note = "((?:[^"\\]|\\.)*)"', written)
        assert inner is not None, written
        assert re.sub(r"\\(.)", r"\1", inner[1]) == text
        assert not re.search(r"(?<!\\)(?:\\\\)*\*", inner[1])
        tree = detente.Filter(str(f.note.like(text))).tree  # one comparison, whatever is in it
        assert tree.startswith("=\n  note\n"), tree
        assert tree.count("\n") == 2, tree
