"""Rows of Parquet and Arrow files, and of whatever gives an Arrow stream: data frames, results."""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from detente._load import limits
from detente._load.faults import FileError
from detente._load.rows import MEMORY, Bad, Options, Row, check_header
from detente.frames import arrow

_ROWS = 1_000  # that are Python's at a time


def parquet_rows(path: Path, options: Options, file: str) -> Iterator[Row | Bad]:
    """The rows of a Parquet file."""
    pyarrow = arrow()
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as opened:
            for number in range(opened.metadata.num_row_groups):
                size = opened.metadata.row_group(number).total_byte_size
                if size > limits.ROW_GROUP:
                    raise FileError(
                        file,
                        f"a row group unpacks to {size:,} bytes, {limits.ROW_GROUP:,} at most",
                        "write it with smaller ones",
                    )
            yield from _rows(opened.iter_batches(_ROWS), opened.schema_arrow, options, file)
    except (OSError, pyarrow.ArrowException) as error:
        raise FileError(file, f"no Parquet file, or a damaged one: {error}") from None


def ipc_rows(path: Path, options: Options, file: str) -> Iterator[Row | Bad]:
    """The rows of an Arrow IPC file or stream."""
    pyarrow = arrow()
    try:
        with pyarrow.memory_map(str(path)) as source:
            try:
                opened = pyarrow.ipc.open_file(source)
                batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
            except pyarrow.ArrowInvalid:
                source.seek(0)
                opened = batches = pyarrow.ipc.open_stream(source)
            yield from _rows(batches, opened.schema, options, file)
    except (OSError, pyarrow.ArrowException) as error:
        raise FileError(file, f"no Arrow file, or a damaged one: {error}") from None


def stream_rows(source: Any, options: Options) -> Iterator[Row | Bad]:
    """The rows of what has `__arrow_c_stream__`."""
    pyarrow = arrow()
    try:
        reader = pyarrow.RecordBatchReader.from_stream(source)
        yield from _rows(reader, reader.schema, options, MEMORY)
    except pyarrow.ArrowException as error:
        told = str(error).partition("\n")[0]
        raise FileError(MEMORY, f"no stream of Arrow: {told}", "give a list of dicts") from None


def _rows(batches: Iterable[Any], schema: Any, options: Options, file: str) -> Iterator[Row | Bad]:
    if len(schema.names) > limits.COLUMNS:
        raise FileError(file, f"at most {limits.COLUMNS:,} columns are read")
    doubled = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if doubled is not None:
        raise FileError(file, f"two columns are named {doubled}", "rename one")
    check_header(schema.names, options, file)
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            too_long = _too_long(part)
            if too_long:
                raise FileError(
                    file,
                    f"a cell of more than {limits.CELL >> 20} MiB",
                    row=number + 1,
                    column=too_long,
                )
            for values in part.to_pylist():
                number += 1
                yield Row(values, file, number)


def _too_long(batch: Any) -> str:
    """The column of texts or bytes that has a longer one than is read."""
    types: Any = importlib.import_module("pyarrow.types")
    compute: Any = importlib.import_module("pyarrow.compute")
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type
        if types.is_dictionary(kind):
            column, kind = column.dictionary, kind.value_type
        if (
            types.is_string(kind)
            or types.is_large_string(kind)
            or types.is_binary(kind)
            or types.is_large_binary(kind)
        ):
            longest = compute.max(compute.binary_length(column)).as_py()
            if longest is not None and longest > limits.CELL:
                return str(name)
    return ""
