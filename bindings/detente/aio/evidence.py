"""Who says so: the evidence for a record, the fields that sources disagree on, what is odd."""

# Written by bindings/generate_async.py; edit detente/evidence.py.
# ruff: noqa
from __future__ import annotations

from collections.abc import (
    Iterable,
)
from typing import Any

from detente import _contract, errors
from detente._session import RECORD_SERVICE
from detente.aio._session import AsyncSession
from detente.aio.listing import AsyncListing
from detente.evidence import Conflict, RecordEvidence
from google.protobuf.message import Message


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
