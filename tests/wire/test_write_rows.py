"""WriteRows as a foreign client sees it: grpcio, and Arrow as pyarrow writes it."""

import itertools
import pathlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.protobuf import message_factory
from wire import contract
from wire.calls import INVALID, Client, Code, failure_of
from wire.process import Server
from wire.records import new_id

DETENTE = contract.detente()
METHOD = DETENTE.pool.FindServiceByName("detente.v1.RowService").methods_by_name["WriteRows"]
PATH = "/detente.v1.RowService/WriteRows"
Response = message_factory.GetMessageClass(METHOD.output_type)


def start(**fields: Any) -> bytes:
    given = {"collection": "persons", "write_id": new_id("write")} | fields
    return DETENTE.new("detente.v1.WriteRowsRequest", start=given).SerializeToString()


def batch(number: int, rows: dict[str, Any] | bytes) -> bytes:
    content = rows
    if not isinstance(rows, bytes):
        sink = pa.BufferOutputStream()
        table = pa.table(rows)
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        content = sink.getvalue().to_pybytes()
    given = {"number": number, "arrow_stream": content}
    return DETENTE.new("detente.v1.WriteRowsRequest", batch=given).SerializeToString()


def people(number: int, count: int = 10) -> dict[str, Any]:
    return {"display_name": [f"Test Person {number}-{n}" for n in range(count)]}


def open_stream(client: Client, messages: Any, timeout: float = 60) -> Any:
    return client.channel.stream_stream(PATH)(iter(messages), timeout=timeout)


def answers(client: Client, *messages: bytes) -> list[Any]:
    return [Response.FromString(answer) for answer in open_stream(client, messages)]


def fails(client: Client, *messages: bytes) -> tuple[int, Any]:
    """How many batches were answered, and how the stream then failed."""
    count = 0
    try:
        for _ in open_stream(client, messages):
            count += 1
    except grpc.RpcError as error:
        return count, failure_of(error)
    raise AssertionError(f"{count} answers, and no failure")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with (
        Server(tmp_path_factory.mktemp("rows") / "s.db") as server,
        Client(DETENTE, server.address) as made,
    ):
        yield made


def test_one_answer_for_each_batch(client: Client) -> None:
    ids = [new_id("p") for _ in range(3)]
    before = client.revision()
    found = answers(
        client,
        start(reason="a list"),
        batch(0, {"id": ids, "note": ["a", "b", "c"]}),
        batch(1, {"id": ids, "note": ["a", "B", "c"]}),
        batch(2, {"id": ids, "note": ["a", "B", "c"]}),
    )
    counts = [(a.number, a.created_count, a.updated_count, a.unchanged_count) for a in found]
    assert counts == [(0, 3, 0, 0), (1, 0, 1, 2), (2, 0, 0, 3)]
    assert [a.revision for a in found] == [before + 1, before + 2, before + 2]
    assert client.of("persons").get(f"persons/{ids[1]}").note == "B"


def test_a_batch_with_a_wrong_row_is_not_written_and_the_stream_goes_on(client: Client) -> None:
    a, b, c = (new_id("p") for _ in range(3))
    found = answers(
        client,
        start(),
        batch(0, {"id": [a, b], "gender": ["FEMALE", "FEMAL"], "birth_date": ["1962", "never"]}),
        batch(1, {"id": [c]}),
    )
    assert [(x.revision == 0, x.created_count, x.error_row_count) for x in found] == [
        (True, 0, 1),
        (False, 1, 0),
    ]
    (error,) = found[0].errors
    assert (error.row, error.field) == (1, "gender")
    assert "did you mean `FEMALE`" in error.description
    answer = client.of("persons").list(filter=f'name = "persons/{a}"')
    assert not answer.persons


def test_names_that_the_server_gave_are_told(client: Client) -> None:
    """Of rows without one alone, and the same ones where a batch is sent again."""
    given = new_id("p")
    rows = {"id": [None, given, ""], "display_name": ["Test Person 1", None, "Test Person 3"]}
    begin = start()
    (answer,) = answers(client, begin, batch(0, rows))
    assert answer.created_count == 3
    first, third = answer.assigned_names
    people = client.of("persons")
    assert people.get(first).display_name == "Test Person 1"
    assert people.get(third).display_name == "Test Person 3"
    (again,) = answers(client, begin, batch(0, rows))
    assert again == answer
    (checked,) = answers(client, start(validate_only=True), batch(0, rows))
    assert (checked.created_count, list(checked.assigned_names)) == (2, [])
    (named,) = answers(client, start(), batch(0, {"name": [first, third]}))
    assert (named.unchanged_count, list(named.assigned_names)) == (2, [])
    (wrong,) = answers(client, start(), batch(0, rows | {"gender": ["FEMAL", None, None]}))
    assert (wrong.error_row_count, list(wrong.assigned_names)) == (1, [])


