"""Public lists load whole through their ready mappings, and say what the lists say."""

import collections
import csv
import gzip
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import detente
import pytest

SANCTIONS = Path(__file__).parents[1] / "data" / "sanctions"
VIASNA = (
    "id,url,name,status,birthday,gender,arrested,articles,verdict_date,decision,penalty,judge,"
    "prosecutor,prison,declaration,release_date,died\n"
)


def ofac_rows(name: str) -> list[list[str]]:
    """A list of OFAC's read by the csv module alone, `-0-` made empty."""
    with gzip.open(SANCTIONS / f"ofac_{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [
            ["" if cell.strip() == "-0-" else cell.strip() for cell in row]
            for row in csv.reader(file)
        ]


def targets(db: detente.Database) -> "collections.Counter[tuple[str, str]]":
    """How many targets of each type every program has."""
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    for measure in db.measures.list():
        for target in measure.targets:
            kind = target.WhichOneof("target")
            if kind == "asset":
                kind = target.asset.Kind.Name(target.asset.kind).lower()
            found[kind, measure.program] += 1
    return found


def test_the_list_of_ofac_loads_whole(tmp_path: Path) -> None:
    rows = ofac_rows("sdn")
    with detente.open(tmp_path / "store.db", create=True) as db:
        report = db.load(SANCTIONS / "ofac_sdn.csv.gz", mapping="ofac_sdn", reason="list")
        assert report.problem_count == 0
        assert report.rows == len(rows) == 7379
        assert report.updated == report.unchanged == 0

        kinds = collections.Counter(row[2] for row in rows)
        assert db.persons.list().count() == kinds["individual"] == 3845
        assert db.organizations.list().count() == kinds[""] == 2994
        expected: collections.Counter[tuple[str, str]] = collections.Counter()
        called = {"individual": "person", "": "organization"}
        for row in rows:
            for program in row[3].split("] ["):
                expected[called.get(row[2], row[2]), program] += 1
        assert targets(db) == expected

        aliases = collections.Counter(row[0] for row in ofac_rows("alt"))
        addresses = collections.Counter(row[0] for row in ofac_rows("add") if any(row[2:5]))
        persons = {row[0]: row for row in rows if row[2] == "individual"}
        for person in db.persons.list(page_size=1000):
            number = person.name.removeprefix("persons/ofac-")
            row = persons[number]
            assert person.display_name == row[1]
            assert person.external_ids[0].value == number
            assert len(person.names) <= 1 + aliases[number]
            assert bool(person.residences) == bool(addresses[number])
            assert bool(person.birth_date.edtf) == ("DOB" in row[11]), row
        by_id = db.persons.get("ofac-587")
        assert by_id.names[0].family == "CRUZ"
        assert by_id.affiliations[0].role == "Director, Banco Nacional de Cuba"

        revision = db.revision
        again = db.load(SANCTIONS / "ofac_sdn.csv.gz", mapping="ofac_sdn", reason="again")
        assert (again.created, again.updated, again.unchanged) == (0, 0, report.created)
        assert db.revision == revision == again.revision


def test_dates_of_birth_keep_what_is_not_known(tmp_path: Path) -> None:
    names = ["one", "circa", "alt", "span", "month", "around"]
    said = [
        "DOB 10 Dec 1948; POB Testville.",
        "DOB circa 1960.",
        "DOB 1962; alt. DOB 03 May 1963.",
        "DOB 01 Jan 1961 to 31 Dec 1962; nationality Belarus.",
        "DOB Dec 1970.",
        "DOB circa 1979-1982.",
    ]
    for name in ("alt", "add"):
        (tmp_path / f"{name}.csv").write_text("")
    path = tmp_path / "sdn.csv"
    nulls = ",".join(["-0- "] * 7)
    path.write_text(
        "".join(
            f'{number},"{name.upper()}, Test","individual","BELARUS",{nulls},"{remarks}"\n'
            for number, (name, remarks) in enumerate(zip(names, said, strict=True))
        )
    )
    with detente.open(":memory:", create=True) as db:
        db.load(path, mapping="ofac_sdn")
        people = [db.persons.get(f"ofac-{number}") for number in range(len(names))]
    assert [person.birth_date.edtf for person in people] == [
        "1948-12-10",
        "1960~",
        "[1962,1963-05-03]",
        "1961-01-01/1962-12-31",
        "1970-12",
        "1979~/1982~",
    ]
    assert people[0].birth_place.display_name == "Testville"
    assert list(people[3].nationalities) == ["BY"]


