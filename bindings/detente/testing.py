"""Made-up records for tests, of any number. Nothing in them is true, and all of it says so.

People are called `Test Person 17`, places are of the regions XA to XZ, which ISO 3166 leaves to
users. What is realistic are the shapes: few regions and recent years have most records, dates are
uncertain in all the ways of EDTF, names are in many scripts, some are arrested again.
"""

import random
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import detente
from detente import _contract, _progress, errors
from detente._progress import Progress, Tell
from detente._session import RECORD_SERVICE, new_request_id
from detente.made_up import EPOCH, Dates, names_of, region

_OPERATIONS = 1000
_BYTES = 3 << 20  # of a request, which takes 4 MiB
_STANCES = ["WELCOMES"] * 6 + ["CRITICIZES"] * 3 + ["DENIES", "CONFIRMS", "DEMANDS", "NEUTRAL"]
_MECHANISMS = ["PARDON"] * 6 + ["AMNESTY"] * 2 + ["PRISONER_SWAP", "EXPULSION", "UNKNOWN"]
_KINDS = ["GENERAL_LICENSE"] * 3 + ["DELISTING"] * 2 + ["SUSPENSION", "LISTING", "IMPOSITION"]
_EFFECTS = {
    "GENERAL_LICENSE": "AUTHORIZES_ONLY",
    "DELISTING": "REMOVES",
    "SUSPENSION": "SUSPENDS",
    "LISTING": "BLOCKS",
    "IMPOSITION": "BLOCKS",
}
_DISCLOSURES = ["UNDISCLOSED"] * 4 + ["REPORTED"] * 3 + ["PARTIAL"] * 2 + ["PUBLISHED"]

Record = tuple[str, str, Any]  # the collection, the id and the message


@dataclass
class Filled:
    """What `fill` wrote.

    Attributes:
        counts: How many records of each collection.
        revision: The newest revision after it.
        seconds: How long it took.
    """

    counts: dict[str, int] = field(default_factory=dict)
    revision: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """How many records."""
        return sum(self.counts.values())


def fill(
    db: detente.Database,
    *,
    persons: int = 1000,
    seed: int = 1,
    progress: Callable[[int], None] | bool | None = None,
) -> Filled:
    """Writes made-up records into an empty store: the same for the same numbers.

    For each 1,000 persons there are some 1,030 detentions, 110 releases and 130 other records.

    Args:
        db: The store.
        persons: How many persons.
        seed: Another one makes another store.
        progress: Called with the number of records written so far. None = a bar, on a terminal or
            in a notebook; False = nothing.

    Example:
        >>> from detente import testing
        >>> with detente.open(":memory:", create=True) as db:
        ...     print(testing.fill(db, persons=100, seed=1).total)
    """
    if persons < 1:
        raise errors.invalid("persons", f"at least 1 expected, not {persons}")
    begun = time.monotonic()
    done = Filled()
    if callable(progress):
        count = progress
        with_all: Progress = lambda written, _: count(written)  # noqa: E731
    else:
        with_all = progress
    with _progress.told(with_all, "fill") as tell:
        _write(db, persons, seed, done, tell)
    done.seconds = time.monotonic() - begun
    return done


def _write(db: detente.Database, persons: int, seed: int, done: Filled, tell: Tell) -> None:
    counts: Counter[str] = Counter()
    method = _contract.method(f"{RECORD_SERVICE}/BatchWrite")
    types = {
        resource.collection: f"type.googleapis.com/{resource.message.DESCRIPTOR.full_name}"
        for resource in _contract.resources().values()
    }
    request, size = method.request(), 0

    def send() -> None:
        request.request_id, request.reason = new_request_id(), "made up for tests"
        done.revision = db._session.call(method, request).revision
        done.counts = dict(counts)
        tell(counts.total(), None)

    for collection, id, message in records(persons, seed):
        payload = message.SerializeToString()
        if len(request.operations) == _OPERATIONS or size + len(payload) > _BYTES:
            send()
            request, size = method.request(), 0
        create = request.operations.add().create
        create.record_id = id
        create.record.type_url, create.record.value = types[collection], payload
        size += len(payload) + 100
        counts[collection] += 1
    send()


