"""`detente demo`: the sample records in a running server, and what they say, on one page."""

import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any, TextIO

import detente
from detente import _contract, _files, _paths, display, errors, loading

_SAMPLES = "belarus-2025"
_RELEASE = "by-2025-12-13"
_NOT_FREED = ("DECLINED_RELEASE", "REPORTED_IN_ERROR")
_SOURCES_SHOWN = 3
_ALWAYS = ("headcount",)  # fields whose evidence is shown though nobody disagrees


def run(out: TextIO) -> None:
    """Loads the samples into a server of its own, and writes the page.

    Raises:
        NotFoundError: The samples or the server's binary are not there.
    """
    with _files.running_server() as address, detente.connect(address) as db:
        report = loading.load(db, [_files.sample(_SAMPLES)], reason="detente demo")
        page = _Page(db, out)
        page.text(
            f"{report.total} records of {_SAMPLES} stand in a detente-server at {address}, in "
            f"{'one commit' if db.revision == 1 else f'{db.revision} commits'}. "
            "Everything below was read from it over gRPC."
        )
        show(db, page)
        page.heading("ASK IT YOURSELF")
        page.lines(
            "detente load samples/belarus-2025 --db belarus.db",
            f"detente get releases/{_RELEASE} --db belarus.db",
            "detente serve --db belarus.db  # then: --server localhost:7400, or any gRPC client",
            "python -c 'import detente; print(detente.open(\"belarus.db\").releases.list())'",
        )


def show(db: Any, page: "_Page") -> None:
    """The page about one release; `db` is a database or a view."""
    release = db.releases.get(_RELEASE)
    talks = db.negotiations.get(release.negotiation)
    exchanges = [
        exchange
        for exchange in db.exchanges.list()
        if any(give.release == release.name for side in exchange.sides for give in side.gives)
    ]
    _release(db, page, release)
    _talks(db, page, talks)
    _sanctions(db, page, exchanges)
    _links(page, exchanges)
    _disputes(db, page, [release, talks, *exchanges])
    subjects = {release.name, talks.name, *(exchange.name for exchange in exchanges)}
    _statements(page, db.statements.list(), subjects)
    _commitments(page, db.commitments.list())
    _before(page, db.events.list())
    _still_held(page, db.tallies.list())


class _Page:
    """Lines of at most 100 columns, in which names of records are what people call them."""

    def __init__(self, db: Any, out: TextIO) -> None:
        self._db = db
        self._out = out
        self._names: dict[str, str] = {}
        self.width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        collections = "|".join(_contract.resources())
        self._reference = re.compile(rf"\b(?:{collections})/[a-z0-9-]+")

    def heading(self, text: str) -> None:
        self._out.write(f"\n{text}\n{'─' * min(len(text), self.width)}\n")

    def lines(self, *lines: str) -> None:
        for line in lines:
            self._out.write(f"  {line}".rstrip() + "\n")

    def text(self, text: str, indent: str = "", rest: str | None = None) -> None:
        wrapped = textwrap.fill(
            self.named(text),
            max(self.width, 40),
            initial_indent=indent,
            subsequent_indent=indent if rest is None else rest,
            break_on_hyphens=False,
            break_long_words=False,
        )
        self._out.write(f"{wrapped}\n")

    def item(self, label: str, text: str, width: int = 16) -> None:
        if text:
            self.text(f"{label:<{width}}{text}", "  ", " " * (width + 2))

    def table(self, headings: list[str], rows: Iterable[list[str]]) -> None:
        cells = [[self.named(cell) for cell in row] for row in rows]
        kept = [i for i in range(len(headings)) if any(row[i] for row in cells)]
        table = display.table(
            [headings[i] for i in kept], [[row[i] for i in kept] for row in cells], self.width - 2
        )
        self._out.write(textwrap.indent(table, "  ") + "\n")

    def named(self, text: str) -> str:
        """The text with `persons/x` replaced by what that record is called."""
        return self._reference.sub(lambda match: self._name_of(match[0]), text)

    def _name_of(self, name: str) -> str:
        if name not in self._names:
            try:
                record = self._db.collection(name.partition("/")[0]).get(name)
                self._names[name] = record.display_name or name
            except errors.NotFoundError:
                self._names[name] = name
        return self._names[name]


