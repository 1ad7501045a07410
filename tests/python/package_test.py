"""The package `detente`, over a store in this process and over a server alike."""

import copy
import datetime
import pickle
import re
import threading
from pathlib import Path
from typing import Any

import detente
import pytest
from detente import _contract, loading
from detente._contract import Method
from detente._session import Session
from google.protobuf.message import Message
from wire.process import Server

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"
COLLECTIONS = list(_contract.resources())


def fill(db: detente.Database, count: int) -> None:
    for start in range(0, count, 1000):
        with db.batch() as batch:
            for number in range(start, min(start + 1000, count)):
                batch.persons.create(id=f"p{number:05}", display_name=f"Person {number}")


def test_a_record_comes_back_as_it_was_written(db: detente.Database) -> None:
    written = db.releases.create(
        detente.Release(display_name="Pardon of 52"),
        id="by-2025-09-11",
        effective_date="2025-09-11",
        headcount=52,
        mechanism="PARDON",
        group_counts=[{"keys": [{"dimension": "NATIONALITY", "value": "LT"}], "count": 6}],
    )
    assert written.name == "releases/by-2025-09-11"
    assert written.effective_date.edtf == "2025-09-11"
    assert written.effective_date.earliest.day == 11
    assert written.group_counts[0].count.best == 6
    assert written.unnamed_remainder.total.best == 52
    for name in ("by-2025-09-11", "releases/by-2025-09-11"):
        assert db.releases.get(name) == written
    assert db.releases.get("by-2025-09-11", read_mask=["note", "headcount"]) == detente.Release(
        headcount=detente.Estimate(best=52)
    )


def test_arguments_are_not_changed(db: detente.Database) -> None:
    given = detente.Person(display_name="A")
    kept = copy.deepcopy(given)
    created = db.persons.create(given, id="a", note="n")
    assert given == kept
    kept = copy.deepcopy(created)
    db.persons.update(created, note="m")
    assert created == kept


def test_update_writes_what_it_is_told(db: detente.Database) -> None:
    first = db.persons.create(id="a", display_name="A", note="n", labels={"k": "v"})

    by_keyword = db.persons.update(first, note="m", reason="why")
    assert (by_keyword.note, by_keyword.display_name, by_keyword.revision) == ("m", "A", 2)

    by_name = db.persons.update("a", birth_date="1962", note=None)
    assert (by_name.note, by_name.birth_date.edtf, by_name.display_name) == ("", "1962", "A")

    by_name.ClearField("labels")
    by_name.display_name = "B"
    whole = db.persons.update(by_name)
    assert not whole.labels
    assert whole.display_name == "B"

    whole.display_name = "C"
    whole.note = "not sent"
    masked = db.persons.update(whole, update_mask="display_name")
    assert (masked.display_name, masked.note) == ("C", "")

    made = db.persons.update(detente.Person(name="persons/b", note="x"), allow_missing=True)
    assert made.revision == masked.revision + 1

    same = db.persons.update(made)
    assert same == made
    assert db.revision == made.revision


def test_a_stale_record_is_a_conflict(db: detente.Database) -> None:
    stale = db.persons.create(id="a", display_name="A")
    fresh = db.persons.update(stale, note="m")
    for write in (
        lambda: db.persons.update(stale, note="x"),
        lambda: db.persons.update(stale),
        lambda: db.persons.delete(stale),
    ):
        with pytest.raises(detente.ConflictError) as caught:
            write()
        assert caught.value.reason == "ETAG_MISMATCH"
        assert caught.value.metadata["etag"] == fresh.etag
    stale.etag = ""
    assert db.persons.update(stale).note == ""


