"""A connection to records, and views of the past."""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import Message

from detente import _contract, errors
from detente._arguments import (
    Paths,
    changed,
    name_and_etag,
    new_record,
    record_name,
    source_name,
)
from detente._collections import Batches, Collections, Readers
from detente._contract import Resource
from detente._session import (
    RECORD_SERVICE,
    Point,
    Session,
    new_request_id,
    new_session,
    read_point,
)
from detente.bulk import Exports, Loads
from detente.collection import Collection
from detente.querying import Querying
from detente.reader import Reader

if TYPE_CHECKING:
    from detente.erasure import Erasure
    from detente.evidence import Conflicts, Findings
    from detente.history import Commits, Diff
    from detente.snapshots import Snapshots

R = TypeVar("R", bound=Message)


def open(
    path: str | os.PathLike[str],
    *,
    create: bool = False,
    read_only: bool = False,
    actor: str | None = None,
) -> "Database":
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
        >>> with detente.open("belarus.db") as db:
        ...     print(db.releases.get("by-2025-12-13").display_name)
    """
    path = errors.text("path", os.fspath(path))
    session = new_session("open", path, create=create, read_only=read_only, actor=_actor(actor))
    return Database(session, f"detente.open({path!r})")


def connect(
    target: str,
    *,
    token: str | None = None,
    actor: str | None = None,
    ca_cert: str | None = None,
    tls: bool | None = None,
    timeout: float = 30.0,
) -> "Database":
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
        >>> with detente.connect("localhost:7400") as db:
        ...     print(db.releases.list())
    """
    for argument, given in (("token", token), ("ca_cert", ca_cert)):
        errors.text(argument, given or "")
    session = new_session(
        "connect",
        errors.text("target", target),
        token=token,
        actor=_actor(actor),
        ca_cert=ca_cert,
        tls=tls,
        timeout=timeout,
    )
    return Database(session, f"detente.connect({target!r})")


def _actor(actor: str | None) -> str:
    return errors.text("actor", os.environ.get("DETENTE_ACTOR", "") if actor is None else actor)


class _Records:
    """Collections as attributes, one for each resource of the contract."""

    def collection(self, name: str) -> Any:
        """A collection by its name, for programs that learn the name only when they run."""
        if name not in _contract.resources():
            raise errors.invalid("collection", _no_such(name))
        return getattr(self, name)

    def _of(self, resource: Resource) -> Any:
        raise NotImplementedError

    if not TYPE_CHECKING:  # the stubs name them one by one

        def __getattr__(self, name: str) -> Any:
            resource = None if name.startswith("_") else _contract.resources().get(name)
            if resource is None:
                raise AttributeError(_no_such(name), name=name, obj=self)
            collection = self._of(resource)
            self.__dict__[name] = collection
            return collection

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_contract.resources()})


class _Reading(_Records, Querying, Exports):
    def __init__(self, session: Session, label: str, at: Any = None, as_told_by: str = "") -> None:
        self._session = session
        self._label = label
        self._at = at
        self._as_told_by = as_told_by

    @property
    def revision(self) -> int:
        """The revision of the newest commit; of a view, the one that it shows."""
        method = next(iter(_contract.resources().values())).list
        request = method.request(page_size=1)
        request.read_mask.paths.append("name")
        if self._at is not None:
            request.at.CopyFrom(self._at)
        revision: int = self._session.call(method, request).revision
        return revision

    def at(self, point: Point) -> "View":
        """A read-only view of the past.

        Args:
            point: A revision, a time (its last commit at or before it), or a snapshot, its name
                or its id.

        Example:
            >>> db.at(7).releases.get("by-2025-12-13")
            >>> db.at("snapshots/paper-2026").persons.list()
        """
        if self._at is not None:
            raise errors.invalid("at", f"{self._label} is of one revision already")
        label = f"{self._label}.at({getattr(point, 'name', point)!r})"
        return View(self._session, label, read_point(point), self._as_told_by)

    def as_told_by(self, source: Message | str) -> "View":
        """A read-only view in which records have the values of one source.

        What the source does not speak of is absent.

        Args:
            source: The source, its name or its id.

        Example:
            >>> db.as_told_by("viasna").releases.get("by-2025-12-13").headcount
        """
        name = source_name(source)
        if not name:
            raise errors.invalid("as_told_by", "a source, its name or its id, not ''")
        return View(self._session, f"{self._label}.as_told_by({name!r})", self._at, name)

    def conflicts(self, *collections: str, fields: Iterable[str] = ()) -> "Conflicts":
        """The fields of which sources disagree, record by record.

        Args:
            collections: Of which (`releases`); none = of all.
            fields: Paths of the fields; an element of a list is `[*]` or named. None = all.

        Example:
            >>> for conflict in db.conflicts("releases", fields=["headcount"]):
            ...     print(conflict.name, conflict.value, conflict.alternatives)
        """
        from detente import evidence

        return evidence.conflicts(self._session, collections, fields, self._at)

    def findings(self, checks: Iterable[str] = (), *, record: Message | str = "") -> "Findings":
        """What is odd across records, check by check.

        Args:
            checks: Which (`groups-do-not-sum`); none = all.
            record: A record, or its name: what is about it alone.

        Example:
            >>> db.findings(record="releases/by-2025-12-13")
        """
        from detente import evidence

        name = record_name("record", record) if record else ""
        return evidence.findings(self._session, checks, name, self._at)

    def __repr__(self) -> str:
        return self._label


class View(_Reading, Readers):
    """The records at one revision, or as one source has them; read only.

    `db.at(7).releases.get(…)`, `db.as_told_by("bbc").releases.list()`, or both in a row.
    """

    def _of(self, resource: Resource) -> Reader[Any]:
        return Reader(self._session, resource, self._label, self._at, self._as_told_by)


