"""The command line's questions: filters, search, aggregate, stock and neighbors, as a process."""

import csv
import io
import json
from pathlib import Path

import detente
import pytest
from detente import errors
from detente._command import pointed
from python.cli_test import bad, good, run, store, where  # noqa: F401


@pytest.fixture(autouse=True)
def records(store: Path) -> None:  # noqa: F811
    """Two persons of `store`, two releases, and a detention that may have ended."""
    with detente.open(store) as db, db.batch() as batch:
        batch.releases.create(
            id="r",
            display_name="Release of A",
            region_code="XA",
            effective_date="2025-12",
            headcount=5,
            mechanism="PARDON",
            participants=[{"id": "p", "person": "persons/a"}],
        )
        batch.releases.create(
            id="s",
            display_name="Release ✓",
            region_code="XB",
            effective_date="2025-11-30/2025-12-02",
        )
        batch.detentions.create(
            id="d",
            person="persons/a",
            region_code="XA",
            start_date="2025-01-01",
            end_date="2025-02",
        )


def names(text: str) -> list[str]:
    return [record["name"] for record in json.loads(text)]


def test_filters(where: list[str]) -> None:  # noqa: F811
    listed = ["list", "releases", "--json", *where]
    assert names(good(*listed, "--filter", 'region_code = "XA"')) == ["releases/r"]
    assert names(good(*listed, 'certainly(effective_date, "2025-12")')) == ["releases/r"]
    assert names(good(*listed, 'possibly(effective_date, "2025-12")')) == [
        "releases/r",
        "releases/s",
    ]
    assert names(good(*listed, "--where", "region_code=XB")) == ["releases/s"]
    both = ["--where", "region_code=XB", "--where", "region_code=XA"]
    assert len(names(good(*listed, *both))) == 2
    assert names(good(*listed, *both, "mechanism = PARDON")) == ["releases/r"]
    assert names(good(*listed, "--where", "headcount.best=5")) == ["releases/r"]
    assert names(good(*listed, "--where", "mechanism=PARDON")) == ["releases/r"]
    assert names(good(*listed, "--where", "participants.person=persons/a")) == ["releases/r"]
    assert names(good(*listed, "--order-by", "region_code desc")) == ["releases/s", "releases/r"]
    rows = good("list", "releases", "--csv", "--filter", "mechanism = PARDON", *where)
    assert [row["name"] for row in csv.DictReader(io.StringIO(rows))] == ["releases/r"]
    assert run("list", "releases", 'region_code = "XC"', *where).stderr == "no releases\n"
    assert "FIELD=VALUE" in bad(2, *listed, "--where", "region_code")
    assert "give the filter once" in bad(2, *listed, "a = 1", "--filter", "b = 2")


def test_errors_point_at_the_place(where: list[str]) -> None:  # noqa: F811
    told = bad(1, "list", "releases", 'region_code = "XA" AND effectve_date > "2025"', *where)
    assert "did you mean" in told
    assert "effective_date" in told
    lines = told.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "^")
    assert lines[at - 1][lines[at].index("^") :].startswith("effectve_date")
    told = bad(1, "list", "releases", "--order-by", "region_code, effectve_date", *where)
    assert "effective_date" in told


def test_explain(where: list[str]) -> None:  # noqa: F811
    told = good("list", "releases", 'region_code = "XA"', "--explain", *where)
    assert told.splitlines()[0] == "filter"
    assert "found by the store" in told
    assert bad(2, "list", "releases", "--explain", "--json", *where)
    assert "--reviewed-only" in bad(2, "list", "releases", "--explain", "--reviewed-only", *where)


def test_search(where: list[str]) -> None:  # noqa: F811
    told = good("search", "release", *where).splitlines()
    assert told[0] == "2 found: 2 releases"
    assert "«Release»" in told[2]
    assert run("search", "nowhere", *where).stderr == "nothing found\n"
    found = json.loads(good("search", "release", "--json", *where))
    assert {hit["name"] for hit in found} == {"releases/r", "releases/s"}
    assert found[0]["score"] > 0
    assert found[0]["highlights"][0]["path"] == "display_name"
    rows = good("search", "release", "--csv", "--limit", "1", *where).splitlines()
    assert (rows[0], len(rows)) == ("name,display_name,score", 2)
    assert run("search", "release", "--in", "persons", *where).stderr == "nothing found\n"
    filtered = good(
        "search", "release", "--in", "releases", "--filter", "mechanism = PARDON", *where
    )
    assert "releases/r" in filtered
    assert "did you mean persons" in bad(2, "search", "x", "--in", "person", *where)
    assert bad(1, "search", "(x", *where)


