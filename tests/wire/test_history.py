"""Commits, differences, rollback, review, snapshots and erasure, by a foreign client."""

import hashlib
import json
import re
import time
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from wire.calls import INVALID, Client, Code, Collection, failing, fill, refuses, refuses_fields
from wire.records import World, new_id

HISTORY = "detente.v1.CommitService"
SNAPSHOTS = "detente.v1.SnapshotService"
RECORDS = "detente.v1.RecordService"


def call(client: Client, service: str, verb: str, /, **arguments: Any) -> Any:
    method = client.contract.pool.FindServiceByName(service).methods_by_name[verb]
    request = fill(client.contract.new(method.input_type.full_name), arguments)
    return client.call(method, request)


def commits(client: Client, **arguments: Any) -> list[Any]:
    found, token = [], ""
    while True:
        page = call(client, HISTORY, "ListCommits", page_token=token, **arguments)
        found += page.commits
        token = page.next_page_token
        if not token:
            return found


def diff(client: Client, **arguments: Any) -> list[Any]:
    found, token = [], ""
    while True:
        page = call(client, HISTORY, "DiffRevisions", page_token=token, **arguments)
        found += page.changes
        token = page.next_page_token
        if not token:
            return found


def entries(client: Client, name: str, page_size: int = 0) -> list[Any]:
    found, token = [], ""
    while True:
        page = call(
            client,
            SNAPSHOTS,
            "ListSnapshotEntries",
            name=name,
            page_token=token,
            page_size=page_size,
        )
        found += page.entries
        token = page.next_page_token
        if not token:
            return found


def snapshot(client: Client, snapshot_id: str, /, **fields: Any) -> Any:
    return call(client, SNAPSHOTS, "CreateSnapshot", snapshot=fields, snapshot_id=snapshot_id)


def person(client: Client, record_id: str, **fields: Any) -> Any:
    return client.of("persons").create(client.of("persons").resource.new(**fields), record_id)


def at(revision: int) -> dict[str, int]:
    return {"revision": revision}


# --- every resource -----------------------------------------------------------------------------


def test_rollback(records: Collection, its_world: World) -> None:
    first = records.create(its_world.record(records.resource), new_id())
    changed = type(first)()
    changed.CopyFrom(first)
    changed.note = "another note"
    changed.external_ids.clear()
    second = records.update(changed, update_mask=["*"])
    back = records.rollback(first.name, first.revision, reason="it was right", etag=second.etag)
    assert back.revision == second.revision + 1
    for field in ("revision", "etag", "update_time"):
        back.ClearField(field)
        first.ClearField(field)
    assert back == first
    states = records.revisions(first.name)
    assert [s.note for s in states] == [first.note, "another note", first.note]


def test_rollback_refuses(records: Collection, its_world: World) -> None:
    made = records.create(its_world.least(records.resource), new_id())
    newest = its_world.client.revision()
    for revision in (0, -1, newest + 1, 2**63 - 1):
        refuses(INVALID, "REVISION_OUT_OF_RANGE", records.rollback, made.name, revision)
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.rollback, made.name, made.revision - 1)
    refuses_fields(["name"], records.rollback, "persons", made.revision)
    missing = f"{records.resource.collection}/no-such-record"
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.rollback, missing, made.revision)
    refuses(
        Code.ABORTED, "ETAG_MISMATCH", records.rollback, made.name, made.revision, etag='"other"'
    )
    assert records.get(made.name) == made
    checked = records.rollback(made.name, made.revision, validate_only=True)
    assert checked.revision == made.revision


def test_history_of_a_record(records: Collection, its_world: World) -> None:
    client = its_world.client
    made = records.create(its_world.least(records.resource), new_id(), reason="first")
    made.note = "n"
    records.update(made, update_mask=["note"], reason="second")
    records.delete(made.name, reason="third")
    records.undelete(made.name)
    found = commits(client, record=made.name, page_size=2)
    kinds = [c.changes[0].kind for c in found]
    assert kinds == [4, 3, 2, 1]
    assert [c.reason for c in found] == ["", "third", "second", "first"]
    assert all(len(c.changes) == 1 and c.changes[0].name == made.name for c in found)
    (change,) = found[2].changes[0].fields
    assert (change.path, change.kind, change.old_value, change.new_value) == ("note", 1, "", '"n"')
    verb = found[2].method.rpartition(".")[2]
    assert verb == f"Update{records.resource.one}"
    assert [c.revision for c in found] == sorted((c.revision for c in found), reverse=True)