class Database(_Reading, Collections, Loads):
    """The records of a server or a file, one attribute for each collection: `db.releases`.

    Made by `detente.connect` and `detente.open`; a context manager that closes itself. Threads may
    share it.
    """

    def batch(
        self, *, reason: str = "", validate_only: bool = False, request_id: str = ""
    ) -> "Batch":
        """Writes that become one commit, or none of them, when the `with` block ends.

        Args:
            reason: Why, kept on the commit.
            validate_only: Check everything, write nothing.
            request_id: A text of at most 64 characters; empty = a new UUID.

        Example:
            >>> with db.batch(reason="second list") as batch:
            ...     batch.persons.create(id="a-b", display_name="A. B.")
            ...     batch.releases.update("by-2025-09-11", note="See the second list.")
            >>> batch.results[0].name
            'persons/a-b'
        """
        return Batch(self._session, reason, validate_only, request_id)

    @property
    def commits(self) -> "Commits":
        """The commits: what changed, when, by whom and why."""
        from detente.history import Commits

        return Commits(self._session)

    @property
    def snapshots(self) -> "Snapshots":
        """Named states of the store, to cite."""
        from detente.snapshots import Snapshots

        return Snapshots(self._session)

    def diff(
        self, base: Point | None, target: Point | None = None, *, record: Message | str = ""
    ) -> "Diff":
        """What differs between two states of the store, record by record and field by field.

        Args:
            base: The state before: a revision, a time or a snapshot; 0 or None = the empty store.
            target: The state after; None = the newest.
            record: A record, or its name: what differs of it alone.

        Example:
            >>> db.diff(7)
            >>> db.diff("snapshots/paper-2026", record="releases/by-2025-12-13")
        """
        from detente import history

        name = record_name("record", record) if record else ""
        return history.diff(self._session, base, target, name)

    def erase(
        self,
        records: Message | str | Iterable[Message | str],
        *,
        reason: str = "",
        validate_only: bool = False,
        request_id: str = "",
    ) -> "Erasure":
        """Erases records of any collections from every revision; see `Collection.erase`.

        Args:
            records: A record or its full name; or several.
            reason: Why, kept on the commit: it must not tell what was erased.
            validate_only: Erase nothing; report what would be.
            request_id: A text of at most 64 characters; empty = a new UUID.
        """
        from detente import erasure

        several = [records] if isinstance(records, Message | str) else records
        names = [record_name("records", record) for record in several]
        return erasure.erase(self._session, names, reason, validate_only, request_id)

    def close(self) -> None:
        """Ends the connection; calls in other threads end with `CancelledError`."""
        self._session.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._session.connection.closed

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _of(self, resource: Resource) -> Collection[Any]:
        return Collection(self._session, resource, self._label)


class Batch(_Records, Batches):
    """Writes that are sent together; see `Database.batch`.

    Attributes:
        results: One for each write, in order, with `name`, `uid`, `etag`, `revision` and what
            became of it, `kind`; filled when the block has ended.
        revision: The commit's revision; the newest one where nothing changed.
    """

    def __init__(self, session: Session, reason: str, validate_only: bool, request_id: str) -> None:
        self._session = session
        self._method = _contract.method(f"{RECORD_SERVICE}/BatchWrite")
        self._request = self._method.request(
            reason=reason, validate_only=validate_only, request_id=request_id or new_request_id()
        )
        self.results: list[Any] = []
        self.revision = 0

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and len(self):
            response = self._session.call(self._method, self._request)
            self.results = list(response.results)
            self.revision = response.revision

    def __len__(self) -> int:
        return len(self._request.operations)

    def __repr__(self) -> str:
        return f"detente.Batch of {len(self)} writes"

    def _of(self, resource: Resource) -> "BatchCollection[Any]":
        return BatchCollection(self._request, resource)


class BatchCollection(Generic[R]):
    """The writes of a batch to one collection; arguments as those of `Collection`."""

    def __init__(self, request: Any, resource: Resource) -> None:
        self._request = request
        self._resource = resource

    def create(self, record: R | None = None, *, id: str = "", **fields: Any) -> None:
        """Creates a record; see `Collection.create`."""
        message = new_record(self._resource, record, fields)
        operation = self._request.operations.add().create
        operation.record.Pack(message)
        operation.record_id = errors.text("id", id)

    def update(
        self,
        record: R | str,
        *,
        update_mask: Paths | None = None,
        allow_missing: bool = False,
        **fields: Any,
    ) -> None:
        """Changes a record; see `Collection.update`."""
        message, mask = changed(self._resource, record, update_mask, fields)
        operation = self._request.operations.add().update
        operation.record.Pack(message)
        operation.update_mask.paths.extend(mask)
        operation.allow_missing = allow_missing

    def delete(self, record: R | str, *, force: bool = False) -> None:
        """Deletes a record, softly; see `Collection.delete`."""
        name, etag = name_and_etag(self._resource, record)
        operation = self._request.operations.add().soft_delete
        operation.name, operation.etag, operation.force = name, etag, force

    def undelete(self, record: R | str) -> None:
        """Takes a deletion back; see `Collection.undelete`."""
        name, etag = name_and_etag(self._resource, record)
        operation = self._request.operations.add().undelete
        operation.name, operation.etag = name, etag

    def __repr__(self) -> str:
        return f"batch.{self._resource.collection}"


def _no_such(name: str) -> str:
    import difflib

    known = list(_contract.resources())
    near = difflib.get_close_matches(name, known, 1)
    return f"no collection {name!r}; " + (
        f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    )
