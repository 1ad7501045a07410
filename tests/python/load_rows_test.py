"""Loading rows: guessed mappings, all kinds of sources, what the server refuses, reports."""

import datetime
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detente
import openpyxl
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest
from detente import loading
from detente._load import limits, write
from detente._session import Session
from detente.loading import LoadError
from python.cli_test import bad, good, run

PEOPLE = [
    {"id": "p1", "Name": "Test Person 1", "DOB": "31.12.1960", "Sex": "male", "citizenship": "by"},
    {"id": "p2", "Name": "Test Person 2", "DOB": "1961", "Sex": None, "citizenship": None},
    {"id": "p3", "Name": "Test Person 3", "DOB": None, "Sex": "female", "citizenship": "Belarus"},
]


def check_people(db: detente.Database) -> None:
    first, second, third = db.persons.list(order_by="name")
    assert first.display_name == "Test Person 1"
    assert first.birth_date.edtf == "1960-12-31"
    assert first.gender == detente.Person.MALE
    assert list(first.nationalities) == ["BY"]
    assert second.birth_date.edtf == "1961"
    assert third.gender == detente.Person.FEMALE
    assert list(third.nationalities) == ["BY"]


def write_as(kind: str, folder: Path) -> Any:
    """The people as a file, or as something in memory."""
    path = folder / f"people.{kind}"
    frame = pandas.DataFrame(PEOPLE)
    table = pyarrow.Table.from_pylist(PEOPLE)
    if kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "csv.gz":
        frame.to_csv(path, index=False, sep=";", compression="gzip")
    elif kind == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in PEOPLE))
    elif kind == "xlsx":
        book = openpyxl.Workbook()
        book.active.append([])
        book.active.append(list(PEOPLE[0]))
        for row in PEOPLE:
            born: Any = row["DOB"]
            if born == "31.12.1960":
                born = datetime.datetime(1960, 12, 31)
            elif born is not None:
                born = int(born)
            book.active.append([{**row, "DOB": born}[column] for column in row])
        book.save(path)
    elif kind == "parquet":
        pyarrow.parquet.write_table(table, path)
    elif kind in ("arrow", "stream"):
        new = pyarrow.ipc.new_file if kind == "arrow" else pyarrow.ipc.new_stream
        path = folder / "people.arrow"
        with pyarrow.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
            writer.write_table(table)
    else:
        return {
            "dicts": PEOPLE,
            "pandas": frame,
            "polars": polars.DataFrame(PEOPLE),
            "pyarrow": table,
            "reader": table.to_reader(),  # which can be read only once
        }[kind]
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "csv", "tsv", "csv.gz", "jsonl", "xlsx", "parquet", "arrow", "stream",
        "dicts", "pandas", "polars", "pyarrow", "reader",
    ],
)  # fmt: skip
def test_all_kinds_of_rows(kind: str, tmp_path: Path) -> None:
    with detente.open(":memory:", create=True) as db:
        report = db.load(write_as(kind, tmp_path), into="persons", reason="test")
        assert (report.rows, report.created, report.problem_count) == (3, 3, 0)
        check_people(db)
        assert db.commits.list().first().reason == "test"
        again = db.load(write_as(kind, tmp_path), into="persons")
        assert (again.unchanged, again.revision) == (3, report.revision)


def test_a_dry_run_shows_what_would_be(db: detente.Database) -> None:
    rows = [*PEOPLE, {"id": "p4", "DOB": "soon", "Sex": "x"}, {"id": "p5", "extra": 1}]
    report = db.load(rows, into="persons", dry_run=True)
    assert db.revision == 0
    assert (report.rows, report.bad_rows, report.problem_count, report.total) == (5, 1, 2, 4)
    assert [(p.row, p.column, p.value) for p in report.problems] == [
        (4, "DOB", "soon"),
        (4, "Sex", "x"),
    ]
    assert report.first[0].birth_date.edtf == "1960-12-31"
    assert "Not taken: extra." in report.mapping
    mapping = detente.records.load_yaml(report.mapping)  # type: ignore[attr-defined]
    assert mapping["records"][0]["fields"]["birth_date"]["dates"] == ["%d.%m.%Y", "edtf"]
    assert db.load(PEOPLE, mapping=mapping).created == 3
    check_people(db)


