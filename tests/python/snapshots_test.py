"""Exports of snapshots, the checker that needs nothing but Python, and citations."""

import datetime
import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import detente
import pytest
import yaml
from detente import check_snapshot, citing
from python import fake

RECORDS: list[dict[str, Any]] = [
    {"name": "persons/a", "display_name": 'Алесь \u2028 "A" \\ \n', "birth_date": {"edtf": "1962"}},
    {"name": "persons/b", "labels": {"\U00010000": "x", "\ue000": "y"}},
    {"name": "releases/r", "headcount": {"best": 123}, "place": {"latitude": 53.9, "x": 1e-7}},
]


def entry(record: dict[str, Any], revision: int) -> Any:
    salt = hashlib.sha256(record["name"].encode()).digest()[:16]
    text = check_snapshot.canonical(record)
    return detente.SnapshotEntry(
        name=record["name"],
        revision=revision,
        salt=salt.hex(),
        json=text,
        leaf=hashlib.sha256(salt + text.encode()).hexdigest(),
    )


def checksum(entries: list[Any]) -> str:
    lines = "".join(f"{e.name} {e.revision} {e.leaf}\n" for e in entries)
    return hashlib.sha256(lines.encode()).hexdigest()


def snapshot(entries: list[Any], **fields: Any) -> Any:
    made = detente.Snapshot(
        name="snapshots/paper-2026",
        revision=12,
        title="Releases & talks: 50% «known»",
        record_count=len(entries),
        checksum=checksum(entries),
        current_checksum=checksum(entries),
        erased_count=sum(e.erased for e in entries),
    )
    made.create_time.FromDatetime(datetime.datetime(2026, 3, 1, 12, 0, 0, 250000))
    made.MergeFrom(detente.Snapshot(**fields))
    return made


def database(entries: list[Any], found: Any) -> tuple[detente.Database, list[Any]]:
    def page(request: Any) -> Any:
        first = int(request.page_token or 0)
        last = first + 2
        return detente.v1.ListSnapshotEntriesResponse(
            entries=entries[first:last], next_page_token=str(last) if last < len(entries) else ""
        )

    return fake.database(
        GetSnapshot=found,
        CreateSnapshot=found,
        DeleteSnapshot=found,
        ListSnapshots=detente.v1.ListSnapshotsResponse(snapshots=[found]),
        ListSnapshotEntries=page,
        ListCommitments=detente.v1.ListCommitmentsResponse(revision=9),
    )


@pytest.fixture
def entries() -> list[Any]:
    return [entry(record, number) for number, record in enumerate(RECORDS, 5)]


@pytest.fixture
def export(entries: list[Any], tmp_path: Path) -> Path:
    path = tmp_path / "paper.jsonl"
    db, _ = database(entries, snapshot(entries))
    db.snapshots.export("paper-2026", path)
    return path


