"""Finding records by words."""

# Written by bindings/generate_async.py; edit detente/search.py.
# ruff: noqa
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from detente import _contract, _filter, errors
from detente._arguments import int32
from detente._session import read_point
from detente.aio._session import AsyncSession
from detente.aio._threads import shown
from detente.aio.listing import AsyncListing
from detente.aio.reader import AsyncReader
from detente.explain import SERVICE
from detente.search import Hit, _facets
from google.protobuf.message import Message


class AsyncHits(AsyncListing[Hit]):
    """Records that were found, the best first, fetched page by page.

    A hit has its highlights.
    """

    @property
    async def facets(self) -> dict[str, int]:
        """How many were found in each collection, most first."""
        return _facets(await self._page(1))

    @property
    async def total_size(self) -> int:
        """How many were found in all."""
        size: int = (await self._page(1)).total_size
        return size

    async def records(self) -> list[Any]:
        """The records themselves, in this order, as they were when they were found.

        `limit` says how many: `db.search("…").limit(10).records()`.
        """
        found: list[Any] = []
        left = self._limit
        if left == 0:
            return found
        async for response in self._pages():
            names = [hit.name for hit in response.hits]
            if left is not None:
                names = names[: left - len(found)]
            found += await fetch(self._session, names, response.revision)
            if left is not None and len(found) >= left:
                break
        return found

    def _items(self, response: Any) -> Iterable[Hit]:
        return [Hit(message) for message in response.hits]

    async def _page(self, size: int) -> Any:
        return await anext(aiter(self.limit(size)._pages()))

    def __repr__(self) -> str:
        return shown(self)


def search(
    session: AsyncSession,
    query: str,
    collections: tuple[str, ...],
    filter: Any,
    where: Mapping[str, Any] | None,
    page_size: int,
    at: Message | None,
) -> AsyncHits:
    """Finds records by words."""
    resources = _contract.resources()
    first = resources.get(collections[0]) if collections else next(iter(resources.values()))
    method = _contract.method(f"{SERVICE}/SearchRecords")
    request = method.request(
        query=errors.text("query", query),
        collections=collections,
        filter=_filter.join(filter, where, first.message.DESCRIPTOR if first else None),
        page_size=int32("page_size", page_size),
        at=at,
    )
    return AsyncHits(session, method, request, "hits", "search")


async def fetch(session: AsyncSession, names: Iterable[str], revision: int) -> list[Any]:
    """Records of any collections at a revision, in this order."""
    ordered = list(names)
    by_collection: dict[str, list[str]] = defaultdict(list)
    for name in ordered:
        by_collection[name.partition("/")[0]].append(name)
    at = read_point(revision)
    found: dict[str, Any] = {}
    for collection, listed in by_collection.items():
        resource = _contract.resources().get(collection)
        if resource is None:
            raise errors.FailedPreconditionError(
                f"{listed[0]}: this version of detente has no {collection}"
            )
        reader: AsyncReader[Any] = AsyncReader(session, resource, "", at)
        found.update(((record.name, record) for record in await reader.get_many(listed)))
    return [found[name] for name in ordered if name in found]
