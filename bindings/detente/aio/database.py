"""A connection to records, and views of the past."""

# Written by bindings/generate_async.py; edit detente/database.py.
# ruff: noqa
from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from detente import _contract, errors
from detente._arguments import record_name, source_name
from detente._collections import Batches
from detente._contract import Resource
from detente._session import RECORD_SERVICE, Point, new_request_id, read_point
from detente.aio._collections import Collections, Readers
from detente.aio._session import AsyncSession, new_session
from detente.aio.bulk import AsyncExports, AsyncLoads
from detente.aio.collection import AsyncCollection
from detente.aio.querying import AsyncQuerying
from detente.aio.reader import AsyncReader
from google.protobuf.message import Message

if TYPE_CHECKING:
    from detente.aio.evidence import AsyncConflicts, AsyncFindings
    from detente.aio.history import AsyncCommits, AsyncDiff
    from detente.aio.snapshots import AsyncSnapshots
    from detente.erasure import Erasure
from detente.database import BatchCollection, _actor, _Records


async def open_async(
    path: str | os.PathLike[str],
    *,
    create: bool = False,
    read_only: bool = False,
    actor: str | None = None,
) -> AsyncDatabase:
    """Opens a store in this process, without a server.

    Args:
        path: The store's file, or `:memory:` for one that lives as long as the connection.
        create: Make the file if there is none; otherwise its absence is an error.
        read_only: For reading alone, also while another process writes; its commits are seen.
        actor: Who makes the commits, at most 256 bytes, kept with them as it is claimed; None =
            the variable DETENTE_ACTOR, or nobody.

    Raises:
        NotFoundError: There is no such file.
        FailedPreconditionError: Another process writes it.

    Example:
        >>> async with await detente.open_async("belarus.db") as db:
        ...     print((await db.releases.get("by-2025-12-13")).display_name)
    """
    path = errors.text("path", os.fspath(path))
    session = await new_session(
        "open", path, create=create, read_only=read_only, actor=_actor(actor)
    )
    return AsyncDatabase(session, f"detente.open_async({path!r})")


async def connect_async(
    target: str,
    *,
    token: str | None = None,
    actor: str | None = None,
    ca_cert: str | None = None,
    tls: bool | None = None,
    timeout: float = 30.0,
) -> AsyncDatabase:
    """Connects to a server. The first call finds out whether it is there.

    Args:
        target: Its address, such as `localhost:7400`.
        token: A bearer token.
        actor: Who makes the commits, at most 256 bytes, kept with them as it is claimed; None =
            the variable DETENTE_ACTOR, or nobody.
        ca_cert: A file of certificates (PEM) to trust; None = the system's.
        tls: Whether to encrypt; None = yes, except to this machine itself.
        timeout: Seconds that each call may take.

    Example:
        >>> async with await detente.connect_async("localhost:7400") as db:
        ...     print(db.releases.list())
    """
    for argument, given in (("token", token), ("ca_cert", ca_cert)):
        errors.text(argument, given or "")
    session = await new_session(
        "connect",
        errors.text("target", target),
        token=token,
        actor=_actor(actor),
        ca_cert=ca_cert,
        tls=tls,
        timeout=timeout,
    )
    return AsyncDatabase(session, f"detente.connect_async({target!r})")


class _Reading(_Records, AsyncQuerying, AsyncExports):
    def __init__(
        self, session: AsyncSession, label: str, at: Any = None, as_told_by: str = ""
    ) -> None:
        self._session = session
        self._label = label
        self._at = at
        self._as_told_by = as_told_by

    @property
    async def revision(self) -> int:
        """The revision of the newest commit; of a view, the one that it shows."""
        method = next(iter(_contract.resources().values())).list
        request = method.request(page_size=1)
        request.read_mask.paths.append("name")
        if self._at is not None:
            request.at.CopyFrom(self._at)
        revision: int = (await self._session.call(method, request)).revision
        return revision

    def at(self, point: Point) -> AsyncView:
        """A read-only view of the past.

        Args:
            point: A revision, a time (its last commit at or before it), or a snapshot, its name
                or its id.

        Example:
            >>> await db.at(7).releases.get("by-2025-12-13")
            >>> db.at("snapshots/paper-2026").persons.list()
        """
        if self._at is not None:
            raise errors.invalid("at", f"{self._label} is of one revision already")
        label = f"{self._label}.at({getattr(point, 'name', point)!r})"
        return AsyncView(self._session, label, read_point(point), self._as_told_by)

    def as_told_by(self, source: Message | str) -> AsyncView:
        """A read-only view in which records have the values of one source.

        What the source does not speak of is absent.

        Args:
            source: The source, its name or its id.

        Example:
            >>> (await db.as_told_by("viasna").releases.get("by-2025-12-13")).headcount
        """
        name = source_name(source)
        if not name:
            raise errors.invalid("as_told_by", "a source, its name or its id, not ''")
        return AsyncView(self._session, f"{self._label}.as_told_by({name!r})", self._at, name)

    def conflicts(self, *collections: str, fields: Iterable[str] = ()) -> AsyncConflicts:
        """The fields of which sources disagree, record by record.

        Args:
            collections: Of which (`releases`); none = of all.
            fields: Paths of the fields; an element of a list is `[*]` or named. None = all.

        Example:
            >>> async for conflict in db.conflicts("releases", fields=["headcount"]):
            ...     print(conflict.name, conflict.value, conflict.alternatives)
        """
        from detente.aio import evidence

        return evidence.conflicts(self._session, collections, fields, self._at)

    def findings(self, checks: Iterable[str] = (), *, record: Message | str = "") -> AsyncFindings:
        """What is odd across records, check by check.

        Args:
            checks: Which (`groups-do-not-sum`); none = all.
            record: A record, or its name: what is about it alone.

        Example:
            >>> db.findings(record="releases/by-2025-12-13")
        """
        from detente.aio import evidence

        name = record_name("record", record) if record else ""
        return evidence.findings(self._session, checks, name, self._at)

    def __repr__(self) -> str:
        return self._label


