"""Exports: what is read, what is written of it, and that a file appears whole or not at all."""

import csv
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import csvw
import detente
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from detente import columns, exporting, loading, records, tables, testing

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"
SUFFIXES = ["csv", "jsonl", "parquet", "xlsx", "ftm.json", "graphml"]


@pytest.fixture(scope="module")
def store() -> Iterator[detente.Database]:
    """The founding case beside made-up records, some of them deleted. Not to be written to."""
    with detente.open(":memory:", create=True) as opened:
        testing.fill(opened, persons=200, seed=3)
        loading.load(opened, [SAMPLES])
        for name in ("persons/p-1", "releases/r-2", "statements/t-3-0"):
            collection, _, id = name.partition("/")
            if opened.collection(collection).list(where={"name": name}):
                opened.collection(collection).delete(id, force=True)
        assert opened.releases.get("r-2").HasField("delete_time")
        yield opened


def what_of(suffix: str) -> str:
    return "negotiations" if suffix == "graphml" else "releases"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def sidecar_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_name(f"{path.name}-metadata.json").read_text())
    return found


def flat(table: Any) -> Any:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


# --- the columns


def test_columns_have_the_names_of_fields() -> None:
    names = [column.name for column in columns.flat_columns(detente.Detention.DESCRIPTOR)]
    assert names == [
        "name", "uid", "etag", "revision", "create_time", "update_time", "delete_time",
        "display_name", "review_state", "visibility", "restricted_fields", "citations",
        "external_ids", "labels", "note", "person", "region_code", "detention_type", "status",
        "start_date.edtf", "start_date.state", "start_date.earliest", "start_date.latest",
        "start_date.precision", "start_date.approximate", "start_date.uncertain",
        "end_date.edtf", "end_date.state", "end_date.earliest", "end_date.latest",
        "end_date.precision", "end_date.approximate", "end_date.uncertain",
        "placements", "proceedings", "officials", "end_reason", "previous",
        "days_held.low", "days_held.best", "days_held.high", "days_held.approximate",
        "days_held.text",
    ]  # fmt: skip


def test_a_message_within_its_own_type_is_cut() -> None:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    node = file.message_type.add(name="Node")
    node.field.add(name="name", number=1, type=9, label=1)
    node.field.add(name="below", number=2, type=11, label=1, type_name=".t.Other")
    other = file.message_type.add(name="Other")
    other.field.add(name="text", number=1, type=9, label=1)
    other.field.add(name="above", number=2, type=11, label=1, type_name=".t.Node")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("t.Node")
    found = columns.flat_columns(descriptor)
    assert [column.name for column in found] == ["name", "below.text"]
    record = message_factory.GetMessageClass(descriptor)()
    record.below.above.name = "deep"
    assert columns.row(record, found) == ["", ""]


def test_rows_are_those_of_the_server(store: detente.Database) -> None:
    """What is made of messages here is what the server streams as Arrow, cell by cell."""
    for collection, message in records.COLLECTIONS.items():
        listing: Any = store.collection(collection).list(show_deleted=True)
        read = {record.name: record for record in listing}
        streamed = listing.to_arrow()
        schema = tables.schema(message.DESCRIPTOR)
        assert schema.equals(streamed.schema.remove_metadata()), collection
        ordered = [read[name] for name in streamed["name"].to_pylist()]
        table = pa.Table.from_batches(tables.batches(ordered, schema, rows=100), schema)
        assert table.num_rows == streamed.num_rows > 0
        assert table.to_pylist() == streamed.to_pylist()
        wanted = list(columns.flat_columns(message.DESCRIPTOR))
        rows = listing.to_arrow(flat=True)
        assert rows.column_names == [column.name for column in wanted]
        assert [list(row.values()) for row in rows.to_pylist()] == [
            columns.row(read[name], wanted) for name in rows["name"].to_pylist()
        ]


def test_columns_are_chosen() -> None:
    descriptor = detente.Release.DESCRIPTOR
    names = [c.name for c in columns.chosen(descriptor, ["headcount", "name", "participants"])]
    assert names[:2] == ["headcount.low", "headcount.best"]
    assert names[-2:] == ["name", "participants"]
    for wrong, told in {
        "headcount.bests": "did you mean headcount.best?",
        "participants.person": "participants is one column",
        'participants["a"]': "participants is one column",
    }.items():
        with pytest.raises(detente.InvalidArgumentError, match=r"columns") as caught:
            columns.chosen(descriptor, [wrong])
        assert told in str(caught.value)
    with pytest.raises(detente.InvalidArgumentError, match="there twice"):
        columns.chosen(descriptor, ["headcount.best", "headcount"])
    with pytest.raises(detente.InvalidArgumentError, match="no column"):
        columns.chosen(descriptor, [])
    with pytest.raises(detente.InvalidArgumentError, match="a list of columns"):
        columns.chosen(descriptor, "name")


