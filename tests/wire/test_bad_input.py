"""What callers must not send: code, reason and violations; the server alive, nothing changed."""

import itertools
import random
from collections.abc import Iterator

import grpc
import pytest
from wire.calls import INVALID, Client, Code, failure_of, refuses, refuses_fields
from wire.records import ELEMENT, World, content, new_id

MIB = 1 << 20
MISSING = "no-such-record"


@pytest.fixture(autouse=True)
def nothing_changes(client: Client, world: World) -> Iterator[None]:
    for resource in client.contract.resources:
        world.reference(resource.collection)
    before = client.revision()
    sources = client.of("sources").pages(page_size=1000)
    yield
    assert client.revision() == before
    assert client.of("sources").pages(page_size=1000) == sources


def release(world: World) -> object:
    return world.record(world.contract.resource("releases"))


def refused(client: Client, record: object, fields: list[str]) -> None:
    releases = client.of("releases")
    paths = [f"release.{f}" for f in fields]
    refuses_fields(paths, releases.create, record, new_id())
    operation = {"create": {"record": record}}
    paths = [f"operations[0].create.record.{f}" for f in fields]
    refuses_fields(paths, client.batch_write, operation)


# --- Values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edtf", "state", "field"),
    [
        ("2025-13-01", 0, "edtf"),
        ("2025-02-30", 0, "edtf"),
        ("13.12.2025", 0, "edtf"),
        ("2025-12-13 ", 0, "edtf"),
        ("2025-1", 0, "edtf"),
        ("0000", 0, "edtf"),
        ("2025-12/2025-11", 0, "edtf"),
        ("/", 0, "edtf"),
        ("2025-42", 0, "edtf"),
        ("[2010, 2020]", 0, "edtf"),
        ("-XXXX", 0, "edtf"),
        ("never", 0, "edtf"),
        ("2" * 300, 0, "edtf"),
        ("", 0, "edtf"),
        ("", 1, "edtf"),
        ("2025", 2, "state"),
        ("2025", 4, "state"),
        ("2025", 99, "state"),
    ],
)
def test_dates(client: Client, world: World, edtf: str, state: int, field: str) -> None:
    record = release(world)
    record.announce_date.edtf, record.announce_date.state = edtf, state
    nested = record.participants[0].outcomes[0].date
    nested.edtf, nested.state = edtf, state
    deep = f'participants["{ELEMENT}"].outcomes["{ELEMENT}"].date'
    fields = [f"announce_date.{field}", f"{deep}.{field}"]
    if state == 99:  # no value of the enum, and no state that goes with a text
        fields *= 2
    refused(client, record, fields)


@pytest.mark.parametrize(
    ("low", "best", "high", "fields"),
    [
        (3, 2, None, ["low"]),
        (None, 3, 2, ["high"]),
        (3, None, 2, ["low"]),
        (3, 2, 1, ["low", "high"]),
        (-1, None, None, ["low"]),
        (None, -1, None, ["best"]),
        (-2, -1, None, ["low", "best"]),
    ],
)
def test_estimates(
    client: Client,
    world: World,
    low: int | None,
    best: int | None,
    high: int | None,
    fields: list[str],
) -> None:
    record = release(world)
    for count in (record.headcount, record.group_counts[0].count):
        count.Clear()
        for name, value in (("low", low), ("best", best), ("high", high)):
            if value is not None:
                setattr(count, name, value)
    groups = f'group_counts["{ELEMENT}"].count'
    refused(client, record, [f"{p}.{f}" for p in ("headcount", groups) for f in fields])


def test_codes_urls_and_places(client: Client, world: World) -> None:
    record = release(world)
    record.region_code = "Belarus"
    place = record.transfers[0].origin
    place.region_code, place.subdivision_code = "by", "BY"
    place.location.latitude, place.location.longitude = float("nan"), 181
    record.external_ids[0].url = "javascript:alert(1)"
    external, origin = f'external_ids["{ELEMENT}"]', f'transfers["{ELEMENT}"].origin'
    fields = ["region_code", "subdivision_code", "location.latitude", "location.longitude"]
    refused(client, record, ["region_code", f"{external}.url", *(f"{origin}.{f}" for f in fields)])


