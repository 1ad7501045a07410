"""List with filters, and groups, over a million records: beside raw SQLite, a service in Python,
Datasette and DuckDB. query.cc makes the stores and measures what runs in one process.
"""

import contextlib
import importlib.util
import json
import pathlib
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import grpc
import pandas as pd
from detente.v1 import query_service_pb2, release_pb2, release_service_pb2
from google.protobuf.message import Message
from h2load import frame, load
from report import Result, Row, check
from servers import BUILD, serve

SMALL, LARGE = 10_000, 1_000_000
FOLDER = BUILD / "bench-query"  # kept: a million records take minutes
HERE = pathlib.Path(__file__).resolve().parent
LIST = "/detente.v1.ReleaseService/ListReleases"
AGGREGATE = "/detente.v1.QueryService/AggregateRecords"
FILTER = 'region_code = "XZ"'
CONNECTIONS = 4
STREAMS = 8
DEEP = 1_000

Aggregate = query_service_pb2.AggregateRecordsRequest
Measure = Aggregate.Measure


def stores() -> None:
    """Makes what is missing; a store of another format or contract is made anew."""
    FOLDER.mkdir(exist_ok=True)
    stamp = FOLDER / "made-with"
    now = str((BUILD / "detente.pb").stat().st_size)
    if not stamp.exists() or stamp.read_text() != now:
        for old in FOLDER.iterdir():
            old.unlink()
        for count in (SMALL, LARGE):
            subprocess.run(
                [BUILD / "bin/bench-query", f"--folder={FOLDER}", f"--make={count}"], check=True
            )
        stamp.write_text(now)


def inside(rounds: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            BUILD / "bin/bench-query",
            f"--folder={FOLDER}",
            f"--sizes={SMALL},{LARGE}",
            f"--rounds={rounds}",
        ],
        stdout=subprocess.PIPE,
        text=True,
        timeout=3600,
    )
    check(done.returncode == 0, "bench-query failed; it says why above")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def call(address: str, path: str, request: Message) -> bytes:
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        answer: bytes = channel.unary_unary(path, lambda b: b, lambda b: b)(
            request.SerializeToString(), timeout=120
        )
        return answer


@contextlib.contextmanager
def python_service() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, HERE / "python_service.py", FOLDER / f"raw-{LARGE}.db"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        check("listening on" in line, f"python_service.py did not start: {line}")
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def datasette() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "datasette", "serve", FOLDER / f"raw-{LARGE}.db", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Without facets, suggestions and counts, which it would make for every page.
    options = "region=XZ&_sort=id&_size=50&_shape=array&_nofacet=1&_nosuggest=1&_nocount=1"
    url = f"http://127.0.0.1:{port}/raw-{LARGE}/releases.json?{options}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
                rows = json.load(answer)
                check([row["region"] for row in rows] == ["XZ"] * 50, "Datasette: other rows")
                yield url
                return
            time.sleep(0.1)
        raise RuntimeError("Datasette did not start")
    finally:
        process.terminate()
        process.wait(20)


def throughput(rounds: int) -> dict[str, list[float]]:
    request = release_service_pb2.ListReleasesRequest(filter=FILTER)
    body = frame(FOLDER / "request", request)
    measured: dict[str, list[float]] = {"ours": [], "python": [], "datasette": []}
    with (
        serve("detente-server", f"--store=sqlite:{FOLDER}/ours-{LARGE}.db") as ours,
        python_service() as python,
        datasette() as datasette_url,
    ):
        names = [
            [record.name for record in page.releases]
            for page in (
                release_service_pb2.ListReleasesResponse.FromString(call(address, LIST, request))
                for address in (ours.address, python)
            )
        ]
        check(names[0] == names[1] and len(names[0]) == 50, "the services answer other records")
        for round_ in range(rounds + 1):
            now = {
                "ours": load(f"http://{ours.address}{LIST}", 6_000, CONNECTIONS, STREAMS, body),
                "python": load(f"http://{python}{LIST}", 600, CONNECTIONS, STREAMS, body),
                "datasette": load(datasette_url, 200, CONNECTIONS),
            }
            if round_:  # the first warms up
                for name, value in now.items():
                    measured[name].append(value.calls_s)
    return measured


