"""Records into files of other programs: `db.export`; docs/export.md tells of the formats."""

import copy
import functools
import hashlib
import importlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import Message

from detente import _contract, _core, _progress, _writing, errors, records
from detente._contract import is_output_only, is_repeated
from detente._progress import Progress, Tell
from detente.columns import Column, chosen, flat_columns, row
from detente.listing import RecordList

if TYPE_CHECKING:
    from detente.database import _Reading

VERSION = 1  # of what files say about themselves
SIDECAR = "-metadata.json"  # behind the name of a file that cannot say it itself
_PAGE = 1000
_PART_BYTES = 4 << 20  # of records that are in hand at a time
_BRIEF = ("name", "display_name", "title", "publisher", "url", "archive_url", "kind", "region_code")
_QUERY = ("order_by", "show_deleted", "reviewed_only", "as_told_by", "value_policy")


class Format(NamedTuple):
    """A format: its endings, and the module that writes it.

    The module has `write(export, path)`; perhaps `COLLECTIONS`, those that it takes, and
    `describe(export, metadata)`, what a sidecar says.

    Attributes:
        endings: Of names of files.
        module: Where it is written.
        sidecar: Whether what is known of a file stands in another one beside it.
        graph: Whether it is of things and what joins them: live records, whole.
        single: Whether it takes one collection alone.
        needs: Columns that it reads although they are not asked for.
    """

    endings: tuple[str, ...]
    module: str
    sidecar: bool = False
    graph: bool = False
    single: bool = False
    needs: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    "csv": Format((".csv",), "export_csv", sidecar=True, single=True),
    "jsonl": Format((".jsonl", ".ndjson"), "export_jsonl", sidecar=True),
    "parquet": Format((".parquet",), "export_parquet", single=True),
    "xlsx": Format((".xlsx",), "export_xlsx", needs=("citations",)),
    "ftm": Format((".ftm.json", ".ftm.jsonl"), "export_ftm", sidecar=True, graph=True),
    "graphml": Format((".graphml",), "export_graphml", graph=True),
}


