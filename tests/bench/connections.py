"""Many idle connections beside busy ones: memory, threads, and how long the calls take."""

import contextlib
import pathlib
import resource
import socket
import statistics
import struct
import tempfile
from collections.abc import Iterator

import made_up
from detente.v1 import release_service_pb2
from get import answer
from h2load import frame, load
from report import Result, Row, check
from servers import BUILD, Server, serve

IDLE = 5_000
BUSY = 200
CALLS = 20_000  # in a round, of each kind
RECORDS = 1_000

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ACK = 4, 6, 7, 1


def http2_frame(kind: int, flags: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, 0) + payload


class Idle:
    """A connection as gRPC's clients have it: greeted, and then nothing."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.sendall(PREFACE + http2_frame(SETTINGS))
        self.file = self.socket.makefile("rb")
        self.wait_for(SETTINGS, 0)
        self.socket.sendall(http2_frame(SETTINGS, ACK))

    def wait_for(self, kind: int, flags: int) -> None:
        """The next frame of a kind."""
        while True:
            head = self.file.read(9)
            check(len(head) == 9, "the server closed an idle connection")
            got, its_flags = head[3], head[4]
            self.file.read(int.from_bytes(head[:3], "big"))
            check(got != GOAWAY, "the server sent an idle connection away")
            if (got, its_flags) == (kind, flags):
                return

    def ping(self) -> None:
        self.socket.sendall(http2_frame(PING, 0, b"detente?"))
        self.wait_for(PING, ACK)

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextlib.contextmanager
def idle_connections(server: Server, count: int) -> Iterator[list[Idle]]:
    host, _, port = server.address.rpartition(":")
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(count):
            connections.append(Idle((host, int(port))))
            stack.callback(connections[-1].close)
        yield connections


def status(server: Server, key: str) -> int:
    """Of /proc/PID/status: Threads, or VmRSS in kB."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise KeyError(key)


def raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    check(hard > IDLE + 500, f"{IDLE} connections need as many files; the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(rounds: int) -> Result:
    raise_file_limit()
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as folder:
        return measure(pathlib.Path(folder), rounds)


def measure(folder: pathlib.Path, rounds: int) -> Result:
    service = "/detente.v1.ReleaseService/"
    requests = {
        "GetRelease": release_service_pb2.GetReleaseRequest(name="releases/r-500"),
        "ListReleases": release_service_pb2.ListReleasesRequest(page_size=10),
    }
    bodies = {name: frame(folder / name, request) for name, request in requests.items()}
    made_up.fill(folder / "store.db", RECORDS)
    with serve("detente-server", f"--store=sqlite:{folder}/store.db") as server:
        sizes = {
            name: len(answer(server, service + name, request.SerializeToString()))
            for name, request in requests.items()
        }

        def busy(name: str) -> list[float]:
            """The milliseconds of each call, in order."""
            log = folder / "log"
            url = f"http://{server.address}{service}{name}"
            done = load(url, CALLS, BUSY, 1, bodies[name], log)
            check(done.data_bytes == CALLS * (5 + sizes[name]), f"{name}: other bytes")
            times = sorted(int(line.split()[2]) / 1000 for line in log.read_text().splitlines())
            check(len(times) == CALLS, f"{len(times)} of {CALLS} calls in h2load's log")
            return times

        for name in requests:
            busy(name)  # warms up
        alone = {name: [busy(name) for _ in range(rounds)] for name in requests}
        before = {key: status(server, key) for key in ("VmRSS", "Threads")}
        with idle_connections(server, IDLE) as connections:
            with_idle = {key: status(server, key) for key in before}
            beside = {name: [busy(name) for _ in range(rounds)] for name in requests}
            with_both = {key: status(server, key) for key in before}
            for connection in connections:
                connection.ping()  # none was dropped

    def percentile(rounds_: list[list[float]], part: float) -> list[float]:
        return [times[int(len(times) * part)] for times in rounds_]

    rows = [
        Row("memory, before", "MB", [before["VmRSS"] / 1000]),
        Row(f"memory, {IDLE:,} idle", "MB", [with_idle["VmRSS"] / 1000]),
        Row("an idle connection", "kB", [(with_idle["VmRSS"] - before["VmRSS"]) / IDLE]),
        Row(f"memory, {IDLE:,} idle and {BUSY} busy", "MB", [with_both["VmRSS"] / 1000]),
        Row("threads, before", "", [before["Threads"]]),
        Row(f"threads, {IDLE:,} idle and {BUSY} busy", "", [with_both["Threads"]]),
    ]
    for name in requests:
        for label, part in (("p50", 0.5), ("p99", 0.99)):
            baseline = percentile(alone[name], part)
            rows.append(Row(f"{name}, {BUSY} busy alone, {label}", "ms", baseline))
            values = percentile(beside[name], part)
            rows.append(Row(f"{name}, beside {IDLE:,} idle, {label}", "ms", values, baseline))
    calls = statistics.median(CALLS * BUSY / sum(times) * 1000 for times in beside["GetRelease"])
    setup = (
        f"{BUSY} connections that call one after another, {CALLS:,} calls a round; every idle one "
        f"answered a ping at the end; {calls:,.0f} Gets a second"
    )
    return Result("connections", setup, rows)
