"""The server as a process: flags, one line when ready, other clients, signals, a second server."""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import detente
import grpc
import pytest
from google.protobuf import descriptor_pb2, empty_pb2, json_format, unknown_fields
from wire import contract
from wire.calls import Client, Code, failure_of
from wire.process import Server, run_to_end
from wire.records import World, new_id

DETENTE = contract.detente()


def grpcurl(*arguments: str) -> str:
    path = contract.SOURCE_DIR / ".tools/bin/grpcurl"
    done = subprocess.run(
        [path if path.exists() else "grpcurl", "-plaintext", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def source(**fields: str) -> object:
    return DETENTE.resource("sources").new(**fields)


# --- Flags --------------------------------------------------------------------------------------


def test_the_line_names_an_address_that_answers(tmp_path: pathlib.Path) -> None:
    for listen in ("localhost:0", "127.0.0.1:0", f"unix:{tmp_path}/socket"):
        with Server(tmp_path / "s.db", listen=listen) as server:
            host = listen.rpartition(":")[0]
            expected = listen if host == "unix" else re.escape(host) + ":[1-9][0-9]*"
            assert re.fullmatch(expected, server.address)
            with Client(DETENTE, server.address) as client:
                assert client.of("persons").list().revision == 0
            assert server.terminate() == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--nonsense"], "nonsense"),
        (["--threads=many"], "threads"),
        (["--drain=abc"], "drain"),
        (["--store=postgresql:x"], "sqlite:FILE expected"),
        (["--store=sqlite:"], "sqlite:FILE expected"),
        (["leftover"], "leftover"),
        (["--flagfile=/nonexistent/file"], "/nonexistent/file"),
    ],
)
def test_flags_that_are_none(flags: list[str], words: str) -> None:
    done = run_to_end(*flags, DETENTE_LISTEN="localhost:0", DETENTE_STORE="sqlite::memory:")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_variables_that_are_none() -> None:
    done = run_to_end(DETENTE_THREADS="many")
    assert done.returncode == 2
    assert "DETENTE_THREADS=many" in done.stderr


def test_help() -> None:
    done = run_to_end("--help")
    assert done.returncode == 0
    for flag in ("listen", "store", "read_only", "threads", "max_waiting_calls", "drain"):
        assert f"--{flag}" in done.stdout