def test_diff_of_a_record(records: Collection, its_world: World) -> None:
    client = its_world.client
    made = records.create(its_world.record(records.resource), new_id())
    changed = type(made)()
    changed.CopyFrom(made)
    changed.labels["key"] = "other"
    changed.labels["more"] = "m"
    changed.external_ids[0].value = "other"
    changed.external_ids.add(id="e0", authority="ofac", value="1")
    after = records.update(changed, update_mask=["*"])
    (found,) = diff(client, base=at(made.revision), target=at(after.revision), record=made.name)
    assert found.kind == 2
    assert [(c.path, c.kind, c.old_value, c.new_value) for c in found.fields] == [
        ('external_ids["e1"].value', 3, json.dumps(made.external_ids[0].value), '"other"'),
        ('external_ids["e0"]', 1, "", '{"authority":"ofac","id":"e0","value":"1"}'),
        ('labels["key"]', 3, '"value"', '"other"'),
        ('labels["more"]', 1, "", '"m"'),
    ]
    (back,) = diff(client, base=at(after.revision), target=at(made.revision), record=made.name)
    assert [(c.path, c.kind) for c in back.fields] == [
        ('external_ids["e1"].value', 3),
        ('external_ids["e0"]', 2),
        ('labels["key"]', 3),
        ('labels["more"]', 2),
    ]
    assert diff(client, base=at(made.revision), target=at(made.revision), record=made.name) == []


def test_reads_at_a_time(records: Collection, its_world: World) -> None:
    made = records.create(its_world.least(records.resource), new_id())
    made.note = "later"
    later = records.update(made, update_mask=["note"])
    read = {"read_time": made.create_time}
    assert records.get(made.name, at=read).note == ""
    assert records.get(made.name, at={"read_time": later.update_time}).note == "later"
    assert records.batch_get(made.name, at=read).revision == made.revision
    assert records.list(at=read).revision == made.revision


def test_reads_at_a_snapshot(records: Collection, its_world: World) -> None:
    client = its_world.client
    made = records.create(its_world.least(records.resource), new_id())
    named = snapshot(client, new_id("snap"), title="a title")
    assert named.revision == made.revision
    records.delete(made.name)
    read = {"snapshot": named.name}
    assert not records.get(made.name, at=read).HasField("delete_time")
    assert records.list(at=read).revision == named.revision
    own = [e for e in entries(client, named.name, page_size=7) if e.name == made.name]
    (entry,) = own
    record = json.loads(entry.json)
    assert record["name"] == made.name
    assert not {"uid", "etag", "revision", "create_time"} & set(record)
    salted = hashlib.sha256(bytes.fromhex(entry.salt) + entry.json.encode())
    assert salted.hexdigest() == entry.leaf


# --- time -----------------------------------------------------------------------------------------


def test_times_out_of_range(client: Client, world: World) -> None:
    world.reference("sources")
    sources = client.of("sources")
    late = timestamp_pb2.Timestamp(seconds=int(time.time()) + 3600)
    for stamp in (
        {"seconds": late.seconds},
        {"seconds": 1},
        {"seconds": -62135596800},
        {"seconds": 253402300799},
        {"seconds": 2**63 - 1, "nanos": 2**31 - 1},
        {"seconds": -(2**63)},
    ):
        failure = refuses(INVALID, "READ_TIME_OUT_OF_RANGE", sources.list, at={"read_time": stamp})
        assert "read_time" in failure.metadata


# --- commits ------------------------------------------------------------------------------------