# --- what is read


def test_the_checksum_is_that_of_a_snapshot_without_salt(
    db: detente.Database, tmp_path: Path
) -> None:
    loading.load(db, [SAMPLES])
    snapshot = db.snapshots.create("s")
    lines = [  # by the server
        f"{entry.name} {entry.revision} {hashlib.sha256(entry.json.encode()).hexdigest()}\n"
        for entry in db.snapshots.entries("s")
    ]
    whole = db.at("snapshots/s").export(tmp_path / "all.jsonl")
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert whole.metadata["records_sha256"] == digest
    assert whole.metadata["record_count"] == snapshot.record_count == len(lines)
    assert whole.metadata["snapshot"] == "snapshots/s"
    assert whole.metadata["snapshot_checksum"] == snapshot.checksum
    some = [line for line in lines if line.startswith("releases/")]
    digest = hashlib.sha256("".join(some).encode()).hexdigest()
    for suffix in ("csv", "jsonl", "parquet", "xlsx", "ftm.json"):
        done = db.export(tmp_path / f"a.{suffix}", "releases")
        assert done.metadata["records_sha256"] == digest, suffix
        assert done.metadata["revision"] == db.revision
        assert done.file_sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    ordered = db.releases.list(order_by="effective_date desc")
    done = db.export(tmp_path / "b.csv", ordered)
    assert done.metadata["records_sha256"] == digest
    assert (
        "records_sha256" not in db.export(tmp_path / "c.csv", "releases", columns=["name"]).metadata
    )
    told = db.as_told_by("s102").export(tmp_path / "d.csv", "releases").metadata
    assert told["as_told_by"] == "sources/s102"
    assert "records_sha256" not in told


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_is_read_at_one_revision(db: detente.Database, tmp_path: Path, suffix: str) -> None:
    what = what_of(suffix)
    with db.batch() as batch:
        for number in range(900):
            batch.collection(what).create(
                id=f"x-{number:04}", display_name="Made-up", note="n" * 3000
            )
    expected = db.export(tmp_path / f"a.{suffix}", what)
    changed: list[int] = []

    def change(done: int, total: int) -> None:  # behind the first page
        assert total == 900
        if not changed:
            db.collection(what).update("x-0800", note="changed meanwhile")
            db.collection(what).create(id="x-0801-a", display_name="new")
            db.collection(what).delete("x-0802")
            changed.append(db.revision)

    done = db.export(tmp_path / f"b.{suffix}", what, progress=change)
    assert changed[0] > expected.metadata["revision"]
    assert done.metadata == expected.metadata
    assert done.record_count == 900
    if suffix != "xlsx":  # a ZIP, which has times in it
        assert done.file_sha256 == expected.file_sha256
    later = db.export(tmp_path / f"c.{suffix}", what)
    assert later.metadata["records_sha256"] != expected.metadata["records_sha256"]
    past = db.at(expected.metadata["revision"]).export(tmp_path / f"d.{suffix}", what)
    assert past.metadata == expected.metadata


def test_collections_are_read_at_the_same_revision(db: detente.Database, tmp_path: Path) -> None:
    db.negotiations.create(id="n", display_name="before")
    db.persons.create(id="p", display_name="before")

    def change(done: int, total: int) -> None:
        if done == 1:
            db.persons.update("p", display_name="after")
            db.persons.create(id="q", display_name="after")

    done = db.export(tmp_path / "a.jsonl", ["negotiations", "persons"], progress=change)
    assert [line["display_name"] for line in lines_of(done.path)] == ["before", "before"]
    assert done.metadata["revision"] == 2 < db.revision


def test_a_query_is_exported(store: detente.Database, tmp_path: Path) -> None:
    query = store.releases.list("headcount.best > 3", order_by="headcount.best desc", page_size=2)
    done = store.export(tmp_path / "a.jsonl", query.limit(5))
    names = [line["name"] for line in lines_of(done.path)]
    assert names == [release.name for release in query.limit(5)]
    assert len(names) == 5
    assert done.metadata["filter"] == "headcount.best > 3"
    assert done.metadata["order_by"] == "headcount.best desc"
    assert done.metadata["limit"] == 5
    done = store.export(tmp_path / "b.jsonl", "persons", where={"nationalities": "XA"})
    assert done.record_count == store.persons.list("nationalities:XA").count() > 0
    assert done.metadata["filter"] == 'nationalities:"XA"'
    deleted = store.export(tmp_path / "c.jsonl", "persons", show_deleted=True)
    assert deleted.metadata["show_deleted"] is True
    live = store.export(tmp_path / "d.jsonl", "persons")
    assert deleted.record_count == live.record_count + 1
    several = store.export(
        tmp_path / "e.jsonl", ["tallies", "events"], filter='note:"" OR name:"*"'
    )
    assert several.metadata["collections"] == ["events", "tallies"]
    none = store.export(tmp_path / "f.parquet", "releases", filter='name = "releases/none"')
    assert none.record_count == pq.read_table(none.path).num_rows == 0


