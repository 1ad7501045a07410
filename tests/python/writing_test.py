"""Rows into a store: what is read comes back, wrong rows are told, and nothing is written twice."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detente
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from detente import _contract, loading, testing
from google.api import field_behavior_pb2, resource_pb2
from wire.process import Server

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"
# Those that others refer to first.
ORDER = [
    "sources",
    "persons",
    "organizations",
    "negotiations",
    "detentions",
    "releases",
    "commitments",
    "exchanges",
    "events",
    "measures",
    "statements",
    "tallies",
]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[detente.Database]:
    """The samples and a few hundred made-up records."""
    with detente.open(tmp_path_factory.mktemp("writing") / "kept.db", create=True) as db:
        loading.load(db, [SAMPLES])
        testing.fill(db, persons=150)
        yield db


@pytest.fixture(params=["embedded", "remote"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[detente.Database]:
    if request.param == "embedded":
        with detente.open(":memory:") as opened:
            yield opened
        return
    with Server(tmp_path / "s.db") as server, detente.connect(server.address) as connected:
        yield connected


def content(record: Any) -> Any:
    """Without what the server makes of a record for itself."""
    copy = type(record)()
    copy.CopyFrom(record)
    for name in ("uid", "etag", "revision", "create_time", "update_time", "delete_time"):
        copy.ClearField(name)
    return copy


def persons(count: int, **columns: Any) -> pa.Table:
    ids = [f"p-{n}" for n in range(count)]
    return pa.table(
        {"id": ids, "display_name": [f"Test Person {n}" for n in range(count)]} | columns
    )


# --- what is read comes back ---------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True])
def test_a_store_through_tables(kept: detente.Database, db: detente.Database, flat: bool) -> None:
    """Circles of references are closed by a second write, of all columns."""
    tables = {c: kept.collection(c).list().to_arrow(flat=flat) for c in ORDER}
    for collection, table in tables.items():
        loose = _without_references(collection)
        columns = [c for c in table.column_names if c.partition(".")[0] in loose]
        assert db.write(collection, table, columns=columns).created == table.num_rows
    for _ in range(3):
        skipped = sum(db.write(c, table, on_error="skip").skipped for c, table in tables.items())
    assert skipped == 0
    for collection, table in tables.items():
        again = db.write(collection, table)
        assert (again.unchanged, again.total) == (table.num_rows, table.num_rows)
        expected = {r.name: content(r) for r in kept.collection(collection).list()}
        found = {r.name: content(r) for r in db.collection(collection).list()}
        assert found == expected


def _without_references(collection: str) -> set[str]:
    """The fields of a resource that lead nowhere, neither to records nor to elements of lists, and
    those that it must have."""
    options = field_behavior_pb2.field_behavior, resource_pb2.resource_reference
    found = set()
    for field in _contract.resources()[collection].message.DESCRIPTOR.fields:
        behavior, reference = (field.GetOptions().Extensions[option] for option in options)
        leads = reference.type or field.name.endswith("_id") or field.name == "restricted_fields"
        plain = field.message_type is None and not leads
        if field_behavior_pb2.REQUIRED in behavior or plain:
            found.add(field.name)
    return found


@pytest.mark.parametrize("make", [pa.table, pd.DataFrame, pl.DataFrame, "duckdb", "reader"])
def test_whatever_arrow_reads(db: detente.Database, make: Any) -> None:
    data = {
        "id": ["a", "b", "c"],
        "display_name": ["A", "B", None],
        "gender": ["FEMALE", None, "MALE"],
        "birth_date": ["1962", "1980-05~", None],
    }
    if make == "duckdb":
        given = pa.table(data)  # noqa: F841 - duckdb finds it
        frame: Any = duckdb.sql("SELECT * FROM given")
    elif make == "reader":
        frame = pa.table(data).to_reader(max_chunksize=1)
    else:
        frame = make(data)
    written = db.write("persons", frame)
    assert (written.created, written.revision) == (3, 1)
    assert db.persons.get("a").birth_date.edtf == "1962"
    assert db.persons.get("b").display_name == "B"
    assert db.persons.get("c").gender == detente.Person.MALE


def test_frames_with_categories_dates_and_gaps(db: detente.Database) -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "mechanism": pd.Categorical(["PARDON", None]),
            "effective_date": pd.to_datetime(["2025-12-13", None]),
            "headcount.best": [123, None],
        }
    )
    db.write("releases", frame)
    release = db.releases.get("a")
    assert release.mechanism == detente.Release.PARDON
    assert release.effective_date.edtf == "2025-12-13"
    assert release.headcount.best == 123
    assert not db.releases.get("b").HasField("effective_date")
    db.write("persons", pl.DataFrame({"id": ["x"], "names": [[{"full": "X. Y."}]]}))
    assert db.persons.get("x").names[0].full == "X. Y."


def test_columns_alone_are_written(db: detente.Database) -> None:
    db.write("releases", pa.table({"id": ["r"], "note": ["n"], "headcount.low": [5]}))
    db.write("releases", pa.table({"name": ["releases/r"], "headcount.best": [7]}))
    release = db.releases.get("r")
    assert (release.note, release.headcount.low, release.headcount.best) == ("n", 5, 7)
    db.write("releases", pa.table({"id": ["r"], "note": pa.array([None], pa.string())}))
    assert db.releases.get("r").note == ""
    frame = pa.table({"id": ["r"], "note": ["again"], "headcount.low": [6]})
    db.write("releases", frame, columns=["note"])
    assert (db.releases.get("r").note, db.releases.get("r").headcount.low) == ("again", 5)


def test_the_commit_says_why_and_who(db: detente.Database) -> None:
    db.write("persons", persons(1), reason="second list", write_id="second-list")
    (commit,) = db.commits.list()
    assert commit.reason == "second list"


def test_nothing_is_written_to_see_whether_it_could_be(db: detente.Database) -> None:
    assert db.write("persons", persons(3), validate_only=True).created == 3
    assert db.persons.list().count() == 0


def test_an_empty_table(db: detente.Database) -> None:
    assert db.write("persons", persons(0)).total == 0
    with pytest.raises(detente.InvalidArgumentError, match="did you mean `display_name`"):
        db.write("persons", pa.table({"displayname": pa.array([], pa.string())}))


# --- wrong rows ----------------------------------------------------------------------------------


def with_faults(count: int) -> pa.Table:
    """Every tenth gender is misspelt, every hundredth date none, one reference leads nowhere."""
    genders = ["FEMALE" if n % 10 else "FEMAL" for n in range(count)]
    dates = ["1962" if n % 100 != 5 else "the thirteenth" for n in range(count)]
    return persons(count, gender=genders, birth_date=dates)


def test_stop_at_the_first_wrong_row(db: detente.Database) -> None:
    good = 2_000
    table = pa.concat_tables([persons(good), persons(10)])
    genders = ["FEMALE"] * good + ["FEMALE"] * 3 + ["FEMAL"] + ["FEMALE"] * 6
    ids = [f"p-{n}" for n in range(good + 10)]
    table = table.set_column(0, "id", [ids]).append_column("gender", [genders])
    with pytest.raises(detente.InvalidArgumentError, match="row 2003: gender") as raised:
        db.write("persons", table)
    assert [v.field for v in raised.value.field_violations] == ["rows[2003].gender"]
    assert "2000 rows before are written" in str(raised.value)
    assert db.persons.list().count() == good


def test_skip_what_is_wrong(db: detente.Database) -> None:
    count = 3_500
    written = db.write("persons", with_faults(count), on_error="skip")
    wrong = {n for n in range(count) if n % 10 == 0 or n % 100 == 5}
    assert {error.row for error in written.errors} == wrong
    assert (written.created, written.skipped) == (count - len(wrong), len(wrong))
    assert written.errors[0].field == "gender"
    assert "did you mean `FEMALE`" in written.errors[0].description
    dates = [error for error in written.errors if error.row % 100 == 5]
    assert {error.field for error in dates} == {"birth_date.edtf"}
    assert db.persons.list().count() == written.created
    assert db.persons.get("p-11").gender == detente.Person.FEMALE


def test_what_only_the_store_knows_is_told_of_every_row(db: detente.Database) -> None:
    db.persons.create(id="gone", display_name="A")
    db.persons.delete("gone")
    detentions = pa.table(
        {
            "id": ["d0", "d1", "d2", "d3"],
            "person": ["persons/none", "persons/p-1", "persons/gone", "no name"],
        }
    )
    db.write("persons", persons(3))
    written = db.write("detentions", detentions, on_error="skip")
    assert written.created == 1
    told = {error.row: (error.field, error.description) for error in written.errors}
    assert set(told) == {0, 2, 3}
    assert {field for field, _ in told.values()} == {"person"}
    assert "no such record" in told[0][1]
    assert "is deleted" in told[2][1]
    again = db.write("persons", pa.table({"id": ["gone", "p-1", "p-1", "A b"]}), on_error="skip")
    assert sorted({error.row for error in again.errors}) == [0, 2, 3]


@pytest.mark.parametrize(
    ("collection", "table", "message"),
    [
        ("person", {"id": ["a"]}, "did you mean `persons`"),
        ("persons", {"display_nam": ["A"]}, "did you mean `display_name`"),
        ("persons", {"display_name": [1]}, "text expected, got Arrow's int64"),
        ("persons", {"birth_date": [1962]}, "a text in EDTF, or a day"),
    ],
)
def test_columns_that_can_not_be(
    db: detente.Database, collection: str, table: dict[str, Any], message: str
) -> None:
    with pytest.raises(detente.InvalidArgumentError, match=message):
        db.write(collection, pa.table(table))


def test_arguments_that_can_not_be(db: detente.Database) -> None:
    with pytest.raises(detente.InvalidArgumentError, match="on_error"):
        db.write("persons", persons(1), on_error="ignore")
    with pytest.raises(detente.InvalidArgumentError, match="a table or frame"):
        db.write("persons", [{"id": "a"}])
    with pytest.raises(detente.InvalidArgumentError, match="write_id"):
        db.write("persons", persons(1), write_id="x" * 45)


# --- sizes ---------------------------------------------------------------------------------------


def test_rows_of_a_size(db: detente.Database) -> None:
    """Batches are cut by bytes too; a row that is too large is told of."""
    notes = ["x" * 60_000] * 200
    assert db.write("persons", persons(200, note=notes)).created == 200
    notes[7] = "x" * 70_000
    written = db.write("persons", persons(200, note=notes), on_error="skip")
    assert [(e.row, e.field) for e in written.errors] == [(7, "note")]
    assert written.unchanged == 199


def test_a_frame_that_shares_its_texts(db: detente.Database) -> None:
    """Dictionaries and views are not sent along with every thousand rows."""
    count = 5_000
    names = pa.array([f"Test Person {n} " + "x" * 100 for n in range(count)])
    ids = [f"p-{n}" for n in range(count)]
    for column in (names.dictionary_encode(), names.cast(pa.string_view())):
        db.write("persons", pa.table({"id": ids, "display_name": column}))
        assert db.persons.list().count() == count


def test_names_that_the_server_gave(db: detente.Database) -> None:
    """By row of the data, over batches, wrong rows between them and rows that have a name."""
    count = 2_500
    texts: list[str | None] = [f"Test Person {n}" for n in range(count)]
    ids: list[str | None] = [None] * count
    ids[3], ids[2_000] = "three", "two-thousand"
    texts[1_700] = "x" * 70_000
    table = pa.table({"id": pa.array(ids, pa.string()), "display_name": texts})
    written = db.write("persons", table, on_error="skip")
    assert (written.created, written.skipped) == (count - 1, 1)
    assert set(written.names) == set(range(count)) - {3, 1_700, 2_000}
    found = {record.name: record.display_name for record in db.persons.list()}
    assert {row: found[name] for row, name in written.names.items()} == {
        row: texts[row] for row in written.names
    }
    assert db.write("persons", table.slice(0, 10), validate_only=True).names == {}


def test_progress(db: detente.Database) -> None:
    seen: list[tuple[int, int | None]] = []
    db.write("persons", persons(2_500), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]


# --- lost connections ----------------------------------------------------------------------------


def test_the_same_write_twice(db: detente.Database) -> None:
    """Rows without names, too."""
    table = pa.table({"display_name": [f"Test Person {n}" for n in range(1_500)]})
    first = db.write("persons", table, write_id="once")
    again = db.write("persons", table, write_id="once")
    assert (first.created, again.created) == (1_500, 1_500)
    assert first.revision == again.revision
    assert db.persons.list().count() == 1_500
    with pytest.raises(detente.InvalidArgumentError, match="other content before"):
        db.write("persons", table.slice(1), write_id="once")


def test_a_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    """Nothing is lost, nothing doubled: the rows have no names."""
    count = 40_000
    table = pa.table({"display_name": [f"Test Person {n}" for n in range(count)]})
    store = tmp_path / "s.db"
    server = Server(store)
    port = server.address
    done: list[Any] = []
    kills = []

    def write() -> None:
        with detente.connect(port) as db:
            done.append(db.write("persons", table, progress=lambda at, _: kills.append(at)))

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(3):
        before = len(kills)
        while len(kills) < before + 4 and thread.is_alive():
            time.sleep(0.005)
        server.kill()
        server.errors.close()
        server = Server(store, listen=port)
    thread.join(120)
    assert not thread.is_alive()
    assert done[0].created == count
    with detente.connect(port) as db:
        assert db.persons.list().count() == count
        names = {r.display_name for r in db.persons.list(page_size=1000)}
        assert len(names) == count
    server.close()


def test_closing_ends_it(db: detente.Database) -> None:
    """In another thread, in the middle of a write."""
    stopped: list[BaseException] = []
    begun = threading.Event()

    def endless() -> Iterator[pa.RecordBatch]:
        n = 0
        while True:
            n += 1
            yield pa.record_batch({"id": [f"p-{n}-{k}" for k in range(1_000)]})

    def write() -> None:
        reader = pa.RecordBatchReader.from_batches(pa.schema([("id", pa.string())]), endless())
        try:
            db.write("persons", reader, progress=lambda *_: begun.set())
        except detente.Error as error:
            stopped.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(30)
    db.close()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(stopped[0], detente.CancelledError | detente.FailedPreconditionError)


def test_a_failing_source_is_its_own_error(db: detente.Database) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": ["a"]})
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("id", pa.string())]), failing())
    with pytest.raises(OSError, match="the disk is gone"):
        db.write("persons", reader)
    assert db.write("persons", persons(1)).created == 1


def test_every_collection_is_there() -> None:
    assert sorted(ORDER) == sorted(_contract.resources())
