"""Reading and writing the records of one collection."""

import builtins
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import Message

from detente import errors
from detente._arguments import (
    Paths,
    changed,
    full_name,
    int32,
    name_and_etag,
    new_record,
    paths,
    policy,
    source_name,
)
from detente._contract import Method, Resource
from detente._session import Session, new_request_id
from detente.listing import RecordList

if TYPE_CHECKING:
    from detente.erasure import Erasure
    from detente.evidence import RecordEvidence
    from detente.history import History

R = TypeVar("R", bound=Message)

_BATCH_GET_LIMIT = 100


class Reader(Generic[R]):
    """The records of one collection, at one revision or at the newest.

    Records are named by id (`by-2025-12-13`) or in full (`releases/by-2025-12-13`); with `@` and a
    revision behind it where one is read (`by-2025-12-13@7`).

    Where sources disagree, reads return the record's own values. `as_told_by` takes a source, by
    name, id or record: its values stand in place, and what it does not speak of is absent.
    `value_policy` takes those of the citations that decide: `most_reliable`, `latest` or
    `majority`.
    """

    def __init__(
        self,
        session: Session,
        resource: Resource,
        owner: str,
        at: Any = None,
        as_told_by: str = "",
    ) -> None:
        self._session = session
        self._resource = resource
        self._owner = owner
        self._at = at
        self._as_told_by = as_told_by

    def get(
        self,
        name: str,
        *,
        read_mask: Paths | None = None,
        as_told_by: Message | str = "",
        value_policy: int | str = 0,
    ) -> R:
        """One record, also a deleted one (it has a `delete_time`).

        Args:
            name: Its id or full name, perhaps with `@revision`.
            read_mask: Paths of the fields to return; None = all.
            as_told_by: The source whose values to return; empty = as we have them.
            value_policy: Which value to return where sources disagree.

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
        self._set(request, read_mask, as_told_by, value_policy)
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
        as_told_by: Message | str = "",
        value_policy: int | str = 0,
        reviewed_only: bool = False,
    ) -> RecordList[R]:
        """The records that match, in the order of their names.

        Args:
            filter: Which ones, in the language of AIP-160; empty = all.
            order_by: Another order (AIP-132), such as `effective_date desc`.
            page_size: How many to fetch at a time, at most 1,000; 0 = as it suits.
            show_deleted: Deleted ones too.
            read_mask: Paths of the fields to return; None = all.
            where: Fields and the values that they must have, joined to the filter by AND.
            as_told_by: The source whose values to return; empty = as we have them.
            value_policy: Which value to return where sources disagree.
            reviewed_only: Only those whose state of review is REVIEWED.

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
            page_size=int32("page_size", page_size),
            show_deleted=show_deleted,
            reviewed_only=reviewed_only,
        )
        self._set(request, read_mask, as_told_by, value_policy)
        if self._at is not None:
            request.at.CopyFrom(self._at)
        return RecordList(self._session, self._resource.list, request, self._resource.collection)

    def get_many(
        self,
        names: Iterable[str],
        *,
        read_mask: Paths | None = None,
        as_told_by: Message | str = "",
        value_policy: int | str = 0,
    ) -> builtins.list[R]:
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
            self._set(request, read_mask, as_told_by, value_policy)
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
            name=self._name(name), page_size=int32("page_size", page_size)
        )
        if read_mask is not None:
            request.read_mask.paths.extend(paths(read_mask))
        until = None
        if self._at is not None:
            if read_mask is not None:
                request.read_mask.paths.append("revision")
            newest = self._resource.list.request(page_size=1)
            newest.at.CopyFrom(self._at)
            until = self._session.call(self._resource.list, newest).revision
        return RecordList(
            self._session, self._resource.revisions, request, self._resource.collection, until
        )

    def evidence(self, record: R | str, *fields: str) -> "RecordEvidence":
        """Who supports and who contradicts a record, field by field.

        Args:
            record: The record, its id or its name.
            fields: Paths, each with all that is cited below it; none = all that is cited.

        Example:
            >>> evidence = db.releases.evidence("by-2025-12-13", "headcount")
            >>> print(evidence["headcount"].value)
            {'best': 123}
        """
        from detente import evidence

        name, _ = name_and_etag(self._resource, record)
        return evidence.get(self._session, name, fields, self._at)

    def history(self, record: R | str) -> "History":
        """What became of a record: its commits, newest first, with the fields that they changed.

        A view shows those up to its revision.

        Example:
            >>> for commit in db.releases.history("by-2025-12-13"):
            ...     print(commit.revision, commit.actor, commit.reason)
        """
        from detente import history

        name, _ = name_and_etag(self._resource, record)
        return history.of(self._session, name, self._at)

    def __repr__(self) -> str:
        return f"{self._owner}.{self._resource.collection}"

    def _name(self, name: str) -> str:
        return full_name(self._resource, name)

    def _set(
        self,
        request: Any,
        read_mask: Paths | None,
        as_told_by: Message | str,
        value_policy: int | str,
    ) -> None:
        if read_mask is not None:
            request.read_mask.paths.extend(paths(read_mask))
        request.as_told_by = source_name(as_told_by) or self._as_told_by
        request.value_policy = policy(value_policy)

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

    def rollback(
        self,
        record: R | str,
        revision: int,
        *,
        validate_only: bool = False,
        request_id: str = "",
        reason: str = "",
    ) -> R:
        """Brings a record back to the content that it had at a revision of the store.

        That is a new commit, and what came between stays in the history. References are not
        checked: what has been deleted since stays deleted.

        Args:
            record: Its id or name; or the record, whose etag is then sent along.
            revision: The store's revision to go back to; any at which the record was live.
            validate_only: Check everything, write nothing.
            request_id: A text of at most 64 characters; empty = a new UUID.
            reason: Why, kept on the commit.

        Example:
            >>> db.releases.rollback("by-2025-12-13", 3, reason="the wrong list")
        """
        if isinstance(revision, bool) or not isinstance(revision, int):
            raise errors.invalid("revision", f"a revision of the store expected, not {revision!r}")
        return self._name_write(
            self._resource.rollback, record, validate_only, request_id, reason, revision=revision
        )

    def submit(self, record: R | str, *, reason: str = "") -> R:
        """Hands a record in for review: its `review_state` becomes SUBMITTED."""
        return self.update(record, review_state="SUBMITTED", reason=reason)

    def review(self, record: R | str, *, reason: str = "") -> R:
        """Says that a record has been reviewed; pass the record as it was read to mean that one."""
        return self.update(record, review_state="REVIEWED", reason=reason)

    def dispute(self, record: R | str, *, reason: str) -> R:
        """Says that a record is disputed, and why."""
        return self.update(record, review_state="DISPUTED", reason=reason)

    def erase(
        self,
        records: R | str | Iterable[R | str],
        *,
        reason: str = "",
        validate_only: bool = False,
        request_id: str = "",
    ) -> "Erasure":
        """Erases records from every revision, for a person in danger. It can't be taken back.

        Each gets a new id in every record that refers to it, and loses its content. The report
        names records that still speak of it in words.

        Args:
            records: A record, its id or its name; or several.
            reason: Why, kept on the commit: it must not tell what was erased.
            validate_only: Erase nothing; report what would be.
            request_id: A text of at most 64 characters; empty = a new UUID.

        Example:
            >>> db.persons.erase("a-b", validate_only=True).mentions
        """
        from detente import erasure

        several = [records] if isinstance(records, Message | str) else builtins.list(records)
        names = [name_and_etag(self._resource, record)[0] for record in several]
        return erasure.erase(self._session, names, reason, validate_only, request_id)

    def _name_write(
        self,
        method: Method,
        record: R | str,
        validate_only: bool,
        request_id: str,
        reason: str,
        **more: int,
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