def test_commits_by_time_and_page(client: Client, world: World) -> None:
    made = [person(client, new_id()) for _ in range(5)]
    first, last = made[1], made[3]
    found = commits(client, start_time=first.create_time, end_time=last.create_time, page_size=1)
    assert [c.revision for c in found] == [made[2].revision, first.revision]
    one = call(client, HISTORY, "GetCommit", name=f"commits/{first.revision}")
    assert one == found[1]
    assert [(c.name, c.kind) for c in one.changes] == [(first.name, 1)]
    assert commits(client, start_time=last.create_time, end_time=last.create_time) == []
    every = commits(client, page_size=1000)
    assert [c.revision for c in every] == list(range(client.revision(), 0, -1))
    until = commits(client, page_size=1000, at=at(first.revision))
    assert [c.revision for c in until] == list(range(first.revision, 0, -1))


def test_commit_names(client: Client, world: World) -> None:
    world.reference("sources")
    for name in ("commits/0", "commits/01", "commits/999999999", "commits/x"):
        refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", call, client, HISTORY, "GetCommit", name=name)
    for name in ("", "persons/x", "commits/-1", "commits/"):
        refuses_fields(["name"], call, client, HISTORY, "GetCommit", name=name)


def test_bad_arguments_of_history(client: Client, world: World) -> None:
    source = world.reference("sources")
    newest = client.revision()
    refuses_fields(["record"], commits, client, record="nonsense")
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", commits, client, record="persons/no-such")
    refuses_fields(
        ["end_time"], commits, client, start_time={"seconds": 2}, end_time={"seconds": 1}
    )
    refuses_fields(["page_size"], commits, client, page_size=-1)
    failure = refuses(INVALID, "REVISION_OUT_OF_RANGE", diff, client, base=at(newest + 1))
    assert failure.metadata == {
        "revision": str(newest + 1),
        "newest_revision": str(newest),
    }
    refuses(INVALID, "REVISION_OUT_OF_RANGE", diff, client, base=at(1), target=at(-1))
    refuses_fields(["record"], diff, client, base=at(1), record="nonsense/")
    missing = {"base": at(1), "record": "persons/no-such"}
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", diff, client, **missing)
    for name in ("snapshots/gone", "snapshots/x"):
        refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", diff, client, base={"snapshot": name})
    refuses_fields(["base.snapshot"], diff, client, base={"snapshot": "gone"})
    assert diff(client, base=at(newest), record=source) == []


def test_a_token_goes_with_its_arguments(client: Client, world: World) -> None:
    for _ in range(3):
        person(client, new_id())
    page = call(client, HISTORY, "ListCommits", page_size=1)
    arguments = {"page_token": page.next_page_token, "actor": "somebody"}
    refuses(INVALID, "INVALID_PAGE_TOKEN", call, client, HISTORY, "ListCommits", **arguments)


def test_diff_of_the_store_page_by_page(client: Client, world: World) -> None:
    before = client.revision()
    names = sorted(person(client, new_id()).name for _ in range(7))
    gone = person(client, new_id("gone"))
    client.of("persons").delete(gone.name)
    client.of("persons").update(
        client.of("persons").resource.new(name=names[0], note="n"), update_mask=["note"]
    )
    found = diff(client, base=at(before), page_size=2)
    assert [c.name for c in found] == names  # what came and went is no difference
    assert {c.kind for c in found} == {1}
    assert "note" in {f.path for f in found[0].fields}
    back = diff(client, base=at(client.revision()), target=at(before), page_size=3)
    assert [(c.name, c.kind) for c in back] == [(name, 3) for name in names]
    # From the empty store: all that is.
    everything = call(client, HISTORY, "DiffRevisions", page_size=1)
    assert everything.base_revision == 0
    assert everything.changes[0].kind == 1


# --- snapshots ----------------------------------------------------------------------------------


def test_a_snapshot_for_ever(client: Client, world: World) -> None:
    made = person(client, new_id(), display_name="Made Up")
    named = snapshot(client, new_id("snap"), title="T", revision=made.revision)
    assert named.title == "T"
    lines = entries(client, named.name)
    text = "".join(f"{e.name} {e.revision} {e.leaf}\n" for e in lines)
    assert hashlib.sha256(text.encode()).hexdigest() == named.checksum == named.current_checksum
    assert [e.name for e in lines] == sorted(e.name for e in lines)
    assert named.record_count == len(lines)
    client.of("persons").delete(made.name)
    assert entries(client, named.name, page_size=3) == lines
    assert call(client, SNAPSHOTS, "GetSnapshot", name=named.name) == named


