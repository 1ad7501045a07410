"""What `detente.testing` makes up: the same each time, valid, of realistic shapes, and plain."""

from collections import Counter
from typing import Any

import detente
import pytest
from detente import testing

PERSONS = 1500


@pytest.fixture(scope="module")
def made() -> dict[str, list[tuple[str, Any]]]:
    found: dict[str, list[tuple[str, Any]]] = {}
    for collection, id, message in testing.records(PERSONS, seed=5):
        found.setdefault(collection, []).append((id, message))
    return found


def test_a_store_is_filled(db: detente.Database) -> None:
    seen: list[int] = []
    done = testing.fill(db, persons=300, seed=5, progress=seen.append)
    assert done.counts["persons"] == 300
    assert (
        seen[-1]
        == done.total
        == sum(db.collection(collection).list().count() for collection in done.counts)
    )
    assert done.revision == db.revision == len(seen)
    assert done.seconds > 0
    for collection, id, message in testing.records(300, seed=5):
        if collection == "releases":
            stored = db.releases.get(id)
            assert stored.display_name == message.display_name
            assert stored.effective_date.edtf == message.effective_date.edtf
            assert len(stored.participants) == len(message.participants)
    with pytest.raises(detente.AlreadyExistsError):
        testing.fill(db, persons=300, seed=5)
    with pytest.raises(detente.InvalidArgumentError, match="persons"):
        testing.fill(db, persons=0)


def test_a_seed_is_a_store() -> None:
    def bytes_of(persons: int, seed: int) -> list[bytes]:
        return [m.SerializeToString() for _, _, m in testing.records(persons, seed)]

    assert bytes_of(200, 1) == bytes_of(200, 1)
    assert bytes_of(200, 1) != bytes_of(200, 2)


def test_shapes_are_realistic(made: dict[str, list[tuple[str, Any]]]) -> None:
    assert set(made) == {
        "sources", "organizations", "persons", "detentions", "negotiations", "releases",
        "measures", "exchanges", "statements",
    }  # fmt: skip
    releases = [release for _, release in made["releases"]]
    regions = Counter(release.region_code for release in releases)
    counts = sorted(regions.values(), reverse=True)
    assert counts[0] > 5 * counts[len(counts) // 2]
    years = Counter(release.effective_date.edtf[:4] for release in releases)
    assert years["2025"] > 2 * years["2022"] > 0
    sizes = sorted(len(release.participants) for release in releases)
    assert sizes[len(sizes) // 2] <= 3 < 30 < sizes[-1]

    dates = [d.start_date for _, d in made["detentions"]]
    precisions = Counter(
        "unknown" if not date.edtf else detente.Date(date.edtf).precision for date in dates
    )
    assert {"DAY", "MONTH", "YEAR", "DECADE", "INTERVAL", "SET", "PART_OF_YEAR", "unknown"} <= set(
        precisions
    )
    assert precisions["DAY"] > len(dates) / 2
    marks = "".join(date.edtf for date in dates)
    assert all(mark in marks for mark in ("?", "~", "%", "..", "[", "X"))
    assert {detention.end_date.state for _, detention in made["detentions"]} == {0, 2, 4}

    scripts = {name.script_code for _, person in made["persons"] for name in person.names}
    assert {"Latn", "Cyrl", "Arab", "Hebr", "Grek", "Geor", "Hans", "Kore", "Deva"} <= scripts
    outcomes = Counter(
        detente.Release.Participant.Outcome.Kind.Name(outcome.kind)
        for release in releases
        for participant in release.participants
        for outcome in participant.outcomes
    )
    assert outcomes["FREED"] > outcomes["REARRESTED"] > 0
    assert outcomes["REFUSED_TO_LEAVE"] > 0
    assert len([d for _, d in made["detentions"] if d.previous]) == outcomes["REARRESTED"]
    stances = {p.stance for _, statement in made["statements"] for p in statement.positions}
    assert detente.Statement.Position.CRITICIZES in stances
    disclosures = {negotiation.disclosure for _, negotiation in made["negotiations"]}
    assert detente.Negotiation.UNDISCLOSED in disclosures
    effects = {i.effect for _, measure in made["measures"] for i in measure.instruments}
    assert detente.Measure.Instrument.REMOVES in effects


def test_it_is_plainly_made_up(made: dict[str, list[tuple[str, Any]]]) -> None:
    for collection, records in made.items():
        for number, (id, record) in enumerate(records):
            title = record.title if collection == "sources" else record.display_name
            assert title.startswith(
                ("Made-up", "Test", "Detention of Test", "Second detention of Test")
            )
            for code in ("region_code", "target_region_code"):
                region = getattr(record, code, "XA")
                assert "XA" <= region <= "XZ", (id, region)
            if collection == "persons":
                assert record.names[0].full == record.display_name == f"Test Person {number}"
