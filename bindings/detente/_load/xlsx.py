"""Rows of a sheet of an XLSX file, read one by one; what unpacks to too much is refused."""

import importlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from detente._load import limits
from detente._load.faults import FileError
from detente._load.rows import Bad, Options, Row, check_header, clean_header
from detente._load.xml import new_parser

_TYPES = "[Content_Types].xml"
_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"})


def xlsx_rows(path: Path, options: Options, file: str) -> Iterator[Row | Bad]:
    """The rows of a sheet below the row that names the columns."""
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError:
        raise FileError(file, "openpyxl is not installed", "pip install 'detente[xlsx]'") from None
    book = None
    try:
        with path.open("rb") as stream:  # which openpyxl would leave open where it fails
            _check(stream, file)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            yield from _sheet_rows(_sheet(book, options, file), options, file)
    except FileError:
        raise
    except OSError as error:
        raise FileError(file, error.strerror or str(error)) from None
    except Exception as error:  # openpyxl raises whatever it stumbles over
        told = f"{type(error).__name__}: {error}"
        raise FileError(file, f"no XLSX file, or a damaged one: {told}", "save it again") from None
    finally:
        if book is not None:
            book.close()


def _check(stream: IO[bytes], file: str) -> None:
    """Refuses bombs: the sizes are those that reading stops at, whatever a part unpacks to."""
    with zipfile.ZipFile(stream) as parts:
        infos = parts.infolist()
        size = sum(info.file_size for info in infos)
        packed = max(1, sum(info.compress_size for info in infos))
        if size > limits.WORKBOOK:
            raise FileError(file, f"it unpacks to {size:,} bytes, {limits.WORKBOOK:,} at most")
        if size > limits.RATIO_FROM and size / packed > limits.RATIO:
            raise FileError(
                file,
                f"it unpacks to {size // packed:,} times its size, {limits.RATIO} at most",
                "save it as CSV",
            )
        sheets = _sheet_parts(parts, file)
        for info in infos:
            if info.filename not in sheets and info.file_size > limits.STRINGS:
                raise FileError(
                    file,
                    f"its part {info.filename} unpacks to {info.file_size:,} bytes, "
                    f"{limits.STRINGS:,} at most but for sheets",
                    "save it as CSV",
                )
            if info.filename in sheets or info.filename.lower().endswith((".xml", ".rels")):
                _check_prolog(parts, info, file)


def _sheet_parts(parts: zipfile.ZipFile, file: str) -> set[str]:
    """The parts that are sheets, which alone are not read into memory as a whole."""
    found: set[str] = set()

    def start(_: str, attributes: dict[str, str]) -> None:
        if attributes.get("ContentType", "").endswith(".worksheet+xml"):
            found.add(attributes.get("PartName", "").lstrip("/"))

    info = parts.getinfo(_TYPES)
    if info.file_size > limits.CELL:
        raise FileError(file, f"its part {_TYPES} unpacks to {info.file_size:,} bytes")
    parser = new_parser(file)
    parser.StartElementHandler = start
    parser.Parse(parts.read(info), True)
    return found


def _check_prolog(parts: zipfile.ZipFile, info: zipfile.ZipInfo, file: str) -> None:
    """Refuses a document type, which stands before the first element or nowhere."""
    parser = new_parser(file)
    begun: list[str] = []
    parser.StartElementHandler = lambda name, _: begun.append(name)
    with parts.open(info) as part:
        for _ in range(limits.CELL >> 12):
            chunk = part.read(1 << 12)
            parser.Parse(chunk, not chunk)
            if begun:
                return
            if not chunk:
                break
    raise FileError(file, f"its part {info.filename} is no XML", "save it again")


def _sheet(book: Any, options: Options, file: str) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    if options.sheet and options.sheet not in names:
        raise FileError(file, f"no sheet {options.sheet}", f"there are {', '.join(names)}")
    if not names:
        raise FileError(file, "it has no sheet")
    return book[options.sheet or names[0]]


def _sheet_rows(sheet: Any, options: Options, file: str) -> Iterator[Row | Bad]:
    sheet.reset_dimensions()  # what the file says of them need not be so
    header = list(options.columns)
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > limits.SHEET_ROWS:
            raise FileError(file, f"more than {limits.SHEET_ROWS:,} rows")
        if number <= options.skip or all(cell is None or cell == "" for cell in cells):
            continue
        if len(cells) > limits.COLUMNS and any(c is not None for c in cells[limits.COLUMNS :]):
            raise FileError(file, f"at most {limits.COLUMNS:,} columns are read", row=number)
        if not header:
            header = clean_header(cells, file, number)
            check_header(header, options, file)
            continue
        beyond = [cell for cell in cells[len(header) :] if cell is not None]
        broken = [
            f"{name} is {cell}"
            for name, cell in zip(header, cells, strict=False)
            if isinstance(cell, str) and cell in _ERRORS
        ]
        if beyond:
            yield Bad(file, number, f"more cells than the {len(header)} that have names", "")
        elif broken:
            yield Bad(file, number, f"a formula failed: {', '.join(broken)}", "write the value")
        else:
            padded = (*cells[: len(header)], *[None] * (len(header) - len(cells)))
            yield Row(zip(header, padded, strict=True), file, number)
    if not header:
        raise FileError(file, "the sheet is empty", "its first row names the columns")