def test_paths_in_citations_and_restrictions(client: Client, world: World) -> None:
    record = release(world)
    bad = ["nothing", "participants.person", "participants[0].person", "note.x", ""]
    record.citations[0].fields[:] = bad[:4]
    record.restricted_fields[:] = bad
    record.citations[0].asserted_value = ""
    citation = f'citations["{ELEMENT}"]'
    fields = [f"restricted_fields[{i}]" for i in (0, 1, 2, 3, 4, 4)]  # empty: also no path
    refused(client, record, [*(f"{citation}.fields[{i}]" for i in range(4)), *fields])


def test_ids_of_elements(client: Client, world: World) -> None:
    record = release(world)
    record.citations.add(source=record.citations[0].source, id=ELEMENT)
    record.citations.add(source=record.citations[0].source, id="Not an id")
    record.participants[0].outcomes.add(id=ELEMENT, kind=1)
    outcomes = f'participants["{ELEMENT}"].outcomes'
    refused(client, record, ["citations[1].id", "citations[2].id", f"{outcomes}[1].id"])


def test_enums_without_such_a_number(client: Client, world: World) -> None:
    record = release(world)
    record.review_state, record.mechanism = 99, -1
    record.participants[0].clemency_request = 2**31 - 1
    record.citations[0].stance = 4
    fields = [f'participants["{ELEMENT}"].clemency_request', f'citations["{ELEMENT}"].stance']
    refused(client, record, ["review_state", "mechanism", *fields])


def test_elements_that_the_referred_record_lacks(client: Client, world: World) -> None:
    negotiations, commitments = client.of("negotiations"), client.of("commitments")
    record = world.record(negotiations.resource)
    record.rounds[0].party_ids[:] = ["none"]
    record.terms[0].obligor_party_id = "none"
    failure = refuses(
        Code.FAILED_PRECONDITION, "REFERENCE_NOT_FOUND", negotiations.create, record, new_id()
    )
    assert sorted(failure.subjects) == [
        f'negotiation.rounds["{ELEMENT}"].party_ids',
        f'negotiation.terms["{ELEMENT}"].obligor_party_id',
    ]
    record = world.record(commitments.resource)
    record.term_id = "none"
    for negotiation in (record.negotiation, ""):
        record.negotiation = negotiation
        failure = refuses(
            Code.FAILED_PRECONDITION, "REFERENCE_NOT_FOUND", commitments.create, record, new_id()
        )
        assert failure.subjects == ["commitment.term_id"]


def test_all_that_is_wrong_is_reported_but_not_without_end(client: Client, world: World) -> None:
    record = release(world)
    record.restricted_fields[:] = ["nothing"] * 500
    failure = refuses(INVALID, "INVALID_FIELD", client.of("releases").create, record, new_id())
    # As many as fit into the headers that every client takes.
    assert 20 < len(failure.fields) <= 100


# --- Limits -------------------------------------------------------------------------------------


def too_large(client: Client, record: object, fields: list[str]) -> None:
    of = client.of({"Release": "releases", "Source": "sources"}[record.DESCRIPTOR.name])
    failure = refuses(INVALID, "LIMIT_EXCEEDED", of.create, record, new_id())
    assert failure.fields == [f"{of.resource.singular}.{f}" if f else f for f in fields]


def accepted(client: Client, record: object) -> None:
    of = client.of({"Release": "releases", "Source": "sources"}[record.DESCRIPTOR.name])
    would = of.create(record, new_id(), validate_only=True)
    assert content(would, client.contract) == record


def test_texts_of_64_kib(client: Client, world: World) -> None:
    record = release(world)
    record.note = "n" * (64 << 10)
    accepted(client, record)
    record.note += "n"
    record.citations[0].quote = "ä" * (33 << 10)
    record.stated_reasons[:] = ["ok", "s" * (65 << 10)]
    citation = f'citations["{ELEMENT}"]'
    too_large(client, record, [f"{citation}.quote", "note", "stated_reasons[1]"])


def test_source_text_of_512_kib(client: Client, world: World) -> None:
    record = world.record(world.contract.resource("sources"))
    record.text = "t" * (512 << 10)
    accepted(client, record)
    record.text += "t"
    too_large(client, record, ["text"])


def test_records_of_1_mib(client: Client, world: World) -> None:
    record = release(world)
    record.stated_reasons[:] = ["s" * (60 << 10)] * 17
    accepted(client, record)
    record.stated_reasons.append("s" * (60 << 10))
    releases = client.of("releases")
    failure = refuses(INVALID, "LIMIT_EXCEEDED", releases.create, record, new_id())
    assert failure.fields == ["release"]
    # A record that grows by a mask.
    name = world.reference("releases")
    change = type(record)(name=name, stated_reasons=record.stated_reasons)
    failure = refuses(INVALID, "LIMIT_EXCEEDED", releases.update, change)
    assert failure.fields == ["release"]


