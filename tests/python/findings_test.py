"""What the checks say of the founding case, to the letter."""

from pathlib import Path
from typing import Any

import detente
from detente import loading
from detente.v1 import finding_pb2, record_service_pb2

FOLDER = Path(__file__).parents[2] / "samples/belarus-2025"
LIST_FINDINGS = "/detente.v1.RecordService/ListFindings"


def findings(db: Any) -> list[str]:
    answer = db._session.connection.call(LIST_FINDINGS, b"")
    response = record_service_pb2.ListFindingsResponse.FromString(answer)
    assert not response.next_page_token
    return [
        f"{f.check}: {finding_pb2.Finding.Severity.Name(f.severity)}: {f.description}: "
        + ", ".join(f"{spot.name} {spot.path}" for spot in f.locations)
        for f in response.findings
    ]


def test_founding_case() -> None:
    with detente.open(":memory:", create=True) as db:
        loading.load(db, [FOLDER])
        # The source gives all three numbers, as the tally's note says.
        assert findings(db) == [
            "groups-do-not-sum: WARNING: groups by GENDER sum to 1136, more than the count of "
            "1135: tallies/by-held-2025-12-23 count, "
            'tallies/by-held-2025-12-23 group_counts["men"].count, '
            'tallies/by-held-2025-12-23 group_counts["women"].count'
        ]


def test_what_breaks_in_it_is_found() -> None:
    """One slip for each check, as a documenter makes it."""
    with detente.open(":memory:", create=True) as db:
        loading.load(db, [FOLDER])
        known = findings(db)

        spell = db.detentions.get("ales-bialiatski-2021")
        spell.end_date.edtf = "2025-12-14"
        spell.previous = ""
        db.detentions.update(spell, update_mask="*")

        release = db.releases.get("by-2026-03")
        release.headcount.best = 249
        db.releases.update(release, update_mask="*")

        tally = db.tallies.get("by-pardoned-2025-11-2025-12")
        tally.count.best = 157
        db.tallies.update(tally, update_mask="*")

        promise = db.commitments.get("us-fifty-more")
        promise.due_date.edtf = "2025-12-31"
        db.commitments.update(promise, update_mask="*")

        db.persons.delete("henryk-okolotowicz", force=True)

        assert [f for f in findings(db) if f not in known] == [
            "detention-status: WARNING: persons/ales-bialiatski was freed on 2025-12-13, but "
            "detentions/ales-bialiatski-2021 ended on 2025-12-14: releases/by-2025-12-13 "
            'participants["bialiatski"].outcomes["freed"].date, '
            "detentions/ales-bialiatski-2021 end_date",
            "re-arrest-chain: WARNING: persons/ales-bialiatski was held before, in "
            "detentions/ales-bialiatski-2011, but previous is empty: "
            "detentions/ales-bialiatski-2021 previous, detentions/ales-bialiatski-2011 start_date",
            "groups-do-not-sum: WARNING: groups by DESTINATION sum to 250, more than the headcount "
            "of 249: releases/by-2026-03 headcount, releases/by-2026-03 "
            'group_counts["in-belarus"].count, releases/by-2026-03 group_counts["to-lt"].count',
            "tally-components: WARNING: components sum to 156, less than the count of 157: "
            "tallies/by-pardoned-2025-11-2025-12 count, releases/by-2025-11-20 headcount, "
            "releases/by-2025-11-22 headcount, releases/by-2025-12-13 headcount",
            "dangling-references: WARNING: persons/henryk-okolotowicz is deleted: "
            'releases/by-2025-11-20 participants["okolotowicz"].person',
            "overdue-commitments: NOTE: was due by 2025-12-31, and nobody has assessed it: "
            "commitments/us-fifty-more due_date, commitments/us-fifty-more assessments",
        ]
