"""Totals: the records of a collection in groups, counted and summed up."""

# Written by bindings/generate_async.py; edit detente/aggregates.py.
# ruff: noqa
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detente import _contract, _filter, errors
from detente._arguments import int32
from detente.aggregates import Aggregate, _listed, _measure, path_text
from detente.aio._session import AsyncSession
from detente.explain import SERVICE
from google.protobuf.message import Message


async def aggregate(
    session: AsyncSession,
    collection: str,
    by: Any,
    measures: Any,
    filter: Any,
    where: Mapping[str, Any] | None,
    order_by: str,
    limit: int,
    at: Message | None,
) -> Aggregate:
    """Groups records."""
    method = _contract.method(f"{SERVICE}/AggregateRecords")
    resource = _contract.resources().get(collection)
    descriptor = resource.message.DESCRIPTOR if resource is not None else None
    paths = [path_text(path, "by") for path in _listed(by)]
    parsed = [
        _measure(measure, f"measures[{number}]", method.input, descriptor)
        for number, measure in enumerate(_listed(measures) or ["count"])
    ]
    for argument, texts in (("by", paths), ("measures", [measure.text for measure in parsed])):
        twice = next((text for text in texts if texts.count(text) > 1), None)
        if twice is not None:
            raise errors.invalid(argument, f"{twice} is there twice")
    request = method.request(
        collection=collection,
        filter=_filter.join(filter, where, descriptor),
        group_paths=paths,
        measures=[measure.message for measure in parsed],
        order_by=errors.text("order_by", order_by),
        max_groups=int32("limit", limit),
        at=at,
    )
    return Aggregate(await session.call(method, request), paths, parsed)
