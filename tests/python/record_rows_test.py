"""Records as lines and columns, made in C++: the same as Python makes of their messages."""

import csv
import datetime
import hashlib
import io
import json
import math
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detente
import pytest
from detente import _core, check_snapshot, columns, exporting, loading, records, testing

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"
ODD = 'T, "x"\n=1\t\x00\x1f\x7f\u2028\\/ ü 😀'


def odd_records() -> Iterator[Any]:
    """What a store need not take: all texts, numbers at their edges, empty messages."""
    yield detente.Person()
    yield detente.Person(display_name=ODD, labels={ODD: ODD, "a": "", "\ue000": "x"})
    yield detente.Person(note="\r", names=[{}, {"full": ODD, "preferred": True}, {}])
    yield detente.Release(headcount={"best": 0}, effective_date={}, unnamed_remainder={})
    yield detente.Release(participants=[{"outcomes": [{}, {"date": {"edtf": "2025~"}}]}])
    yield detente.Person(birth_date={"earliest": {"year": 987, "month": 2, "day": 28}})
    yield detente.Person(gender=77, create_time={"seconds": -62135596800, "nanos": 1_000})
    chance = random.Random(7)
    reals = [53.0, -0.0, 0.1, 1e-4, 1.5e-5, 1e15, 1e16, 1e21, 5e-324, float("nan"), float("inf")]
    reals += [struct.unpack("d", chance.randbytes(8))[0] for _ in range(500)]
    for real in reals:
        yield detente.Person(birth_place={"location": {"latitude": real}})


@pytest.fixture(scope="module")
def made() -> list[Any]:
    with detente.open(":memory:", create=True) as db:
        testing.fill(db, persons=100, seed=3)
        loading.load(db, [SAMPLES])
        stored = [r for name in records.COLLECTIONS for r in db.collection(name).list()]
    return [*stored, *odd_records()]


def of(record: Any) -> tuple[str, bytes]:
    return record.DESCRIPTOR.full_name, record.SerializeToString()


def test_lines_are_proto_json(made: list[Any]) -> None:
    for record in made:
        line = _core.json_line(*of(record))
        plain = records.to_dict(record)
        if "labels" in plain:  # whose order is a message's own affair
            assert list(json.loads(line)["labels"]) == sorted(plain["labels"])
            plain["labels"] = dict(sorted(plain["labels"].items()))
        assert line == json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def test_a_leaf_is_that_of_the_content(made: list[Any]) -> None:
    for record in made:
        text = check_snapshot.canonical(exporting.content(record))
        assert exporting.leaf(record) == hashlib.sha256(text.encode()).hexdigest(), record


def test_lines_of_csv_are_flat_rows(made: list[Any]) -> None:
    for record in made:
        wanted = columns.flat_columns(record.DESCRIPTOR)
        kind, content = of(record)
        found = _core.Rows(kind, [column.name for column in wanted], True).csv([content])
        if record.DESCRIPTOR.name == "Person" and record.gender == 77:
            record.gender = 0  # in columns what the contract does not name is null
        row = [cell(value) for value in columns.row(record, wanted)]
        [read] = csv.reader(io.StringIO(found, newline=""))
        assert read == row
        plain = io.StringIO(newline="")
        csv.writer(plain, lineterminator="\n").writerow(row)
        assert found == plain.getvalue() or "\r" in found  # older Pythons leave that bare


def test_an_empty_cell_alone_is_a_row() -> None:
    rows = _core.Rows("detente.v1.Person", ["note"], True)
    assert rows.csv([b"", detente.Person(note="a").SerializeToString()]) == '""\na\n'


def test_what_is_no_record() -> None:
    with pytest.raises(ValueError, match=r"x\.Y: no message of ours"):
        _core.Rows("x.Y", [], False)
    with pytest.raises(ValueError, match="columns"):
        _core.Rows("detente.v1.Person", ["nam"], False)
    rows = _core.Rows("detente.v1.Person", [], False)
    for call in rows.arrow, rows.csv:
        with pytest.raises(ValueError, match="no detente"):
            call([b"", b"\xff"])
    with pytest.raises(ValueError, match="no detente"):
        _core.leaf("detente.v1.Person", b"\xff")
    assert rows.csv([]) == ""


def cell(value: Any) -> str:
    """The text of a cell, as docs/export.md has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return json_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "INF", "-inf": "-INF"}[str(value)]  # as CSVW has them
    return value if isinstance(value, str) else time_of(value) or repr(value)


def json_of(value: list[Any]) -> str:
    if not value:
        return ""
    plain = dict(value) if isinstance(value[0], tuple) else [what_is_set(item) for item in value]
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), default=time_of)


def what_is_set(value: Any) -> Any:
    if isinstance(value, list):
        return [what_is_set(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: what_is_set(item) for name, item in value.items()}
    return {n: v for n, v in found.items() if not (v is None or v is False or v in ("", [], {}))}


def time_of(value: Any) -> str | None:
    if not isinstance(value, datetime.date):
        return None
    return value.isoformat().replace("+00:00", "Z")