def test_arguments_are_checked(store: detente.Database, tmp_path: Path) -> None:
    def told(path: str, what: Any = None, **options: Any) -> str:
        with pytest.raises(detente.InvalidArgumentError) as caught:
            store.export(tmp_path / path, what, **options)
        assert not list(tmp_path.iterdir())
        return str(caught.value)

    assert ".csv" in told("a.doc", "persons")
    assert "csv" in told("a.csv", "persons", format="cvs")
    assert "one collection" in told("a.csv")
    assert "one collection" in told("a.parquet", ["persons", "releases"])
    assert "did you mean persons" in told("a.csv", "person")
    assert "no collection" in told("a.csv", [])
    assert "did you mean headcount.best" in told("a.csv", "releases", columns=["headcount.bst"])
    assert "a list of columns" in told("a.csv", "releases", columns="headcount")
    assert "columns" in told("a.ftm.json", "persons", columns=["name"])
    assert "no place for tallies" in told("a.ftm.json", "tallies")
    assert "no place for persons" in told("a.graphml", "persons")
    assert "deleted" in told("a.graphml", show_deleted=True)
    assert "filter of its own" in told("a.csv", store.persons.list(), filter="x")
    assert "read_mask" in told("a.csv", store.persons.list(read_mask="name"))
    assert "revisions" in told("a.csv", store.persons.revisions("p-2"))
    assert "nationality" in told("a.csv", "persons", filter="nationality = 3")
    with detente.open(":memory:", create=True) as other:
        assert "another connection" in told("a.csv", other.persons.list())
    with pytest.raises(FileNotFoundError, match="no such folder"):
        store.export(tmp_path / "none" / "a.csv", "persons")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        store.export(tmp_path / "folder.csv", "persons")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_leaves_what_was_there(
    store: detente.Database, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # nothing is left there either
    path = tmp_path / f"a.{suffix}"
    beside = tmp_path / f"a.{suffix}-metadata.json"
    for kind in (KeyboardInterrupt, RuntimeError):

        def stop(done: int, total: int, kind: type[BaseException] = kind) -> None:
            if done == 2:
                raise kind

        with pytest.raises(kind):
            store.export(path, what_of(suffix), progress=stop)
        assert not list(tmp_path.iterdir())
    path.write_text("before")
    beside.write_text("before too")
    with pytest.raises(KeyboardInterrupt):
        store.export(path, what_of(suffix), progress=lambda done, total: signal())
    assert sorted(tmp_path.iterdir()) == [path, beside]
    assert (path.read_text(), beside.read_text()) == ("before", "before too")


def signal() -> None:
    raise KeyboardInterrupt


# --- CSV, JSON lines, Parquet


def test_csv(store: detente.Database, tmp_path: Path) -> None:
    done = store.export(tmp_path / "a.csv", "releases")
    with done.path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    read: list[Any] = list(store.releases.list())
    assert [row["name"] for row in rows] == [release.name for release in read]
    assert list(rows[0]) == [c.name for c in columns.flat_columns(detente.Release.DESCRIPTOR)]
    [row] = [row for row in rows if row["name"] == "releases/by-2025-12-13"]
    release = store.releases.get("by-2025-12-13")
    assert row["headcount.best"] == "123"
    assert row["headcount.low"] == ""
    assert row["headcount.approximate"] == "false"
    assert row["effective_date.earliest"] == "2025-12-13"
    assert row["update_time"] == release.update_time.ToJsonString()
    people = json.loads(row["participants"])
    assert [one["person"] for one in people] == [one.person for one in release.participants]
    assert "preferred" not in row["participants"]
    assert {row["delete_time"] for row in rows} == {""}


def test_csv_tells_its_types(store: detente.Database, tmp_path: Path) -> None:
    done = store.export(tmp_path / "a.csv", "releases")
    assert done.sidecar is not None
    table = csvw.Table.from_file(done.sidecar)
    rows = list(table.iterdicts(strict=True))
    wanted = list(columns.flat_columns(detente.Release.DESCRIPTOR))
    for row, record in zip(rows, store.releases.list(), strict=True):
        for name, value in zip(row, columns.row(record, wanted), strict=True):
            if isinstance(value, list):
                assert len(row[name] or ()) == len(value), name
            elif hasattr(value, "tzinfo"):
                assert row[name] == value, name
            elif hasattr(value, "year"):
                assert (
                    row[name].date() == value if hasattr(row[name], "date") else row[name] == value
                )
            else:
                assert row[name] == (None if value == "" else value), name
    [note] = json.loads(done.sidecar.read_text())["notes"]
    assert note["file_sha256"] == done.file_sha256
    assert note["records_sha256"] == done.metadata["records_sha256"]
    assert note["revision"] == store.revision


def test_csv_changes_no_text(db: detente.Database, tmp_path: Path) -> None:
    texts = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "@x",
        "-3",
        'a "b", c',
        "two\nlines\r\n",
        "\ttab",
        "Алесь 试",
    ]
    with db.batch() as batch:
        for number, text in enumerate(texts):
            batch.persons.create(id=f"p-{number}", display_name=text, occupations=[text, text])
    done = db.export(tmp_path / "a.csv", "persons", columns=["display_name", "occupations"])
    with done.path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["display_name", "occupations"]
    stored = [record.display_name for record in db.persons.list()]
    assert [row[0] for row in rows] == stored
    assert stored[0] == "=1+1"
    assert [json.loads(row[1]) for row in rows] == [list(r.occupations) for r in db.persons.list()]


