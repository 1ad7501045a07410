"""A million rows through WriteRows, beside SQLite's own inserts of what the store then holds."""

import json
import pathlib
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator

import detente
import pyarrow as pa
from report import Result, Row, check
from servers import BUILD, serve

ROWS = 1_000_000
_CHUNK = 10_000


def _rows(first: int) -> pa.RecordBatch:
    """Made-up persons of about 400 bytes; no such people are known to anybody."""
    numbers = range(first, first + _CHUNK)
    name = pa.struct(
        {"id": pa.string(), "full": pa.string(), "script_code": pa.string(), "kind": pa.string()}
    )
    return pa.record_batch(
        {
            "id": [f"person-{n:08d}" for n in numbers],
            "display_name": [f"Test Person {n}" for n in numbers],
            "names": pa.array(
                [
                    [
                        {"id": "1", "full": f"Test Person {n}", "script_code": "Latn"},
                        {"id": "2", "full": f"Тэставы {n}", "script_code": "Cyrl"},
                    ]
                    for n in numbers
                ],
                pa.list_(name),
            ),
            "birth_date.edtf": [f"{1940 + n % 60}-{1 + n % 12:02d}" for n in numbers],
            "gender": ["FEMALE" if n % 2 else "MALE" for n in numbers],
            "nationalities": [["XA" if n % 3 else "XB"] for n in numbers],
            "occupations": [["invented occupation"] for n in numbers],
            "note": [f"Made up for a benchmark under number {n}." for n in numbers],
        }
    )


def _file(path: pathlib.Path, rows: int) -> None:
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, _rows(0).schema) as writer:
        for first in range(0, rows, _CHUNK):
            writer.write_batch(_rows(first))


def _reader(path: pathlib.Path) -> pa.RecordBatchReader:
    """Its pages are of the file, not of this process."""
    file = pa.ipc.open_file(pa.memory_map(str(path)))

    def batches() -> Iterator[pa.RecordBatch]:
        for i in range(file.num_record_batches):
            yield file.get_batch(i)

    return pa.RecordBatchReader.from_batches(file.schema, batches())


def own_memory(pid: int | str) -> float:
    """MiB that no file backs."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def run(rounds: int, rows: int = ROWS) -> Result:
    """Each takes minutes: one round, whatever `rounds` says."""
    rows = max(rows // _CHUNK, 1) * _CHUNK
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as name:
        folder = pathlib.Path(name)
        file, store = folder / "rows.arrow", folder / "ours.db"
        _file(file, rows)
        server_mib: list[float] = []
        client_mib: list[float] = []
        with (
            serve("detente-server", f"--store=sqlite:{store}") as server,
            detente.connect(server.address, timeout=3600) as db,
        ):

            def look(done: int, total: int | None) -> None:
                if done % max(rows // 20, 1000) == 0:
                    server_mib.append(own_memory(server.process.pid))
                    client_mib.append(own_memory("self"))

            before = server.cpu_seconds(), resource.getrusage(resource.RUSAGE_SELF)
            start = time.perf_counter()
            written = db.write("persons", _reader(file), reason="a benchmark", progress=look)
            seconds = time.perf_counter() - start
            used = server.cpu_seconds() - before[0]
            mine = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before[1].ru_utime
            check(written.created == rows, f"{written.created} of {rows} rows are records")
            check(db.persons.list().count() == rows, "the server counts other records")
        file.unlink()
        done = subprocess.run(
            [BUILD / "bin/bench-batch-write", f"--folder={folder}", f"--replay={store}"],
            stdout=subprocess.PIPE,
            text=True,
            timeout=3600,
        )
        check(done.returncode == 0, "bench-batch-write failed; it says why above")
        raw = json.loads(done.stdout)
    half = len(server_mib) // 2
    return Result(
        "write_rows",
        f"WriteRows of {rows:,} new persons from an Arrow file, one client; raw = the same rows "
        "into the same tables by SQLite's C API, a transaction for each commit. Memory: of the "
        "process alone, without files; first half of the rows, second half",
        [
            Row("raw SQLite: rows", "/s", [rows / raw["seconds"]]),
            Row(
                "over the wire: rows",
                "/s",
                [rows / seconds],
                [rows / raw["seconds"]],
                0.6,
                at_most=False,
            ),
            Row("raw SQLite: CPU a row", "us", [raw["cpu_seconds"] / rows * 1e6]),
            Row("server: CPU a row", "us", [used / rows * 1e6]),
            Row("client: CPU a row", "us", [mine / rows * 1e6]),
            Row("server's memory, at first", "MiB", server_mib[:half]),
            Row("server's memory, later", "MiB", server_mib[half:]),
            Row("client's memory, at first", "MiB", client_mib[:half]),
            Row("client's memory, later", "MiB", client_mib[half:]),
        ],
    )
