"""What a mapping says: which rows become which records, and what is wrong with it or with them."""

import csv
import datetime
import json
from pathlib import Path
from typing import Any

import detente
import pytest
from detente import _contract, loading
from detente._load import compile, fields, takes
from detente._load.dates import Dates, one_date
from detente._load.faults import CellError
from detente.loading import LoadError

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"


def load(db: detente.Database, rows: list[dict[str, Any]], mapping: Any, **options: Any) -> Any:
    return db.load(rows, "persons", mapping=mapping, **options)


def person(fields: dict[str, Any], **row: Any) -> detente.Person:
    """What one row becomes."""
    with detente.open(":memory:", create=True) as db:
        load(db, [{"id": "x", **row}], {"id": "{id}", "fields": fields})
        return db.persons.get("x")


def fault(fields: dict[str, Any], **row: Any) -> str:
    """What is said of one bad row."""
    with detente.open(":memory:", create=True) as db:
        with pytest.raises(LoadError) as caught:
            load(db, [{"id": "x", **row}], {"id": "{id}", "fields": fields})
        [problem] = caught.value.report.problems
        return str(problem)


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"id": "{a}", "fields": {"birth_dat": "b"}}, "birth_dat: no such field in Person; did"),
        ({"id": "{a}", "fields": {"names": {"ful": "b"}}}, "names.ful: no such field in Name; did"),
        ({"id": "{a}", "fields": {"birth_place.displayname": "b"}}, "did you mean display_name?"),
        ({"id": "{a}", "fields": {"uid": "b"}}, "uid: the server makes it"),
        ({"id": "{a}", "fields": {"name": "b"}}, "name: made of the `id`"),
        ({"id": "fixed", "fields": {"note": "b"}}, "id: no column in braces"),
        ({"fields": {"note": "b"}}, "id: a text with columns in braces expected"),
        ({"id": "{a}", "fields": {"note": {"colum": "b"}}}, "colum: no such key; did you mean col"),
        (
            {"id": "{a}", "fields": {"note": {"column": "b", "constant": "c"}}},
            "one of column, temp",
        ),
        ({"id": "{a}", "fields": {"note": {"column": "b", "pattern": "("}}}, "no regular express"),
        ({"id": "{a}", "fields": {"note": {"column": "b", "dates": ["%Y"]}}}, "only dates take"),
        ({"id": "{a}", "fields": {"birth_date": {"column": "b", "dates": ["%y"]}}}, "directive %y"),
        ({"id": "{a}", "fields": {"birth_date": {"column": "b", "dates": ["%d"]}}}, "no %Y"),
        ({"id": "{a}", "fields": 5}, "fields: a mapping of fields expected"),
        ({"into": "person", "id": "{a}", "fields": {}}, "did you mean persons?"),
        ({"id": "{a}", "fields": {}, "rows": {"encoding": "x"}}, "no encoding 'x'"),
        ({"id": "{a}", "fields": {}, "rows": {"delimeter": ";"}}, "did you mean delimiter?"),
        ({"id": "{a}", "fields": {"note": "c"}, "rows": {"columns": ["a", "b"]}}, "c is not there"),
        ({"records": []}, "records: a list of what rows become expected"),
        ({"recrods": []}, "recrods: no such key; did you mean records?"),
        ({"id": "{a}", "fields": {"labels": ["b", 5]}}, "labels: a mapping expected"),
        (
            {"id": "{a}", "fields": {}, "joins": {"j": {"file": "x"}}},
            "joins.j.key: a text expected",
        ),
        ([], "a mapping of about, rows"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_told(mapping: Any, told: str) -> None:
    with pytest.raises(detente.InvalidArgumentError) as caught:
        compile.compile_mapping(mapping, "m.yaml", "persons")
    assert told in str(caught.value), str(caught.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("into: persons\nid: '{a}'\nfields: {birth_dat: b, genders: c}\n")
    with pytest.raises(detente.InvalidArgumentError) as caught:
        compile.read(path, None)
    assert [line.split(": ")[:2] for line in str(caught.value).splitlines()] == [
        ["m.yaml", "records[0].fields.birth_dat"],
        ["m.yaml", "records[0].fields.genders"],
    ]
    path.write_text("a: [")
    with pytest.raises(detente.InvalidArgumentError, match=r"m\.yaml"):
        compile.read(path, None)
    with pytest.raises(detente.NotFoundError, match="ready ones are followthemoney, ofac_sdn"):
        compile.read("ofac", None)


def test_the_ready_mappings_are_right() -> None:
    assert list(compile.ready()) == ["followthemoney", "ofac_sdn", "un_consolidated", "viasna"]
    for path in compile.ready().values():
        assert compile.read(path, None).kinds
        assert compile.about(path)


def test_takes() -> None:
    made = person(
        {
            "display_name": {"template": "{given} {family}"},
            "birth_place.display_name": "city",
            "birth_place.region_code": {"column": "country", "values": "countries"},
            "nationalities": {"column": "citizen", "split": "/", "values": {"blr": "BY"}},
            "gender": {"column": "sex", "values": {"M": "MALE"}, "otherwise": ""},
            "occupations": ["job", {"constant": "tester"}],
            "external_ids": [
                {"authority": {"constant": "test"}, "value": "number"},
                {"authority": {"constant": "none"}, "value": "absent"},
            ],
            "names": [{"each": {"column": "aliases", "split": ";"}, "full": "item"}],
            "labels": {"kind": "sort", "none": "absent"},
            "note": ["first", {"column": "second", "pattern": r"\((\w+)\)", "join": ", "}],
        },
        given=" Test ",
        family="Person 17",
        city="Testville",
        country="belarus",
        citizen="BLR/blr",
        sex="?",
        job="maker-up",
        number=17.0,
        aliases="A; B ;;A",
        sort="made up",
        first="n",
        second="x (one) y (two)",
    )
    assert made.display_name == "Test Person 17"
    assert (made.birth_place.display_name, made.birth_place.region_code) == ("Testville", "BY")
    assert list(made.nationalities) == ["BY"]
    assert made.gender == detente.Person.GENDER_UNSPECIFIED
    assert list(made.occupations) == ["maker-up", "tester"]
    assert [(e.authority, e.value) for e in made.external_ids] == [("test", "17")]
    assert [name.full for name in made.names] == ["A", "B"]
    assert dict(made.labels) == {"kind": "made up"}
    assert made.note == "n\none, two"


def test_what_is_wrong_with_a_cell_is_told_with_what_would_do() -> None:
    dates = {"column": "born", "dates": ["%d.%m.%Y", "%Y"]}
    told = fault({"birth_date": dates}, born="31.2.1960")
    assert told == (
        "rows:1: born: `31.2.1960`: there is no such date; expected: 31.12.2020 or 2020"
    )
    assert "no date that can be read" in fault({"birth_date": dates}, born="soon")
    assert "EDTF, as 2020-12-31" in fault({"birth_date": "born"}, born="1.1.1960")
    assert fault({"gender": "sex"}, sex="femal").endswith(
        "no Gender; did you mean FEMALE?; `values` translate"
    )
    mapped = {"gender": {"column": "sex", "values": {"m": "MALE", "f": "FEMALE"}}}
    assert "there are m, f; add it to `values`" in fault(mapped, sex="x")
    assert "several values" in fault({"birth_place.display_name": "a"}, a=["x", "y"])
    assert "no value of Place" in fault({"birth_place": "a"}, a="x")
    assert "no JSON" in fault({"birth_place": {"column": "a", "json": True}}, a="{x")
    assert "no such field in Place" in fault({"birth_place": "a"}, a={"displayname": "x"})
    assert "it holds values of its own" in fault({"note": "a"}, a={"x": 1})
    assert "not one of persons" in fault({"relations": {"person": "a"}}, a="releases/x")
    assert "it has a NUL" in fault({"note": "a"}, a="x\0")
    assert "no text in UTF-8" in fault({"note": "a"}, a=b"\xff")
    assert "rows:1: id: it is empty, but the record's id" in fault({"note": "a"}, id=" ", a="x")


def test_dates_are_as_partial_as_they_are_written() -> None:
    dates = Dates(("edtf", "%d.%m.%Y", "%m/%Y", "%d %B %Y", "%b. %Y"), ("circa", "c."), (" - ",))
    for text, edtf in {
        "1960": "1960",
        "1960-05?": "1960-05?",
        "1.5.1960": "1960-05-01",
        "05/1960": "1960-05",
        "3 sept 1960": "1960-09-03",
        "Dec. 1960": "1960-12",
        "circa 1960": "1960~",
        "C. 05/1960": "1960-05~",
        "1.5.1960 - 1961": "1960-05-01/1961",
    }.items():
        assert dates.read(text, "x") == edtf
    assert dates.read(datetime.datetime(1960, 5, 1, 12), "x") == "1960-05-01"
    assert dates.read(datetime.date(1960, 5, 1), "x") == "1960-05-01"
    assert dates.read(1960, "x") == "1960"
    for text in (
        "60/1961",
        "32.1.1960",
        "1.13.1960",
        "00/1960",
        "1960 - ",
        "60",
        "soon",
        "29.2.1961",
    ):
        with pytest.raises(CellError):
            dates.read(text, "x")
    assert one_date(["1960", "1961~", "1970/1971", "1960"], "x") == "[1960,1961~,1970..1971]"


def test_ids_are_stable_and_do_not_fall_together() -> None:
    assert takes.slug("ofac-36") == "ofac-36"
    assert takes.slug(" OFAC 36/a ") == "ofac-36-a"
    assert takes.slug("Ångström") == "angstrom"
    russian = {takes.slug(name) for name in ("Иван Тест", "Пётр", "Пётр П")}
    assert len(russian) == 3
    assert takes.slug("Иван 17") != takes.slug("Пётр 17")
    for text in ("Иван Тест", "x" * 100, "--", "日本", "é" * 70, "ß-17"):
        made = takes.slug(text)
        assert takes._ID.fullmatch(made), made
        assert made == takes.slug(text)
    assert takes.slug("x" * 100) != takes.slug("x" * 101)


def test_rows_of_one_id(db: detente.Database) -> None:
    rows = [
        {"id": "1", "name": "A", "alias": "a"},
        {"id": "2", "name": "B", "alias": "b"},
        {"id": "1", "name": "A", "alias": "c"},
        {"id": "1", "name": "A", "alias": "a"},
    ]
    mapping = {"id": "{id}", "fields": {"display_name": "name", "names": {"full": "alias"}}}
    with pytest.raises(LoadError) as caught:
        load(db, rows, mapping)
    assert [problem.row for problem in caught.value.report.problems] == [3, 4]
    assert "persons/1 is from rows:1 already; add a column to `id`" in str(caught.value)
    merged = mapping | {"merge": True}
    assert load(db, rows, merged).created == 2
    assert [name.full for name in db.persons.get("1").names] == ["a", "c"]
    rows.append({"id": "2", "name": "Other", "alias": "d"})
    report = load(db, rows, merged, on_error="skip")
    [problem] = report.problems
    assert (problem.row, problem.column, problem.value) == (5, "name", "Other")
    assert "another display_name, `B`, from rows:2" in problem.reason
    assert [name.full for name in db.persons.get("2").names] == ["b", "d"]


def test_joined_files(tmp_path: Path, db: detente.Database) -> None:
    (tmp_path / "people.csv").write_text("id,name\n1,A\n2,B\n")
    aliases = tmp_path / "People_Aliases.CSV"
    aliases.write_text("person;alias;kind\n1;a;aka\n1;aa;fka\n3;c;aka\n")
    mapping = {
        "joins": {"aliases": {"file": "*aliases.csv", "key": "person", "equals": "id"}},
        "into": "persons",
        "id": "{id}",
        "fields": {
            "display_name": "name",
            "names": {
                "each": "aliases",
                "full": {"template": "{alias} of {row.name}"},
                "kind": {"column": "kind", "values": {"aka": "ALIAS", "fka": "FORMER"}},
            },
        },
    }
    source = tmp_path / "people.csv"
    assert db.load(source, mapping=mapping).created == 2
    assert [name.full for name in db.persons.get("1").names] == ["a of A", "aa of A"]
    assert db.persons.get("1").names[1].kind == detente.Name.FORMER
    assert not db.persons.get("2").names

    aliases.write_text("person;alias;kind\n1;a;aka\n2;b;nka\n;c;aka\n")
    report = db.load(source, mapping=mapping, dry_run=True)
    assert [str(problem).partition(": no")[0] for problem in report.problems] == [
        "People_Aliases.CSV:4: person: it is empty, but says which row this belongs to",
        "People_Aliases.CSV:3: kind: `nka`",
    ]
    aliases.write_text("person;alias\n")
    with pytest.raises(LoadError, match="1 column is missing: kind; there are person, alias"):
        db.load(source, mapping=mapping)
    aliases.unlink()
    with pytest.raises(LoadError, match=r"0 files \*aliases\.csv beside it"):
        db.load(source, mapping=mapping)
    optional = mapping | {"joins": {"aliases": mapping["joins"]["aliases"] | {"optional": True}}}  # type: ignore[index]
    assert db.load(source, mapping=optional).updated == 1


def test_rows_that_no_record_takes(db: detente.Database) -> None:
    rows = [{"id": "1", "sort": "person"}, {"id": "2", "sort": "ship"}, {"id": "3", "sort": None}]
    mapping = {"id": "{id}", "when": {"sort": "person"}, "fields": {"note": "sort"}}
    with pytest.raises(LoadError, match="rows:2: sort: `ship`: no record of the mapping takes"):
        load(db, rows, mapping)
    report = load(db, rows, mapping | {"others": "ignore"})
    assert (report.created, report.ignored_rows) == (1, 2)
    both = mapping | {"when": {"sort": ["person", None]}, "others": "ignore"}
    assert load(db, rows, both).total == 2


def test_plain_values_of_protobuf(db: detente.Database) -> None:
    given = {"low": 3, "best": None, "approximate": True, "text": "some"}
    rows = [
        {"id": "1", "count": given, "from": {"edtf": "2020", "earliest": {"year": 2020}}},
        {"id": "2", "count": {"best": 5}, "from": "2021"},
        {"id": "3", "count": "1,234", "from": datetime.date(2022, 1, 2)},
    ]
    mapping = {"id": "{id}", "fields": {"count": "count", "as_of_date": "from"}}
    db.load(rows, "tallies", mapping=mapping)
    first, second, third = db.tallies.list(order_by="name")
    assert (first.count.low, first.count.text, first.as_of_date.edtf) == (3, "some", "2020")
    assert (second.count.best, third.count.best) == (5, 1234)
    assert third.as_of_date.edtf == "2022-01-02"


def test_a_field_of_every_type_can_be_set() -> None:
    descriptor = detente.Negotiation.DESCRIPTOR
    assert fields.plain(descriptor, {"uid": "x", "note": None, "place": {"display_name": "y"}}) == {
        "place": {"display_name": "y"}
    }
    rows = [{"id": "a", "flag": "yes", "lat": "53.9", "lng": 27, "when": "2020-01-02T03:04:05Z"}]
    mapping = {
        "id": "{id}",
        "fields": {
            "title": "id",
            "machine_translated": "flag",
            "access_time": "when",
        },
    }
    with detente.open(":memory:", create=True) as db:
        db.load(rows, "sources", mapping=mapping)
        source = db.sources.get("a")
        assert source.machine_translated
        assert source.access_time.ToJsonString() == "2020-01-02T03:04:05Z"
        place = {
            "id": "{id}",
            "fields": {"place.location": {"latitude": "lat", "longitude": "lng"}},
        }
        db.load(rows, "events", mapping=place)
        assert db.events.get("a").place.location.latitude == 53.9
        for column, value in (("flag", "perhaps"), ("when", "noon")):
            with pytest.raises(LoadError, match=f"rows:1: {column}: `{value}`"):
                db.load([rows[0] | {column: value}], "sources", mapping=mapping)


def test_records_as_rows_are_taken_as_they_are(db: detente.Database) -> None:
    loading.load(db, [SAMPLES])
    revision = db.revision
    count = 0
    for collection in _contract.resources():
        rows = [detente.to_dict(record) for record in db.collection(collection).list()]
        report = db.load(rows, into=collection)
        assert (report.problem_count, report.created, report.updated) == (0, 0, 0), report.told(5)
        assert report.unchanged == len(rows)
        count += len(rows)
    assert count > 100
    assert db.revision == revision


def test_flat_columns_with_lists_in_json(db: detente.Database, tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    with path.open("w", newline="") as file:
        row = {
            "name": "persons/a",
            "uid": "x",
            "display_name": "A",
            "birth_date.edtf": "1960?",
            "birth_date.earliest": "1960-01-01",
            "names": json.dumps([{"full": "A", "kind": "LEGAL"}, {"full": "Ä"}]),
            "nationalities": '["BY", "PL"]',
            "birth_place.region_code": "by",
            "labels": '{"k": "v"}',
        }
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    assert db.load(path, into="persons").problem_count == 0
    made = db.persons.get("a")
    assert (made.display_name, made.birth_date.edtf) == ("A", "1960?")
    assert [name.full for name in made.names] == ["A", "Ä"]
    assert list(made.nationalities) == ["BY", "PL"]
    assert made.birth_place.region_code == "BY"
    assert dict(made.labels) == {"k": "v"}
