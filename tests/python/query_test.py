"""Search, totals, stock, neighbors and explain: what is asked for, and what is made of answers."""

import datetime
import re
from typing import Any

import detente
import pytest
from detente import _contract, f
from python import fake

SERVICE = "/detente.v1.QueryService"


def response(method: str) -> Any:
    return _contract.method(f"{SERVICE}/{method}").response


@pytest.fixture
def found() -> Any:
    kind = response("SearchRecords")
    marked = [("Ales ", False), ("Bialiatski", True), (" <b>", False)]
    return kind(
        hits=[
            {
                "name": "persons/b",
                "display_name": "Ales Bialiatski <b>",
                "score": 2.5,
                "highlights": [
                    {"path": "note", "parts": [{"text": "see "}, {"text": "him", "matched": True}]},
                    {
                        "path": "display_name",
                        "parts": [{"text": text, "matched": mark} for text, mark in marked],
                    },
                ],
            },
            {"name": "releases/r", "display_name": "A release", "score": 0.5},
        ],
        facets=[{"collection": "persons", "count": 1}, {"collection": "releases", "count": 1}],
        total_size=2,
        revision=9,
    )


def test_search(found: Any) -> None:
    people = _contract.resources()["persons"].batch_get.response
    releases = _contract.resources()["releases"].batch_get.response
    db, requests = fake.database(
        SearchRecords=found,
        BatchGetPersons=people(persons=[detente.Person(name="persons/b")]),
        BatchGetReleases=releases(releases=[detente.Release(name="releases/r")]),
    )
    hits = db.search(
        "Bialiatski",
        collections=["persons", "releases"],
        filter=f.display_name.like("A*"),
        where={"review_state": "DRAFT"},
    )
    [hit, other] = hits
    request = requests[0]
    assert (request.query, list(request.collections)) == ("Bialiatski", ["persons", "releases"])
    assert request.filter == '(display_name = "A*") AND review_state = DRAFT'
    assert (hit.name, hit.display_name, hit.score) == ("persons/b", "Ales Bialiatski <b>", 2.5)
    assert [str(highlight) for highlight in hit.highlights] == [
        "see «him»",
        "Ales «Bialiatski» <b>",
    ]
    assert hit.highlights[1].parts[1] == ("Bialiatski", True)
    assert hit.highlights[1].text == hit.display_name
    assert other.highlights == []
    assert hits.total_size == 2
    assert list(hits.facets.items()) == [("persons", 1), ("releases", 1)]

    lines = repr(hits).splitlines()
    assert lines[0] == "2 found: 1 persons, 1 releases"
    assert re.split(" {2,}", lines[2]) == [
        "persons/b",
        "Ales «Bialiatski» <b>",
        "note",
        "see «him»",
    ]
    assert "…" not in lines
    page = hits._repr_html_()
    assert "Ales <mark>Bialiatski</mark> &lt;b&gt;" in page
    assert "<b>" not in page

    assert [record.name for record in hits.records()] == ["persons/b", "releases/r"]
    assert requests[-1].at.revision == 9
    assert [record.name for record in hits.limit(1).records()] == ["persons/b"]
    assert hits.limit(0).records() == []
    db.at(3).search("x", collections="persons").first()
    assert (requests[-1].at.revision, list(requests[-1].collections)) == (3, ["persons"])


@pytest.mark.parametrize(
    ("path", "answer", "sum"),
    [
        ("revision", {"sum": {"best": 0}, "count": 2}, 0),
        ("revision", {"count": 0}, None),
        ("birth_place.location.latitude", {"number": 0.0, "count": 1}, 0.0),
        ("birth_place.location.latitude", {"count": 0}, None),
    ],
)
def test_a_sum_without_any_values_is_none(path: str, answer: Any, sum: float | None) -> None:
    groups = [group([], [answer])]
    db, _ = fake.database(AggregateRecords=response("AggregateRecords")(groups=groups))
    table = db.aggregate("persons", measures=f"sum({path})")
    assert table.to_dicts() == [{f"sum({path})": sum}]
    assert type(table[0][f"sum({path})"]) is type(sum)
    assert table.text().splitlines()[1:] == ([] if sum is None else [f"{sum:,}"])