def _release(db: Any, page: _Page, release: Any) -> None:
    page.heading(release.display_name.upper())
    page.item(
        "announced", f"{_value(release, 'announce_date')} by {_value(release, 'announced_by')}"
    )
    page.item(
        "the act", f"{_enum(release, 'mechanism')}, ordered by {_value(release, 'ordered_by')}"
    )
    page.item("at the wish of", _value(release, "requested_by"), 16)
    page.item("reasons given", _value(release, "stated_reasons"), 16)
    gone = [p for p in release.participants if _last(p) in _NOT_FREED]
    remainder = display.value_text(release.unnamed_remainder.total)
    page.item(
        "how many",
        f"{_value(release, 'headcount')} announced. {len(release.participants)} are known here by "
        f"name, {len(gone)} of whom were not freed that day; {remainder} remain without a name.",
    )

    page.heading("WHO WAS FREED")
    rows = []
    for participant in release.participants:
        person = db.persons.get(participant.person)
        held = db.detentions.get(participant.detention) if participant.detention else None
        rows.append(
            [
                *_scripts(person),
                _value(held, "start_date") if held else "",
                "; ".join(_outcome(outcome) for outcome in participant.outcomes),
            ]
        )
    page.table(["name", "in Cyrillic letters", "held since", "what then happened"], rows)
    page.lines("", "What it cost them, as far as it is known:")
    for participant in release.participants:
        for condition in participant.conditions:
            kind, words = _enum(condition, "kind"), condition.description
            told = words if kind == "other" else f"{kind}{words and f' ({words})'}"
            page.text(f"{participant.person}: {told}", "  - ", "    ")
    awards = [
        f"{participant.person}: {award.title}, {_value(award, 'award_date')}"
        for participant in release.participants
        for award in db.persons.get(participant.person).awards
    ]
    if awards:
        page.lines("", "Honors:")
    for award in awards:
        page.text(award, "  - ", "    ")

    page.heading("WHO COUNTED WHAT")
    page.table(
        ["how many", "of whom", "according to"],
        [
            [
                _value(group, "count") or "some",
                " and ".join(f"{_enum(key, 'dimension')} {key.value}" for key in group.keys),
                _value(group, "counted_by"),
            ]
            for group in release.group_counts
            if group.HasField("count")
        ],
    )


def _talks(db: Any, page: _Page, talks: Any) -> None:
    page.heading("THE TALKS")
    page.text(f"{talks.display_name}, at {_value(talks, 'place')}.", "  ")
    page.item("part of", _value(talks, "parent"))
    page.item("disclosed", _enum(talks, "disclosure"))
    parties = {party.id: party for party in talks.parties}
    for party in talks.parties:
        who = party.person or party.organization
        role = ", ".join(filter(None, (party.title, _enum(party, "role"))))
        page.item(_enum(party, "side") or "party", f"{who} ({role}) for {party.represents}")
    for round_ in talks.rounds:
        page.item("topics", _value(round_, "topics"))
        page.item("outcome", round_.outcome)
    page.lines("", "What each side undertook, and how far that is public:")
    for term in talks.terms:
        who = [
            parties[party].person or parties[party].organization if party in parties else "?"
            for party in (term.obligor_party_id, term.beneficiary_party_id)
        ]
        page.text(
            f"{_enum(term, 'disclosure').upper()}: {who[0]} to {who[1]}: {term.description}",
            "  - ",
            "    ",
        )


def _sanctions(db: Any, page: _Page, exchanges: list[Any]) -> None:
    page.heading("SANCTIONS: WHAT WAS CLAIMED, AND WHAT WAS ISSUED")
    for exchange in exchanges:
        for side in exchange.sides:
            for give in side.gives:
                if not give.measure:
                    continue
                measure = db.measures.get(give.measure)
                instruments = {instrument.id: instrument for instrument in measure.instruments}
                issued = instruments.get(give.instrument_id)
                if give.claimed_effect:
                    page.item("claimed", f"{give.claimed_effect}, {_value(give, 'claimed_date')}")
                if issued is None:
                    continue
                page.item("issued", _instrument(issued))
                targets = {target.id: _target(target) for target in measure.targets}
                page.item("covers", "; ".join(targets[i] for i in issued.covered_target_ids))
                page.item("but", _value(issued, "exclusions"))
                page.lines("", "All instruments over the same targets:")
                covered = set(issued.covered_target_ids)
                page.table(
                    ["instrument", "announced", "issued", "expires", "effect", "scope"],
                    [
                        [
                            instrument.number or _enum(instrument, "kind"),
                            *(
                                _value(instrument, f"{date}_date")
                                for date in ("announce", "issue", "expiry")
                            ),
                            _enum(instrument, "effect"),
                            instrument.scope,
                        ]
                        for instrument in measure.instruments
                        if covered & set(instrument.covered_target_ids)
                    ],
                )


def _links(page: _Page, exchanges: list[Any]) -> None:
    page.heading("WAS THE ONE GIVEN FOR THE OTHER?")
    for exchange in exchanges:
        page.text(f"{exchange.display_name} ({_enum(exchange, 'status')}):", "  ")
        for claim in exchange.link_claims:
            page.text(
                f"{_enum(claim, 'claim').upper()} {_value(claim, 'date')} according to "
                f"{_value(claim, 'claimant')}: {claim.description}".replace("  ", " "),
                "  - ",
                "    ",
            )


def _disputes(db: Any, page: _Page, records: list[Any]) -> None:
    page.heading("WHO SAYS SO, AND WHO DISAGREES")
    for record in records:
        evidence = db.collection(record.name.partition("/")[0]).evidence(record)
        sources = {citation.source for citation in record.citations}
        page.text(f"{record.name}: {len(sources)} sources", "  ", "    ")
        for field in evidence:
            if field.path in _ALWAYS or (field.path and field.disputed):
                _dispute(page, record, field)