class AsyncView(_Reading, Readers):
    """The records at one revision, or as one source has them; read only.

    `db.at(7).releases.get(…)`, `db.as_told_by("bbc").releases.list()`, or both in a row.
    """

    def _of(self, resource: Resource) -> AsyncReader[Any]:
        return AsyncReader(self._session, resource, self._label, self._at, self._as_told_by)


class AsyncDatabase(_Reading, Collections, AsyncLoads):
    """The records of a server or a file, one attribute for each collection: `db.releases`.

    Made by `detente.connect_async` and `detente.open_async`; an asynchronous context manager that
    closes itself. It belongs to one event loop.
    """

    def batch(
        self, *, reason: str = "", validate_only: bool = False, request_id: str = ""
    ) -> AsyncBatch:
        """Writes that become one commit, or none of them, when the `async with` block ends.

        Args:
            reason: Why, kept on the commit.
            validate_only: Check everything, write nothing.
            request_id: A text of at most 64 characters; empty = a new UUID.

        Example:
            >>> async with db.batch(reason="second list") as batch:
            ...     batch.persons.create(id="a-b", display_name="A. B.")
            ...     batch.releases.update("by-2025-09-11", note="See the second list.")
            >>> batch.results[0].name
            'persons/a-b'
        """
        return AsyncBatch(self._session, reason, validate_only, request_id)

    @property
    def commits(self) -> AsyncCommits:
        """The commits: what changed, when, by whom and why."""
        from detente.aio.history import AsyncCommits

        return AsyncCommits(self._session)

    @property
    def snapshots(self) -> AsyncSnapshots:
        """Named states of the store, to cite."""
        from detente.aio.snapshots import AsyncSnapshots

        return AsyncSnapshots(self._session)

    def diff(
        self, base: Point | None, target: Point | None = None, *, record: Message | str = ""
    ) -> AsyncDiff:
        """What differs between two states of the store, record by record and field by field.

        Args:
            base: The state before: a revision, a time or a snapshot; 0 or None = the empty store.
            target: The state after; None = the newest.
            record: A record, or its name: what differs of it alone.

        Example:
            >>> db.diff(7)
            >>> db.diff("snapshots/paper-2026", record="releases/by-2025-12-13")
        """
        from detente.aio import history

        name = record_name("record", record) if record else ""
        return history.diff(self._session, base, target, name)

    async def erase(
        self,
        records: Message | str | Iterable[Message | str],
        *,
        reason: str = "",
        validate_only: bool = False,
        request_id: str = "",
    ) -> Erasure:
        """Erases records of any collections from every revision; see `AsyncCollection.erase`.

        Args:
            records: A record or its full name; or several.
            reason: Why, kept on the commit: it must not tell what was erased.
            validate_only: Erase nothing; report what would be.
            request_id: A text of at most 64 characters; empty = a new UUID.
        """
        from detente.aio import erasure

        several = [records] if isinstance(records, Message | str) else records
        names = [record_name("records", record) for record in several]
        return await erasure.erase(self._session, names, reason, validate_only, request_id)

    async def close(self) -> None:
        """Ends the connection; calls of other tasks end with
        `detente.CancelledError`."""
        await self._session.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._session.connection.closed

    async def __aenter__(self) -> AsyncDatabase:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _of(self, resource: Resource) -> AsyncCollection[Any]:
        return AsyncCollection(self._session, resource, self._label)


class AsyncBatch(_Records, Batches):
    """Writes that are sent together; see `AsyncDatabase.batch`.

    Attributes:
        results: One for each write, in order, with `name`, `uid`, `etag`, `revision` and what
            became of it, `kind`; filled when the block has ended.
        revision: The commit's revision; the newest one where nothing changed.
    """

    def __init__(
        self, session: AsyncSession, reason: str, validate_only: bool, request_id: str
    ) -> None:
        self._session = session
        self._method = _contract.method(f"{RECORD_SERVICE}/BatchWrite")
        self._request = self._method.request(
            reason=reason, validate_only=validate_only, request_id=request_id or new_request_id()
        )
        self.results: list[Any] = []
        self.revision = 0

    async def __aenter__(self) -> AsyncBatch:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and len(self):
            response = await self._session.call(self._method, self._request)
            self.results = list(response.results)
            self.revision = response.revision

    def __len__(self) -> int:
        return len(self._request.operations)

    def __repr__(self) -> str:
        return f"detente.Batch of {len(self)} writes"

    def _of(self, resource: Resource) -> BatchCollection[Any]:
        return BatchCollection(self._request, resource)