def test_sums_of_records_without_the_field(db: detente.Database) -> None:
    db.persons.create(display_name="Test Person 1")
    path = "birth_place.location.latitude"
    measures = [f"sum({path})", "sum(headcount)", "sum(headcount.best)"]
    assert db.aggregate("persons", measures=measures[0])[0][measures[0]] is None
    db.releases.create(display_name="Test release 1", region_code="XA")
    [release] = db.aggregate("releases", measures=measures[1:])
    assert release["sum(headcount)"] == (None, None, None)
    assert release["sum(headcount.best)"] is None
    db.releases.create(display_name="Test release 2", region_code="XA", headcount=0)
    [release] = db.aggregate("releases", measures=measures[1:])
    assert release["sum(headcount.best)"] == 0


def test_search_says_when_there_is_more_or_nothing(found: Any) -> None:
    found.total_size, found.next_page_token = 30, "t"
    db, _ = fake.database(SearchRecords=found)
    assert repr(db.search("x")).splitlines()[-1] == "…"
    assert "…" not in repr(db.search("x").limit(2))
    assert db.search("x")._repr_html_().endswith("<p>…</p>")
    db, _ = fake.database(SearchRecords=response("SearchRecords")())
    assert repr(db.search("x")) == "nothing found"
    assert db.search("x")._repr_html_() == "<p>nothing found</p>"
    assert not db.search("x")


def group(keys: list[str | None], certain: list[Any], possible: list[Any] | None = None) -> Any:
    kind = response("AggregateRecords").Group
    made = kind(
        keys=[{"present": key is not None, "value": key or ""} for key in keys],
        certain_values=certain,
        possible_values=certain if possible is None else possible,
    )
    return made


def test_aggregate() -> None:
    first = [{"integer": 3}, {"sum": {"best": 100, "low": 90}}, {"text": "2025-12-13"}]
    more = [{"integer": 1005}, {"sum": {"best": 100, "low": 90}}, {"text": ""}]
    answer = response("AggregateRecords")(
        groups=[group(["BY", "2025"], first, more), group([None, "2024"], first)],
        total_groups=5,
        record_count=1008,
        revision=9,
    )
    db, requests = fake.database(AggregateRecords=answer)
    table = db.at(9).aggregate(
        "releases",
        by=["region_code", f.effective_date.year],
        measures=["count", " sum( headcount ) ", "Max(effective_date)"],
        filter=f.mechanism == 1,
        where={"headcount.best": 3},
        order_by="count desc",
        limit=2,
    )
    request = requests[0]
    assert request.at.revision == 9
    assert request.filter == "(mechanism = PARDON) AND headcount.best = 3"
    assert list(request.group_paths) == ["region_code", "effective_date.year"]
    assert [(m.kind, m.path) for m in request.measures] == [
        (1, ""),
        (3, "headcount"),
        (5, "effective_date"),
    ]
    assert (request.order_by, request.max_groups) == ("count desc", 2)

    assert table.columns == [
        "region_code", "effective_date.year", "count", "sum(headcount)", "max(effective_date)",
    ]  # fmt: skip
    assert len(table) == 2
    assert (table.total_groups, table.record_count, table.revision) == (5, 1008, 9)
    assert table[0]["region_code"] == "BY"
    assert table[0]["count"] == 3
    assert table[0].possible["count"] == 1005
    assert table[1]["region_code"] is None
    assert table[0]["sum(headcount)"] == (100, 90, None)
    assert table[0].possible["max(effective_date)"] is None
    with pytest.raises(KeyError, match=r"no column 'x'; there are region_code"):
        table[0]["x"]
    assert table.rows[1] == (None, "2024", 3, (100, 90, None), "2025-12-13")
    assert table.to_dicts()[0] == {
        "region_code": "BY",
        "effective_date.year": "2025",
        "count": 3,
        "sum(headcount)": 100,
        "sum(headcount).low": 90,
        "sum(headcount).high": None,
        "max(effective_date)": "2025-12-13",
        "possibly count": 1005,
        "possibly sum(headcount)": 100,
        "possibly sum(headcount).low": 90,
        "possibly sum(headcount).high": None,
        "possibly max(effective_date)": None,
    }
    lines = repr(table).splitlines()
    assert lines[0].split() == [
        "region_code", "effective_date.year", "count", "possibly", "sum(headcount)",
        "max(effective_date)", "possibly",
    ]  # fmt: skip
    assert lines[1].split()[:4] == ["BY", "2025", "3", "1,005"]
    assert lines[2].split()[0] == "none"
    assert lines[3] == "… the first 2 of 5 groups"
    assert "<td>1,005</td>" in table._repr_html_()
    assert "of 5 groups" in table._repr_html_()