def test_lists_of_10000(client: Client, world: World) -> None:
    record = release(world)
    record.stated_reasons[:] = ["s"] * 10_000
    accepted(client, record)
    record.stated_reasons.append("s")
    too_large(client, record, ["stated_reasons"])


def test_requests_of_4_mib(client: Client) -> None:
    limit = 4 * MIB
    methods_of_one = [*client.of("persons").resource.service.methods, client.batch_write_method]
    for method in methods_of_one:
        # All of it a field that no request has.
        fitting = UNKNOWN + varint(limit - 6) + b"x" * (limit - 6)
        assert len(fitting) == limit
        assert send(client, method, fitting)[1] != "LIMIT_EXCEEDED"
        assert send(client, method, fitting + b"x") == (INVALID, "LIMIT_EXCEEDED")
    # Far above it, gRPC refuses the message before our code sees it.
    with pytest.raises(grpc.RpcError) as raised:
        client.raw(client.batch_write_method)(b"x" * (6 * MIB))
    assert raised.value.code() == Code.RESOURCE_EXHAUSTED


def test_batches_of_1000(client: Client, world: World) -> None:
    record = world.least(client.contract.resource("sources"))
    operations = [{"create": {"record": record, "record_id": f"batch-{i}"}} for i in range(1001)]
    failure = refuses(INVALID, "LIMIT_EXCEEDED", client.batch_write, *operations)
    assert failure.fields == ["operations"]
    answer = client.batch_write(*operations[:1000], validate_only=True)
    assert len(answer.results) == 1000


def test_masks_of_200_paths(client: Client, world: World) -> None:
    sources, name = client.of("sources"), world.reference("sources")
    assert sources.get(name, read_mask=["name"] * 200).name == name
    refuses_fields(["read_mask"], sources.get, name, read_mask=["name"] * 201)


# --- Bytes --------------------------------------------------------------------------------------


UNKNOWN = b"\x9a\x71"  # the tag of a field 1811 with a length


def methods(client: Client) -> list:
    """Those of one request; WriteRows takes a stream (test_write_rows.py)."""
    every = (m for s in client.contract.services for m in s.methods)
    return [m for m in every if not m.client_streaming]


def send(client: Client, method: object, data: bytes) -> tuple[Code, str]:
    try:
        client.raw(method)(data, timeout=30)
    except grpc.RpcError as error:
        failure = failure_of(error)
        return failure.code, failure.reason
    return Code.OK, ""


def varint(value: int) -> bytes:
    out = []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_invalid_utf_8(client: Client) -> None:
    """In the first text of the request, or in the record's note."""
    bad = b"\xff\xfe"
    for method in methods(client):
        strings = [f.number for f in method.input_type.fields if f.type == f.TYPE_STRING]
        data = varint(strings[0] << 3 | 2) + varint(len(bad)) + bad
        assert send(client, method, data) == (INVALID, "MALFORMED_REQUEST"), method.full_name
        record = method.input_type.fields[0]
        if record.message_type is not None and "note" in record.message_type.fields_by_name:
            inner = varint(15 << 3 | 2) + varint(len(bad)) + bad
            data = varint(record.number << 3 | 2) + varint(len(inner)) + inner
            assert send(client, method, data) == (INVALID, "MALFORMED_REQUEST"), method.full_name


def test_nesting_10000_deep(client: Client) -> None:
    depth = 10_000
    groups = b"\x9b\x71" * depth + b"\x9c\x71" * depth  # field 1811 as groups
    messages = b""
    for _ in range(depth):
        messages = UNKNOWN + varint(len(messages)) + messages
    for method in methods(client):
        assert send(client, method, groups) == (INVALID, "MALFORMED_REQUEST"), method.full_name
        # As messages they are a field that nobody knows, and no nesting.
        code, reason = send(client, method, messages)
        write = method.name != "CreateReadSession" and method.name.startswith(
            ("Create", "Update", "Delete", "Undelete", "Rollback", "BatchWrite", "Erase")
        )
        assert not write or (code, reason) == (INVALID, "UNKNOWN_FIELD"), method.full_name
    # In a record inside of an Any, and in a text that holds JSON.
    request = client.contract.new("detente.v1.BatchWriteRequest")
    record = request.operations.add().create.record
    record.type_url, record.value = "type.googleapis.com/detente.v1.Person", groups
    data = request.SerializeToString()
    assert send(client, client.batch_write_method, data) == (INVALID, "MALFORMED_REQUEST")
    record.value = messages
    data = request.SerializeToString()
    assert send(client, client.batch_write_method, data) == (INVALID, "UNKNOWN_FIELD")


