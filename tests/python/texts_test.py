"""Half a character in an argument: UTF-8 has no bytes for it, so it is told before any call."""

from collections.abc import Callable
from typing import Any

import detente
import pytest
from detente import _contract
from python import fake

HALF = "a\ud800b"


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("filter", lambda db: db.persons.list(f'name = "{HALF}"')),
        ("filter", lambda db: db.persons.list(HALF, explain=True)),
        ("where['note']", lambda db: db.persons.list(where={"note": HALF})),
        ("order_by", lambda db: db.persons.list(order_by=HALF)),
        ("read_mask", lambda db: db.persons.list(read_mask=["name", HALF])),
        ("as_told_by", lambda db: db.persons.list(as_told_by=HALF)),
        ("as_told_by", lambda db: db.as_told_by(HALF)),
        ("snapshot", lambda db: db.at(HALF)),
        ("name", lambda db: db.persons.get(HALF)),
        ("name", lambda db: db.persons.get_many(["x", HALF])),
        ("name", lambda db: db.persons.revisions(HALF)),
        ("fields[1]", lambda db: db.persons.evidence("x", "note", HALF)),
        ("id", lambda db: db.persons.create(id=HALF)),
        ("display_name", lambda db: db.persons.create(display_name=HALF)),
        ("names", lambda db: db.persons.create(names=[{"full": HALF}])),
        ("birth_date", lambda db: db.persons.create(birth_date=HALF)),
        ("request_id", lambda db: db.persons.create(request_id=HALF)),
        ("update_mask", lambda db: db.persons.update("x", update_mask=HALF, note="")),
        ("reason", lambda db: db.persons.delete("x", reason=HALF)),
        ("reason", lambda db: db.persons.erase("x", reason=HALF)),
        ("reason", lambda db: db.batch(reason=HALF)),
        ("id", lambda db: db.batch().persons.create(id=HALF)),
        ("name", lambda db: db.batch().persons.update(HALF, note="")),
        ("query", lambda db: db.search(HALF)),
        ("collections[0]", lambda db: db.search("x", collections=HALF)),
        ("collection", lambda db: db.aggregate(HALF)),
        ("by", lambda db: db.aggregate("persons", by=["gender", HALF])),
        ("measures[1]", lambda db: db.aggregate("persons", measures=["count", f"sum({HALF})"])),
        ("by", lambda db: db.stock("detentions", "2025-01-01", "2025-02-01", by=HALF)),
        ("start_path", lambda db: db.stock("detentions", "2025-01-01", "2025-02-01", start=HALF)),
        ("record", lambda db: db.neighbors(f"persons/{HALF}")),
        ("record", lambda db: db.diff(0, record=f"persons/{HALF}")),
        ("actor", lambda db: db.commits.list(actor=HALF)),
        ("checks[0]", lambda db: db.findings(HALF)),
        ("id", lambda db: db.snapshots.create(HALF)),
        ("title", lambda db: db.snapshots.create("x", title=HALF)),
        ("snapshot", lambda db: db.snapshots.get(HALF)),
        ("path", lambda _: detente.open(HALF)),
        ("actor", lambda _: detente.open(":memory:", create=True, actor=HALF)),
        ("target", lambda _: detente.connect(HALF)),
        ("token", lambda _: detente.connect("localhost:1", token=HALF)),
    ],
)
def test_it_names_the_argument(argument: str, call: Callable[[detente.Database], Any]) -> None:
    db, requests = fake.database()
    with pytest.raises(detente.InvalidArgumentError) as raised:
        call(db)
    assert [violation.field for violation in raised.value.field_violations] == [argument]
    assert str(raised.value).startswith(f"{argument}: ")
    assert "half a character" in str(raised.value) or "surrogate" in str(raised.value)
    str(raised.value).encode()  # it can be printed
    assert requests == []


def test_whole_characters_are_taken() -> None:
    method = _contract.resources()["persons"].list
    assert method.request(filter='name = "\U0001f54a"').filter == 'name = "\U0001f54a"'
    with pytest.raises(TypeError):
        method.request(filter=1)
