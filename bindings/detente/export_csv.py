"""CSV of flat columns, and the W3C's CSVW that describes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detente import _contract, _core
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
    names = [column.name for column in selection.columns]
    rows = _core.Rows(_contract.known_to_core(selection.descriptor), names, True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        for part in export.parts(selection):
            file.write(rows.csv(part))


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


def _datatype(field: Any) -> Any:
    if is_repeated(field):
        return "json"
    if field.message_type is not None:
        return _MESSAGES.get(field.message_type.full_name, "string")
    return "string" if field.enum_type is not None else _DATATYPES.get(field.cpp_type, "string")
