"""Damaged files, and files made to do harm: each fault is told, and nothing hangs."""

import contextlib
import csv
import gzip
import io
import random
import shutil
import struct
import time
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import detente
import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from detente._load import compile, limits, spool
from detente.loading import LoadError, Report

SANCTIONS = Path(__file__).parents[1] / "data" / "sanctions"
MAPPING = {"id": "{id}", "fields": {"display_name": "name", "birth_date": "born"}}
MEGABYTE = 1 << 20


@pytest.fixture
def store() -> Iterator[detente.Database]:
    with detente.open(":memory:", create=True) as db:
        yield db


@contextlib.contextmanager
def little(seconds: float = 20, megabytes: int = 64) -> Iterator[None]:
    """That the block takes little time and memory."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        yield
        assert time.monotonic() - start < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTE
    finally:
        tracemalloc.stop()


def refused(db: detente.Database, path: Path, told: str, **options: object) -> Report:
    """The report of a load that is to fail with nothing written, whatever `on_error` says."""
    mapping = options.pop("mapping", MAPPING)
    for on_error in ("stop", "skip"):
        with pytest.raises(LoadError) as caught:
            db.load(path, "persons", mapping=mapping, on_error=on_error)  # type: ignore[arg-type]
        assert told in str(caught.value), str(caught.value)
        assert db.revision == 0
    report = db.load(path, "persons", mapping=mapping, dry_run=True)  # type: ignore[arg-type]
    assert told in report.told()
    return report


# What the mapping takes of each type of row; what is broken elsewhere does no harm.
TAKEN = {
    "individual": {"ent_num", "name", "type", "programs", "title", "remarks"},
    "-0-": {"ent_num", "name", "type", "programs", "remarks"},
    "vessel": {"ent_num", "name", "type", "programs", "remarks"}
    | {"vessel_type", "vessel_flag", "call_sign", "vessel_owner"},
}
TAKEN["aircraft"] = TAKEN["vessel"]


def test_a_corrupted_list_of_ofac(tmp_path: Path, store: detente.Database) -> None:
    chance = random.Random(1)
    for name in ("alt", "add"):
        shutil.copy(SANCTIONS / f"ofac_{name}.csv.gz", tmp_path)
    columns = compile.read("ofac_sdn", None).options.columns
    with gzip.open(SANCTIONS / "ofac_sdn.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    broken: dict[int, set[str]] = {}
    short: set[int] = set()
    good: Counter[str] = Counter()
    lines = []
    for number, row in enumerate(rows, 1):
        kind = row[2].strip()
        cells = [cell.replace('"', '""').encode() for cell in row]
        for column, cell in enumerate(cells):
            if chance.random() < 0.05:
                cells[column] = cell[:2] + chance.choice([b"\xff", b"\0", b"\xe2\x28"]) + cell[2:]
                if columns[column] in TAKEN[kind]:
                    broken.setdefault(number, set()).add(columns[column])
        if chance.random() < 0.02:
            del cells[chance.randrange(12)]
            short.add(number)
        elif number not in broken:
            good[kind] += 1
        lines.append(b",".join(b'"%s"' % cell for cell in cells))
    assert len(broken) > 1500
    assert len(short) > 100
    path = tmp_path / "ofac_sdn.csv"
    path.write_bytes(b"\r\n".join(lines))

    with pytest.raises(LoadError, match="nothing is loaded"):
        store.load(path, mapping="ofac_sdn")
    assert store.revision == 0
    report = store.load(path, mapping="ofac_sdn", on_error="skip")
    assert {problem.row for problem in report.problems} == set(broken) | short
    assert report.bad_rows == len(set(broken) | short)
    for problem in report.problems:
        assert problem.file == "ofac_sdn.csv"
        assert len(problem.value) <= limits.SHOWN + 1
        if problem.row in short:
            assert problem.reason == "11 cells, where 12 are expected"
        else:
            assert problem.column in broken[problem.row or 0]
            assert "NUL" in problem.reason or "not of the encoding" in problem.reason
            assert "\\x" in problem.value
    assert store.persons.list().count() == good["individual"]
    assert store.organizations.list().count() == good["-0-"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "xml", "csv.gz"])
def test_a_field_of_gigabytes(tmp_path: Path, store: detente.Database, ending: str) -> None:
    path = tmp_path / f"big.{ending}"
    begin = {
        "csv": b'id,name,born\n1,A,1960\n2,"',
        "jsonl": b'{"id": "1", "name": "A", "born": "1960"}\n{"id": "2", "name": "',
        "xml": b"<list><row><id>1</id></row><row><name>",
    }[ending.removesuffix(".gz")]
    if ending.endswith(".gz"):
        with gzip.open(path, "wb", compresslevel=1) as packed:
            packed.write(begin)
            for _ in range(300):
                packed.write(b"a" * MEGABYTE)
    else:
        with path.open("wb") as file:
            file.write(begin)
            file.truncate(2 << 30)  # a sparse file of NULs
            if ending == "xml":
                file.seek(len(begin))
                for _ in range(4):
                    file.write(b"a" * MEGABYTE)
    mapping = MAPPING | {"rows": {"elements": ["row"]}}
    with little():
        report = refused(store, path, "Mi characters", mapping=mapping)
    [problem] = report.problems
    assert problem.row == {"csv": 3, "jsonl": 2, "xml": 1, "csv.gz": 3}[ending]


def test_a_long_cell_is_told_and_others_are_loaded(tmp_path: Path, store: detente.Database) -> None:
    path = tmp_path / "people.csv"
    long = "x" * (limits.CELL + 1)
    path.write_text(f"id,name,born\n1,A,1960\n2,{long},1961\n3,{'y' * 70_000},1962\n4,D,1963\n")
    report = store.load(path, "persons", mapping=MAPPING, on_error="skip")
    first, second = report.problems
    assert (first.row, first.reason) == (3, "a cell of more than 1 Mi characters")
    assert (second.row, second.column) == (4, "name")
    assert "at most 65536 bytes, got 70000" in second.reason
    assert second.value == "y" * 80 + "…"
    assert [person.name for person in store.persons.list()] == ["persons/1", "persons/4"]


def test_quotes_that_do_not_end(tmp_path: Path, store: detente.Database) -> None:
    path = tmp_path / "people.csv"
    path.write_text('id,name,born\n1,"A,1960\n2,B,1961\n3,C,1962\n4,"D"x,1963\n5,"E\nF",1964\n')
    report = store.load(path, "persons", mapping=MAPPING, on_error="skip")
    told = [(problem.row, problem.reason) for problem in report.problems]
    assert told[0][0] == 2
    assert told[-1][0] == 5
    assert [p.display_name for p in store.persons.list()] == ["B", "C", "E\nF"]

    path.write_text('id,name,born\n1,"A,1960\n' + "2,B,1961\n" * 3)
    report = store.load(path, "persons", mapping=MAPPING, dry_run=True)
    assert report.problems[0].reason == "a quote that opens here does not end"

    path.write_text('id,name,born\n"\n' + '""\n' * 50_000)
    with little(seconds=60):
        report = store.load(path, "persons", mapping=MAPPING, dry_run=True)
    assert report.problem_count > limits.PROBLEMS
    assert len(report.problems) == limits.PROBLEMS


def test_bytes_of_another_encoding(tmp_path: Path, store: detente.Database) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("id,name,born\n1,Тест,1960\n2,B,1961\n".encode("windows-1251"))
    with pytest.raises(LoadError, match=r"people\.csv:2: name: .*encoding: windows-1252"):
        store.load(path, "persons", mapping=MAPPING)
    named = MAPPING | {"rows": {"encoding": "windows-1251"}}
    store.load(path, "persons", mapping=named)
    assert store.persons.get("1").display_name == "Тест"
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        path.write_bytes(f"id,name,born\n1,Имя {encoding},1960\n".encode(encoding))
        store.load(path, "persons", mapping=MAPPING)
        assert store.persons.get("1").display_name == f"Имя {encoding}"
    path.write_bytes("id,name,born\n1,A,1960\n".encode("utf-16")[:-1])
    with pytest.raises(LoadError, match=r"people\.csv:"):
        store.load(path, "persons", mapping=MAPPING)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("id,name\n", "1 column is missing: born; there are id, name"),
        ("id,name,bron\n", "born (is it bron?)"),
        ("id,name,born,\n1,A,1960,\n", ""),
        ("id,name,,born\n", "column 3 has no name"),
        ("id,name,name,born\n", "two columns are named name"),
        ("id," + ",".join(f"c{n}" for n in range(3000)), "at most 2,000 columns"),
    ],
)
def test_headers(tmp_path: Path, store: detente.Database, text: str, told: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    if told:
        refused(store, path, told)
    else:
        with pytest.raises(LoadError, match="4 cells, where 3 are expected"):
            store.load(path, "persons", mapping=MAPPING)


def test_damaged_and_unknown_files(tmp_path: Path, store: detente.Database) -> None:
    packed = gzip.compress(b"id,name,born\n" + b"1,A,1960\n" * 100)
    cases = {
        "cut.csv.gz": (packed[:-20], "damaged"),
        "crc.csv.gz": (packed[:-8] + b"12345678", "damaged"),
        "none.xlsx": (b"PK\3\4 no zip", "no XLSX file"),
        "none.parquet": (b"PAR1 no", "no Parquet file"),
        "none.arrow": (b"ARROW1 no", "no Arrow file"),
        "none.xml": (b"<a><b></a>", "no XML: mismatched tag"),
        "other.xml": (b"<a><b/></a>", "no element row below its root"),
        "none.pdf": (b"%PDF", "no kind of file that is read"),
    }
    for name, (content, told) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        refused(store, path, told, mapping=MAPPING | {"rows": {"elements": ["row"]}})
    refused(store, tmp_path / "absent.csv", "No such file")
    (tmp_path / "folder.csv").mkdir()
    refused(store, tmp_path / "folder.csv", "directory")


def workbook(path: Path, sheet: bytes | None = None) -> None:
    """An XLSX file of one row, its sheet replaced."""
    book = openpyxl.Workbook()
    book.active.append(["id", "name", "born"])
    book.active.append(["1", "A", "1960"])
    made = io.BytesIO()
    book.save(made)
    with (
        zipfile.ZipFile(made) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            content = old.read(info)
            if sheet is not None and info.filename == "xl/worksheets/sheet1.xml":
                content = sheet
            new.writestr(info.filename, content)


def test_a_zip_bomb(tmp_path: Path, store: detente.Database) -> None:
    path = tmp_path / "bomb.xlsx"
    head = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    workbook(path, head + b" " * (100 * MEGABYTE) + b"</sheetData></worksheet>")
    assert path.stat().st_size < MEGABYTE
    with little():
        refused(store, path, "times its size, 200 at most")

    lying = bytearray(path.read_bytes())  # the directory says that the part is small
    size = struct.pack("<I", 100 * MEGABYTE + len(head) + len("</sheetData></worksheet>"))
    directory = lying.index(b"PK\1\2")
    place = lying.index(size, directory)
    lying[place : place + 4] = struct.pack("<I", 5000)
    path.write_bytes(lying)
    with little():
        refused(store, path, "no XLSX file, or a damaged one")


def test_a_sheet_with_rows_and_texts_beyond_all_bounds(
    tmp_path: Path, store: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "far.xlsx"
    head = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    header = b"".join(
        b'<c r="%s1" t="inlineStr"><is><t>%s</t></is></c>' % cell
        for cell in ((b"A", b"id"), (b"B", b"name"), (b"C", b"born"))
    )
    far = b'<row r="1">%s</row><row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'
    workbook(path, head + far % header + b"</sheetData></worksheet>")
    monkeypatch.setattr(limits, "SHEET_ROWS", 50_000)  # a million rows take seconds
    with little(60):
        refused(store, path, "more than 50,000 rows")

    workbook(path)
    monkeypatch.setattr(limits, "STRINGS", 10)
    refused(store, path, "at most but for sheets")


def test_bombs_of_xml(tmp_path: Path, store: detente.Database) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha">'
        + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(10))
        + "]><r><row><id>&a9;</id></row></r>"
    )
    path = tmp_path / "bomb.xml"
    mapping = MAPPING | {"rows": {"elements": ["row"]}}
    for text in (
        bomb,
        '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><row><id>&x;</id></row></r>',
    ):
        for encoding in ("utf-8", "utf-16"):
            path.write_bytes(text.replace('version="1.0"', "version='1.0'").encode(encoding))
            with little():
                refused(store, path, "a DOCTYPE, which can define entities", mapping=mapping)
    path.write_text("<r>" + "<row>" * 100 + "</row>" * 100 + "</r>")
    refused(store, path, "nested more than 64 deep", mapping=mapping)
    path.write_text("<r><row><id a='" + "x" * (3 * MEGABYTE))
    with little():
        refused(store, path, "a tag of more than 1 MiB", mapping=mapping)
    path.write_text("<r><row>" + "<b>y</b>" * (3 * MEGABYTE) + "</row></r>")
    refused(store, path, "a row of more than 4 Mi characters", mapping=mapping)

    sheet = tmp_path / "bomb.xlsx"
    workbook(sheet, bomb.encode())
    refused(store, sheet, "a DOCTYPE, which can define entities")


def test_long_cells_of_parquet_and_arrow(tmp_path: Path, store: detente.Database) -> None:
    table = pyarrow.table(
        {"id": ["1", "2"], "name": ["A", "x" * (limits.CELL + 1)], "born": ["1960", None]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "people.parquet")
    with (
        pyarrow.OSFile(str(tmp_path / "people.arrow"), "wb") as file,
        pyarrow.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)
    for ending in ("parquet", "arrow"):
        report = refused(store, tmp_path / f"people.{ending}", "a cell of more than 1 MiB")
        assert report.problems[0].column == "name"
    with pytest.raises(LoadError, match="rows:1: name: a cell of more than 1 MiB"):
        store.load(table, "persons", mapping=MAPPING)


def test_lines_that_are_no_json(tmp_path: Path, store: detente.Database) -> None:
    path = tmp_path / "people.jsonl"
    lines = [
        '{"id": "1", "name": "A", "born": "1960"}',
        '{"id": "2", ',
        "[1]",
        "[" * 200_000,
        '{"id": NaN}',
        '{"id": "3", "name": {"x": 1}, "born": null}',
        '{"id": "4", "name": "D\\ud800", "born": null}',
        '{"id": 5, "name": "E", "born": 1965}',
    ]
    path.write_text("\n".join(lines))
    report = store.load(path, "persons", mapping=MAPPING, on_error="skip")
    assert [problem.row for problem in report.problems] == [2, 3, 4, 5, 6, 7]
    assert report.problems[4].column == "name"
    assert [person.birth_date.edtf for person in store.persons.list()] == ["1960", "1965"]


def test_limits(tmp_path: Path, store: detente.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that real files would take long to reach, made small."""
    path = tmp_path / "people.csv"
    path.write_text("id,name,born\n" + "1,A,1960\n" * 10_000)
    monkeypatch.setattr(limits, "FILE", 70_000)
    refused(store, path, "GiB of a file are read")

    workbook(tmp_path / "people.xlsx")
    monkeypatch.setattr(limits, "WORKBOOK", 1000)
    refused(store, tmp_path / "people.xlsx", "1,000 at most")

    table = pyarrow.table({"id": ["1"], "name": ["A"], "born": ["1960"]})
    pyarrow.parquet.write_table(table, tmp_path / "people.parquet")
    monkeypatch.setattr(limits, "ROW_GROUP", 10)
    refused(store, tmp_path / "people.parquet", "a row group unpacks to")

    monkeypatch.setattr(limits, "JOINED", 3)
    path.write_text("id,name,born\n1,A,1960\n2,B,1961\n")
    (tmp_path / "more.csv").write_text("id,x\n" + "1,y\n" * 4 + "2,y\n" * 3)
    joined = {"joins": {"more": {"file": "more.csv", "key": "id"}}, "into": "persons", **MAPPING}
    report = store.load(path, mapping=joined, dry_run=True)
    assert report.told() == "people.csv:2: id: `1`: it has more than 3 rows of more"

    monkeypatch.setattr(limits, "MAPPING", 10)
    (tmp_path / "m.yaml").write_text("about: more than ten characters")
    with pytest.raises(detente.InvalidArgumentError, match="more than 0 MiB"):
        store.load(path, mapping=tmp_path / "m.yaml")

    monkeypatch.setattr(limits, "RECORD", 100)
    long = {"id": "1", "name": "A" * 200, "born": ""}
    for merge in (False, True):
        report = store.load([long], "persons", mapping=MAPPING | {"merge": merge}, dry_run=True)
        assert "100 at most" in report.problems[0].reason


def test_no_room_for_the_temporary_file(
    store: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_TABLES", spool._TABLES + "PRAGMA max_page_count = 30;")
    rows = [{"id": f"x{n}", "name": "A" * 1000, "born": ""} for n in range(1000)]
    with pytest.raises(detente.ResourceExhaustedError, match="SQLITE_TMPDIR"):
        store.load(rows, "persons", mapping=MAPPING)
    assert store.revision == 0
