"""The standard methods, over the wire, for every resource: by descriptor, no resource is named."""

import itertools
import re
import threading
import time

from google.protobuf import message_factory
from wire.calls import INVALID, Code, Collection, refuses, refuses_fields
from wire.contract import is_map, repeated
from wire.records import ELEMENT, World, content, new_id, newer

MISSING = "no-such-record"


def make(records: Collection, world: World, record_id: str = "", full: bool = False) -> object:
    """A new record in the store."""
    fill = world.record if full else world.least
    return records.create(fill(records.resource), record_id or new_id())


def own_list(records: Collection) -> str:
    """A list of messages of the resource's own, or the citations where it has none."""
    lists = [
        f.name
        for f in records.resource.descriptor.fields
        if repeated(f) and f.message_type and not is_map(f) and f.number >= 20
    ]
    return (lists or ["citations"])[0]


# --- Create -------------------------------------------------------------------------------------


def test_create_keeps_every_field(records: Collection, its_world: World) -> None:
    before = its_world.client.revision()
    sent = its_world.record(records.resource)
    before = its_world.client.revision()
    made = records.create(sent, new_id())
    assert content(made, its_world.contract) == sent
    assert re.fullmatch(f"{records.resource.collection}/r-[0-9]+", made.name)
    assert made.revision == before + 1
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made.uid)
    assert re.fullmatch(r'"[^"]+"', made.etag)
    assert made.create_time == made.update_time
    assert abs(made.create_time.seconds - time.time()) < 60
    assert made.create_time.nanos % 1000 == 0
    assert not made.HasField("delete_time")
    assert records.get(made.name) == made


def test_create_answers_with_what_the_server_computes(
    records: Collection, its_world: World
) -> None:
    made = make(records, its_world, full=True)
    assert made.review_state == 1
    citation = made.citations[0].assert_date
    assert (citation.earliest.year, citation.earliest.month, citation.earliest.day) == (
        2025,
        12,
        13,
    )
    assert citation.latest == citation.earliest
    assert citation.precision == 1


def test_create_fills_in_defaults_and_element_ids(records: Collection, its_world: World) -> None:
    sent = its_world.record(records.resource)
    sent.ClearField("review_state")
    sent.ClearField("visibility")
    sent.external_ids[0].ClearField("id")
    sent.external_ids.add(authority="ofac", value="1")
    made = records.create(sent, new_id())
    assert (made.review_state, made.visibility) == (1, 1)
    ids = [e.id for e in made.external_ids]
    assert all(re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", i) for i in ids)
    assert len(set(ids)) == 2


def test_create_takes_the_id_of_request_or_name_or_makes_one(
    records: Collection, its_world: World
) -> None:
    collection = records.resource.collection
    sent = its_world.least(records.resource)
    made = records.create(sent)
    assert re.fullmatch(collection + "/[0-9a-f-]{14}7[0-9a-f-]{21}", made.name)

    record_id = new_id()
    sent.name = f"{collection}/{record_id}"
    assert records.create(sent).name == sent.name
    sent.name = f"{collection}/{new_id()}"
    agreed = records.create(sent, sent.name.split("/")[1])
    assert agreed.name == sent.name


def test_create_refuses_ids_that_disagree_or_are_none(
    records: Collection, its_world: World
) -> None:
    singular = records.resource.singular
    sent = its_world.least(records.resource)
    sent.name = f"{records.resource.collection}/{new_id()}"
    refuses_fields([f"{singular}.name"], records.create, sent, new_id())
    sent.name = "snapshots/x"
    refuses_fields([f"{singular}.name"], records.create, sent)
    sent.name = ""
    for bad in ("-a", "a-", "A", "a_b", "a/b", "ä", "a" * 64, "a b", "a@1"):
        refuses_fields([f"{singular}_id"], records.create, sent, bad)
    assert records.create(sent, new_id("x" * 55)).name


def test_create_refuses_an_id_that_was_used(records: Collection, its_world: World) -> None:
    made = make(records, its_world)
    sent = its_world.least(records.resource)
    record_id = made.name.split("/")[1]
    failure = refuses(Code.ALREADY_EXISTS, "RECORD_EXISTS", records.create, sent, record_id)
    assert failure.metadata == {"name": made.name, "state": "live"}
    records.delete(made.name)
    failure = refuses(Code.ALREADY_EXISTS, "RECORD_EXISTS", records.create, sent, record_id)
    assert failure.metadata == {"name": made.name, "state": "deleted"}


def test_create_needs_a_record(records: Collection) -> None:
    refuses_fields([records.resource.singular], records.call, "create")
    refuses_fields([records.resource.singular], records.call, "update")


def test_create_asks_for_every_required_field(records: Collection, its_world: World) -> None:
    contract, resource = its_world.contract, records.resource
    record = its_world.record(resource)
    expected = []
    for field in resource.descriptor.fields:
        if "REQUIRED" in contract.behavior(field):
            record.ClearField(field.name)
            expected.append(f"{resource.singular}.{field.name}")
        elif field.message_type is not None and not is_map(field) and field.number > 7:
            if "OUTPUT_ONLY" in contract.behavior(field):
                continue
            child = getattr(record, field.name)
            for message in child if repeated(field) else [child]:
                place = f'["{ELEMENT}"]' if repeated(field) else ""
                for inner in field.message_type.fields:
                    if "REQUIRED" in contract.behavior(inner):
                        message.ClearField(inner.name)
                        path = f"{resource.singular}.{field.name}{place}.{inner.name}"
                        expected.append(path)
    assert len(expected) >= 3  # citations.source, external_ids.authority and .value
    refuses_fields(expected, records.create, record, new_id())


# --- Get ----------------------------------------------------------------------------------------


def test_get_at_a_revision(records: Collection, its_world: World) -> None:
    first = make(records, its_world)
    first_copy = records.get(first.name)
    changed = type(first)(name=first.name, note="changed")
    second = records.update(changed)
    assert second.revision > first.revision
    third = records.delete(first.name)
    assert records.get(first.name, at={"revision": first.revision}) == first == first_copy
    assert records.get(first.name, at={"revision": second.revision - 1}) == first
    assert records.get(first.name, at={"revision": second.revision}) == second
    assert records.get(first.name, at={"revision": third.revision}) == third
    assert records.get(first.name) == third
    assert third.HasField("delete_time")
    not_yet = {"revision": first.revision - 1}
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.get, first.name, at=not_yet)


