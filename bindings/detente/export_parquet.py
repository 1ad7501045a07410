"""Parquet, nested as the Arrow schema is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detente import tables

if TYPE_CHECKING:
    from detente.exporting import Export

_ROWS = 65_536  # of a row group
_BYTES = 64 << 20  # of a row group, about


def write(export: "Export", path: Path) -> None:
    """Writes a table; `detente.export` in the metadata of the file is what it says about itself."""
    import pyarrow.parquet as pq

    [selection] = export.selections
    schema = tables.schema(
        selection.descriptor, None if selection.all_columns else selection.columns
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        waiting: list[Any] = []
        for batch in tables.batches(export.records(selection), schema):
            waiting.append(batch)
            if sum(map(len, waiting)) >= _ROWS or sum(one.nbytes for one in waiting) >= _BYTES:
                writer.write_table(_joined(waiting, schema))
                waiting = []
        writer.write_table(_joined(waiting, schema))
        known = json.dumps(export.finish(), ensure_ascii=False)
        writer.add_key_value_metadata({"detente.export": known})


def _joined(batches: list[Any], schema: Any) -> Any:
    """One table, whose dictionaries are one too: Parquet's writer mixes up several."""
    import pyarrow as pa

    return pa.Table.from_batches(batches, schema).combine_chunks()