def test_parquet(store: detente.Database, tmp_path: Path) -> None:
    done = store.export(tmp_path / "a.parquet", "releases")
    table = pq.read_table(done.path)
    schema = tables.schema(detente.Release.DESCRIPTOR)
    assert table.schema.names == schema.names
    assert pa.types.is_dictionary(table.column("mechanism").type)
    wanted = list(columns.flat_columns(detente.Release.DESCRIPTOR))
    rows = [list(row.values()) for row in flat(table).to_pylist()]
    assert rows == [columns.row(release, wanted) for release in store.releases.list()]
    told = json.loads(pq.read_metadata(done.path).metadata[b"detente.export"])
    assert told == done.metadata
    few = store.export(
        tmp_path / "b.parquet", "releases", columns=["effective_date.latest", "headcount"]
    )
    few_table = pq.read_table(few.path)
    assert flat(few_table).column_names == [
        "effective_date.latest", "headcount.low", "headcount.best", "headcount.high",
        "headcount.approximate", "headcount.text",
    ]  # fmt: skip
    assert few_table.num_rows == table.num_rows
    assert (
        flat(few_table)["headcount.best"].to_pylist() == flat(table)["headcount.best"].to_pylist()
    )


def test_parquet_of_many_batches(
    store: detente.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detente import export_parquet

    one = pq.read_table(store.export(tmp_path / "a.parquet", "persons").path)
    batches = tables.batches
    monkeypatch.setattr(tables, "batches", lambda found, schema: batches(found, schema, rows=10))
    monkeypatch.setattr(export_parquet, "_ROWS", 50)
    path = store.export(tmp_path / "b.parquet", "persons").path
    assert pq.read_metadata(path).num_row_groups >= one.num_rows // 50
    assert pq.read_table(path).to_pylist() == one.to_pylist()


def test_lines_go_round(store: detente.Database, tmp_path: Path) -> None:
    first = store.export(tmp_path / "a.jsonl")
    deleted = {"persons/p-1", "releases/r-2"}
    before = lines_of(first.path)
    assert not deleted & {line["name"] for line in before}
    assert first.record_count == len(before) > 500
    with detente.open(tmp_path / "other.db", create=True) as other:
        # A live record may refer to a deleted one, which a new store does not have.
        everything = store.export(tmp_path / "all.jsonl", show_deleted=True)
        loading.load(other, [everything.path])
        for name in deleted | {line["name"] for line in lines_of(everything.path)} - {
            line["name"] for line in before
        }:
            collection, _, id = name.partition("/")
            other.collection(collection).delete(id, force=True)
        second = other.export(tmp_path / "b.jsonl")
        after = lines_of(second.path)
        again = loading.load(other, [second.path])
        assert again.unchanged == again.total == len(after)
    assert [line["name"] for line in after] == [line["name"] for line in before]
    messages = [[m for _, m in records.read(path)] for path in (first.path, second.path)]
    assert [exporting.content(m) for m in messages[0]] == [
        exporting.content(m) for m in messages[1]
    ]
    made = {"uid", "etag", "revision", "create_time", "update_time"}
    for one, other_one in zip(before, after, strict=True):
        assert {k: v for k, v in one.items() if k not in made} == {
            k: v for k, v in other_one.items() if k not in made
        }
    for line in sidecar_of(first.path), sidecar_of(second.path):
        assert line["record_count"] == len(before)
