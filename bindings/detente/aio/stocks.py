"""How many records go on at each of a row of days, with the bounds that uncertain dates leave."""

# Written by bindings/generate_async.py; edit detente/stocks.py.
# ruff: noqa
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from detente import _contract, _filter, errors
from detente.aggregates import path_text
from detente.aio._session import AsyncSession
from detente.explain import SERVICE
from detente.stocks import Stock, _day
from google.protobuf.message import Message


async def stock(
    session: AsyncSession,
    collection: str,
    days: tuple[datetime.date | str, datetime.date | str],
    step: str,
    by: Any,
    filter: Any,
    where: Mapping[str, Any] | None,
    paths: tuple[str, str],
    at: Message | None,
) -> Stock:
    """Counts what goes on."""
    from google.type import date_pb2

    method = _contract.method(f"{SERVICE}/ComputeStock")
    steps = method.input.Step
    if not isinstance(step, str) or step.upper() not in steps.keys()[1:]:
        known = ", ".join((name.lower() for name in steps.keys()[1:]))
        raise errors.invalid("step", f"one of {known} expected, not {step!r}")
    first, last = (_day(day, name) for day, name in zip(days, ("first", "last"), strict=True))
    resource = _contract.resources().get(collection)
    group_path = path_text(by, "by") if not isinstance(by, str) or by else ""
    request = method.request(
        collection=collection,
        filter=_filter.join(filter, where, resource.message.DESCRIPTOR if resource else None),
        start_path=paths[0],
        end_path=paths[1],
        first_day=date_pb2.Date(year=first.year, month=first.month, day=first.day),
        last_day=date_pb2.Date(year=last.year, month=last.month, day=last.day),
        step=step.upper(),
        group_path=group_path,
        at=at,
    )
    return Stock(await session.call(method, request), group_path)
