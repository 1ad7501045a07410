"""Lists that are fetched page by page while they are walked."""

# Written by bindings/generate_async.py; edit detente/listing.py.
# ruff: noqa
from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Generic, Self

from detente import errors
from detente._arguments import whole
from detente._contract import Method
from detente._progress import Progress
from detente.aio._session import AsyncSession
from detente.aio._threads import each_in_thread, in_thread, no_truth, shown
from google.protobuf.message import Message

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from detente.frames import Columns
from detente.listing import _PAGE_LIMIT, R, T


class AsyncListing(Generic[T]):
    """What a method answers page by page, as one list.

    Every iteration asks anew; the pages of one iteration are read at one revision. It is walked by
    `async for`.
    """

    def __init__(
        self, session: AsyncSession, method: Method, request: Message, field: str, title: str = ""
    ) -> None:
        self._session = session
        self._method = method
        self._request: Any = request
        self._field = field
        self._title = title or field
        self._limit: int | None = None

    async def __aiter__(self) -> AsyncIterator[T]:
        left = self._limit
        if left == 0:
            return
        async for response in self._pages():
            for item in self._items(response):
                yield item
                if left is not None:
                    left -= 1
                    if not left:
                        return

    async def _pages(self) -> AsyncIterator[Any]:
        request = type(self._request)()
        request.CopyFrom(self._request)
        own_size = request.page_size
        if self._limit is not None:
            request.page_size = min(self._limit, own_size or _PAGE_LIMIT)
        while True:
            response = await self._session.call(self._method, request)
            yield response
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token
            if self._limit is None and (not own_size):
                request.page_size = _PAGE_LIMIT

    def _items(self, response: Any) -> Iterable[T]:
        items: Iterable[T] = getattr(response, self._field)
        return items

    def __bool__(self) -> bool:
        return no_truth(self)

    def limit(self, n: int) -> Self:
        """The same list, ended after `n` items."""
        n = whole("limit", n)
        if n < 0:
            raise errors.invalid("limit", f"{n} is negative")
        ended = copy.copy(self)
        ended._limit = n if self._limit is None else min(n, self._limit)
        return ended

    async def first(self) -> T | None:
        """The first item; None if there is none."""
        return await anext(aiter(self.limit(1)), None)

    def __repr__(self) -> str:
        return shown(self)


class AsyncRecordList(AsyncListing[R]):
    """Records that are fetched page by page while they are iterated over.

    Every iteration asks anew; the pages of one iteration are read at one revision. It is walked by
    `async for`.

    Example:
        >>> async for release in db.releases.list(page_size=100):
        ...     print(release.name)
        >>> db.releases.list().limit(10)
    """

    _until: tuple[Method, Any] | None = None

    async def _pages(self) -> AsyncIterator[Any]:
        until = (
            (await self._session.call(*self._until)).revision if self._until is not None else None
        )
        async for response in super()._pages():
            if until is not None:
                records = getattr(response, self._field)
                kept = [record for record in records if record.revision <= until]
                del records[:]
                records.extend(kept)
            yield response

    async def one(self) -> R:
        """The only record.

        Raises:
            NotFoundError: There is none.
            FailedPreconditionError: There are several.
        """
        found: list[Any] = [item async for item in self.limit(2)]
        if not found:
            raise errors.NotFoundError(f"{self._field}: no record matches")
        if len(found) > 1:
            names = " and ".join((record.name for record in found))
            raise errors.FailedPreconditionError(
                f"{self._field}: more than one record matches: {names}"
            )
        only: R = found[0]
        return only

    async def count(self) -> int:
        """How many records there are; the server counts them."""
        if self._limit == 0:
            return 0
        counted = copy.copy(self)
        counted._request = type(self._request)()
        counted._request.CopyFrom(self._request)
        if (
            self._until is not None
            or "return_total_size" not in self._request.DESCRIPTOR.fields_by_name
        ):
            counted._request.read_mask.paths[:] = ["name", "revision"]
            counted._request.page_size = _PAGE_LIMIT
            number = 0
            async for _ in counted:
                number += 1
            return number
        counted._request.read_mask.paths[:] = ["name"]
        counted._request.page_size = 1
        counted._request.return_total_size = True
        total: int = (await self._session.call(self._method, counted._request)).total_size
        return total if self._limit is None else min(self._limit, total)

    async def to_arrow(
        self, columns: Columns = (), *, flat: bool = False, progress: Progress = None
    ) -> pa.Table:
        """The records as an Arrow table.

        Messages are structs, dates among them; lists are lists, enums are dictionaries of their
        names; docs/frames.md has all of it. The rows are in the order of this list where it was
        given `order_by` or a limit, otherwise by revision.

        Args:
            columns: Paths of fields, such as `display_name` or `effective_date.earliest`; none =
                those of `read_mask`, or all.
            flat: Take messages apart: a column `headcount.best` in place of a struct `headcount`.
            progress: Called with the numbers of rows that are read, and of all or None. None = a
                bar, on a terminal or in a notebook; False = nothing.

        Raises:
            InvalidArgumentError: An argument is wrong, or the list is not of records' own values.
            FailedPreconditionError: pyarrow is missing.
        """
        made: pa.Table = await in_thread(self, "to_arrow", columns, flat=flat, progress=progress)
        return made

    async def to_batches(
        self, columns: Columns = (), *, flat: bool = False
    ) -> AsyncIterator[pa.RecordBatch]:
        """The records as Arrow record batches, in bounded memory; by revision, whatever the list's
        order is.

        Args:
            columns: As in `to_arrow`.
            flat: As in `to_arrow`.
        """
        async for item in each_in_thread(self, "to_batches", columns, flat=flat):
            yield item

    async def to_pandas(
        self, columns: Columns = (), *, flat: bool = True, progress: Progress = None
    ) -> pd.DataFrame:
        """The records as a pandas data frame.

        Enums are categories, dates and times datetime64.

        Args:
            columns: As in `to_arrow`.
            flat: As in `to_arrow`; True unless said otherwise.
            progress: As in `to_arrow`.
        """
        made: pd.DataFrame = await in_thread(
            self, "to_pandas", columns, flat=flat, progress=progress
        )
        return made

    async def to_polars(
        self, columns: Columns = (), *, flat: bool = False, progress: Progress = None
    ) -> pl.DataFrame:
        """The records as a polars data frame.

        Args:
            columns: As in `to_arrow`.
            flat: As in `to_arrow`.
            progress: As in `to_arrow`.
        """
        made: pl.DataFrame = await in_thread(
            self, "to_polars", columns, flat=flat, progress=progress
        )
        return made
