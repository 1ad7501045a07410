"""Named states of the store: to read, to cite, and to hand on in a form that can be checked."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from google.protobuf.message import Message

from detente import _contract, _progress, _writing, display, errors
from detente._progress import Progress, Tell
from detente._session import Point, Session, read_point, snapshot_name
from detente.listing import Listing

_SERVICE = "/detente.v1.SnapshotService"
_FORMAT = 1  # of an export
_STYLES = ("text", "bibtex", "cff")


class Snapshots:
    """The snapshots of a database: `db.snapshots`.

    They are named by id (`paper-2026`) or in full (`snapshots/paper-2026`); `db.at` reads one.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, id: str = "", *, title: str = "", at: Point | None = None) -> Any:
        """Names a state of the store, and returns the `detente.Snapshot`.

        Args:
            id: Its id, for ever; perhaps as `snapshots/{id}`.
            title: What a person reads.
            at: A revision, a time or another snapshot; None = the newest state.

        Raises:
            AlreadyExistsError: The id is taken, or was once.

        Example:
            >>> db.snapshots.create("paper-2026", title="Data for the paper")
        """
        method = self._method("CreateSnapshot")
        request = method.request(snapshot_id=errors.text("id", id).removeprefix("snapshots/"))
        request.snapshot.title = errors.text("title", title)
        if at is not None:
            request.snapshot.revision = self._revision(at)
        request.snapshot.SetInParent()
        return self._session.call(method, request)

    def get(self, snapshot: str | Message) -> Any:
        """One snapshot, a `detente.Snapshot`, also a deleted one."""
        method = self._method("GetSnapshot")
        return self._session.call(method, method.request(name=snapshot_name(snapshot)))

    def list(self, *, show_deleted: bool = False) -> "SnapshotList":
        """The snapshots, in the order of their names."""
        method = self._method("ListSnapshots")
        request = method.request(show_deleted=show_deleted)
        return SnapshotList(self._session, method, request, "snapshots")

    def delete(self, snapshot: str | Message) -> Any:
        """Withdraws a snapshot: it is not read any more, and its id is never given again.

        The records and their history stay.
        """
        method = self._method("DeleteSnapshot")
        return self._session.call(method, method.request(name=snapshot_name(snapshot)))

    def entries(self, snapshot: str | Message) -> Listing[Any]:
        """Its records with what its checksum is made of, as messages `detente.SnapshotEntry`."""
        method = self._method("ListSnapshotEntries")
        request = method.request(name=snapshot_name(snapshot))
        return _Entries(self._session, method, request, "entries")

    def export(
        self,
        snapshot: str | Message,
        to: str | os.PathLike[str] | IO[Any],
        *,
        progress: Progress = None,
    ) -> Any:
        """Writes a snapshot as lines of JSON, which `detente.check_snapshot` checks.

        The bytes are the same whenever it is made, until an erasure. A file appears whole or not
        at all.

        Args:
            snapshot: The snapshot, its id or its name.
            to: A path, or a file that is open for writing.
            progress: Called with the numbers of records that are written, and of all. None = a bar,
                on a terminal or in a notebook; False = nothing.

        Returns:
            The `detente.Snapshot`.

        Raises:
            ConflictError: An erasure came between; export it again.

        Example:
            >>> db.snapshots.export("paper-2026", "paper-2026.jsonl")
        """
        found = self.get(snapshot)
        with _progress.told(progress, "export") as tell:
            lines = self._lines(found, tell)
            if isinstance(to, str | os.PathLike):
                _write(Path(to), lines)
            elif not hasattr(to, "write"):
                raise errors.invalid("to", f"a path or an open file expected, not {to!r}")
            else:
                text = hasattr(to, "encoding")
                for line in lines:
                    to.write(line if text else line.encode())
        return found

    def cite(
        self,
        snapshot: str | Message,
        *,
        style: str = "text",
        author: str | Iterable[str] | None = None,
        url: str | None = None,
    ) -> str:
        """How to cite a snapshot: with its name, revision, date and checksum.

        Args:
            snapshot: The snapshot, its id or its name.
            style: `text`, `bibtex`, or `cff` for a file CITATION.cff.
            author: Who is to be named, `Family, Given` for a person; or several.
            url: Where it is published.

        Example:
            >>> print(db.snapshots.cite("paper-2026", style="bibtex", author="Doe, Ada"))
        """
        from detente import citing

        if style not in _STYLES:
            raise errors.invalid("style", f"one of {', '.join(_STYLES)} expected, not {style!r}")
        named = [author] if isinstance(author, str) else list(author or ())
        authors = [one for one in named if one.strip()]
        write: Callable[..., str] = getattr(citing, style)
        return write(self.get(snapshot), authors, url or "")

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()

    def _method(self, name: str) -> Any:
        return _contract.method(f"{_SERVICE}/{name}")

    def _revision(self, at: Point) -> int:
        if isinstance(at, int) and not isinstance(at, bool):
            if not 0 < at < 1 << 63:
                raise errors.invalid("at", f"revisions are counted from 1, got {at}")
            return at
        method = next(iter(_contract.resources().values())).list
        request = method.request(page_size=1, at=read_point(at))
        request.read_mask.paths.append("name")
        revision: int = self._session.call(method, request).revision
        return revision

    def _lines(self, snapshot: Any, tell: Tell) -> Iterator[str]:
        yield _line(
            {
                "detente_snapshot": _FORMAT,
                "name": snapshot.name,
                "title": snapshot.title,
                "revision": snapshot.revision,
                "create_time": snapshot.create_time.ToJsonString(),
                "record_count": snapshot.record_count,
                "checksum": snapshot.checksum,
                "current_checksum": snapshot.current_checksum,
                "erased_count": snapshot.erased_count,
            }
        )
        checksum = hashlib.sha256()
        for done, entry in enumerate(self.entries(snapshot), 1):
            checksum.update(f"{entry.name} {entry.revision} {entry.leaf}\n".encode())
            yield _entry_line(entry)
            tell(done, snapshot.record_count)
        if checksum.hexdigest() != snapshot.current_checksum:
            raise errors.ConflictError(
                f"{snapshot.name}: its records have another checksum than it had a moment ago: "
                "an erasure came between; export it again",
                reason="ERASED",
                metadata={"name": snapshot.name},
            )


