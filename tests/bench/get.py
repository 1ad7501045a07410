"""Get of one record over loopback, beside a bare server that answers the same bytes."""

import dataclasses
import pathlib
import shutil
import tempfile

import grpc
import made_up
from detente.v1 import release_pb2, release_service_pb2
from h2load import frame, load
from report import Result, Row, check
from servers import BUILD, Server, serve

CALLS = 60_000  # in a round, of each server
CONNECTIONS = 4
STREAMS = 16  # calls in flight on a connection
RECORDS = 1_000
NUMBER = 500  # of the record that is asked for
ECHO = "/bench.Echo/Get"
GET = "/detente.v1.ReleaseService/GetRelease"


@dataclasses.dataclass
class Round:
    cpu_us: float  # of the server, a call
    calls_s: float


def answer(server: Server, path: str, request: bytes) -> bytes:
    """The bytes that a client other than the load generator gets."""
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(path, lambda b: b, lambda b: b)
        result: bytes = call(request, timeout=10)
        return result


def measure_calls(server: Server, path: str, body: pathlib.Path, size: int, calls: int) -> Round:
    """The bytes that came tell whether they were answers of that size."""
    before = server.cpu_seconds()
    done = load(f"http://{server.address}{path}", calls, CONNECTIONS, STREAMS, body)
    cpu = server.cpu_seconds() - before
    grpc_frame = 5  # before every message
    check(
        done.data_bytes == calls * (grpc_frame + size),
        f"{server.address}{path}: {done.data_bytes} bytes, not {calls} answers of {size}",
    )
    return Round(cpu * 1e6 / calls, done.calls_s)


def run(rounds: int) -> Result:
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as folder:
        return measure(pathlib.Path(folder), rounds)


def measure(folder: pathlib.Path, rounds: int) -> Result:
    message = release_service_pb2.GetReleaseRequest(name=f"releases/r-{NUMBER}")
    body = frame(folder / "request", message)
    request = message.SerializeToString()
    made_up.fill(folder / "cached.db", RECORDS)
    shutil.copy(folder / "cached.db", folder / "past.db")
    with (
        serve("detente-server", f"--store=sqlite:{folder}/cached.db") as cached,
        serve("detente-server", f"--store=sqlite:{folder}/past.db", "--head_cache_mb=0") as past,
    ):
        expected = answer(cached, GET, request)
        stored = release_pb2.Release.FromString(expected)
        check(made_up.check_equal(stored, NUMBER), "the record is not the one that was written")
        (folder / "answer").write_bytes(expected)
        with serve("bench-echo-server", f"--answer={folder}/answer") as echo:
            paths = {echo: ECHO, cached: GET, past: GET}
            for server, path in paths.items():
                check(answer(server, path, request) == expected, f"{path}: other bytes")
            measured: dict[Server, list[Round]] = {server: [] for server in paths}
            for round_ in range(rounds + 1):
                for server, path in paths.items():
                    calls = CALLS if round_ else CALLS // 5
                    one = measure_calls(server, path, body, len(expected), calls)
                    if round_:  # the first warms up
                        measured[server].append(one)
            for server, path in paths.items():
                check(answer(server, path, request) == expected, f"{path}: other bytes at the end")

    def cpu(server: Server) -> list[float]:
        return [one.cpu_us for one in measured[server]]

    def speed(server: Server) -> list[float]:
        return [one.calls_s for one in measured[server]]

    return Result(
        "get",
        f"Get of a record of {len(expected)} bytes, request of {len(request)}; {rounds} rounds of "
        f"{CALLS:,} calls, {CONNECTIONS} connections x {STREAMS} calls in flight by h2load",
        [
            Row("bare echo: server CPU a call", "us", cpu(echo)),
            Row("head cache: server CPU a call", "us", cpu(cached), cpu(echo), 1.25),
            Row("past the cache: server CPU a call", "us", cpu(past), cpu(echo), 2.5),
            Row("bare echo: calls", "/s", speed(echo)),
            Row("head cache: calls", "/s", speed(cached), speed(echo), 0.8, at_most=False),
            Row("past the cache: calls", "/s", speed(past), speed(echo), 0.4, at_most=False),
        ],
    )