def test_at_most_five_errors_of_a_row(client: Client) -> None:
    names = pa.array([[{"id": f"B {n}"} for n in range(9)], [{"full": "A. B."}]])
    (answer,) = answers(client, start(), batch(0, {"id": ["A b", new_id()], "names": names}))
    assert [error.row for error in answer.errors] in ([0], [0] * 5)
    assert answer.error_row_count == 1
    ids = [new_id(), new_id()]
    (answer,) = answers(client, start(), batch(0, {"id": ids, "names": names}))
    assert [error.row for error in answer.errors] == [0] * 5


def test_batches_may_begin_anywhere_but_leave_none_out(client: Client) -> None:
    assert [a.number for a in answers(client, start(), batch(7, people(7)), batch(8, people(8)))]
    for numbers in ([0, 2], [0, 0], [1, 0]):
        count, failure = fails(client, start(), *(batch(n, people(n)) for n in numbers))
        assert (count, failure.code, failure.fields) == (1, INVALID, ["batch.number"])
    count, failure = fails(client, start(), batch(-1, people(0)))
    assert (count, failure.fields) == (0, ["batch.number"])


@pytest.mark.parametrize(
    ("messages", "fields"),
    [
        ([b""], ["start"]),
        ([batch(0, people(0))], ["start"]),
        ([start(write_id="")], ["start.write_id"]),
        ([start(write_id="x" * 45)], ["start.write_id"]),
        ([start(collection="people", write_id="")], ["start.collection", "start.write_id"]),
        ([start(reason="x" * 5_000)], ["reason"]),
        ([start(), start()], ["batch"]),
        ([start(), b""], ["batch"]),
        ([start(), batch(0, b"")], ["batch.arrow_stream"]),
        ([start(), batch(0, b"not Arrow")], ["batch.arrow_stream"]),
        ([start(), batch(0, {"nota": ["a"]})], ["batch.arrow_stream"]),
        ([start(columns=["nota"]), batch(0, {"note": ["a"]})], ["batch.arrow_stream"]),
    ],
)
def test_what_can_not_be(client: Client, messages: list[bytes], fields: list[str]) -> None:
    count, failure = fails(client, *messages)
    assert (count, failure.code) == (0, INVALID)
    assert sorted(failure.fields) == fields


def test_bytes_that_are_no_message(client: Client) -> None:
    for messages in ([b"\xff\xff"], [start(), b"\xff\xff"]):
        count, failure = fails(client, *messages)
        assert (count, failure.reason) == (0, "MALFORMED_REQUEST")


def test_what_is_too_large(client: Client) -> None:
    count, failure = fails(client, start(), batch(0, people(0, 1_001)))
    assert (count, failure.reason) == (0, "LIMIT_EXCEEDED")
    notes = {"note": ["x" * 60_000] * 72}
    count, failure = fails(client, start(), batch(0, notes))
    assert (count, failure.reason) == (0, "LIMIT_EXCEEDED")
    assert "4194304" in failure.message
    with pytest.raises(grpc.RpcError) as raised:
        list(open_stream(client, [start(), batch(0, {"note": ["x" * 60_000] * 100})]))
    assert raised.value.code() == Code.RESOURCE_EXHAUSTED


def test_a_stream_without_batches(client: Client) -> None:
    assert answers(client, start()) == []


def test_a_batch_again_is_answered_as_the_first_time(client: Client) -> None:
    write_id = new_id("again")
    ids = [new_id("p") for _ in range(4)]
    client.of("persons").create(DETENTE.new("detente.v1.Person", note="kept"), ids[0])
    client.of("persons").create(DETENTE.new("detente.v1.Person", display_name="x"), ids[1])
    rows = {"id": ids, "note": ["kept", "changed", "new", "new"]}
    (first,) = answers(client, start(write_id=write_id), batch(3, rows))
    assert (first.created_count, first.updated_count, first.unchanged_count) == (2, 1, 1)
    client.of("persons").delete(f"persons/{ids[2]}")
    (again,) = answers(client, start(write_id=write_id), batch(3, rows))
    assert again == first
    rows["note"][3] = "other"
    count, failure = fails(client, start(write_id=write_id), batch(3, rows))
    assert (count, failure.reason) == (0, "REQUEST_ID_REUSED")


