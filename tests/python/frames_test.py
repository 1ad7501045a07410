"""Records as frames: every cell is what the record says, for every library that takes Arrow."""

import datetime
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detente
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from detente import _again, _contract, errors, frames, loading, testing
from detente._contract import is_repeated
from google.protobuf import json_format, timestamp_pb2
from google.type import date_pb2
from wire.process import Server

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples and a few hundred made-up records, some of them changed or deleted."""
    path = tmp_path_factory.mktemp("frames") / "frames.db"
    with detente.open(path, create=True) as db:
        loading.load(db, [SAMPLES])
        testing.fill(db, persons=150)
        for record in list(db.persons.list('display_name = "Test Person 1*"'))[:20]:
            db.persons.update(detente.Person(name=record.name, note="Made up."), update_mask="note")
        for record in list(db.releases.list('region_code = "XA"'))[:3]:
            db.releases.delete(record.name, force=True)
    return path


@pytest.fixture(scope="module", params=["embedded", "remote"])
def kept(request: pytest.FixtureRequest, path: Path) -> Iterator[detente.Database]:
    if request.param == "embedded":
        with detente.open(path, read_only=True) as db:
            yield db
        return
    server = Server(path)
    with detente.connect(server.address) as db:
        yield db
    server.close()


# --- what a record's cells are, told a second time -----------------------------------------------


def of_message(message: Any) -> dict[str, Any]:
    return {field.name: of_field(message, field) for field in message.DESCRIPTOR.fields}


def of_field(message: Any, field: Any) -> Any:
    value = getattr(message, field.name)
    if is_repeated(field):
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return sorted(value.items())
        return [of_value(field, item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return of_value(field, value)


def of_value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name if value else None
    if isinstance(value, timestamp_pb2.Timestamp):
        return value.ToDatetime(datetime.UTC)
    if isinstance(value, date_pb2.Date):
        return datetime.date(value.year, value.month, value.day)
    if field.message_type is not None:
        return of_message(value)
    return value


def in_cells(value: Any) -> Any:
    """A cell without what Arrow leaves open: the order in a map, the zone's own class."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return sorted(value)
    if isinstance(value, list):
        return [in_cells(item) for item in value]
    if isinstance(value, dict):
        return {key: in_cells(item) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC)
    return value


def rows(table: pa.Table) -> dict[str, Any]:
    return {row["name"]: in_cells(row) for row in table.to_pylist()}


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("collection", sorted(_contract.resources()))
def test_every_cell_of_every_collection(kept: detente.Database, collection: str) -> None:
    records = kept.collection(collection).list(show_deleted=True)
    found = rows(records.to_arrow())
    expected = {record.name: of_message(record) for record in records}
    assert set(found) == set(expected)
    for name, cells in expected.items():
        assert found[name] == cells, name
    assert found


@pytest.mark.parametrize("collection", ["persons", "releases", "negotiations"])
def test_flat_columns_are_the_same_cells(kept: detente.Database, collection: str) -> None:
    records = kept.collection(collection).list()
    nested = rows(records.to_arrow())
    flat = records.to_arrow(flat=True)
    assert not any(pa.types.is_struct(field.type) for field in flat.schema)
    for row in flat.to_pylist():
        whole = nested[row["name"]]
        for column, cell in row.items():
            value: Any = whole
            for part in column.split("."):
                value = None if value is None else value[part]
            assert in_cells(cell) == value, column


def test_columns(kept: detente.Database) -> None:
    releases = kept.releases.list('region_code = "BY"')
    table = releases.to_arrow(["effective_date.earliest", "display_name"], flat=True)
    assert table.column_names == ["effective_date.earliest", "display_name"]
    nested = releases.to_arrow(["name", "headcount.best", "headcount.low"])
    assert nested.column_names == ["name", "headcount.best", "headcount.low"]
    masked = kept.releases.list(read_mask=["name", "note"]).to_arrow()
    assert masked.column_names == ["name", "note"]
    assert releases.to_arrow("name").column_names == ["name"]
    with pytest.raises(errors.InvalidArgumentError, match="effective_date"):
        releases.to_arrow(["effectve_date"])


