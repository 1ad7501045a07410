"""What a program in Python sees: the import, and Get embedded and remote, by itself and awaited."""

import asyncio
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable

import detente
import grpc
import made_up
from detente.v1 import release_pb2, release_service_pb2
from report import Result, Row, check
from servers import BUILD, serve

STARTS = 15
RECORDS = 1_000
IN_FLIGHT = 1_000
COLUMNS = "id, since, delete_time, record"
GET = "/detente.v1.ReleaseService/GetRelease"


def seconds_of(code: str) -> float:
    """How long a cold process takes for `code`, without the start of Python."""
    program = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def us_a_call(get: Callable[[int], object], calls: int) -> float:
    start = time.perf_counter()
    for i in range(calls):
        get(i * 7919 % RECORDS)
    return (time.perf_counter() - start) * 1e6 / calls


async def us_a_call_of_many(get: Callable[[int], Awaitable[object]], calls: int) -> float:
    """As `us_a_call`, with IN_FLIGHT of them at a time."""
    start = time.perf_counter()
    for first in range(0, calls, IN_FLIGHT):
        await asyncio.gather(*(get(i * 7919 % RECORDS) for i in range(first, first + IN_FLIGHT)))
    return (time.perf_counter() - start) * 1e6 / calls


async def measure_async(
    path: pathlib.Path, address: str, rounds: int, us: dict[str, list[float]]
) -> None:
    get_request = release_service_pb2.GetReleaseRequest
    async with (
        await detente.open_async(path) as db,
        await detente.connect_async(address) as remote,
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = channel.unary_unary(
            GET, get_request.SerializeToString, release_pb2.Release.FromString
        )
        gets: dict[str, Callable[[int], Awaitable[object]]] = {
            "async embedded": lambda i: db.releases.get(f"r-{i}"),
            "async remote": lambda i: remote.releases.get(f"r-{i}"),
            "grpc.aio": lambda i: stub(get_request(name=f"releases/r-{i}")),
        }
        for label, get in gets.items():
            for i in range(RECORDS):
                right = made_up.check_equal(await get(i), i)  # type: ignore[arg-type]
                check(right, f"{label}: not the record that was written")
        for _ in range(rounds):
            for label, get in gets.items():
                us.setdefault(label, []).append(await us_a_call_of_many(get, 4 * IN_FLIGHT))


def run(rounds: int) -> Result:
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as folder:
        return measure(pathlib.Path(folder), rounds)


def measure(folder: pathlib.Path, rounds: int) -> Result:
    path = folder / "store.db"
    made_up.fill(path, RECORDS)
    first_get = f"import detente; detente.open({str(path)!r}).releases.get('r-1')"
    starts: dict[str, list[float]] = {"import detente": [], first_get: []}
    for _ in range(STARTS):
        for code, times in starts.items():
            times.append(seconds_of(code) * 1e3)

    served = folder / "served.db"
    unread = folder / "unread.db"
    shutil.copy(path, served)
    shutil.copy(path, unread)
    select = f"SELECT {COLUMNS} FROM head_releases WHERE id = ?"
    get_request = release_service_pb2.GetReleaseRequest
    with (
        detente.open(path) as db,
        serve("detente-server", f"--store=sqlite:{served}") as server,
        detente.connect(server.address) as remote,
        grpc.insecure_channel(server.address) as channel,
    ):
        rows = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        stub = channel.unary_unary(
            GET, get_request.SerializeToString, release_pb2.Release.FromString
        )
        gets: dict[str, tuple[Callable[[int], object], int]] = {
            "embedded": (lambda i: db.releases.get(f"r-{i}"), 5_000),
            "sqlite3": (lambda i: rows.execute(select, (f"r-{i}",)).fetchone(), 5_000),
            "parse": (
                lambda i: release_pb2.Release.FromString(
                    rows.execute(select, (f"r-{i}",)).fetchone()[-1]
                ),
                5_000,
            ),
            "remote": (lambda i: remote.releases.get(f"r-{i}"), 1_000),
            "grpcio": (lambda i: stub(get_request(name=f"releases/r-{i}")), 1_000),
        }
        for i in range(RECORDS):
            for label in ("embedded", "remote", "grpcio"):
                right = made_up.check_equal(gets[label][0](i), i)  # type: ignore[arg-type]
                check(right, f"{label}: not the record that was written")
            row = gets["sqlite3"][0](i)
            check(row[0] == f"r-{i}", "sqlite3: another row")  # type: ignore[index]
        us: dict[str, list[float]] = {label: [] for label in ("first", *gets)}
        for _ in range(rounds):
            with detente.open(unread) as fresh:
                us["first"].append(
                    us_a_call(lambda i, get=fresh.releases.get: get(f"r-{i}"), RECORDS)
                )
            for label, (get, calls) in gets.items():
                us[label].append(us_a_call(get, calls))
        rows.close()
        asyncio.run(measure_async(unread, server.address, rounds, us))

    return Result(
        "python",
        f"cold starts, {STARTS} of each; Gets of {RECORDS:,} releases in turn, {rounds} rounds",
        [
            Row("import detente", "ms", starts["import detente"], target=150),
            Row("  and open a store, and get", "ms", starts[first_get]),
            Row("Get embedded", "us", us["embedded"], target=30),
            Row("  the first of each record", "us", us["first"], target=30),
            Row("  against sqlite3's point read", "us", us["embedded"], us["sqlite3"]),
            Row("sqlite3's point read", "us", us["sqlite3"]),
            Row("  and protobuf's parse of it", "us", us["parse"]),
            Row("Get remote", "us", us["remote"]),
            Row("  against pip's grpcio", "us", us["remote"], us["grpcio"]),
            Row(f"Get awaited, {IN_FLIGHT:,} at once, remote", "us", us["async remote"]),
            Row("  against pip's grpc.aio", "us", us["async remote"], us["grpc.aio"]),
            Row("  embedded", "us", us["async embedded"]),
        ],
    )
