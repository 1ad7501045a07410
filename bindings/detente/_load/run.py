"""Loading: rows read, made records and checked, all of them; then written."""

import fnmatch
import itertools
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detente import errors
from detente._load import compile, limits, rows
from detente._load.faults import CellError, FileError, Problem, shown
from detente._load.guess import guess
from detente._load.mapping import Join, Loading, RecordKind
from detente._load.merge import merge
from detente._load.report import LoadError, Report
from detente._load.rows import Bad, Options, Row
from detente._load.spool import Spool
from detente._load.write import Writer
from detente._progress import Progress, told
from detente.database import Database

FIRST = 5  # records that a dry run shows
_GUESSED = 100  # rows that a mapping is guessed from


def load(
    db: Database,
    source: Any,
    into: str | None,
    mapping: str | Path | Mapping[str, Any] | None,
    *,
    dry_run: bool,
    on_error: str,
    reason: str,
    progress: Progress,
) -> Report:
    """See `Database.load`."""
    if on_error not in ("stop", "skip"):
        raise errors.invalid("on_error", f"stop or skip, not {on_error!r}")
    report = Report(revision=db.revision)
    stop = on_error == "stop"
    try:
        with Spool() as spool:
            loading = _Rows(spool, report).read(sources(source), into, mapping)
            report.mapping = loading.text
            writer = Writer(db, spool, loading, report, reason)
            if dry_run:
                report.first = _first(spool)
                writer.check()
                return report
            if not (stop and report.problem_count):
                with told(progress, "load") as tell:
                    (writer.write_all if stop else writer.write)(tell)
    except FileError as fault:
        report.tell_first(fault.problem)
        if not dry_run:
            raise LoadError(report) from None
    except sqlite3.OperationalError as error:
        raise errors.ResourceExhaustedError(
            f"the temporary file of the load: {error}; the variable SQLITE_TMPDIR names its folder"
        ) from None
    if stop and report.problem_count and not dry_run:
        raise LoadError(report)
    return report


def sources(source: Any) -> list[Any]:
    """What is to be read, one after the other: paths, or what is in memory."""
    several = source if isinstance(source, list | tuple) else [source]
    if several and all(isinstance(item, str | os.PathLike) for item in several):
        return [Path(item) for item in several]
    return [source]


def is_of_records(source: Any, endings: Iterable[str]) -> bool:
    """Whether these are files whose rows are records already, or folders of them."""
    found = sources(source)
    return all(
        isinstance(item, Path) and (item.is_dir() or item.suffix.lower() in endings)
        for item in found
    )


