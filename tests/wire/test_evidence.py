"""Evidence, conflicts, and records as a source has them: every resource, and the founding case."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import detente
import pytest
from detente import loading
from wire import contract
from wire.calls import INVALID, Client, Code, Collection, refuses, refuses_fields
from wire.conftest import running
from wire.contract import is_map, repeated
from wire.process import Server
from wire.records import World, content, new_id

SAMPLES = pathlib.Path(__file__).parents[2] / "samples" / "belarus-2025"
MOST_RELIABLE, LATEST, MAJORITY = 1, 2, 3
SUPPORTS, CONTRADICTS, MENTIONS = 1, 2, 3
FIRST_OWN = 20


def record_call(client: Client, method: str, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.RecordService")
    descriptor = service.methods_by_name[method]
    request = client.contract.new(descriptor.input_type.full_name, **arguments)
    return client.call(descriptor, request)


def evidence(client: Client, name: str, *fields: str, **arguments: Any) -> Any:
    return record_call(client, "GetEvidence", name=name, fields=fields, **arguments)


def all_conflicts(client: Client, **arguments: Any) -> list[Any]:
    found: list[Any] = []
    token = ""
    while True:
        page = record_call(client, "ListConflicts", page_token=token, **arguments)
        found += page.conflicts
        token = page.next_page_token
        if not token:
            return found
        assert page.conflicts


def asserted_value(field: Any) -> str | None:
    """What a source may say of the field, other than what World fills in; None = leave it out."""
    if is_map(field):
        return '{"other":"value"}'
    if repeated(field):
        return "null"
    if field.enum_type is not None:
        return json.dumps(field.enum_type.values[-1].name)
    if field.type == field.TYPE_STRING and field.GetOptions().ByteSize() == 0:
        return '"LV"' if field.name.endswith("region_code") else None
    return {
        "UncertainDate": '{"edtf":"1999"}',
        "Estimate": '{"best":"77"}',
    }.get(field.message_type.name if field.message_type else "")


# Servers of this file's own: its sources are cited, and other files delete what they find.


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    yield from running(tmp_path_factory)


@pytest.fixture(scope="session")
def world(worlds: dict[str, World]) -> World:
    return worlds["detente-server"]


@pytest.fixture(scope="session")
def client(world: World) -> Client:
    return world.client


# --- every resource -----------------------------------------------------------------------------


def test_every_field_can_be_asserted_and_told(its_world: World, records: Collection) -> None:
    source = its_world.client.of("sources").create(
        its_world.contract.resource("sources").new(title="A source"), new_id("teller")
    )
    record = its_world.record(records.resource)
    del record.citations[:]
    fields = {}
    for field in records.resource.new().DESCRIPTOR.fields:
        value = asserted_value(field)
        if field.number < FIRST_OWN or "OUTPUT_ONLY" in its_world.contract.behavior(field):
            continue
        if field.containing_oneof is None and value is not None:
            fields[field.name] = value
            record.citations.add(
                source=source.name, fields=[field.name], stance=CONTRADICTS, asserted_value=value
            )
    assert fields
    name = records.create(record, new_id()).name
    found = evidence(its_world.client, name)
    assert found.name == name
    assert [f.path for f in found.fields] == list(fields)
    for field in found.fields:
        assert len(field.contradictions) == 1, field
        assert field.contradictions[0].source_title == "A source"
        assert len(field.decisions) == 3
        assert {d.value or "null" for d in field.decisions} == {field.alternatives[0].value}
    told = evidence(its_world.client, name, at={"revision": found.revision})
    assert told == found

    for arguments in ({"as_told_by": source.name}, {"value_policy": MAJORITY}):
        [told] = getattr(records.batch_get(name, **arguments), records.resource.collection)
        assert told == records.get(name, **arguments)
        assert told.name == name
        assert told.etag == records.get(name).etag
        descriptor = told.DESCRIPTOR
        for path, value in fields.items():
            set_fields = [f.name for f, _ in told.ListFields()]
            if value == "null":
                assert path not in set_fields
            elif descriptor.fields_by_name[path].enum_type is not None:
                assert (
                    getattr(told, path)
                    == descriptor.fields_by_name[path].enum_type.values[-1].number
                )
    conflicts = all_conflicts(its_world.client, collections=[records.resource.collection])
    assert [c.evidence.path for c in conflicts if c.name == name] == list(fields)


def test_a_source_that_supports_everything_has_the_record(
    its_world: World, records: Collection
) -> None:
    record = its_world.record(records.resource)
    record.citations[0].asserted_value = ""
    del record.citations[0].fields[:]
    other = its_world.client.of("sources").create(
        its_world.contract.resource("sources").new(title="Other"), new_id("other")
    )
    record.citations.add(source=other.name, fields=["display_name"])
    created = records.create(record, new_id())
    told = records.get(created.name, as_told_by=record.citations[0].source)
    expected = type(created)()
    expected.CopyFrom(created)
    del expected.citations[1:]
    assert content(told, its_world.contract) == content(expected, its_world.contract)
    # The other speaks of its name alone; a third of nothing.
    bare = records.get(created.name, as_told_by=other.name)
    assert {f.number for f, _ in bare.ListFields()} <= {*range(1, 9), 12}
    third = its_world.client.of("sources").create(
        its_world.contract.resource("sources").new(), new_id("third")
    )
    assert not records.get(created.name, as_told_by=third.name).citations
    assert records.get(created.name, as_told_by=third.name).name == created.name
    assert not records.pages(as_told_by=third.name)
    assert [r.name for r in records.pages(as_told_by=other.name)] == [created.name]
    # It is told, although nothing is left of it by the mask.
    told = records.call("list", as_told_by=other.name, read_mask=["delete_time"])
    assert [r.ByteSize() for r in records.rows(told)] == [0]


def test_reviewed_only(its_world: World, records: Collection) -> None:
    names = []
    for state in (1, 3, 4, 3):
        record = its_world.record(records.resource)
        record.review_state = state
        name = records.create(record, new_id("rev")).name
        if state == 3:
            names.append(name)
    found = [r.name for r in records.pages(reviewed_only=True, page_size=1)]
    assert sorted(name for name in found if "/rev-" in name) == sorted(names)
    assert all(r.review_state == 3 for r in records.pages(reviewed_only=True))


# --- bad input ----------------------------------------------------------------------------------


def test_names_and_paths_that_do_not_exist(client: Client, world: World) -> None:
    name = (
        client.of("releases")
        .create(world.record(client.contract.resource("releases")), new_id())
        .name
    )

    def refused(where: list[str], what: str, **arguments: Any) -> None:
        failure = refuses_fields(where, record_call, client, "GetEvidence", **arguments)
        assert what in failure.message, failure

    refused(["name"], "did you mean `releases`", name="release/x")
    refused(["name"], "no collection", name="nothing/x")
    refused(["name"], "a name expected", name="releases/Not An Id")
    refused(["name"], "is required", name="")
    refused(["name"], "", name="x" * 100_000)
    refused(["fields[1]"], "did you mean `headcount`", name=name, fields=["note", "headcont"])
    refused(["fields[0]"], "not by index", name=name, fields=["participants[0]"])
    refused(["fields[0]"], "", name=name, fields=[""])
    refuses(INVALID, "LIMIT_EXCEEDED", evidence, client, name, *["note"] * 201)
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", evidence, client, "releases/none")
    refuses(INVALID, "REVISION_OUT_OF_RANGE", evidence, client, name, at={"revision": 1_000_000})
    assert not evidence(client, name, 'participants["none"].person').fields[0].value


def test_conflicts_of_what_does_not_exist(client: Client) -> None:
    def refused(where: list[str], **arguments: Any) -> None:
        refuses_fields(where, record_call, client, "ListConflicts", **arguments)

    refused(["collections[0]", "collections[2]"], collections=["release", "persons", ""])
    refused(["fields"], fields=["headcount"])
    refused(["fields"], fields=["headcount"], collections=["releases", "persons"])
    refused(["fields[0]"], fields=["birth_date"], collections=["releases"])
    refused(["page_size"], page_size=-1)
    refuses(INVALID, "INVALID_PAGE_TOKEN", record_call, client, "ListConflicts", page_token="x")


def test_tellers_that_do_not_exist(of_resource: tuple, records: Collection) -> None:
    world, _ = of_resource
    name = records.create(world.record(records.resource), new_id()).name
    for method, arguments in (
        (records.get, {"name": name}),
        (records.list, {}),
        (lambda **given: records.batch_get(name, **given), {}),
    ):
        for source in ("sources/none", "persons/x", "sources", "x" * 10_000):
            refuses_fields(["as_told_by"], method, as_told_by=source, **arguments)
        refuses_fields(["value_policy"], method, value_policy=99, **arguments)
        refuses_fields(
            ["value_policy"], method, value_policy=1, as_told_by="sources/none", **arguments
        )


def test_a_source_is_the_one_of_that_state(client: Client, world: World) -> None:
    releases, sources = client.of("releases"), client.of("sources")
    name = releases.create(world.record(releases.resource), new_id()).name
    before = client.revision()
    source = sources.create(sources.resource.new(title="Old title"), new_id())
    release = releases.get(name)
    release.citations.add(source=source.name, fields=["headcount"])
    releases.update(release)
    between = client.revision()
    source.title = "New title"
    sources.update(source)

    def title(**arguments: Any) -> str:
        return str(
            evidence(client, name, "headcount", **arguments).fields[0].supports[-1].source_title
        )

    assert title() == "New title"
    assert title(at={"revision": between}) == "Old title"
    refuses_fields(
        ["as_told_by"], releases.get, name, as_told_by=source.name, at={"revision": before}
    )
    # A deleted source still says what it said.
    sources.delete(source.name, force=True)
    assert title() == "New title"
    assert releases.get(name, as_told_by=source.name).headcount == release.headcount


# --- pages of conflicts -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def belarus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The founding case."""
    with Server(tmp_path_factory.mktemp("belarus") / "s.db") as server:
        with detente.connect(server.address) as db:
            loading.load(db, [SAMPLES])
        with Client(contract.detente(), server.address) as client:
            yield client


