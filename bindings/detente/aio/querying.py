"""Questions over many records: what databases and views have in common."""

# Written by bindings/generate_async.py; edit detente/querying.py.
# ruff: noqa
from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from detente import errors
from detente._filter import FilterLike
from google.protobuf.message import Message

if TYPE_CHECKING:
    from detente.aggregates import Aggregate
    from detente.aio._session import AsyncSession
    from detente.aio.neighbors import AsyncNeighbors
    from detente.aio.search import AsyncHits
    from detente.stocks import Stock


class AsyncQuerying:
    """Search, totals, stock over time, and the records around a record."""

    _session: AsyncSession
    _at: Any
    _as_told_by: str

    def search(
        self,
        query: str,
        *,
        collections: str | Iterable[str] = (),
        filter: FilterLike = "",
        where: Mapping[str, Any] | None = None,
        page_size: int = 0,
    ) -> AsyncHits:
        """The records whose names and texts have certain words, the best first.

        Args:
            query: Words in any script; `"a phrase"`; beginnings, `Kales*`; joined by AND (which a
                space means too), OR, NOT or `-`, and parentheses.
            collections: In these alone, such as `persons`; none = all.
            filter: Only records that match; of fields that all these collections have.
            where: Fields and the values that they must have.
            page_size: How many to fetch at a time, at most 1,000; 0 = as it suits.

        Example:
            >>> async for hit in db.search("Bialiatski", collections="persons").limit(3):
            ...     print(hit.name, hit.display_name)
            >>> await db.search("Бяляцкі OR Беляцкий").records()
        """
        from detente.aio import search

        listed = (collections,) if isinstance(collections, str) else tuple(collections)
        self._own_values("search")
        return search.search(self._session, query, listed, filter, where, page_size, self._at)

    async def aggregate(
        self,
        collection: str,
        by: Any = (),
        measures: Any = ("count",),
        *,
        filter: FilterLike = "",
        where: Mapping[str, Any] | None = None,
        order_by: str = "",
        limit: int = 0,
    ) -> Aggregate:
        """The records of a collection in groups, counted and summed up.

        Args:
            collection: Which, such as `releases`.
            by: Paths of fields that a group has in common, at most 5; of dates `.year`,
                `.quarter`, `.month` or `.day`. None = all together.
            measures: What to compute, at most 10: `count`, `count(path)`, `distinct(path)`,
                `sum(path)`, `min(path)`, `max(path)`.
            filter: Which records; empty = all.
            where: Fields and the values that they must have.
            order_by: By which columns, such as `count desc`; empty = by the groups' keys.
            limit: At most so many groups; 0 = 1,000.

        Example:
            >>> await db.aggregate(
            ...     "releases", by="effective_date.year", measures=["sum(headcount)"]
            ... )
            >>> await db.aggregate("persons", by=["nationalities", "gender"], order_by="count desc")
        """
        from detente.aio import aggregates

        self._own_values("aggregate")
        return await aggregates.aggregate(
            self._session, collection, by, measures, filter, where, order_by, limit, self._at
        )

    async def stock(
        self,
        collection: str,
        first: datetime.date | str,
        last: datetime.date | str,
        *,
        step: str = "month",
        by: Any = "",
        filter: FilterLike = "",
        where: Mapping[str, Any] | None = None,
        start: str = "",
        end: str = "",
    ) -> Stock:
        """How many records of a collection go on at each of a row of days.

        At the end of a day: those that had begun for certain and for certain had not ended, and
        those that may have.

        Args:
            collection: Which, such as `detentions`.
            first: The first day, as a date or `2020-01-01`.
            last: The last day.
            step: The days between: each `day`, or the first of each `month`, `quarter` or `year`.
            by: A field by which to count apart; empty = all together.
            filter: Which records; empty = all.
            where: Fields and the values that they must have.
            start: The date at which a record begins to count; empty = `start_date`.
            end: The date from which on it no longer does; empty = `end_date`.

        Example:
            >>> await db.stock("detentions", "2020-01-01", "2025-12-31", step="quarter")
        """
        from detente.aio import stocks

        self._own_values("stock")
        return await stocks.stock(
            self._session,
            collection,
            (first, last),
            step,
            by,
            filter,
            where,
            (start, end),
            self._at,
        )

    async def neighbors(
        self,
        record: Message | str,
        *,
        depth: int = 1,
        direction: str = "both",
        collections: str | Iterable[str] = (),
        limit: int = 0,
    ) -> AsyncNeighbors:
        """The records around a record: those that it refers to, and those that refer to it.

        Args:
            record: The record, or its full name.
            depth: How many steps away, at most 3.
            direction: `outgoing` follows the references that records make, `incoming` those that
                lead to them, `both` all.
            collections: Only these, on the way too; none = all but `sources`.
            limit: At most so many records beside the first; 0 = 100.

        Example:
            >>> await db.neighbors("releases/by-2025-12-13", depth=2)
        """
        from detente.aio import neighbors

        listed = (collections,) if isinstance(collections, str) else tuple(collections)
        self._own_values("neighbors")
        return await neighbors.neighbors(
            self._session, record, depth, direction, listed, limit, self._at
        )

    def _own_values(self, method: str) -> None:
        if self._as_told_by:
            raise errors.invalid(
                "as_told_by",
                f"{method} goes by the records' own values, not by those of one source; ask the database, or a view without as_told_by",
            )
