"""Answers that would be large: pages and batches end before they are."""

import pathlib
from collections.abc import Iterator
from typing import Any

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


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    store: pathlib.Path = tmp_path_factory.mktemp("sizes") / "r.db"
    with Server(store) as server, Client(DETENTE, server.address) as client:
        yield client.of("releases")
        assert server.terminate() == 0


def call(client: Client, service: str, method: str, **arguments: Any) -> Any:
    descriptor = client.contract.pool.FindServiceByName(f"detente.v1.{service}")
    descriptor = descriptor.methods_by_name[method]
    request = client.contract.new(descriptor.input_type.full_name, **arguments)
    return client.call(descriptor, request)


def test_json_of_a_record_fits_into_an_answer(releases: Collection) -> None:
    new = releases.resource.new
    refuses(
        INVALID,
        "LIMIT_EXCEEDED",
        releases.create,
        new(stated_reasons=["\x01" * (60 * KIB)] * 10),
        "controls",
    )
    releases.create(new(stated_reasons=['"' * (60 * KIB)] * 16), "quotes")


def test_a_difference_that_is_large_is_shortened(releases: Collection) -> None:
    new = releases.resource.new
    releases.create(new(stated_reasons=['"' * (60 * KIB)] * 16, note="before"), "r")
    releases.update(new(name="releases/r", stated_reasons=['"' * (59 * KIB)] * 16, note="after"))
    answer = call(releases.client, "CommitService", "ListCommits", record="releases/r")
    (update,) = answer.commits[0].changes
    assert update.shortened
    assert update.ByteSize() <= 3 * KIB * KIB
    fields = {field.path: field for field in update.fields}
    assert fields["note"].new_value == '"after"'
    assert fields["stated_reasons"].old_value == fields["stated_reasons"].new_value == ""
    (create,) = answer.commits[1].changes
    assert not create.shortened


def test_evidence_that_is_large_is_shortened(releases: Collection) -> None:
    client = releases.client
    client.of("sources").create(client.of("sources").resource.new(title="é" * 30_000), "long")
    citation = {
        "source": "sources/long",
        "fields": ["stated_reasons"],
        "quote": "q" * 60_000,
    }
    record = releases.resource.new(stated_reasons=['"' * (60 * KIB)] * 8, citations=[citation] * 7)
    record.citations.add().CopyFrom(record.citations[0])
    record.citations[7].stance = record.citations[7].CONTRADICTS
    releases.create(record, "disputed")
    page = call(client, "RecordService", "ListConflicts", collections=["releases"])
    (conflict,) = page.conflicts
    assert conflict.evidence.shortened
    assert conflict.evidence.value == ""
    assert len(conflict.evidence.supports) == 7
    assert len(conflict.evidence.contradictions[0].source_title.encode()) <= 520
    evidence = call(client, "RecordService", "GetEvidence", name="releases/disputed")
    assert evidence.fields[0].shortened
    assert evidence.ByteSize() <= 4 * KIB * KIB