def test_aggregate_of_numbers() -> None:
    values = [{"sum": {"best": 8}}, {"text": "60"}, {"integer": 2}, {"integer": 7}]
    answer = response("AggregateRecords")(groups=[group([], values)], total_groups=1)
    db, _ = fake.database(AggregateRecords=answer)
    measures = ["sum(revision)", "max(revision)", "distinct(person)", "count(person)"]
    table = db.aggregate("detentions", measures=measures)
    assert table.rows == [(8, 60, 2, 7)]
    assert list(table[0].certain) == measures
    assert "possibly" not in repr(table)
    assert "possibly sum(revision)" not in table.to_dicts()[0]
    answer.groups[0].keys.add(present=True, unknown=True)
    assert (
        db.aggregate("detentions", "start_date.year", measures)[0]["start_date.year"] == "unknown"
    )
    empty, _ = fake.database(AggregateRecords=response("AggregateRecords")())
    assert repr(empty.aggregate("releases", by="region_code")) == "no groups"
    assert not empty.aggregate("releases")


@pytest.mark.parametrize(
    ("measure", "hint"),
    [
        ("sm(headcount)", r"measures\[1\]: no measure 'sm\(headcount\)'.*did you mean sum\?"),
        ("average(headcount)", "there are count, distinct, sum, min, max"),
        ("sum", r"sum of which field\? as sum\(headcount\)"),
        ("sum()", "sum of which field"),
        ("sum(a", "did you mean sum"),
        (7, "a text such as"),
        ("count", "measures: count is there twice"),
    ],
)
def test_wrong_measures_are_named(measure: Any, hint: str) -> None:
    db, requests = fake.database()
    with pytest.raises(detente.InvalidArgumentError, match=hint):
        db.aggregate("releases", measures=["count", measure])
    assert not requests


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (
            lambda db: db.releases.list(order_by=["name"]),
            "order_by: a text expected",
        ),
        (lambda db: db.aggregate("releases", order_by=["count"]), "order_by: a text expected"),
        (lambda db: db.search(5), "query: a text expected, not 5"),
        (lambda db: db.releases.list().limit("3"), "limit: a whole number expected, not '3'"),
        (lambda db: db.releases.list(page_size=1.5), "page_size: a whole number expected"),
    ],
)
def test_arguments_of_a_wrong_type_are_named(call: Any, hint: str) -> None:
    with (
        detente.open(":memory:", create=True) as db,
        pytest.raises(detente.InvalidArgumentError, match=hint),
    ):
        call(db)


def test_wrong_paths_are_named() -> None:
    db, _ = fake.database()
    with pytest.raises(detente.InvalidArgumentError, match="by: region_code is there twice"):
        db.aggregate("releases", by=["region_code", f.region_code])
    with pytest.raises(detente.InvalidArgumentError, match="by: paths of fields"):
        db.aggregate("releases", by=[1])
    with pytest.raises(detente.InvalidArgumentError, match="limit"):
        db.aggregate("releases", limit=2**31)


