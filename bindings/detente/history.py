"""What changed, when, by whom and why: commits, the history of a record, differences."""

import datetime
import html
import shutil
from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf.message import Message

from detente import _contract, _paths, display, errors
from detente._arguments import record_name
from detente._session import Point, Session, read_point, timestamp
from detente.listing import Listing

_SERVICE = "/detente.v1.CommitService"
_SIGNS = {"CREATED": "+", "UNDELETED": "+", "DELETED": "-", "ERASED": "-", "UNCHANGED": " "}
_FIELD_SIGNS = {"ADDED": "+", "REMOVED": "-"}
_WHOLE = ("created", "deleted", "erased")
_NAMES_SHOWN = 3


class Commits:
    """The commits of a database: `db.commits`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, commit: int | str) -> Any:
        """One commit, a `detente.Commit`, by its revision or name (`commits/12`)."""
        if isinstance(commit, str) and commit.isdecimal():
            commit = int(commit)
        name = f"commits/{commit}" if isinstance(commit, int) else commit
        method = _contract.method(f"{_SERVICE}/GetCommit")
        return self._session.call(method, method.request(name=name))

    def list(
        self,
        *,
        actor: str = "",
        record: Message | str = "",
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        at: Point | None = None,
    ) -> "CommitList":
        """Commits, newest first.

        Args:
            actor: Those of this actor.
            record: Those that changed this record, given as it is or by its full name.
            since: Those at or after this time.
            until: Those before this time.
            at: Those up to this state of the store.

        Example:
            >>> db.commits.list(actor="ada").limit(10)
        """
        name = record_name("record", record) if record else ""
        return _commits(CommitList, self._session, name, actor, since, until, at)

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


class CommitList(Listing[Any]):
    """Commits, as messages `detente.Commit`, newest first, fetched page by page."""

    def _rows(self, found: list[Any]) -> tuple[list[str], list[list[str]]]:
        return ["revision", "time", "actor", "method", "records", "reason"], [
            [
                str(commit.revision),
                display.value_text(commit.create_time),
                commit.actor,
                commit.method.rpartition(".")[2],
                _names(commit.changes),
                commit.reason,
            ]
            for commit in found
        ]


class History(CommitList):
    """What became of one record: its commits, newest first, each with the fields it changed."""

    def text(self, width: int | None = None) -> str:
        """All of it as text, no wider than `width` (None = the terminal's, 0 = any)."""
        return self._told(list(self), width)

    def _told(self, found: list[Any], width: int | None) -> str:
        width = _width(width)
        parts = []
        for commit in found:
            lines = [_fit(_headline(commit), width)]
            for change in commit.changes:
                lines += [_fit(line, width) for line in field_lines(change, "  ")]
            parts.append("\n".join(lines))
        return "\n".join([self._title, *parts])

    def _text(self, found: list[Any]) -> str:
        return self._told(found, None)

    def _html(self, found: list[Any]) -> str:
        rows = [
            [
                str(commit.revision),
                display.value_text(commit.create_time),
                commit.actor,
                commit.reason,
                "\n".join(line for change in commit.changes for line in field_lines(change, "")),
            ]
            for commit in found
        ]
        table = display.html_table(["revision", "time", "actor", "reason", "changes"], rows)
        return f"<h4>{html.escape(self._title)}</h4>" + table.replace("\n", "<br>")


C = TypeVar("C", bound=CommitList)


class Diff(Listing[Any]):
    """What differs between two states, as messages `detente.RecordChange`, by the records' names.

    Shown, `+` is what was added, `-` what was removed, `~` what changed; values are JSON.
    """

    @property
    def revisions(self) -> tuple[int, int]:
        """The revision before, 0 for the empty store, and the one after."""
        response = next(self.limit(1)._pages())
        return response.base_revision, response.target_revision

    def text(self, width: int | None = None) -> str:
        """All of it as text, no wider than `width` (None = the terminal's, 0 = any)."""
        return self._told(list(self), width)

    def lines(self, width: int | None = None) -> Iterator[str]:
        """The same line by line, as it is fetched; none where nothing differs."""
        width = _width(width)
        begun = False
        for response in self._pages():
            for change in response.changes:
                if not begun:
                    yield f"revision {response.base_revision} → {response.target_revision}"
                    begun = True
                for line in _change_lines(change):
                    yield _fit(line, width)

    def _told(self, found: list[Any], width: int | None) -> str:
        width = _width(width)
        return "\n".join(_fit(line, width) for change in found for line in _change_lines(change))

    def _text(self, found: list[Any]) -> str:
        return self._told(found, None)

    def _html(self, found: list[Any]) -> str:
        rows = []
        for change in found:
            first = f"{change.name} ({_kind(change)}{_count(change)})"
            for field in change.fields if change.fields and _kind(change) not in _WHOLE else [None]:
                cells = [field.path, field.old_value, field.new_value] if field else [""] * 3
                rows.append([first, *cells])
                first = ""
        return display.html_table(["record", "field", "before", "after"], rows)


def of(session: Session, name: str, at: Message | None) -> History:
    """The history of a record."""
    history = _commits(History, session, name, "", None, None, None)
    if at is not None:
        history._request.at.CopyFrom(at)
    return history


def diff(session: Session, base: Point | None, target: Point | None, record: str) -> Diff:
    """What differs between two states."""
    if record and "/" not in record:
        raise errors.invalid("record", f"a full name, such as releases/x, expected, not {record!r}")
    method = _contract.method(f"{_SERVICE}/DiffRevisions")
    request = method.request(record=record)
    if base is not None and (isinstance(base, bool) or base != 0):
        request.base.CopyFrom(read_point(base, "base"))
    if target is not None:
        request.target.CopyFrom(read_point(target, "target"))
    return Diff(session, method, request, "changes")


def commit_lines(commit: Any) -> Iterator[str]:
    """A commit with all the records that it wrote."""
    yield display.clipped(_headline(commit), 0)
    for change in commit.changes:
        yield from (display.clipped(line, 0) for line in _change_lines(change))


def field_lines(change: Any, indent: str) -> list[str]:
    """A line for each field that differs: `~ headcount: {"best":123} → {"best":124}`.

    None for a record that has come or gone as a whole.
    """
    kinds = change.DESCRIPTOR.file.message_types_by_name["FieldChange"].enum_types_by_name["Kind"]
    if _kind(change) in _WHOLE:
        return []
    collection = change.name.partition("/")[0]
    lines = []
    for field in change.fields:
        known = kinds.values_by_number.get(field.kind)
        kind = known.name if known else ""
        path = field.path or "(the record)"
        old, new = (
            _paths.plain_json(collection, field.path, value)
            for value in (field.old_value, field.new_value)
        )
        if kind == "REORDERED":
            lines.append(f"{indent}~ {path}: in another order: {old} → {new}")
        elif kind in _FIELD_SIGNS:
            lines.append(f"{indent}{_FIELD_SIGNS[kind]} {path}: {new if kind == 'ADDED' else old}")
        else:
            lines.append(f"{indent}~ {path}: {old} → {new}")
    if change.shortened:
        lines.append(f"{indent}… shortened: large values, or the last fields, are left out")
    return lines


def _commits(
    kind: type[C],
    session: Session,
    record: str,
    actor: str,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    at: Point | None,
) -> C:
    method = _contract.method(f"{_SERVICE}/ListCommits")
    request = method.request(record=record, actor=actor)
    if since is not None:
        request.start_time.CopyFrom(timestamp(since, "since"))
    if until is not None:
        request.end_time.CopyFrom(timestamp(until, "until"))
    if at is not None:
        request.at.CopyFrom(read_point(at))
    return kind(session, method, request, "commits", record)


def _kind(change: Any) -> str:
    kinds = change.DESCRIPTOR.enum_types_by_name["Kind"].values_by_number
    known = kinds.get(change.kind)
    return known.name.lower().replace("_", " ") if known and change.kind else "written"


def _change_lines(change: Any) -> list[str]:
    kind = _kind(change)
    sign = _SIGNS.get(kind.upper(), "~")
    told = "" if kind == "updated" else f" ({kind}{_count(change)})"
    return [f"{sign} {change.name}{told}", *field_lines(change, "    ")]


def _count(change: Any) -> str:
    """For what has come or gone as a whole, whose fields are not told one by one."""
    number = len(change.fields) if _kind(change) in _WHOLE else 0
    return f", {number} fields" if number > 1 else ", 1 field" if number else ""


def _headline(commit: Any) -> str:
    method = commit.method.rpartition(".")[2]
    one = commit.changes[0] if len(commit.changes) == 1 else None
    became = f"{_kind(one)}{_count(one)}" if one is not None else method
    parts = [
        f"revision {commit.revision}",
        display.value_text(commit.create_time),
        became,
        f"by {commit.actor}" if commit.actor else "",
        commit.reason,
    ]
    return "  ".join(part for part in parts if part)


def _names(changes: Any) -> str:
    names = [change.name for change in changes]
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _width(width: int | None) -> int:
    return shutil.get_terminal_size((120, 24)).columns if width is None else width


def _fit(line: str, width: int) -> str:
    return display.clipped(line, width)
