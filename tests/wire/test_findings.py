"""RecordService.ListFindings, over the wire."""

from collections.abc import Iterator
from typing import Any

import pytest
from wire import contract
from wire.calls import INVALID, Client, Code, fill, refuses, refuses_fields
from wire.process import Server


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with (
        Server(tmp_path_factory.mktemp("store") / "store.db") as server,
        Client(contract.detente(), server.address) as client,
    ):
        yield client


def find(client: Client, timeout: float = 30, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.RecordService")
    method = service.methods_by_name["ListFindings"]
    request = fill(client.contract.new("detente.v1.ListFindingsRequest"), arguments)
    return client.call(method, request, timeout)


def pages(client: Client, **arguments: Any) -> Iterator[Any]:
    token = ""
    while True:
        page = find(client, page_token=token, **arguments)
        yield page
        token = page.next_page_token
        if not token:
            return


def person(client: Client, **fields: Any) -> Any:
    return client.contract.new("detente.v1.Person", **fields)


def spell(client: Client, name: str, **fields: Any) -> Any:
    made = client.contract.new("detente.v1.Detention", name=name, person="persons/a", **fields)
    made.end_reason = 1
    return made


def write(client: Client, records: list[Any]) -> None:
    for start in range(0, len(records), 1000):
        client.batch_write(*({"create": {"record": r}} for r in records[start : start + 1000]))


def test_pages_of_thousands_are_one_state(client: Client) -> None:
    names = [f"detentions/d{i:04}" for i in range(3000)]
    write(client, [person(client, name="persons/a"), *(spell(client, n) for n in names)])
    found, sizes, revisions = [], [], set()
    for page in pages(client, page_size=700):
        found += [(f.check, f.locations[0].name) for f in page.findings]
        sizes.append(len(page.findings))
        revisions.add(page.revision)
        if not page.next_page_token:
            break
        # Others write: one that is told, one to come, one between.
        client.of("detentions").delete(found[-1][1])
        if len(sizes) == 1:
            client.of("detentions").delete(names[-1])
        write(client, [spell(client, f"detentions/d15-{len(sizes)}")])
    assert found == [("detention-status", name) for name in names]
    assert sizes == [700, 700, 700, 700, 200]
    assert len(revisions) == 1
    assert len([f for page in pages(client, page_size=1000) for f in page.findings]) == 2999


def test_a_past_revision_and_deleted_records(client: Client) -> None:
    write(client, [person(client, name="persons/a"), spell(client, "detentions/d")])
    odd = client.revision()
    client.of("detentions").delete("detentions/d")
    assert list(find(client).findings) == []
    past = find(client, at={"revision": odd})
    assert [f.locations[0].path for f in past.findings] == ["end_reason"]
    assert past.revision == odd
    refuses(INVALID, "REVISION_OUT_OF_RANGE", find, client, at={"revision": odd + 100})


def test_by_check_and_record(client: Client) -> None:
    write(
        client,
        [person(client, name="persons/a"), *(spell(client, f"detentions/{i}") for i in "de")],
    )
    client.of("persons").delete("persons/a", force=True)
    every = find(client)
    assert [f.check for f in every.findings] == ["detention-status"] * 2 + [
        "dangling-references"
    ] * 2
    (only,) = find(client, record="detentions/e", checks=["dangling-references"]).findings
    assert only.severity == 2
    assert only.description == "persons/a is deleted"
    assert [(spot.name, spot.path) for spot in only.locations] == [("detentions/e", "person")]
    assert list(find(client, record="persons/a").findings) == []


def test_what_is_wrong_with_a_request(client: Client) -> None:
    refuses_fields(
        ["checks[0]", "record", "page_size"],
        find,
        client,
        checks=["reference"],
        record="Nobody",
        page_size=-1,
    )
    refuses(INVALID, "INVALID_PAGE_TOKEN", find, client, page_token="x")


def test_a_deadline_ends_it(client: Client) -> None:
    write(client, [person(client, name="persons/a")])
    write(client, [spell(client, f"detentions/d{i:05}") for i in range(20_000)])
    with pytest.raises(Exception, match="DEADLINE_EXCEEDED") as failure:
        find(client, timeout=0.01, record="persons/none")
    assert failure.value.code() == Code.DEADLINE_EXCEEDED
    assert client.revision() == 21
