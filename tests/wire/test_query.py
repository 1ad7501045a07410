"""Filters, orders, totals and pages of List, and ExplainQuery, by a foreign client."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from wire import contract
from wire.calls import INVALID, Client, Code, Collection, fill, refuses, refuses_fields
from wire.process import Server
from wire.records import new_id

MECHANISMS = ["PARDON", "AMNESTY", "PRISONER_SWAP"]
DATES = ["2025-12-13", "2025-12", "2025", "2026-01-05", "2025-11-30/2025-12-02", "2024-07~"]
SOURCE = "sources/about-some"


def explain(client: Client, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.QueryService")
    method = service.methods_by_name["ExplainQuery"]
    return client.call(method, fill(client.contract.new(method.input_type.full_name), arguments))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = Server(tmp_path_factory.mktemp("query") / "store.db")
    with Client(contract.detente(), server.address) as client:
        yield client
    server.close()


@pytest.fixture(scope="module")
def releases(client: Client) -> Collection:
    """120 of them, plainly made up: every third without a date, every tenth deleted."""
    chance = random.Random(5)
    client.of("sources").create(client.of("sources").resource.new(title="t"), "about-some")
    for i in range(3):
        client.of("persons").create(
            client.of("persons").resource.new(display_name=f"Test Person {i}"), f"p{i}"
        )
    collection = client.of("releases")
    for i in range(120):
        record = collection.resource.new(
            display_name=f"Test release {i}",
            region_code=chance.choice(["BY", "LT", "PL"]),
            mechanism=1 + MECHANISMS.index(chance.choice(MECHANISMS)) * 3,
            review_state=chance.choice([1, 3]),
            note=chance.choice(["", "a note", "another note*"]),
        )
        record.mechanism = (
            record.DESCRIPTOR.enum_types_by_name["Mechanism"]
            .values_by_name[chance.choice(MECHANISMS)]
            .number
        )
        if i % 3:
            record.effective_date.edtf = chance.choice(DATES)
        record.headcount.best = chance.randrange(40)
        record.participants.add(id="a", person=f"persons/p{chance.randrange(3)}")
        if i % 4 == 0:
            record.citations.add(id="c", source=SOURCE, quote="Test words")
        collection.create(record, f"r{i:03}")
    for i in range(0, 120, 10):
        collection.delete(f"releases/r{i:03}")
    return collection


def names(records: list[Any]) -> list[str]:
    return [record.name for record in records]


def matching(collection: Collection, matches: Any, **arguments: Any) -> list[str]:
    """What a client finds who reads all of it."""
    return [r.name for r in collection.pages(page_size=1000, **arguments) if matches(r)]


FILTERS = {
    'region_code = "BY"': lambda r: r.region_code == "BY",
    'region_code != "BY"': lambda r: r.region_code != "BY",
    "mechanism = PARDON OR mechanism = AMNESTY": lambda r: r.mechanism in (1, 2),
    "NOT mechanism = PARDON": lambda r: r.mechanism != 1,
    "headcount.best >= 20": lambda r: r.headcount.best >= 20,
    'note = "another*"': lambda r: r.note.startswith("another"),
    'participants.person:"persons/p1"': lambda r: r.participants[0].person == "persons/p1",
    f'cites("{SOURCE}")': lambda r: any(c.source == SOURCE for c in r.citations),
    'refers_to("persons/p2")': lambda r: r.participants[0].person == "persons/p2",
    'region_code = "BY" headcount.best < 10': lambda r: (
        r.region_code == "BY" and r.headcount.best < 10
    ),
    'effective_date = "2025-12"': lambda r: r.effective_date.edtf in ("2025-12-13", "2025-12"),
    'possibly(effective_date, "2025-12-13")': lambda r: (
        r.effective_date.edtf in ("2025-12-13", "2025-12", "2025")
    ),
    'name = "releases/r007"': lambda r: r.name == "releases/r007",
}


@pytest.mark.parametrize("text", FILTERS)
def test_filters(releases: Collection, text: str) -> None:
    expected = matching(releases, FILTERS[text])
    assert 0 < len(expected) < 108
    assert names(releases.pages(filter=text, page_size=7)) == expected
    with_deleted = matching(releases, FILTERS[text], show_deleted=True)
    assert names(releases.pages(filter=text, show_deleted=True)) == with_deleted
    answer = releases.list(filter=text, page_size=1, return_total_size=True)
    assert answer.total_size == len(expected)


def test_total_size(releases: Collection) -> None:
    assert releases.list(page_size=1, return_total_size=True).total_size == 108
    everything = releases.list(page_size=1, return_total_size=True, show_deleted=True)
    assert everything.total_size == 120
    assert releases.list(page_size=1).total_size == 0
    reviewed = releases.list(reviewed_only=True, page_size=1000, return_total_size=True)
    assert reviewed.total_size == len(releases.rows(reviewed)) > 0
    nothing = releases.list(filter='region_code = "XX"', return_total_size=True)
    assert (nothing.total_size, len(releases.rows(nothing)), nothing.next_page_token) == (0, 0, "")
    # Each page says it, and it is that of the revision.
    first = releases.list(page_size=50, return_total_size=True)
    assert first.next_page_token
    second = releases.list(page_size=50, return_total_size=True, page_token=first.next_page_token)
    assert second.total_size == first.total_size


def test_as_a_source_tells_it(releases: Collection) -> None:
    # The filter is of the record as it is kept, whatever the source says.
    cited = matching(releases, lambda r: len(r.citations) == 1)
    answer = releases.list(as_told_by=SOURCE, page_size=1000, return_total_size=True)
    assert (names(releases.rows(answer)), answer.total_size) == (cited, len(cited))
    some = matching(releases, lambda r: len(r.citations) == 1 and r.region_code == "LT")
    assert 0 < len(some) < len(cited)
    answer = releases.list(
        as_told_by=SOURCE, filter='region_code = "LT"', return_total_size=True, page_size=1000
    )
    assert (names(releases.rows(answer)), answer.total_size) == (some, len(some))


def test_reviewed_only_with_a_filter(releases: Collection) -> None:
    expected = matching(releases, lambda r: r.review_state == 3 and r.region_code == "BY")
    assert len(expected) > 0
    arguments = {"filter": 'region_code = "BY"', "reviewed_only": True}
    assert names(releases.pages(page_size=5, **arguments)) == expected


ORDERS = {
    "headcount.best": lambda r: (r.headcount.best, r.name),
    "headcount.best desc": lambda r: (-r.headcount.best, r.name),
    "region_code, headcount.best desc": lambda r: (r.region_code, -r.headcount.best, r.name),
    "note, name": lambda r: (r.note == "", r.note, r.name),
    "create_time": lambda r: (r.create_time.ToMicroseconds(), r.name),
    "update_time desc, region_code": lambda r: (-r.update_time.ToMicroseconds(), r.name),
    "display_name": lambda r: (r.display_name, r.name),
}


@pytest.mark.parametrize("text", ORDERS)
@pytest.mark.parametrize("page_size", [1000, 7])
def test_orders(releases: Collection, text: str, page_size: int) -> None:
    expected = names(sorted(releases.pages(page_size=1000), key=ORDERS[text]))
    assert names(releases.pages(order_by=text, page_size=page_size)) == expected
    some = sorted([r for r in releases.pages(page_size=1000) if r.mechanism == 1], key=ORDERS[text])
    found = releases.pages(order_by=text, filter="mechanism = PARDON", page_size=page_size)
    assert names(found) == names(some)


@pytest.mark.parametrize("direction", ["", " desc"])
def test_what_has_no_date_comes_last(releases: Collection, direction: str) -> None:
    found = releases.pages(order_by=f"effective_date{direction}", page_size=11)
    dated = [r.HasField("effective_date") for r in found]
    assert dated == sorted(dated, reverse=True)
    assert len(found) == 108
    bounds = [
        tuple(
            (d.year, d.month, d.day) for d in (r.effective_date.earliest, r.effective_date.latest)
        )
        for r in found
        if r.HasField("effective_date")
    ]
    assert bounds == sorted(bounds, reverse=bool(direction))
    # Equals by name, in either direction.
    for one, next_one in itertools.pairwise(found):
        if one.effective_date.edtf == next_one.effective_date.edtf:
            assert one.name < next_one.name


@pytest.mark.parametrize("bound", ["earliest", "latest"])
@pytest.mark.parametrize("direction", ["", " desc"])
def test_what_lacks_a_bound_comes_last(client: Client, bound: str, direction: str) -> None:
    measures = client.of("measures")
    if not measures.list().measures:
        for i, edtf in enumerate(["../2025", "2025/..", "2024", "2026-02", "", "2024", "../2023"]):
            record = measures.resource.new(display_name=f"Test measure {i}")
            if edtf:
                record.start_date.edtf = edtf
            else:
                record.start_date.state = 2  # UNKNOWN
            measures.create(record, f"m{i}")
    found = measures.pages(order_by=f"start_date.{bound}{direction}", page_size=2)
    days = [getattr(r.start_date, bound) if r.start_date.HasField(bound) else None for r in found]
    known = [(day.year, day.month, day.day) for day in days if day is not None]
    assert len(known) == (4 if bound == "earliest" else 5)
    assert days[len(known) :] == [None] * (7 - len(known))
    assert known == sorted(known, reverse=bool(direction))
    lacking = [r.name for r in found[len(known) :]]
    assert lacking == sorted(lacking)


def test_pages_hold_still_while_others_write(client: Client) -> None:
    collection = client.of("measures")
    for i in range(40):
        collection.create(collection.resource.new(note=f"{i % 7}"), f"w{i:02}")
    expected = names(collection.pages(order_by="note desc", filter='note != "3"', page_size=1000))
    found: list[str] = []
    token, turn = "", 0
    while True:
        page = collection.list(
            order_by="note desc", filter='note != "3"', page_size=6, page_token=token
        )
        found += names(collection.rows(page))
        token = page.next_page_token
        # Those of pages to come change, those of pages that were come again, and new ones come.
        changed = collection.resource.new(name=f"measures/w{turn * 5 % 40:02}", note=f"{turn % 9}")
        collection.update(changed)
        collection.create(collection.resource.new(note="5"), new_id("new"))
        turn += 1
        if not token:
            break
    assert found == expected


def test_as_of_a_revision(client: Client) -> None:
    collection = client.of("statements")
    record = collection.resource.new(note="before")
    made = collection.create(record, "s1")
    then = client.revision()
    made.note = "after"
    collection.update(made)
    collection.delete("statements/s1")
    at = {"revision": then}
    for text in ('note = "before"', 'note = "bef*"', "NOT note = after", '-note:"after"'):
        assert names(collection.pages(filter=text, at=at)) == ["statements/s1"], text
        assert names(collection.pages(filter=text)) == []
    assert names(collection.pages(filter='note = "after"', at=at)) == []
    assert names(collection.pages(filter='note = "after"', at={"revision": then + 1})) != []
    assert names(collection.pages(filter='note = "after"', show_deleted=True)) != []
    answer = collection.list(filter='note = "before"', at=at, return_total_size=True)
    assert (answer.total_size, answer.revision) == (1, then)


def test_tokens(client: Client, releases: Collection) -> None:
    arguments = {"filter": "headcount.best >= 0", "order_by": "region_code desc"}
    token = releases.list(page_size=5, **arguments).next_page_token
    assert token
    for changed in (
        {"filter": "headcount.best >= 1"},
        {"order_by": "region_code"},
        {"show_deleted": True},
        {"return_total_size": True},
    ):
        refuses(
            INVALID,
            "INVALID_PAGE_TOKEN",
            releases.list,
            page_token=token,
            **(arguments | changed),
        )
    assert len(releases.rows(releases.list(page_token=token, page_size=9, **arguments))) == 9


def test_a_page_after_an_erased_record(client: Client) -> None:
    collection = client.of("organizations")
    for i in range(6):
        collection.create(collection.resource.new(display_name=f"Test {9 - i}"), f"o{i}")
    arguments = {"order_by": "display_name", "page_size": 2}
    page = collection.list(**arguments)
    last = collection.rows(page)[-1].name
    service = client.contract.pool.FindServiceByName("detente.v1.RecordService")
    method = service.methods_by_name["EraseRecords"]
    request = client.contract.new(method.input_type.full_name)
    client.call(method, fill(request, {"names": [last], "reason": "a test"}))
    refuses(
        Code.ABORTED,
        "PAGE_TOKEN_EXPIRED",
        collection.list,
        page_token=page.next_page_token,
        **arguments,
    )


def test_bad_arguments(releases: Collection) -> None:
    for text in ("(", "nothing = 1", "headcount.best = x", "mechanism = PARDONED"):
        refuses_fields(["filter"], releases.list, filter=text)
    refuses(INVALID, "LIMIT_EXCEEDED", releases.list, filter="x" * 9_000)
    # Names have their collection.
    for text in ("name = r007", 'participants.person:"p1"', 'any(citations, (source = "s"))'):
        refuses_fields(["filter"], releases.list, filter=text)
    error = refuses(INVALID, "INVALID_FIELD", releases.list, filter="name = r007")
    assert "did you mean `releases/r007`?" in error.message
    assert len(releases.pages(filter='name = "releases/*"')) == 108
    for text in ("nothing", "participants.person", "headcount.best sideways", "note,"):
        refuses_fields(["order_by"], releases.list, order_by=text)
    # All that is wrong is told.
    refuses_fields(["filter", "order_by"], releases.list, filter="(", order_by="nothing")


def test_explain(client: Client, releases: Collection) -> None:
    plan = explain(client, collection="releases", filter='region_code = "BY"')
    assert list(plan.indexes) == ["region_code"]
    assert len(plan.lowered_conditions) == 1
    assert not plan.residual_conditions
    assert plan.plan_steps
    assert "region_code" in plan.filter
    ordered = explain(client, collection="releases", order_by="effective_date desc")
    assert "effective_date.earliest" in ordered.indexes
    assert ordered.filter == ""
    found = explain(client, collection="releases", filter='participants.person:"persons/p1"')
    assert "lists" in found.indexes
    refuses_fields(["collection"], explain, client, collection="release")
    refuses_fields(["filter"], explain, client, collection="releases", filter="(")
    refuses_fields(["order_by"], explain, client, collection="releases", order_by="nothing")
