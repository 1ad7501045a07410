"""Lists that are fetched page by page while they are walked."""

import copy
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from google.protobuf.message import Message

from detente import errors
from detente._arguments import whole
from detente._contract import Method
from detente._progress import Progress
from detente._session import Session

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from detente.frames import Columns

T = TypeVar("T")
R = TypeVar("R", bound=Message)

_PAGE_LIMIT = 1000
_SHOWN = 20


class Listing(Generic[T]):
    """What a method answers page by page, as one list.

    Every iteration asks anew; the pages of one iteration are read at one revision. It is true when
    it holds at least one item. Shown in a terminal or a notebook, it shows its first items.
    """

    def __init__(
        self, session: Session, method: Method, request: Message, field: str, title: str = ""
    ) -> None:
        self._session = session
        self._method = method
        self._request: Any = request
        self._field = field
        self._title = title or field
        self._limit: int | None = None

    def __iter__(self) -> Iterator[T]:
        left = self._limit
        if left == 0:
            return
        for response in self._pages():
            for item in self._items(response):
                yield item
                if left is not None:
                    left -= 1
                    if not left:
                        return

    def _pages(self) -> Iterator[Any]:
        request = type(self._request)()
        request.CopyFrom(self._request)
        own_size = request.page_size
        if self._limit is not None:
            request.page_size = min(self._limit, own_size or _PAGE_LIMIT)
        while True:
            response = self._session.call(self._method, request)
            yield response
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token
            if self._limit is None and not own_size:
                request.page_size = _PAGE_LIMIT  # after a quick first page

    def _items(self, response: Any) -> Iterable[T]:
        items: Iterable[T] = getattr(response, self._field)
        return items

    def __bool__(self) -> bool:
        return self.first() is not None

    def limit(self, n: int) -> Self:
        """The same list, ended after `n` items."""
        n = whole("limit", n)
        if n < 0:
            raise errors.invalid("limit", f"{n} is negative")
        ended = copy.copy(self)
        ended._limit = n if self._limit is None else min(n, self._limit)
        return ended

    def first(self) -> T | None:
        """The first item; None if there is none."""
        return next(iter(self.limit(1)), None)

    def _rows(self, found: list[T]) -> tuple[list[str], list[list[str]]]:
        """Headings and cells of a table of items."""
        from detente import display

        return display.rows(found)  # type: ignore[arg-type]

    def _text(self, found: list[T]) -> str:
        from detente import display

        return display.table(*self._rows(found))

    def _html(self, found: list[T]) -> str:
        from detente import display

        return display.html_table(*self._rows(found))

    def _show(self, end: str) -> tuple[list[T], str]:
        """The first items, and what follows them; or no item, and what there is to say."""
        try:
            found = list(islice(self.limit(_SHOWN + 1), _SHOWN + 1))
        except errors.Error as error:
            return [], f"{self._title}: {error}"
        if not found:
            return [], f"{self._title}: none"
        return found[:_SHOWN], end if len(found) > _SHOWN else ""

    def __repr__(self) -> str:
        found, more = self._show("\n…")
        return self._text(found) + more if found else more

    def _repr_html_(self) -> str:
        import html

        found, more = self._show("<p>…</p>")
        return self._html(found) + more if found else f"<p>{html.escape(more)}</p>"


class RecordList(Listing[R]):
    """Records that are fetched page by page while they are iterated over.

    Every iteration asks anew; the pages of one iteration are read at one revision. It is true when
    it holds at least one record. Shown in a terminal or a notebook, it is a table of its first
    records.

    Example:
        >>> for release in db.releases.list(page_size=100):
        ...     print(release.name)
        >>> db.releases.list().limit(10)
    """

    # A call whose answer has a revision: records that were changed later are left out.
    _until: tuple[Method, Any] | None = None

    def _pages(self) -> Iterator[Any]:
        until = self._session.call(*self._until).revision if self._until is not None else None
        for response in super()._pages():
            if until is not None:
                records = getattr(response, self._field)
                kept = [record for record in records if record.revision <= until]
                del records[:]
                records.extend(kept)
            yield response

    def one(self) -> R:
        """The only record.

        Raises:
            NotFoundError: There is none.
            FailedPreconditionError: There are several.
        """
        found: list[Any] = list(self.limit(2))
        if not found:
            raise errors.NotFoundError(f"{self._field}: no record matches")
        if len(found) > 1:
            names = " and ".join(record.name for record in found)
            raise errors.FailedPreconditionError(
                f"{self._field}: more than one record matches: {names}"
            )
        only: R = found[0]
        return only

    def count(self) -> int:
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
            # Of revisions there are few, and nobody counts them.
            counted._request.read_mask.paths[:] = ["name", "revision"]
            counted._request.page_size = _PAGE_LIMIT
            number = 0
            for _ in counted:
                number += 1
            return number
        counted._request.read_mask.paths[:] = ["name"]
        counted._request.page_size = 1
        counted._request.return_total_size = True
        total: int = self._session.call(self._method, counted._request).total_size
        return total if self._limit is None else min(self._limit, total)

    def to_arrow(
        self, columns: "Columns" = (), *, flat: bool = False, progress: Progress = None
    ) -> "pa.Table":
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
        from detente import frames

        return frames.table(self, columns, flat, progress)

    def to_batches(
        self, columns: "Columns" = (), *, flat: bool = False
    ) -> "Iterator[pa.RecordBatch]":
        """The records as Arrow record batches, in bounded memory; by revision, whatever the list's
        order is.

        Args:
            columns: As in `to_arrow`.
            flat: As in `to_arrow`.
        """
        from detente import frames

        if self._limit is not None:
            return iter(frames.table(self, columns, flat).to_batches())
        return frames.read(self._session, self._request, columns, flat).batches()

    def to_pandas(
        self, columns: "Columns" = (), *, flat: bool = True, progress: Progress = None
    ) -> "pd.DataFrame":
        """The records as a pandas data frame.

        Enums are categories, dates and times datetime64.

        Args:
            columns: As in `to_arrow`.
            flat: As in `to_arrow`; True unless said otherwise.
            progress: As in `to_arrow`.
        """
        from detente import frames

        return frames.to_pandas(frames.table(self, columns, flat, progress))

    def to_polars(
        self, columns: "Columns" = (), *, flat: bool = False, progress: Progress = None
    ) -> "pl.DataFrame":
        """The records as a polars data frame.

        Args:
            columns: As in `to_arrow`.
            flat: As in `to_arrow`.
            progress: As in `to_arrow`.
        """
        from detente import frames

        return frames.to_polars(frames.table(self, columns, flat, progress))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The records for any library that takes Arrow, read as it asks for them."""
        from detente import frames

        if self._request.order_by or self._limit is not None:
            return frames.table(self, (), False).__arrow_c_stream__(requested_schema)
        rows = frames.read(self._session, self._request, (), False)
        return rows.reader().__arrow_c_stream__(requested_schema)
