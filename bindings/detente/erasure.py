"""Erasing records for people in danger, and what a caller learns of it."""

import html
from collections.abc import Sequence
from typing import Any

from detente import _contract, display
from detente._session import RECORD_SERVICE, Session, new_request_id


class Erasure:
    """What an erasure did, or would do.

    Attributes:
        erased: The names that were given.
        names: The new names, in the same order; empty where nothing was erased.
        revision: The commit's revision.
        mentions: From each record that still speaks of what was erased to its revisions that do;
            the first of very many.
        mention_count: How many such records there are.
        rewritten_count: How many versions of other records referred to it, and were rewritten.
        message: The `EraseRecordsResponse` itself.
    """

    def __init__(self, erased: Sequence[str], message: Any) -> None:
        self.message: Any = message
        self.erased = list(erased)
        self.names: list[str] = list(message.names)
        self.revision: int = message.revision
        self.mentions: dict[str, list[int]] = {
            mention.name: list(mention.revisions) for mention in message.mentions
        }
        self.mention_count: int = message.mention_count
        self.rewritten_count: int = message.rewritten_count

    @property
    def done(self) -> bool:
        """Whether anything was erased; false for `validate_only`."""
        return bool(self.names)

    def __repr__(self) -> str:
        lines = []
        if self.done:
            lines += [f"{old} is erased, and is now {new}" for old, new in self._pairs()]
        else:
            lines += [f"{old} would be erased" for old in self.erased]
        if self.done or self.rewritten_count:
            became = "rewritten" if self.done else "to be rewritten"
            count = f"{self.rewritten_count:,} {became}"
            lines.append(f"References to it, in versions of other records: {count}")
        if self.mentions:
            lines.append("Still speaking of it in words, to be edited or erased too:")
            lines += [f"  {name} at {_at(revisions)}" for name, revisions in self._told()]
            if self.mention_count > len(self.mentions):
                lines.append(f"  and {self.mention_count - len(self.mentions):,} more")
        else:
            lines.append("No other record speaks of it in words.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        pairs = self._pairs() if self.done else [(name, "would be erased") for name in self.erased]
        table = display.html_table(["record", "now"], pairs)
        if not self.mentions:
            return f"{table}<p>No other record speaks of it in words.</p>"
        rows = [(name, _at(revisions)) for name, revisions in self._told()]
        title = html.escape("Still speaking of it in words, to be edited or erased too:")
        return f"{table}<p>{title}</p>{display.html_table(['record', 'revisions'], rows)}"

    def _pairs(self) -> list[tuple[str, str]]:
        return list(zip(self.erased, self.names, strict=False))

    def _told(self) -> list[tuple[str, list[int]]]:
        return sorted(self.mentions.items())


def erase(
    session: Session, names: list[str], reason: str, validate_only: bool, request_id: str
) -> Erasure:
    """Erases records by their full names."""
    method = _contract.method(f"{RECORD_SERVICE}/EraseRecords")
    request = method.request(
        names=names,
        reason=reason,
        validate_only=validate_only,
        request_id=request_id or new_request_id(),
    )
    return Erasure(names, session.call(method, request))


def _at(revisions: list[int]) -> str:
    return f"revision{'s' if len(revisions) > 1 else ''} {', '.join(map(str, revisions))}"