def test_two_batches_are_in_hand_at_most(client: Client) -> None:
    """A client that reads no answers is held up."""
    sent = itertools.count()
    latest = [0]

    def endless() -> Iterator[bytes]:
        yield start()
        for number in sent:
            latest[0] = number
            yield batch(number, {"note": ["x" * 3_000] * 1_000})

    call = open_stream(client, endless())
    time.sleep(2)
    # Answers are small: some go into the buffers of the connection. The client itself prepares one
    # message, and HTTP/2 holds some; what the server takes is bounded by what it can answer.
    held = latest[0]
    time.sleep(1)
    assert latest[0] - held < 400
    call.cancel()
    assert client.revision() > 0


def test_a_slow_reader_gets_every_answer_in_order(client: Client) -> None:
    found = []
    for answer in open_stream(client, [start(), *(batch(n, people(n, 100)) for n in range(12))]):
        time.sleep(0.05)
        found.append(Response.FromString(answer).number)
    assert found == list(range(12))


def test_a_cancelled_stream_leaves_whole_batches(client: Client) -> None:
    mark = new_id("cancelled")
    messages: queue.Queue[bytes | None] = queue.Queue()
    messages.put(start())
    for number in range(8):
        messages.put(batch(number, {"note": [mark] * 50}))
    call = client.channel.stream_stream(PATH)(iter(messages.get, None), timeout=60)
    next(call)
    call.cancel()
    messages.put(None)
    time.sleep(0.5)
    size = client.of("persons").list(filter=f'note = "{mark}"', return_total_size=True).total_size
    assert size >= 50
    assert size % 50 == 0


def test_many_streams_beside_each_other(client: Client) -> None:
    mark = new_id("beside")

    def write(results: list[int]) -> None:
        messages = [start(), *(batch(n, {"note": [mark] * 100}) for n in range(5))]
        results += [a.created_count for a in answers(client, *messages)]

    results: list[int] = []
    threads = [threading.Thread(target=write, args=(results,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 3_000
    size = client.of("persons").list(filter=f'note = "{mark}"', return_total_size=True).total_size
    assert size == 3_000


def test_a_killed_server(tmp_path: pathlib.Path) -> None:
    """What was answered is there; the rest goes on under the same write_id, nothing twice."""
    store = tmp_path / "s.db"
    batches = [batch(n, people(n, 200)) for n in range(20)]
    with Server(store) as server, Client(DETENTE, server.address) as client:
        call = open_stream(client, [start(write_id="list"), *batches])
        answered = 5
        for _ in range(answered):
            next(call)
        server.process.kill()
        try:
            for _ in call:
                answered += 1
        except grpc.RpcError as error:
            assert error.code() == Code.UNAVAILABLE  # noqa: PT017
        assert answered < len(batches)
        address = server.address
    with Server(store, listen=address) as server, Client(DETENTE, server.address) as client:
        kept = client.of("persons").list(page_size=1, return_total_size=True).total_size
        assert kept >= answered * 200
        assert kept % 200 == 0
        rest = answers(client, start(write_id="list"), *batches[answered:])
        assert [a.created_count for a in rest] == [200] * (20 - answered)
        assert client.of("persons").list(page_size=1, return_total_size=True).total_size == 4_000


def test_a_server_that_drains_ends_the_stream_so_that_it_can_go_on(tmp_path: pathlib.Path) -> None:
    messages: queue.Queue[bytes | None] = queue.Queue()
    with Server(tmp_path / "s.db") as server, Client(DETENTE, server.address) as client:
        messages.put(start())
        messages.put(batch(0, people(0)))
        call = client.channel.stream_stream(PATH)(iter(messages.get, None), timeout=60)
        assert Response.FromString(next(call)).created_count == 10
        ending = threading.Thread(target=server.terminate)
        ending.start()
        time.sleep(0.5)
        messages.put(batch(1, people(1)))
        # A batch that is on its way may be answered yet.
        with pytest.raises(grpc.RpcError) as raised:
            list(call)
        assert raised.value.code() == Code.UNAVAILABLE
        messages.put(None)
        ending.join()
