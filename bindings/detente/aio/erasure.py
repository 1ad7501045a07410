"""Erasing records for people in danger, and what a caller learns of it."""

# Written by bindings/generate_async.py; edit detente/erasure.py.
# ruff: noqa
from __future__ import annotations

from detente import _contract
from detente._session import RECORD_SERVICE, new_request_id
from detente.aio._session import AsyncSession
from detente.erasure import Erasure


async def erase(
    session: AsyncSession, names: list[str], reason: str, validate_only: bool, request_id: str
) -> Erasure:
    """Erases records by their full names."""
    method = _contract.method(f"{RECORD_SERVICE}/EraseRecords")
    request = method.request(
        names=names,
        reason=reason,
        validate_only=validate_only,
        request_id=request_id or new_request_id(),
    )
    return Erasure(names, await session.call(method, request))