def test_filters_and_times(kept: detente.Database) -> None:
    for query in (
        'region_code = "XA" AND headcount.best > 5',
        'possibly(effective_date, "2025")',
        "participants.outcomes.kind:FREED",
        'NOT region_code = "XA" OR mechanism = PARDON',
        "Test",
    ):
        records = kept.releases.list(query)
        found = records.to_arrow("name")["name"].to_pylist()
        assert sorted(found) == [record.name for record in records], query
    past = kept.at(2)
    assert rows(past.releases.list().to_arrow("name")).keys() == {
        record.name for record in past.releases.list()
    }
    reviewed = kept.persons.list(reviewed_only=True)
    assert reviewed.to_arrow("name").num_rows == reviewed.count()


def test_order_and_limit(kept: detente.Database) -> None:
    ordered = kept.releases.list('region_code = "XA"', order_by="headcount.best desc")
    assert ordered.to_arrow("name")["name"].to_pylist() == [r.name for r in ordered]
    table = ordered.limit(4).to_arrow(["display_name"])
    assert table.column_names == ["display_name"]
    assert table["display_name"].to_pylist() == [r.display_name for r in ordered.limit(4)]
    every = kept.persons.list(order_by="display_name")
    assert every.to_arrow("name")["name"].to_pylist() == [r.name for r in every]
    assert kept.persons.list().limit(0).to_arrow().num_rows == 0
    assert kept.persons.list('name = "persons/nobody"').limit(5).to_arrow().num_rows == 0


def test_limit_of_a_store_without_a_commit() -> None:
    with detente.open(":memory:", create=True) as db:
        assert db.persons.list().limit(5).to_arrow().num_rows == 0


def test_what_has_no_frame(kept: detente.Database) -> None:
    source = kept.sources.list().first()
    assert source is not None
    with pytest.raises(errors.InvalidArgumentError, match="as_told_by"):
        kept.releases.list(as_told_by=source.name).to_arrow()
    with pytest.raises(errors.InvalidArgumentError, match="to_arrow"):
        kept.releases.revisions("by-2025-12-13").to_arrow()


def test_an_empty_store(db: detente.Database) -> None:
    table = db.releases.list().to_arrow()
    assert table.num_rows == 0
    assert "effective_date" in table.column_names
    assert db.releases.list().to_pandas().empty
    assert list(db.releases.list().to_batches()) == []


# --- the libraries, as they are ------------------------------------------------------------------


def test_pandas(kept: detente.Database) -> None:
    records = kept.releases.list()
    frame = records.to_pandas()
    assert len(frame) == records.count()
    assert isinstance(frame["mechanism"].dtype, pd.CategoricalDtype)
    assert frame["effective_date.earliest"].dtype.kind == "M"
    assert isinstance(frame["update_time"].dtype, pd.DatetimeTZDtype)
    one = frame.set_index("name").loc["releases/by-2025-12-13"]
    assert one["headcount.best"] == 123
    assert one["effective_date.earliest"] == pd.Timestamp("2025-12-13")
    assert one["region_code"] == "BY"
    assert list(pd.DataFrame.from_arrow(records)["name"]) == list(frame["name"])


def test_polars(kept: detente.Database) -> None:
    records = kept.releases.list()
    frame = records.to_polars()
    assert frame.height == records.count()
    one = frame.filter(pl.col("name") == "releases/by-2025-12-13")
    assert one["headcount"].struct.field("best").to_list() == [123]
    assert one["effective_date"].struct.field("earliest").to_list() == [datetime.date(2025, 12, 13)]
    assert pl.DataFrame(records).equals(frame)


def test_duckdb(kept: detente.Database) -> None:
    releases = kept.releases.list()
    assert releases
    counted = duckdb.sql(
        "SELECT count(*), sum(headcount.best) FROM releases WHERE region_code = 'BY'"
    ).fetchall()
    by = list(kept.releases.list('region_code = "BY"'))
    assert counted == [(len(by), sum(record.headcount.best for record in by))]


def test_pyarrow_takes_a_list_itself(kept: detente.Database) -> None:
    assert pa.table(kept.persons.list()).num_rows == kept.persons.list().count()
    reader = pa.RecordBatchReader.from_stream(kept.persons.list())
    assert sum(batch.num_rows for batch in reader) == kept.persons.list().count()


def test_metadata_says_what_it_is(kept: detente.Database) -> None:
    table = kept.at(kept.revision).releases.list('region_code = "BY"').to_arrow("name")
    assert table.schema.metadata == {
        b"detente.collection": b"releases",
        b"detente.revision": str(kept.revision).encode(),
        b"detente.filter": b'region_code = "BY"',
    }


