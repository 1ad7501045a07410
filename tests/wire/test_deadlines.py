"""Queries that would run for long end at their deadline: in the server too, which serves others."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from wire import contract
from wire.calls import Client, Code, fill
from wire.process import Server

RECORDS = 300
CALLS = 4
DEADLINE = 0.3
# 60 looks through all letters of each record: many seconds for all of them.
NEVER = " OR ".join(f'note = "*{"a" * 100}b{number}*"' for number in range(60))
NOTE = "a" * 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("store") / "store.db") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(contract.detente(), server.address) as client:
        made = client.contract.new("detente.v1.Person", display_name="Test Person 1")
        client.of("persons").create(made, "p1")
        for start in range(0, RECORDS, 50):
            client.batch_write(
                *(
                    {"create": {"record": detention(client, i), "record_id": f"d{i}"}}
                    for i in range(start, start + 50)
                )
            )
        yield client


def detention(client: Client, number: int) -> Any:
    name = f"Test detention {number}"
    made = client.contract.new("detente.v1.Detention", display_name=name, note=NOTE)
    made.person, made.region_code = "persons/p1", "XA"
    made.start_date.edtf = "2020"
    return made


def search(client: Client) -> Any:
    return ask(client, "SearchRecords", query="test", collections=["detentions"], filter=NEVER)


def aggregate(client: Client) -> Any:
    return ask(client, "AggregateRecords", collection="detentions", filter=NEVER)


def stock(client: Client) -> Any:
    return ask(
        client,
        "ComputeStock",
        collection="detentions",
        filter=NEVER,
        first_day={"year": 2020, "month": 1, "day": 1},
        last_day={"year": 2020, "month": 12, "day": 31},
        step=2,
    )


def ask(client: Client, name: str, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.QueryService")
    method = service.methods_by_name[name]
    request = client.contract.new(method.input_type.full_name)
    if name == "AggregateRecords":
        request.measures.add(kind=1)
    return client.call(method, fill(request, arguments), DEADLINE)


def processor_time(server: Server) -> float:
    """Seconds that the server's process has computed."""
    with open(f"/proc/{server.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def when_idle(server: Server) -> float:
    """Its processor time when it computes no more."""
    while True:
        computed = processor_time(server)
        time.sleep(1)
        if processor_time(server) - computed < 0.05:
            return computed


@pytest.mark.parametrize("query", [search, aggregate, stock])
def test_others_are_served_meanwhile(
    server: Server, client: Client, query: Callable[[Client], Any]
) -> None:
    def end(_: int) -> Code:
        with pytest.raises(grpc.RpcError) as failure:
            query(client)
        return failure.value.code()

    with ThreadPoolExecutor(CALLS) as pool:
        before, begun = processor_time(server), time.monotonic()
        ending = pool.map(end, range(CALLS))
        client.of("detentions").get("detentions/d7", read_mask=["name"])
        waited = time.monotonic() - begun
        assert list(ending) == [Code.DEADLINE_EXCEEDED] * CALLS
    assert waited < DEADLINE + 1
    # A call takes seconds to its end, so that those that went on would compute for longer.
    assert 0 < when_idle(server) - before < CALLS * DEADLINE + 2