class SnapshotList(Listing[Any]):
    """Snapshots, as messages `detente.Snapshot`, fetched page by page."""

    def _rows(self, found: list[Any]) -> tuple[list[str], list[list[str]]]:
        rows = [
            [
                snapshot.name,
                str(snapshot.revision),
                display.value_text(snapshot.create_time),
                f"{snapshot.record_count:,}",
                f"{snapshot.erased_count:,}" if snapshot.erased_count else "",
                "deleted" if snapshot.HasField("delete_time") else "",
                snapshot.title,
            ]
            for snapshot in found
        ]
        headings = ["name", "revision", "made", "records", "erased", "state", "title"]
        kept = [i for i in range(len(headings)) if any(row[i] for row in rows)]
        return [headings[i] for i in kept], [[row[i] for i in kept] for row in rows]


class _Entries(Listing[Any]):
    def _rows(self, found: list[Any]) -> tuple[list[str], list[list[str]]]:
        return ["name", "revision", "leaf", "erased"], [
            [entry.name, str(entry.revision), entry.leaf, "erased" if entry.erased else ""]
            for entry in found
        ]


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def _entry_line(entry: Any) -> str:
    fields = {"name": entry.name, "revision": entry.revision, "salt": entry.salt}
    fields["leaf"] = entry.leaf
    if entry.erased:
        fields["erased"] = True
    line = _line(fields)
    return f'{line[:-2]},"record":{entry.json}}}\n' if entry.json else line


def _write(path: Path, lines: Iterator[str]) -> None:
    with _writing.whole(path) as [part], part.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