def test_pages_split_records_between_fields(belarus: Client) -> None:
    expected = all_conflicts(belarus)
    keys = [(c.name, c.evidence.path) for c in expected]
    assert len(set(keys)) == len(keys)
    assert len({c.name for c in expected}) < len(expected)  # some have several
    assert [k[0] for k in keys] == sorted(k[0] for k in keys)
    for size in (1, 2, 3, 7):
        assert all_conflicts(belarus, page_size=size) == expected
    # Each is what GetEvidence says of it.
    for conflict in expected:
        assert conflict.evidence == next(
            f
            for f in evidence(belarus, conflict.name, conflict.evidence.path).fields
            if f.path == conflict.evidence.path
        )
        assert any(w.citation.rank != 3 for w in conflict.evidence.contradictions)


def test_conflicts_of_some_fields(belarus: Client) -> None:
    found = all_conflicts(belarus, collections=["releases"], fields=["group_counts[*].count"])
    assert found
    assert all(c.evidence.path.startswith("group_counts[") for c in found)
    named = 'group_counts["belarusians-to-ua"]'
    [one] = all_conflicts(belarus, collections=["releases"], fields=[named])
    assert one.evidence.path == named + ".count"
    first = record_call(belarus, "ListConflicts", page_size=1)
    refuses(
        INVALID,
        "INVALID_PAGE_TOKEN",
        record_call,
        belarus,
        "ListConflicts",
        page_token=first.next_page_token,
        collections=["releases"],
    )