def test_the_list_of_the_united_nations_loads_whole(tmp_path: Path) -> None:
    with gzip.open(SANCTIONS / "un_consolidated.xml.gz") as file:
        root = ElementTree.parse(file).getroot()
    people, bodies = root.findall(".//INDIVIDUAL"), root.findall(".//ENTITY")
    expected: collections.Counter[tuple[str, str]] = collections.Counter()
    for kind, elements in (("person", people), ("organization", bodies)):
        for element in elements:
            expected[kind, element.findtext("UN_LIST_TYPE", "")] += 1
    with detente.open(tmp_path / "store.db", create=True) as db:
        path = SANCTIONS / "un_consolidated.xml.gz"
        report = db.load(path, mapping="un_consolidated")
        assert report.problem_count == 0
        assert report.rows == len(people) + len(bodies) == 1003
        assert targets(db) == expected
        for element in people:
            person = db.persons.get(f"un-{element.findtext('DATAID')}")
            assert person.external_ids[0].value == element.findtext("REFERENCE_NUMBER")
            years = {
                (date.findtext(part) or "")[:4]
                for date in element.findall("INDIVIDUAL_DATE_OF_BIRTH")
                for part in ("DATE", "YEAR", "FROM_YEAR", "TO_YEAR")
            } - {""}
            assert all(year in person.birth_date.edtf for year in years)
            assert bool(person.birth_date.edtf) == bool(years)
        again = db.load(path, mapping="un_consolidated")
        assert (again.created, again.updated, again.revision) == (0, 0, report.revision)


def test_a_table_in_the_columns_of_viasna(db: detente.Database, tmp_path: Path) -> None:
    path = tmp_path / "prisoners.csv"
    path.write_text(
        VIASNA + "1,https://example.org/1,Test Person 1,held,1.02.1980,m,05.08.2020,"
        '"342.1, 293",10.03.2021,found guilty,"4 years, colony",Test Judge,Test Prosecutor,'
        "Test Colony 1,yes,,\n"
        "2,,Тестовый Человек 2,former,1990,ж,2021-01,,,,,,,Test Colony 1,,13.12.2025,\n"
        "3,,Test Person 3,died,,m,09.2020,,,,,,,-,yes,,2023-05-01\n",
        encoding="utf-8",
    )
    report = db.load(path, mapping="viasna")
    assert (report.created, report.problem_count) == (7, 0)
    [prison] = db.organizations.list()
    assert (prison.display_name, prison.region_code) == ("Test Colony 1", "BY")
    first, second, third = (db.persons.get(f"viasna-{n}") for n in (1, 2, 3))
    assert (first.birth_date.edtf, first.gender) == ("1980-02-01", detente.Person.MALE)
    assert second.gender == detente.Person.FEMALE
    assert [len(person.recognitions) for person in (first, second, third)] == [1, 0, 1]
    assert third.death_date.edtf == "2023-05-01"
    held, freed, died = (db.detentions.get(f"viasna-{n}") for n in (1, 2, 3))
    assert held.person == "persons/viasna-1"
    assert [charge.article for charge in held.proceedings[0].charges] == ["342.1", "293"]
    assert held.proceedings[0].date.edtf == "2021-03-10"
    assert held.placements[0].facility == prison.name
    assert "Judge: Test Judge" in held.note
    assert (freed.start_date.edtf, freed.end_date.edtf) == ("2021-01", "2025-12-13")
    assert (died.end_date.edtf, died.end_reason) == ("2023-05-01", detente.Detention.DIED)
    assert not died.placements
    again = db.load(path, mapping="viasna")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 7)


def test_entities_of_followthemoney(db: detente.Database, tmp_path: Path) -> None:
    entities: list[dict[str, Any]] = [
        {
            "id": "Q-1",
            "caption": "Test Person 1",
            "schema": "Person",
            "properties": {
                "name": ["Test Person 1", "Тест Персон"],
                "alias": ["TP"],
                "birthDate": ["1960", "1961-02"],
                "nationality": ["by", "ru"],
                "country": ["by"],
                "gender": ["female"],
                "position": ["Tester", "Maker-up"],
            },
        },
        {
            "id": "c2",
            "schema": "Company",
            "properties": {"name": ["Test Company 2"], "country": ["xk"]},
        },
        {"id": "s3", "schema": "Sanction", "properties": {"entity": ["Q-1"]}},
    ]
    path = tmp_path / "entities.jsonl"
    path.write_text("".join(f"{json.dumps(entity)}\n" for entity in entities))
    report = db.load(path, mapping="followthemoney")
    assert (report.created, report.ignored_rows, report.problem_count) == (2, 1, 0)
    person = db.persons.get("ftm-q-1")
    assert [name.full for name in person.names] == ["Test Person 1", "Тест Персон", "TP"]
    assert person.birth_date.edtf == "[1960,1961-02]"
    assert list(person.nationalities) == ["BY", "RU"]
    assert list(person.occupations) == ["Tester", "Maker-up"]
    company = db.organizations.get("ftm-c2")
    assert (company.display_name, company.region_code) == ("Test Company 2", "XK")
    assert company.kind == detente.Organization.COMPANY
    path.write_text(json.dumps(entities[0] | {"id": ""}))
    with pytest.raises(detente.InvalidArgumentError, match=r"entities\.jsonl:1: id: it is empty"):
        db.load(path, mapping="followthemoney")
