"""Who says so: the evidence for a record, the fields that sources disagree on, what is odd."""

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import Message

from detente import _contract, _paths, display, errors
from detente._session import RECORD_SERVICE, Session
from detente.listing import Listing

_HEADINGS = ["", "value", "source", "reliability", "credibility", "speaker", "date", "set aside"]


class Witness:
    """A citation that bears on a field.

    Attributes:
        says: The value that it asserts in place of the record's; None = there is none, or it
            asserts nothing.
        source: The source's name.
        source_title: What a person reads of it.
        reliability: That of the source, A to F; empty = not judged.
        credibility: That of the information, 1 to 6; 0 = not judged.
        speaker: Whom the source quotes.
        date: When it was asserted, in EDTF.
        set_aside: Why it is deprecated, and decides nothing; empty where it is not.
        message: The `Evidence.Witness` itself, with the whole citation.
    """

    def __init__(self, message: Any, value: Callable[[str], Any]) -> None:
        citation = message.citation
        self.message: Any = message
        self.says: Any = value(citation.asserted_value)
        self.source: str = citation.source
        self.source_title: str = message.source_title
        kinds = message.DESCRIPTOR.fields_by_name["reliability"].enum_type.values_by_number
        known = kinds.get(message.reliability)
        self.reliability: str = known.name if known and message.reliability else ""
        self.credibility: int = citation.credibility
        self.speaker: str = display.value_text(citation.speaker)
        self.date: str = display.value_text(message.date)
        self.set_aside: str = ""
        if citation.rank == citation.DEPRECATED:
            self.set_aside = citation.deprecation_reason or "deprecated"

    def __repr__(self) -> str:
        said = f" says {self.says!r}" if self.message.citation.asserted_value else ""
        return f"<detente.evidence.Witness {self.source}{said}>"


class Decision(NamedTuple):
    """The value under a policy, and why."""

    value: Any
    reason: str
    citation_ids: tuple[str, ...]


class FieldEvidence:
    """The evidence for one field: its value, who says the same, and who says otherwise.

    Values are what their JSON holds: a number, a text, `{"best": 123}`; None = absent or denied.

    Attributes:
        path: Its path; empty = the record as a whole.
        value: The record's value.
        supports: Citations that say the same.
        contradictions: Citations that say otherwise.
        mentions: Citations that speak of it without either.
        alternatives: What is asserted instead, each with its citations.
        decisions: The value under each policy (`MOST_RELIABLE` …); empty where nothing is
            asserted instead.
        message: The `Evidence.FieldEvidence` itself.
    """

    def __init__(self, message: Any, record: str) -> None:
        self._collection = record.partition("/")[0]
        self.message: Any = message
        self.path: str = message.path
        self.value: Any = self._value(message.value)
        self.supports = [Witness(witness, self._value) for witness in message.supports]
        self.contradictions = [Witness(one, self._value) for one in message.contradictions]
        self.mentions = [Witness(witness, self._value) for witness in message.mentions]
        by_id = {witness.message.citation.id: witness for witness in self.contradictions}
        self.alternatives: list[tuple[Any, list[Witness]]] = [
            (self._value(one.value), [by_id[i] for i in one.citation_ids if i in by_id])
            for one in message.alternatives
        ]
        policies = message.DESCRIPTOR.fields_by_name["decisions"].message_type
        names = policies.fields_by_name["policy"].enum_type.values_by_number
        self.decisions: Mapping[str, Decision] = {
            names[one.policy].name: Decision(
                self._value(one.value), one.reason, tuple(one.citation_ids)
            )
            for one in message.decisions
            if one.policy in names
        }

    @property
    def disputed(self) -> bool:
        """Whether a source says otherwise."""
        return bool(self.contradictions)

    def words(self, text: str) -> str:
        """A value of this field, given as its JSON, in words."""
        return _paths.value_text(self._collection, self.path, text)

    def _value(self, text: str) -> Any:
        return _paths.python_value(self._collection, self.path, text)

    def _lines(self) -> list[list[str]]:
        """The cells of its table, below `_HEADINGS`."""
        value = self.words(self.message.value) if self.path else ""
        lines = [["+", value, *_cells(witness)] for witness in self.supports]
        for witness in self.contradictions:
            said = witness.message.citation.asserted_value
            lines.append(["-", self.words(said) if said else "not so", *_cells(witness)])
        lines += [["?", "", *_cells(witness)] for witness in self.mentions]
        for policy, one in zip(self.decisions, self.message.decisions, strict=False):
            name = policy.lower().replace("_", " ")
            lines.append(["=", self.words(one.value), f"{name}: {one.reason}"])
        return lines

    def _title(self) -> str:
        if not self.path:
            return "the record as a whole"
        more = " (shortened: large values, or the last citations, are left out)"
        value = self.words(self.message.value)
        return f"{self.path}: {value}{more if self.message.shortened else ''}"

    def __repr__(self) -> str:
        return _text([self])

    def _repr_html_(self) -> str:
        return _html([self])