def test_stock() -> None:
    kind = response("ComputeStock")
    days = [{"year": 2025, "month": month, "day": 1} for month in (1, 2)]
    points = [
        {"day": days[0], "certain": 1200, "possible": 1200},
        {"day": days[1], "certain": 2, "possible": 5},
    ]
    one = kind(series=[{"key": {}, "points": points}], record_count=7, revision=9)
    db, requests = fake.database(ComputeStock=one)
    stock = db.stock("detentions", "2025-01-01", datetime.date(2025, 2, 1), step="Quarter",
                     where={"region_code": "BY"}, end="end_date")  # fmt: skip
    request = requests[0]
    assert (request.first_day.month, request.last_day.month, request.step) == (1, 2, 3)
    assert (request.filter, request.end_path, request.group_path) == (
        'region_code = "BY"',
        "end_date",
        "",
    )
    assert [tuple(point) for point in stock] == [
        (datetime.date(2025, 1, 1), 1200, 1200),
        (datetime.date(2025, 2, 1), 2, 5),
    ]
    assert repr(stock).splitlines()[1].split() == ["2025-01-01", "1,200", "1,200"]
    assert stock.to_dicts()[1] == {
        "day": datetime.date(2025, 2, 1), "certain": 2, "possible": 5,
    }  # fmt: skip
    assert stock.record_count == 7

    two = kind(
        series=[
            {"key": {"present": True, "value": "<BY>"}, "points": points},
            {"points": points},
        ]
    )
    db, requests = fake.database(ComputeStock=two)
    stock = db.stock("detentions", "2025-01-01", "2025-02-01", by=f.region_code)
    assert requests[0].group_path == "region_code"
    assert list(stock.series) == ["<BY>", None]
    assert [line.split() for line in repr(stock).splitlines()] == [
        ["day", "<BY>", "none"],
        ["2025-01-01", "1,200", "1,200"],
        ["2025-02-01", "2\N{EN DASH}5", "2\N{EN DASH}5"],
    ]
    assert "<th>&lt;BY&gt;</th>" in stock._repr_html_()
    assert stock.to_dicts()[0]["region_code"] == "<BY>"
    with pytest.raises(detente.InvalidArgumentError, match=r"\.series"):
        list(stock)

    db, _ = fake.database(ComputeStock=kind())
    assert repr(db.stock("detentions", "2025-01-01", "2025-02-01")) == "no records"


def test_wrong_days_and_steps_are_named() -> None:
    db, _ = fake.database()
    with pytest.raises(detente.InvalidArgumentError, match="last: a day"):
        db.stock("detentions", "2025-01-01", "2025-13")
    with pytest.raises(detente.InvalidArgumentError, match="step: one of day, month, quarter"):
        db.stock("detentions", "2025-01-01", "2025-12-31", step="week")


def test_neighbors() -> None:
    kind = response("FindNeighbors")
    answer = kind(
        nodes=[
            {"name": "releases/r", "display_name": "R"},
            {"name": "exchanges/e", "display_name": "<E>", "distance": 1},
            {"name": "persons/p", "distance": 1, "missing": True},
            {"name": "measures/m", "display_name": "M", "distance": 2},
        ],
        edges=[
            {"source": "exchanges/e", "path": 'sides["us"].measure', "target": "measures/m"},
            {"source": "exchanges/e", "path": "sides.release", "target": "releases/r"},
            {"source": "exchanges/e", "path": "sides.person", "target": "persons/p"},
            {"source": "releases/r", "path": "participants.person", "target": "persons/p"},
        ],
        truncated=True,
        revision=9,
    )
    release = detente.Release(name="releases/r")
    records = _contract.resources()
    db, requests = fake.database(
        FindNeighbors=answer,
        BatchGetReleases=records["releases"].batch_get.response(releases=[release]),
        BatchGetExchanges=records["exchanges"].batch_get.response(
            exchanges=[detente.Exchange(name="exchanges/e")]
        ),
        BatchGetMeasures=records["measures"].batch_get.response(
            measures=[detente.Measure(name="measures/m")]
        ),
    )
    around = db.neighbors(release, depth=2, direction="Incoming", collections="exchanges", limit=3)
    request = requests[0]
    assert (request.name, request.depth, request.direction) == ("releases/r", 2, 2)
    assert (list(request.collections), request.max_records) == (["exchanges"], 3)
    assert repr(around).splitlines() == [
        "releases/r  R",
        "  ← sides.release: exchanges/e  <E>",
        '    → sides["us"].measure: measures/m  M',
        "  → participants.person: persons/p  (missing)",
        "… there are more; raise limit",
    ]
    page = around._repr_html_()
    assert page.count("<ul>") == page.count("</ul>") == 3
    assert "&lt;E&gt;" in page
    assert [node.distance for node in around] == [0, 1, 1, 2]
    assert around.edges[0].target == "measures/m"
    names = [record.name for record in around.records()]
    assert names == ["releases/r", "exchanges/e", "measures/m"]
    assert requests[-1].at.revision == 9
    with pytest.raises(detente.InvalidArgumentError, match="direction: one of both, outgoing"):
        db.neighbors(release, direction="up")
    with pytest.raises(detente.InvalidArgumentError, match=r"releases/x"):
        db.neighbors("r")