def _dispute(page: _Page, record: Any, field: Any) -> None:
    page.text(_paths.spoken(record, field.path), "    ", "      ")
    own = field.words(field.message.value)
    page.text(f"{own}: {_sources(field.supports)}", "      + ", "        ")
    for alternative, (_, witnesses) in zip(
        field.message.alternatives, field.alternatives, strict=True
    ):
        told = "denied" if alternative.value == "null" else field.words(alternative.value)
        aside = {witness.message.citation.deprecation_reason for witness in witnesses}
        if len(aside) == 1 and (reason := aside.pop()):
            told += f" (set aside: {reason.rstrip('.')})"
        page.text(f"{told}: {_sources(witnesses)}", "      - ", "        ")
    for decision in field.message.decisions:
        if decision.value != field.message.value:
            policy = _enum(decision, "policy")
            page.text(
                f"{field.words(decision.value)}, {policy}: {decision.reason}",
                "      = ",
                "        ",
            )


def _statements(page: _Page, statements: Iterable[Any], subjects: set[str]) -> None:
    page.heading("WHAT WAS SAID ABOUT IT")
    about = [
        statement
        for statement in statements
        if any(subjects & set(position.about) for position in statement.positions)
    ]
    for statement in sorted(about, key=lambda s: str(_value(s, "date") or "9999")):
        stances = ", ".join(_enum(position, "stance") for position in statement.positions)
        date = _value(statement, "date") or "undated"
        page.text(
            f"{date:<12}{_actor(statement.speaker)} {stances}: {statement.text}", "  ", " " * 14
        )


def _commitments(page: _Page, commitments: Iterable[Any]) -> None:
    page.heading("WHAT WAS PROMISED OR FORETOLD, AND WHERE IT STANDS")
    for commitment in commitments:
        status = _enum(commitment, "current_status") or "nobody has checked"
        made = _value(commitment, "made_date")
        page.text(
            f"{status.upper()}: {_actor(commitment.obligor)}: {commitment.text}"
            f" ({_enum(commitment, 'firmness')}{'' if made == 'unknown' else f', {made}'})"
            + (f"; on condition: {commitment.condition}" if commitment.condition else ""),
            "  - ",
            "    ",
        )


def _before(page: _Page, events: Iterable[Any]) -> None:
    page.heading("WHAT WENT BEFORE")
    for event in events:
        start, end = _value(event, "start_date"), _value(event, "end_date")
        page.text(
            f"{event.display_name}, {start if end in ('', start) else f'{start} to {end}'}",
            "  ",
            "    ",
        )
        for count in event.counts:
            by = _value(count, "counted_by")
            page.text(
                f"{_enum(count, 'measure')}: {_value(count, 'count')}{by and f', says {by}'}",
                "    - ",
                "      ",
            )


def _still_held(page: _Page, tallies: Iterable[Any]) -> None:
    page.heading("HOW MANY ARE HELD, ACCORDING TO WHOM")
    held = [tally for tally in tallies if _enum(tally, "measure") == "held"]
    page.table(
        ["as of", "how many", "of whom", "according to"],
        [
            [
                _value(tally, "as_of_date"),
                _value(tally, "count"),
                _enum(tally, "population"),
                _value(tally, "counted_by"),
            ]
            for tally in sorted(held, key=lambda tally: _value(tally, "as_of_date"))
        ],
    )


def _value(message: Any, name: str) -> str:
    return display.field_text(message, message.DESCRIPTOR.fields_by_name[name])


def _enum(message: Any, name: str) -> str:
    return _value(message, name).lower().replace("_", " ")


def _last(participant: Any) -> str:
    return _value(participant.outcomes[-1], "kind") if participant.outcomes else ""


def _outcome(outcome: Any) -> str:
    parts = (_enum(outcome, "kind"), _value(outcome, "place"))
    return ", ".join(part for part in parts if part)


def _scripts(person: Any) -> list[str]:
    """The preferred name in Latin and in Cyrillic letters."""
    names: dict[str, str] = {}
    for name in sorted(person.names, key=lambda name: not name.preferred):
        names.setdefault(name.script_code, name.full)
    return [names.get("Latn", person.display_name), names.get("Cyrl", "")]


def _actor(actor: Any) -> str:
    who = actor.person or actor.organization
    return ", ".join(part for part in (who, actor.description) if part)


def _target(target: Any) -> str:
    return display.field_text(target, target.DESCRIPTOR.fields_by_name[target.WhichOneof("target")])


def _instrument(instrument: Any) -> str:
    parts = [
        instrument.number,
        _enum(instrument, "kind"),
        f"issued {_value(instrument, 'issue_date')}" if instrument.HasField("issue_date") else "",
        _enum(instrument, "effect"),
        instrument.scope,
    ]
    return ", ".join(part for part in parts if part)


def _sources(witnesses: Iterable[Any]) -> str:
    told = []
    for witness in witnesses:
        speaker = _actor(witness.message.citation.speaker)
        told.append(f"{speaker}, in {witness.source}" if speaker else str(witness.source))
    told = list(dict.fromkeys(told))
    more = len(told) - _SOURCES_SHOWN
    return "; ".join(told[:_SOURCES_SHOWN]) + (f"; {more} more" if more > 0 else "")
