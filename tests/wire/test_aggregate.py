"""QueryService.AggregateRecords and ComputeStock, over the wire, on the founding case too."""

import datetime
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import detente
import pytest
from detente import loading
from wire import contract
from wire.calls import INVALID, Client, fill, refuses, refuses_fields
from wire.process import Server

SAMPLES = pathlib.Path(__file__).parents[2] / "samples" / "belarus-2025"
COUNT, DISTINCT, SUM, MIN, MAX = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def belarus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Server(tmp_path_factory.mktemp("store") / "store.db") as server:
        with detente.connect(server.address) as db:
            loading.load(db, [SAMPLES])
        with Client(contract.detente(), server.address) as client:
            yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with (
        Server(tmp_path_factory.mktemp("store") / "store.db") as server,
        Client(contract.detente(), server.address) as client,
    ):
        yield client


def ask(client: Client, method: str, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.QueryService")
    descriptor = service.methods_by_name[method]
    request = client.contract.new(descriptor.input_type.full_name)
    for measure in arguments.pop("measures", []):
        fill(request.measures.add(), measure)
    return client.call(descriptor, fill(request, arguments))


def aggregate(client: Client, collection: str, **arguments: Any) -> Any:
    return ask(client, "AggregateRecords", collection=collection, **arguments)


def counts(answer: Any) -> dict[tuple[str, ...], tuple[int, int]]:
    """Certain and possible counts by keys; "-" without one, "?" where nobody knows."""
    return {
        tuple("?" if k.unknown else k.value if k.present else "-" for k in group.keys): (
            group.certain_values[0].integer,
            group.possible_values[0].integer,
        )
        for group in answer.groups
    }


def test_releases_of_the_founding_case_by_mechanism(belarus: Client) -> None:
    releases = belarus.of("releases").pages()
    enum = releases[0].DESCRIPTOR.fields_by_name["mechanism"].enum_type
    expected = Counter(
        enum.values_by_number[r.mechanism].name if r.mechanism else "-" for r in releases
    )
    answer = aggregate(belarus, "releases", group_paths=["mechanism"], order_by="count desc")
    assert {k[0]: v for k, v in counts(answer).items()} == {k: (v, v) for k, v in expected.items()}
    assert answer.record_count == len(releases)
    assert answer.total_groups == len(expected)
    assert answer.revision == belarus.revision()
    sizes = [group.certain_values[0].integer for group in answer.groups]
    assert sizes == sorted(sizes, reverse=True)


def test_who_was_freed_in_december_2025_certainly_and_possibly(belarus: Client) -> None:
    releases = belarus.of("releases").pages()
    first, last = datetime.date(2025, 12, 1), datetime.date(2025, 12, 31)

    def day(date: Any) -> datetime.date:
        return datetime.date(date.year, date.month, date.day)

    certain = possible = unknown = 0
    for release in releases:
        date = release.effective_date
        if date.state == 2:
            unknown += 1
        if not date.edtf or not (date.HasField("earliest") and date.HasField("latest")):
            continue
        earliest, latest = day(date.earliest), day(date.latest)
        certain += first <= earliest and latest <= last
        possible += earliest <= last and first <= latest
    assert certain
    found = counts(aggregate(belarus, "releases", group_paths=["effective_date.month"]))
    assert found[("2025-12",)] == (certain, possible + unknown)


def test_participants_by_outcome(belarus: Client) -> None:
    expected: Counter[str] = Counter()
    for release in belarus.of("releases").pages():
        for participant in release.participants:
            for outcome in participant.outcomes:
                kind = outcome.DESCRIPTOR.fields_by_name["kind"].enum_type
                expected[kind.values_by_number[outcome.kind].name] += 1
    answer = aggregate(
        belarus,
        "releases",
        group_paths=["participants.outcomes.kind"],
        measures=[{"kind": COUNT, "path": "participants.outcomes"}],
    )
    found = {
        group.keys[0].value: group.certain_values[0].count
        for group in answer.groups
        if group.keys[0].present
    }
    assert found == dict(expected)
    assert "REFUSED_TO_LEAVE" in found


def test_detentions_that_went_on_in_the_founding_case(belarus: Client) -> None:
    """The meaning, told again in Python over the bounds that the server computed."""
    spells = belarus.of("detentions").pages()

    def bounds(date: Any) -> tuple[datetime.date, datetime.date]:
        known = [
            datetime.date(b.year, b.month, b.day) if date.HasField(name) else otherwise
            for name, b, otherwise in (
                ("earliest", date.earliest, datetime.date.min),
                ("latest", date.latest, datetime.date.max),
            )
        ]
        return known[0], known[1]

    answer = ask(
        belarus,
        "ComputeStock",
        collection="detentions",
        first_day={"year": 2019, "month": 12, "day": 31},
        last_day={"year": 2026, "month": 3, "day": 31},
    )
    (points,) = [series.points for series in answer.series]
    assert len(points) == 6 * 12 + 3 + 2
    differ = 0
    for point in points:
        day = datetime.date(point.day.year, point.day.month, point.day.day)
        certain = possible = 0
        for spell in spells:
            start, end = spell.start_date, spell.end_date
            if start.state not in (1, 2):
                continue
            begun, ended = bounds(start), bounds(end)
            goes_on = end.state in (3, 4)
            certain += begun[1] <= day and (goes_on or ended[0] > day)
            possible += begun[0] <= day and (goes_on or ended[1] > day)
        assert (point.certain, point.possible) == (certain, possible), day
        differ += possible > certain > 0
    assert differ


def test_columns_and_messages_agree(belarus: Client) -> None:
    """A measure that is in no column makes the server read messages."""
    from_messages = {"kind": COUNT, "path": "announced_by"}
    for paths in (["region_code"], ["effective_date.quarter", "mechanism"], ["create_time.day"]):
        measures = [
            {"kind": COUNT},
            {"kind": SUM, "path": "headcount"},
            {"kind": DISTINCT, "path": "negotiation"},
            {"kind": MIN, "path": "announce_date"},
            {"kind": MAX, "path": "update_time"},
        ]
        columns = aggregate(belarus, "releases", group_paths=paths, measures=measures)
        messages = aggregate(
            belarus, "releases", group_paths=paths, measures=[*measures, from_messages]
        )
        for group in messages.groups:
            del group.certain_values[-1], group.possible_values[-1]
        assert columns == messages


def test_filters(belarus: Client) -> None:
    every = counts(aggregate(belarus, "releases", group_paths=["region_code"]))
    some = aggregate(belarus, "releases", group_paths=["region_code"], filter='region_code = "BY"')
    assert counts(some) == {("BY",): every[("BY",)]}
    # One that the store finds, and one that is looked at record by record.
    assert some.record_count == every[("BY",)][0]
    refuses_fields(
        ["filter", "group_paths[0]"],
        aggregate,
        belarus,
        "releases",
        filter="no_such_field = 1",
        group_paths=["regin_code"],
    )


def test_an_earlier_revision(client: Client) -> None:
    releases = client.of("releases")
    for i in range(3):
        made = client.contract.new("detente.v1.Release", region_code="BY")
        made.headcount.low, made.headcount.high = 2, 5
        releases.create(made, f"r{i}")
    then = client.revision()
    releases.delete("releases/r0")
    changed = client.contract.new("detente.v1.Release", name="releases/r1", region_code="PL")
    releases.update(changed)
    question: dict[str, Any] = {
        "group_paths": ["region_code"],
        "measures": [{"kind": COUNT}, {"kind": SUM, "path": "headcount"}],
    }
    now = aggregate(client, "releases", **question)
    assert counts(now) == {("BY",): (1, 1), ("PL",): (1, 1)}
    past = aggregate(client, "releases", **question, at={"revision": then})
    assert counts(past) == {("BY",): (3, 3)}
    bounds = past.groups[0].certain_values[1].sum
    assert (bounds.low, bounds.HasField("best"), bounds.high) == (6, False, 15)


def test_what_is_wrong_with_a_request(client: Client) -> None:
    refuses_fields(["collection"], aggregate, client, "release")
    refuses_fields(
        ["group_paths[0]", "measures[0].path", "max_groups"],
        aggregate,
        client,
        "releases",
        group_paths=["effective_date"],
        measures=[{"kind": SUM, "path": "note"}],
        max_groups=-1,
    )
    refuses_fields(
        ["first_day", "last_day", "start_path", "end_path"],
        ask,
        client,
        "ComputeStock",
        collection="persons",
    )
    day = {"year": 2000, "month": 1, "day": 1}
    refuses(
        INVALID,
        "LIMIT_EXCEEDED",
        ask,
        client,
        "ComputeStock",
        collection="detentions",
        first_day=day,
        last_day={"year": 2030, "month": 1, "day": 1},
        step=1,
    )


def test_an_answer_has_at_most_four_million_bytes(client: Client) -> None:
    """More than that is an error that says which argument makes it less; it is never cut short."""
    person = client.contract.new("detente.v1.Person", display_name="Test Person 1")
    client.of("persons").create(person, "p1")
    total = 8_000
    for start in range(0, total, 1000):
        client.batch_write(
            *(
                {"create": {"record": wordy(client, i), "record_id": f"wordy-{i}"}}
                for i in range(start, start + 1000)
            )
        )
    question = {"filter": "name:detentions/wordy-*", "group_paths": ["note"]}
    failure = refuses(
        INVALID, "LIMIT_EXCEEDED", aggregate, client, "detentions", **question, max_groups=10_000
    )
    assert failure.fields == ["max_groups"]
    assert "more than 4000000 bytes; ask for fewer groups" in failure.message
    answer = aggregate(client, "detentions", **question, max_groups=6_000)
    assert (len(answer.groups), answer.total_groups) == (6_000, total)
    assert 3_600_000 < answer.ByteSize() < 4_000_000

    days: dict[str, Any] = {"first_day": {"year": 2020, "month": 1, "day": 1}, "step": 4}
    days |= {"collection": "detentions", "last_day": {"year": 2020, "month": 12, "day": 31}}
    days["group_path"] = "note"
    every = question["filter"]
    failure = refuses(INVALID, "LIMIT_EXCEEDED", ask, client, "ComputeStock", filter=every, **days)
    assert failure.fields == ["step"]
    assert "more than 4000000 bytes; take a longer step, or fewer" in failure.message
    fewer = f"{every} AND name < detentions/wordy-6"
    assert 4_000 < len(ask(client, "ComputeStock", filter=fewer, **days).series) < 6_000


def wordy(client: Client, number: int) -> Any:
    made = client.contract.new("detente.v1.Detention", person="persons/p1", region_code="XA")
    made.start_date.edtf = "2020"
    made.note = f"{number} {'word ' * 120}"
    return made
