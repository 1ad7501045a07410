"""Every method of detente.aio does what that of the synchronous package does.

They are found by introspection: a method that has no case here fails the test.
"""

import asyncio
import datetime
import importlib
import inspect
import pkgutil
import shutil
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import detente
import detente.aio
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from detente import loading, records
from google.protobuf.message import Message
from wire.process import Server

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"
RELEASE = "by-2025-12-13"
PERSON = "persons/ales-bialiatski"

Case = Callable[[Any, Path], Any]

# What each method is called with: the same call of both packages. They run in this order, on two
# stores that begin alike, so that what is written here is read further down.
CASES: dict[str, Case] = {
    "Reader.get": lambda db, _: db.at(3).releases.get(RELEASE, read_mask="headcount"),
    "Reader.get_many": lambda db, _: db.releases.get_many([RELEASE, "by-2025-09-11"]),
    "Reader.list": lambda db, _: db.releases.list("headcount.best > 50", order_by="headcount.best"),
    "Reader.list explain": lambda db, _: db.releases.list("headcount.best > 50", explain=True),
    "Reader.revisions": lambda db, _: db.at(3).persons.revisions(PERSON),
    "Reader.evidence": lambda db, _: db.releases.evidence(RELEASE, "headcount"),
    "Reader.history": lambda db, _: db.persons.history(PERSON),
    "Collection.create": lambda db, _: db.persons.create(display_name="Test Person 1", id="test-1"),
    "Collection.update": lambda db, _: db.persons.update("test-1", note="Made up."),
    "Collection.submit": lambda db, _: db.persons.submit("test-1"),
    "Collection.review": lambda db, _: db.persons.review("test-1"),
    "Collection.dispute": lambda db, _: db.persons.dispute("test-1", reason="made up"),
    "Collection.delete": lambda db, _: db.persons.delete("test-1"),
    "Collection.undelete": lambda db, _: db.persons.undelete("test-1"),
    "Collection.rollback": lambda db, _: db.releases.rollback(RELEASE, 2, validate_only=True),
    "Collection.erase": lambda db, _: db.persons.erase("test-1", validate_only=True),
    "Listing.limit": lambda db, _: db.persons.list().limit(3),
    "Listing.first": lambda db, _: db.persons.list().first(),
    "RecordList.one": lambda db, _: db.persons.list('name = "persons/ales-bialiatski"').one(),
    "RecordList.count": lambda db, _: db.releases.list('region_code = "BY"').count(),
    "RecordList.to_arrow": lambda db, _: db.releases.list().to_arrow(["name", "headcount"]),
    "RecordList.to_batches": lambda db, _: db.releases.list().to_batches("name"),
    "RecordList.to_pandas": lambda db, _: db.releases.list().to_pandas(["name", "region_code"]),
    "RecordList.to_polars": lambda db, _: (
        db.releases.list(order_by="name").limit(4).to_polars(["name", "headcount.best"], flat=True)
    ),
    "Querying.search": lambda db, _: db.search("Bialiatski"),
    "Querying.aggregate": lambda db, _: db.aggregate("releases", by="effective_date.year"),
    "Querying.stock": lambda db, _: db.stock("detentions", "2020-01-01", "2021-01-01", by="status"),
    "Querying.neighbors": lambda db, _: db.neighbors(f"releases/{RELEASE}", depth=2),
    "Hits.records": lambda db, _: db.search("Bialiatski").limit(3).records(),
    "Hits.facets": lambda db, _: db.search("Bialiatski").facets,
    "Hits.total_size": lambda db, _: db.search("Bialiatski").total_size,
    "Neighbors.records": lambda db, _: then(
        db.neighbors(f"releases/{RELEASE}"), lambda around: around.records()
    ),
    "Neighbors.text": lambda db, _: then(
        db.neighbors(f"releases/{RELEASE}"), lambda around: around.text(80)
    ),
    "_Reading.revision": lambda db, _: db.revision,
    "_Reading.at": lambda db, _: db.at(2).persons.get(PERSON),
    "_Reading.as_told_by": lambda db, _: db.as_told_by("s01").releases.list(),
    "_Reading.conflicts": lambda db, _: db.conflicts("detentions", fields=["start_date"]),
    "_Reading.findings": lambda db, _: db.findings(),
    "_Records.collection": lambda db, _: db.collection("releases").get(RELEASE),
    "Database.batch": lambda db, _: batch_of(db),
    "Database.commits": lambda db, _: db.commits.list().limit(2),
    "Database.diff": lambda db, _: db.diff(1, 2),
    "Database.erase": lambda db, _: then(
        db.erase("persons/test-1", reason="asked for"), lambda made: (made.erased, made.revision)
    ),
    "Diff.revisions": lambda db, _: db.diff(0, 2).revisions,
    "Diff.text": lambda db, _: db.diff(2, 3).text(80),
    "Diff.lines": lambda db, _: db.diff(2, 3).lines(80),
    "History.text": lambda db, _: db.releases.history(RELEASE).text(80),
    "Commits.get": lambda db, _: db.commits.get("2"),
    "Commits.list": lambda db, _: db.commits.list(record=PERSON),
    "Snapshots.create": lambda db, _: db.snapshots.create("s1", title="Test", at=3),
    "Database.snapshots": lambda db, _: db.snapshots.list(),
    "Snapshots.get": lambda db, _: db.snapshots.get("s1"),
    "Snapshots.list": lambda db, _: db.snapshots.list(),
    "Snapshots.entries": lambda db, _: db.snapshots.entries("s1").limit(3),
    "Snapshots.export": lambda db, folder: db.snapshots.export("s1", folder / "s1.jsonl"),
    "Snapshots.cite": lambda db, _: then(
        db.snapshots.cite("s1", author="Doe, Ada"), lambda text: text.partition(":")[0]
    ),
    "Snapshots.delete": lambda db, _: db.snapshots.delete("s1"),
    "Exports.export": lambda db, folder: then(
        db.export(folder / "x.jsonl", db.at(3).releases.list("headcount.best > 50")),
        lambda made: (made.metadata, (folder / "x.jsonl").read_text()),
    ),
    "Exports.export of a view": lambda db, folder: then(
        db.at(2).export(folder / "x.csv", "persons"), lambda made: made.file_sha256
    ),
    "Loads.load": lambda db, _: db.load(
        [{"id": "test-2", "display_name": "Test Person 2"}], into="persons"
    ),
    "Loads.load of records": lambda db, _: db.load(SAMPLES, dry_run=True),
    "Loads.write": lambda db, _: db.write(
        "persons", pa.table({"id": ["test-3"], "display_name": ["Test Person 3"]})
    ),
    "Database.closed": lambda db, _: db.closed,
    "Database.close": lambda db, _: db.close(),
}
# Varies from store to store or run to run.
VARIES = {"uid", "etag", "create_time", "update_time", "delete_time", "id", "salt", "leaf"}
VARIES |= {"checksum", "current_checksum", "elapsed", "seconds"}