def _nobody(done: int, total: int | None) -> None:
    """Is told of progress where nobody else is."""


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    Attributes:
        path: The file.
        format: One of `FORMATS`.
        metadata: What the file says about itself: the revision, the query, the checksum.
        file_sha256: The SHA-256 of the file, hexadecimal digits.
        sidecar: The file beside it with `metadata`; None where it is in the file itself.
    """

    path: Path
    format: str
    metadata: Mapping[str, Any]
    file_sha256: str
    sidecar: Path | None = None

    @property
    def record_count(self) -> int:
        """How many records were read."""
        return int(self.metadata["record_count"])


@dataclass
class Selection:
    """Records of one collection, and the columns to write of them."""

    collection: str
    descriptor: Any
    columns: list[Column]
    all_columns: bool
    records: RecordList[Any]


@dataclass
class Export:
    """What is being written; a format's `write` takes it.

    Attributes:
        database: What is read, at one revision.
        selections: The records, in the order of their collections.
        metadata: What is known before they are read; `finish` adds the rest.
        shortened: How many cells a format had to cut.
    """

    database: Any
    selections: list[Selection]
    metadata: dict[str, Any]
    whole: bool
    tell: Tell = _nobody
    total: int = 0
    count: int = 0
    shortened: int = 0
    _lines: list[str] = field(default_factory=list)
    _others: dict[str, Any] = field(default_factory=dict)
    _hash: Any = field(default_factory=hashlib.sha256)

    def records(self, selection: Selection) -> Iterator[Any]:
        """The records, one after the other: all formats read them here."""
        for record in selection.records:
            self.count += 1
            if self.whole:
                self._add(record)
            yield record
            self.tell(self.count, self.total)

    def parts(self, selection: Selection) -> Iterator[list[bytes]]:
        """The records serialized, some at a time."""
        part: list[bytes] = []
        size = 0
        for record in self.records(selection):
            part.append(record.SerializeToString())
            size += len(part[-1])
            if len(part) == _PAGE or size >= _PART_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

    def rows(self, selection: Selection, columns: list[Column]) -> Iterator[list[Any]]:
        """The same as rows; values are those of Arrow (see `detente.columns.row`)."""
        for record in self.records(selection):
            yield row(record, columns)

    def others(self, names: Iterable[str]) -> dict[str, Any]:
        """What there is to say of records that others refer to; without those that are missing."""
        unknown = sorted({name for name in names if name} - set(self._others))
        for collection, group in itertools.groupby(unknown, lambda name: name.partition("/")[0]):
            resource = _contract.resources().get(collection)
            if resource is None:
                continue
            mask = [name for name in _BRIEF if name in resource.message.DESCRIPTOR.fields_by_name]
            self._others.update(_get_many(self.database.collection(collection), list(group), mask))
        return self._others

    def label(self, name: str) -> str:
        """The `display_name` of a record; its name, where there is none."""
        found = self.others([name]).get(name)
        return str(found.display_name if found is not None and found.display_name else name)

    def finish(self) -> dict[str, Any]:
        """The metadata, once all records were read."""
        self.metadata["record_count"] = self.count
        if self.whole:
            for line in sorted(self._lines):
                self._hash.update(line.encode())
            self._lines.clear()
            self.metadata["records_sha256"] = self._hash.hexdigest()
        if self.shortened:
            self.metadata["shortened_cells"] = self.shortened
        return self.metadata

    def _add(self, record: Any) -> None:
        line = f"{record.name} {record.revision} {leaf(record)}\n"
        if self.metadata.get("order_by"):
            self._lines.append(line)
        else:
            self._hash.update(line.encode())


def export(
    database: "_Reading",
    path: str | os.PathLike[str],
    what: str | Iterable[str] | RecordList[Any] | None,
    *,
    filter: Any = "",
    where: Mapping[str, Any] | None = None,
    columns: Iterable[str] | None = None,
    format: str | None = None,
    show_deleted: bool = False,
    progress: Progress = None,
) -> Exported:
    """Writes a file; see `Database.export`."""
    target = Path(path)
    name = format_of(target, format)
    form = FORMATS[name]
    module: Any = importlib.import_module(f"detente.{form.module}")
    made = _prepared(database, name, module, what, filter, where, columns, show_deleted)
    if _progress.wanted(progress):
        made.total = sum(selection.records.count() for selection in made.selections)
    sidecar = target.with_name(target.name + SIDECAR) if form.sidecar else None
    with _writing.whole(target, *([sidecar] if sidecar else [])) as parts:
        with _progress.told(progress, "export") as made.tell:
            module.write(made, parts[0])
        digest = _sha256(parts[0])
        metadata = made.finish()
        if sidecar is not None:
            told = {**metadata, "file": target.name, "file_sha256": digest}
            describe = getattr(module, "describe", lambda made, told: told)
            text = json.dumps(describe(made, told), ensure_ascii=False, indent=1)
            parts[1].write_text(f"{text}\n", encoding="utf-8")
    return Exported(target, name, metadata, digest, sidecar)


def lines(
    database: "_Reading",
    what: str | Iterable[str] | None,
    *,
    filter: Any = "",
    columns: Iterable[str] | None = None,
    show_deleted: bool = False,
) -> Iterator[str]:
    """The lines of a file of JSON lines; arguments as those of `export`."""
    from detente import export_jsonl

    made = _prepared(database, "jsonl", export_jsonl, what, filter, None, columns, show_deleted)
    made.whole = False  # nobody asks for the checksum
    return export_jsonl.lines(made)


def format_of(path: Path, format: str | None) -> str:
    """The name of the format, which is given or follows from a path's ending."""
    if format is not None:
        if format not in FORMATS:
            raise errors.invalid("format", f"one of {', '.join(FORMATS)} expected, not {format!r}")
        return format
    for name in sorted(FORMATS, key=lambda name: -max(map(len, FORMATS[name].endings))):
        if path.name.lower().endswith(FORMATS[name].endings):
            return name
    known = ", ".join(ending for form in FORMATS.values() for ending in form.endings)
    raise errors.invalid("path", f"{path.name}: there are the endings {known}; or say format=")


def leaf(record: Message) -> str:
    """The SHA-256 of a record's `content` in RFC 8785, as in a snapshot but without its salt."""
    return _core.leaf(_contract.known_to_core(record.DESCRIPTOR), record.SerializeToString())


def content(record: Message) -> dict[str, Any]:
    """A record as ProtoJSON, without what the server makes and without its etag."""
    plain = type(record)()
    plain.CopyFrom(record)
    plain.ClearField("etag")
    _clear_outputs(plain)
    return records.to_dict(plain)


def _clear_outputs(message: Any) -> None:
    for one, is_output, below in _fields(message.DESCRIPTOR):
        if is_output:
            message.ClearField(one.name)
        elif not below:
            continue
        elif is_repeated(one):
            for item in getattr(message, one.name):
                _clear_outputs(item)
        elif message.HasField(one.name):
            _clear_outputs(getattr(message, one.name))


@functools.cache
def _fields(descriptor: Any) -> list[tuple[Any, bool, bool]]:
    """The fields that are made by the server, or lead to such."""
    found = []
    for one in descriptor.fields:
        kind = one.message_type
        below = kind is not None and not kind.GetOptions().map_entry and bool(_fields(kind))
        if is_output_only(one) or below:
            found.append((one, is_output_only(one), below))
    return found


def _pinned(database: "_Reading") -> tuple[Any, int]:
    """The records' own values at the revision that they have now."""
    from detente.database import View
    from detente.v1 import values_pb2

    revision = database.revision
    at = values_pb2.ReadPoint(revision=revision)
    return View(database._session, database._label, at), revision


