"""What is written into spreadsheets, FollowTheMoney and GraphML, read back by other programs."""

import datetime
import itertools
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detente
import networkx
import openpyxl
import pytest
from detente import columns, export_ftm, export_xlsx, loading, testing
from followthemoney import model
from followthemoney.types import registry

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"


@pytest.fixture(scope="module")
def store() -> Iterator[detente.Database]:
    """The founding case beside made-up records. Not to be written to."""
    with detente.open(":memory:", create=True) as opened:
        testing.fill(opened, persons=200, seed=3)
        loading.load(opened, [SAMPLES])
        yield opened


def sheets_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    book = openpyxl.load_workbook(path, read_only=True)
    found = {}
    for sheet in book:
        head, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [dict(itertools.zip_longest(head, row)) for row in rows]
    book.close()
    return found


# --- XLSX


def test_xlsx(store: detente.Database, tmp_path: Path) -> None:
    done = store.export(tmp_path / "a.xlsx", ["releases", "persons"])
    sheets = sheets_of(done.path)
    assert list(sheets) == ["persons", "releases", "Citations", "About"]
    assert len(sheets["persons"]) == store.persons.list().count()
    [row] = [row for row in sheets["releases"] if row["name"] == "releases/by-2025-12-13"]
    assert row["headcount.best"] == 123
    assert row["effective_date.earliest"] == datetime.datetime(2025, 12, 13)
    assert row["effective_date.edtf"] == "2025-12-13"
    assert row["headcount.approximate"] is False
    assert len(json.loads(row["participants"])) == len(
        store.releases.get("by-2025-12-13").participants
    )
    names = [column.name for column in columns.flat_columns(detente.Release.DESCRIPTOR)]
    assert list(row) == [name for name in names if name != "citations"]
    few = store.export(tmp_path / "b.xlsx", "releases", columns=["name", "headcount"])
    assert set(sheets_of(few.path)["releases"][0]) == {
        "name", "headcount.low", "headcount.best", "headcount.high", "headcount.approximate",
        "headcount.text",
    }  # fmt: skip
    assert len(sheets_of(few.path)["Citations"]) > 10


def test_xlsx_has_the_citations(
    store: detente.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_xlsx, "_PAGE", 7)
    cited = sheets_of(store.export(tmp_path / "a.xlsx", ["releases", "commitments"]).path)
    expected = []
    for collection in ("commitments", "releases"):
        for record in store.collection(collection).list():
            for citation in record.citations:
                source: Any = store.sources.get(citation.source)
                expected.append(
                    (record.name, "\n".join(citation.fields), source.name, source.title or None,
                     source.url or None, citation.quote or None, citation.paraphrase or None)
                )  # fmt: skip
    fields = ("record", "fields", "source", "title", "url", "quote", "paraphrase")
    assert [tuple(row[field] for field in fields) for row in cited["Citations"]] == expected
    assert any(row[-2] for row in expected)
    assert any("https://" in (row[4] or "") for row in expected)


def test_xlsx_says_what_it_is(store: detente.Database, tmp_path: Path) -> None:
    done = store.export(tmp_path / "a.xlsx", "releases", filter="headcount.best > 3")
    about = {row["what"]: row["value"] for row in sheets_of(done.path)["About"]}
    assert about == {
        "detente_export": 1,
        "collections": '["releases"]',
        "revision": store.revision,
        "filter": "headcount.best > 3",
        "record_count": done.record_count,
        "records_sha256": done.metadata["records_sha256"],
    }
    properties = openpyxl.load_workbook(done.path).custom_doc_props.props
    assert {one.name: one.value for one in properties} == about


def test_xlsx_runs_nothing(db: detente.Database, tmp_path: Path) -> None:
    texts = ["=1+1", '=HYPERLINK("http://x")', "+1", "@SUM(A1)", "\t=1", "1.5", "TRUE", "#N/A"]
    with db.batch() as batch:
        for number, text in enumerate(texts):
            batch.persons.create(id=f"p-{number}", display_name=text, note=text, ethnicity="=2")
    path = db.export(tmp_path / "a.xlsx", "persons").path
    sheet = openpyxl.load_workbook(path)["persons"]
    head = [cell.value for cell in sheet[1]]
    for row, text in zip(sheet.iter_rows(min_row=2), texts, strict=True):
        for name in ("display_name", "note", "ethnicity"):
            cell = row[head.index(name)]
            stored = "=2" if name == "ethnicity" else text
            assert (cell.data_type, cell.value) == ("s", stored)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert not re.search(rb"<f[ >]", archive.read(name)), name


