"""Rows of columns into a store: Arrow tables, and what becomes one (pandas, polars, DuckDB …).

Rows go over `RowService.WriteRows` in batches, each of which is one commit. A few are on their way
at a time, so that memory stays flat, and those that are not answered when a connection breaks are
sent again under the same numbers.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from detente import _contract, _progress, errors
from detente._again import BROKEN, Patience
from detente._progress import Progress, Tell
from detente._session import Session, new_request_id
from detente.frames import arrow

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1_000  # of one batch
_BYTES = 3 << 20  # of one batch; a request takes 4 MiB
_ON_THEIR_WAY = 3  # one more than the server has in hand
_KEPT_ERRORS = 10_000


class RowError(NamedTuple):
    """One thing that is wrong with a row: its place in the data from 0 on, the field, and what."""

    row: int
    field: str
    description: str


@dataclass
class Written:
    """What became of the rows.

    Attributes:
        created: How many records were created.
        updated: How many were changed.
        unchanged: How many had these values already.
        skipped: How many rows were wrong and left out.
        revision: The newest revision that this write has seen.
        errors: What was wrong with those: of each row up to five; the first 10,000 in all.
        names: The names that the server gave, by row: of those that had neither `name` nor `id`.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    revision: int = 0
    errors: list[RowError] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All rows."""
        return self.created + self.updated + self.unchanged + self.skipped


class _Batch(NamedTuple):
    number: int
    table: "pa.Table"
    rows: Sequence[int]  # in the data
    message: bytes

    def nameless(self) -> list[int]:
        """Those of the rows that have neither `name` nor `id`."""
        columns = [
            self.table[c].to_pylist() for c in ("name", "id") if c in self.table.schema.names
        ]
        return [row for row, *ids in zip(self.rows, *columns, strict=True) if not any(ids)]


def write_rows(
    session: Session,
    collection: str,
    data: Any,
    *,
    on_error: str = "stop",
    columns: Iterable[str] = (),
    reason: str = "",
    validate_only: bool = False,
    write_id: str = "",
    progress: Progress = None,
) -> Written:
    """Writes rows to a collection; see `Database.write`."""
    if on_error not in ("stop", "skip"):
        raise errors.invalid("on_error", f"'stop' or 'skip', not {on_error!r}")
    start = {
        "collection": collection,
        "write_id": write_id or new_request_id(),
        "reason": reason,
        "validate_only": validate_only,
        "columns": [columns] if isinstance(columns, str) else list(columns),
    }
    with _progress.told(progress, "write", "rows") as tell:
        return _Write(session, start, data, on_error == "skip", tell).run()


class _Write:
    def __init__(
        self,
        session: Session,
        start: dict[str, Any],
        data: Any,
        skip: bool,
        tell: Tell,
    ) -> None:
        self._session = session
        self._method = _contract.method("/detente.v1.RowService/WriteRows")
        self._start: bytes = self._method.request(start=start).SerializeToString()
        self._total: int | None = getattr(data, "num_rows", None)
        self._tables = _tables(_reader(data))
        self._skip = skip
        self._tell = tell
        self._at = 0  # rows that were taken from the data
        self._number = 0
        self._again: deque[tuple[pa.Table, Sequence[int]]] = deque()  # to be sent, before others
        self._unanswered: deque[_Batch] = deque()
        self._patience = Patience()
        self._written = Written()

    def run(self) -> Written:
        while True:
            try:
                self._stream()
                return self._written
            except BROKEN as error:
                self._patience.wait(error)

    def _stream(self) -> None:
        with self._session.exchange(self._method) as exchange:
            going = exchange.send(self._start)
            for batch in self._unanswered:
                going = going and exchange.send(batch.message)
            while True:
                while going and len(self._unanswered) < _ON_THEIR_WAY:
                    following = self._next()
                    if following is None:
                        break
                    self._unanswered.append(following)
                    going = exchange.send(following.message)
                if not self._unanswered:
                    exchange.finish()
                    exchange.next()  # raises where the call failed
                    return
                answer = exchange.next()
                if answer is None:
                    raise errors.UnavailableError("the server ended the stream")
                self._take(self._method.response.FromString(answer))

    def _take(self, answer: Any) -> None:
        """What became of the first batch that is not answered."""
        batch = self._unanswered.popleft()
        self._patience.succeeded()
        written = self._written
        written.created += answer.created_count
        written.updated += answer.updated_count
        written.unchanged += answer.unchanged_count
        written.revision = max(written.revision, answer.revision)
        if answer.assigned_names:
            written.names.update(zip(batch.nameless(), answer.assigned_names, strict=True))
        if answer.error_row_count:
            found = [RowError(batch.rows[e.row], e.field, e.description) for e in answer.errors]
            if not self._skip:
                raise self._stopped(found, answer.error_row_count)
            wrong = {error.row for error in answer.errors}
            written.skipped += len(wrong)
            written.errors += found[: _KEPT_ERRORS - len(written.errors)]
            right = [at for at in range(len(batch.rows)) if at not in wrong]
            if right:
                self._again.append((batch.table.take(right), [batch.rows[at] for at in right]))
        self._tell(written.total, self._total)

    def _stopped(self, found: list[RowError], rows: int) -> errors.Error:
        row, path, description = found[0]
        first = ": ".join(filter(None, (f"row {row}", path, description)))
        more = f" (and {rows - 1} more rows of this batch)" if rows > 1 else ""
        return errors.InvalidArgumentError(
            f"{first}{more}; {self._written.total} rows before are written",
            reason="INVALID_FIELD",
            field_violations=[
                errors.FieldViolation(f"rows[{error.row}].{error.field}".rstrip("."), error[2])
                for error in found
            ],
        )

    def _next(self) -> _Batch | None:
        """The next batch to send, under the next number."""
        if not self._again:
            table = next(self._tables, None)
            if table is None:
                return None
            self._again.append((table, range(self._at, self._at + table.num_rows)))
            self._at += table.num_rows
        table, rows = self._again.popleft()
        while True:
            content = _serialized(table)
            if len(content) <= _BYTES or len(rows) == 1:
                break
            half = len(rows) // 2
            self._again.appendleft((table.slice(half), rows[half:]))
            table, rows = table.slice(0, half), rows[:half]
        message = self._method.request(batch={"number": self._number, "arrow_stream": content})
        self._number += 1
        return _Batch(self._number - 1, table, rows, message.SerializeToString())


def _reader(data: Any) -> "pa.RecordBatchReader":
    pa = arrow()
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if not hasattr(data, "__arrow_c_stream__"):
        raise errors.invalid(
            "data", f"a table or frame that Arrow can read, not {type(data).__name__}"
        )
    return pa.RecordBatchReader.from_stream(data)


def _tables(reader: "pa.RecordBatchReader") -> Iterator["pa.Table"]:
    """The rows, some at a time, in types that hold nothing but them; one table at least."""
    pa = arrow()
    schema = pa.schema([pa.field(f.name, _plain(f.type)) for f in reader.schema])
    held: list[Any] = []  # batches
    count = taken = 0
    for batch in reader:
        at = 0
        while at < batch.num_rows:
            held.append(batch.slice(at, ROWS - count))
            at += held[-1].num_rows
            count += held[-1].num_rows
            if count == ROWS:
                yield pa.Table.from_batches(held).cast(schema).combine_chunks()
                taken += count
                held, count = [], 0
    if count or not taken:
        yield pa.Table.from_batches(held, reader.schema).cast(schema).combine_chunks()


def _plain(kind: "pa.DataType") -> "pa.DataType":
    """Without dictionaries and views: a slice of those drags along what all rows need."""
    pa = arrow()
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, _plain(f.type)) for f in kind])
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_plain(kind.value_type))
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def _serialized(table: "pa.Table") -> bytes:
    pa = arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content
