"""Reading and writing the records of one collection."""

import builtins
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from detente import errors
from detente._contract import Method, Resource
from detente._session import Session, new_request_id

R = TypeVar("R", bound=Message)

_BATCH_GET_LIMIT = 100
_PAGE_LIMIT = 1000

Paths = str | Iterable[str]


class RecordList(Generic[R]):
    """Records that are fetched page by page while they are iterated over.

    Every iteration asks anew; the pages of one iteration are read at one revision. It is true when
    it holds at least one record. Shown in a terminal or a notebook, it is a table of its first
    records.

    Example:
        >>> for release in db.releases.list(page_size=100):
        ...     print(release.name)
        >>> db.releases.list().limit(10)
    """

    def __init__(
        self,
        session: Session,
        method: Method,
        request: Message,
        resource: Resource,
        limit: int | None = None,
        until: int | None = None,
    ) -> None:
        self._session = session
        self._method = method
        self._request: Any = request
        self._resource = resource
        self._limit = limit
        self._until = until  # records changed later are left out

    def __iter__(self) -> Iterator[R]:
        request = type(self._request)()
        request.CopyFrom(self._request)
        own_size = request.page_size
        left = self._limit
        while left is None or left > 0:
            if left is not None:
                request.page_size = min(left, own_size or _PAGE_LIMIT)
            elif request.page_token and not own_size:
                request.page_size = _PAGE_LIMIT  # after a quick first page
            response = self._session.call(self._method, request)
            for record in getattr(response, self._resource.collection):
                if self._until is not None and record.revision > self._until:
                    continue
                yield record
                if left is not None:
                    left -= 1
                    if not left:
                        return
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def __bool__(self) -> bool:
        return self.first() is not None

    def limit(self, n: int) -> "RecordList[R]":
        """The same list, ended after `n` records."""
        if n < 0:
            raise errors.invalid("limit", f"{n} is negative")
        if self._limit is not None:
            n = min(n, self._limit)
        return RecordList(
            self._session, self._method, self._request, self._resource, n, self._until
        )

    def first(self) -> R | None:
        """The first record; None if there is none."""
        return next(iter(self.limit(1)), None)

    def one(self) -> R:
        """The only record.

        Raises:
            NotFoundError: There is none.
            FailedPreconditionError: There are several.
        """
        found = list(self.limit(2))
        if not found:
            raise errors.NotFoundError(f"{self._resource.collection}: no record matches")
        if len(found) > 1:
            names = " and ".join(_name(record) for record in found)
            raise errors.FailedPreconditionError(
                f"{self._resource.collection}: more than one record matches: {names}"
            )
        return found[0]

    def count(self) -> int:
        """How many records there are, by going through their names."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        request.read_mask.paths[:] = ["name"] if self._until is None else ["name", "revision"]
        request.page_size = _PAGE_LIMIT
        names: RecordList[R] = RecordList(
            self._session, self._method, request, self._resource, self._limit, self._until
        )
        return sum(1 for _ in names)

    def __repr__(self) -> str:
        from detente import display

        return display.list_text(self, self._resource.collection)

    def _repr_html_(self) -> str:
        from detente import display

        return display.list_html(self, self._resource.collection)


class Reader(Generic[R]):
    """The records of one collection, at one revision or at the newest.

    Records are named by id (`by-2025-12-13`) or in full (`releases/by-2025-12-13`); with `@` and a
    revision behind it where one is read (`by-2025-12-13@7`).
    """

    def __init__(self, session: Session, resource: Resource, owner: str, at: Any = None) -> None:
        self._session = session
        self._resource = resource
        self._owner = owner
        self._at = at

    def get(self, name: str, *, read_mask: Paths | None = None) -> R:
        """One record, also a deleted one (it has a `delete_time`).

        Args:
            name: Its id or full name, perhaps with `@revision`.
            read_mask: Paths of the fields to return; None = all.

        Raises:
            NotFoundError: There is none at that revision.

        Example:
            >>> db.releases.get("by-2025-12-13").headcount.best
            123
        """
        method = self._resource.get
        if isinstance(name, str) and "@" in name:
            name, at = self._split(name)
        else:
            at = self._at
        request = method.request(name=self._name(name))
        if at is not None:
            request.at.CopyFrom(at)
        if read_mask is not None:
            request.read_mask.paths.extend(_paths(read_mask))
        record: R = self._session.call(method, request)
        return record

    def list(
        self,
        filter: str = "",
        *,
        order_by: str = "",
        page_size: int = 0,
        show_deleted: bool = False,
        read_mask: Paths | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> RecordList[R]:
        """The records that match, in the order of their names.

        Args:
            filter: Which ones, in the language of AIP-160; empty = all.
            order_by: Another order (AIP-132), such as `effective_date desc`.
            page_size: How many to fetch at a time, at most 1,000; 0 = as it suits.
            show_deleted: Deleted ones too.
            read_mask: Paths of the fields to return; None = all.
            where: Fields and the values that they must have, joined to the filter by AND.

        Raises:
            InvalidArgumentError: While iterating: an argument is wrong.
            UnimplementedError: While iterating: the server does not serve an argument yet.

        Example:
            >>> [release.name for release in db.releases.list(where={"region_code": "BY"})]
        """
        from detente import _filter

        request = self._resource.list.request(
            filter=_filter.join(filter, where, self._resource.message.DESCRIPTOR),
            order_by=order_by,
            page_size=_int32("page_size", page_size),
            show_deleted=show_deleted,
        )
        if read_mask is not None:
            request.read_mask.paths.extend(_paths(read_mask))
        if self._at is not None:
            request.at.CopyFrom(self._at)
        return RecordList(self._session, self._resource.list, request, self._resource)

    def get_many(self, names: Iterable[str], *, read_mask: Paths | None = None) -> builtins.list[R]:
        """Records by id or name, in that order, all at one revision; any number of them.

        Raises:
            NotFoundError: One of them does not exist.
        """
        if isinstance(names, str):
            raise errors.invalid("names", f"a list of names expected, not {names!r}")
        waiting = [self._name(name) for name in names]
        found: builtins.list[R] = []
        at = self._at
        size = _BATCH_GET_LIMIT
        while waiting:
            part = waiting[:size]
            request = self._resource.batch_get.request(names=part)
            if at is not None:
                request.at.CopyFrom(at)
            if read_mask is not None:
                request.read_mask.paths.extend(_paths(read_mask))
            try:
                response = self._session.call(self._resource.batch_get, request)
            except errors.InvalidArgumentError as error:
                if error.reason != "LIMIT_EXCEEDED" or len(part) == 1:
                    raise
                size = len(part) // 2  # together they are larger than an answer may be
                continue
            found.extend(getattr(response, self._resource.collection))
            if at is None:
                at = type(request.at)(revision=response.revision)
            waiting = waiting[len(part) :]
        return found

    def revisions(
        self, name: str, *, page_size: int = 0, read_mask: Paths | None = None
    ) -> RecordList[R]:
        """The states that a record has had, newest first; `revision` tells them apart.

        A view shows those up to its revision.
        """
        request = self._resource.revisions.request(
            name=self._name(name), page_size=_int32("page_size", page_size)
        )
        if read_mask is not None:
            request.read_mask.paths.extend(_paths(read_mask))
        until = None
        if self._at is not None:
            if read_mask is not None:
                request.read_mask.paths.append("revision")
            newest = self._resource.list.request(page_size=1)
            newest.at.CopyFrom(self._at)
            until = self._session.call(self._resource.list, newest).revision
        return RecordList(
            self._session, self._resource.revisions, request, self._resource, until=until
        )

    def __repr__(self) -> str:
        return f"{self._owner}.{self._resource.collection}"

    def _name(self, name: str) -> str:
        return full_name(self._resource, name)

    def _split(self, name: str) -> tuple[str, Any]:
        name, _, revision = name.partition("@")
        if self._at is not None:
            raise errors.invalid("name", f"{name}@{revision}: this view has a revision already")
        if not (revision.isascii() and revision.isdigit()):
            raise errors.invalid("name", f"{name}@{revision}: a revision is a whole number")
        from detente._session import read_point

        return name, read_point(int(revision))


class Collection(Reader[R]):
    """The records of one collection, to be read and written.

    Every write carries a request id, so that repeating it after a lost answer does no harm, and
    may carry a `reason`, which is kept on the commit. With `validate_only` everything is checked,
    nothing is written, and what would be is returned.
    """

    def create(
        self,
        record: R | None = None,
        *,
        id: str = "",
        validate_only: bool = False,
        request_id: str = "",
        reason: str = "",
        **fields: Any,
    ) -> R:
        """Creates a record, from a message, from keywords or from both, and returns it.

        Args:
            record: The record; it is not changed.
            id: Its id; empty = from its name, or made by the server.
            validate_only: Check everything, write nothing.
            request_id: A text of at most 64 characters; empty = a new UUID.
            reason: Why, kept on the commit.
            fields: Its fields; a date may be given as its EDTF text, an estimate as a number.

        Raises:
            AlreadyExistsError: The id is taken, or was once.
            InvalidArgumentError: `field_violations` names every field that is wrong.
            FailedPreconditionError: A reference leads nowhere.

        Example:
            >>> db.releases.create(
            ...     detente.Release(display_name="Pardon of 52"),
            ...     id="by-2025-09-11",
            ...     effective_date="2025-09-11",
            ...     headcount=52,
            ... )
        """
        method = self._resource.create
        request = method.request(
            validate_only=validate_only,
            request_id=request_id or new_request_id(),
            reason=reason,
        )
        setattr(request, f"{self._resource.singular}_id", id)
        getattr(request, self._resource.singular).MergeFrom(
            new_record(self._resource, record, fields)
        )
        getattr(request, self._resource.singular).SetInParent()
        created: R = self._session.call(method, request)
        return created

    def update(
        self,
        record: R | str,
        *,
        update_mask: Paths | None = None,
        allow_missing: bool = False,
        validate_only: bool = False,
        request_id: str = "",
        reason: str = "",
        **fields: Any,
    ) -> R:
        """Changes a record and returns it as it is now.

        With keywords, those fields alone are written; with `update_mask`, the fields it names; with
        neither, all. The etag of a message is sent along, so that a change made by somebody else
        since it was read is not overwritten; clear it (`record.etag = ""`) to overwrite.

        Args:
            record: The record as read and changed, or, with keywords, its id or name.
            update_mask: Paths of the fields to write.
            allow_missing: Create it if there is none.
            validate_only: Check everything, write nothing.
            request_id: A text of at most 64 characters; empty = a new UUID.
            reason: Why, kept on the commit.
            fields: Fields and their new values; None clears one.

        Raises:
            ConflictError: It has changed since it was read.
            NotFoundError: There is none.

        Example:
            >>> release = db.releases.get("by-2025-12-13")
            >>> db.releases.update(release, note="Checked against the list.", reason="review")
        """
        method = self._resource.update
        message, mask = changed(self._resource, record, update_mask, fields)
        request = method.request(
            allow_missing=allow_missing,
            validate_only=validate_only,
            request_id=request_id or new_request_id(),
            reason=reason,
        )
        getattr(request, self._resource.singular).CopyFrom(message)
        request.update_mask.paths.extend(mask)
        updated: R = self._session.call(method, request)
        return updated

    def delete(
        self,
        record: R | str,
        *,
        force: bool = False,
        validate_only: bool = False,
        request_id: str = "",
        reason: str = "",
    ) -> R:
        """Deletes a record, softly: `get` still returns it, and `undelete` takes it back.

        Args:
            record: Its id or name; or the record as read, whose etag is then checked.
            force: Although live records refer to it.
            validate_only: Check everything, write nothing.
            request_id: A text of at most 64 characters; empty = a new UUID.
            reason: Why, kept on the commit.

        Raises:
            FailedPreconditionError: Live records refer to it.
            NotFoundError: There is none, or it is deleted already.
            ConflictError: It has changed since it was read.
        """
        return self._name_write(
            self._resource.delete, record, validate_only, request_id, reason, force=force
        )

    def undelete(
        self,
        record: R | str,
        *,
        validate_only: bool = False,
        request_id: str = "",
        reason: str = "",
    ) -> R:
        """Takes a deletion back; arguments as those of `delete`.

        Raises:
            AlreadyExistsError: It is not deleted.
        """
        return self._name_write(self._resource.undelete, record, validate_only, request_id, reason)

    def _name_write(
        self,
        method: Method,
        record: R | str,
        validate_only: bool,
        request_id: str,
        reason: str,
        **more: bool,
    ) -> R:
        name, etag = name_and_etag(self._resource, record)
        written: R = self._session.call(
            method,
            method.request(
                name=name,
                etag=etag,
                validate_only=validate_only,
                request_id=request_id or new_request_id(),
                reason=reason,
                **more,
            ),
        )
        return written


def full_name(resource: Resource, name: str) -> str:
    """`releases/x` for `x` or `releases/x`."""
    if not isinstance(name, str):
        raise errors.invalid("name", f"an id or a name expected, not {type(name).__name__}")
    if "/" not in name:
        return f"{resource.collection}/{name}"
    if name.partition("/")[0] != resource.collection:
        raise errors.invalid("name", f"{name!r} is not one of {resource.collection}")
    return name


def new_record(resource: Resource, record: Message | None, fields: Mapping[str, Any]) -> Message:
    """A copy of `record` with `fields` set."""
    message: Message = resource.message()
    if record is not None:
        _check_type(resource, record)
        message.CopyFrom(record)
    _set(resource, message, fields)
    return message


def changed(
    resource: Resource,
    record: Message | str,
    update_mask: Paths | None,
    fields: Mapping[str, Any],
) -> tuple[Message, list[str]]:
    """The message and the mask of an update."""
    mask = None if update_mask is None else _paths(update_mask)
    if isinstance(record, str):
        if not fields:
            raise errors.invalid("record", "with a name alone, give the fields to write")
        message: Message = resource.message(name=full_name(resource, record))
    else:
        _check_type(resource, record)
        if not _name(record):
            raise errors.invalid("record", "it has no name; is it to be created?")
        if fields and mask is None:
            message = resource.message(name=_name(record), etag=getattr(record, "etag"))  # noqa: B009
        else:
            message = resource.message()
            message.CopyFrom(record)
    _set(resource, message, fields)
    if fields:
        mask = [*(mask or ()), *(name for name in fields if name not in (mask or ()))]
    return message, ["*"] if mask is None else mask


def name_and_etag(resource: Resource, record: Message | str) -> tuple[str, str]:
    """Of a record; by its id or name alone, the etag is empty."""
    if isinstance(record, str):
        return full_name(resource, record), ""
    _check_type(resource, record)
    return full_name(resource, _name(record)), getattr(record, "etag")  # noqa: B009


def _set(resource: Resource, message: Message, fields: Mapping[str, Any]) -> None:
    descriptor = resource.message.DESCRIPTOR
    for name, value in fields.items():
        if name not in descriptor.fields_by_name:
            import difflib

            near = difflib.get_close_matches(name, list(descriptor.fields_by_name), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise errors.invalid(name, f"{descriptor.name} has no such field{hint}")
        message.ClearField(name)
        if value is not None:
            message.MergeFrom(_partial(resource, name, value))


def _partial(resource: Resource, name: str, value: Any) -> Message:
    try:
        return resource.message(**{name: value})
    except (TypeError, ValueError):
        from detente import records

        try:
            return records.from_dict(resource.message, {name: value})
        except ValueError as error:
            text = str(error).removeprefix(f"{resource.type_name}: ").removeprefix(f"{name}: ")
            raise errors.invalid(name, text) from None


def _check_type(resource: Resource, record: Any) -> None:
    if not isinstance(record, resource.message):
        raise errors.invalid(
            "record", f"a detente.{resource.type_name} expected, not {type(record).__name__}"
        )


def _name(record: Message) -> str:
    name: str = getattr(record, "name")  # noqa: B009
    return name


def _paths(mask: Paths) -> list[str]:
    return [part.strip() for part in mask.split(",")] if isinstance(mask, str) else list(mask)


def _int32(argument: str, value: int) -> int:
    if not -(2**31) <= value < 2**31:
        raise errors.invalid(argument, f"{value} is out of range")
    return value
