"""A user's questions, on the founding case and on a made-up store.

Each is asked by queries and answered a second time in plain Python, by going through all records.
DETENTE_QUESTIONS_RECORDS is about how many records the made-up store has. A million take minutes to
make: DETENTE_QUESTIONS_STORES names a folder in which the stores are kept, and used again.
"""

import datetime
import functools
import os
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import detente
import pytest
from detente import aggregates, f, loading, testing
from wire.process import Server

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"
RECORDS = int(os.environ.get("DETENTE_QUESTIONS_RECORDS", "3000"))
MONTH = "2025-12"
EASING = ("REMOVES", "SUSPENDS", "AUTHORIZES_ONLY")

pytestmark = pytest.mark.timeout(120 + RECORDS // 100)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    kept = os.environ.get("DETENTE_QUESTIONS_STORES")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("questions")
    paths = {"samples": folder / "samples.db", "made-up": folder / f"made-up-{RECORDS}.db"}
    if not paths["samples"].exists():
        make(paths["samples"], lambda db: loading.load(db, [SAMPLES]))
    if not paths["made-up"].exists():
        make(paths["made-up"], lambda db: testing.fill(db, persons=max(1, RECORDS * 10 // 23)))
    return paths


def make(path: Path, fill: Callable[[detente.Database], Any]) -> None:
    """Under another name until it is done, so that none is used that is half made."""
    unfinished = path.with_suffix(".unfinished")
    for left in path.parent.glob(f"{unfinished.name}*"):
        left.unlink()
    with detente.open(unfinished, create=True) as db:
        done = fill(db)
    print(f"{path.stem}: {done}")
    unfinished.rename(path)


@pytest.fixture(
    scope="module",
    params=["samples embedded", "samples remote", "made-up embedded", "made-up remote"],
)
def asked(
    request: pytest.FixtureRequest, stores: dict[str, Path]
) -> Iterator[tuple[str, detente.Database]]:
    """Which records, and the database that has them."""
    name, how = request.param.split()
    if how == "embedded":
        with detente.open(stores[name], read_only=True) as db:
            yield name, db
    else:
        server = Server(stores[name])
        with detente.connect(server.address, timeout=600) as db:
            yield name, db
        server.close()


# Many records have the same date: each is read once.
parsed = functools.cache(detente.Date)


@functools.cache
def within(how: str, edtf: str, window: Any) -> bool:
    answer: bool = getattr(parsed(edtf), f"{how}_within")(window)
    return answer


def certainly(date: Any, window: Any) -> bool:
    return bool(date.edtf) and within("certainly", date.edtf, window)


def possibly(date: Any, window: Any) -> bool:
    if date.state == detente.UncertainDate.UNKNOWN:
        return True
    return bool(date.edtf) and within("possibly", date.edtf, window)


def names(records: Iterable[Any]) -> list[str]:
    return [record.name for record in records]


def in_parts(values: Iterable[str], size: int = 100) -> Iterator[list[str]]:
    """A filter holds 8 KiB."""
    listed = sorted(values)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def freed(releases: Iterable[Any], when: Any) -> set[str]:
    kind = detente.Release.Participant.Outcome.FREED
    return {
        participant.person
        for release in releases
        for participant in release.participants
        if any(o.kind == kind and when(o.date, MONTH) for o in participant.outcomes)
    }


def test_who_was_freed_in_december(asked: tuple[str, detente.Database]) -> None:
    name, db = asked
    outcome = f.kind == "FREED"
    found = {}
    every = list(db.releases.list(read_mask="name,participants,effective_date"))
    for word, when in (("certainly", certainly), ("possibly", possibly)):
        window = getattr(f.date, word)(MONTH)
        query = f.participants.any(f.outcomes.any(outcome & window))
        releases = list(db.releases.list(query))
        found[word] = freed(releases, when)
        assert found[word] == freed(every, when)
        assert names(releases) == [r.name for r in every if freed([r], when)]
        dated = db.releases.list(getattr(f.effective_date, word)(MONTH), read_mask="name")
        assert names(dated) == [r.name for r in every if when(r.effective_date, MONTH)]
    assert found["certainly"] <= found["possibly"]
    if name == "samples":
        assert "persons/ales-bialiatski" in found["certainly"]
        assert "persons/siarhei-tsikhanouski" not in found["possibly"]
    else:
        assert len(found["possibly"]) > len(found["certainly"]) > 0


def test_releases_with_undisclosed_terms(asked: tuple[str, detente.Database]) -> None:
    name, db = asked
    hidden = (f.disclosure == "UNDISCLOSED") | f.terms.disclosure.has("UNDISCLOSED")
    talks = set(names(db.negotiations.list(hidden, read_mask="name")))
    found = [
        release
        for part in in_parts(talks)
        for release in names(db.releases.list(f.negotiation.is_in(part), read_mask="name"))
    ]
    undisclosed = detente.Negotiation.UNDISCLOSED
    plain = {
        n.name
        for n in db.negotiations.list(read_mask="name,disclosure,terms")
        if undisclosed in (n.disclosure, *(term.disclosure for term in n.terms))
    }
    assert talks == plain
    releases = db.releases.list(read_mask="name,negotiation")
    assert sorted(found) == sorted(r.name for r in releases if r.negotiation in plain)
    assert found or name == "samples"


def test_who_was_released_and_arrested_again(asked: tuple[str, detente.Database]) -> None:
    name, db = asked
    kind = detente.Release.Participant.Outcome.REARRESTED

    def persons(releases: Iterable[Any]) -> set[str]:
        return {
            participant.person
            for release in releases
            for participant in release.participants
            if any(outcome.kind == kind for outcome in participant.outcomes)
        }

    found = persons(db.releases.list(f.participants.outcomes.kind.has("REARRESTED")))
    assert found == persons(db.releases.list(read_mask="participants"))
    later = {d.person for d in db.detentions.list(f.previous.present(), read_mask="person")}
    detentions = db.detentions.list(read_mask="person,previous")
    assert later == {d.person for d in detentions if d.previous}
    if name == "made-up":
        assert found == later
        assert found


def test_what_each_exchange_gave(asked: tuple[str, detente.Database]) -> None:
    _, db = asked
    for exchange in db.exchanges.list().limit(30):
        around = db.neighbors(exchange, direction="outgoing")
        given = {
            (edge.target, edge.path.rpartition(".")[2])
            for edge in around.edges
            if edge.source == exchange.name and edge.path.startswith("sides")
        }
        plain = set()
        for side in exchange.sides:
            for give in side.gives:
                plain |= {(give.release, "release"), (give.measure, "measure")}
        assert {(t, p) for t, p in given if p in ("release", "measure")} == plain - {
            ("", "release"),
            ("", "measure"),
        }
        back = names(db.exchanges.list(f.refers_to(exchange.sides[0].party.organization)))
        assert exchange.name in back or not exchange.sides[0].party.organization
    counts: Counter[str] = Counter()
    for exchange in db.exchanges.list(read_mask="sides"):
        counts.update({give.release for side in exchange.sides for give in side.gives} - {""})
    table = db.aggregate("exchanges", by="sides.gives.release", limit=10_000)
    assert {
        group["sides.gives.release"]: group["count"]
        for group in table
        if group["sides.gives.release"]
    } == counts


def test_statements_that_criticize_a_release(asked: tuple[str, detente.Database]) -> None:
    name, db = asked
    criticizes = detente.Statement.Position.CRITICIZES
    query = f.positions.any((f.stance == "CRITICIZES") & f.about.like("releases/*"))
    by_release = defaultdict(list)
    plain = []
    for statement in db.statements.list(read_mask="name,positions"):
        about = {
            record
            for position in statement.positions
            if position.stance == criticizes
            for record in position.about
            if record.startswith("releases/")
        }
        if about:
            plain.append(statement.name)
        for record in about:
            by_release[record].append(statement.name)
    assert names(db.statements.list(query, read_mask="name")) == plain
    for release in sorted(by_release)[:20]:
        one = f.positions.any((f.stance == "CRITICIZES") & f.about.has(release))
        assert names(db.statements.list(one)) == by_release[release]
    if name == "samples":
        assert "statements/viasna-2025-12-13" in by_release["releases/by-2025-12-13"]
    assert plain


def test_measures_eased_near_a_release(asked: tuple[str, detente.Database]) -> None:
    _, db = asked
    month = datetime.timedelta(days=30)
    measures = list(db.measures.list(read_mask="name,instruments"))
    found = 0
    for release in db.releases.list(f.effective_date.present()).limit(25):
        date = parsed(release.effective_date.edtf) if release.effective_date.edtf else None
        if date is None or date.earliest is None or date.latest is None:
            continue
        window = (date.earliest - month, date.latest + month)
        day = f.issue_date.possibly(window) | f.effective_date.possibly(window)
        query = f.instruments.any(f.effect.is_in(EASING) & day)
        eased = names(db.measures.list(query, read_mask="name"))
        kinds = {detente.Measure.Instrument.Effect.Value(effect) for effect in EASING}
        assert eased == [
            measure.name
            for measure in measures
            if any(
                i.effect in kinds
                and (possibly(i.issue_date, window) or possibly(i.effective_date, window))
                for i in measure.instruments
            )
        ]
        found += len(eased)
        if release.name == "releases/by-2025-12-13":
            assert "measures/us-belarus" in eased
    assert found


def test_totals(asked: tuple[str, detente.Database]) -> None:
    _, db = asked
    counts: Counter[str] = Counter()
    heads: Counter[str] = Counter()
    certain, possible = Counter[str](), Counter[str]()
    by_year = {
        str(group["effective_date.year"]): group
        for group in db.aggregate("releases", by="effective_date.year")
        if group["effective_date.year"] not in (None, aggregates.UNKNOWN)
    }
    for release in db.releases.list(read_mask="region_code,headcount,effective_date"):
        counts[release.region_code] += 1
        heads[release.region_code] += release.headcount.best
        for year in by_year:
            certain[year] += certainly(release.effective_date, year)
            possible[year] += possibly(release.effective_date, year)
    table = db.aggregate("releases", by="region_code", measures=["count", "sum(headcount)"])
    assert {g["region_code"] or "": g["count"] for g in table} == counts
    assert {g["region_code"] or "": g["sum(headcount)"].best or 0 for g in table} == heads
    assert table.record_count == counts.total() == db.releases.list().count()
    assert "2025" in by_year
    for year, group in by_year.items():
        assert group.certain["count"] == certain[year], year
        assert group.possible["count"] == possible[year], year


def test_how_many_were_held(asked: tuple[str, detente.Database]) -> None:
    _, db = asked
    stock = db.stock("detentions", "2023-01-01", "2025-12-31", step="quarter")
    days = [point.day for point in stock]
    assert [str(day) for day in days][-2:] == ["2025-10-01", "2025-12-31"]
    assert days == sorted(days)

    @functools.cache
    def first(reached: Callable[[Any, datetime.date], bool], edtf: str, state: Any) -> int:
        """The first of the days at whose end it is so; what is so stays so."""
        date = detente.UncertainDate(edtf=edtf, state=state)
        return bisect_left(days, True, key=lambda day: reached(date, day))

    def held(begun: Any, over: Any) -> list[int]:
        """At the end of each day: those that had begun, and were not over."""
        changes = [0] * (len(days) + 1)
        for detention in detentions:
            start, end = detention.start_date, detention.end_date
            since, until = first(begun, start.edtf, start.state), first(over, end.edtf, end.state)
            if since < until:
                changes[since] += 1
                changes[until] -= 1
        return list(accumulate(changes[:-1]))

    detentions = list(db.detentions.list(read_mask="start_date,end_date"))
    certain = held(
        lambda date, day: certainly(date, (None, day)),
        lambda date, day: ended(date, day) is not False,
    )
    possible = held(
        lambda date, day: possibly(date, (None, day)),
        lambda date, day: ended(date, day) is True,
    )
    assert [tuple(point) for point in stock] == list(zip(days, certain, possible, strict=True))


def ended(date: Any, day: datetime.date) -> bool | None:
    """Whether what ends at a date had ended by the end of a day; None = perhaps."""
    if date.state in (detente.UncertainDate.ONGOING, detente.UncertainDate.NONE):
        return False
    if not date.edtf:
        return None
    if certainly(date, (None, day)):
        return True
    return None if possibly(date, (None, day)) else False


def test_words_find_people(asked: tuple[str, detente.Database]) -> None:
    name, db = asked
    if name == "samples":
        for spelling in ("Bialiatski", "Бяляцкі", "Беляцкий"):
            first = db.search(spelling, collections="persons").first()
            assert first is not None
            assert first.name == "persons/ales-bialiatski", spelling
            assert "persons/ales-bialiatski" in names(db.persons.list(f.matches_name(spelling)))
    else:
        hits = db.search("Person 17", collections="persons")
        assert "persons/p-17" in {hit.name for hit in hits}
        assert names(db.persons.list(f.words("Person 17"))) == ["persons/p-17"]
        assert "persons/p-17" in names(record for record in hits.records())
    facets = db.search("release").facets
    assert set(facets) >= {"releases"}