def test_explain() -> None:
    answer = response("ExplainQuery")(
        filter='(region_code = "BY")',
        lowered_conditions=['region_code = "BY"'],
        residual_conditions=["note = <b>"],
        indexes=["region_code"],
        plan_steps=["SEARCH"],
    )
    db, requests = fake.database(ExplainQuery=answer)
    told = db.at(3).releases.list(
        f.mechanism == 1, order_by="name", show_deleted=True, where={"note": "x"}, explain=True
    )
    request = requests[0]
    assert (request.collection, request.order_by, request.show_deleted, request.at.revision) == (
        "releases",
        "name",
        True,
        3,
    )
    assert request.filter == '(mechanism = PARDON) AND note = "x"'
    assert (told.lowered, told.residual, told.indexes) == (
        ['region_code = "BY"'],
        ["note = <b>"],
        ["region_code"],
    )
    assert repr(told).splitlines()[:4] == [
        "filter",
        '  (region_code = "BY")',
        "found by the store",
        '  region_code = "BY"',
    ]
    assert "note = &lt;b&gt;" in told._repr_html_()
    db, _ = fake.database(ExplainQuery=response("ExplainQuery")())
    whole = repr(db.releases.list(explain=True))
    assert "none: it passes over the whole collection" in whole
    assert "plan" not in whole
    for options in ({"as_told_by": "bbc"}, {"reviewed_only": True}, {"page_size": 5}):
        with pytest.raises(detente.InvalidArgumentError, match="explain=True does not speak"):
            db.releases.list(**options, explain=True)  # type: ignore[call-overload]


def test_one_source_is_no_basis_for_totals() -> None:
    db, _ = fake.database()
    view = db.as_told_by("bbc")
    for call in (
        lambda: view.search("x"),
        lambda: view.aggregate("releases"),
        lambda: view.stock("detentions", "2025-01-01", "2025-02-01"),
        lambda: view.neighbors("releases/r"),
        lambda: view.releases.list(explain=True),
    ):
        with pytest.raises(detente.InvalidArgumentError, match="as_told_by"):
            call()


def test_the_server_counts() -> None:
    method = _contract.resources()["releases"].list
    db, requests = fake.database(ListReleases=method.response(total_size=1234))
    found = db.releases.list(f.mechanism == 1, order_by="name")
    assert found.count() == 1234
    assert (requests[0].return_total_size, requests[0].page_size) == (True, 1)
    assert requests[0].filter == "mechanism = PARDON"
    assert list(requests[0].read_mask.paths) == ["name"]
    assert found.limit(5).count() == 5
    assert found.limit(0).count() == 0
    assert not found._request.return_total_size


def test_filters_orders_and_counts(db: detente.Database) -> None:
    with db.batch() as batch:
        for number in range(30):
            batch.persons.create(id=f"p{number:05}", display_name=f"Person {number}")
    db.persons.update("p00007", note="seen", birth_date="1962", gender="FEMALE")
    db.persons.delete("p00008")
    for filter, where in (
        ('note = "seen"', None),
        (f.note == "seen", None),
        ("", {"note": "seen"}),
        (f.birth_date.certainly("196X"), {"gender": ["FEMALE", "MALE"]}),
    ):
        found = db.persons.list(filter, where=where)
        assert found.one().name == "persons/p00007"
        assert found.count() == 1
    ordered = db.persons.list(order_by="name desc", page_size=7)
    assert [p.name for p in ordered] == sorted((p.name for p in db.persons.list()), reverse=True)
    assert (ordered.count(), ordered.limit(3).count()) == (29, 3)
    assert db.persons.list(show_deleted=True).count() == 30
    assert db.at(1).persons.list(f.note == "seen").count() == 0
    assert db.at(1).persons.list().count() == 30
    with pytest.raises(detente.InvalidArgumentError, match="display_name"):
        list(db.persons.list("displ_name = 1"))