def test_xlsx_holds_what_cells_can_hold(db: detente.Database, tmp_path: Path) -> None:
    long = "y" * 32_000 + "\U0001f54a" * 1000  # of two units each in UTF-16
    db.persons.create(id="a", display_name="a\x01b\x0b\ufffe<&>\"' ]]>", note=long)
    db.persons.create(id="b", birth_date="1850-01-01", death_date="1900-03-01", note="x" * 32_767)
    db.tallies.create(id="t", count=9_007_199_254_740_993)
    done = db.export(tmp_path / "a.xlsx", ["persons", "tallies"])
    sheets = sheets_of(done.path)
    first, second = sheets["persons"]
    assert first["display_name"] == "a\ufffdb\ufffd\ufffd<&>\"' ]]>"
    assert first["note"] == long[:32_000] + "\U0001f54a" * 383 + "…"
    assert len(first["note"].encode("utf-16-le")) // 2 <= 32_767
    assert second["note"] == "x" * 32_767
    assert done.metadata["shortened_cells"] == 1
    assert {row["what"]: row["value"] for row in sheets["About"]}["shortened_cells"] == 1
    assert second["birth_date.earliest"] == "1850-01-01"
    assert second["death_date.earliest"] == datetime.datetime(1900, 3, 1)
    assert sheets["tallies"][0]["count.best"] == "9007199254740993"


