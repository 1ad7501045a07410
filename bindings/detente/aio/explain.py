"""How a query will run."""

# Written by bindings/generate_async.py; edit detente/explain.py.
# ruff: noqa
from __future__ import annotations

from detente import _contract
from detente.aio._session import AsyncSession
from detente.explain import SERVICE, Explanation
from google.protobuf.message import Message


async def explain(
    session: AsyncSession,
    collection: str,
    filter: str,
    order_by: str,
    show_deleted: bool,
    at: Message | None,
) -> Explanation:
    """How a List would run."""
    method = _contract.method(f"{SERVICE}/ExplainQuery")
    request = method.request(
        collection=collection, filter=filter, order_by=order_by, show_deleted=show_deleted, at=at
    )
    return Explanation(await session.call(method, request))