def _prepared(
    database: "_Reading",
    name: str,
    module: Any,
    what: str | Iterable[str] | RecordList[Any] | None,
    filter: Any,
    where: Mapping[str, Any] | None,
    columns: Iterable[str] | None,
    show_deleted: bool,
) -> Export:
    form = FORMATS[name]
    taken: tuple[str, ...] = getattr(module, "COLLECTIONS", ())
    if form.graph and columns is not None:
        raise errors.invalid("columns", f"{name} has none of these; leave it out")
    if isinstance(what, RecordList):
        if filter or where or show_deleted:
            raise errors.invalid("filter", "the query has a filter of its own; leave it out")
        database, lists = _of_list(database, what), {what._field: what}
    else:
        every = taken or _contract.resources()
        lists = _of_collections(database, what, filter, where, show_deleted, every)
    _refuse(name, form, taken, lists)
    view, revision = _pinned(database)
    return _export(database, view, revision, lists, columns, form.needs)


def _export(
    database: "_Reading",
    view: Any,
    revision: int,
    lists: Mapping[str, RecordList[Any]],
    columns: Iterable[str] | None,
    needs: tuple[str, ...],
) -> Export:
    metadata: dict[str, Any] = {
        "detente_export": VERSION,
        "collections": list(lists),
        "revision": revision,
    }
    at = database._at
    if at is not None and at.WhichOneof("point") == "snapshot":
        method = _contract.method("/detente.v1.SnapshotService/GetSnapshot")
        snapshot = database._session.call(method, method.request(name=at.snapshot))
        metadata["snapshot"] = snapshot.name
        metadata["snapshot_checksum"] = snapshot.current_checksum
    filters = {collection: found._request.filter for collection, found in lists.items()}
    one_filter = next(iter(filters.values()))
    if any(filters.values()):
        metadata["filter"] = one_filter if len(set(filters.values())) == 1 else filters
    first = next(iter(lists.values()))
    for name in _QUERY:
        if getattr(first._request, name):
            metadata[name] = getattr(first._request, name)
    if first._limit is not None:
        metadata["limit"] = first._limit
    names = list(columns) if columns is not None and not isinstance(columns, str) else columns
    if names is not None:
        metadata["columns"] = names
    selections = []
    for collection, found in lists.items():
        descriptor = _contract.resources()[collection].message.DESCRIPTOR
        wanted = list(flat_columns(descriptor)) if names is None else chosen(descriptor, names)
        pinned = copy.copy(found)
        pinned._request = type(found._request)()
        pinned._request.CopyFrom(found._request)
        pinned._request.at.CopyFrom(view._at)
        pinned._request.page_size = found._request.page_size or _PAGE
        if names is not None:
            paths = {column.name: None for column in wanted} | dict.fromkeys(("name", *needs))
            pinned._request.read_mask.paths.extend(paths)
        selections.append(Selection(collection, descriptor, wanted, names is None, pinned))
    whole = names is None and not first._request.as_told_by and not first._request.value_policy
    return Export(view, selections, metadata, whole)


def _of_collections(
    database: "_Reading",
    what: str | Iterable[str] | None,
    filter: Any,
    where: Mapping[str, Any] | None,
    show_deleted: bool,
    every: Iterable[str],
) -> dict[str, RecordList[Any]]:
    """Lists of whole collections, or of what matches in them."""
    if what is None:
        collections = list(every)
    else:
        collections = sorted({what} if isinstance(what, str) else set(what))
    if not collections:
        raise errors.invalid("what", "no collection is named")
    lists = {}
    for collection in collections:
        reader = database.collection(collection)
        lists[collection] = reader.list(filter, where=where, show_deleted=show_deleted)
    return lists


def _of_list(database: "_Reading", query: RecordList[Any]) -> "_Reading":
    """The database or view that a query reads."""
    from detente.database import View

    request = query._request
    if query._session is not database._session:
        raise errors.invalid("what", "it is one of another connection")
    if "filter" not in request.DESCRIPTOR.fields_by_name:
        raise errors.invalid("what", "what db.….list gives expected, not revisions of a record")
    if request.HasField("read_mask"):
        raise errors.invalid("what", "it has a read_mask; give columns in its place")
    at = request.at if request.HasField("at") else database._at
    return View(database._session, database._label, at, request.as_told_by)


def _refuse(name: str, form: Format, taken: tuple[str, ...], lists: Mapping[str, Any]) -> None:
    if form.single and len(lists) > 1:
        raise errors.invalid(
            "what", f"a file of {name} holds one collection, not {', '.join(lists)}"
        )
    for collection, found in lists.items():
        if taken and collection not in taken:
            raise errors.invalid(
                "what", f"{name} has no place for {collection}; it takes {', '.join(taken)}"
            )
        if form.graph and found._request.show_deleted:
            raise errors.invalid("show_deleted", f"{name} would not show which are deleted")


def _get_many(reader: Any, names: list[str], mask: list[str]) -> dict[str, Any]:
    try:
        return {record.name: record for record in reader.get_many(names, read_mask=mask)}
    except errors.NotFoundError:
        if len(names) == 1:
            return {}
        half = len(names) // 2
        return _get_many(reader, names[:half], mask) | _get_many(reader, names[half:], mask)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