def samples(client: Client, world: World) -> list[tuple[object, bytes]]:
    """A valid request of every method, that would fail only for its names."""
    found = []
    for resource in client.contract.resources:
        records = client.of(resource.collection)
        name = f"{resource.collection}/{MISSING}"
        record = world.record(resource)
        named = type(record)()
        named.CopyFrom(record)
        named.name = name
        singular = resource.singular
        write = {"request_id": "sample", "reason": "none"}
        given = {
            "get": {"name": name, "read_mask": ["note"]},
            "list": {"page_size": 1, "read_mask": ["name", 'citations["e1"].source']},
            "create": {singular: record, f"{singular}_id": "sample", **write},
            "update": {singular: named, "update_mask": ["note", "citations[*].quote"], **write},
            "delete": {"name": name, "etag": '"x"', **write},
            "undelete": {"name": name, "etag": '"x"', **write},
            "batch_get": {"names": [name, name], "at": {"revision": 1}},
            "list_revisions": {"name": name, "page_size": 3},
        }
        for verb, arguments in given.items():
            request = records.request(verb, **arguments)
            found.append((records.method(verb), request.SerializeToString()))
    request = client.contract.new("detente.v1.BatchWriteRequest")
    request.operations.add().create.record.Pack(release(world))
    found.append((client.batch_write_method, request.SerializeToString()))
    return found


# What garbage may be answered with. A request that garbage spares may be a valid one.
ANSWERS = {
    (Code.OK, ""),
    (INVALID, "MALFORMED_REQUEST"),
    (INVALID, "INVALID_FIELD"),
    (INVALID, "UNKNOWN_FIELD"),
    (INVALID, "LIMIT_EXCEEDED"),
    (INVALID, "INVALID_PAGE_TOKEN"),
    (INVALID, "REVISION_OUT_OF_RANGE"),
    (Code.NOT_FOUND, "RECORD_NOT_FOUND"),
    (Code.ALREADY_EXISTS, "RECORD_EXISTS"),
    (Code.ABORTED, "ETAG_MISMATCH"),
    (Code.FAILED_PRECONDITION, "REFERENCE_NOT_FOUND"),
    (Code.UNIMPLEMENTED, "METHOD_NOT_IMPLEMENTED"),
}


def test_garbage(client: Client) -> None:
    chance = random.Random(1)
    for method, _ in itertools.product(methods(client), range(20)):
        data = chance.randbytes(chance.choice((1, 2, 3, 8, 40, 300)))
        assert send(client, method, data) in ANSWERS, (method.full_name, data)


def test_requests_cut_off(client: Client, world: World) -> None:
    """Everywhere in short ones, somewhere in long ones. Whole, they are answered well."""
    chance = random.Random(2)
    for method, data in samples(client, world):
        whole = send(client, method, without_effect(method, data))
        assert whole in {(Code.OK, ""), (Code.NOT_FOUND, "RECORD_NOT_FOUND")}, method.full_name
        for size in chance.sample(range(len(data)), min(len(data), 25)):
            answer = send(client, method, without_effect(method, data[:size]))
            assert answer in ANSWERS, (method.full_name, size)


def test_requests_with_flipped_bits(client: Client, world: World) -> None:
    chance = random.Random(3)
    for method, data in samples(client, world):
        for _ in range(25):
            spoiled = bytearray(data)
            for _ in range(chance.choice((1, 1, 2, 10))):
                spoiled[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            answer = send(client, method, without_effect(method, bytes(spoiled)))
            assert answer in ANSWERS, (method.full_name, bytes(spoiled))


def without_effect(method: object, data: bytes) -> bytes:
    """The request with validate_only around it: a cut or a flip may swallow the one behind."""
    field = method.input_type.fields_by_name.get("validate_only")
    only = b"" if field is None else varint(field.number << 3) + b"\x01"
    return only + data + only