async def then(result: Any, follow: Callable[[Any], Any]) -> Any:
    """What follows on a result, which is awaited where it can be."""
    found = follow(await result if inspect.isawaitable(result) else result)
    return await found if inspect.isawaitable(found) else found


async def batch_of(db: Any) -> Any:
    if isinstance(db, detente.Database):
        with db.batch(reason="test") as batch:
            batch.persons.create(id="test-4", display_name="Test Person 4")
    else:
        async with db.batch(reason="test") as batch:
            batch.persons.create(id="test-4", display_name="Test Person 4")
    return batch.results, batch.revision, len(batch), repr(batch)


async def settled(result: Any) -> Any:
    """A result of either package, awaited or walked to its end."""
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    if isinstance(result, detente.Listing | Iterator):
        return list(result)
    return result


def plain(value: Any) -> Any:
    """What is to be equal of a result, with its type."""
    if isinstance(value, Message):
        return type(value).__name__, _pruned(records.to_dict(value))
    if isinstance(value, pa.Table | pa.RecordBatch):
        return _by_name(value.to_pylist())
    if isinstance(value, pd.DataFrame):
        return _by_name(value.astype(object).to_dict("records"))
    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    if isinstance(value, dict):
        return _pruned(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | datetime.date | Path):
        return value
    own = {name: plain(one) for name, one in vars(value).items() if not name.startswith("_")}
    return type(value).__name__.removeprefix("Async"), _pruned(own)


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(one) for key, one in value.items() if key not in VARIES}
    return [_pruned(one) for one in value] if isinstance(value, list) else plain(value)


def _by_name(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["name"])