class RecordEvidence:
    """The evidence for one record: an ordered collection of its fields, to be indexed by path.

    Shown in a terminal or a notebook it is a table for each field: `+` says the same, `-` says
    otherwise, `?` speaks of it, `=` is the value under a policy.

    Attributes:
        name: The record.
        revision: That of its last change.
        uncited: Fields that are set and that no citation names.
        message: The `detente.Evidence` itself.

    Example:
        >>> evidence = db.releases.evidence("by-2025-12-13")
        >>> [field.path for field in evidence if field.disputed]
        >>> evidence["headcount"].decisions["MOST_RELIABLE"].value
    """

    def __init__(self, message: Any) -> None:
        self.message: Any = message
        self.name: str = message.name
        self.revision: int = message.revision
        self.uncited: list[str] = list(message.uncited_fields)
        self._fields = {field.path: FieldEvidence(field, self.name) for field in message.fields}

    def __getitem__(self, path: str) -> FieldEvidence:
        try:
            return self._fields[path]
        except KeyError:
            uncited = "; it is set, and nothing is cited for it" if path in self.uncited else ""
            raise KeyError(f"{self.name} has no evidence for {path!r}{uncited}") from None

    def __iter__(self) -> Iterator[FieldEvidence]:
        return iter(self._fields.values())

    def __contains__(self, path: object) -> bool:
        return path in self._fields

    def __len__(self) -> int:
        return len(self._fields)

    def __bool__(self) -> bool:
        return True

    def text(self, width: int | None = None) -> str:
        """The evidence as text, no wider than `width` (None = the terminal's, 0 = any)."""
        parts = [f"{self.name} at revision {self.revision}"]
        parts.append(_text(self._fields.values(), width) if self._fields else "  nothing is cited")
        if self.uncited:
            parts.append(f"not cited: {', '.join(self.uncited)}")
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        title = f"<h4>{html.escape(self.name)} at revision {self.revision}</h4>"
        uncited = ", ".join(f"<code>{html.escape(path)}</code>" for path in self.uncited)
        more = f"<p>not cited: {uncited}</p>" if uncited else ""
        return title + (_html(self._fields.values()) or "<p>nothing is cited</p>") + more


class Conflict:
    """A field of which a source says otherwise.

    Attributes:
        name: The record.
        display_name: What a person reads of it.
        revision: That of its last change.
        evidence: All that is said about the field.
        message: The `detente.Conflict` itself.
    """

    def __init__(self, message: Any) -> None:
        self.message: Any = message
        self.name: str = message.name
        self.display_name: str = message.display_name
        self.revision: int = message.revision
        self.evidence = FieldEvidence(message.evidence, self.name)

    @property
    def path(self) -> str:
        """The field."""
        return self.evidence.path

    @property
    def value(self) -> Any:
        """The record's value."""
        return self.evidence.value

    @property
    def alternatives(self) -> list[Any]:
        """What is asserted instead, each value once."""
        return [value for value, _ in self.evidence.alternatives]

    def _values(self) -> list[str]:
        message = self.message.evidence
        return [message.value, *(one.value for one in message.alternatives)]

    def __repr__(self) -> str:
        return f"{self.name}\n{self.evidence!r}"

    def _repr_html_(self) -> str:
        title = html.escape(self.display_name or self.name)
        return f"<h4>{title}</h4>{self.evidence._repr_html_()}"