def test_guesses_are_careful(db: detente.Database) -> None:
    def guessed(*dates: str) -> Any:
        rows = [{"id": f"x{n}", "born": date} for n, date in enumerate(dates)]
        return db.load(rows, into="persons", dry_run=True)

    assert guessed("1/2/1960", "3/4/1961").problem_count == 2  # which is the month?
    assert guessed("1/2/1960", "31/4/1961").problem_count == 1
    assert guessed("1/2/1960", "4/30/1961").first[0].birth_date.edtf == "1960-01-02"
    assert guessed("31/1/1960", "4/2/1961").first[1].birth_date.edtf == "1961-02-04"
    with pytest.raises(detente.InvalidArgumentError, match="no column to take for fields of pers"):
        db.load([{"id": 1, "colour": "red"}], into="persons")
    with pytest.raises(detente.InvalidArgumentError, match="no column to make ids of among born"):
        db.load([{"born": "1960"}], into="persons")
    with pytest.raises(detente.InvalidArgumentError, match="no collection 'person'"):
        db.load([{"id": 1}], into="person")
    with pytest.raises(detente.InvalidArgumentError, match="into which collection"):
        db.load([{"id": 1}], mapping={"id": "{id}", "fields": {}})
    with pytest.raises(detente.InvalidArgumentError, match="say into which collection"):
        db.load([{"id": 1}])
    with pytest.raises(detente.InvalidArgumentError, match="on_error: stop or skip"):
        db.load(PEOPLE, into="persons", on_error="ignore")
    with pytest.raises(detente.InvalidArgumentError, match="a list of dicts, not int"):
        db.load(5, into="persons")


def test_a_report_is_short_to_look_at() -> None:
    with detente.open(":memory:", create=True) as db:
        report = db.load([*PEOPLE, {"id": "p4", "DOB": "soon"}], into="persons", on_error="skip")
    assert repr(report) == (
        "<detente load: 4 rows, 1 bad; 3 created, 0 updated, 0 unchanged; 1 problems>"
    )


def test_what_is_no_row(db: detente.Database) -> None:
    mapping = {"id": "{a}", "fields": {"note": "a"}}
    report = db.load((row for row in [{"a": 1}, 5]), "persons", mapping=mapping, dry_run=True)
    assert [str(p) for p in report.problems] == [
        "rows:2: a mapping expected, not int; as {column: value}"
    ]
    assert db.load([], "persons", mapping=mapping).rows == 0
    mixed = pandas.DataFrame({"a": [1, b"x", "y"]})
    with pytest.raises(LoadError, match=r"no stream of Arrow: .*; give a list of dicts"):
        db.load(mixed, "persons", mapping=mapping)
    assert db.load(mixed.to_dict("records"), "persons", mapping=mapping).created == 3
    with pytest.raises(LoadError, match="1 column is missing: a; there are b"):
        db.load(pyarrow.table({"b": [1]}), "persons", mapping=mapping)
    with pytest.raises(LoadError, match="no rows"):
        db.load([], "persons")


def test_stop_writes_nothing_and_skip_the_right_rows(db: detente.Database) -> None:
    rows = [{"id": f"x{n}", "born": "1960" if n % 10 else "soon"} for n in range(2500)]
    with pytest.raises(LoadError, match="250 problems, nothing is loaded") as caught:
        db.load(rows, into="persons")
    assert caught.value.report.bad_rows == 250
    assert str(caught.value).count("\n") == 21
    assert "and 230 more" in str(caught.value)
    assert db.revision == 0
    marks: list[tuple[int, int]] = []
    report = db.load(
        rows, into="persons", on_error="skip", progress=lambda *mark: marks.append(mark)
    )
    assert (report.created, report.bad_rows, report.revision) == (2250, 250, db.revision)
    assert marks[-1] == (2250, 2250)
    assert db.persons.list().count() == 2250


