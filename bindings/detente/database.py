"""A connection to records, and views of the past."""

import datetime
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import Message

from detente import _contract, errors
from detente._collections import Batches, Collections, Readers
from detente._contract import Resource
from detente._session import (
    RECORD_SERVICE,
    Session,
    new_request_id,
    new_session,
    read_point,
)
from detente.collection import (
    Collection,
    Paths,
    Reader,
    changed,
    name_and_etag,
    new_record,
)

R = TypeVar("R", bound=Message)


def open(
    path: str | os.PathLike[str], *, create: bool = False, read_only: bool = False
) -> "Database":
    """Opens a store in this process, without a server.

    Args:
        path: The store's file, or `:memory:` for one that lives as long as the connection.
        create: Make the file if there is none; otherwise its absence is an error.
        read_only: For reading alone, also while another process writes; its commits are seen.

    Raises:
        NotFoundError: There is no such file.
        FailedPreconditionError: Another process writes it.

    Example:
        >>> with detente.open("belarus.db") as db:
        ...     print(db.releases.get("by-2025-12-13").display_name)
    """
    path = os.fspath(path)
    session = new_session("open", path, create=create, read_only=read_only)
    return Database(session, f"detente.open({path!r})")


def connect(
    target: str,
    *,
    token: str | None = None,
    ca_cert: str | None = None,
    tls: bool | None = None,
    timeout: float = 30.0,
) -> "Database":
    """Connects to a server. The first call finds out whether it is there.

    Args:
        target: Its address, such as `localhost:7400`.
        token: A bearer token.
        ca_cert: A file of certificates (PEM) to trust; None = the system's.
        tls: Whether to encrypt; None = yes, except to this machine itself.
        timeout: Seconds that each call may take.

    Example:
        >>> with detente.connect("localhost:7400") as db:
        ...     print(db.releases.list())
    """
    options = {"token": token, "ca_cert": ca_cert, "tls": tls, "timeout": timeout}
    return Database(new_session("connect", target, **options), f"detente.connect({target!r})")


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


class _Reading(_Records):
    def __init__(self, session: Session, label: str, at: Any = None) -> None:
        self._session = session
        self._label = label
        self._at = at

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

    def __repr__(self) -> str:
        return self._label


class View(_Reading, Readers):
    """The records as they were at one revision: `db.at(7).releases.get(…)`; read only."""

    def _of(self, resource: Resource) -> Reader[Any]:
        return Reader(self._session, resource, self._label, self._at)


class Database(_Reading, Collections):
    """The records of a server or a file, one attribute for each collection: `db.releases`.

    Made by `detente.connect` and `detente.open`; a context manager that closes itself. Threads may
    share it.
    """

    def at(self, point: int | datetime.datetime | str) -> View:
        """A read-only view of the past.

        Args:
            point: A revision, a time (its last commit at or before it), or the name of a snapshot.

        Example:
            >>> db.at(7).releases.get("by-2025-12-13")
        """
        return View(self._session, f"{self._label}.at({point!r})", read_point(point))

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

    def close(self) -> None:
        """Ends the connection; calls in other threads end with `CancelledError`."""
        self._session.connection.close()

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
        results: One for each write, in order, with `name`, `uid`, `etag` and `revision`; filled
            when the block has ended.
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
        operation.record_id = id

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