# --- two stores that begin alike, and a loop -----------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The founding case."""
    path = tmp_path_factory.mktemp("async") / "founding.db"
    with detente.open(path, create=True) as db:
        loading.load(db, [SAMPLES])
        db.releases.update(RELEASE, note="Checked.", reason="a second commit")
        db.persons.update(PERSON, note="Made up.", reason="a third commit")
    return path


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", params=["embedded", "remote"])
def both(
    request: pytest.FixtureRequest, store: Path, runner: asyncio.Runner, tmp_path_factory: Any
) -> Iterator[tuple[detente.Database, detente.AsyncDatabase]]:
    folder = tmp_path_factory.mktemp("both")
    paths = [Path(shutil.copy(store, folder / f"{name}.db")) for name in ("sync", "async")]
    if request.param == "embedded":
        yield detente.open(paths[0]), runner.run(detente.open_async(paths[1]))
        return
    servers = [Server(path) for path in paths]
    yield (
        detente.connect(servers[0].address),
        runner.run(detente.connect_async(servers[1].address)),
    )
    for server in servers:
        server.close()


@pytest.mark.parametrize("name", CASES)
def test_the_same(
    both: tuple[detente.Database, detente.AsyncDatabase],
    runner: asyncio.Runner,
    tmp_path: Path,
    name: str,
) -> None:
    folders = [tmp_path / "sync", tmp_path / "async"]
    for folder in folders:
        folder.mkdir()
    left = runner.run(settled(CASES[name](both[0], folders[0])))

    async def asked() -> Any:
        return await settled(CASES[name](both[1], folders[1]))

    right = runner.run(asked())
    assert plain(right) == plain(left)
    if isinstance(left, list):
        assert left
        assert [type(item) for item in right] == [type(item) for item in left]
    elif not type(left).__module__.startswith("detente."):
        assert type(right) is type(left)


# --- nothing is forgotten ------------------------------------------------------------------------


def classes() -> Iterator[tuple[type, type]]:
    """Those of detente.aio that are generated, each with the synchronous one."""
    for info in pkgutil.iter_modules(detente.aio.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"detente.aio.{info.name}")
        synchronous = importlib.import_module(f"detente.{info.name}")
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and kind.__module__ == module.__name__:
                yield kind, getattr(synchronous, name.removeprefix("Async"))


def public(kind: type) -> set[str]:
    return {
        name
        for name, value in vars(kind).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }


def test_every_method_has_a_case() -> None:
    owners = {kind.__name__.removeprefix("Async"): kind for kind, _ in classes()}
    methods = {f"{owner}.{name}" for owner, kind in owners.items() for name in public(kind)}
    cased = {name.partition(" ")[0] for name in CASES}
    assert "Reader.get" in methods
    assert methods - cased == set()


def test_every_public_method_is_there() -> None:
    pairs = {synchronous: kind for kind, synchronous in classes()}
    assert {detente.Database, detente.View, detente.Collection, detente.RecordList} <= set(pairs)
    for synchronous, kind in pairs.items():
        assert public(kind) == public(synchronous), kind


def test_the_arguments_are_the_same() -> None:
    functions = [(detente.aio.connect_async, detente.connect), (detente.open_async, detente.open)]
    for kind, synchronous in classes():
        for name in public(kind):
            mine, theirs = vars(kind)[name], vars(synchronous)[name]
            if not isinstance(mine, property):
                functions.append((mine, theirs))
    assert len(functions) > 40
    for mine, theirs in functions:
        one, other = (inspect.signature(f).parameters.values() for f in (mine, theirs))
        assert [(p.name, p.kind, p.default) for p in one] == [
            (p.name, p.kind, p.default) for p in other
        ], mine
        assert mine.__doc__, mine


def test_no_text_takes_a_call(both: tuple[detente.Database, detente.AsyncDatabase]) -> None:
    """What can't be awaited is not asked for: repr, bool, iteration."""
    listing = detente.AsyncRecordList.__new__(detente.AsyncRecordList)
    listing._title = "persons"
    assert repr(listing) == "<detente.aio.AsyncRecordList of persons>"
    with pytest.raises(TypeError, match=r"first\(\)"):
        bool(listing)
    with pytest.raises(TypeError, match="not iterable"):
        list(typing.cast(Any, listing))
    assert not hasattr(listing, "_repr_html_")
    assert not hasattr(listing, "__arrow_c_stream__")
    assert repr(both[1].persons).endswith(".persons")
