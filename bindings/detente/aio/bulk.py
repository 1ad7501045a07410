"""Many records at once, from files and frames and into them: what databases and views offer."""

# Written by bindings/generate_async.py; edit detente/bulk.py.
# ruff: noqa
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from detente._filter import FilterLike
from detente._progress import Progress
from detente.aio._threads import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from detente._load.report import Report
    from detente.aio._session import AsyncSession
    from detente.aio.listing import AsyncRecordList
    from detente.exporting import Exported
    from detente.writing import Written


class AsyncExports:
    """Into files."""

    async def export(
        self,
        path: str | os.PathLike[str],
        what: str | Iterable[str] | AsyncRecordList[Any] | None = None,
        *,
        filter: FilterLike = "",
        where: Mapping[str, Any] | None = None,
        columns: Iterable[str] | None = None,
        format: str | None = None,
        show_deleted: bool = False,
        progress: Progress = None,
    ) -> Exported:
        """Writes records into a file, all as they are at one revision; it appears whole or not.

        Args:
            path: The file; what has that name is replaced.
            what: A collection (`releases`), several, or what `list` gives; None = all that the
                format has a place for.
            filter: Which records of these collections; empty = all.
            where: Fields and the values that they must have.
            columns: Only these columns, such as `headcount.best`, or those below `headcount`.
            format: `csv`, `jsonl`, `parquet`, `xlsx`, `ftm` or `graphml`; None = by the ending.
            show_deleted: Deleted records too.
            progress: Called with the numbers of records that are read, and of all. None = a bar,
                on a terminal or in a notebook; False = nothing.

        Raises:
            InvalidArgumentError: The format does not take what was asked for.
            OSError: The file cannot be written.

        Example:
            >>> await db.export("releases.xlsx", "releases", filter="headcount.best > 50")
            >>> await db.at("snapshots/paper-2026").export("persons.parquet", "persons")
        """
        made: Exported = await in_thread(
            self,
            "export",
            path,
            what,
            filter=filter,
            where=where,
            columns=columns,
            format=format,
            show_deleted=show_deleted,
            progress=progress,
        )
        return made


class AsyncLoads:
    """From files and frames."""

    _session: AsyncSession

    async def load(
        self,
        source: Any,
        into: str | None = None,
        *,
        mapping: str | Path | Mapping[str, Any] | None = None,
        dry_run: bool = False,
        on_error: str = "stop",
        reason: str = "",
        progress: Progress = None,
    ) -> Report:
        """Makes records of rows: of files, data frames or whatever has `__arrow_c_stream__`.

        All rows are checked before the first record is written. Records are created or replaced
        by name, so that loading the same rows again changes nothing.

        Args:
            source: Paths (CSV, TSV, XLSX, JSON lines, XML, Parquet, Arrow), a frame, or a list of
                dicts; with neither `into` nor `mapping`, files of records in YAML or JSON.
            into: The collection (`persons`), where the mapping does not say.
            mapping: A file, the name of a ready one (`ofac_sdn`), or its content; docs/load.md.
                None = guessed from the names of the columns.
            dry_run: Write nothing; report all that is wrong, and the first records.
            on_error: `stop` writes nothing if any row is wrong; `skip` writes the right ones.
            reason: Why, kept on the commits.
            progress: Called with the numbers of records that are written, and of all; else as
                in `export`.

        Raises:
            detente.loading.LoadError: Rows are wrong, or a file can't be read; its `report` tells
                of every one.

        Example:
            >>> (await db.load("people.csv", into="persons", dry_run=True)).problems
            >>> (await db.load("sdn.csv", mapping="ofac_sdn", on_error="skip")).created
        """
        made: Report = await in_thread(
            self,
            "load",
            source,
            into,
            mapping=mapping,
            dry_run=dry_run,
            on_error=on_error,
            reason=reason,
            progress=progress,
        )
        return made

    async def write(
        self,
        collection: str,
        data: Any,
        *,
        on_error: str = "stop",
        columns: Iterable[str] = (),
        reason: str = "",
        validate_only: bool = False,
        write_id: str = "",
        progress: Progress = None,
    ) -> Written:
        """Writes rows of columns, in commits of at most 1,000 rows: a million as easily as one.

        A row whose `name` or `id` is that of a record changes the fields that the columns name and
        leaves the others; otherwise it becomes a record. A null is an absent value. Columns are
        named and typed as `to_arrow` has them, nested or flat. A lost connection is taken up again,
        and nothing is written twice.

        Args:
            collection: Where to: `releases`.
            data: A pyarrow Table or RecordBatchReader, a frame of pandas or polars, a DuckDB
                relation, or anything else that speaks Arrow's C stream interface.
            on_error: `stop` raises at the first batch that has a wrong row, of which nothing is
                written (up to two batches behind it may be); `skip` leaves wrong rows out and
                reports them.
            columns: To write, beside `name` and `id`; none = all.
            reason: Why, kept on the commits.
            validate_only: Check everything, write nothing; what rows need of rows of other batches
                is then reported as missing.
            write_id: A text of at most 44 characters that names this write: the same data, sent
                again under it, is written once. Empty = a new UUID.
            progress: Called with the numbers of rows that are done, and of all or None; else as
                in `export`.

        Raises:
            InvalidArgumentError: A column is wrong, or with `stop` a row: `field_violations` has
                `rows[7].effective_date.edtf`, counted from 0 in the data.

        Example:
            >>> frame = pd.DataFrame({"id": ["a-b"], "display_name": ["A. B."]})
            >>> (await db.write("persons", frame, reason="second list")).created
            1
        """
        made: Written = await in_thread(
            self,
            "write",
            collection,
            data,
            on_error=on_error,
            columns=columns,
            reason=reason,
            validate_only=validate_only,
            write_id=write_id,
            progress=progress,
        )
        return made
