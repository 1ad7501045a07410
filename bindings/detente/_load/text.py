"""Lines of a file, and the rows of CSV, TSV and JSON lines in them, in bounded memory."""

import codecs
import contextlib
import csv
import gzip
import json
import re
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from detente._load import limits
from detente._load.faults import FileError
from detente._load.rows import Bad, Options, Row, check_header, clean_header

_CHUNK = 1 << 16
_LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@contextlib.contextmanager
def opened(path: Path, file: str) -> Iterator[Iterator[bytes]]:
    """The chunks of a file, unpacked if it is gzipped."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            yield _chunks(stream, file)
    except OSError as error:
        raise FileError(file, error.strerror or str(error)) from None


def _chunks(stream: IO[bytes], file: str) -> Iterator[bytes]:
    size = 0
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileError(file, f"damaged: {error}", "fetch or pack it again") from None
        if not chunk:
            return
        size += len(chunk)
        if size > limits.FILE:
            raise FileError(
                file, f"at most {limits.FILE >> 30} GiB of a file are read", "cut it into parts"
            )
        yield chunk


class Lines:
    """The lines of a file with their ends; `number` is that of the last one, from 1.

    Bytes that the encoding does not know are surrogates in the lines, so that the cell that has
    them can be told.
    """

    def __init__(self, chunks: Iterator[bytes], encoding: str, file: str) -> None:
        self.number = 0
        self._file = file
        self._chunks = chunks
        self._waiting: deque[str] = deque()
        self._rest = ""
        self._done = False
        first = next(chunks, b"")
        if not encoding:
            encoding = next((name for bom, name in _BOMS if first.startswith(bom)), "utf-8")
        elif codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-8-sig"
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._take(first, not first)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        while not self._waiting:
            if self._done:
                raise StopIteration
            chunk = next(self._chunks, b"")
            self._take(chunk, not chunk)
        self.number += 1
        return self._waiting.popleft()

    def _take(self, chunk: bytes, last: bool) -> None:
        self._done = last
        try:
            text = self._rest + self._decoder.decode(chunk, last)
        except UnicodeError as error:
            raise FileError(
                self._file,
                f"not {error.encoding}" if isinstance(error, UnicodeDecodeError) else str(error),
                "name its encoding in the mapping, as `encoding: utf-16`",
                row=self.number + 1,
            ) from None
        start = 0
        for match in _LINE_END.finditer(text, max(0, len(self._rest) - 1)):
            self._waiting.append(text[start : match.end()])
            start = match.end()
        self._rest = text[start:]
        if len(self._rest) > limits.ROW:
            raise FileError(
                self._file,
                f"at most {limits.ROW >> 20} Mi characters of a line are read",
                "it is no text of lines, or is damaged here",
                row=self.number + len(self._waiting) + 1,
            )
        if last and self._rest:
            if self._rest != "\x1a":  # an end of file, of old
                self._waiting.append(self._rest)
            self._rest = ""


class _Feed:
    """Lines for a `csv.reader`, which may be put back."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.used: list[str] = []
        self.number = 0
        self._size = 0
        self._reread = 0

    def start(self) -> None:
        """Begins a row."""
        self.used.clear()
        self._size = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.used.append(line)
        self.number += 1
        self._size += len(line)
        if self._size > limits.ROW:
            raise _RowTooLongError
        return line

    def put_back(self) -> bool:
        """Puts back all lines of the row but its first; False where that has been too much."""
        self._reread += self._size - len(self.used[0]) if self.used else 0
        self._again.extendleft(reversed(self.used[1:]))
        self.number -= max(0, len(self.used) - 1)
        return self._reread <= limits.REREAD


class _RowTooLongError(Exception):
    pass


def csv_rows(path: Path, options: Options, file: str) -> Iterator[Row | Bad]:
    """The rows of a file of delimiter-separated values."""
    csv.field_size_limit(max(limits.CELL, csv.field_size_limit()))  # of the process; only raised
    with opened(path, file) as chunks:
        lines = Lines(chunks, options.encoding, file)
        for _ in range(options.skip):
            next(lines, None)
        feed = _Feed(lines)
        feed.number = lines.number
        first = next(lines, None)
        if first is None:
            if not options.columns:
                raise FileError(file, "it is empty", "its first row names the columns")
            return
        feed._again.append(first)
        delimiter = options.delimiter or _delimiter(first, file)
        header = list(options.columns)
        for cells in _records(csv.reader(feed, delimiter=delimiter, strict=True), feed, file):
            if isinstance(cells, Bad):
                if not header:
                    raise FileError(file, cells.reason, cells.advice, row=cells.row)
                yield cells
                continue
            number, values = cells
            if not values:
                continue
            if len(values) > limits.COLUMNS:
                raise FileError(file, f"at most {limits.COLUMNS:,} columns are read", row=number)
            if not header:
                header = clean_header(values, file, number)
                check_header(header, options, file)
            elif len(values) != len(header):
                reason = f"{len(values)} cells, where {len(header)} are expected"
                yield Bad(file, number, reason, "look for a missing quote or delimiter")
            else:
                yield Row(zip(header, values, strict=True), file, number)
        if not header:
            raise FileError(file, "it is empty", "its first row names the columns")


def _records(reader: Any, feed: _Feed, file: str) -> Iterator[tuple[int, list[str]] | Bad]:
    while True:
        feed.start()
        number = feed.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (_RowTooLongError, csv.Error) as error:
            reason = str(error)
            if isinstance(error, _RowTooLongError) or reason == "unexpected end of data":
                reason = "a quote that opens here does not end"
            elif "field limit" in reason:
                reason = f"a cell of more than {limits.CELL >> 20} Mi characters"
            else:
                reason = f"no row of cells: {reason}"
            if not feed.put_back():
                raise FileError(
                    file, "quotes without an end, again and again", row=number
                ) from None
            yield Bad(file, number, reason, "put quotes around the cell, and double those in it")
            continue
        yield number, cells


def _delimiter(line: str, file: str) -> str:
    if ".tsv" in file.lower() or ".tab" in file.lower():
        return "\t"
    bare = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=bare.count)


def json_rows(path: Path, options: Options, file: str) -> Iterator[Row | Bad]:
    """The objects of a file of JSON lines."""
    with opened(path, file) as chunks:
        lines = Lines(chunks, options.encoding, file)
        for line in lines:
            if not line.strip():
                continue
            try:
                found = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                yield Bad(file, lines.number, f"no JSON: {reason}", "one object on each line")
                continue
            if isinstance(found, dict):
                yield Row(found, file, lines.number)
            else:
                yield Bad(file, lines.number, "no object of JSON", "one object on each line")


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