def test_what_one_commit_takes_is_not_checked_before(
    db: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is all or nothing by itself; where it is refused, the check finds all that is wrong."""
    checks: list[bool] = []
    call = Session.call

    def watched(self: Session, method: Any, request: Any) -> Any:
        if method.path.endswith("/BatchWrite"):
            checks.append(request.validate_only)
        return call(self, method, request)

    monkeypatch.setattr(Session, "call", watched)
    rows = [{"id": f"x{n}", "name": "Test Person", "citizen": "BY"} for n in range(1000)]
    mapping = {"id": "{id}", "fields": {"display_name": "name", "nationalities": "citizen"}}
    wrong = [*rows[:-2], rows[-2] | {"citizen": "Belarus"}, rows[-1] | {"citizen": "by"}]
    with pytest.raises(LoadError, match="2 problems, nothing is loaded"):
        db.load(wrong, "persons", mapping=mapping)
    assert checks == [False, True, True]  # the last one of those that are left
    assert (db.revision, db.persons.list().count()) == (0, 0)
    checks.clear()
    assert db.load(rows, "persons", mapping=mapping).created == 1000
    assert checks == [False]
    checks.clear()
    report = db.load([*rows, rows[0] | {"id": "y"}], "persons", mapping=mapping)
    assert (report.created, report.unchanged) == (1, 1000)
    assert checks == [True, True, False, False]


def test_what_the_server_refuses_is_told_by_row_and_column(db: detente.Database) -> None:
    mapping = {
        "id": "{id}",
        "fields": {
            "display_name": "name",
            "nationalities": {"column": "citizen", "split": ","},
            "relations": {"person": "knows", "description": {"constant": "knows"}},
        },
    }
    rows = [{"id": f"x{n}", "name": f"N{n}", "citizen": "BY", "knows": None} for n in range(3000)]
    wrong = {5: "Belarus", 1500: "by", 1501: "BY,??", 2999: "B"}
    for row, citizen in wrong.items():
        rows[row]["citizen"] = citizen
    rows[7]["knows"] = "nobody"
    rows[8]["name"] = "N" * (limits.CELL // 10)
    expected = sorted([*wrong, 7, 8])

    with pytest.raises(LoadError) as caught:
        db.load(rows, "persons", mapping=mapping)
    assert db.revision == 0
    dry = db.load(rows, "persons", mapping=mapping, dry_run=True)
    report = db.load(rows, "persons", mapping=mapping, on_error="skip")
    for found in (caught.value.report, dry, report):
        told = {problem.row: problem for problem in found.problems}
        assert sorted(row - 1 for row in told if row) == expected
        assert found.bad_rows == len(expected)
        for row, citizen in wrong.items():
            assert told[row + 1].column == "citizen"
            assert told[row + 1].value in citizen
        assert told[8].column == "knows"
        assert "persons/nobody" in told[8].reason
        assert told[9].column == "name"
    assert report.created == 3000 - len(expected)
    assert db.persons.list().count() == report.created


def test_a_store_in_which_every_row_is_wrong(db: detente.Database) -> None:
    rows = [{"id": f"x{n}", "c": "wrong"} for n in range(1200)]
    mapping = {"id": "{id}", "fields": {"nationalities": "c"}}
    report = db.load(rows, "persons", mapping=mapping, on_error="skip")
    assert (report.created, report.bad_rows, report.problem_count) == (0, 1200, 1200)
    assert db.revision == 0


def test_records_may_refer_to_later_ones(db: detente.Database) -> None:
    rows = [{"id": f"x{n}", "knows": f"x{n + 1}" if n < 2499 else ""} for n in range(2500)]
    mapping = {"id": "{id}", "fields": {"relations": {"person": "knows"}}}
    assert db.load(rows, "persons", mapping=mapping).created == 2500
    rows[-1]["knows"] = "x0"
    with detente.open(":memory:", create=True) as other:
        report = other.load([*rows[:900], {"id": "x900"}], "persons", mapping=mapping)
        assert report.created == 901


def test_a_chain_of_records_takes_two_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_OPERATIONS", 10)
    sent = []
    send = write.Writer._send
    monkeypatch.setattr(
        write.Writer, "_send", lambda *args, **options: sent.append(1) or send(*args, **options)
    )
    rows = [{"id": f"x{n}", "knows": f"x{n + 1}" if n < 199 else ""} for n in range(200)]
    mapping = {"id": "{id}", "fields": {"relations": {"person": "knows"}}}
    with detente.open(":memory:", create=True) as db:
        assert db.load(rows, "persons", mapping=mapping, on_error="skip").created == 200
    assert len(sent) < 50


def test_records_of_a_row_stand_or_fall_together(db: detente.Database) -> None:
    mapping = {
        "records": [
            {"into": "persons", "id": "{id}", "fields": {"display_name": "name"}},
            {
                "into": "detentions",
                "id": "{id}",
                "fields": {"person": {"template": "persons/{id}"}, "start_date": "since"},
            },
        ]
    }
    rows = [{"id": f"x{n}", "name": "N", "since": "2020"} for n in range(1500)]
    rows[3]["since"] = "soon"
    report = db.load(rows, mapping=mapping, on_error="skip")
    assert report.created == 2998
    assert db.persons.list().count() == db.detentions.list().count() == 1499
    assert db.detentions.get("x1499").person == "persons/x1499"


def test_what_is_deleted_or_denied_is_told(db: detente.Database) -> None:
    db.persons.create(id="p1", display_name="old")
    db.persons.delete("p1")
    report = db.load(PEOPLE, into="persons", on_error="skip")
    [problem] = report.problems
    assert problem.row == 1
    assert "persons/p1" in problem.reason
    assert report.created == 2


def test_only_so_many_problems_are_kept(
    db: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROBLEMS", 10)
    rows = [{"id": f"x{n}", "born": "soon"} for n in range(100)]
    report = db.load(rows, into="persons", dry_run=True)
    assert (len(report.problems), report.problem_count) == (10, 100)
    assert report.told().endswith("and 90 more")


def test_a_server_that_goes_away_is_no_fault_of_rows(
    db: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise detente.UnavailableError("away")

    monkeypatch.setattr(write, "_add", away)
    with pytest.raises(detente.UnavailableError):
        db.load(PEOPLE, into="persons")


def test_files_of_records_load_as_ever(db: detente.Database, tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text("- {name: persons/a, display_name: A}\n")
    assert db.load(path, dry_run=True).total == 1
    assert db.revision == 0
    assert db.load(str(path)).created == 1
    assert db.load([path]).unchanged == 1
    with pytest.raises(detente.InvalidArgumentError, match="on_error: files of records"):
        db.load(path, on_error="skip")


def test_memory_does_not_grow_with_the_rows() -> None:
    def rows(count: int) -> Iterator[dict[str, str]]:
        for number in range(count):
            yield {"id": str(number), "name": f"Test Person {number}", "note": "made up " * 50}

    peaks = []
    with detente.open(":memory:", create=True) as db:
        db.load(rows(10), into="persons")  # what is imported late is there
        for count in (2_000, 20_000):
            tracemalloc.start()
            report = db.load(rows(count), into="persons", on_error="skip")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert report.total == count
    assert peaks[1] < 1.2 * peaks[0], peaks  # Python's own; the store has its caches


def test_the_command_line(tmp_path: Path) -> None:
    where = ["--db", tmp_path / "store.db"]
    path = write_as("csv", tmp_path)
    dry = good("load", path, "--into", "persons", "--dry-run", *where)
    assert "# The mapping, guessed:\nabout: Guessed" in dry
    assert "birth_date: '1960-12-31'" in dry
    assert dry.endswith("3 records are right; nothing was written\n")
    mapping = tmp_path / "m.yaml"
    mapping.write_text(dry.partition("guessed:\n")[2].partition("# The first")[0])
    done = good("load", path, "--mapping", mapping, *where)
    assert done == (
        "3 rows, 0 of them bad; 3 records: 3 created, 0 updated, 0 unchanged; revision 1\n"
    )
    with path.open("a") as file:
        file.write("p4,Test Person 4,soon,,\np5,Test Person 5,,,\n")
    told = bad(1, "load", path, "--mapping", mapping, *where)
    assert "1 problem, nothing is loaded" in told
    assert "people.csv:5: DOB: `soon`: no date that can be read" in told
    skipped = json.loads(run_json(path, mapping, where))
    assert (skipped["created"], skipped["unchanged"], skipped["bad_rows"]) == (1, 3, 1)
    assert skipped["problems"][0]["row"] == 5
    assert "ofac_sdn: The list of" in good("load", "--mappings")
    assert bad(2, "load", *where)
    assert bad(2, "load", path, "--on-error", "go", *where)
    assert "into which" in bad(1, "load", path, *where)


def run_json(path: Path, mapping: Path, where: list[Any]) -> str:
    done = run("load", path, "--mapping", mapping, "--on-error", "skip", "--json", *where)
    assert done.returncode == 1
    return done.stdout