def test_bad_snapshots(client: Client, world: World) -> None:
    world.reference("sources")
    taken = new_id("snap")
    snapshot(client, taken)
    refuses(Code.ALREADY_EXISTS, "RECORD_EXISTS", snapshot, client, taken)
    refuses_fields(["snapshot_id"], snapshot, client, "")
    refuses_fields(["snapshot_id"], snapshot, client, "Ä")
    refuses_fields(["snapshot.name"], snapshot, client, new_id(), name="persons/x")
    late = {"revision": client.revision() + 1}
    refuses(INVALID, "REVISION_OUT_OF_RANGE", snapshot, client, new_id(), **late)
    refuses(INVALID, "LIMIT_EXCEEDED", snapshot, client, new_id(), title="x" * 1025)
    for method in ("GetSnapshot", "DeleteSnapshot", "ListSnapshotEntries"):
        refuses_fields(["name"], call, client, SNAPSHOTS, method, name="snapshots/")
        missing = {"name": "snapshots/no-such"}
        refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", call, client, SNAPSHOTS, method, **missing)
    refuses_fields(["at.snapshot"], client.of("sources").list, at={"snapshot": "nonsense"})
    missing = {"at": {"snapshot": "snapshots/no-such"}}
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", client.of("sources").list, **missing)


def test_a_snapshot_that_is_gone(client: Client, world: World) -> None:
    world.reference("sources")
    named = snapshot(client, new_id("snap"))
    gone = call(client, SNAPSHOTS, "DeleteSnapshot", name=named.name)
    assert gone.HasField("delete_time")
    read = {"at": {"snapshot": named.name}}
    failure = refuses(Code.NOT_FOUND, "SNAPSHOT_DELETED", client.of("sources").list, **read)
    assert failure.metadata["name"] == named.name
    by_name = {"name": named.name}
    for method in ("DeleteSnapshot", "ListSnapshotEntries"):
        refuses(Code.NOT_FOUND, "SNAPSHOT_DELETED", call, client, SNAPSHOTS, method, **by_name)
    assert call(client, SNAPSHOTS, "GetSnapshot", **by_name) == gone
    listed = call(client, SNAPSHOTS, "ListSnapshots", page_size=1000).snapshots
    assert named.name not in [s.name for s in listed]
    listed = call(client, SNAPSHOTS, "ListSnapshots", page_size=1000, show_deleted=True).snapshots
    assert gone in listed
    refuses(Code.ALREADY_EXISTS, "RECORD_EXISTS", snapshot, client, named.name.split("/")[1])


# --- review -------------------------------------------------------------------------------------


def test_review(records: Collection, its_world: World) -> None:
    made = records.create(its_world.least(records.resource), new_id())

    def move(state: int, **arguments: Any) -> Any:
        record = records.resource.new(name=made.name, review_state=state)
        return records.update(record, update_mask=["review_state"], **arguments)

    failure = refuses(Code.FAILED_PRECONDITION, "REVIEW_MOVE_NOT_ALLOWED", move, 3)
    assert failure.metadata == {"name": made.name, "from": "DRAFT", "to": "REVIEWED"}
    move(2)
    move(3)
    refuses(Code.FAILED_PRECONDITION, "REVIEW_MOVE_NOT_ALLOWED", move, 4)
    assert move(4, reason="another list has it otherwise").review_state == 4
    refuses_fields([f"{records.resource.singular}.review_state"], move, 99)


# --- erasure ------------------------------------------------------------------------------------


def erase(client: Client, *names: str, **arguments: Any) -> Any:
    return call(client, RECORDS, "EraseRecords", names=names, **arguments)