def check(path: Path, *more: str) -> tuple[int, str]:
    """Runs the checker as a file of its own, without the package."""
    command = [sys.executable, "-I", check_snapshot.__file__, str(path), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_an_export_is_lines_that_anyone_can_check(entries: list[Any], export: Path) -> None:
    text = export.read_text(encoding="utf-8")
    header, *lines = text.split("\n")[:-1]
    assert header == (
        '{"detente_snapshot":1,"name":"snapshots/paper-2026",'
        '"title":"Releases & talks: 50% «known»","revision":12,'
        '"create_time":"2026-03-01T12:00:00.250Z","record_count":3,'
        f'"checksum":"{checksum(entries)}","current_checksum":"{checksum(entries)}",'
        '"erased_count":0}'
    )
    first = entries[0]
    assert lines[0] == (
        f'{{"name":"persons/a","revision":5,"salt":"{first.salt}","leaf":"{first.leaf}",'
        f'"record":{first.json}}}'
    )
    assert [json.loads(line)["record"] for line in lines] == RECORDS
    code, told = check(export)
    assert code == 0
    assert "3 records" in told
    assert checksum(entries) in told
    assert check(export, checksum(entries).upper())[0] == 0
    code, told = check(export, "0" * 64)
    assert (code, "is not that of this snapshot" in told) == (1, True)
    assert [path.name for path in export.parent.iterdir()] == ["paper.jsonl"]


def test_files_that_are_open_get_the_same_bytes(entries: list[Any], export: Path) -> None:
    db, requests = database(entries, snapshot(entries))
    seen: list[tuple[int, int]] = []
    binary, text = io.BytesIO(), io.StringIO()
    db.snapshots.export("snapshots/paper-2026", binary, progress=lambda *now: seen.append(now))
    db.snapshots.export(snapshot(entries), text)
    assert binary.getvalue() == export.read_bytes() == text.getvalue().encode()
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert {request.name for request in requests} == {"snapshots/paper-2026"}


def test_a_failed_export_leaves_what_was_there(entries: list[Any], export: Path) -> None:
    before = export.read_bytes()
    db, _ = database(entries, snapshot(entries, current_checksum="0" * 64))
    with pytest.raises(detente.ConflictError, match="an erasure came between"):
        db.snapshots.export("paper-2026", export)
    assert export.read_bytes() == before
    assert [path.name for path in export.parent.iterdir()] == ["paper.jsonl"]
    with pytest.raises(FileNotFoundError):
        db.snapshots.export("paper-2026", export.parent / "none" / "x.jsonl")


def tampered(path: Path, number: int, change: Any) -> str:
    """What the checker says of an export of which one line was changed."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    found = json.loads(lines[number])
    change(found)
    lines[number] = json.dumps(found)
    other = path.with_name("other.jsonl")
    other.write_text("\n".join([*lines, ""]), encoding="utf-8")
    code, told = check(other)
    assert code == (0 if "all is right" in told else 1), told
    return told


def test_tampering_is_found(export: Path) -> None:
    def content(line: Any) -> None:
        line["record"]["headcount"]["best"] = 124

    def salt(line: Any) -> None:
        line["salt"] = line["salt"][:-1] + ("0" if line["salt"][-1] != "0" else "1")

    def revision(line: Any) -> None:
        line["revision"] += 1

    def name(line: Any) -> None:
        line["record"]["name"] = "persons/z"

    def leaf(line: Any) -> None:
        content(line)
        text = check_snapshot.canonical(line["record"]).encode()
        line["leaf"] = hashlib.sha256(bytes.fromhex(line["salt"]) + text).hexdigest()

    def hidden(line: Any) -> None:
        content(line)
        line["erased"] = True

    assert "all is right" in tampered(export, 3, lambda line: None)  # written otherwise, the same
    assert "line 4: releases/r: its content or its salt" in tampered(export, 3, content)
    assert "line 2: persons/a: its content or its salt" in tampered(export, 1, salt)
    assert "the checksum is" in tampered(export, 1, revision)
    assert "calls itself persons/z" in tampered(export, 1, name)
    assert "the checksum is" in tampered(export, 3, leaf)
    assert "1 are erased, 0 in the header" in tampered(export, 3, hidden)
    assert "the record is missing" in tampered(export, 1, lambda line: line.pop("record"))
    assert "no record of a snapshot" in tampered(export, 1, lambda line: line.pop("leaf"))
    assert "no header" in tampered(export, 0, lambda line: line.pop("checksum"))
    assert "two checksums" in tampered(export, 0, lambda line: line.update(checksum="0" * 64))


def test_lines_that_are_gone_moved_or_no_lines(export: Path) -> None:
    lines = export.read_text(encoding="utf-8").split("\n")[:-1]
    other = export.with_name("other.jsonl")
    for changed, said in (
        ([*lines[:2], lines[3]], "2 records are here, 3 in the header"),
        ([lines[0], lines[2], lines[1], lines[3]], "belongs before it"),
        ([*lines[:3], lines[2], lines[3]], "4 records are here"),
        ([*lines[:3], "{"], "line 4: no record"),
        ([*lines[:3], lines[3].replace('"best":', '"best":1,"best":')], "given twice"),
        ([lines[0].replace(":1,", ":2,", 1), *lines[1:]], "format 2 is not known"),
        ([], "no header"),
    ):
        other.write_text("\n".join([*changed, ""]), encoding="utf-8")
        code, told = check(other)
        assert code == 1
        assert said in told, told


def test_what_no_store_writes_is_told_and_not_tripped_over(export: Path) -> None:
    lines = export.read_text("utf-8").split("\n")  # not at U+2028
    deep, long = "[" * 100_000, "1" + "0" * 400
    start = f'{{"name":"persons/a","revision":1,"salt":"","leaf":"{"0" * 64}"'
    first, second = (json.loads(line) for line in lines[1:3])
    merged = {
        "name": first["name"],
        "revision": first["revision"],
        "salt": "",
        "leaf": f"{first['leaf']}\n{second['name']} {second['revision']} {second['leaf']}",
        "erased": True,
    }
    for bad in (
        deep,
        f'{start},"record":{deep}',
        f'{start},"record":{{"x":{long}}}}}',
        f'{{"name":"persons/a","revision":1e999,"salt":"","leaf":"{"0" * 64}"}}',
        json.dumps(merged),
    ):
        export.write_text("\n".join([lines[0], bad, *lines[3:]]), "utf-8")
        code, told = check(export)
        assert code == 1
        assert told.startswith("NOT RIGHT:\nline 2: "), told[:200]
    export.write_text(deep, "utf-8")
    assert check(export)[0] == 1


def test_an_erasure_is_told_and_the_rest_checked(entries: list[Any], tmp_path: Path) -> None:
    made = checksum(entries)
    entries[1].json = entries[1].salt = ""
    entries[1].name = "persons/erased-x"
    entries[2].json = entries[2].json.replace("123", "124")  # it named what was erased
    entries[1].erased = entries[2].erased = True
    db, _ = database(entries, snapshot(entries, checksum=made))
    path = tmp_path / "paper.jsonl"
    db.snapshots.export("paper-2026", path)
    second = json.loads(path.read_text(encoding="utf-8").split("\n")[2])
    assert list(second) == ["name", "revision", "salt", "leaf", "erased"]
    code, told = check(path)
    assert code == 0, told
    assert "2 leaves can't be computed again" in told
    assert "  persons/erased-x\n  releases/r\n" in told
    assert made in told
    assert check(path, made)[0] == 0
    assert "its content" in tampered(path, 1, lambda line: line["record"].update(note="x"))


def test_the_checker_says_how_it_is_used() -> None:
    command = [sys.executable, check_snapshot.__file__]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, "check_snapshot.py FILE" in done.stderr) == (2, True)
    done = subprocess.run([*command, "/no/such/file"], capture_output=True, text=True)
    assert (done.returncode, "/no/such/file" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (7, "7"),
        (-1.5, "-1.5"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (123e18, "123000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e22, "-1.25e+22"),
        (1e-6, "0.000001"),
        (0.00000123, "0.00000123"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2**53 + 1, "9007199254740992"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(value: float, text: str) -> None:
    assert check_snapshot.canonical(value) == text
    assert float(text) == float(value)


def test_canonical_json() -> None:
    value = {"\U00010000": None, "\ue000": True, "a": ["\u0001\x7f\u2028/€\n"], "": {}}
    assert check_snapshot.canonical(value) == (
        '{"":{},"a":["\\u0001\x7f\u2028/€\\n"],"\U00010000":null,"\ue000":true}'
    )


def test_making_listing_deleting(entries: list[Any]) -> None:
    db, requests = database(entries, snapshot(entries))
    assert db.snapshots.create("paper-2026", title="T").revision == 12
    db.snapshots.create("snapshots/paper-2026", at=7)
    db.snapshots.create("x", at="snapshots/y")
    sent = [r for r in requests if hasattr(r, "snapshot_id")]
    assert [(r.snapshot_id, r.snapshot.revision) for r in sent] == [
        ("paper-2026", 0),
        ("paper-2026", 7),
        ("x", 9),
    ]
    assert sent[0].snapshot.title == "T"
    assert db.snapshots.list().first().name == "snapshots/paper-2026"
    assert "snapshots/paper-2026" in repr(db.snapshots)
    assert "Releases &amp; talks" in db.snapshots._repr_html_()
    db.snapshots.delete(db.snapshots.get("paper-2026"))
    assert requests[-1].name == "snapshots/paper-2026"
    assert [e.name for e in db.snapshots.entries("paper-2026")] == [r["name"] for r in RECORDS]
    assert "persons/b" in repr(db.snapshots.entries("paper-2026"))
    with pytest.raises(detente.InvalidArgumentError):
        db.snapshots.get("")


def test_a_snapshot_is_a_state_to_read(entries: list[Any]) -> None:
    found = snapshot(entries)
    db, requests = fake.database(GetPerson=detente.Person())
    for point in (found, "paper-2026", "snapshots/paper-2026"):
        db.at(point).persons.get("a")
        assert requests[-1].at.snapshot == "snapshots/paper-2026"
    assert repr(db.at(found)) == "db.at('snapshots/paper-2026')"


def test_bad_arguments(entries: list[Any]) -> None:
    db, _ = fake.database(GetSnapshot=snapshot(entries))
    for at in (0, -1, 1 << 63):
        with pytest.raises(detente.InvalidArgumentError, match="revisions are counted from 1"):
            db.snapshots.create("s", at=at)
    with pytest.raises(detente.InvalidArgumentError, match="no store has a revision"):
        db.at(1 << 63)
    early = datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=5)))
    with pytest.raises(detente.InvalidArgumentError, match="years 1 to 9999"):
        db.at(early)
    with pytest.raises(detente.InvalidArgumentError, match="a path or an open file"):
        db.snapshots.export("s", 5)  # type: ignore[arg-type]
    with pytest.raises(detente.InvalidArgumentError, match="a revision of the store"):
        db.releases.rollback("r", "1")  # type: ignore[arg-type]
    assert "The contributors to" in db.snapshots.cite("s", style="cff", author=" ")


def test_citations(entries: list[Any]) -> None:
    found = snapshot(entries)
    db, _ = database(entries, found)
    sha = found.checksum
    text = db.snapshots.cite("paper-2026", author="Doe, Ada", url="https://example.org/x")
    assert text == (
        "Doe, Ada. Releases & talks: 50% «known» [data set]. Détente snapshot snapshots/paper-2026,"
        f" revision 12, 2026-03-01. SHA-256 {sha}. https://example.org/x\n"
    )
    assert db.snapshots.cite("paper-2026") == text.removeprefix("Doe, Ada. ").replace(
        " https://example.org/x", ""
    )
    with pytest.raises(detente.InvalidArgumentError, match="style"):
        db.snapshots.cite("paper-2026", style="apa")
    bibtex = db.snapshots.cite(
        "paper-2026",
        style="bibtex",
        author=["Doe, Ada", "Viasna", "Research and Rights {Ltd}, The"],
        url="https://example.org/a_b?c={d}&e=%20#f",
    )
    assert bibtex == (
        "@misc{detente-paper-2026,\n"
        "  author       = {Doe, Ada and {Viasna} and {Research and Rights \\{Ltd\\}, The}},\n"
        "  title        = {{Releases \\& talks: 50\\% «known»}},\n"
        "  year         = {2026},\n"
        "  version      = {12},\n"
        "  howpublished = {Détente snapshot snapshots/paper-2026},\n"
        f"  note         = {{Revision 12, 2026-03-01. SHA-256 {sha}}},\n"
        "  url          = {https://example.org/a_b?c=%7Bd%7D&e=%20#f},\n"
        "}\n"
    )


@pytest.mark.parametrize("title", ["", 'a "b" \\ {c}: #d\n- e\u2028\x7f %', "~^_$", "null", "Ж"])
def test_citations_escape_what_they_hold(entries: list[Any], title: str) -> None:
    found = snapshot(entries)
    found.title = title
    plain = " ".join(title.split()) or "Records of snapshots/paper-2026"
    authors = ["Doe, Ada", 'O"Neil: the #1', "A, ", ", "]
    cff = yaml.safe_load(citing.cff(found, authors, "https://example.org/?a=1&b=2"))
    assert cff["title"] == plain
    assert cff["type"] == "dataset"
    assert cff["version"] == "12"
    assert cff["date-released"] == "2026-03-01"
    assert cff["authors"][0] == {"family-names": "Doe", "given-names": "Ada"}
    assert [author["name"] for author in cff["authors"][1:]] == authors[1:]
    assert cff["identifiers"][0]["value"] == f"sha256:{found.checksum}"
    assert set(cff) == {
        *("cff-version", "message", "title", "type", "authors", "version", "date-released", "url"),
        "identifiers",
    }
    assert yaml.safe_load(citing.cff(found, [], ""))["authors"] == [
        {"name": f"The contributors to {plain}"}
    ]
    [line] = [x for x in citing.bibtex(found, [], "").splitlines() if "title" in x]
    inside = line.partition("= {{")[2].removesuffix("}},")
    unescaped = re.sub(r"\\text(backslash|asciitilde|asciicircum)\{\}", "", inside)
    assert not re.search(r"(?<!\\)[{}#$%&_~^]", unescaped)
    depth = 0
    for character in re.sub(r"\\[{}]", "", line):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert len(citing.text(found, [], "").splitlines()) == 1 or "\u2028" not in plain


def test_a_snapshot_of_a_store(db: detente.Database, tmp_path: Path) -> None:
    """The same over a store and over a server, and the bytes are the checker's."""
    db.persons.create(id="a", display_name='Ж "\\\n\u2028\x7f', birth_date="1962~")
    db.releases.create(
        id="r", headcount=123, participants=[{"id": "p", "person": "persons/a"}], labels={"b": "x"}
    )
    db.events.create(
        id="e", place={"location": {"latitude": 53.9, "longitude": 1e-7}, "region_code": "BY"}
    )
    made = db.snapshots.create("paper-2026", title="Paper")
    assert (made.name, made.revision, made.record_count) == ("snapshots/paper-2026", 3, 3)
    with pytest.raises(detente.AlreadyExistsError):
        db.snapshots.create("paper-2026")
    db.persons.update("a", note="later")
    db.snapshots.create("old", at=1)
    assert [s.name for s in db.snapshots.list()] == ["snapshots/old", "snapshots/paper-2026"]
    assert db.at("snapshots/paper-2026").persons.get("a").note == ""
    assert [c.name for c in db.diff(made)] == ["persons/a"]

    path, again = tmp_path / "paper.jsonl", tmp_path / "again.jsonl"
    assert db.snapshots.export("paper-2026", path).name == made.name
    code, told = check(path, made.checksum)
    assert code == 0, told
    db.snapshots.export(made, again)
    assert path.read_bytes() == again.read_bytes()
    assert made.checksum in db.snapshots.cite("paper-2026", style="cff")

    db.persons.erase("a", reason="danger")
    db.snapshots.export("paper-2026", path)
    code, told = check(path, made.checksum)
    assert code == 0, told
    assert "2 leaves can't be computed again" in told

    assert db.snapshots.delete("old").HasField("delete_time")
    with pytest.raises(detente.NotFoundError) as caught:
        db.at("old").persons.get("a")
    assert caught.value.reason == "SNAPSHOT_DELETED"
    assert db.snapshots.get("old").HasField("delete_time")
    assert [s.name for s in db.snapshots.list()] == ["snapshots/paper-2026"]
    assert len(list(db.snapshots.list(show_deleted=True))) == 2