def test_whether_it_serves(tmp_path: pathlib.Path) -> None:
    """--check_health, for the image's HEALTHCHECK."""
    with Server(tmp_path / "s.db") as server:
        done = run_to_end("--check_health", DETENTE_LISTEN=server.address)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        os.kill(server.pid, signal.SIGSTOP)
        started = time.monotonic()
        done = run_to_end("--check_health", f"--listen={server.address}")
        assert time.monotonic() - started < 5
        assert done.returncode == 1
        assert done.stderr == f"detente-server: {server.address}: Deadline Exceeded\n"
        os.kill(server.pid, signal.SIGCONT)
        assert server.terminate() == 0
    done = run_to_end("--check_health", f"--listen={server.address}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"detente-server: {server.address}: ")


def test_version() -> None:
    done = run_to_end("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"detente-server \d+\.\d+\S*\n", done.stdout)


def test_places_that_can_not_be_served(tmp_path: pathlib.Path) -> None:
    text = tmp_path / "text"
    text.write_text("no store\n" * 1000)
    for flags, words in (
        ([f"--store=sqlite:{tmp_path}/none/x.db"], "none/x.db"),
        ([f"--store=sqlite:{tmp_path}"], "not a file"),
        ([f"--store=sqlite:{text}"], "text"),
        ([f"--store=sqlite:{tmp_path}/none.db", "--read_only"], "no such store"),
        (["--store=sqlite::memory:", "--listen=nowhere"], "nowhere"),
    ):
        done = run_to_end(*flags, DETENTE_LISTEN="localhost:0")
        assert done.returncode == 1, flags
        last = done.stderr.splitlines()[-1]
        assert last.startswith("detente-server: ")
        assert words in last
    assert text.read_text() == "no store\n" * 1000


def test_an_address_that_is_taken(tmp_path: pathlib.Path) -> None:
    with Server(":memory:") as server:
        done = run_to_end(f"--listen={server.address}", "--store=sqlite::memory:")
        assert done.returncode == 1
        assert server.address in done.stderr


def test_variables_and_flag_files(tmp_path: pathlib.Path) -> None:
    """The command line wins over the file, the file over the variables."""
    stores = {name: tmp_path / f"{name}.db" for name in ("variable", "file", "line")}
    flags = tmp_path / "flags"
    flags.write_text(f"--listen=127.0.0.1:0\n--store=sqlite:{stores['file']}\n")
    variables = {
        "DETENTE_LISTEN": "localhost:0",
        "DETENTE_STORE": f"sqlite:{stores['variable']}",
        "DETENTE_DRAIN": "1s",
    }
    with Server(None, listen=None, **variables) as server:
        assert server.address.startswith("localhost:")
        assert stores["variable"].exists()
    with Server(None, f"--flagfile={flags}", listen=None, **variables) as server:
        assert server.address.startswith("127.0.0.1:")
        assert stores["file"].exists()
    assert not stores["line"].exists()
    with Server(None, f"--flagfile={flags}", f"--store=sqlite:{stores['line']}", listen=None):
        assert stores["line"].exists()


# --- Other clients ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(worlds: dict[str, World]) -> str:
    """The address of the shared server."""
    return worlds["detente-server"].client.address


def test_health(address: str) -> None:
    """Of the server, and of a service by name."""
    serving = b"\x08\x01"
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"") == serving
        for service in DETENTE.services:
            name = service.full_name.encode()
            assert check(b"\n" + bytes([len(name)]) + name) == serving
        with pytest.raises(grpc.RpcError) as raised:
            check(b"\n\x04none")
        assert raised.value.code() == Code.NOT_FOUND


def test_reflection(address: str) -> None:
    services = grpcurl(address, "list").split()
    expected = {s.full_name for s in DETENTE.services}
    assert expected <= set(services)
    assert set(services) - expected == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    described = grpcurl(address, "describe", "detente.v1.Release")
    assert ".detente.v1.Release.Participant participants = 29;" in described


def test_the_same_json_through_grpcurl(address: str, world: World) -> None:
    """grpcurl learns the contract from protoc's files, and from the server."""
    protoset = str(contract.BINARY_DIR / "detente.pb")
    for resource in DETENTE.resources:
        records = world.client.of(resource.collection)
        made = records.create(world.record(resource), new_id())
        method = f"{resource.service.full_name}/Get{resource.one}"
        get = ["-d", json.dumps({"name": made.name}), address, method]
        assert json.loads(grpcurl("-protoset", protoset, *get)) == json_format.MessageToDict(made)
        # gRPC's C++ reflection leaves the JSON names of fields out.
        snake = json_format.MessageToDict(made, preserving_proto_field_name=True)
        assert json.loads(grpcurl(*get)) == snake


def test_a_write_through_grpcurl(address: str, world: World) -> None:
    sent = {"source": {"title": "From grpcurl", "kind": "DIGEST"}, "sourceId": new_id("curl")}
    out = grpcurl("-d", json.dumps(sent), address, "detente.v1.SourceService/CreateSource")
    name = f"sources/{sent['sourceId']}"
    got = world.client.of("sources").get(name)
    assert json.loads(out) == json_format.MessageToDict(got, preserving_proto_field_name=True)
    assert got.title == "From grpcurl"


def test_an_error_through_grpcurl(address: str) -> None:
    with pytest.raises(AssertionError, match=r"NotFound[\s\S]*RECORD_NOT_FOUND"):
        grpcurl("-d", '{"name": "sources/none"}', address, "detente.v1.SourceService/GetSource")


def test_the_reflected_files_are_the_contract(address: str) -> None:
    """What reflection says of a message is what protoc says, comments apart."""
    symbol = b"detente.v1.ReleaseService"
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        )
        (answer,) = call(iter([b"\x22" + bytes([len(symbol)]) + symbol]))
    reflected = {}
    for response in fields_of(answer, 4):
        for data in fields_of(response, 1):
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            reflected[file.name] = file
    for name in ("detente/v1/release_service.proto", "detente/v1/release.proto"):
        # Read now, as the answer was: options that were unknown when a file was first read stay so.
        data = next(f for f in DETENTE.files.file if f.name == name).SerializeToString()
        plain = descriptor_pb2.FileDescriptorProto.FromString(data)
        plain.ClearField("source_code_info")
        clear_json_names(plain.message_type)
        clear_json_names(reflected[name].message_type)
        assert reflected[name] == plain


def fields_of(data: bytes, number: int) -> list[bytes]:
    """The values of one field of a message whose type is not at hand."""
    fields = unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(data))
    return [f.data for f in fields if f.field_number == number]


def clear_json_names(messages: object) -> None:
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        clear_json_names(message.nested_type)


# --- Signals and locks --------------------------------------------------------------------------


def test_a_second_server_is_refused_in_words(tmp_path: pathlib.Path) -> None:
    store = tmp_path / "s.db"
    with Server(store) as server:
        done = run_to_end(f"--store=sqlite:{store}", "--listen=localhost:0")
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert f"process {server.pid}" in line
        assert str(store) in line
        # Beside it, for reading.
        with (
            Server(store, "--read_only") as reader,
            Client(DETENTE, server.address) as writing,
            Client(DETENTE, reader.address) as reading,
        ):
            made = writing.of("sources").create(source(title="t"))
            assert reading.of("sources").get(made.name) == made
            assert list(reading.of("sources").list().sources) == [made]
            with pytest.raises(grpc.RpcError) as raised:
                reading.of("sources").delete(made.name)
            failure = failure_of(raised.value)
            assert (failure.code, failure.reason) == (
                Code.FAILED_PRECONDITION,
                "STORE_READ_ONLY",
            )
            made = writing.of("sources").update(source(name=made.name, title="u"))
            assert reading.of("sources").get(made.name) == made
        server.kill()
    with Server(store):  # the lock of a killed process holds nobody up
        pass