def test_erase(records: Collection, its_world: World) -> None:
    """Any record; whatever refers to it names it by its new id from then on, and before."""
    client = its_world.client
    record = its_world.least(records.resource)
    record.display_name = "Plainly Made Up"
    made = records.create(record, new_id("erase-me"), reason="why")
    statement = client.of("statements").resource.new()
    position = statement.positions.add(stance=1)
    position.about.append(made.name)
    said = client.of("statements").create(statement, new_id())
    would = erase(client, made.name, validate_only=True)
    assert not would.names
    assert would.rewritten_count == 1
    assert not would.mentions
    answer = erase(client, made.name, reason="asked for", request_id=made.uid)
    assert answer.rewritten_count == 1
    assert erase(client, made.name, request_id=made.uid).names == answer.names
    (name,) = answer.names
    assert re.fullmatch(f"{records.resource.collection}/erased-[a-z2-7]{{26}}", name)
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.get, made.name)
    for revision in (None, made.revision, said.revision):
        arguments = {} if revision is None else {"at": at(revision)}
        left = records.get(name, **arguments)
        assert left.HasField("delete_time")
        assert left.uid != made.uid
        assert left.display_name == ""
    for arguments in ({}, {"at": at(said.revision)}):
        read = client.of("statements").get(said.name, **arguments)
        assert list(read.positions[0].about) == [name]
    assert made.name not in [r.name for r in records.pages(page_size=1000)]
    assert name not in [r.name for r in records.pages(page_size=1000, at=at(said.revision))]
    commit = call(client, HISTORY, "GetCommit", name=f"commits/{answer.revision}")
    assert commit.reason == "asked for"
    assert [(c.name, c.kind) for c in commit.changes] == [(name, 6)]
    assert call(client, HISTORY, "GetCommit", name=f"commits/{made.revision}").reason == ""
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", records.undelete, name)
    record.name = ""
    failure = refuses(
        Code.ALREADY_EXISTS, "RECORD_EXISTS", records.create, record, name.split("/")[1]
    )
    assert failure.metadata["state"] == "erased"


def test_erase_refuses(client: Client, world: World) -> None:
    made = person(client, new_id(), display_name="Plainly Made Up Too")
    before = client.revision()
    refuses_fields(["names"], erase, client)
    refuses_fields(["names[1]"], erase, client, made.name, "nonsense")
    refuses_fields(["names"], erase, client, made.name, made.name)
    refuses_fields(["reason"], erase, client, made.name, reason="of Plainly Made Up Too")
    refuses_fields(["reason"], erase, client, made.name, reason="x" * 4097)
    refuses_fields(["request_id"], erase, client, made.name, request_id="x" * 65)
    refuses(INVALID, "LIMIT_EXCEEDED", erase, client, *[f"persons/p{i}" for i in range(101)])
    refuses(Code.NOT_FOUND, "RECORD_NOT_FOUND", erase, client, "persons/no-such", made.name)
    assert client.revision() == before
    assert client.of("persons").get(made.name) == made


def test_a_token_whose_last_record_was_erased(client: Client, world: World) -> None:
    persons = client.of("persons")
    made = [person(client, new_id("page")) for _ in range(3)]
    first = persons.list(page_size=1000)
    everything = list(first.persons)
    place = next(i for i, r in enumerate(everything) if r.name == made[1].name)
    page = persons.list(page_size=place + 1)
    assert page.persons[-1].name == made[1].name
    erase(client, made[1].name)
    failure = failing(persons.list, page_token=page.next_page_token)
    assert (failure.code, failure.reason) == (Code.ABORTED, "PAGE_TOKEN_EXPIRED")
    # One in the middle of the page before does no harm.
    again = persons.list(page_size=place + 1)
    assert again.persons[-1].name == made[2].name
    erase(client, made[0].name)
    assert persons.list(page_token=again.next_page_token, page_size=1000)


@pytest.mark.parametrize("method", ["GetCommit", "ListCommits", "DiffRevisions"])
def test_history_needs_no_content_type_of_its_own(client: Client, method: str) -> None:
    """Garbage is told from a message."""
    descriptor = client.contract.pool.FindServiceByName(HISTORY).methods_by_name[method]
    refuses(INVALID, "MALFORMED_REQUEST", client.raw(descriptor), b"\xff\xff\xff", timeout=30)
