"""Writing the records of one collection; reading them is in `reader`."""

# Written by bindings/generate_async.py; edit detente/collection.py.
# ruff: noqa
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from detente import errors
from detente._arguments import Paths, changed, name_and_etag, new_record
from detente._contract import Method
from detente._session import new_request_id
from detente.aio.reader import AsyncReader
from detente.reader import R
from google.protobuf.message import Message

if TYPE_CHECKING:
    from detente.erasure import Erasure


class AsyncCollection(AsyncReader[R]):
    """The records of one collection, to be read and written.

    Every write carries a request id, so that repeating it after a lost answer does no harm, and
    may carry a `reason`, which is kept on the commit. With `validate_only` everything is checked,
    nothing is written, and what would be is returned.
    """

    async def create(
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
            >>> await db.releases.create(
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
            **{f"{self._resource.singular}_id": errors.text("id", id)},
        )
        getattr(request, self._resource.singular).MergeFrom(
            new_record(self._resource, record, fields)
        )
        getattr(request, self._resource.singular).SetInParent()
        created: R = await self._session.call(method, request)
        return created

    async def update(
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
            >>> release = await db.releases.get("by-2025-12-13")
            >>> await db.releases.update(release, note="Checked against the list.", reason="review")
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
        updated: R = await self._session.call(method, request)
        return updated

    async def delete(
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
        return await self._name_write(
            self._resource.delete, record, validate_only, request_id, reason, force=force
        )

    async def undelete(
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
        return await self._name_write(
            self._resource.undelete, record, validate_only, request_id, reason
        )

    async def rollback(
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
            >>> await db.releases.rollback("by-2025-12-13", 3, reason="the wrong list")
        """
        if isinstance(revision, bool) or not isinstance(revision, int):
            raise errors.invalid("revision", f"a revision of the store expected, not {revision!r}")
        return await self._name_write(
            self._resource.rollback, record, validate_only, request_id, reason, revision=revision
        )

    async def submit(self, record: R | str, *, reason: str = "") -> R:
        """Hands a record in for review: its `review_state` becomes SUBMITTED."""
        return await self.update(record, review_state="SUBMITTED", reason=reason)

    async def review(self, record: R | str, *, reason: str = "") -> R:
        """Says that a record has been reviewed; pass the record as it was read to mean that one."""
        return await self.update(record, review_state="REVIEWED", reason=reason)

    async def dispute(self, record: R | str, *, reason: str) -> R:
        """Says that a record is disputed, and why."""
        return await self.update(record, review_state="DISPUTED", reason=reason)

    async def erase(
        self,
        records: R | str | Iterable[R | str],
        *,
        reason: str = "",
        validate_only: bool = False,
        request_id: str = "",
    ) -> Erasure:
        """Erases records from every revision, for a person in danger. It can't be taken back.

        Each gets a new id in every record that refers to it, and loses its content. The report
        names records that still speak of it in words.

        Args:
            records: A record, its id or its name; or several.
            reason: Why, kept on the commit: it must not tell what was erased.
            validate_only: Erase nothing; report what would be.
            request_id: A text of at most 64 characters; empty = a new UUID.

        Example:
            >>> (await db.persons.erase("a-b", validate_only=True)).mentions
        """
        from detente.aio import erasure

        several = [records] if isinstance(records, Message | str) else list(records)
        names = [name_and_etag(self._resource, record)[0] for record in several]
        return await erasure.erase(self._session, names, reason, validate_only, request_id)

    async def _name_write(
        self,
        method: Method,
        record: R | str,
        validate_only: bool,
        request_id: str,
        reason: str,
        **more: int,
    ) -> R:
        name, etag = name_and_etag(self._resource, record)
        written: R = await self._session.call(
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
