"""Servers that several test files share, each with a store of its own."""

from collections.abc import Iterator

import pytest
from wire import contract
from wire.calls import Client, Collection
from wire.process import Server
from wire.records import World

# Every resource of the contract on the real server, and the tests' own on a server that has it.
RESOURCES = [("detente-server", r) for r in contract.detente().resources] + [
    ("detente-server-specimen", contract.specimen().resource("specimens"))
]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    yield from running(tmp_path_factory)


def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """Both servers, with empty stores."""
    contracts = {
        "detente-server": contract.detente(),
        "detente-server-specimen": contract.specimen(),
    }
    servers, made = [], {}
    for binary, its_contract in contracts.items():
        server = Server(tmp_path_factory.mktemp("store") / "store.db", binary=binary)
        servers.append(server)
        made[binary] = World(Client(its_contract, server.address))
    yield made
    for world in made.values():
        world.client.close()
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def world(worlds: dict[str, World]) -> World:
    return worlds["detente-server"]


@pytest.fixture(scope="session")
def client(world: World) -> Client:
    return world.client


@pytest.fixture(params=RESOURCES, ids=lambda p: p[1].collection)
def of_resource(request: pytest.FixtureRequest, worlds: dict[str, World]) -> tuple:
    binary, resource = request.param
    world = worlds[binary]
    return world, Collection(world.client, resource)


@pytest.fixture
def its_world(of_resource: tuple) -> World:
    return of_resource[0]


@pytest.fixture
def records(of_resource: tuple) -> Collection:
    """The collection that a test is run for: each resource in turn."""
    return of_resource[1]
