"""What a mapping says, once it was read: which rows become which records."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from detente import _contract
from detente._load.faults import CellError
from detente._load.fields import Setter, Wrong, apply
from detente._load.rows import Options, Row
from detente._load.takes import Each, Nulls, Template, When


@dataclass(frozen=True)
class Join:
    """Rows of another file that belong to a row: those with the same key."""

    name: str
    file: str
    key: str
    equals: str
    optional: bool
    options: Options


@dataclass
class RecordKind:
    """What a row becomes: one record of a collection, or one for each of its parts.

    Attributes:
        into: The collection.
        merge: Rows of one id make one record: their lists are joined.
        columns: The columns that a field is from, by its path without ids.
    """

    into: str
    id: Template
    setters: list[Setter]
    when: When | None
    each: Each | None
    merge: bool
    nulls: Nulls
    columns: dict[str, list[str]] = field(default_factory=dict)

    def takes(self, row: Row) -> bool:
        """Whether it is for rows like that."""
        return self.when is None or self.when.holds(row, self.nulls)

    def make(self, row: Row) -> Iterable[tuple[Message | None, Wrong]]:
        """The records of a row, each with its bad cells; None where it has no id."""
        message_type = _contract.resources()[self.into].message
        for item in [row] if self.each is None else self.each.items(row, self.nulls):
            wrong: Wrong = []
            message: Any = message_type()
            try:
                message.name = f"{self.into}/{self.id.fill_id(item, self.nulls, self.into)}"
            except CellError as bad:
                wrong.append(bad)
            apply(self.setters, message, item, wrong)
            yield message if message.name else None, wrong


@dataclass
class Loading:
    """A mapping that was read and found right.

    Attributes:
        text: It, in YAML.
        others: Whether rows that no record takes are left out; else they are errors.
    """

    text: str
    options: Options
    nulls: Nulls
    joins: list[Join]
    kinds: list[RecordKind]
    others: bool
