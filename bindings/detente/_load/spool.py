"""Records between their rows and the store, in a file of SQLite's that goes when it is closed."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from detente._load import limits
from detente._load.faults import CellError
from detente._load.rows import Row
from detente._load.takes import Nulls, as_text, texts

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
CREATE TABLE records (
  seq INTEGER PRIMARY KEY, phase INTEGER, name TEXT UNIQUE, kind INTEGER, file TEXT, row INTEGER,
  record BLOB, done INTEGER DEFAULT 0);
CREATE TABLE parts (
  seq INTEGER PRIMARY KEY, phase INTEGER, name TEXT, kind INTEGER, file TEXT, row INTEGER,
  record BLOB);
CREATE TABLE joined (name TEXT, key TEXT, file TEXT, row INTEGER, content TEXT);
"""


class Kept(NamedTuple):
    """A record that waits to be written: which, of what kind, from where."""

    seq: int
    name: str
    kind: int
    file: str
    row: int
    record: bytes

    @property
    def collection(self) -> str:
        return self.name.partition("/")[0]


class Spool:
    """Holds what does not fit into memory; a context manager that closes itself."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def place(self, name: str) -> tuple[str, int] | None:
        """The file and the row that a record is from, if it is here."""
        query = "SELECT file, row FROM records WHERE name = ?"
        found: tuple[str, int] | None = self._db.execute(query, (name,)).fetchone()
        return found

    def waits(self, name: str) -> bool:
        """Whether a record of that name is here, and neither written nor refused."""
        query = "SELECT 1 FROM records WHERE name = ? AND done = 0"
        return self._db.execute(query, (name,)).fetchone() is not None

    def add(self, phase: int, record: Any, kind: int, row: Row) -> None:
        """Takes a record; no other has its name."""
        self._insert("records", phase, record, kind, row.file, row.number)

    def add_part(self, phase: int, record: Any, kind: int, row: Row) -> None:
        """Takes a part of a record, to be merged with others of its name."""
        self._insert("parts", phase, record, kind, row.file, row.number)

    def add_merged(self, phase: int, record: Any, first: Kept) -> None:
        """Takes what parts were merged to."""
        self._insert("records", phase, record, first.kind, first.file, first.row)

    def _insert(self, table: str, phase: int, record: Any, kind: int, file: str, row: int) -> None:
        self._db.execute(
            f"INSERT INTO {table} (phase, name, kind, file, row, record) VALUES (?, ?, ?, ?, ?, ?)",
            (phase, record.name, kind, file, row, record.SerializeToString(deterministic=True)),
        )

    def parts(self) -> Iterator[tuple[int, Kept]]:
        """All parts with their phases, those of one name in a row, in the order of the file."""
        query = "SELECT phase, seq, name, kind, file, row, record FROM parts ORDER BY name, seq"
        for phase, *rest in self._db.execute(query):
            yield phase, Kept(*rest)

    def count(self) -> int:
        """How many records are here."""
        number: int = self._db.execute("SELECT count(*) FROM records").fetchone()[0]
        return number

    def waiting(self, backwards: bool = False) -> Iterator[Kept]:
        """The records that are not done, those first that others may refer to.

        What is marked on the way does no harm. Within a phase the last may come first.
        """
        beyond, order = ("<", "DESC") if backwards else (">", "ASC")
        query = f"""SELECT seq, name, kind, file, row, record FROM records
            WHERE done = 0 AND phase = ? AND seq {beyond} ? ORDER BY seq {order} LIMIT 1000"""
        for phase in range(3):
            last = (1 << 62) if backwards else 0
            while found := self._db.execute(query, (phase, last)).fetchall():
                for row in found:
                    yield Kept(*row)
                last = found[-1][0]

    def mark(self, items: list[Kept]) -> None:
        """Notes that records are done: written, or refused."""
        query = "UPDATE records SET done = 1 WHERE seq = ?"
        self._db.executemany(query, [(item.seq,) for item in items])

    def join(self, name: str, key: str, nulls: Nulls, row: Row) -> None:
        """Takes a row of a joined file.

        Raises:
            CellError: It has no key.
        """
        found = texts(row, key, nulls)
        if not found:
            raise CellError(key, "", "it is empty, but says which row this belongs to")
        self._db.execute(
            "INSERT INTO joined VALUES (?, ?, ?, ?, ?)",
            (name, as_text(found[0], key), row.file, row.number, json.dumps(row, default=str)),
        )

    def end_of_joins(self) -> None:
        """To be called once all joined rows are here."""
        self._db.execute("CREATE INDEX by_key ON joined (name, key)")

    def joined(self, name: str, column: str, nulls: Nulls, row: Row) -> list[Row]:
        """The rows of a joined file that belong to a row.

        Raises:
            CellError: They are too many.
        """
        keys = texts(row, column, nulls)
        if not keys:
            return []
        key = as_text(keys[0], column)
        query = "SELECT content, file, row FROM joined WHERE name = ? AND key = ? ORDER BY rowid"
        found = self._db.execute(query + f" LIMIT {limits.JOINED + 1}", (name, key)).fetchall()
        if len(found) > limits.JOINED:
            raise CellError(column, key, f"it has more than {limits.JOINED:,} rows of {name}")
        return [Row(json.loads(text), file, number) for text, file, number in found]