@pytest.mark.parametrize("signal_number", [15, 2])
def test_a_signal_under_load_drains(tmp_path: pathlib.Path, signal_number: int) -> None:
    """By grpcio and by the SDK: no acknowledged write is lost, what was not acknowledged was
    refused, and commits are there whole.
    """
    store = tmp_path / "s.db"
    batch = 5
    singles: list[int] = []  # revisions that were acknowledged
    batches: list[int] = []
    codes: set[str] = set()
    reads = [0, 0]
    with Server(store) as server, contextlib.ExitStack() as opened:

        def until_refused(work: Callable[[], None]) -> None:
            while True:
                try:
                    work()
                except grpc.RpcError as error:
                    codes.add(error.code().name)
                    return
                except detente.Error as error:
                    codes.add(error.code.name)
                    return

        def grpcio() -> list[Callable[[], None]]:
            client = opened.enter_context(Client(DETENTE, server.address))
            sources = client.of("sources")
            operations = [{"create": {"record": source(title="of a batch")}}] * batch

            def read() -> None:
                assert sources.list(page_size=50).revision >= 0
                reads[0] += 1

            return [
                lambda: singles.append(sources.create(source(title="t")).revision),
                lambda: batches.append(client.batch_write(*operations).revision),
                read,
            ]

        def sdk() -> list[Callable[[], None]]:
            db = opened.enter_context(detente.connect(server.address))

            def read() -> None:
                db.sources.list().limit(50).to_arrow()
                reads[1] += 1

            def write() -> None:
                singles.append(db.sources.create(detente.Source(title="t")).revision)

            return [write, write, read]

        grpcio()[0]()  # frames of an empty store are another matter
        work = [w for kind in (grpcio, grpcio, grpcio, sdk, sdk) for w in kind()]
        threads = [threading.Thread(target=until_refused, args=[w]) for w in work]
        for thread in threads:
            thread.start()
        while len(singles) < 100 or len(batches) < 20 or min(reads) < 10:
            assert server.alive()
            time.sleep(0.01)
        signalled = time.monotonic()
        os.kill(server.pid, signal_number)
        assert server.process.wait(20) == 0
        assert time.monotonic() - signalled < 10
        for thread in threads:
            thread.join()
        assert server.log() == ""
    assert codes <= {"UNAVAILABLE", "CANCELLED"}
    assert sorted(singles + batches) == list(range(1, len(singles) + len(batches) + 1))
    with Server(store) as server, Client(DETENTE, server.address) as client:
        found = client.of("sources").pages(page_size=1000)
        sizes = collections.Counter(record.revision for record in found)
        assert sizes == dict.fromkeys(singles, 1) | dict.fromkeys(batches, batch)
        assert server.terminate() == 0


def test_a_full_queue_answers_at_once(tmp_path: pathlib.Path) -> None:
    with (
        Server(tmp_path / "s.db", "--threads=1", "--max_waiting_calls=1") as server,
        Client(DETENTE, server.address) as client,
    ):
        sources = client.of("sources")
        batch = [{"create": {"record": source(title="t" * 1000)}} for _ in range(1000)]
        client.batch_write(*batch)
        call = client.raw(sources.method("list"))
        request = sources.request("list", page_size=1000).SerializeToString()
        started = time.monotonic()
        calls = [call.future(request, timeout=30) for _ in range(100)]
        refused, served = [], 0
        for pending in calls:
            try:
                pending.result()
                served += 1
            except grpc.RpcError as error:
                refused.append((failure_of(error), time.monotonic() - started))
        assert served >= 1
        assert len(refused) >= 10
        for failure, seconds in refused:
            assert (failure.code, failure.reason) == (Code.RESOURCE_EXHAUSTED, "QUEUE_FULL")
            assert 0 < failure.retry_seconds <= 10
            assert seconds < 5
        # And then it serves again.
        assert len(client.of("sources").list(page_size=1000).sources) == 1000
        assert server.terminate() == 0


def test_a_deadline_that_passes(tmp_path: pathlib.Path) -> None:
    """A write whose caller's time is up before its turn is not applied."""
    with (
        Server(tmp_path / "s.db", "--threads=1") as server,
        Client(DETENTE, server.address) as client,
    ):
        sources = client.of("sources")
        batch = [{"create": {"record": source(title="t" * 1000)}} for _ in range(1000)]
        client.batch_write(*batch)
        listing = client.raw(sources.method("list"))
        request = sources.request("list", page_size=1000).SerializeToString()
        busy = [listing.future(request, timeout=30) for _ in range(50)]
        late = client.raw(sources.method("create"))
        created = sources.request("create", source=source(title="late"), source_id="late")
        with pytest.raises(grpc.RpcError) as raised:
            late(created.SerializeToString(), timeout=0.01)
        assert raised.value.code() == Code.DEADLINE_EXCEEDED
        for pending in busy:
            pending.result()
        with pytest.raises(grpc.RpcError) as raised:
            sources.get("sources/late")
        assert raised.value.code() == Code.NOT_FOUND
        assert server.terminate() == 0
