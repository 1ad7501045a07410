"""Ten million records as columns, more than the server's memory for columns holds: read whole
while others write, as they were when the read began. Not part of `./dev bench` without a name:
making the store takes half an hour.
"""

import hashlib
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import detente
import pyarrow as pa
import pyarrow.compute as pc
from report import Result, Row, check
from servers import BUILD, serve
from write_rows import own_memory

ROWS = 10_000_000
COLUMNS = ("name", "revision", "display_name", "gender")
_CHUNK = 100_000
_CACHE_MB = 256
FOLDER = BUILD / "bench-many"  # kept


def _batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Made up: no such people are known to anybody."""
    for first in range(0, rows, _CHUNK):
        numbers = range(first, min(first + _CHUNK, rows))
        yield pa.record_batch(
            {
                "id": [f"p-{n:08d}" for n in numbers],
                "display_name": [f"Test Person {n}" for n in numbers],
                "gender": ["FEMALE" if n % 2 else "MALE" for n in numbers],
            }
        )


def store(rows: int = ROWS) -> pathlib.Path:
    """Made where it is missing; what is there in part is filled up."""
    FOLDER.mkdir(exist_ok=True)
    path, done = FOLDER / f"persons-{rows}.db", FOLDER / f"persons-{rows}.done"
    if not done.exists():
        with detente.open(path, create=True) as db:
            there = db.persons.list().count()
            first = there // _CHUNK * _CHUNK
            batches = (batch for batch in _batches(rows))
            schema = next(_batches(1)).schema
            for _ in range(first // _CHUNK):
                next(batches)
            reader = pa.RecordBatchReader.from_batches(schema, batches)
            db.write("persons", reader, reason="made up for a benchmark")
            check(db.persons.list().count() == rows, "the store holds another number of records")
        done.touch()
    return path


class _Checksum:
    """Of all rows, in any order."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, batch: pa.RecordBatch) -> None:
        texts = pc.binary_join_element_wise(
            batch["name"],
            pc.cast(batch["revision"], pa.string()),
            batch["display_name"],
            pc.cast(batch["gender"], pa.string()),
            "|",
        )
        for text in texts.to_pylist():
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            self._sum = (self._sum + int.from_bytes(digest, "big")) % (1 << 64)
        self.rows += batch.num_rows

    def __str__(self) -> str:
        return f"{self.rows} {self._sum:016x}"


class _Writer(threading.Thread):
    """Changes records, all over the store, until it is told to stop."""

    def __init__(self, db: detente.Database, rows: int) -> None:
        super().__init__()
        self._db, self._rows = db, rows
        self.done = threading.Event()
        self.commits = 0

    def run(self) -> None:
        while not self.done.is_set():
            number = self.commits * 7_919 % self._rows
            self._db.persons.update(
                detente.Person(
                    name=f"persons/p-{number:08d}", display_name=f"Test Person, {self.commits}"
                ),
                update_mask="display_name",
            )
            self.commits += 1


def _read(view: Any, look: Any, begun: Any = None) -> tuple[float, str]:
    checksum = _Checksum()
    start = time.perf_counter()
    spent = 0.0  # by the checksum
    for batch in view.persons.list().to_batches(COLUMNS):
        at = time.perf_counter()
        if begun is not None and not checksum.rows:
            begun()
        checksum.add(batch)
        look()
        spent += time.perf_counter() - at
    return time.perf_counter() - start - spent, str(checksum)


def run(rounds: int, rows: int = ROWS) -> Result:
    """Two reads take minutes: one round, whatever `rounds` says."""
    path = store(rows)
    server_mib: list[float] = []
    client_mib: list[float] = []
    with (
        serve(
            "detente-server", f"--store=sqlite:{path}", f"--column_cache_mb={_CACHE_MB}"
        ) as server,
        detente.connect(server.address, timeout=3600) as db,
        detente.connect(server.address, timeout=3600) as other,
    ):

        def look() -> None:
            server_mib.append(own_memory(server.process.pid))
            client_mib.append(own_memory("self"))

        revision = db.revision
        quiet, expected = _read(db.at(revision), look)
        check(expected.startswith(f"{rows} "), f"{expected}: other rows")
        writer = _Writer(other, rows)
        busy, found = _read(db, look, writer.start)  # pinned when it begins, at the newest
        writer.done.set()
        writer.join()
        check(found == expected, f"beside commits: {found}, not {expected}")
        check(writer.commits >= 10, f"only {writer.commits} commits were made meanwhile")
        check(db.revision > revision, "nothing was written")
    return Result(
        "many_rows",
        f"{rows:,} persons, {len(COLUMNS)} columns, by to_batches from a server with "
        f"{_CACHE_MB} MiB for columns; then the same while another client made "
        f"{writer.commits:,} commits: the same checksum",
        [
            Row("rows, nobody writes", "/s", [rows / quiet]),
            Row("rows, beside commits", "/s", [rows / busy]),
            Row("server's memory", "MiB", server_mib),
            Row("client's memory", "MiB", client_mib),
        ],
    )
