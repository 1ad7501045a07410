"""What a mapping takes from a row: columns, templates and constants, cut up and translated."""

import datetime
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from detente._load import limits
from detente._load.faults import CellError
from detente._load.rows import Row

ITEM = "item"  # the column with a part of a text that was split
ROW = "row"  # inside `each`, the row around it

Nulls = frozenset[str]

_HOLE = re.compile(r"\{([^{}]+)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NO_ID = re.compile(r"[^a-z0-9]+")
_HASH = 10  # characters of a hash in an id


def lookup(row: Mapping[str, Any], column: str) -> Any:
    """What a row has in a column: one by that name, or one inside others (`properties.name`).

    On the way, lists stand for each of their elements.
    """
    if column in row:
        return row[column]
    if "." not in column:
        return None
    found: list[Any] = [row]
    for name in column.split("."):
        parts: list[Any] = []
        for item in found:
            value = item.get(name) if isinstance(item, Mapping) else None
            parts.extend(value) if isinstance(value, list) else parts.append(value)
        found = [part for part in parts if part is not None]
    return found


def texts(row: Mapping[str, Any], column: str, nulls: Nulls) -> list[Any]:
    """The values in a column without blanks around texts and without those that mean none."""
    value = lookup(row, column)
    if value is None:
        return []
    if isinstance(value, str):  # as nearly all are
        check(value, column)
        value = value.strip()
        return [] if value in nulls else [value]
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            check(item, column)
            item = item.strip()
            if item in nulls:
                continue
        elif isinstance(item, Mapping) and "" in item:  # a text of XML that has attributes
            item = item[""]
        if item is not None and item != "" and item == item:  # nor a NaN
            found.append(item)
    return found


def check(text: str, column: str) -> None:
    """Refuses what no text of a record holds."""
    if len(text) > limits.CELL:
        raise CellError(column, text, f"a cell of more than {limits.CELL >> 20} Mi characters")
    if text.isprintable():
        return
    wrong = _CONTROL.search(text)
    if wrong is None:
        return
    around = text[max(0, wrong.start() - 20) : wrong.end() + 20]
    if wrong[0] == "\0":
        raise CellError(column, around, "it has a NUL character")
    if wrong[0] >= "\ud800":
        advice = "if the file has another encoding, name it, as `encoding: windows-1252`"
        raise CellError(column, around, "it has bytes that are not of the encoding", advice)
    raise CellError(column, around, "it has a control character")


def as_text(value: Any, column: str) -> str:
    """A value as text: whole numbers without a point, times as ISO 8601."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise CellError(column, value, "these bytes are no text in UTF-8") from None
        check(text, column)
        return text
    if isinstance(value, Mapping | list):
        raise CellError(column, value, "it holds values of its own", "name one, as `column.part`")
    return str(value)


class Template:
    """Text with columns in braces: `{FIRST_NAME} {SECOND_NAME}`.

    Several values of a column stand side by side, with `; ` between; blanks are made one.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.columns = tuple(dict.fromkeys(_HOLE.findall(text)))

    def fill(self, row: Mapping[str, Any], nulls: Nulls) -> str | None:
        """The text; None where no column has a value."""
        filled = False

        def value(hole: "re.Match[str]") -> str:
            nonlocal filled
            found = [as_text(item, hole[1]) for item in texts(row, hole[1], nulls)]
            filled = filled or bool(found)
            return "; ".join(found)

        text = _HOLE.sub(value, self.text)
        return " ".join(text.split()) if filled or not self.columns else None

    def fill_id(self, row: Mapping[str, Any], nulls: Nulls, collection: str) -> str:
        """The text as an id, or that of a name `persons/x`; every column is needed."""
        for column in self.columns:
            if not texts(row, column, nulls):
                raise CellError(column, "", "it is empty, but the record's id is made of it")
        return slug((self.fill(row, nulls) or "").removeprefix(f"{collection}/"))


def slug(text: str) -> str:
    """An id made of a text: the same for the same one.

    Where letters are lost, or the text is too long, a hash of it stands at the end.
    """
    if _ID.fullmatch(text):
        return text
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = _NO_ID.sub("-", folded.encode("ascii", "ignore").decode()).strip("-")
    lost = any(char.isalnum() and not char.isascii() for char in folded)
    if lost or not plain or len(plain) > 63:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_HASH]
        plain = f"{plain[: 62 - _HASH].strip('-')}-{digest}".strip("-")
    return plain


