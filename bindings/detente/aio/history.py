"""What changed, when, by whom and why: commits, the history of a record, differences."""

# Written by bindings/generate_async.py; edit detente/history.py.
# ruff: noqa
from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from detente import _contract, errors
from detente._arguments import record_name
from detente._session import Point, read_point, timestamp
from detente.aio._session import AsyncSession
from detente.aio._threads import shown
from detente.aio.listing import AsyncListing
from detente.history import _SERVICE, _change_lines, _fit, _headline, _width, field_lines
from google.protobuf.message import Message


class AsyncCommits:
    """The commits of a database: `db.commits`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, commit: int | str) -> Any:
        """One commit, a `detente.Commit`, by its revision or name (`commits/12`)."""
        if isinstance(commit, str) and commit.isdecimal():
            commit = int(commit)
        name = f"commits/{commit}" if isinstance(commit, int) else commit
        method = _contract.method(f"{_SERVICE}/GetCommit")
        return await self._session.call(method, method.request(name=name))

    def list(
        self,
        *,
        actor: str = "",
        record: Message | str = "",
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        at: Point | None = None,
    ) -> AsyncCommitList:
        """Commits, newest first.

        Args:
            actor: Those of this actor.
            record: Those that changed this record, given as it is or by its full name.
            since: Those at or after this time.
            until: Those before this time.
            at: Those up to this state of the store.

        Example:
            >>> db.commits.list(actor="ada").limit(10)
        """
        name = record_name("record", record) if record else ""
        return _commits(AsyncCommitList, self._session, name, actor, since, until, at)

    def __repr__(self) -> str:
        return shown(self)


class AsyncCommitList(AsyncListing[Any]):
    """Commits, as messages `detente.Commit`, newest first, fetched page by page."""


class AsyncHistory(AsyncCommitList):
    """What became of one record: its commits, newest first, each with the fields it changed."""

    async def text(self, width: int | None = None) -> str:
        """All of it as text, no wider than `width` (None = the terminal's, 0 = any)."""
        return self._told([item async for item in self], width)

    def _told(self, found: list[Any], width: int | None) -> str:
        width = _width(width)
        parts = []
        for commit in found:
            lines = [_fit(_headline(commit), width)]
            for change in commit.changes:
                lines += [_fit(line, width) for line in field_lines(change, "  ")]
            parts.append("\n".join(lines))
        return "\n".join([self._title, *parts])


C = TypeVar("C", bound=AsyncCommitList)


class AsyncDiff(AsyncListing[Any]):
    """What differs between two states, as messages `detente.RecordChange`, by the records' names.

    In its text, `+` is what was added, `-` what was removed, `~` what changed; values are JSON.
    """

    @property
    async def revisions(self) -> tuple[int, int]:
        """The revision before, 0 for the empty store, and the one after."""
        response = await anext(self.limit(1)._pages())
        return (response.base_revision, response.target_revision)

    async def text(self, width: int | None = None) -> str:
        """All of it as text, no wider than `width` (None = the terminal's, 0 = any)."""
        return self._told([item async for item in self], width)

    async def lines(self, width: int | None = None) -> AsyncIterator[str]:
        """The same line by line, as it is fetched; none where nothing differs."""
        width = _width(width)
        begun = False
        async for response in self._pages():
            for change in response.changes:
                if not begun:
                    yield f"revision {response.base_revision} → {response.target_revision}"
                    begun = True
                for line in _change_lines(change):
                    yield _fit(line, width)

    def _told(self, found: list[Any], width: int | None) -> str:
        width = _width(width)
        return "\n".join((_fit(line, width) for change in found for line in _change_lines(change)))


def of(session: AsyncSession, name: str, at: Message | None) -> AsyncHistory:
    """The history of a record."""
    history = _commits(AsyncHistory, session, name, "", None, None, None)
    if at is not None:
        history._request.at.CopyFrom(at)
    return history


def diff(session: AsyncSession, base: Point | None, target: Point | None, record: str) -> AsyncDiff:
    """What differs between two states."""
    if record and "/" not in record:
        raise errors.invalid("record", f"a full name, such as releases/x, expected, not {record!r}")
    method = _contract.method(f"{_SERVICE}/DiffRevisions")
    request = method.request(record=record)
    if base is not None and (isinstance(base, bool) or base != 0):
        request.base.CopyFrom(read_point(base, "base"))
    if target is not None:
        request.target.CopyFrom(read_point(target, "target"))
    return AsyncDiff(session, method, request, "changes")


def _commits(
    kind: type[C],
    session: AsyncSession,
    record: str,
    actor: str,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    at: Point | None,
) -> C:
    method = _contract.method(f"{_SERVICE}/ListCommits")
    request = method.request(record=record, actor=actor)
    if since is not None:
        request.start_time.CopyFrom(timestamp(since, "since"))
    if until is not None:
        request.end_time.CopyFrom(timestamp(until, "until"))
    if at is not None:
        request.at.CopyFrom(read_point(at))
    return kind(session, method, request, "commits", record)
