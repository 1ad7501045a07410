"""Rows: mappings of columns to values, whatever they come from, each knowing where it stands."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from detente import errors
from detente._load.faults import FileError

_ENDINGS = "csv, tsv, tab, txt, xlsx, xlsm, jsonl, ndjson, xml, parquet, arrow, feather, ipc"
MEMORY = "rows"  # the file of what was in memory


@dataclass(frozen=True)
class Options:
    """How a file is read.

    Attributes:
        format: csv, tsv, jsonl, xlsx, xml, parquet or arrow; empty = as its ending says.
        columns: Their names, where the file has no header.
        needed: Those that the mapping speaks of: a header without one is refused.
        delimiter: Between cells; empty = found.
        encoding: Of text; empty = UTF-8, or as a byte order mark says.
        skip: Lines above the header.
        sheet: Of an XLSX file, its name; empty = the first.
        elements: Of XML, the paths of elements that are rows, below the root.
    """

    format: str = ""
    columns: tuple[str, ...] = ()
    needed: frozenset[str] = frozenset()
    delimiter: str = ""
    encoding: str = ""
    skip: int = 0
    sheet: str = ""
    elements: tuple[str, ...] = ()


class Row(dict[str, Any]):
    """Values by column; those of JSON, XML and Arrow may hold others."""

    __slots__ = ("file", "number")

    def __init__(self, values: Any, file: str, number: int) -> None:
        super().__init__(values)
        self.file = file
        self.number = number


class Bad(NamedTuple):
    """A row that can't be read."""

    file: str
    row: int
    reason: str
    advice: str


def read(source: Any, options: Options) -> Iterator[Row | Bad]:
    """The rows of a path, or of what is in memory.

    Raises:
        FileError: The file can't be read, or not to its end.
    """
    if isinstance(source, Path):
        yield from _reader(source, options)(source, options, source.name)
        return
    if hasattr(source, "__arrow_c_stream__"):
        from detente._load import arrow

        yield from arrow.stream_rows(source, options)
        return
    if not isinstance(source, Iterable) or isinstance(source, str | bytes | Mapping):
        kind = type(source).__name__
        raise errors.invalid("source", f"a path, a data frame or a list of dicts, not {kind}")
    for number, row in enumerate(source, 1):
        if isinstance(row, Mapping):
            yield Row(row, MEMORY, number)
        else:
            kind = type(row).__name__
            yield Bad(MEMORY, number, f"a mapping expected, not {kind}", "as {column: value}")


def _reader(path: Path, options: Options) -> Any:
    ending = options.format or path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if ending in ("csv", "tsv", "tab", "txt"):
        from detente._load.text import csv_rows

        return csv_rows
    if ending in ("jsonl", "ndjson"):
        from detente._load.text import json_rows

        return json_rows
    if ending == "xml":
        from detente._load.xml import xml_rows

        return xml_rows
    if ending in ("xlsx", "xlsm"):
        from detente._load.xlsx import xlsx_rows

        return xlsx_rows
    if ending in ("parquet", "arrow", "feather", "ipc"):
        from detente._load import arrow

        return arrow.parquet_rows if ending == "parquet" else arrow.ipc_rows
    if ending == "json":
        advice = "one object on each line is .jsonl"
    else:
        advice = f"there are {_ENDINGS}, and .gz of texts; or name the `format` in the mapping"
    raise FileError(path.name, "no kind of file that is read", advice)


def clean_header(cells: Iterable[Any], file: str, number: int) -> list[str]:
    """The names of columns; empty ones at the end of a sheet are left out."""
    header = ["" if cell is None else str(cell).strip() for cell in cells]
    while header and not header[-1]:
        header.pop()
    seen: set[str] = set()
    for place, name in enumerate(header, 1):
        if not name:
            raise FileError(file, f"column {place} has no name", "name every column", row=number)
        if name in seen:
            raise FileError(file, f"two columns are named {name}", "rename one", row=number)
        seen.add(name)
    return header


def check_header(header: Iterable[str], options: Options, file: str) -> None:
    """Refuses a header that lacks a column of the mapping."""
    known = list(header)
    missing = sorted(
        name for name in options.needed if name not in known and name.partition(".")[0] not in known
    )
    if not missing:
        return
    told = []
    for name in missing:
        near = difflib.get_close_matches(name, known, 1)
        told.append(f"{name} (is it {near[0]}?)" if near else name)
    plural = "columns are" if len(told) > 1 else "column is"
    raise FileError(
        file, f"{len(told)} {plural} missing: {', '.join(told)}", f"there are {', '.join(known)}"
    )
