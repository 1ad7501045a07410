"""CSV of flat columns, and the W3C's CSVW that describes it."""

import csv
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detente._contract import is_repeated

if TYPE_CHECKING:
    from detente.exporting import Export

_DATATYPES = {  # by FieldDescriptor.cpp_type
    1: "integer",
    2: "integer",
    3: "integer",
    4: "integer",
    5: "double",
    6: "double",
    7: "boolean",
}
_MESSAGES = {"google.type.Date": "date", "google.protobuf.Timestamp": "dateTime"}


def write(export: "Export", path: Path) -> None:
    """Writes a line of column names, then one for each record; UTF-8, RFC 4180."""
    [selection] = export.selections
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in selection.columns])
        for row in export.rows(selection, selection.columns):
            writer.writerow(map(cell, row))


def describe(export: "Export", metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Tabular metadata (https://www.w3.org/TR/tabular-metadata/) with ours as a note."""
    [selection] = export.selections
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "url": metadata["file"],
        "dialect": {"encoding": "utf-8", "header": True, "lineTerminators": ["\n"]},
        "tableSchema": {
            "columns": [
                {"name": column.name, "titles": column.name, "datatype": _datatype(column.field)}
                for column in selection.columns
            ],
            **(
                {"primaryKey": "name"}
                if any(column.name == "name" for column in selection.columns)
                else {}
            ),
        },
        "notes": [dict(metadata)],
    }


def cell(value: Any) -> str:
    """A value as text: lists and maps as JSON, empty where there is nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return json_text(value)
    return _time(value) or str(value)


def json_text(found: list[Any]) -> str:
    """A list or a map as JSON without what is not set; empty where it has no element."""
    if not found:
        return ""
    is_map = isinstance(found[0], tuple)
    return json.dumps(
        {key: _set(item) for key, item in found} if is_map else [_set(item) for item in found],
        ensure_ascii=False,
        separators=(",", ":"),
        default=_time,
    )


def _set(value: Any) -> Any:
    if isinstance(value, dict):
        items = ((key, _set(item)) for key, item in value.items())
        return {
            k: v for k, v in items if v is not None and v is not False and v not in ("", [], {})
        }
    return [_set(item) for item in value] if isinstance(value, list) else value


def _time(value: Any) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, datetime.date) else None


def _datatype(field: Any) -> Any:
    if is_repeated(field):
        return "json"
    if field.message_type is not None:
        return _MESSAGES.get(field.message_type.full_name, "string")
    return "string" if field.enum_type is not None else _DATATYPES.get(field.cpp_type, "string")
