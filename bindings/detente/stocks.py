"""How many records go on at each of a row of days, with the bounds that uncertain dates leave."""

import datetime
import html
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import Message

from detente import _contract, _filter, display, errors
from detente._session import Session
from detente.aggregates import path_text
from detente.explain import SERVICE

_DASH = "\N{EN DASH}"


class Point(NamedTuple):
    """How many at the end of a day: for certain, and with those that may be."""

    day: datetime.date
    certain: int
    possible: int

    def _text(self) -> str:
        if self.certain == self.possible:
            return f"{self.certain:,}"
        return f"{self.certain:,}{_DASH}{self.possible:,}"


class Stock:
    """How many records go on at each day; shown as a table.

    By a field, a cell is two numbers where uncertain dates leave bounds: at least, and at most.

    Iterating gives the points of all records together; grouped by a field, `series` has them by
    its value.

    Attributes:
        series: From each value of the field (None = no value, or not grouped) to its points.
        record_count: How many records matched the filter and have a beginning.
        revision: The revision that was read.
        message: The `ComputeStockResponse` itself.

    Example:
        >>> for day, certain, possible in db.stock("detentions", "2025-01-01", "2025-12-31"):
        ...     print(day, certain, possible)
    """

    def __init__(self, message: Any, by: str) -> None:
        self.message: Any = message
        self._by = by
        self.series: dict[str | None, list[Point]] = {
            one.key.value if one.key.present else None: [
                Point(datetime.date(p.day.year, p.day.month, p.day.day), p.certain, p.possible)
                for p in one.points
            ]
            for one in message.series
        }
        self.record_count: int = message.record_count
        self.revision: int = message.revision

    def __iter__(self) -> Iterator[Point]:
        if self._by:
            raise errors.invalid("by", f"the points are by {self._by}: read them from .series")
        for points in self.series.values():
            yield from points

    def __bool__(self) -> bool:
        return any(self.series.values())

    def to_dicts(self) -> list[dict[str, Any]]:
        """A flat dict for each point: the day, the field's value, `certain` and `possible`."""
        return [
            {
                "day": point.day,
                **({self._by: key} if self._by else {}),
                "certain": point.certain,
                "possible": point.possible,
            }
            for key, points in self.series.items()
            for point in points
        ]

    def text(self, width: int | None = None) -> str:
        """The table, no wider than `width` (None = the terminal's, 0 = any)."""
        if not self:
            return "no records"
        return display.table(*self._cells(), width, whole=not width)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        if not self:
            return "<p>no records</p>"
        headings, cells = self._cells()
        caption = f"<p>by {html.escape(self._by)}</p>" if self._by else ""
        return caption + display.html_table(headings, cells)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        rows = zip(*self.series.values(), strict=True)
        if not self._by:
            cells = [[str(p.day), f"{p.certain:,}", f"{p.possible:,}"] for (p, *_) in rows]
            return ["day", "certain", "possible"], cells
        headings = ["day", *("none" if key is None else key for key in self.series)]
        return headings, [[str(row[0].day), *(point._text() for point in row)] for row in rows]


def stock(
    session: Session,
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
    from google.type import date_pb2  # type: ignore[import-untyped]

    method = _contract.method(f"{SERVICE}/ComputeStock")
    steps = method.input.Step
    if not isinstance(step, str) or step.upper() not in steps.keys()[1:]:
        known = ", ".join(name.lower() for name in steps.keys()[1:])
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
    return Stock(session.call(method, request), group_path)


def _day(day: datetime.date | str, argument: str) -> datetime.date:
    if isinstance(day, datetime.date):
        return day
    try:
        return datetime.date.fromisoformat(day)
    except (TypeError, ValueError):
        raise errors.invalid(argument, f"a day such as 2025-01-31 expected, not {day!r}") from None