def test_delete_and_undelete(db: detente.Database) -> None:
    db.persons.create(id="a", display_name="A")
    assert db.persons.delete("a", validate_only=True).name == "persons/a"
    deleted = db.persons.delete("a", reason="twice")
    assert deleted.HasField("delete_time")
    assert db.persons.get("a") == deleted
    assert not db.persons.list()
    assert db.persons.list(show_deleted=True).one() == deleted
    with pytest.raises(detente.NotFoundError):
        db.persons.delete("a")
    assert not db.persons.undelete(deleted).HasField("delete_time")
    with pytest.raises(detente.AlreadyExistsError) as caught:
        db.persons.undelete("a")
    assert caught.value.reason == "RECORD_NOT_DELETED"


def test_references_hold_records(db: detente.Database) -> None:
    db.persons.create(id="a", display_name="A")
    db.releases.create(id="r", participants=[{"id": "p", "person": "persons/a"}])
    with pytest.raises(detente.FailedPreconditionError) as caught:
        db.persons.delete("a")
    assert caught.value.reason == "RECORD_REFERENCED"
    assert "releases/r" in str(caught.value)
    assert db.persons.delete("a", force=True).HasField("delete_time")
    with pytest.raises(detente.FailedPreconditionError) as caught:
        db.releases.create(id="s", participants=[{"id": "p", "person": "persons/nobody"}])
    [violation] = caught.value.precondition_violations
    assert violation.subject == 'release.participants["p"].person'
    assert "persons/nobody" in violation.description


def test_lists_are_lazy_and_start_anew(db: detente.Database) -> None:
    people = db.persons.list(page_size=7)
    assert list(people) == []
    fill(db, 25)
    ids = [f"persons/p{number:05}" for number in range(25)]
    assert [person.name for person in people] == ids
    assert [person.name for person in people] == ids
    assert people.count() == 25
    assert [person.name for person in people.limit(9)] == ids[:9]
    assert people.limit(9).limit(20).count() == 9
    assert list(people.limit(0)) == []
    first = people.first()
    assert first is not None
    assert first.name == ids[0]
    assert bool(people)
    with pytest.raises(detente.FailedPreconditionError, match=r"p00000 and persons/p00001"):
        people.one()
    with pytest.raises(detente.NotFoundError):
        db.releases.list().one()
    assert db.releases.list().first() is None
    with pytest.raises(detente.InvalidArgumentError, match="limit"):
        people.limit(-1)


@pytest.mark.parametrize("page_size", [0, 10])
def test_one_walk_sees_one_revision(db: detente.Database, page_size: int) -> None:
    fill(db, 120)
    walk = iter(db.persons.list(page_size=page_size))
    seen = [next(walk).name]
    db.persons.delete("p00110")
    db.persons.create(id="p00111x", display_name="late")
    db.persons.update("p00112", note="late")
    rest = list(walk)
    seen += [person.name for person in rest]
    assert seen == [f"persons/p{number:05}" for number in range(120)]
    assert not any(person.note for person in rest)


def test_get_many_is_in_order_at_one_revision(db: detente.Database) -> None:
    fill(db, 250)
    names = [f"p{number:05}" for number in reversed(range(250))]
    assert [person.name for person in db.persons.get_many(names)] == [
        f"persons/{name}" for name in names
    ]
    assert db.persons.get_many([]) == []
    with pytest.raises(detente.NotFoundError, match="nobody"):
        db.persons.get_many(["p00001", "nobody"])
    with pytest.raises(detente.InvalidArgumentError, match="names"):
        db.persons.get_many("p00001")


