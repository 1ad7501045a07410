"""QueryService.FindNeighbors, over the wire: what stands around the founding case's records."""

import pathlib
from collections.abc import Iterator
from typing import Any

import detente
import pytest
from detente import loading
from wire import contract
from wire.calls import Client, Code, fill, refuses, refuses_fields
from wire.process import Server

SAMPLES = pathlib.Path(__file__).parents[2] / "samples" / "belarus-2025"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Server(tmp_path_factory.mktemp("store") / "store.db") as server:
        with detente.connect(server.address) as db:
            loading.load(db, [SAMPLES])
        with Client(contract.detente(), server.address) as client:
            yield client


def ask(client: Client, method: str, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.QueryService")
    descriptor = service.methods_by_name[method]
    request = fill(client.contract.new(descriptor.input_type.full_name), arguments)
    return client.call(descriptor, request)


def neighbors(client: Client, name: str, **arguments: Any) -> Any:
    return ask(client, "FindNeighbors", name=name, **arguments)


def names(found: Any) -> set[str]:
    return {node.name for node in found.nodes}


def test_the_whole_exchange_behind_a_release_in_one_call(client: Client) -> None:
    found = neighbors(client, "releases/by-2025-12-13", depth=2, max_records=1000)
    assert not found.truncated
    assert found.nodes[0].name == "releases/by-2025-12-13"
    assert found.nodes[0].display_name
    assert not any(node.missing for node in found.nodes)
    edges = {(edge.source, edge.path, edge.target) for edge in found.edges}
    exchange = next(
        source
        for source, path, target in edges
        if source.startswith("exchanges/")
        and target == "releases/by-2025-12-13"
        and path.endswith('.gives["release"].release')
    )
    # What was given in return, the talks, and who claims that the two are linked.
    given = {(path, target) for source, path, target in edges if source == exchange}
    assert ("negotiation", "negotiations/minsk-2025-12") in given
    assert any(target == "measures/us-belarus" for _, target in given)
    claimant = 'link_claims["minsk"].claimant.organization'
    assert (claimant, "organizations/belarus-press-service") in given
    assert ("releases/by-2025-12-13", "negotiation", "negotiations/minsk-2025-12") in edges
    assert "sources/s1" not in names(found)
    assert not any(node.name.startswith("sources/") for node in found.nodes)
    # Elements are no records, and each edge is between two nodes.
    assert not any(path.endswith(("instrument_id", "term_id")) for _, path, _ in edges)
    assert {end for source, _, target in edges for end in (source, target)} <= names(found)


def test_order_collections_and_sources(client: Client) -> None:
    found = neighbors(client, "releases/by-2025-12-13", depth=2)
    order = [(node.distance, node.name) for node in found.nodes]
    assert order == sorted(order)
    edges = [(edge.source, edge.path, edge.target) for edge in found.edges]
    assert edges == sorted(set(edges))
    assert found.truncated
    assert len(found.nodes) == 101
    persons = neighbors(client, "releases/by-2025-12-13", collections=["persons"])
    assert {name.split("/")[0] for name in names(persons)} == {"releases", "persons"}
    cited = neighbors(client, "releases/by-2025-12-13", collections=["sources"], direction=1)
    assert len(cited.nodes) > 1
    assert all(edge.path.startswith("citations[") for edge in cited.edges)


def test_as_of_before_a_record_was_deleted(client: Client) -> None:
    then = client.revision()
    before = neighbors(client, "releases/by-2025-12-13", max_records=1000)
    exchanges = [name for name in names(before) if name.startswith("exchanges/")]
    assert exchanges
    for name in exchanges:
        client.of("exchanges").delete(name, force=True)
    after = neighbors(client, "releases/by-2025-12-13", max_records=1000)
    assert names(before) - names(after) == set(exchanges)
    past = neighbors(client, "releases/by-2025-12-13", max_records=1000, at={"revision": then})
    assert past == before
    for name in exchanges:
        client.of("exchanges").undelete(name)
    assert names(neighbors(client, "releases/by-2025-12-13", max_records=1000)) == names(before)


def test_what_is_wrong_with_a_request(client: Client) -> None:
    refuses_fields(
        ["name", "depth", "max_records", "collections[0]"],
        neighbors,
        client,
        "Nobody",
        depth=4,
        max_records=-1,
        collections=["release"],
    )
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", neighbors, client, "persons/no-such-person")
