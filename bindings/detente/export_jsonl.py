"""JSON lines: ProtoJSON with proto field names, which `load` takes back."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from detente import _contract, _core

if TYPE_CHECKING:
    from detente.exporting import Export


def write(export: "Export", path: Path) -> None:
    """Writes one record on each line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines(export))


def lines(export: "Export") -> Iterator[str]:
    """The lines, each with its end."""
    for selection in export.selections:
        kind = _contract.known_to_core(selection.descriptor)
        for record in export.records(selection):
            yield _core.json_line(kind, record.SerializeToString()) + "\n"