# --- the founding case --------------------------------------------------------------------------


def test_belarusians_taken_to_ukraine(belarus: Client) -> None:
    path = 'group_counts["belarusians-to-ua"].count'
    conflict = next(
        c for c in all_conflicts(belarus, collections=["releases"]) if c.evidence.path == path
    )
    assert conflict.name == "releases/by-2025-12-13"
    assert json.loads(conflict.evidence.value)["best"] == "109"
    [alternative] = conflict.evidence.alternatives
    assert json.loads(alternative.value)["best"] == "104"
    assert {w.citation.source for w in conflict.evidence.contradictions} == {"sources/s13"}
    assert {"sources/s14", "sources/s18"} <= {w.citation.source for w in conflict.evidence.supports}
    [_, _, majority] = conflict.evidence.decisions
    assert majority.value == conflict.evidence.value
    assert majority.reason.endswith("sources over 1")
    releases = belarus.of("releases")
    told = releases.get(conflict.name, as_told_by="sources/s13")
    group = next(g for g in told.group_counts if g.id == "belarusians-to-ua")
    assert group.count.best == 104
    assert {c.source for c in told.citations} == {"sources/s13"}


def test_the_title_of_a_party(belarus: Client) -> None:
    [conflict] = all_conflicts(
        belarus, collections=["negotiations"], fields=['parties["trump"].title']
    )
    [alternative] = conflict.evidence.alternatives
    assert alternative.value == '"former President of the United States"'
    assert len(alternative.citation_ids) == 2
    assert conflict.display_name


def test_deprecated_citations_make_no_conflict(belarus: Client) -> None:
    paths = {c.evidence.path for c in all_conflicts(belarus, collections=["releases"])}
    kind = 'participants["stefanovic"].outcomes["error"].kind'
    assert kind not in paths
    [field] = evidence(belarus, "releases/by-2025-12-13", kind).fields
    assert len(field.contradictions) >= 5
    assert not field.decisions


def test_who_says_that_one_was_for_the_other(belarus: Client) -> None:
    """Link claims stand in the record side by side; each is borne out by what it is cited with."""
    found = {}
    for exchange in belarus.of("exchanges").pages():
        for claim in exchange.link_claims:
            [*fields] = evidence(belarus, exchange.name, f'link_claims["{claim.id}"]').fields
            supports = {w.citation.source for f in fields for w in f.supports}
            assert supports, (exchange.name, claim.id)
            found.setdefault(exchange.name, set()).add(claim.claim)
    assert any(len(claims) > 1 for claims in found.values())  # LINKED beside DENIED or UNCLEAR


def test_days_counted_by_a_source(belarus: Client) -> None:
    [conflict] = all_conflicts(belarus, collections=["detentions"], fields=["days_held"])
    assert json.loads(conflict.evidence.value)["best"] == "1923"
    told = belarus.of("detentions").get(conflict.name, as_told_by="sources/s24")
    assert told.days_held.best == 1808


def test_every_record_can_be_told_by_every_source_it_cites(belarus: Client) -> None:
    for collection in ("releases", "negotiations", "detentions", "measures"):
        records = belarus.of(collection)
        for record in records.pages():
            for source in {c.source for c in record.citations}:
                told = records.get(record.name, as_told_by=source)
                own = [c for c in record.citations if c.source == source]
                assert list(told.citations) == own
            for policy in (MOST_RELIABLE, LATEST, MAJORITY):
                decided = records.get(record.name, value_policy=policy)
                assert list(decided.citations) == list(record.citations)
