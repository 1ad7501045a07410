"""Reading the records of one collection."""

# Written by bindings/generate_async.py; edit detente/reader.py.
# ruff: noqa
from __future__ import annotations

import builtins
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, overload

from detente import errors
from detente._arguments import Paths, full_name, int32, name_and_etag, paths, policy, source_name
from detente._contract import Resource
from detente._filter import FilterLike
from detente.aio._session import AsyncSession
from detente.aio.listing import AsyncRecordList
from google.protobuf.message import Message

if TYPE_CHECKING:
    from detente.aio.history import AsyncHistory
    from detente.evidence import RecordEvidence
    from detente.explain import Explanation
from detente.reader import _BATCH_GET_LIMIT, R


class AsyncReader(Generic[R]):
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
        session: AsyncSession,
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

    async def get(
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
            >>> (await db.releases.get("by-2025-12-13")).headcount.best
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
        record: R = await self._session.call(method, request)
        return record

    @overload
    def list(
        self,
        filter: FilterLike = "",
        *,
        order_by: str = "",
        page_size: int = 0,
        show_deleted: bool = False,
        read_mask: Paths | None = None,
        where: Mapping[str, Any] | None = None,
        as_told_by: Message | str = "",
        value_policy: int | str = 0,
        reviewed_only: bool = False,
        explain: Literal[False] = False,
    ) -> AsyncRecordList[R]: ...

    @overload
    def list(
        self,
        filter: FilterLike = "",
        *,
        order_by: str = "",
        show_deleted: bool = False,
        where: Mapping[str, Any] | None = None,
        explain: Literal[True],
    ) -> Coroutine[Any, Any, Explanation]: ...

    def list(
        self,
        filter: FilterLike = "",
        *,
        order_by: str = "",
        page_size: int = 0,
        show_deleted: bool = False,
        read_mask: Paths | None = None,
        where: Mapping[str, Any] | None = None,
        as_told_by: Message | str = "",
        value_policy: int | str = 0,
        reviewed_only: bool = False,
        explain: bool = False,
    ) -> AsyncRecordList[R] | Coroutine[Any, Any, Explanation]:
        """The records that match, in the order of their names.

        Args:
            filter: Which ones: a text in the language of AIP-160, a `detente.Filter`, or what
                `detente.f` makes; empty = all.
            order_by: Another order (AIP-132), such as `effective_date desc`.
            page_size: How many to fetch at a time, at most 1,000; 0 = as it suits.
            show_deleted: Deleted ones too.
            read_mask: Paths of the fields to return; None = all.
            where: Fields and the values that they must have, joined to the filter by AND; of
                several values any.
            as_told_by: The source whose values to return; empty = as we have them.
            value_policy: Which value to return where sources disagree.
            reviewed_only: Only those whose state of review is REVIEWED.
            explain: Read nothing; say how the filter was understood and what the store does.

        Raises:
            InvalidArgumentError: While iterating: an argument is wrong.

        Example:
            >>> db.releases.list('possibly(effective_date, "2025-12")', order_by="headcount.best")
            >>> db.releases.list(where={"region_code": "BY"})
            >>> await db.releases.list(detente.f.headcount.best > 50, explain=True)
        """
        from detente import _filter

        text = _filter.join(filter, where, self._resource.message.DESCRIPTOR)
        errors.text("order_by", order_by)
        if explain:
            self._refuse(
                page_size=page_size,
                read_mask=read_mask,
                as_told_by=as_told_by or self._as_told_by,
                value_policy=value_policy,
                reviewed_only=reviewed_only,
            )
            from detente.aio.explain import explain as explained

            collection = self._resource.collection
            return explained(self._session, collection, text, order_by, show_deleted, self._at)
        request = self._resource.list.request(
            filter=text,
            order_by=order_by,
            page_size=int32("page_size", page_size),
            show_deleted=show_deleted,
            reviewed_only=reviewed_only,
        )
        self._set(request, read_mask, as_told_by, value_policy)
        if self._at is not None:
            request.at.CopyFrom(self._at)
        return AsyncRecordList(
            self._session, self._resource.list, request, self._resource.collection
        )

    async def get_many(
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
                response = await self._session.call(self._resource.batch_get, request)
            except errors.InvalidArgumentError as error:
                if error.reason != "LIMIT_EXCEEDED" or len(part) == 1:
                    raise
                size = len(part) // 2
                continue
            found.extend(getattr(response, self._resource.collection))
            if at is None:
                at = type(request.at)(revision=response.revision)
            waiting = waiting[len(part) :]
        return found

    def revisions(
        self, name: str, *, page_size: int = 0, read_mask: Paths | None = None
    ) -> AsyncRecordList[R]:
        """The states that a record has had, newest first; `revision` tells them apart.

        A view shows those up to its revision.
        """
        request = self._resource.revisions.request(
            name=self._name(name), page_size=int32("page_size", page_size)
        )
        if read_mask is not None:
            request.read_mask.paths.extend(paths("read_mask", read_mask))
        found: AsyncRecordList[R] = AsyncRecordList(
            self._session, self._resource.revisions, request, self._resource.collection
        )
        if self._at is not None:
            if read_mask is not None:
                request.read_mask.paths.append("revision")
            found._until = (self._resource.list, self._resource.list.request(page_size=1))
            found._until[1].at.CopyFrom(self._at)
        return found

    async def evidence(self, record: R | str, *fields: str) -> RecordEvidence:
        """Who supports and who contradicts a record, field by field.

        Args:
            record: The record, its id or its name.
            fields: Paths, each with all that is cited below it; none = all that is cited.

        Example:
            >>> evidence = await db.releases.evidence("by-2025-12-13", "headcount")
            >>> print(evidence["headcount"].value)
            {'best': 123}
        """
        from detente.aio import evidence

        name, _ = name_and_etag(self._resource, record)
        return await evidence.get(self._session, name, fields, self._at)

    def history(self, record: R | str) -> AsyncHistory:
        """What became of a record: its commits, newest first, with the fields that they changed.

        A view shows those up to its revision.

        Example:
            >>> async for commit in db.releases.history("by-2025-12-13"):
            ...     print(commit.revision, commit.actor, commit.reason)
        """
        from detente.aio import history

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
            request.read_mask.paths.extend(paths("read_mask", read_mask))
        request.as_told_by = source_name(as_told_by) or self._as_told_by
        request.value_policy = policy(value_policy)

    @staticmethod
    def _refuse(**arguments: Any) -> None:
        for argument, value in arguments.items():
            if value:
                raise errors.invalid(argument, "explain=True does not speak of it; leave it out")

    def _split(self, name: str) -> tuple[str, Any]:
        name, _, revision = name.partition("@")
        if self._at is not None:
            raise errors.invalid("name", f"{name}@{revision}: this view has a revision already")
        if not (revision.isascii() and revision.isdigit()):
            raise errors.invalid("name", f"{name}@{revision}: a revision is a whole number")
        from detente._session import read_point

        return (name, read_point(int(revision)))
