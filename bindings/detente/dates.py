"""Dates as sources state them: EDTF, read by the same code as in the server."""

import datetime
import html
import importlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from detente import _core, errors

if TYPE_CHECKING:
    from detente.v1 import values_pb2

_Day: TypeAlias = tuple[int, int, int]
_QUARTER = 32  # 2025-33 is the first quarter


class Date(dict[str, str]):
    """A date as a source states it, in EDTF (ISO 8601-2:2019, levels 0 to 2).

    It may be whole or partial, doubtful, a range or a choice; `docs/edtf.md` has examples. It takes
    a text, another date, a `datetime.date` (of a `datetime.datetime`, its day), an `UncertainDate`
    message or a `pandas.Period`.

    Dates are values: they compare, hash, copy and pickle, and don't change. They are ordered by
    `earliest` (unbounded first), `latest` (unbounded last), then by canonical text; texts that say
    the same in another way are equal. `day in date` tells whether the date can be that day.

    Relations take a window: whatever a Date can be made of, or a pair of first and last day of
    which either may be None. *Possibly* means for some of the days that the date can be,
    *certainly* for all of them. `[2010,2020]` is one of its years and `{2010,2020}` both: then each
    must be before, within or after, and one must overlap.

    A Date stands wherever a message field takes an `UncertainDate`: to protobuf it is a dict,
    `{"edtf": text}`. It is one for no other reason.

    Raises:
        InvalidArgumentError: It is no date; `position` is where, in bytes of the text.

    Example:
        >>> date = detente.Date("2025-12?")
        >>> date.earliest, date.latest, date.uncertain
        (datetime.date(2025, 12, 1), datetime.date(2025, 12, 31), True)
        >>> datetime.date(2025, 12, 13) in date
        True
        >>> detente.Release(effective_date=date).effective_date.edtf
        '2025-12?'
    """

    __slots__ = ("_edtf",)
    _edtf: _core.Edtf

    def __init__(self, value: "DateLike") -> None:
        text = _text(value)
        super().__init__(edtf=text)
        try:
            edtf = _core.Edtf(text.encode("utf-8", "surrogatepass"))
        except _core.EdtfError as error:
            raised = errors.invalid("edtf", f"`{text[:64]}`: {error}")
            raised.position = error.position
            raise raised from None
        object.__setattr__(self, "_edtf", edtf)

    @classmethod
    def from_date(cls, day: datetime.date) -> "Date":
        """That day; of a `datetime.datetime`, its day."""
        return cls(day)

    @property
    def text(self) -> str:
        """The date as written."""
        return self["edtf"]

    @property
    def canonical(self) -> str:
        """The one text for all ways to write this date."""
        return self._edtf.canonical

    @property
    def earliest(self) -> datetime.date | None:
        """The first day it can be; None = unbounded, or not in the years 1 to 9999."""
        return _python(self._edtf.earliest)

    @property
    def latest(self) -> datetime.date | None:
        """The last day it can be; None = unbounded, or not in the years 1 to 9999."""
        return _python(self._edtf.latest)

    @property
    def earliest_year(self) -> int | None:
        """The first year it can be, whatever it is; None = unbounded. The year 0 is 1 BCE."""
        return None if self._edtf.earliest is None else self._edtf.earliest[0]

    @property
    def latest_year(self) -> int | None:
        """The last year it can be, whatever it is; None = unbounded."""
        return None if self._edtf.latest is None else self._edtf.latest[0]

    @property
    def precision(self) -> str:
        """How finely it is stated: the name of an `UncertainDate.Precision`, such as `DAY`."""
        return self._edtf.precision

    @property
    def approximate(self) -> bool:
        """The text says "about" (`~` or `%`), of any part of it."""
        return self._edtf.approximate

    @property
    def uncertain(self) -> bool:
        """The text says "perhaps" (`?` or `%`), of any part of it."""
        return self._edtf.uncertain

    @property
    def message(self) -> "values_pb2.UncertainDate":
        """The message that holds the text; the rest of it is made by the server."""
        from detente.v1 import values_pb2

        return values_pb2.UncertainDate(edtf=self.text)

    def to_date(self) -> datetime.date:
        """The day, if it can be no other; qualifiers are lost.

        Raises:
            InvalidArgumentError: It is not exactly one day of the years 1 to 9999.
        """
        day = self.earliest
        if day is None or self._edtf.earliest != self._edtf.latest:
            raise errors.invalid("date", f"one day expected, got `{self.text}`")
        return day

    def to_period(self) -> Any:
        """The `pandas.Period`, if it is one day, month, quarter or year; qualifiers are lost.

        Raises:
            InvalidArgumentError: It is something else, or not in the years 1 to 9999.
        """
        first, precision = self.earliest, self.precision
        frequency = {"DAY": "D", "MONTH": "M", "YEAR": "Y"}.get(precision)
        if precision == "PART_OF_YEAR" and first is not None:
            quarter = _QUARTER + (first.month + 2) // 3
            frequency = "Q" if self.canonical.rstrip("?~%").endswith(f"-{quarter}") else None
        if first is None or self.latest is None or frequency is None:
            raise errors.invalid(
                "date", f"one day, month, quarter or year expected, got `{self.text}`"
            )
        pandas: Any = importlib.import_module("pandas")
        return pandas.Period(year=first.year, month=first.month, day=first.day, freq=frequency)

    def possibly_before(self, window: "Window") -> bool:
        """Whether it can be before the first day of the window."""
        return self._edtf.possibly(_core.DateRelation.BEFORE, *_window(window))

    def certainly_before(self, window: "Window") -> bool:
        """Whether it must be before the first day of the window."""
        return self._edtf.certainly(_core.DateRelation.BEFORE, *_window(window))

    def possibly_within(self, window: "Window") -> bool:
        """Whether it can be a day of the window."""
        return self._edtf.possibly(_core.DateRelation.WITHIN, *_window(window))

    def certainly_within(self, window: "Window") -> bool:
        """Whether it must be a day of the window."""
        return self._edtf.certainly(_core.DateRelation.WITHIN, *_window(window))

    def possibly_after(self, window: "Window") -> bool:
        """Whether it can be after the last day of the window."""
        return self._edtf.possibly(_core.DateRelation.AFTER, *_window(window))

    def certainly_after(self, window: "Window") -> bool:
        """Whether it must be after the last day of the window."""
        return self._edtf.certainly(_core.DateRelation.AFTER, *_window(window))

    def possibly_overlapping(self, window: "Window") -> bool:
        """Whether the month, year, interval ... that it gives can have a day in the window."""
        return self._edtf.possibly(_core.DateRelation.OVERLAPPING, *_window(window))

    def certainly_overlapping(self, window: "Window") -> bool:
        """Whether the month, year, interval ... that it gives must have a day in the window."""
        return self._edtf.certainly(_core.DateRelation.OVERLAPPING, *_window(window))

    def __contains__(self, day: object) -> bool:
        """Whether it can be that day; of a `datetime.datetime`, its day."""
        if not isinstance(day, datetime.date) or day != day:  # pandas.NaT is no day
            return False
        return self._edtf.admits((day.year, day.month, day.day))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Date):
            return NotImplemented
        return self._edtf.compare(other._edtf) == 0

    def __ne__(self, other: object) -> bool:
        if not isinstance(other, Date):
            return NotImplemented
        return self._edtf.compare(other._edtf) != 0

    def __lt__(self, other: "Date") -> bool:
        if not isinstance(other, Date):
            return NotImplemented
        return self._edtf.compare(other._edtf) < 0

    def __le__(self, other: "Date") -> bool:
        if not isinstance(other, Date):
            return NotImplemented
        return self._edtf.compare(other._edtf) <= 0

    def __gt__(self, other: "Date") -> bool:
        if not isinstance(other, Date):
            return NotImplemented
        return self._edtf.compare(other._edtf) > 0

    def __ge__(self, other: "Date") -> bool:
        if not isinstance(other, Date):
            return NotImplemented
        return self._edtf.compare(other._edtf) >= 0

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((Date, self.canonical))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"detente.Date({self.text!r})"

    def _repr_html_(self) -> str:
        days = [
            "" if day is None else f"{day[0]:04}-{day[1]:02}-{day[2]:02}"
            for day in dict.fromkeys((self._edtf.earliest, self._edtf.latest))
        ]
        doubts = [word for word in ("approximate", "uncertain") if getattr(self, word)]
        notes = ", ".join(["\N{EN DASH}".join(days), self.precision.lower(), *doubts])
        return f"<code>{html.escape(self.text)}</code> ({html.escape(notes)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Date, (self.text,)

    def __copy__(self) -> "Date":
        return self

    def __deepcopy__(self, memo: Any) -> "Date":
        return self

    def copy(self) -> "Date":
        """Itself: it does not change."""
        return self

    def _fixed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a detente.Date does not change")

    __setattr__ = _fixed
    __setitem__ = _fixed
    __delitem__ = _fixed
    __ior__ = _fixed
    clear = _fixed
    pop = _fixed
    popitem = _fixed
    setdefault = _fixed
    update = _fixed


