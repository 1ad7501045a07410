"""Dates as strangers write them, made EDTF: partial ones stay partial."""

import datetime
import functools
import re
from dataclasses import dataclass, field
from typing import Any

from detente import errors
from detente._load.faults import CellError
from detente._load.takes import as_text
from detente.dates import Date

EDTF = "edtf"
_MONTHS = {
    name.casefold(): number
    for names in (
        "January February March April May June July August September October November December",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    )
    for number, name in enumerate(names.split(), 1)
} | {"sept": 9}
_DIRECTIVES = {
    "%Y": r"(?P<Y>\d{4})",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%b": rf"(?P<b>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})",
    "%%": "%",
}
_DIRECTIVES["%B"] = _DIRECTIVES["%b"]
_CENTURY = re.compile(r"(?<![\w.-])\d\d(?![\w.-])")  # in EDTF; strangers mean years or months
_PART = re.compile(r"%.|[^%]+")


def compile_format(text: str) -> "re.Pattern[str]":
    """The pattern of a format; ValueError where it is none."""
    pattern = ""
    for part in _PART.findall(text):
        if part[0] != "%":
            pattern += re.escape(part)
        elif part in _DIRECTIVES:
            pattern += _DIRECTIVES[part]
        else:
            known = ", ".join(_DIRECTIVES)
            raise ValueError(f"{text!r}: no such directive {part}; there are {known}")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error:
        raise ValueError(f"{text!r}: a directive comes twice") from None
    groups = compiled.groupindex
    if "Y" not in groups:
        raise ValueError(f"{text!r}: no %Y")
    if "d" in groups and not ("m" in groups or "b" in groups):
        raise ValueError(f"{text!r}: a day without a month")
    return compiled


@dataclass(frozen=True)
class Dates:
    """How dates are written.

    Attributes:
        formats: `edtf`, but for centuries of two digits, or as of strptime with %Y, %m, %d and %b
            (names of months) alone.
        circa: Words before a date that say it is approximate.
        range: What stands between the ends of an interval.
    """

    formats: tuple[str, ...] = (EDTF,)
    circa: tuple[str, ...] = ()
    range: tuple[str, ...] = ()
    patterns: "tuple[re.Pattern[str] | None, ...]" = field(init=False)

    def __post_init__(self) -> None:
        patterns = tuple(None if text == EDTF else compile_format(text) for text in self.formats)
        object.__setattr__(self, "patterns", patterns)

    def read(self, value: Any, column: str) -> str:
        """The EDTF of a value.

        Raises:
            CellError: It is no date, or not of these formats.
        """
        if isinstance(value, datetime.datetime):
            value = value.date()
        text = as_text(value, column)
        if isinstance(value, datetime.date):
            return text
        word = next((w for w in self.circa if text.casefold().startswith(w.casefold())), "")
        found = self._period(text[len(word) :].strip(), "~" if word else "")
        if found is None:
            raise CellError(column, text, "no date that can be read", self._expected())
        if _is_date(found):
            return found
        raise CellError(column, text, "there is no such date", self._expected())

    def _period(self, text: str, suffix: str) -> str | None:
        """The EDTF of a date, or of the first and the last that it can be."""
        found = self._one(text)
        if found is not None:
            return found + suffix
        for between in self.range:
            ends = [self._one(end.strip()) for end in text.split(between)]
            if len(ends) == 2 and ends[0] and ends[1]:
                return f"{ends[0]}{suffix}/{ends[1]}{suffix}"
        return None

    def _one(self, text: str) -> str | None:
        for pattern in self.patterns:
            if pattern is None:
                if not _CENTURY.search(text) and _is_date(text):
                    return text
                continue
            match = pattern.fullmatch(text)
            if match is not None:
                parts = match.groupdict()
                month = parts.get("m") or _MONTHS.get((parts.get("b") or "").casefold(), "")
                smaller = [part for part in (month, parts.get("d")) if part]
                return "-".join([match["Y"], *(f"{int(part):02}" for part in smaller)])
        return None

    def _expected(self) -> str:
        told = []
        for text in self.formats:
            if text == EDTF:
                told.append("EDTF, as 2020-12-31, 2020-12 or 2020?")
            else:
                for directive, shown in (
                    ("%Y", "2020"),
                    ("%m", "12"),
                    ("%d", "31"),
                    ("%b", "Dec"),
                    ("%B", "December"),
                ):
                    text = text.replace(directive, shown)
                told.append(text)
        return f"expected: {' or '.join(told)}"


def one_date(found: list[str], column: str) -> str:
    """The date that several say: one of them."""
    several = list(dict.fromkeys(found))
    if len(several) == 1:
        return several[0]
    text = f"[{','.join(date.replace('/', '..') for date in several)}]"
    if not _is_date(text):
        raise CellError(column, text, "several dates that are not one", "take the `first`")
    return text


@functools.lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        Date(text)
    except errors.InvalidArgumentError:
        return False
    return True