class Conflicts(Listing[Conflict]):
    """The fields of which sources disagree, fetched page by page."""

    def _items(self, response: Any) -> Iterable[Conflict]:
        return [Conflict(message) for message in response.conflicts]

    def _rows(self, found: list[Conflict]) -> tuple[list[str], list[list[str]]]:
        return ["record", "field", "for", "against", "value ≠ otherwise"], [
            [
                conflict.name,
                conflict.path,
                str(len(conflict.evidence.supports)),
                str(len(conflict.evidence.contradictions)),
                " ≠ ".join(conflict.evidence.words(value) for value in conflict._values()),
            ]
            for conflict in found
        ]


class Findings(Listing[Any]):
    """What checks found, as messages `detente.Finding`, fetched page by page."""

    def _rows(self, found: list[Any]) -> tuple[list[str], list[list[str]]]:
        severities = _contract.method(f"{RECORD_SERVICE}/ListFindings").response
        kinds = severities.DESCRIPTOR.fields_by_name["findings"].message_type.enum_types_by_name
        names = kinds["Severity"].values_by_number
        return ["severity", "check", "record", "field", "what"], [
            [
                names[finding.severity].name.lower() if finding.severity in names else "",
                finding.check,
                finding.locations[0].name if finding.locations else "",
                finding.locations[0].path if finding.locations else "",
                finding.description,
            ]
            for finding in found
        ]


def get(session: Session, name: str, fields: Iterable[str], at: Message | None) -> RecordEvidence:
    """The evidence for a record."""
    fields = list(fields)
    for field in fields:
        if not isinstance(field, str):
            raise errors.invalid("fields", f"paths expected, each a text, not {field!r}")
    method = _contract.method(f"{RECORD_SERVICE}/GetEvidence")
    request = method.request(name=name, fields=fields, at=at)
    return RecordEvidence(session.call(method, request))


def conflicts(
    session: Session, collections: Iterable[str], fields: Iterable[str], at: Message | None
) -> Conflicts:
    """Where sources disagree."""
    method = _contract.method(f"{RECORD_SERVICE}/ListConflicts")
    listed = [fields] if isinstance(fields, str) else fields
    request = method.request(collections=collections, fields=listed, at=at)
    return Conflicts(session, method, request, "conflicts")


def findings(session: Session, checks: Iterable[str], record: str, at: Message | None) -> Findings:
    """What is odd."""
    method = _contract.method(f"{RECORD_SERVICE}/ListFindings")
    listed = [checks] if isinstance(checks, str) else checks
    request = method.request(checks=listed, record=record, at=at)
    return Findings(session, method, request, "findings")


def _cells(witness: Witness) -> list[str]:
    return [
        witness.source_title or witness.source,
        witness.reliability,
        str(witness.credibility or ""),
        witness.speaker,
        witness.date,
        witness.set_aside,
    ]


def _kept(fields: Sequence[FieldEvidence]) -> tuple[list[int], list[list[list[str]]]]:
    """The columns that are not empty everywhere, and the lines of each field."""
    lines = [
        [(line + [""] * len(_HEADINGS))[: len(_HEADINGS)] for line in field._lines()]
        for field in fields
    ]
    kept = [
        i for i in range(len(_HEADINGS)) if i < 3 or any(row[i] for part in lines for row in part)
    ]
    return kept, lines


def _text(fields: Iterable[FieldEvidence], width: int | None = None) -> str:
    fields = list(fields)
    kept, lines = _kept(fields)
    headings = [_HEADINGS[i] for i in kept]
    cells = [[row[i] for i in kept] for part in lines for row in part]
    table = display.table(headings, cells, width, whole=not width).split("\n")
    parts, start = [], 1
    for field, part in zip(fields, lines, strict=True):
        head = [table[0]] if start == 1 and part else []
        rows = table[start : start + len(part)] or ["  nothing is cited"]
        parts.append("\n".join([field._title(), *head, *rows]))
        start += len(part)
    return "\n\n".join(parts)


def _html(fields: Iterable[FieldEvidence]) -> str:
    fields = list(fields)
    kept, lines = _kept(fields)
    return "".join(
        f"<p><b>{html.escape(field._title())}</b></p>"
        + display.html_table([_HEADINGS[i] for i in kept], [[row[i] for i in kept] for row in part])
        for field, part in zip(fields, lines, strict=True)
    )
