"""A million records as columns: beside Arrow Flight, protobuf messages by grpcio, and DuckDB."""

import contextlib
import datetime
import pathlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import detente
import duckdb
import grpc
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight
import pyarrow.parquet
import query
from detente.v1 import release_service_pb2
from report import Result, Row, check
from rows_service import METHOD
from servers import serve

COLUMNS = (
    "name",
    "revision",
    "display_name",
    "region_code",
    "mechanism",
    "effective_date.earliest",
    "effective_date.latest",
    "headcount.best",
    "note",
    "update_time",
)
SOME = ("name", "effective_date.earliest", "headcount.best")
FILTER = 'region_code = "XA" AND headcount.best > 250'
SQL = (
    'SELECT name, "effective_date.earliest", "headcount.best" FROM {} '
    "WHERE region_code = 'XA' AND \"headcount.best\" > 250"
)
HERE = pathlib.Path(__file__).resolve().parent
COMMITS = 1_000  # a second, beside the reads
STORE = query.FOLDER / f"ours-{query.LARGE}.db"


@contextlib.contextmanager
def others(table: pathlib.Path) -> Iterator[tuple[str, str]]:
    process = subprocess.Popen(
        [sys.executable, HERE / "rows_service.py", table], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        check("listening on" in line, f"rows_service.py did not start: {line}")
        yield line.split()[-2], line.split()[-1]
    finally:
        process.terminate()
        process.wait(20)


def by_messages(address: str) -> pa.Table:
    """What a client of a list of messages would write."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        for answer in channel.unary_stream(METHOD)(b""):
            for release in release_service_pb2.ListReleasesResponse.FromString(answer).releases:
                first, last = release.effective_date.earliest, release.effective_date.latest
                columns["name"].append(release.name)
                columns["revision"].append(release.revision)
                columns["display_name"].append(release.display_name)
                columns["region_code"].append(release.region_code)
                columns["mechanism"].append(release.mechanism)
                columns["effective_date.earliest"].append(
                    datetime.date(first.year, first.month, first.day)
                )
                columns["effective_date.latest"].append(
                    datetime.date(last.year, last.month, last.day)
                )
                columns["headcount.best"].append(release.headcount.best)
                columns["note"].append(release.note)
                columns["update_time"].append(release.update_time.ToDatetime())
    return pa.table(columns)


def plain(table: pa.Table) -> pa.Table:
    """Texts of one type, enums too, as other readers have them; in the order of the names."""
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) or pa.types.is_string_view(field.type):
            table = table.set_column(i, field.name, table[i].cast(pa.string()))
    loose = pa.schema([field.with_nullable(True) for field in table.schema])
    return table.cast(loose).sort_by("name")


def seconds(read: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = read()
    return time.perf_counter() - start, result


class Writing:
    """Commits beside the reads, about so many a second."""

    def __init__(self, db: detente.Database) -> None:
        self._db = db
        self._done = threading.Event()
        self.count = 0
        self.seconds = 0.0
        self._threads = [threading.Thread(target=self._write, args=(i,)) for i in range(4)]

    def __enter__(self) -> "Writing":
        self.seconds = -time.perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        self.seconds += time.perf_counter()

    def _write(self, number: int) -> None:
        each = len(self._threads) / COMMITS
        due = time.perf_counter()
        turn = 0
        while not self._done.is_set():
            turn += 1
            self._db.releases.update(
                detente.Release(name=f"releases/r-{number:08d}", note=f"Made up: note {turn}"),
                update_mask="note",
            )
            self.count += 1
            due = max(due + each, time.perf_counter() - 0.1)
            time.sleep(max(0.0, due - time.perf_counter()))


def resident(pid: int) -> float:
    """MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def run(rounds: int) -> Result:
    query.stores()
    rounds = min(rounds, 5)
    times: dict[str, list[float]] = {}

    def measure(name: str, read: Callable[[], Any]) -> Any:
        spent, result = seconds(read)
        times.setdefault(name, []).append(spent * 1e3)
        return result

    file = query.FOLDER / "rows.arrow"
    parquet = query.FOLDER / "rows.parquet"
    for _ in range(2):
        with serve("detente-server", f"--store=sqlite:{STORE}") as server:
            db = detente.connect(server.address, timeout=600)
            table = measure("cold", lambda db=db: db.releases.list().to_arrow(COLUMNS, flat=True))
            memory = resident(server.process.pid)
            db.close()
    check(table.num_rows == query.LARGE, f"{table.num_rows} rows")
    shown = plain(table)
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, shown.schema) as writer:
        writer.write_table(shown, max_chunksize=65_536)
    pyarrow.parquet.write_table(shown, parquet)
    duck = duckdb.connect()
    duck.register("held", shown)

    with (
        serve("detente-server", f"--store=sqlite:{STORE}") as server,
        others(file) as (flight, messages),
        detente.connect(server.address, timeout=600) as db,
        detente.connect(server.address, timeout=600) as writer_db,
        detente.open(STORE, read_only=True) as embedded,
    ):
        client = pa.flight.connect(f"grpc://{flight}")
        all_rows: dict[str, Callable[[], pa.Table]] = {
            "flight": lambda: client.do_get(pa.flight.Ticket(b"")).read_all(),
            "ours": lambda: db.releases.list().to_arrow(COLUMNS, flat=True),
            "embedded": lambda: embedded.releases.list().to_arrow(COLUMNS, flat=True),
        }
        some_rows: dict[str, Callable[[], pa.Table]] = {
            "parquet": lambda: duck.sql(SQL.format(f"'{parquet}'")).to_arrow_table(),
            "arrow": lambda: duck.sql(SQL.format("held")).to_arrow_table(),
            "ours, filter": lambda: db.releases.list(FILTER).to_arrow(SOME, flat=True),
            "embedded, filter": lambda: embedded.releases.list(FILTER).to_arrow(SOME, flat=True),
        }
        for reads, expected in ((all_rows, shown), (some_rows, None)):
            for name, read in reads.items():
                result = plain(read())  # warms up
                if expected is None:
                    expected = result
                check(result.equals(expected), f"{name}: other rows")
            for _ in range(rounds):
                for name, read in reads.items():
                    measure(name, read)
        for _ in range(2):
            result = measure("messages", lambda: by_messages(messages))
        check(result["name"].equals(shown["name"]), "messages: other rows")
        with Writing(writer_db) as writing:
            for _ in range(rounds):
                result = measure("busy", all_rows["ours"])
                check(pc.count_distinct(result["name"]).as_py() == query.LARGE, "busy: other rows")
        client.close()
    rows = [
        Row("all rows, Arrow Flight", "ms", times["flight"]),
        Row("all rows, over the wire", "ms", times["ours"], times["flight"], 1),
        Row("all rows, in this process", "ms", times["embedded"], times["flight"]),
        Row("all rows, while others commit", "ms", times["busy"], times["flight"]),
        Row("all rows, nothing held yet", "ms", times["cold"]),
        Row("all rows, protobuf messages by grpcio", "ms", times["messages"]),
        Row(
            "the same against Détente",
            "ms",
            times["messages"],
            [statistics.median(times["ours"])] * len(times["messages"]),
            30,
            False,
        ),
        Row("filter and 3 columns, DuckDB on Parquet", "ms", times["parquet"]),
        Row("filter and 3 columns, DuckDB on Arrow", "ms", times["arrow"]),
        Row("the same over the wire", "ms", times["ours, filter"], times["parquet"], 1.5),
        Row("the same in this process", "ms", times["embedded, filter"], times["arrow"], 1.5),
    ]
    return Result(
        "frames",
        f"{query.LARGE:,} releases, {len(COLUMNS)} columns ({shown.nbytes / 1e6:,.0f} MB) into a "
        f"pyarrow Table; {writing.count / writing.seconds:,.0f} commits a second where others "
        f"commit; the server held {memory:,.0f} MiB after the first read",
        rows,
    )