class _Rows:
    """Makes rows records in a spool, and tells what is wrong with them."""

    def __init__(self, spool: Spool, report: Report) -> None:
        self._spool = spool
        self._report = report

    def read(self, given: Sequence[Any], into: str | None, mapping: Any) -> Loading:
        """Reads all rows; gives the mapping."""
        found: Iterator[Row | Bad] = iter(())
        if mapping is None:
            if into is None:
                raise errors.invalid("into", "say into which collection, or give a mapping")
            loading, found = self._guessed(given[0], into)
            given = given[1:]
        else:
            loading = compile.read(mapping, into)
        self._join(given, loading)
        self._take(found, loading)
        for source in given:
            self._take(rows.read(source, loading.options), loading)
        for problem in merge(self._spool, loading):
            self._report.tell(problem)
            self._report.bad_rows += 1
        return loading

    def _guessed(self, source: Any, into: str) -> tuple[Loading, Iterator[Row | Bad]]:
        found = rows.read(source, Options())
        peeked = list(itertools.islice(found, _GUESSED))
        first = [row for row in peeked if isinstance(row, Row)]
        if not first and not any(isinstance(row, Bad) for row in peeked):
            raise FileError(source.name if isinstance(source, Path) else rows.MEMORY, "no rows")
        return (
            compile.read(guess(into, first), into),
            itertools.chain(peeked, found),
        )

    def _join(self, given: Sequence[Any], loading: Loading) -> None:
        for join in loading.joins:
            for source in given:
                path = _beside(source, join)
                for row in rows.read(path, join.options) if path is not None else ():
                    if isinstance(row, Bad):
                        self._bad(row.file, row.row, row.reason, row.advice)
                        continue
                    try:
                        self._spool.join(join.name, join.key, loading.nulls, row)
                    except CellError as bad:
                        self._wrong([bad], row)
        self._spool.end_of_joins()

    def _bad(self, file: str, number: int, reason: str, advice: str) -> None:
        self._report.bad_rows += 1
        self._report.tell(Problem(file, number, "", "", reason, advice))

    def _wrong(self, wrong: Iterable[CellError], row: Row) -> None:
        self._report.bad_rows += 1
        for bad in wrong:
            at = bad.row or row
            told = Problem(at.file, at.number, bad.column, bad.value, bad.reason, bad.advice)
            self._report.tell(told)

    def _take(self, found: Iterator[Row | Bad], loading: Loading) -> None:
        phases = _phases(loading.kinds)
        for row in found:
            self._report.rows += 1
            if isinstance(row, Bad):
                self._bad(row.file, row.row, row.reason, row.advice)
                continue
            try:
                for join in loading.joins:
                    row[join.name] = self._spool.joined(join.name, join.equals, loading.nulls, row)
                kinds = [(i, kind) for i, kind in enumerate(loading.kinds) if kind.takes(row)]
                if not kinds and not loading.others:
                    raise _taken_by_none(loading, row)
                made = [(i, record, wrong) for i, kind in kinds for record, wrong in kind.make(row)]
                if kinds and not made:  # there is nothing for each of which to make one
                    columns = " and ".join(kind.each.column for _, kind in kinds if kind.each)
                    raise CellError(
                        columns, "", "it is empty, so that no record is made of the row"
                    )
            except CellError as bad:
                self._wrong([bad], row)
                continue
            self._report.ignored_rows += not kinds
            wrong = list({_key(bad): bad for _, _, found in made for bad in found}.values())
            wrong += self._misplaced(made, loading.kinds, row)
            if wrong:
                self._wrong(wrong, row)
                continue
            for i, record, _ in made:
                add = self._spool.add_part if loading.kinds[i].merge else self._spool.add
                add(phases[i], record, i, row)

    def _misplaced(
        self, made: Sequence[tuple[int, Any, Any]], kinds: Sequence[RecordKind], row: Row
    ) -> Iterator[CellError]:
        """What is wrong with records as a whole: their size, and ids that come twice."""
        names: set[str] = set()
        for i, record, _ in made:
            if record is None:
                continue
            label = " and ".join(kinds[i].id.columns)
            if record.ByteSize() > limits.RECORD:
                told = f"{record.name}: {record.ByteSize():,} bytes, {limits.RECORD:,} at most"
                yield CellError("", "", told, "leave something out")
            if kinds[i].merge:
                continue
            place = self._spool.place(record.name)
            if place is not None or record.name in names:
                file, number = place or (row.file, row.number)
                told = f"{record.name} is from {file}:{number} already"
                advice = "add a column to `id`, or say `merge: true`"
                yield CellError(label, record.name.partition("/")[2], told, advice)
            names.add(record.name)


def _key(bad: CellError) -> tuple[Any, ...]:
    """Two kinds of records that take one bad cell have one bad cell."""
    return (id(bad.row) if bad.row else 0, bad.column, bad.value, bad.reason)


def _phases(kinds: Sequence[RecordKind]) -> list[int]:
    """When to write: merged records before all that follow in the mapping, or at the end."""
    streamed = [i for i, kind in enumerate(kinds) if not kind.merge]
    first = streamed[0] if streamed else len(kinds)
    return [1 if not kind.merge else 0 if i < first else 2 for i, kind in enumerate(kinds)]


def _taken_by_none(loading: Loading, row: Row) -> CellError:
    whens = [kind.when.columns for kind in loading.kinds if kind.when is not None]
    columns = list(dict.fromkeys(column for when in whens for column in when))
    values = "; ".join(str(row.get(column)) for column in columns)
    known = sorted(
        {str(value or "nothing") for when in whens for v in when.values() for value in v}
    )
    return CellError(
        " and ".join(columns),
        shown(values),
        "no record of the mapping takes such a row",
        f"there are {', '.join(known)}; `others: ignore` leaves others out",
    )


def _beside(source: Any, join: Join) -> Path | None:
    """The file to join, in the folder of the source."""
    if not isinstance(source, Path):
        raise FileError(rows.MEMORY, f"{join.name} is to be joined from a file", "load from files")
    found = [
        path
        for path in sorted(source.parent.iterdir() if source.parent.is_dir() else ())
        if fnmatch.fnmatch(path.name.casefold(), join.file.casefold()) and path != source
    ]
    if len(found) == 1:
        return found[0]
    if not found and join.optional:
        return None
    told = f"{len(found)} files {join.file} beside it, for {join.name}; one is expected"
    names = ", ".join(path.name for path in found)
    raise FileError(source.name, told, f"there are {names}" if names else "put it there")


def _first(spool: Spool) -> list[Any]:
    from detente import _contract

    found = []
    for item in itertools.islice(spool.waiting(), FIRST):
        found.append(_contract.resources()[item.collection].message.FromString(item.record))
    return found