def records(persons: int, seed: int = 1) -> Iterator[Record]:
    """The records that `fill` writes, in its order: none refers to a later one."""
    chance = random.Random(f"{persons} {seed}")
    plan = _Plan(persons, chance)
    dates = Dates(chance)
    yield from _bases(plan, chance)
    for number in range(persons):
        yield _person(number, plan, chance, dates)
    for number in range(persons):
        yield from _detentions(number, plan, chance, dates)
    for number in range(plan.negotiations):
        yield _negotiation(number, plan, chance, dates)
    for number in range(len(plan.first)):
        yield _release(number, plan, chance, dates)
    for number in range(plan.measures):
        yield _measure(number, plan, chance, dates)
    for number in range(plan.negotiations):
        if number % 4 != 3:
            yield _exchange(number, plan, chance)
    for number in range(len(plan.first)):
        for part in range(chance.choice((0, 0, 1, 1, 3))):
            yield _statement(number, part, plan, chance, dates)


class _Plan:
    """Who is freed when, with whom, and who is arrested again."""

    def __init__(self, persons: int, chance: random.Random) -> None:
        self.persons = persons
        self.release_of = array("i", [-1]) * persons
        self.again = bytearray(persons)  # arrested again
        self.first = array("i")  # of a release: its first person, how many, its day and region
        self.size = array("i")
        self.day = array("i")
        self.region = array("b")
        number = 0
        while number < persons:
            size = min(int(chance.paretovariate(1.1)), 150, persons - number)
            release = len(self.first)
            self.first.append(number)
            self.size.append(size)
            self.day.append(_day(chance))
            self.region.append(_skewed(chance, 26))
            for person in range(number, number + size):
                self.release_of[person] = release
                self.again[person] = chance.random() < 0.06
            number += size + chance.randrange(2 * size + 2)
        self.sources = 20 + persons // 500
        self.negotiations = 1 + len(self.first) // 8
        self.measures = 26 + persons // 2000

    def negotiation_of(self, release: int) -> int:
        """Of a release, its negotiation; -1 = none."""
        return release // 8 if release % 8 < 5 else -1

    def in_negotiation(self, negotiation: int) -> int:
        """A release that is of it."""
        return min(negotiation * 8, len(self.first) - 1)


def _bases(plan: _Plan, chance: random.Random) -> Iterator[Record]:
    for number in range(plan.sources):
        source = detente.Source(
            title=f"Made-up source {number}",
            publisher={"description": "Test Press"},
            reliability=chance.choice("AABBBCDEF"),
        )
        yield "sources", f"s-{number}", source
    for number in range(26):
        for kind in ("office", "watch"):
            organization = detente.Organization(
                display_name=f"Test {kind} of {region(number)}", region_code=region(number)
            )
            yield "organizations", f"{kind}-{region(number).lower()}", organization


def _person(number: int, plan: _Plan, chance: random.Random, dates: Dates) -> Record:
    release = plan.release_of[number]
    home = plan.region[release] if release >= 0 else _skewed(chance, 26)
    message = detente.Person(
        display_name=f"Test Person {number}",
        names=names_of(number, chance),
        gender=chance.choice(("FEMALE", "MALE", "MALE", None)),
        nationalities=[region(home)],
    )
    if chance.random() < 0.8:
        born = EPOCH.toordinal() - int(365.25 * chance.triangular(20, 75, 35))
        message.birth_date.CopyFrom(dates.around(born, wide=True))
    if chance.random() < 0.1:
        message.nationalities.append(region(25 - home))
    if chance.random() < 0.3:
        message.occupations.append(chance.choice(("teacher", "journalist", "welder", "student")))
    if chance.random() < 0.2:
        _cite(message, "birth_date", plan, chance)
    return "persons", f"p-{number}", message