def test_get_refuses_revisions_that_are_none(records: Collection, its_world: World) -> None:
    made = make(records, its_world)
    newest = its_world.client.revision()
    for revision in (-1, 0, newest + 1, 2**62):
        at = {"revision": revision}
        failure = refuses(INVALID, "REVISION_OUT_OF_RANGE", records.get, made.name, at=at)
        assert failure.metadata == {"revision": str(revision), "newest_revision": str(newest)}


def test_get_reads_what_the_mask_names(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    got = records.get(made.name, read_mask=["name", "note"])
    assert got == type(made)(name=made.name, note=made.note)
    assert records.get(made.name, read_mask=["*"]) == made
    assert records.get(made.name, read_mask=["citations"]).citations == made.citations

    element = f'citations["{ELEMENT}"]'
    expected = records.resource.new()
    expected.citations.add(source=made.citations[0].source)
    assert records.get(made.name, read_mask=[f"{element}.source"]) == expected
    assert records.get(made.name, read_mask=["citations[*].source"]) == expected
    assert records.get(made.name, read_mask=['citations["none"].source']) == records.resource.new()
    expected.citations[0].assert_date.edtf = made.citations[0].assert_date.edtf
    masks = [f"{element}.source", "citations[*].assert_date.edtf"]
    assert records.get(made.name, read_mask=masks) == expected
    assert dict(records.get(made.name, read_mask=['labels["key"]']).labels) == {"key": "value"}


def test_every_path_of_a_record_can_be_read_alone(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    for field in records.resource.descriptor.fields:
        got = records.get(made.name, read_mask=[field.name])
        expected = type(made)()
        expected.MergeFrom(made)
        for other in records.resource.descriptor.fields:
            if other is not field:
                expected.ClearField(other.name)
        assert got == expected


def test_an_empty_mask_is_none(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    assert records.get(made.name, read_mask=[]) == made
    assert list(records.rows(records.batch_get(made.name, read_mask=[]))) == [made]
    updated = records.update(type(made)(name=made.name, note="x"), update_mask=[])
    expected = content(made, its_world.contract)
    expected.note = "x"
    assert content(updated, its_world.contract) == expected


def test_masks_that_are_none(records: Collection, its_world: World) -> None:
    made = make(records, its_world)
    bad = [
        "nothing",
        "name.x",
        "citations.source",
        "citations[0]",
        "citations[0].source",
        'citations["e1',
        'citations["e1"]x',
        "citations[].source",
        ".note",
        "note.",
        "",
        "note,name",
        'note["a"]',
        'labels["key"].x',
        "n" * 2000,
        "citations[*].nothing",
    ]
    fields = ["read_mask"] * len(bad)
    refuses_fields(fields, records.get, made.name, read_mask=bad)
    refuses_fields(fields, records.list, read_mask=bad)
    refuses_fields(fields, records.batch_get, made.name, read_mask=bad)
    refuses_fields(fields, records.call, "list_revisions", name=made.name, read_mask=bad)
    change = type(made)(name=made.name, note="x")
    refuses_fields(["update_mask"] * len(bad), records.update, change, update_mask=bad)
    refuses_fields(["read_mask"], records.get, made.name, read_mask=["*", "note"])
    assert records.get(made.name) == made


def test_names_that_are_none(records: Collection, its_world: World) -> None:
    collection = records.resource.collection
    other = "persons" if collection != "persons" else "sources"
    for name in (
        "",
        collection,
        collection + "/",
        f"/{collection}/x",
        f"{collection}/x/y",
        f"{collection}/X",
        f"{collection}/x@1",
        f"{collection}/-",
        f"{collection}/" + "x" * 64,
        f"{other}/x",
        "x",
        f"{collection}/x\0",
    ):
        for verb in ("get", "delete", "undelete", "list_revisions"):
            refuses_fields(["name"], records.call, verb, name=name)
        refuses_fields(["names[0]"], records.batch_get, name)
        change = records.resource.new(name=name)
        refuses_fields([f"{records.resource.singular}.name"], records.update, change)


def test_names_that_are_unknown(records: Collection, its_world: World) -> None:
    name = f"{records.resource.collection}/{MISSING}"
    before = its_world.client.revision()
    for verb in ("get", "delete", "undelete", "list_revisions"):
        failure = refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.call, verb, name=name)
        assert failure.metadata == {"name": name}
    known = make(records, its_world)
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.batch_get, known.name, name)
    change = its_world.least(records.resource)
    change.name = name
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.update, change)
    assert its_world.client.revision() == before + 1


# --- Update -------------------------------------------------------------------------------------


