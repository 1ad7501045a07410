"""Records from files into a store."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from google.api import resource_pb2  # type: ignore[import-untyped]
from google.protobuf.message import Message

from detente import _progress, errors, records
from detente._contract import is_output_only, is_repeated
from detente._load.report import LoadError, Report
from detente._progress import Progress
from detente.database import Batch, Database
from detente.v1 import commit_pb2

T = TypeVar("T")

__all__ = ["ENDINGS", "LoadError", "Located", "Report", "load", "read"]

ENDINGS = (".yaml", ".yml", ".json", ".jsonl", ".ndjson")

MAX_OPERATIONS = 1000
MAX_BYTES = 3 << 20  # of records; a request takes 4 MiB
OPERATION_BYTES = 200  # around one record


@dataclass(frozen=True)
class Located:
    """A record, and where it stands: `persons.yaml:12`."""

    where: str
    record: Any


def read(paths: Iterable[str | Path]) -> list[Located]:
    """The records of files, and of the files in folders, by their endings (`ENDINGS`).

    Raises:
        InvalidArgumentError: Something is no record, or a name comes twice.
    """
    found: dict[str, Located] = {}
    for path in _files(paths):
        try:
            record: Any
            for where, record in records.read(path):
                if record.name in found:
                    raise ValueError(f"{where}: {record.name}: also in {found[record.name].where}")
                found[record.name] = Located(where, record)
        except ValueError as error:
            raise errors.InvalidArgumentError(str(error)) from None
        except OSError as error:
            raise errors.NotFoundError(f"{path}: {error.strerror}") from None
    return list(found.values())


def load(
    db: Database,
    paths: Iterable[str | Path],
    *,
    reason: str = "",
    validate_only: bool = False,
    progress: Progress = None,
) -> Report:
    """Creates or replaces records by name, in commits of at most 1,000 records.

    What stands in a file replaces the record whole; etags and what the server makes are ignored.
    Loading the same files twice changes nothing. Records may refer to one another in any order.

    Args:
        db: Where to.
        paths: Files or folders.
        reason: Why, kept on the commits.
        validate_only: Check everything, write nothing; what several commits need of one another
            is then reported as missing.
        progress: Called with the numbers of records that are done, and of all. None = a bar, on a
            terminal or in a notebook; False = nothing.

    Raises:
        Error: Of the class that the server's answer has; the message names the file, the record
            and the field. Commits before the one that failed stay.
    """
    located = read(paths)
    report = Report(revision=db.revision)
    with _progress.told(progress, "load") as tell:
        for part in _parts(located):
            _write(db, part, report, reason, validate_only)
            tell(report.total, len(located))
    return report


def _write(
    db: Database, part: list[Located], report: Report, reason: str, validate_only: bool
) -> None:
    """One commit."""
    batch = db.batch(reason=reason, validate_only=validate_only)
    try:
        with batch:
            for item in part:
                record = type(item.record)()
                record.CopyFrom(item.record)
                record.etag = ""
                batch.collection(record.name.partition("/")[0]).update(
                    record, update_mask="*", allow_missing=True
                )
    except errors.Error as error:
        raise _placed(error, part) from None
    count(batch, report, validate_only)


def count(batch: Batch, report: Report, validate_only: bool = False) -> None:
    """Adds to a report what a batch did."""
    report.revision = batch.revision
    kinds = commit_pb2.RecordChange
    for result in batch.results:
        if validate_only or result.kind == kinds.UNCHANGED:
            report.unchanged += 1
        elif result.kind == kinds.CREATED:
            report.created += 1
        else:
            report.updated += 1


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for given in paths:
        path = Path(given)
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
        if not inside:
            raise errors.NotFoundError(f"{path}: holds no file of records ({', '.join(ENDINGS)})")
        yield from inside


def _parts(located: list[Located]) -> Iterator[list[Located]]:
    """Commits, each referring to itself and those before it alone."""
    return in_commits([located] if _fits(located) else _connected(located), _size)


def in_commits(groups: Iterable[list[T]], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Commits of whole groups: as few as the limits allow."""
    part: list[T] = []
    size = 0
    for group in groups:
        group_size = sum(map(size_of, group))
        if part and (len(part) + len(group) > MAX_OPERATIONS or size + group_size > MAX_BYTES):
            yield part
            part, size = [], 0
        part.extend(group)
        size += group_size
    if part:
        yield part


def _fits(located: list[Located]) -> bool:
    return len(located) <= MAX_OPERATIONS and sum(map(_size, located)) <= MAX_BYTES


def _size(item: Located) -> int:
    size: int = item.record.ByteSize()
    return size + OPERATION_BYTES


def _connected(located: list[Located]) -> Iterator[list[Located]]:
    """Groups of records that refer to one another in circles, those referred to first (Tarjan)."""
    by_name = {item.record.name: item for item in located}
    found: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    for start in by_name:
        if start in found:
            continue
        work = [(start, iter(sorted(references(by_name[start].record))))]
        found[start] = low[start] = len(found)
        waiting.append(start)
        while work:
            name, targets = work[-1]
            for target in targets:
                if target not in by_name:
                    continue
                if target not in found:
                    found[target] = low[target] = len(found)
                    waiting.append(target)
                    work.append((target, iter(sorted(references(by_name[target].record)))))
                    break
                low[name] = min(low[name], low.get(target, low[name]))
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == found[name]:
                    cut = waiting.index(name)
                    group, waiting[cut:] = waiting[cut:], []
                    for member in group:
                        low.pop(member)  # done: no longer part of any circle
                    yield [by_name[member] for member in group]


def references(message: Message) -> set[str]:
    """The names of records that a message refers to, at any depth."""
    names: set[str] = set()
    for field, value in message.ListFields():
        if is_output_only(field):
            continue
        values = value if is_repeated(field) else [value]
        if field.message_type is not None:
            if not field.message_type.GetOptions().map_entry:
                for item in values:
                    names |= references(item)
        elif field.GetOptions().Extensions[resource_pb2.resource_reference].type:
            names.update(values)
    return names


def _placed(error: errors.Error, part: list[Located]) -> errors.Error:
    """The same error in terms of files, records and fields."""
    by_name = {item.record.name: item for item in part}
    lines = []
    for path, description in (
        *error.field_violations,
        *((v.subject, v.description) for v in error.precondition_violations),
    ):
        head, _, rest = path.partition("]")
        number = head.removeprefix("operations[")
        if head != number and number.isdigit() and int(number) < len(part):
            item = part[int(number)]
            field = rest.removeprefix(".update.record").removeprefix(".")
            lines.append(
                ": ".join(filter(None, (item.where, item.record.name, field, description)))
            )
        else:
            lines.append(f"{path}: {description}")
    if not lines:
        named = by_name.get(error.metadata.get("name", ""))
        lines = [f"{named.where}: {error.message}" if named else error.message]
    return type(error)(
        "\n".join(lines),
        reason=error.reason,
        metadata=error.metadata,
        retry_delay=error.retry_delay,
    )
