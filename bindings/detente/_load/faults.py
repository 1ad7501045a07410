"""What is wrong with a file, a row or a cell."""

from dataclasses import dataclass
from typing import Any

from detente._load import limits


@dataclass(frozen=True)
class Problem:
    """What keeps a row, or a file, from being loaded.

    Attributes:
        file: Its name, or `rows` for what was in memory.
        row: The line in a text file; the row in a sheet; else from 1. None = the whole file.
        column: The column, or several of which one is it; empty = the whole row.
        value: What stands there, shortened.
        reason: What is wrong.
        advice: What would do.
    """

    file: str
    row: int | None
    column: str
    value: str
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        where = self.file if self.row is None else f"{self.file}:{self.row}"
        told = f"{self.reason}; {self.advice}" if self.advice else self.reason
        parts = [where, self.column, f"`{self.value}`" if self.value else "", told]
        return ": ".join(part for part in parts if part)


class FileError(Exception):
    """A file can't be read on."""

    def __init__(
        self, file: str, reason: str, advice: str = "", *, row: int | None = None, column: str = ""
    ) -> None:
        super().__init__(reason)
        self.problem = Problem(file, row, column, "", reason, advice)


class CellError(Exception):
    """A cell has no value for the field it is for."""

    def __init__(self, column: str, value: Any, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.row: Any = None  # that it stands in, where it is not the one that is read
        self.column = column
        self.value = shown(value)
        self.reason = reason
        self.advice = advice


def shown(value: Any) -> str:
    """A value in a report: one line, at most `limits.SHOWN` characters."""
    text = value[: limits.SHOWN + 1] if isinstance(value, str) else str(value)[: limits.SHOWN + 1]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return text if len(text) <= limits.SHOWN else f"{text[: limits.SHOWN]}…"


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that the encoding does not know
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()