def test_xlsx_has_no_room(
    store: detente.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export_xlsx.ROWS == 2**20
    monkeypatch.setattr(export_xlsx, "ROWS", 20)
    with pytest.raises(detente.ResourceExhaustedError, match="persons: a sheet holds 19 rows"):
        store.export(tmp_path / "a.xlsx", "persons")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(export_xlsx, "ROWS", 201)
    made_up = store.persons.list('name = "persons/p-*"')
    assert store.export(tmp_path / "a.xlsx", made_up).record_count == 200
    count = store.releases.list().count()
    assert sum(len(release.citations) for release in store.releases.list()) > count
    monkeypatch.setattr(export_xlsx, "ROWS", count + 1)
    with pytest.raises(detente.ResourceExhaustedError, match=f"Citations: a sheet holds {count}"):
        store.export(tmp_path / "b.xlsx", "releases")


# --- FollowTheMoney


def entities_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_ftm_is_valid(store: detente.Database, tmp_path: Path) -> None:
    found = entities_of(store.export(tmp_path / "a.ftm.json").path)
    known = {entity["id"]: entity for entity in found}
    assert len(known) == len(found)
    for entity in found:
        proxy = model.get_proxy(entity)
        proxy.schema.validate(entity)  # raises where a value is not of its type
        assert set(entity["properties"]) <= set(proxy.schema.properties), entity
        for required in proxy.schema.required:
            assert proxy.get(required), (required, entity)
        for prop, value in proxy.itervalues():
            if prop.type is registry.entity:
                assert known[value]["schema"] in {s.name for s in prop.range.descendants} | {
                    prop.range.name
                }, (entity, prop.name, value)
    schemata = Counter(entity["schema"] for entity in found)
    assert schemata["Person"] == store.persons.list().count()
    assert schemata["Event"] == sum(
        store.collection(name).list().count()
        for name in ("detentions", "events", "exchanges", "negotiations", "releases")
    )
    assert {"Article", "PublicBody", "Organization", "Company", "Membership", "Sanction"} <= set(
        schemata
    )


def test_ftm_says_what_the_records_say(db: detente.Database, tmp_path: Path) -> None:
    db.sources.create(
        id="s", title="Made-up report", url="https://example.org/a", kind="NGO_REPORT"
    )
    db.organizations.create(id="o", display_name="Test court", kind="COURT", region_code="XA")
    db.organizations.create(id="c", display_name="Test company", kind="COMPANY", region_code="SU")
    db.persons.create(id="b", display_name="Test Person 2")
    db.persons.create(
        id="a",
        display_name="Test Person 1",
        names=[
            {"id": "1", "full": "Тест 1", "given": "Тест", "family": "1", "preferred": True},
            {"id": "2", "full": "Tester", "kind": "ALIAS"},
            {"id": "3", "full": "Former Test", "kind": "FORMER"},
        ],
        gender="FEMALE",
        birth_date="1962-09?",
        nationalities=["BY", "XA"],
        affiliations=[
            {"id": "1", "organization": "organizations/o", "role": "clerk", "start_date": "2001"},
            {"id": "2", "role": "teacher"},
        ],
        relations=[
            {"id": "1", "person": "persons/b", "kind": "FAMILY", "description": "sister"},
            {"id": "2", "person": "persons/b", "kind": "LAWYER"},
        ],
        external_ids=[{"id": "1", "authority": "wikidata", "value": "Q1"}],
        citations=[{"id": "1", "source": "sources/s", "fields": ["display_name"]}],
    )
    db.detentions.create(
        id="d", person="persons/a", region_code="BY", start_date="2020-08-03/2020-08-21",
        end_date="2025-12-13", end_reason="PARDON",
    )  # fmt: skip
    db.measures.create(
        id="m",
        program="TEST",
        imposed_by={"organization": "organizations/o"},
        start_date="2020",
        targets=[
            {"id": "1", "person": "persons/b", "listing_date": "2021-01-02", "reason": "made up"},
            {"id": "2", "sector": "goods"},
        ],
    )
    found = {one["id"]: one for one in entities_of(db.export(tmp_path / "a.ftm.json").path)}
    assert set(found) == {
        "sources.s", "organizations.o", "organizations.c", "persons.a", "persons.b", "detentions.d",
        "persons.a.affiliations.1", "persons.a.relations.1", "persons.a.relations.2",
        "measures.m.targets.1",
    }  # fmt: skip
    day = f"{db.persons.get('a').update_time.ToDatetime():%Y-%m-%d}"
    assert found["persons.a"] == {
        "id": "persons.a",
        "schema": "Person",
        "properties": {
            "name": ["Test Person 1", "Тест 1"],
            "alias": ["Tester"],
            "previousName": ["Former Test"],
            "firstName": ["Тест"],
            "lastName": ["1"],
            "gender": ["female"],
            "birthDate": ["1962-09"],
            "nationality": ["by"],
            "position": ["teacher"],
            "wikidataId": ["Q1"],
            "proof": ["sources.s"],
            "modifiedAt": [day],
        },
    }
    assert found["organizations.o"]["schema"] == "PublicBody"
    assert "country" not in found["organizations.o"]["properties"]
    assert found["organizations.c"]["properties"]["country"] == ["suhh"]
    assert found["persons.a.affiliations.1"]["properties"] == {
        "member": ["persons.a"],
        "organization": ["organizations.o"],
        "role": ["clerk"],
        "startDate": ["2001"],
    }
    assert found["persons.a.relations.1"]["schema"] == "Family"
    assert found["persons.a.relations.2"]["properties"]["relationship"] == ["lawyer"]
    assert found["detentions.d"]["properties"] | {"modifiedAt": []} == {
        "name": ["Detention of Test Person 1"],
        "involved": ["persons.a"],
        "country": ["by"],
        "summary": ["ended: pardon"],
        "keywords": ["detention"],
        "startDate": ["2020-08"],
        "endDate": ["2025-12-13"],
        "modifiedAt": [],
    }
    assert found["measures.m.targets.1"]["properties"] == {
        "entity": ["persons.b"],
        "authority": ["Test court"],
        "program": ["TEST"],
        "listingDate": ["2021-01-02"],
        "reason": ["made up"],
        "startDate": ["2020"],
    }
    assert found["sources.s"]["properties"]["sourceUrl"] == ["https://example.org/a"]


def test_ftm_knows_the_countries() -> None:
    assert all(registry.country.validate(code) for code in export_ftm._COUNTRIES)
    assert set(export_ftm._FORMER.values()) <= export_ftm._COUNTRIES
    made_up = {f"x{chr(letter)}" for letter in range(ord("a"), ord("z") + 1)} - {"xk"}
    assert not made_up & export_ftm._COUNTRIES


# --- GraphML


def test_graphml(db: detente.Database, tmp_path: Path) -> None:
    for id in ("a", "b", "c"):
        db.persons.create(id=id, display_name=f'Test "Person" <{id}> & \x02')
    db.organizations.create(id="o", display_name="Test office", region_code="XA")
    db.organizations.create(id="alone", display_name="Who met nobody")
    parties = [
        {"id": "1", "person": "persons/a", "role": "ENVOY", "represents": "organizations/o"},
        {"id": "2", "person": "persons/b", "role": "PRINCIPAL"},
        {"id": "3", "person": "persons/c", "title": "interpreter"},
        {"id": "4", "title": "an official"},
    ]
    db.negotiations.create(
        id="rounds",
        display_name="Made-up talks",
        parties=parties,
        rounds=[
            {"id": "1", "party_ids": ["1", "2"], "start_date": "2025-06", "channel": "PHONE"},
            {"id": "2", "party_ids": ["1", "4"]},
            {"id": "3"},
        ],
    )
    db.negotiations.create(id="none", parties=[*parties[:2], {"id": "5", "person": "persons/a"}])
    db.exchanges.create(
        id="e",
        sides=[
            {"id": "x", "party": {"organization": "organizations/o"}},
            {"id": "y", "party": {"description": "a foreign power", "on_behalf_of": ""}},
        ],
    )
    done = db.export(tmp_path / "a.graphml")
    graph = networkx.read_graphml(done.path)
    assert dict(graph.nodes(data=True)) == {
        "persons.a": {
            "name": "persons/a", "kind": "PERSON", "label": 'Test "Person" <a> & \ufffd'
        },
        "persons.b": {
            "name": "persons/b", "kind": "PERSON", "label": 'Test "Person" <b> & \ufffd'
        },
        "organizations.o": {
            "name": "organizations/o", "kind": "ORGANIZATION", "label": "Test office",
            "region_code": "XA",
        },
        "negotiations.rounds.parties.4": {
            "name": "negotiations/rounds.parties.4", "kind": "DESCRIBED", "label": "an official"
        },
        "exchanges.e.sides.y": {
            "name": "exchanges/e.sides.y", "kind": "DESCRIBED", "label": "a foreign power"
        },
    }  # fmt: skip
    edges = [
        (*sorted((source, target)), data["kind"], data["record"], data)
        for source, target, data in graph.edges(data=True)
    ]
    edges.sort(key=lambda edge: edge[:4])
    assert [edge[:4] for edge in edges] == [
        ("exchanges.e.sides.y", "organizations.o", "EXCHANGED", "exchanges/e"),
        ("negotiations.rounds.parties.4", "persons.a", "MET", "negotiations/rounds"),
        ("persons.a", "persons.b", "MET", "negotiations/rounds"),
        ("persons.a", "persons.b", "NEGOTIATED", "negotiations/none"),
        ("persons.a", "persons.b", "NEGOTIATED", "negotiations/none"),
    ]
    met = edges[2][4]
    assert met["start_date"] == "2025-06"
    assert met["channel"] == "PHONE"
    assert json.loads(met["roles"]) == {"persons.a": "ENVOY", "persons.b": "PRINCIPAL"}
    assert json.loads(met["represents"]) == {"persons.a": "organizations/o"}
    ids = re.findall(r' (?:id|source|target)="(.*?)"', done.path.read_text("utf-8"))
    assert len(ids) > 20
    assert all(re.fullmatch(r"[A-Za-z0-9._:-]+", id) for id in ids)  # NMTOKEN
    assert graph.graph["revision"] == str(db.revision)
    assert graph.graph["records_sha256"] == done.metadata["records_sha256"]
    assert json.loads(graph.graph["query"])["collections"] == ["exchanges", "negotiations"]


def test_graphml_of_the_founding_case(store: detente.Database, tmp_path: Path) -> None:
    graph = networkx.read_graphml(store.export(tmp_path / "a.graphml").path)
    talks: Any = store.negotiations.list("rounds.party_ids:*")
    pairs = {
        frozenset((source, target))
        for source, target, data in graph.edges(data=True)
        if data["kind"] == "MET"
    }
    assert pairs
    for negotiation in talks:
        who = {p.id: (p.person or p.organization).replace("/", ".") for p in negotiation.parties}
        for round_ in negotiation.rounds:
            named = [who[id] for id in round_.party_ids if who[id]]
            for one in named[1:]:
                assert frozenset((named[0], one)) in pairs
