"""Records written in batches, and what the server refuses told by row and column."""

import contextlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

from detente import _contract, errors, loading
from detente._load.faults import Problem, shown
from detente._load.mapping import Loading
from detente._load.report import Report
from detente._load.spool import Kept, Spool
from detente._progress import Tell
from detente.database import Batch, Database

_OPERATION = re.compile(r"operations\[(\d+)\]\.?(?:update\.record)?\.?(.*)")
_KEYS = re.compile(r"\[[^\]]*\]")
_SEGMENT = re.compile(r'([a-z_0-9]+)(?:\["([^"]*)"\]|\[(\d+)\])?')
_RECORD_NAME = re.compile(r"[a-z]+/[a-z0-9-]+")
_REFUSALS = (
    errors.InvalidArgumentError,
    errors.FailedPreconditionError,
    errors.NotFoundError,
    errors.AlreadyExistsError,
    errors.ConflictError,
)


class Writer:
    """Writes what is in a spool, or has it checked."""

    def __init__(
        self, db: Database, spool: Spool, mapping: Loading, report: Report, reason: str
    ) -> None:
        self._db = db
        self._spool = spool
        self._mapping = mapping
        self._report = report
        self._reason = reason
        self._bad: set[tuple[str, int]] = set()
        self._stuck: list[tuple[Kept, str, str]] = []

    def check(self) -> None:
        """Has the server look at all records, and write none.

        That a record refers to another one which is here as well is no fault.
        """
        for part in _parts(self._spool.waiting()):
            self._report.unchanged += len(self._send(part, validate_only=True))

    def write_all(self, tell: Tell) -> None:
        """Writes all records, or none where the server refuses one; all of those are told."""
        parts = list(itertools.islice(_parts(self._spool.waiting()), 2))
        if len(parts) == 1:  # a commit is all or nothing by itself
            with contextlib.suppress(*_REFUSALS):
                self._commit(parts[0], validate_only=False)
                tell(self._report.total, self._report.total)
                return
        self.check()
        self._report.unchanged = 0
        if not self._report.problem_count:
            self.write(tell)

    def write(self, tell: Tell) -> None:
        """Writes all records; those that the server refuses are told.

        A record that refers to one which comes later waits for it.
        """
        total = self._spool.count()
        done = -1
        backwards = False
        while done != self._report.total:  # as long as there is some progress
            done = self._report.total
            self._stuck.clear()
            for part in _parts(self._spool.waiting(backwards)):
                self._send(part, validate_only=False)
                tell(self._report.total, total)
            if not self._stuck:
                return
            backwards = not backwards  # a chain of records is written in one pass of the two
        for item, path, description in self._stuck:
            self._refuse(item, path, description)

    def _send(self, part: list[Kept], *, validate_only: bool) -> list[Kept]:
        """Writes as many of the records as can be; gives those."""
        while part:
            try:
                self._commit(part, validate_only=validate_only)
            except _REFUSALS as error:
                refused = self._refused(error, part, validate_only)
                if refused is None and len(part) == 1:
                    self._refuse(part[0], "", error.message)
                    return []
                if refused is None:  # it says nothing of where
                    half = len(part) // 2
                    return self._send(part[:half], validate_only=validate_only) + self._send(
                        part[half:], validate_only=validate_only
                    )
                if not refused and validate_only:
                    return part
                part = [item for index, item in enumerate(part) if index not in refused]
                continue
            return part
        return part

    def _commit(self, part: list[Kept], *, validate_only: bool) -> None:
        with self._db.batch(reason=self._reason, validate_only=validate_only) as batch:
            for item in part:
                _add(batch, item)
        if not validate_only:
            loading.count(batch, self._report)
            self._spool.mark(part)

    def _refused(
        self, error: errors.Error, part: list[Kept], validate_only: bool
    ) -> set[int] | None:
        """The records that are not to be sent again; None where the error names none."""
        named = False
        refused: set[int] = set()
        waiting: set[int] = set()  # for records that they refer to
        violations = [(v.field, v.description, False) for v in error.field_violations]
        violations += [(v.subject, v.description, True) for v in error.precondition_violations]
        for path, description, may_wait in violations:
            match = _OPERATION.fullmatch(path)
            if match is None or int(match[1]) >= len(part):
                continue
            named = True
            index = int(match[1])
            if may_wait and self._refers_to_waiting(description):
                if not validate_only:
                    self._stuck.append((part[index], match[2], description))
                    waiting.add(index)
                continue
            self._refuse(part[index], match[2], description)
            refused.add(index)
        if named:
            return refused | self._with_those_that_refer(part, waiting)
        names = [item.name for item in part]
        if error.metadata.get("name") in names:
            index = names.index(error.metadata["name"])
            self._refuse(part[index], "", error.message)
            return {index}
        return None

    def _with_those_that_refer(self, part: list[Kept], waiting: set[int]) -> set[int]:
        """Records that wait, and those of the part that refer to them, at any remove."""
        if not waiting:
            return waiting
        referring: dict[str, list[int]] = {}
        for index, item in enumerate(part):
            for name in loading.references(_parsed(item)):
                referring.setdefault(name, []).append(index)
        queue = list(waiting)
        while queue:
            name = part[queue.pop()].name
            for index in referring.get(name, ()):
                if index not in waiting:
                    waiting.add(index)
                    queue.append(index)
                    self._stuck.append((part[index], "", f"{name}, to which it refers, waits"))
        return waiting

    def _refers_to_waiting(self, description: str) -> bool:
        return any(self._spool.waits(name) for name in _RECORD_NAME.findall(description))

    def _refuse(self, item: Kept, path: str, description: str) -> None:
        columns = self._mapping.kinds[item.kind].columns
        plain = _KEYS.sub("", path)
        while plain and plain not in columns:
            plain = plain.rpartition(".")[0]
        value = _value_at(_parsed(item), path)
        told = f"{item.name}: {path}: {description}" if path else f"{item.name}: {description}"
        column = " or ".join(dict.fromkeys(columns.get(plain, [])))
        self._report.tell(Problem(item.file, item.row, column, shown(value), told))
        self._spool.mark([item])
        if (item.file, item.row) not in self._bad:
            self._bad.add((item.file, item.row))
            self._report.bad_rows += 1


def _parts(items: Iterator[Kept]) -> Iterator[list[Kept]]:
    """As many as one commit takes."""
    return loading.in_commits(
        ([item] for item in items), lambda item: len(item.record) + loading.OPERATION_BYTES
    )


def _add(batch: Batch, item: Kept) -> None:
    operation = batch._request.operations.add().update
    descriptor = _contract.resources()[item.collection].message.DESCRIPTOR
    operation.record.type_url = f"type.googleapis.com/{descriptor.full_name}"
    operation.record.value = item.record
    operation.update_mask.paths.append("*")
    operation.allow_missing = True


def _parsed(item: Kept) -> Any:
    return _contract.resources()[item.collection].message.FromString(item.record)


def _value_at(record: Any, path: str) -> Any:
    """What a record has at a path; empty where that can't be told."""
    value: Any = record
    for name, key, index in _SEGMENT.findall(path):
        value = getattr(value, name, None)
        if key:
            value = next((item for item in value or () if item.id == key), None)
        elif index:
            value = value[int(index)] if value is not None and int(index) < len(value) else None
        if value is None:
            return ""
    return "" if value is record or hasattr(value, "DESCRIPTOR") else value
