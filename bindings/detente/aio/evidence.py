"""Who says so: the evidence for a record, the fields that sources disagree on, what is odd."""

# Written by bindings/generate_async.py; edit detente/evidence.py.
# ruff: noqa
from __future__ import annotations
from collections.abc import AsyncIterator, Coroutine
from detente.aio._threads import each_in_thread, in_thread, no_truth, shown

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from google.protobuf.message import Message
from detente import _contract
from detente import _paths
from detente import display
from detente import errors
from detente._session import RECORD_SERVICE
from detente.aio._session import AsyncSession
from detente.aio.listing import AsyncListing
from detente.evidence import RecordEvidence, Conflict


class AsyncConflicts(AsyncListing[Conflict]):
    """The fields of which sources disagree, fetched page by page."""

    def _items(self, response: Any) -> Iterable[Conflict]:
        return [Conflict(message) for message in response.conflicts]


class AsyncFindings(AsyncListing[Any]):
    """What checks found, as messages `detente.Finding`, fetched page by page."""


async def get(
    session: AsyncSession, name: str, fields: Iterable[str], at: Message | None
) -> RecordEvidence:
    """The evidence for a record."""
    fields = list(fields)
    for field in fields:
        if not isinstance(field, str):
            raise errors.invalid("fields", f"paths expected, each a text, not {field!r}")
    method = _contract.method(f"{RECORD_SERVICE}/GetEvidence")
    request = method.request(name=name, fields=fields, at=at)
    return RecordEvidence(await session.call(method, request))


def conflicts(
    session: AsyncSession, collections: Iterable[str], fields: Iterable[str], at: Message | None
) -> AsyncConflicts:
    """Where sources disagree."""
    method = _contract.method(f"{RECORD_SERVICE}/ListConflicts")
    listed = [fields] if isinstance(fields, str) else fields
    request = method.request(collections=collections, fields=listed, at=at)
    return AsyncConflicts(session, method, request, "conflicts")


def findings(
    session: AsyncSession, checks: Iterable[str], record: str, at: Message | None
) -> AsyncFindings:
    """What is odd."""
    method = _contract.method(f"{RECORD_SERVICE}/ListFindings")
    listed = [checks] if isinstance(checks, str) else checks
    request = method.request(checks=listed, record=record, at=at)
    return AsyncFindings(session, method, request, "findings")
