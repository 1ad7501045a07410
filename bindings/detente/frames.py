"""Records as rows of columns: Arrow tables, and what takes them (pandas, polars, DuckDB …).

The server sends Arrow as it is in memory (`RowService`), and nothing here looks at a row. A stream
that breaks off is taken up where it ended.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from detente import _contract, _progress, errors
from detente._again import BROKEN, Patience
from detente._progress import Progress
from detente._session import Session

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_SERVICE = "/detente.v1.RowService"
_NAMES_AT_ONCE = 100  # a filter holds 8 KiB
_MANY_NAMES = 1_000

Columns = str | Iterable[str]


def arrow() -> Any:
    """pyarrow, which is loaded when it is first needed."""
    try:
        import pyarrow as pa
    except ImportError:
        raise errors.FailedPreconditionError(
            "this needs pyarrow: pip install 'pyarrow>=26,<27'", reason="MISSING_PACKAGE"
        ) from None
    return pa


class Rows:
    """The rows of a collection at one revision, which are read when they are asked for.

    Attributes:
        schema: The Arrow schema.
    """

    def __init__(self, session: Session, request: Any) -> None:
        self._session = session
        answer = session.call(_contract.method(f"{_SERVICE}/CreateReadSession"), request)
        self.schema: pa.Schema = arrow().ipc.read_schema(arrow().py_buffer(answer.arrow_schema))
        self._streams = [stream.name for stream in answer.streams]
        self._total: int | None = answer.row_count if answer.HasField("row_count") else None

    def batches(self) -> Iterator["pa.RecordBatch"]:
        """The rows as they come, some thousands at a time."""
        pa = arrow()
        for stream in self._streams:
            for message in self._messages(stream):
                yield from pa.ipc.open_stream(pa.py_buffer(message))

    def table(self, progress: Progress = False) -> "pa.Table":
        """All rows."""
        found: list[pa.RecordBatch] = []
        done = 0
        with _progress.told(progress, "read", "rows") as tell:
            for batch in self.batches():
                found.append(batch)
                done += batch.num_rows
                tell(done, self._total)
        return arrow().Table.from_batches(found, self.schema)

    def reader(self) -> "pa.RecordBatchReader":
        """The rows for another library, as it asks for them."""
        return arrow().RecordBatchReader.from_batches(self.schema, self.batches())

    def _messages(self, stream: str) -> Iterator[memoryview]:
        method = _contract.method(f"{_SERVICE}/ReadRows")
        offset = 0
        patience = Patience()
        while True:
            try:
                for message in self._session.stream(
                    method, method.request(stream=stream, offset=offset)
                ):
                    head, rows = split(memoryview(message), "arrow_stream", method.response)
                    offset += head.row_count
                    patience.succeeded()
                    yield rows
                return
            except BROKEN as error:
                patience.wait(error)


def split(message: memoryview, field: str, kind: type[Any]) -> tuple[Any, memoryview]:
    """A serialized message without one of its `bytes` fields, and that field, without a copy."""
    wanted = kind.DESCRIPTOR.fields_by_name[field].number
    at, rest, found = 0, b"", memoryview(b"")
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        size = 0
        if tag & 7 == 0:
            _, at = _varint(message, at)
        elif tag & 7 == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}[tag & 7]
        if tag >> 3 == wanted:
            found = message[at : at + size]
        else:
            rest += message[start : at + size]
        at += size
    return kind.FromString(rest), found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read(session: Session, listing: Any, columns: Columns, flat: bool) -> Rows:
    """The rows of a list's request, in no order."""
    return Rows(session, _request(listing, columns, flat))


def _request(listing: Any, columns: Columns, flat: bool) -> Any:
    request = _contract.method(f"{_SERVICE}/CreateReadSession").request(
        collection=_collection(listing),
        filter=listing.filter,
        columns=[columns] if isinstance(columns, str) else list(columns),
        flat=flat,
        show_deleted=listing.show_deleted,
    )
    if listing.as_told_by:
        raise errors.invalid(
            "as_told_by", "frames have the records' own values; leave it out, or go through them"
        )
    if listing.reviewed_only:
        reviewed = "review_state = REVIEWED"
        request.filter = f"({listing.filter}) AND {reviewed}" if listing.filter else reviewed
    if not request.columns and listing.read_mask.paths:
        request.columns[:] = listing.read_mask.paths
    if listing.HasField("at"):
        request.at.CopyFrom(listing.at)
    return request


def _collection(listing: Any) -> str:
    for collection, resource in _contract.resources().items():
        if isinstance(listing, resource.list.input):
            return collection
    raise errors.invalid("to_arrow", "of the records of a collection alone; go through this list")


def table(records: Any, columns: Columns, flat: bool, progress: Progress = False) -> "pa.Table":
    """A list's records as a table; in its order, where it has one."""
    listing = records._request
    asked = _request(listing, columns, flat)
    if not listing.order_by and records._limit is None:
        asked.return_row_count = _progress.wanted(progress)
        return Rows(records._session, asked).table(progress)
    names, at = _names(records)
    asked.at.Clear()
    if at:  # a store without a commit has no revision
        asked.at.revision = at
    own = [*asked.columns]
    if own and "name" not in own:
        asked.columns.append("name")
    pa = arrow()
    if len(names) <= _MANY_NAMES:
        found = _by_names(records._session, asked, names)
    else:
        found = Rows(records._session, asked).table(progress)
    import pyarrow.compute  # noqa: F401 - makes pa.compute

    order = pa.compute.index_in(pa.array(names, pa.string()), found["name"])
    result = found.take(order)
    return result.drop_columns("name") if own and "name" not in own else result


def _names(records: Any) -> tuple[list[str], int]:
    """The names of a list's records in their order, and the revision."""
    import copy

    named = copy.copy(records)
    named._request = type(records._request)()
    named._request.CopyFrom(records._request)
    named._request.read_mask.paths[:] = ["name"]
    names: list[str] = []
    revision = 0
    for response in named._pages():
        revision = response.revision
        names += [record.name for record in named._items(response)]
        if records._limit is not None and len(names) >= records._limit:
            break
    return names[: records._limit], revision


def _by_names(session: Session, asked: Any, names: list[str]) -> "pa.Table":
    parts = []
    for start in range(0, max(1, len(names)), _NAMES_AT_ONCE):
        some = names[start : start + _NAMES_AT_ONCE]
        asked.filter = " OR ".join(f'name = "{name}"' for name in some) or 'name = ""'
        parts.append(Rows(session, asked).table())
    return arrow().concat_tables(parts)


def to_pandas(found: "pa.Table") -> "pd.DataFrame":
    """Dates and times as NumPy has them, enums as categories."""
    try:
        frame: pd.DataFrame = found.to_pandas(date_as_object=False)
    except ImportError:
        raise errors.FailedPreconditionError(
            "this needs pandas: pip install 'detente[pandas]'", reason="MISSING_PACKAGE"
        ) from None
    return frame


def to_polars(found: "pa.Table") -> "pl.DataFrame":
    """The table as polars has it."""
    try:
        import polars as pl
    except ImportError:
        raise errors.FailedPreconditionError("to_polars needs polars: pip install polars") from None
    return pl.DataFrame(found)
