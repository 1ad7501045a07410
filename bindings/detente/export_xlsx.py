"""XLSX: a sheet for each collection, one of its citations, and one about the file."""

import contextlib
import datetime
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detente import errors
from detente._xml import writable
from detente.columns import Column, flat_columns

try:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.packaging.custom import IntProperty, StringProperty
    from openpyxl.styles import Font
except ImportError:
    raise errors.FailedPreconditionError(
        "this needs openpyxl: pip install 'detente[xlsx]'", reason="MISSING_PACKAGE"
    ) from None

if TYPE_CHECKING:
    from detente.exporting import Export, Selection

ROWS = 1_048_576  # of a sheet, with the heading
CHARACTERS = 32_767  # of a cell, in UTF-16
_WHOLE = 10**15  # numbers of which Excel keeps all digits
_FIRST_DAY = datetime.date(1900, 3, 1)  # Excel's days before it are one off
_PAGE = 500  # records whose sources are fetched together
_CITED = (
    "record", "citation", "fields", "source", "title", "publisher", "url", "archive_url",
    "locator", "quote", "paraphrase", "stance", "credibility", "rank", "speaker", "asserted_value",
    "assert_date",
)  # fmt: skip


def write(export: "Export", path: Path) -> None:
    """Writes a workbook, row by row; texts are texts, whatever they begin with."""
    book = openpyxl.Workbook(write_only=True)
    try:
        _write(export, book)
        book.save(path)
    except BaseException:
        for sheet in book.worksheets:  # they lie in temporary files
            with contextlib.suppress(Exception):
                sheet.close()
            with contextlib.suppress(Exception):
                sheet._writer.cleanup()
        raise


def _write(export: "Export", book: Any) -> None:
    sheets = [_Sheet(export, book, selection.collection) for selection in export.selections]
    cited = _Sheet(export, book, "Citations")
    cited.heading(_CITED)
    for sheet, selection in zip(sheets, export.selections, strict=True):
        _write_records(export, selection, sheet, cited)
    about = _Sheet(export, book, "About")
    about.heading(("what", "value"))
    export.finish()
    for name, value in export.metadata.items():
        text = value if isinstance(value, int | str) else json.dumps(value, ensure_ascii=False)
        about.append((name, text))
        number = isinstance(value, int) and not isinstance(value, bool) and value < 1 << 31
        kind: Any = IntProperty if number else StringProperty
        book.custom_doc_props.append(
            kind(name=name, value=value if number else writable(str(text)))
        )


class _Sheet:
    """A sheet of a write-only workbook that says when it is full."""

    def __init__(self, export: "Export", book: Any, title: str) -> None:
        self._export = export
        self._sheet: Any = book.create_sheet(title)
        self._sheet.freeze_panes = "B2"
        self._title = title
        self._rows = 0

    def heading(self, names: Iterable[str]) -> None:
        cells = [self._cell(name) for name in names]
        for cell in cells:
            cell.font = Font(bold=True)
        self._rows += 1
        self._sheet.append(cells)

    def append(self, values: Iterable[Any]) -> None:
        self._rows += 1
        if self._rows > ROWS:
            raise errors.ResourceExhaustedError(
                f"{self._title}: a sheet holds {ROWS - 1:,} rows; filter them, or take Parquet",
                reason="LIMIT_EXCEEDED",
            )
        self._sheet.append([self._cell(value) for value in values])

    def _cell(self, value: Any) -> Any:
        value = _plain(value)
        if not isinstance(value, str):
            return value
        text = writable(value)
        if len(text.encode("utf-16-le")) // 2 > CHARACTERS:
            self._export.shortened += 1
            text = text.encode("utf-16-le")[: 2 * (CHARACTERS - 1)].decode("utf-16-le", "ignore")
            text += "…"
        cell = WriteOnlyCell(self._sheet, text)
        cell.data_type = "s"  # not a formula, whatever it begins with
        return cell


def _write_records(export: "Export", selection: "Selection", sheet: _Sheet, cited: _Sheet) -> None:
    columns = selection.columns
    if selection.all_columns:  # they have a sheet of their own
        columns = [column for column in columns if column.name != "citations"]
    sheet.heading(column.name for column in columns)
    known = {column.name: column for column in flat_columns(selection.descriptor)}
    more: list[Column] = [known["name"], known["citations"]]
    waiting: list[tuple[str, list[Any]]] = []
    for *row, name, citations in export.rows(selection, [*columns, *more]):
        sheet.append(row)
        waiting.append((name, citations))
        if len(waiting) == _PAGE:
            _cite(export, waiting, cited)
            waiting = []
    _cite(export, waiting, cited)


def _cite(export: "Export", records: list[tuple[str, list[Any]]], cited: _Sheet) -> None:
    from detente.v1 import source_pb2

    sources = export.others(one["source"] for _, citations in records for one in citations)
    for name, citations in records:
        for one in citations:
            source = sources.get(one["source"], source_pb2.Source())
            cited.append(_cited(name, one, source))


def _cited(name: str, one: dict[str, Any], source: Any) -> Iterator[Any]:
    from detente import display

    yield from (name, one["id"], "\n".join(one["fields"]), one["source"], source.title)
    yield from (display.value_text(source.publisher), source.url, source.archive_url)
    for field in ("locator", "quote", "paraphrase", "stance", "credibility", "rank"):
        yield one[field]
    speaker = one["speaker"] or {}
    who = [speaker.get(part) for part in ("person", "organization", "description")]
    yield ", ".join(part for part in who if part)
    yield one["asserted_value"]
    yield (one["assert_date"] or {}).get("edtf")


def _plain(value: Any) -> Any:
    """What a cell can hold: texts of lists, times in UTC, days that Excel knows."""
    if isinstance(value, list):
        return _json_text(value) or None
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None, microsecond=0)
    if isinstance(value, datetime.date) and value < _FIRST_DAY:
        return value.isoformat()
    if isinstance(value, int) and abs(value) >= _WHOLE:
        return str(value)
    return value if value != "" else None


def _json_text(found: list[Any]) -> str:
    """A list or a map as JSON without what is not set; empty where it has no element."""
    if not found:
        return ""
    is_map = isinstance(found[0], tuple)
    return json.dumps(
        {key: _set(item) for key, item in found} if is_map else [_set(item) for item in found],
        ensure_ascii=False,
        separators=(",", ":"),
        default=_iso,
    )


def _set(value: Any) -> Any:
    if isinstance(value, dict):
        items = ((key, _set(item)) for key, item in value.items())
        return {
            k: v for k, v in items if v is not None and v is not False and v not in ("", [], {})
        }
    return [_set(item) for item in value] if isinstance(value, list) else value


def _iso(value: datetime.date) -> str:
    return value.isoformat().replace("+00:00", "Z")
