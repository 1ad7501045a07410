"""Named states of the store: to read, to cite, and to hand on in a form that can be checked."""

# Written by bindings/generate_async.py; edit detente/snapshots.py.
# ruff: noqa
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import IO, Any

from detente import _contract, errors
from detente._progress import Progress
from detente._session import Point, read_point, snapshot_name
from detente.aio._session import AsyncSession
from detente.aio._threads import in_thread, shown
from detente.aio.listing import AsyncListing
from detente.snapshots import _SERVICE, _STYLES
from google.protobuf.message import Message


class AsyncSnapshots:
    """The snapshots of a database: `db.snapshots`.

    They are named by id (`paper-2026`) or in full (`snapshots/paper-2026`); `db.at` reads one.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create(self, id: str = "", *, title: str = "", at: Point | None = None) -> Any:
        """Names a state of the store, and returns the `detente.Snapshot`.

        Args:
            id: Its id, for ever; perhaps as `snapshots/{id}`.
            title: What a person reads.
            at: A revision, a time or another snapshot; None = the newest state.

        Raises:
            AlreadyExistsError: The id is taken, or was once.

        Example:
            >>> await db.snapshots.create("paper-2026", title="Data for the paper")
        """
        method = self._method("CreateSnapshot")
        request = method.request(snapshot_id=errors.text("id", id).removeprefix("snapshots/"))
        request.snapshot.title = errors.text("title", title)
        if at is not None:
            request.snapshot.revision = await self._revision(at)
        request.snapshot.SetInParent()
        return await self._session.call(method, request)

    async def get(self, snapshot: str | Message) -> Any:
        """One snapshot, a `detente.Snapshot`, also a deleted one."""
        method = self._method("GetSnapshot")
        return await self._session.call(method, method.request(name=snapshot_name(snapshot)))

    def list(self, *, show_deleted: bool = False) -> AsyncSnapshotList:
        """The snapshots, in the order of their names."""
        method = self._method("ListSnapshots")
        request = method.request(show_deleted=show_deleted)
        return AsyncSnapshotList(self._session, method, request, "snapshots")

    async def delete(self, snapshot: str | Message) -> Any:
        """Withdraws a snapshot: it is not read any more, and its id is never given again.

        The records and their history stay.
        """
        method = self._method("DeleteSnapshot")
        return await self._session.call(method, method.request(name=snapshot_name(snapshot)))

    def entries(self, snapshot: str | Message) -> AsyncListing[Any]:
        """Its records with what its checksum is made of, as messages `detente.SnapshotEntry`."""
        method = self._method("ListSnapshotEntries")
        request = method.request(name=snapshot_name(snapshot))
        return _Entries(self._session, method, request, "entries")

    async def export(
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
            >>> await db.snapshots.export("paper-2026", "paper-2026.jsonl")
        """
        made: Any = await in_thread(self, "export", snapshot, to, progress=progress)
        return made

    async def cite(
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
            >>> print(await db.snapshots.cite("paper-2026", style="bibtex", author="Doe, Ada"))
        """
        from detente import citing

        if style not in _STYLES:
            raise errors.invalid("style", f"one of {', '.join(_STYLES)} expected, not {style!r}")
        named = [author] if isinstance(author, str) else list(author or ())
        authors = [one for one in named if one.strip()]
        write: Callable[..., str] = getattr(citing, style)
        return write(await self.get(snapshot), authors, url or "")

    def __repr__(self) -> str:
        return shown(self)

    def _method(self, name: str) -> Any:
        return _contract.method(f"{_SERVICE}/{name}")

    async def _revision(self, at: Point) -> int:
        if isinstance(at, int) and (not isinstance(at, bool)):
            if not 0 < at < 1 << 63:
                raise errors.invalid("at", f"revisions are counted from 1, got {at}")
            return at
        method = next(iter(_contract.resources().values())).list
        request = method.request(page_size=1, at=read_point(at))
        request.read_mask.paths.append("name")
        revision: int = (await self._session.call(method, request)).revision
        return revision


class AsyncSnapshotList(AsyncListing[Any]):
    """Snapshots, as messages `detente.Snapshot`, fetched page by page."""


class _Entries(AsyncListing[Any]):
    pass