def test_aggregate(where: list[str]) -> None:  # noqa: F811
    told = good("aggregate", "releases", "--by", "effective_date.month", *where).splitlines()
    assert [line.split() for line in told] == [
        ["effective_date.month", "count", "possibly"],
        ["2025-11", "0", "1"],
        ["2025-12", "1", "2"],
    ]
    rows = json.loads(
        good("aggregate", "releases", "sum(headcount)", "--by", "region_code", "--json", *where)
    )
    assert [row["sum(headcount)"] for row in rows] == [5, None]
    text = good("aggregate", "releases", "count", "--by", "region_code", "--csv", *where)
    assert text.splitlines() == ["region_code,count", "XA,1", "XB,1"]
    text = good("aggregate", "releases", "--filter", "mechanism = PARDON", "--csv", *where)
    assert text.splitlines() == ["count", "1"]
    assert "did you mean sum" in bad(1, "aggregate", "releases", "sm(headcount)", *where)
    assert "did you mean releases" in bad(2, "aggregate", "release", *where)


def test_stock(where: list[str]) -> None:  # noqa: F811
    told = good("stock", "detentions", "2025-01-01", "2025-03-01", *where).splitlines()
    assert [line.split() for line in told] == [
        ["day", "certain", "possible"],
        ["2025-01-01", "1", "1"],
        ["2025-02-01", "0", "1"],
        ["2025-03-01", "0", "0"],
    ]
    rows = json.loads(
        good("stock", "detentions", "2025-01-01", "2025-01-02", "--step", "day", "--json", *where)
    )
    assert rows[0] == {"day": "2025-01-01", "certain": 1, "possible": 1}
    assert bad(2, "stock", "detentions", "2025-01-01", "2025-03-01", "--step", "week", *where)
    assert "last: a day" in bad(1, "stock", "detentions", "2025-01-01", "March", *where)


def test_neighbors(where: list[str]) -> None:  # noqa: F811
    told = good("neighbors", "persons/a", *where).splitlines()
    assert told[0] == "persons/a  A"
    assert {line.split()[0] for line in told[1:]} == {"←"}
    assert any("releases/r  Release of A" in line for line in told)
    found = json.loads(good("neighbors", "persons/a", "--in", "releases", "--json", *where))
    assert [node["name"] for node in found["nodes"]] == ["persons/a", "releases/r"]
    assert good("neighbors", "persons/a", "--direction", "outgoing", *where) == "persons/a  A\n"
    assert bad(2, "neighbors", "persons/a", "--depth", "4", *where)
    assert bad(2, "neighbors", "a", *where)
    assert bad(1, "neighbors", "persons/nobody", *where)


def violation(field: str, description: str) -> errors.Error:
    return errors.InvalidArgumentError(
        f"{field}: {description}", field_violations=[errors.FieldViolation(field, description)]
    )


def test_a_place_is_counted_in_columns() -> None:
    text = 'note = "東京 Бя" AND effectve_date > 1'
    position = len(text[: text.index("effectve")].encode())
    error = violation("filter", f"no field effectve_date at position {position}")
    told = pointed(error, {"filter": text}).splitlines()
    assert told[1] == f"  {text}"
    assert told[2].index("^") == 2 + text.index("effectve") + 2  # two wide characters
    assert pointed(error, {}) == str(error)
    assert pointed(violation("filter", "wrong at position 999"), {"filter": "a"}).count("\n") == 0
    # Of another argument, whose text is not there.
    assert pointed(violation("group_path", "`xx` at position 0"), {"filter": "a"}).count("\n") == 0


def test_a_long_text_is_shown_around_the_place() -> None:
    text = "a = 1 AND " * 100 + "b = 2" + " AND c = 3" * 100
    error = violation("filter", f"no field b at position {text.index('b = 2')}")
    told = pointed(error, {"filter": text}).splitlines()
    assert len(told[1]) < 140
    assert told[1][told[2].index("^") :].startswith("b = 2 AND")