def _detentions(number: int, plan: _Plan, chance: random.Random, dates: Dates) -> Iterator[Record]:
    release = plan.release_of[number]
    held = int(chance.expovariate(1 / 400)) + 1
    end = plan.day[release] if release >= 0 else _day(chance)
    message = detente.Detention(
        display_name=f"Detention of Test Person {number}",
        person=f"persons/p-{number}",
        region_code=region(plan.region[release] if release >= 0 else _skewed(chance, 26)),
        start_date=dates.around(end - held),
    )
    if release >= 0:
        message.end_date.CopyFrom(dates.of_release(plan.day[release], release))
        message.end_reason = message.PARDON
        message.status = message.RELEASED_SERVED_SENTENCE
    elif chance.random() < 0.7:
        message.end_date.state = message.end_date.ONGOING
        message.status = message.HELD_SERVING_SENTENCE
    elif chance.random() < 0.5:
        message.end_date.state = message.end_date.UNKNOWN
    yield "detentions", f"d-{number}", message
    if plan.again[number]:
        start = plan.day[release] + chance.randrange(5, 200)
        again = detente.Detention(
            display_name=f"Second detention of Test Person {number}",
            person=message.person,
            region_code=message.region_code,
            start_date=dates.around(start),
            end_date={"state": "ONGOING"},
            status="HELD_ON_TRIAL",
            previous=f"detentions/d-{number}",
        )
        yield "detentions", f"d-{number}-2", again


def _negotiation(number: int, plan: _Plan, chance: random.Random, dates: Dates) -> Record:
    release = plan.in_negotiation(number)
    day = plan.day[release]
    message = detente.Negotiation(
        display_name=f"Made-up talks {number}",
        start_date=dates.around(day - chance.randrange(10, 300)),
        disclosure=chance.choice(_DISCLOSURES),
        parties=[
            {"id": "a", "organization": _office(plan.region[release]), "role": "PRINCIPAL"},
            {"id": "b", "organization": _office(_skewed(chance, 26)), "role": "MEDIATOR"},
        ],
        terms=[
            {
                "id": "release",
                "obligor_party_id": "a",
                "kind": "RELEASE",
                "disclosure": chance.choice(_DISCLOSURES),
            },
            {"id": "relief", "obligor_party_id": "b", "kind": "SANCTIONS_RELIEF"},
        ],
    )
    return "negotiations", f"n-{number}", message


def _release(number: int, plan: _Plan, chance: random.Random, dates: Dates) -> Record:
    size, home = plan.size[number], plan.region[number]
    date = dates.of_release(plan.day[number], number)
    unnamed = int(chance.expovariate(1 / (1 + size / 4)))
    message = detente.Release(
        display_name=f"Made-up release {number} in {region(home)}",
        region_code=region(home),
        effective_date=date,
        mechanism=chance.choice(_MECHANISMS),
        announced_by={"organization": _office(home)},
    )
    kind = chance.random()
    if kind < 0.8:
        message.headcount.best = size + unnamed
    elif kind < 0.95:
        message.headcount.low, message.headcount.high = size, size + 2 * unnamed
    for person in range(plan.first[number], plan.first[number] + size):
        outcome = {"id": "freed", "kind": "FREED", "date": date}
        if chance.random() < 0.01:
            outcome = {"id": "stayed", "kind": "REFUSED_TO_LEAVE", "date": date}
        participant = message.participants.add(
            id=f"p-{person}",
            person=f"persons/p-{person}",
            detention=f"detentions/d-{person}",
            outcomes=[outcome],
        )
        if chance.random() < 0.3:
            participant.mechanism = message.mechanism
        if plan.again[person]:
            late = dates.around(plan.day[number] + chance.randrange(5, 200))
            participant.outcomes.add(id="again", kind="REARRESTED", date=late)
    talks = plan.negotiation_of(number)
    if talks >= 0:
        message.negotiation = f"negotiations/n-{talks}"
    _cite(message, "effective_date", plan, chance)
    return "releases", f"r-{number}", message