# --- streams -------------------------------------------------------------------------------------


def test_a_stream_goes_on_where_it_broke(
    db: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    testing.fill(db, persons=3_000, seed=5)
    whole = db.persons.list().to_arrow()
    session = db._session
    stream, calls = session.stream, []

    def breaking(method: Any, request: Any) -> Iterator[Any]:
        calls.append(request.offset)
        for message in stream(method, request):
            yield message
            if len(calls) < 3:
                raise errors.UnavailableError("the connection is gone")

    rows_read = frames.read(session, db.persons.list()._request, (), False)
    monkeypatch.setattr(type(session), "stream", lambda self, *a: breaking(*a))
    monkeypatch.setattr(_again.time, "sleep", lambda seconds: None)
    assert rows_read.table().equals(whole)
    assert calls[0] == 0
    assert 0 < calls[1] < calls[2] <= whole.num_rows


def test_a_stream_that_stays_broken(
    kept: detente.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, *_: Any) -> Iterator[Any]:
        raise errors.UnavailableError("the connection is gone")
        yield

    listing = kept.persons.list()
    rows_read = frames.read(kept._session, listing._request, (), False)
    monkeypatch.setattr(type(kept._session), "stream", broken)
    monkeypatch.setattr(_again.time, "sleep", lambda seconds: None)
    with pytest.raises(errors.UnavailableError):
        rows_read.table()


def test_a_reader_sees_its_revision_while_others_write(db: detente.Database) -> None:
    testing.fill(db, persons=2_000, seed=3)
    before = rows(db.persons.list().to_arrow())
    listing = db.persons.list()
    batches = listing.to_batches()
    seen = [next(batches)]
    for record in list(db.persons.list().limit(50)):
        db.persons.update(detente.Person(name=record.name, note="Later."), update_mask="note")
    db.persons.create(detente.Person(display_name="Test Person later"), id="later")
    seen += batches
    assert rows(pa.Table.from_batches(seen)) == before
    after = rows(db.persons.list().to_arrow())
    assert after["persons/later"]["display_name"] == "Test Person later"
    assert sum(row["note"] == "Later." for row in after.values()) == 50


def test_a_stream_left_early_and_closed(db: detente.Database) -> None:
    testing.fill(db, persons=2_000, seed=3)
    left = db.persons.list().to_batches()
    next(left)
    left.close()
    other = db.persons.list().to_batches()
    next(other)
    db.close()
    with pytest.raises(errors.Error):
        list(other)


def test_many_threads_read(db: detente.Database) -> None:
    testing.fill(db, persons=500, seed=4)
    expected = db.persons.list().to_arrow().num_rows
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(db.persons.list().to_arrow("name").num_rows))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [expected] * 8


def test_streams_that_are_not_ours(kept: detente.Database) -> None:
    method = _contract.method("/detente.v1.RowService/ReadRows")
    for stream in ("", "x", "A" * 300):
        with pytest.raises(errors.InvalidArgumentError, match="stream"):
            list(kept._session.stream(method, method.request(stream=stream)))


def test_split() -> None:
    kind = _contract.method("/detente.v1.RowService/ReadRows").response
    message = kind(offset=300, row_count=7, arrow_stream=b"abc" * 100)
    head, body = frames.split(memoryview(message.SerializeToString()), "arrow_stream", kind)
    assert (head.offset, head.row_count, head.arrow_stream) == (300, 7, b"")
    assert bytes(body) == b"abc" * 100
    head, body = frames.split(memoryview(b""), "arrow_stream", kind)
    assert (head, bytes(body)) == (kind(), b"")


def test_pyarrow_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.FailedPreconditionError, match="pip install"):
        frames.arrow()


def test_json_of_a_cell_is_that_of_the_record(kept: detente.Database) -> None:
    release = kept.releases.get("by-2025-12-13")
    row = rows(kept.releases.list('name = "releases/by-2025-12-13"').to_arrow())[release.name]
    plain = json_format.MessageToDict(release, preserving_proto_field_name=True)
    assert row["mechanism"] == plain["mechanism"]
    assert row["effective_date"]["edtf"] == plain["effective_date"]["edtf"]