class _Period(Protocol):
    """A `pandas.Period`, which brings no types."""

    @property
    def freqstr(self) -> str: ...
    @property
    def ordinal(self) -> int: ...


DateLike: TypeAlias = "Date | str | datetime.date | values_pb2.UncertainDate | _Period"
"""What a Date can be made of."""

Window: TypeAlias = "DateLike | tuple[DateLike | None, DateLike | None]"
"""Days from the first to the last, both included."""


def _python(day: _Day | None) -> datetime.date | None:
    if day is None or not datetime.MINYEAR <= day[0] <= datetime.MAXYEAR:
        return None
    return datetime.date(*day)


def _text(value: Any) -> str:
    if isinstance(value, Date):
        return value.text
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime.date):
        if value != value:  # pandas.NaT
            raise errors.invalid("edtf", f"a date expected, got {value!r}")
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.Period):
        return _of_period(value)
    from detente.v1 import values_pb2

    if isinstance(value, values_pb2.UncertainDate):
        if not value.edtf:
            state = value.State.Name(value.state)
            raise errors.invalid("edtf", f"a message with a date expected, got the state {state}")
        return value.edtf
    raise TypeError(
        "a str, datetime.date, detente.UncertainDate or pandas.Period expected, "
        f"got {type(value).__name__}"
    )


def _of_period(period: Any) -> str:
    frequency = str(period.freqstr)
    year = f"{period.year:04}"
    if frequency == "D":
        return f"{year}-{period.month:02}-{period.day:02}"
    if frequency == "M":
        return f"{year}-{period.month:02}"
    if frequency in ("Y-DEC", "A-DEC"):
        return year
    if frequency == "Q-DEC":
        return f"{year}-{_QUARTER + period.quarter}"
    raise errors.invalid(
        "period", f"a day, month, or quarter or year of the calendar expected, got {frequency}"
    )


def _window(window: Any) -> tuple[_Day | None, _Day | None]:
    if not isinstance(window, tuple):
        edtf = (window if isinstance(window, Date) else Date(window))._edtf
        return edtf.earliest, edtf.latest
    if len(window) != 2:
        raise errors.invalid("window", f"a first and a last day expected, not {window!r}")
    first, last = window
    if first is not None:
        first = Date(first)._edtf.earliest
    if last is not None:
        last = Date(last)._edtf.latest
    if first is not None and last is not None and first > last:
        raise errors.invalid("window", "a first day not after the last expected")
    return first, last
