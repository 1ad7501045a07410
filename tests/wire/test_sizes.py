"""Answers that would be large: pages and batches end before they are."""

import pathlib
from collections.abc import Iterator

import pytest
from wire import contract
from wire.calls import INVALID, Client, Collection, refuses
from wire.process import Server

DETENTE = contract.detente()
KIB = 1 << 10


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Twelve sources of 500 KiB."""
    store: pathlib.Path = tmp_path_factory.mktemp("sizes") / "s.db"
    with Server(store) as server, Client(DETENTE, server.address) as client:
        collection = client.of("sources")
        for i in range(12):
            record = collection.resource.new(text=chr(ord("a") + i) * (500 * KIB))
            collection.create(record, f"large-{i:02d}")
        yield collection
        assert server.terminate() == 0


def test_a_page_ends_at_2_mib(sources: Collection) -> None:
    page = sources.list(page_size=1000)
    assert [r.name for r in page.sources] == [f"sources/large-{i:02d}" for i in range(4)]
    assert page.ByteSize() <= 2 * KIB * KIB + 1000
    everything = sources.pages(page_size=1000)
    assert [r.name for r in everything] == [f"sources/large-{i:02d}" for i in range(12)]
    assert all(len(r.text) == 500 * KIB for r in everything)
    # A mask makes them small.
    assert len(sources.list(read_mask=["name"]).sources) == 12


def test_revisions_end_at_2_mib(sources: Collection) -> None:
    name = "sources/large-11"
    for i in range(5):
        sources.update(sources.resource.new(name=name, note=str(i)))
    page = sources.call("list_revisions", name=name)
    assert len(page.sources) == 4
    assert [r.note for r in sources.revisions(name)] == ["4", "3", "2", "1", "0", ""]


def test_a_batch_of_more_than_3_mib_is_refused(sources: Collection) -> None:
    names = [f"sources/large-{i:02d}" for i in range(7)]
    assert len(sources.batch_get(*names[:6]).sources) == 6
    failure = refuses(INVALID, "LIMIT_EXCEEDED", sources.batch_get, *names)
    assert failure.fields == ["names"]
    assert len(sources.batch_get(*names, read_mask=["name"]).sources) == 7


def test_a_batch_of_writes_may_take_4_mib(sources: Collection) -> None:
    record = sources.resource.new(text="t" * (500 * KIB))
    operations = [{"create": {"record": record, "record_id": f"batch-{i}"}} for i in range(8)]
    answer = sources.client.batch_write(*operations)
    assert len(answer.results) == 8
    operations = [{"create": {"record": record}} for i in range(9)]
    refuses(INVALID, "LIMIT_EXCEEDED", sources.client.batch_write, *operations)