@dataclass(frozen=True)
class When:
    """Which rows: columns and the values that they may have; None = no value, `*` = any."""

    columns: Mapping[str, tuple[str | None, ...]]

    def holds(self, row: Mapping[str, Any], nulls: Nulls) -> bool:
        """Whether each column has one of its values."""
        for column, wanted in self.columns.items():
            found = texts(row, column, nulls)
            if not found:
                if None not in wanted:
                    return False
            elif "*" not in wanted and not any(as_text(v, column) in wanted for v in found):
                return False
        return True


@dataclass(frozen=True)
class Each:
    """What is repeated: the parts of a column's value, or of a text that is split."""

    column: str
    split: str = ""

    def items(self, row: Mapping[str, Any], nulls: Nulls) -> Iterator[Mapping[str, Any]]:
        """A row for each: of a mapping its own columns, of another value that in `item`."""
        for value in texts(row, self.column, nulls):
            if isinstance(value, Row):
                yield Row({**value, ROW: row}, value.file, value.number)
            elif isinstance(value, Mapping):
                yield {**value, ROW: row}
            else:
                text = as_text(value, self.column)
                for part in text.split(self.split) if self.split else [text]:
                    if part.strip() and part.strip() not in nulls:
                        yield {**row, ITEM: part.strip(), ROW: row}


@dataclass(frozen=True)
class Take:
    """One way to the value of a field.

    Attributes:
        column: Whose values; or
        template: text of several columns; or
        constant: this.
        each: Of each of these instead of the row.
        when: Where this holds only.
        pattern: The parts of the text that match, of them the group if there is one.
        json: The text is JSON: a value, a mapping, or a list of them.
        split: What stands between several values.
        values: From texts to values; `otherwise` for all others, None = they are errors.
        first: Only the first of several.
        join: What to put between several to make them one.
    """

    column: str = ""
    template: Template | None = None
    constant: Any = None
    each: Each | None = None
    when: When | None = None
    pattern: "re.Pattern[str] | None" = None
    json: bool = False
    split: str = ""
    values: Mapping[str, Any] | None = None
    otherwise: Any = None
    first: bool = False
    join: str | None = None
    nulls: Nulls = frozenset()
    folded: Mapping[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.values is not None:
            folded = {text.casefold(): value for text, value in self.values.items()}
            object.__setattr__(self, "folded", folded)

    @property
    def label(self) -> str:
        """What it takes, for people."""
        return self.column or (" and ".join(self.template.columns) if self.template else "")

    def take(self, row: Mapping[str, Any]) -> list[Any]:
        """The values.

        Raises:
            CellError: Something there can't be taken.
        """
        found: list[Any] = []
        for item in [row] if self.each is None else self.each.items(row, self.nulls):
            try:
                if self.when is None or self.when.holds(item, self.nulls):
                    found.extend(self._of(item))
            except CellError as bad:
                bad.row = bad.row or (item if isinstance(item, Row) else None)
                raise
        if self.first:
            return found[:1]
        if self.join is not None and found:
            return [self.join.join(as_text(value, self.label) for value in found)]
        return found

    def _of(self, row: Mapping[str, Any]) -> list[Any]:
        found: list[Any]
        if self.template is not None:
            text = self.template.fill(row, self.nulls)
            found = [] if text is None else [text]
        elif self.column:
            found = texts(row, self.column, self.nulls)
        else:
            return [self.constant]
        if self.pattern is not None:
            group = 1 if self.pattern.groups else 0
            found = [
                match[group].strip()
                for value in found
                for match in self.pattern.finditer(as_text(value, self.label))
                if match[group]
            ]
        if self.json:
            found = [part for value in found for part in self._parsed(value)]
        if self.split:
            found = [
                part.strip()
                for value in found
                for part in as_text(value, self.label).split(self.split)
                if part.strip() and part.strip() not in self.nulls
            ]
        return found if self.values is None else self._translated(found)

    def _parsed(self, value: Any) -> list[Any]:
        try:
            parsed = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as error:
            raise CellError(self.label, value, f"no JSON: {error}") from None
        return parsed if isinstance(parsed, list) else [parsed]

    def _translated(self, found: list[Any]) -> list[Any]:
        translated = []
        for value in found:
            text = as_text(value, self.label)
            known = self.folded.get(text.casefold())
            if known is None and text.casefold() not in self.folded:
                if self.otherwise is None:
                    raise CellError(
                        self.label, text, "no value for it in the mapping", self._known()
                    )
                known = self.otherwise
            if known is not None and known != "":
                translated.append(known)
        return translated

    def _known(self) -> str:
        known = list(self.values or ())
        if len(known) > 12:
            return "add it to `values`, or say what is `otherwise`"
        return f"there are {', '.join(known)}; add it to `values`, or say what is `otherwise`"