def test_update_without_a_mask_writes_what_is_set(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    change = type(made)(name=made.name, note="another")
    updated = records.update(change)
    assert updated.note == "another"
    assert updated.revision == made.revision + 1
    assert (updated.uid, updated.create_time) == (made.uid, made.create_time)
    assert updated.etag != made.etag
    expected = content(made, its_world.contract)
    expected.note = "another"
    assert content(updated, its_world.contract) == expected


def test_update_of_everything(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    change = its_world.least(records.resource)
    change.display_name = "all else is gone"
    expected = type(made)()
    expected.CopyFrom(change)
    expected.review_state = expected.visibility = 1
    change.name = made.name
    updated = records.update(change, update_mask="*")
    assert content(updated, its_world.contract) == expected


def test_update_of_a_field_leaves_the_others(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    change = its_world.record(records.resource)
    change.name, change.note, change.display_name = made.name, "ignored", "new"
    change.labels["key"] = "ignored"
    updated = records.update(change, update_mask=["display_name"])
    expected = content(made, its_world.contract)
    expected.display_name = "new"
    assert content(updated, its_world.contract) == expected
    cleared = records.update(type(made)(name=made.name), update_mask=["display_name", "labels"])
    expected.ClearField("display_name")
    expected.ClearField("labels")
    assert content(cleared, its_world.contract) == expected


def test_update_of_every_field_by_itself(records: Collection, its_world: World) -> None:
    """A record that has the least gets each field in turn, and then is the full one."""
    full = its_world.record(records.resource)
    made = make(records, its_world)
    for field in records.resource.descriptor.fields:
        if field.number <= 7 or "OUTPUT_ONLY" in its_world.contract.behavior(field):
            continue
        if its_world.contract.element_reference(field).record:
            continue  # with the field that names its record
        mask = [field.name]
        for other in records.resource.descriptor.fields:
            if its_world.contract.element_reference(other).record == field.name:
                mask.append(other.name)
        if field.containing_oneof is not None and not full.HasField(field.name):
            continue
        change = type(full)()
        change.CopyFrom(full)
        change.name = made.name
        for other in records.resource.descriptor.fields:
            if other.number > 7 and other.name not in mask:
                change.ClearField(other.name)
        records.update(change, update_mask=mask)
    assert content(records.get(made.name), its_world.contract) == full


def test_update_of_nested_fields_and_elements(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    change = type(made)(name=made.name)
    change.citations.add(id=ELEMENT, quote="new words", locator="p. 2")
    element = f'citations["{ELEMENT}"]'
    updated = records.update(change, update_mask=[f"{element}.quote"])
    expected = content(made, its_world.contract)
    expected.citations[0].quote = "new words"
    assert content(updated, its_world.contract) == expected

    updated = records.update(change, update_mask=["citations[*].locator"])
    expected.citations[0].locator = "p. 2"
    assert content(updated, its_world.contract) == expected

    second = type(made)(name=made.name)
    second.external_ids.add(id="e2", authority="viasna", value="2")
    updated = records.update(second, update_mask=['external_ids["e2"]'])
    expected.external_ids.add(id="e2", authority="viasna", value="2")
    assert content(updated, its_world.contract) == expected

    nothing = type(made)(name=made.name)
    mask = [f'external_ids["{ELEMENT}"]']
    updated = records.update(nothing, update_mask=mask)
    del expected.external_ids[0]
    assert content(updated, its_world.contract) == expected

    label = type(made)(name=made.name, labels={"b": "c", "other": "not taken"})
    updated = records.update(label, update_mask=['labels["b"]', 'labels["key"]'])
    expected.labels.clear()
    expected.labels["b"] = "c"
    assert content(updated, its_world.contract) == expected

    missing = type(made)(name=made.name)
    missing.citations.add(id="e9", quote="x")
    paths = ['citations["e9"].quote']
    refuses_fields(["update_mask"], records.update, missing, update_mask=paths)


def test_update_of_an_element_of_its_own(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    name = own_list(records)
    change = type(made)(name=made.name)
    element = getattr(change, name).add()
    element.CopyFrom(getattr(content(made, its_world.contract), name)[0])
    element.id = "e2"
    updated = records.update(change, update_mask=[f'{name}["e2"]'])
    assert [e.id for e in getattr(updated, name)] == [ELEMENT, "e2"]
    mask = [f'{name}["e2"]']
    updated = records.update(type(made)(name=made.name), update_mask=mask)
    assert content(updated, its_world.contract) == content(made, its_world.contract)


def test_update_that_changes_nothing_makes_no_commit(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    assert records.update(made) == made
    assert records.update(made, update_mask="*") == made
    assert records.update(made, update_mask=["note"]) == made
    assert its_world.client.revision() == made.revision


def test_update_ignores_what_the_server_says(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    change = type(made)()
    change.CopyFrom(made)
    change.uid, change.revision = "11111111-1111-7111-8111-111111111111", 1
    change.create_time.seconds = change.update_time.seconds = change.delete_time.seconds = 1
    change.citations[0].assert_date.earliest.year = 1
    change.citations[0].assert_date.approximate = True
    fields = ["uid", "revision", "create_time", "update_time", "delete_time", "name"]
    for mask in (None, "*", fields):
        assert records.update(change, update_mask=mask) == made
    change.note = "new"
    updated = records.update(change, update_mask="*")
    expected = content(made, its_world.contract)
    expected.note = "new"
    assert content(updated, its_world.contract) == expected
    assert (updated.uid, updated.create_time) == (made.uid, made.create_time)
    assert updated.citations == made.citations
    assert not updated.HasField("delete_time")


def test_update_of_a_missing_record(records: Collection, its_world: World) -> None:
    sent = its_world.record(records.resource)
    sent.name = f"{records.resource.collection}/{new_id()}"
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.update, sent)
    made = records.update(sent, allow_missing=True)
    assert content(made, its_world.contract) == content(sent, its_world.contract)
    again = records.update(type(made)(name=made.name, note="x"), allow_missing=True)
    assert (again.uid, again.note) == (made.uid, "x")
    records.delete(made.name)
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.update, sent)
    refuses(Code.ALREADY_EXISTS, "RECORD_EXISTS", records.update, sent, allow_missing=True)


def test_update_of_a_missing_record_asks_for_what_it_must_have(
    records: Collection, its_world: World
) -> None:
    """By a mask, only what it names is written; a new record without a required field is none."""
    resource = records.resource
    required = [
        f.name for f in resource.descriptor.fields if "REQUIRED" in its_world.contract.behavior(f)
    ]
    sent = its_world.record(resource)
    sent.name = f"{resource.collection}/{new_id()}"
    arguments = {"update_mask": ["note"], "allow_missing": True}
    if required:
        fields = [f"{resource.singular}.{name}" for name in required]
        refuses_fields(fields, records.update, sent, **arguments)
        return
    made = records.update(sent, **arguments)
    expected = resource.new(note=sent.note, review_state=1, visibility=1)
    assert content(made, its_world.contract) == expected


def test_stale_etags(records: Collection, its_world: World) -> None:
    first = make(records, its_world)
    second = records.update(type(first)(name=first.name, etag=first.etag, note="2"))
    stale = type(first)(name=first.name, etag=first.etag, note="3")
    for mask in (None, "*", ["note"]):
        full = content(second, its_world.contract)
        full.name, full.etag, full.note = first.name, first.etag, "3"
        failure = refuses(
            Code.ABORTED,
            "ETAG_MISMATCH",
            records.update,
            full if mask == "*" else stale,
            update_mask=mask,
        )
        assert failure.metadata == {"name": first.name, "etag": second.etag}
    for etag in (first.etag, second.etag.strip('"'), '"x"', "x"):
        refuses(Code.ABORTED, "ETAG_MISMATCH", records.delete, first.name, etag=etag)
    third = records.delete(first.name, etag=second.etag)
    stale_etag = second.etag
    refuses(Code.ABORTED, "ETAG_MISMATCH", records.undelete, first.name, etag=stale_etag)
    records.undelete(first.name, etag=third.etag)


# --- Delete, Undelete ---------------------------------------------------------------------------


def test_delete_is_soft(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    deleted = records.delete(made.name)
    assert deleted.HasField("delete_time")
    assert deleted.delete_time == deleted.update_time
    assert deleted.revision == made.revision + 1
    assert content(deleted, its_world.contract) == content(made, its_world.contract)
    assert records.get(made.name) == deleted
    assert records.rows(records.batch_get(made.name))[0] == deleted
    assert made.name not in [r.name for r in records.pages(page_size=1000)]
    shown = {r.name: r for r in records.pages(page_size=1000, show_deleted=True)}
    assert shown[made.name] == deleted
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.delete, made.name)

    back = records.undelete(made.name)
    assert not back.HasField("delete_time")
    assert (back.uid, back.revision) == (made.uid, deleted.revision + 1)
    assert content(back, its_world.contract) == content(made, its_world.contract)
    assert made.name in [r.name for r in records.pages(page_size=1000)]
    refuses(Code.ALREADY_EXISTS, "RECORD_NOT_DELETED", records.undelete, made.name)


def test_a_record_that_is_referred_to(records: Collection, its_world: World) -> None:
    target = make(records, its_world)
    commitments = its_world.client.of("commitments")  # one that may refer to any record
    referrer = commitments.create(commitments.resource.new(conditional_on=[target.name]), new_id())
    for call in (records.delete, its_world.client.batch_write):
        arguments = (
            [target.name] if call == records.delete else [{"soft_delete": {"name": target.name}}]
        )
        failure = refuses(Code.FAILED_PRECONDITION, "RECORD_REFERENCED", call, *arguments)
        assert failure.metadata == {"name": target.name, "referrers": referrer.name}
    assert records.delete(target.name, force=True).HasField("delete_time")

    # The record that refers stays editable, but no new reference may be made.
    changed = commitments.update(type(referrer)(name=referrer.name, note="edited"))
    assert list(changed.conditional_on) == [target.name]
    another = commitments.resource.new(conditional_on=[target.name])
    failure = refuses(
        Code.FAILED_PRECONDITION, "REFERENCE_NOT_FOUND", commitments.create, another, new_id()
    )
    assert failure.subjects == ["commitment.conditional_on"]
    commitments.delete(referrer.name)
    commitments.undelete(referrer.name)  # checks nothing


def test_a_referrer_that_lets_go(records: Collection, its_world: World) -> None:
    target = make(records, its_world)
    commitments = its_world.client.of("commitments")
    referrer = commitments.create(commitments.resource.new(conditional_on=[target.name]), new_id())
    refuses(Code.FAILED_PRECONDITION, "RECORD_REFERENCED", records.delete, target.name)
    commitments.delete(referrer.name)
    records.delete(target.name)
    records.undelete(target.name)
    commitments.undelete(referrer.name)
    refuses(Code.FAILED_PRECONDITION, "RECORD_REFERENCED", records.delete, target.name)
    nothing = type(referrer)(name=referrer.name)
    commitments.update(nothing, update_mask=["conditional_on"])
    records.delete(target.name)


# --- References ---------------------------------------------------------------------------------


def reference_paths(world: World, descriptor: object, prefix: str, found: list) -> list:
    """(path of the message, field) of every reference of a full record, lists by their element."""
    for field in descriptor.fields:
        if "OUTPUT_ONLY" in world.contract.behavior(field) or is_map(field):
            continue
        if world.contract.reference(field):
            found.append((prefix, field))
        elif field.message_type is not None:
            reference_paths(world, field.message_type, f"{prefix}{field.name}/", found)
    return found


def test_references_that_lead_nowhere(records: Collection, its_world: World) -> None:
    """All references of a record at once: each is reported with its path."""
    record = its_world.record(records.resource)
    expected = []
    for prefix, field in reference_paths(its_world, records.resource.descriptor, "", []):
        message, path = record, records.resource.singular
        for step in prefix.split("/")[:-1]:
            message = getattr(message, step)
            path += "." + step
            if not hasattr(message, "DESCRIPTOR"):
                message = message[0]
                path += f'["{ELEMENT}"]'
        oneof = field.containing_oneof
        if oneof is not None and message.WhichOneof(oneof.name) != field.name:
            continue
        kind = its_world.contract.reference(field)
        target = next(
            (r.collection for r in its_world.contract.resources if r.type == kind), "persons"
        )
        if repeated(field):
            getattr(message, field.name)[:] = [f"{target}/{MISSING}"]
        else:
            setattr(message, field.name, f"{target}/{MISSING}")
        expected.append(f"{path}.{field.name}")
    assert expected
    failure = refuses(
        Code.FAILED_PRECONDITION, "REFERENCE_NOT_FOUND", records.create, record, new_id()
    )
    assert set(expected) <= set(failure.subjects)
    # Those beside them: elements of the records that are missing.
    extra = set(failure.subjects) - set(expected)
    assert all(s.endswith(("_id", "_ids")) for s in extra), extra


def test_references_to_another_collection(records: Collection, its_world: World) -> None:
    record = its_world.record(records.resource)
    record.citations[0].source = its_world.reference("persons")
    path = f'{records.resource.singular}.citations["{ELEMENT}"].source'
    refuses_fields([path], records.create, record, new_id())


# --- BatchGet -----------------------------------------------------------------------------------


def test_batch_get(records: Collection, its_world: World) -> None:
    made = [make(records, its_world) for _ in range(3)]
    names = [m.name for m in made]
    answer = records.batch_get(*reversed(names))
    assert [r.name for r in records.rows(answer)] == list(reversed(names))
    assert list(records.rows(answer)) == list(reversed(made))
    assert answer.revision == its_world.client.revision()
    records.update(type(made[0])(name=names[0], note="later"))
    past = records.batch_get(*names, at={"revision": made[2].revision})
    assert list(records.rows(past)) == made
    assert past.revision == made[2].revision
    refuses(
        Code.NOT_FOUND,
        "RECORD_NOT_FOUND",
        records.batch_get,
        *names,
        at={"revision": made[1].revision},
    )
    masked = records.batch_get(*names, read_mask=["name"])
    assert list(records.rows(masked)) == [type(made[0])(name=n) for n in names]
    refuses_fields(["names"], records.batch_get)
    assert len(records.rows(records.batch_get(*names[:1] * 100))) == 100
    failure = refuses(INVALID, "LIMIT_EXCEEDED", records.batch_get, *names[:1] * 101)
    assert failure.fields == ["names"]


# --- ListRevisions ------------------------------------------------------------------------------


def test_list_revisions(records: Collection, its_world: World) -> None:
    states = [make(records, its_world)]
    name = states[0].name
    for i in range(5):
        states.insert(0, records.update(type(states[0])(name=name, note=str(i))))
    states.insert(0, records.delete(name))
    states.insert(0, records.undelete(name))
    assert records.revisions(name) == states
    assert records.revisions(name, page_size=3) == states
    assert [r.note for r in records.revisions(name, page_size=1, read_mask=["note"])] == [
        s.note for s in states
    ]
    page = records.call("list_revisions", name=name, page_size=2)
    records.update(type(states[0])(name=name, note="during"))
    rest = records.call("list_revisions", name=name, page_size=100, page_token=page.next_page_token)
    assert [*records.rows(page), *records.rows(rest)] == states
    refuses_fields(["page_size"], records.call, "list_revisions", name=name, page_size=-1)
    refuses(
        INVALID,
        "INVALID_PAGE_TOKEN",
        records.list,
        page_token=page.next_page_token,
    )


# --- List ---------------------------------------------------------------------------------------


def test_list_in_pages(records: Collection, its_world: World) -> None:
    for _ in range(7):
        make(records, its_world)
    whole = records.pages(page_size=1000)
    names = [r.name for r in whole]
    assert names == sorted(names)
    assert len(set(names)) == len(names) >= 7
    assert records.pages(page_size=3) == whole
    assert records.pages() == whole  # 50 a page
    assert len(records.rows(records.list())) == min(50, len(whole))
    assert len(records.rows(records.list(page_size=2))) == 2
    assert records.pages(page_size=3, show_deleted=True)[0] is not None
    masked = records.pages(page_size=4, read_mask=["name", "uid"])
    assert masked == [type(r)(name=r.name, uid=r.uid) for r in whole]
    # A page size that goes up and down.
    found, token = [], ""
    for size in itertools.cycle((1, 3, 2)):
        page = records.list(page_size=size, page_token=token)
        assert len(records.rows(page)) <= size
        found += records.rows(page)
        token = page.next_page_token
        if not token:
            break
    assert found == whole
    refuses_fields(["page_size"], records.list, page_size=-1)
    assert records.list(page_size=2**31 - 1).revision == its_world.client.revision()


def test_list_at_a_revision(records: Collection, its_world: World) -> None:
    kept, changed, deleted = (make(records, its_world) for _ in range(3))
    revision = its_world.client.revision()
    before = records.pages(page_size=1000)
    records.update(type(changed)(name=changed.name, note="later"))
    records.delete(deleted.name)
    make(records, its_world)
    at = {"revision": revision}
    assert records.pages(page_size=1000, at=at) == before
    assert records.pages(page_size=2, at=at) == before
    assert records.list(at=at).revision == revision
    now = {r.name: r for r in records.pages(page_size=1000)}
    assert now[kept.name] == kept
    assert now[changed.name].note == "later"
    assert deleted.name not in now
    refuses(INVALID, "REVISION_OUT_OF_RANGE", records.list, at={"revision": revision + 1000})


def test_page_tokens_that_are_none(records: Collection, its_world: World) -> None:
    for _ in range(3):
        make(records, its_world)
    token = records.list(page_size=1).next_page_token
    assert token
    flipped = ("B" if token[20] == "A" else "A").join([token[:20], token[21:]])
    for bad in ("x", token[:-4], token + "AAAA", flipped, "A" * 88, "A" * 10000, "é"):
        refuses(INVALID, "INVALID_PAGE_TOKEN", records.list, page_token=bad)
    for other in ({"show_deleted": True}, {"read_mask": ["name"]}, {"at": {"revision": 1}}):
        refuses(INVALID, "INVALID_PAGE_TOKEN", records.list, page_token=token, **other)
    name = records.rows(records.list(page_size=1))[0].name
    refuses(
        INVALID, "INVALID_PAGE_TOKEN", records.call, "list_revisions", name=name, page_token=token
    )
    neighbor = its_world.client.of(
        "persons" if records.resource.collection != "persons" else "sources"
    )
    refuses(INVALID, "INVALID_PAGE_TOKEN", neighbor.list, page_token=token)


def test_pages_while_others_write(records: Collection, its_world: World) -> None:
    for _ in range(6):
        make(records, its_world)
    first = records.list(page_size=2)
    pinned = records.pages(page_size=1000, at={"revision": first.revision})
    # The last row of the page, the next one, one more, and a new one before and behind.
    rows = records.rows(first)
    records.update(type(rows[1])(name=rows[1].name, note="changed"))
    records.update(type(pinned[2])(name=pinned[2].name, note="changed"))
    if not pinned[3].name.split("/")[1].startswith("seed"):
        records.delete(pinned[3].name)
    make(records, its_world, new_id("a"))
    make(records, its_world, new_id("z"))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            make(records, its_world)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found, token = list(rows), first.next_page_token
        while token:
            page = records.list(page_size=2, page_token=token)
            assert page.revision == first.revision
            found += records.rows(page)
            token = page.next_page_token
    finally:
        stop.set()
        writer.join()
    assert found == pinned


# --- What all writes share ----------------------------------------------------------------------


def test_validate_only_changes_nothing(records: Collection, its_world: World) -> None:
    made = make(records, its_world)
    gone = records.delete(make(records, its_world).name)
    before = its_world.client.revision()
    sent = its_world.record(records.resource)
    record_id = new_id()
    would = records.create(sent, record_id, validate_only=True)
    assert content(would, its_world.contract) == sent
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.get, would.name)
    change = type(made)(name=made.name, note="would")
    assert records.update(change, validate_only=True).note == "would"
    assert records.delete(made.name, validate_only=True).HasField("delete_time")
    assert not records.undelete(gone.name, validate_only=True).HasField("delete_time")
    its_world.client.batch_write({"update": {"record": change}}, validate_only=True)
    # And it checks what it would check.
    refuses(
        Code.ALREADY_EXISTS,
        "RECORD_EXISTS",
        records.create,
        sent,
        made.name.split("/")[1],
        validate_only=True,
    )
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.delete, gone.name, validate_only=True)
    sent.citations[0].source = f"sources/{MISSING}"
    refuses(
        Code.FAILED_PRECONDITION,
        "REFERENCE_NOT_FOUND",
        records.create,
        sent,
        record_id,
        validate_only=True,
    )
    assert its_world.client.revision() == before
    assert records.get(made.name) == made
    assert records.get(gone.name) == gone


def test_a_request_that_is_repeated(records: Collection, its_world: World) -> None:
    sent = its_world.least(records.resource)
    ids = [new_id("request") for _ in range(4)]
    made = records.create(sent, request_id=ids[0])  # its id is made by the server
    change = type(made)(name=made.name, note="1")
    updated = records.update(change, request_id=ids[1])
    deleted = records.delete(made.name, request_id=ids[2])
    back = records.undelete(made.name, request_id=ids[3])
    before = its_world.client.revision()
    assert records.create(sent, request_id=ids[0]) == made
    assert records.update(change, request_id=ids[1]) == updated
    assert records.delete(made.name, request_id=ids[2]) == deleted
    assert records.undelete(made.name, request_id=ids[3]) == back
    assert its_world.client.revision() == before

    other = type(made)()
    other.CopyFrom(sent)
    other.note = "another request"
    for call, arguments in (
        (records.create, [other]),
        (records.create, [sent, new_id()]),
        (records.delete, [made.name]),
        (its_world.client.batch_write, [{"soft_delete": {"name": made.name}}]),
    ):
        failure = refuses(INVALID, "REQUEST_ID_REUSED", call, *arguments, request_id=ids[0])
        assert failure.metadata == {"request_id": ids[0], "revision": str(made.revision)}
    reason = {"reason": "other"}
    refuses(INVALID, "REQUEST_ID_REUSED", records.create, sent, request_id=ids[0], **reason)
    assert its_world.client.revision() == before

    # A failure is not kept.
    free = new_id("request")
    refuses(
        Code.NOT_FOUND,
        "RECORD_NOT_FOUND",
        records.delete,
        f"{records.resource.collection}/{MISSING}",
        request_id=free,
    )
    records.delete(made.name, request_id=free)


def test_request_id_and_reason_have_limits(records: Collection, its_world: World) -> None:
    made = make(records, its_world)
    refuses_fields(["request_id"], records.delete, made.name, request_id="r" * 65)
    refuses_fields(["reason"], records.delete, made.name, reason="r" * 4097)
    request_id = new_id("r" * 50)
    records.delete(made.name, request_id=request_id, reason="r" * 4096)


# --- BatchWrite ---------------------------------------------------------------------------------


def test_batch_write(records: Collection, its_world: World) -> None:
    client = its_world.client
    collection = records.resource.collection
    changed, deleted, gone = (make(records, its_world) for _ in range(3))
    records.delete(gone.name)
    sent = its_world.record(records.resource)
    record_id = new_id()
    before = client.revision()
    answer = client.batch_write(
        {"create": {"record": sent, "record_id": record_id}},
        {"create": {"record": its_world.least(records.resource)}},
        {"update": {"record": type(sent)(name=changed.name, note="b"), "update_mask": ["note"]}},
        {"soft_delete": {"name": deleted.name, "etag": deleted.etag}},
        {"undelete": {"name": gone.name}},
        reason="all at once",
    )
    assert answer.revision == client.revision() == before + 1
    expected = [f"{collection}/{record_id}", changed.name, deleted.name, gone.name]
    names = [r.name for r in answer.results]
    assert names[:1] + names[2:] == expected
    kinds = answer.results[0].DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number
    became = [kinds[result.kind].name for result in answer.results]
    assert became == ["CREATED", "CREATED", "UPDATED", "DELETED", "UNDELETED"]
    for result in answer.results:
        got = records.get(result.name)
        assert (got.uid, got.etag, got.revision) == (result.uid, result.etag, answer.revision)
    assert content(records.get(names[0]), its_world.contract) == sent
    assert records.get(changed.name).note == "b"
    assert records.get(deleted.name).HasField("delete_time")
    assert not records.get(gone.name).HasField("delete_time")


def test_batch_write_makes_both_ends_of_a_reference(records: Collection, its_world: World) -> None:
    client = its_world.client
    commitments = client.of("commitments").resource
    target, referrer = new_id(), new_id()
    name = f"{records.resource.collection}/{target}"
    answer = client.batch_write(
        {
            "create": {
                "record": commitments.new(conditional_on=[name]),
                "record_id": referrer,
            }
        },
        {"create": {"record": its_world.least(records.resource), "record_id": target}},
    )
    assert client.of("commitments").get(f"commitments/{referrer}").revision == answer.revision
    # And deletes both.
    client.batch_write(
        {"soft_delete": {"name": name}}, {"soft_delete": {"name": f"commitments/{referrer}"}}
    )


def test_batch_write_is_all_or_nothing(records: Collection, its_world: World) -> None:
    client, resource = its_world.client, records.resource
    live, gone = make(records, its_world), make(records, its_world)
    records.delete(gone.name)
    stale = type(live)(name=live.name, etag='"x"', note="x")
    dangling = its_world.record(resource)
    dangling.citations[0].source = f"sources/{MISSING}"
    before = client.revision()
    missing = f"{resource.collection}/{MISSING}"
    good = [
        {"create": {"record": its_world.least(resource), "record_id": new_id()}},
        {"update": {"record": type(live)(name=live.name, note="never")}},
    ]
    taken = {"create": {"record": its_world.least(resource), "record_id": gone.name.split("/")[1]}}
    update = {"update": {"record": stale}}
    for bad, code, reason in (
        (taken, Code.ALREADY_EXISTS, "RECORD_EXISTS"),
        ({"soft_delete": {"name": missing}}, Code.NOT_FOUND, "RECORD_NOT_FOUND"),
        ({"soft_delete": {"name": gone.name}}, Code.NOT_FOUND, "RECORD_NOT_FOUND"),
        ({"undelete": {"name": missing}}, Code.NOT_FOUND, "RECORD_NOT_FOUND"),
        ({"create": {"record": dangling}}, Code.FAILED_PRECONDITION, "REFERENCE_NOT_FOUND"),
    ):
        refuses(code, reason, client.batch_write, good[0], good[1], bad)
        refuses(code, reason, client.batch_write, bad, *good)
    refuses(Code.ABORTED, "ETAG_MISMATCH", client.batch_write, good[0], update)
    assert client.revision() == before
    assert records.get(live.name) == live
    name = f"{resource.collection}/{good[0]['create']['record_id']}"
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.get, name)


def test_batch_write_of_bad_operations(records: Collection, its_world: World) -> None:
    client, resource = its_world.client, records.resource
    before = client.revision()
    record = its_world.record(resource)
    record.ClearField("name")
    at = "operations[1]"
    good = {"create": {"record": its_world.least(resource), "record_id": new_id()}}
    refuses_fields(["operations"], client.batch_write)
    for bad, field in (
        ({"create": {"record_id": "x"}}, f"{at}.create.record"),
        ({"create": {"record": record, "record_id": "X"}}, f"{at}.create.record_id"),
        ({"update": {"record": record}}, f"{at}.update.record.name"),
        ({"soft_delete": {"name": "x"}}, f"{at}.soft_delete.name"),
        ({"soft_delete": {"name": "nothing/x"}}, f"{at}.soft_delete.name"),
        ({"undelete": {}}, f"{at}.undelete.name"),
        ({"create": {"record": its_world.contract.new("google.type.Date")}}, f"{at}.create.record"),
    ):
        refuses_fields([field], client.batch_write, good, bad)
    record.citations[0].assert_date.edtf = "never"
    element = f'{at}.create.record.citations["{ELEMENT}"].assert_date.edtf'
    refuses_fields([element], client.batch_write, good, {"create": {"record": record}})
    update = {"update": {"record": type(record)(name=f"{resource.collection}/x")}}
    update["update"]["update_mask"] = ["nothing"]
    refuses_fields([f"{at}.update.update_mask"], client.batch_write, good, update)
    twice = {"create": {"record": its_world.least(resource), "record_id": new_id()}}
    failure = refuses_fields([f"{at}.create.record"], client.batch_write, twice, twice)
    assert failure.code == INVALID
    request = client.contract.new("detente.v1.BatchWriteRequest")
    request.operations.add()
    refuses_fields(["operations[0]"], client.call, client.batch_write_method, request)
    assert client.revision() == before


# --- All that is wrong ---------------------------------------------------------------------------


def test_all_arguments_that_are_wrong_are_reported(records: Collection, its_world: World) -> None:
    client, resource = its_world.client, records.resource
    singular = resource.singular
    before = client.revision()
    bad_mask = {"read_mask": ["nothing", "nor_this"]}
    refuses_fields(["name", "read_mask", "read_mask"], records.get, "x", **bad_mask)
    refuses_fields(["page_size", "read_mask", "read_mask"], records.list, page_size=-1, **bad_mask)
    good = f"{resource.collection}/{MISSING}"
    fields = ["names[0]", "names[2]", "read_mask", "read_mask"]
    refuses_fields(fields, records.batch_get, "x", good, "y", **bad_mask)
    fields = ["name", "page_size", "read_mask", "read_mask"]
    revisions = {"name": "x", "page_size": -1, **bad_mask}
    refuses_fields(fields, records.call, "list_revisions", **revisions)
    fields = [f"{singular}.name", "update_mask"]
    refuses_fields(fields, records.update, resource.new(note="x"), update_mask=["nothing"])

    dated = its_world.record(resource)
    dated.citations[0].assert_date.edtf = "never"
    element = f'citations["{ELEMENT}"].assert_date.edtf'
    fields = ["request_id", "reason", f"{singular}.{element}"]
    long = {"request_id": "r" * 65, "reason": "r" * 5000}
    refuses_fields(fields, records.create, dated, new_id(), **long)
    operation = {"create": {"record": dated}}
    fields = [f"operations[{i}].create.record.{element}" for i in (0, 2)]
    fine = {"create": {"record": its_world.least(resource)}}
    refuses_fields(fields, client.batch_write, operation, fine, operation)
    nameless = {"update": {"record": resource.new(), "update_mask": ["nothing"]}}
    fields = ["operations[0].update.record.name", "operations[0].update.update_mask"]
    fields += ["operations[1].soft_delete.name"]
    refuses_fields(fields, client.batch_write, nameless, {"soft_delete": {"name": "x"}})
    # Found in the writer's transaction.
    made = make(records, its_world)
    absent = resource.new(name=made.name)
    absent.citations.add(id="e9", quote="x")
    update = {"record": absent, "update_mask": ['citations["e9"].quote']}
    place = "operations[1].update.update_mask"
    refuses_fields([place], client.batch_write, fine, {"update": update})
    assert client.revision() == before + 1


# --- Unknown fields -----------------------------------------------------------------------------


def test_unknown_fields_are_refused_in_writes(records: Collection, its_world: World) -> None:
    made = make(records, its_world, full=True)
    singular = records.resource.singular
    before = its_world.client.revision()

    def refused(places: list[str], verb: str, request: object) -> None:
        method = records.method(verb)
        failure = refuses(INVALID, "UNKNOWN_FIELD", records.client.call, method, request)
        assert failure.fields == places

    top = newer(its_world.least(records.resource))
    refused([singular], "create", records.request("create", **{singular: top}))
    top.name = made.name
    refused([singular], "update", records.request("update", **{singular: top}))
    deep = its_world.record(records.resource)
    deep.citations[0].assert_date.CopyFrom(newer(deep.citations[0].assert_date))
    deep.CopyFrom(newer(deep))
    places = [singular, f'{singular}.citations["{ELEMENT}"].assert_date']
    refused(places, "create", records.request("create", **{singular: deep}))
    for verb in ("create", "update", "delete", "undelete"):
        arguments = {} if verb in ("create", "update") else {"name": made.name}
        refused([""], verb, newer(records.request(verb, **arguments)))
    client = its_world.client
    operation = {"create": {"record": top}}
    failure = refuses(INVALID, "UNKNOWN_FIELD", client.batch_write, operation)
    assert failure.fields == ["operations[0].create.record"]
    assert client.revision() == before


def test_a_message_of_every_method_is_known(records: Collection) -> None:
    """Each method of the service is one that this suite calls."""
    verbs = ("get", "list", "create", "update", "delete", "undelete", "batch_get", "rollback")
    called = {records.method(v).name for v in (*verbs, "list_revisions")}
    assert called == set(records.resource.service.methods_by_name)
    assert message_factory.GetMessageClass(records.method("get").output_type)