def test_get_many_reads_one_revision(db: detente.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(db, 150)
    call = Session.call

    def call_and_write(self: Session, method: Method, request: Message) -> Any:
        answer = call(self, method, request)
        if "BatchGet" in method.path:
            monkeypatch.undo()
            db.persons.update("p00149", note="late")
        return answer

    monkeypatch.setattr(Session, "call", call_and_write)
    found = db.persons.get_many([f"p{number:05}" for number in range(150)])
    assert [person.note for person in found if person.note] == []
    assert db.persons.get("p00149").note == "late"


def test_get_many_takes_records_larger_than_one_answer(db: detente.Database) -> None:
    note = "x" * 60_000
    for number in range(60):
        db.sources.create(id=f"s{number}", title=f"S{number}", note=note)
    found = db.sources.get_many([f"s{number}" for number in range(60)])
    assert [source.title for source in found] == [f"S{number}" for number in range(60)]


def test_the_past_can_be_read(db: detente.Database) -> None:
    assert db.revision == 0
    db.persons.create(id="a", display_name="A")
    db.persons.update("a", display_name="B")
    db.persons.create(id="b", display_name="other")
    db.persons.delete("a")
    assert db.revision == 4
    past = db.at(2)
    assert past.revision == 2
    assert past.persons.get("a").display_name == "B"
    assert [person.display_name for person in past.persons.list()] == ["B"]
    assert [person.display_name for person in past.persons.get_many(["a"])] == ["B"]
    assert [person.revision for person in past.persons.revisions("a")] == [2, 1]
    assert [person.revision for person in db.persons.revisions("a")] == [4, 2, 1]
    assert db.persons.get("a@1").display_name == "A"
    assert db.persons.get("persons/a@2").display_name == "B"
    with pytest.raises(detente.NotFoundError):
        db.at(1).persons.get("b")
    with pytest.raises(detente.InvalidArgumentError) as caught:
        db.persons.get("a@9")
    assert caught.value.reason == "REVISION_OUT_OF_RANGE"
    for wrong in ("a@x", "a@-1", "a@"):
        with pytest.raises(detente.InvalidArgumentError, match="whole number"):
            db.persons.get(wrong)
    with pytest.raises(detente.InvalidArgumentError, match="has a revision already"):
        past.persons.get("a@1")
    with pytest.raises(AttributeError):
        past.persons.create  # type: ignore[attr-defined] # noqa: B018


def test_a_batch_is_one_commit_or_none(db: detente.Database) -> None:
    for name in ("old", "gone"):
        db.persons.create(id=name, display_name=name)
    with db.batch(reason="both ends") as batch:
        batch.releases.create(id="r", participants=[{"person": "persons/new"}])
        batch.persons.create(detente.Person(display_name="new"), id="new")
        batch.persons.update("old", note="seen")
        batch.persons.delete("gone")
        assert len(batch) == 4
        assert batch.results == []
    assert db.revision == batch.revision == 3
    assert [result.name for result in batch.results] == [
        "releases/r",
        "persons/new",
        "persons/old",
        "persons/gone",
    ]
    assert {result.revision for result in batch.results} == {3}

    batch = db.batch()
    batch.persons.undelete("gone")
    batch.releases.update("r", headcount={"low": 5, "best": 1})
    with pytest.raises(detente.InvalidArgumentError) as caught, batch:
        pass
    assert caught.value.field_violations[0].field == "operations[1].update.record.headcount.low"
    assert db.persons.get("gone").HasField("delete_time")

    batch = db.batch()
    batch.persons.create(id="never", display_name="never")
    with pytest.raises(RuntimeError), batch:
        raise RuntimeError
    with db.batch() as batch:
        pass
    assert batch.results == []
    with db.batch(validate_only=True) as batch:
        batch.persons.create(id="checked", display_name="checked")
    assert db.revision == 3


def test_a_repeated_request_is_answered_and_not_applied(db: detente.Database) -> None:
    first = db.persons.create(id="a", display_name="A", request_id="one")
    assert db.persons.create(id="a", display_name="A", request_id="one") == first
    assert db.revision == 1
    with pytest.raises(detente.InvalidArgumentError) as caught:
        db.persons.create(id="a", display_name="B", request_id="one")
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_errors_name_the_argument(db: detente.Database) -> None:
    cases = {
        "name: 'persons/a' is not one of releases": lambda: db.releases.get("persons/a"),
        "an id or a name expected": lambda: db.releases.get(7),  # type: ignore[arg-type]
        "did you mean headcount": lambda: db.releases.create(id="a", headcont=5),
        "mechanism: .*PARDN": lambda: db.releases.create(id="a", mechanism="PARDN"),
        "effective_date: ": lambda: db.releases.create(id="a", effective_date=2025),
        "detente.Release expected, not Person": lambda: db.releases.create(detente.Person()),  # type: ignore[arg-type]
        "release_id": lambda: db.releases.create(id="A B"),
        "it has no name": lambda: db.releases.update(detente.Release(note="x")),
        "give the fields to write": lambda: db.releases.update("a"),
        "page_size": lambda: list(db.releases.list(page_size=-1)),
        "page_size: .*out of range": lambda: list(db.releases.list(page_size=2**31)),
        "has no time zone": lambda: db.at(datetime.datetime(2025, 1, 1)),
        "no collection 'release'; did you mean releases": lambda: db.collection("release"),
        "update_mask.*nowhere": lambda: db.releases.update(
            detente.Release(name="releases/a"), update_mask="nowhere"
        ),
    }
    for pattern, call in cases.items():
        with pytest.raises(detente.InvalidArgumentError, match=pattern) as caught:
            call()
        assert caught.value.field_violations, pattern
        assert isinstance(caught.value, ValueError)
    assert db.revision == 0


def test_every_violation_is_reported(db: detente.Database) -> None:
    with pytest.raises(detente.InvalidArgumentError) as caught:
        db.releases.create(
            id="a", effective_date="2025-13", headcount={"low": 2, "best": 1}, participants=[{}]
        )
    assert {field for field, _ in caught.value.field_violations} >= {
        "release.effective_date.edtf",
        "release.headcount.low",
    }
    assert len(str(caught.value).splitlines()) >= 2


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_collection_has_every_method(db: detente.Database, collection: str) -> None:
    loading.load(db, [SAMPLES])
    records = db.collection(collection)
    record = records.list().first()
    name = record.name
    assert isinstance(record, getattr(detente, _contract.resources()[collection].type_name))
    assert records.get(name) == record
    assert records.get_many([name]) == [record]
    updated = records.update(record, note="seen")
    assert updated.note == "seen"
    assert records.delete(updated, force=True).HasField("delete_time")
    assert records.undelete(name).note == "seen"
    assert [r.revision for r in records.revisions(name)] == [4, 3, 2, 1]
    record = records.get(name)
    record.ClearField("name")
    assert records.create(record, id="a-copy").name == f"{collection}/a-copy"
    with db.batch() as batch:
        batch.collection(collection).update("a-copy", note="batched")
    assert records.get("a-copy").note == "batched"
    assert getattr(db.at(1), collection).get(name).note != "seen"
    assert collection in dir(db)
    assert collection in dir(db.at(1))
    assert collection in dir(batch)


def history(db: detente.Database) -> list[str]:
    """What a run of calls answers, in words."""
    told: list[str] = []

    def tell(call: object) -> None:
        try:
            told.append(repr(call()))  # type: ignore[operator]
        except detente.Error as error:
            told.append(f"{type(error).__name__} {error} {error.reason} {error.metadata}")

    tell(lambda: loading.load(db, [SAMPLES], reason="history"))
    for collection in COLLECTIONS:
        records = db.collection(collection)
        tell(lambda records=records: list(records.list(page_size=13)))
        name = records.list().first().name
        tell(lambda records=records, name=name: records.update(name, note="n", reason="r"))
        tell(lambda records=records, name=name: records.delete(name))
        tell(lambda records=records, name=name: list(records.revisions(name)))
        tell(lambda records=records: records.get("nowhere"))
        tell(lambda records=records: records)
        tell(lambda records=records: records.list())
    tell(lambda: db.releases.update("by-2025-12-13", headcount={"low": 3, "high": 1}))
    tell(lambda: db.releases.create(id="x", participants=[{"id": "p", "person": "persons/no"}]))
    tell(lambda: db.at(5).persons.get_many(["donald-trump", "nobody"]))
    tell(lambda: list(db.persons.list("x = 1")))
    tell(lambda: db.revision)
    return told


def test_both_ways_answer_alike(tmp_path: Path) -> None:
    answers = []
    server = Server(tmp_path / "remote.db")
    for how, argument in ((detente.connect, server.address), (detente.open, ":memory:")):
        with how(argument) as db:
            answers.append(history(db))
    server.close()
    plain = [
        [
            re.sub(
                r"[0-9a-f]{8}-[0-9a-f-]{27}|(seconds|nanos): \d+|detente\.(open|connect)\('[^']*'\)"
                r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|id: \"[a-z0-9]{10}\"",
                "#",
                text,
            )
            for text in told
        ]
        for told in answers
    ]
    assert len(plain[0]) > 80
    for remote, embedded in zip(*plain, strict=True):
        assert remote == embedded


def test_records_are_values(db: detente.Database) -> None:
    record = db.persons.create(id="a", names=[{"full": "Алесь", "script_code": "Cyrl"}])
    assert copy.deepcopy(record) == record
    assert pickle.loads(pickle.dumps(record)) == record
    assert "Алесь" in str(record)
    again = detente.from_dict(detente.Person, detente.to_dict(record))
    assert again == record
    assert (
        detente.Release(effective_date=detente.Date("2025-12?")).effective_date.edtf == "2025-12?"
    )


def test_nothing_prints_as_an_address(db: detente.Database) -> None:
    fill(db, 3)
    view = db.at(1)
    batch = db.batch()
    for thing in (db, view, db.persons, view.persons, db.persons.list(), batch, batch.persons):
        assert " object at 0x" not in repr(thing)
    assert repr(db.persons).endswith(".persons")
    assert "p00002" in repr(db.persons.list())
    assert "<td>Person 2</td>" in db.persons.list()._repr_html_()
    assert repr(db.releases.list()) == "releases: none"
    assert "filter" in repr(db.persons.list("a = 1"))


def test_a_closed_database_says_so(db: detente.Database) -> None:
    assert not db.closed
    db.close()
    db.close()
    assert db.closed
    with pytest.raises(detente.FailedPreconditionError, match="closed"):
        db.persons.get("a")
    assert "closed" in repr(db.persons.list())


def test_threads_share_a_database(db: detente.Database) -> None:
    wrong: list[Exception] = []

    def write(thread: int) -> None:
        try:
            for number in range(20):
                db.persons.create(id=f"t{thread}-{number}", display_name="x")
                db.persons.get(f"t{thread}-{number}")
        except detente.Error as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert db.persons.list().count() == 100
    assert db.revision == 100


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(detente.NotFoundError, match=r"typo\.db"):
        detente.open(tmp_path / "typo.db")
    assert not list(tmp_path.iterdir())


def test_one_writer_at_a_time_and_readers_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with detente.open(path, create=True) as writer:
        writer.persons.create(id="a", display_name="A")
        with pytest.raises(detente.FailedPreconditionError) as caught:
            detente.open(path)
        assert caught.value.reason == "STORE_LOCKED"
        with detente.open(path, read_only=True) as reader:
            assert reader.persons.get("a").display_name == "A"
            writer.persons.create(id="b", display_name="B")
            assert reader.persons.get("b").display_name == "B"
            with pytest.raises(detente.FailedPreconditionError) as caught:
                reader.persons.create(id="c", display_name="C")
            assert caught.value.reason == "STORE_READ_ONLY"
    with detente.open(path) as again:
        assert again.revision == 2


def test_a_server_that_is_not_there() -> None:
    with detente.connect("localhost:1", timeout=1) as db, pytest.raises(detente.Error) as caught:
        db.persons.get("a")
    assert isinstance(caught.value, detente.UnavailableError | detente.DeadlineExceededError)
    assert "localhost:1" in str(caught.value)
