"""Records for the benchmarks. Nothing in them is true."""

import pathlib

import detente


def release(number: int) -> detente.Release:
    """About 1 KB of a release, as a server answers it."""
    return detente.Release(
        display_name=f"Invented release {number}",
        region_code="BY",
        announce_date={"edtf": "2025-12-13"},
        effective_date={"edtf": "2025-12~"},
        announced_by={"description": "an invented office"},
        stated_reasons=["an invented reason", "another invented reason"],
        mechanism=detente.Release.PARDON,
        headcount={"best": 50 + number % 50, "text": "some fifty persons"},
        transfers=[
            {
                "id": "bus",
                "date": {"edtf": "2025-12-14"},
                "origin": {"display_name": "Invented Town", "region_code": "BY"},
                "destination": {"display_name": "Another Invented Town", "region_code": "LT"},
                "count": {"best": 40},
                "description": "by bus over an invented crossing",
            }
        ],
        group_counts=[
            {
                "id": "foreign",
                "keys": [
                    {"id": "k", "dimension": detente.GroupCount.Key.NATIONALITY, "value": "LT"}
                ],
                "count": {"best": 5},
            }
        ],
        labels={"purpose": "benchmark"},
        note="Made up for a benchmark; no such release is known to anybody. " * 8,
    )


def fill(path: pathlib.Path, count: int) -> None:
    """A new store with releases `r-0`, `r-1` …"""
    with detente.open(path, create=True) as db:
        for first in range(0, count, 500):
            with db.batch() as batch:
                for number in range(first, min(first + 500, count)):
                    batch.releases.create(release(number), id=f"r-{number}")


def check_equal(stored: detente.Release, number: int) -> bool:
    """Whether the record is the one that was written, but for what the server adds."""
    mine = release(number)
    theirs = detente.Release()
    theirs.CopyFrom(stored)
    for field in ("name", "uid", "etag", "revision", "create_time", "review_state", "visibility"):
        theirs.ClearField(field)
    theirs.ClearField("update_time")
    theirs.ClearField("unnamed_remainder")
    for date in (theirs.announce_date, theirs.effective_date, theirs.transfers[0].date):
        edtf = date.edtf
        date.Clear()
        date.edtf = edtf
    return bool(mine == theirs and stored.name == f"releases/r-{number}")