def groups(rounds: int) -> dict[str, list[float]]:
    """Seconds for: by region and year, how many, and how many prisoners."""
    import duckdb

    raw = FOLDER / f"raw-{LARGE}.db"
    db = duckdb.connect()

    with contextlib.closing(sqlite3.connect(raw)) as connection:
        frame = pd.read_sql(
            "SELECT region, mechanism, earliest, latest, headcount FROM releases", connection
        )
    db.register("frame", frame)
    db.execute(
        "CREATE TABLE releases AS SELECT region, mechanism, headcount, "
        "DATE '1970-01-01' + CAST(earliest AS INTEGER) AS earliest, "
        "DATE '1970-01-01' + CAST(latest AS INTEGER) AS latest FROM frame"
    )
    # Every date here lies within one year.
    sql = (
        "SELECT region, year(earliest) AS y, count(*), sum(headcount) FROM releases "
        "GROUP BY region, y ORDER BY region, y"
    )
    request = Aggregate(
        collection="releases",
        group_paths=["region_code", "effective_date.year"],
        measures=[Measure(kind=Measure.COUNT), Measure(kind=Measure.SUM, path="headcount")],
        max_groups=10_000,
    )
    one = Aggregate(collection="releases", group_paths=["mechanism"])
    names = ("", ", one key")
    measured: dict[str, list[float]] = {
        who + name: [] for who in ("ours", "ours, not held", "duckdb") for name in names
    }
    with serve("detente-server", f"--store=sqlite:{FOLDER}/ours-{LARGE}.db") as server:

        def timed(name: str, request: Aggregate) -> query_service_pb2.AggregateRecordsResponse:
            start = time.perf_counter()
            answer = call(server.address, AGGREGATE, request)
            measured[name].append(time.perf_counter() - start)
            return query_service_pb2.AggregateRecordsResponse.FromString(answer)

        for name, asked in zip(names, (request, one), strict=True):
            first = timed("ours, not held" + name, asked)
            timed("ours, not held" + name, asked)
            # What is asked again is made into columns meanwhile.
            end = time.monotonic() + 120
            while (
                min(measured["ours" + name], default=1e9) > measured["ours, not held" + name][0] / 3
            ):
                check(time.monotonic() < end, "no columns were made in two minutes")
                time.sleep(0.5)
                check(timed("ours" + name, asked) == first, "other groups from columns")
            measured["ours" + name].clear()
        for round_ in range(min(rounds, 5) + 1):
            response = timed("ours", request)
            start = time.perf_counter()
            theirs = db.execute(sql).fetchall()
            measured["duckdb"].append(time.perf_counter() - start)
            mine = [
                (
                    group.keys[0].value,
                    int(group.keys[1].value),
                    group.certain_values[0].integer,
                    group.certain_values[1].sum.best,
                )
                for group in response.groups
            ]
            check(mine == theirs, "the groups are others than DuckDB's")
            response = timed("ours, one key", one)
            start = time.perf_counter()
            counted = db.execute(
                "SELECT mechanism, count(*) FROM releases GROUP BY mechanism"
            ).fetchall()
            measured["duckdb, one key"].append(time.perf_counter() - start)
            kind_name = release_pb2.Release.Mechanism.Name
            check(
                {g.keys[0].value: g.certain_values[0].integer for g in response.groups}
                == {kind_name(int(kind)): count for kind, count in counted},
                "the counts are others than DuckDB's",
            )
            if round_ == 0:  # the first warms up
                for name in names:
                    measured["ours" + name].clear()
                    measured["duckdb" + name].clear()
    return measured


def run(rounds: int) -> Result:
    missing = [name for name in ("duckdb", "datasette") if not importlib.util.find_spec(name)]
    check(not missing, f"{', '.join(missing)}: not installed; see tests/bench/requirements.txt")
    stores()
    single = inside(rounds)
    rows = []

    def pair(size: int, name: str) -> tuple[list[float], list[float]]:
        one = single[f"{size}: {name}"]
        return one["ours"], one["raw"]

    for key, values in single.items():
        size, _, name = key.partition(": ")
        label = f"{int(size):,}: {name}"
        rows.append(Row(f"{label}, raw SQLite", "us", values["raw"]))
        rows.append(Row(label, "us", values["ours"], values["raw"], 1.3))
    large, small = pair(LARGE, "selective")[0], pair(SMALL, "selective")[0]
    rows.append(Row("selective, 1 M against 10 k", "us", large, small, 1.5))
    for order in ("by name", "by date"):
        deep = pair(LARGE, f"page {DEEP}, half of all {order}")[0]
        first = pair(LARGE, f"page 1, half of all {order}")[0]
        rows.append(Row(f"page {DEEP:,} against page 1, {order}", "us", deep, first, 1.2))
    served = throughput(rounds)
    for name, title in (("python", "grpcio and sqlite3"), ("datasette", "Datasette")):
        rows.append(Row(f"selective over the wire, {title}: calls", "/s", served[name]))
        rows.append(
            Row("the same from Détente: calls", "/s", served["ours"], served[name], 10, False)
        )
    grouped = groups(rounds)
    for suffix, title in (("", "by region and year, with sums"), (", one key", "by mechanism")):
        mine = [value * 1e3 for value in grouped["ours" + suffix]]
        theirs = [value * 1e3 for value in grouped["duckdb" + suffix]]
        scanned = [value * 1e3 for value in grouped["ours, not held" + suffix]]
        rows.append(Row(f"groups {title}, DuckDB in memory", "ms", theirs))
        rows.append(Row(f"groups {title}, over the wire", "ms", mine, theirs, 5))
        rows.append(Row(f"groups {title}, over the wire, columns not held yet", "ms", scanned))
    bytes_each = (FOLDER / f"ours-{LARGE}.db").stat().st_size / LARGE
    raw_each = (FOLDER / f"raw-{LARGE}.db").stat().st_size / LARGE
    return Result(
        "query",
        f"List of 50 releases by filter and order in one process, beside the same rows by SQL "
        f"written by hand; medians of 25 calls in each of {rounds} rounds; stores of {SMALL:,} "
        f"and {LARGE:,} records ({bytes_each:,.0f} bytes each, {raw_each:,.0f} in raw SQLite; "
        f"{statistics.median(served['ours']):,.0f} calls a second over the wire)",
        rows,
    )