def _measure(number: int, plan: _Plan, chance: random.Random, dates: Dates) -> Record:
    target = number % 26
    message = detente.Measure(
        display_name=f"Made-up measure {number} on {region(target)}",
        imposed_by={"organization": _office((target + 7) % 26)},
        target_region_code=region(target),
        types=[chance.choice(("TRADE", "FINANCIAL", "TRAVEL"))],
        start_date=dates.around(_day(chance) - 3000),
        targets=[{"id": "t", "sector": "made-up goods"}],
    )
    for part in range(chance.randrange(2, 14)):
        kind = chance.choice(_KINDS)
        near = plan.day[chance.randrange(len(plan.day))] + chance.randrange(-90, 90)
        message.instruments.add(
            id=f"i-{part}",
            kind=kind,
            number=f"Test {number}/{part}",
            effect=_EFFECTS[kind],
            effective_date=dates.around(near),
            covered_target_ids=["t"],
        )
    return "measures", f"m-{number}", message


def _exchange(number: int, plan: _Plan, chance: random.Random) -> Record:
    release = plan.in_negotiation(number)
    home = plan.region[release]
    claim = chance.choice(("LINKED", "DENIED", "UNCLEAR"))
    gives: dict[str, Any] = {"id": "g", "measure": f"measures/m-{home}", "instrument_id": "i-0"}
    if chance.random() < 0.2:
        gives = {"id": "g", "description": "a made-up concession"}
    message = detente.Exchange(
        display_name=f"Made-up exchange {number}",
        negotiation=f"negotiations/n-{number}",
        sides=[
            {
                "id": "a",
                "party": {"organization": _office(home)},
                "gives": [{"id": "g", "release": f"releases/r-{release}", "term_id": "release"}],
            },
            {"id": "b", "party": {"organization": _office((home + 7) % 26)}, "gives": [gives]},
        ],
        link_claims=[{"id": "c", "claimant": {"organization": _watch(home)}, "claim": claim}],
        status=chance.choice(("CLAIMED", "AGREED", "PARTLY_PERFORMED", "PERFORMED", "DENIED")),
    )
    return "exchanges", f"e-{number}", message


def _statement(number: int, part: int, plan: _Plan, chance: random.Random, dates: Dates) -> Record:
    stance = chance.choice(_STANCES)
    message = detente.Statement(
        display_name=f"Made-up statement {part} on release {number}",
        speaker={"organization": _watch(_skewed(chance, 26))},
        date=dates.around(plan.day[number] + chance.randrange(0, 20)),
        text=f"A made-up organization {stance.lower()} what nobody did.",
        language_code="en",
        positions=[{"id": "p", "stance": stance, "about": [f"releases/r-{number}"]}],
    )
    return "statements", f"t-{number}-{part}", message


def _cite(message: Any, path: str, plan: _Plan, chance: random.Random) -> None:
    message.citations.add(
        id="c",
        source=f"sources/s-{_skewed(chance, plan.sources)}",
        fields=[path] if message.HasField(path) else ["display_name"],
        stance="SUPPORTS",
        paraphrase="made up",
    )


def _office(number: int) -> str:
    return f"organizations/office-{region(number).lower()}"


def _watch(number: int) -> str:
    return f"organizations/watch-{region(number).lower()}"


def _day(chance: random.Random) -> int:
    """A day as its ordinal, most of them recent."""
    return EPOCH.toordinal() - min(int(chance.expovariate(1 / 1000)), 10_000)


def _skewed(chance: random.Random, count: int) -> int:
    """A number below `count`, the lesser ones most often."""
    return min(int((count + 1) ** chance.random()) - 1, count - 1)
