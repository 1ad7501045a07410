"""Commits, the history of a record, differences, rollback, review and erasure."""

import datetime
from typing import Any

import detente
import pytest
from python import fake

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def change(path: str, kind: str, old: str = "", new: str = "") -> Any:
    return detente.FieldChange(path=path, kind=kind, old_value=old, new_value=new)


@pytest.fixture
def commit() -> Any:
    made = detente.Commit(
        name="commits/12",
        revision=12,
        actor="Ada Ł.",
        reason="the list of\nthe NGO",
        method="detente.v1.ReleaseService.UpdateRelease",
        changes=[
            detente.RecordChange(
                name="releases/r",
                kind="UPDATED",
                fields=[
                    change("headcount", "CHANGED", '{"best":"123"}', '{"best":"124"}'),
                    change("note", "ADDED", new='"<b>x"'),
                    change('labels["k"]', "REMOVED", old='"v"'),
                    change("participants", "REORDERED", '["a","b"]', '["b","a"]'),
                ],
            )
        ],
    )
    made.create_time.FromDatetime(NOON)
    return made


def test_commits(commit: Any) -> None:
    db, requests = fake.database(
        GetCommit=commit, ListCommits=detente.v1.ListCommitsResponse(commits=[commit] * 3)
    )
    for name in (12, "12", "commits/12"):
        assert db.commits.get(name) == commit
        assert requests[-1].name == "commits/12"
    commits = db.commits.list(
        actor="Ada Ł.", record=detente.Release(name="releases/r"), since=NOON, until=NOON, at=13
    )
    assert len(list(commits.limit(2))) == 2
    sent = requests[-1]
    assert (sent.actor, sent.record, sent.at.revision, sent.page_size) == (
        "Ada Ł.",
        "releases/r",
        13,
        2,
    )
    assert sent.start_time == sent.end_time == commit.create_time
    assert repr(db.commits).split("\n")[1].split() == [
        *("12", "2026-03-01", "12:00:00Z", "Ada", "Ł.", "UpdateRelease", "releases/r"),
        *("the", "list", "of", "the", "NGO"),
    ]
    assert "Ada Ł." in db.commits._repr_html_()
    with pytest.raises(detente.InvalidArgumentError, match="no time zone"):
        db.commits.list(since=NOON.replace(tzinfo=None))
    with pytest.raises(detente.InvalidArgumentError, match="record"):
        db.commits.list(record="r")


def test_history_tells_what_became_of_a_record(commit: Any) -> None:
    created = detente.Commit(
        revision=3,
        changes=[detente.RecordChange(name="releases/r", kind="CREATED")],
    )
    db, requests = fake.database(
        ListCommits=detente.v1.ListCommitsResponse(commits=[commit, created])
    )
    history = db.releases.history("r")
    assert [one.revision for one in history] == [12, 3]
    assert requests[-1].record == "releases/r"
    assert history.text(0).split("\n") == [
        "releases/r",
        "revision 12  2026-03-01 12:00:00Z  updated  by Ada Ł.  the list of the NGO",
        '  ~ headcount: {"best":123} → {"best":124}',
        '  + note: "<b>x"',
        '  - labels["k"]: "v"',
        '  ~ participants: in another order: ["a","b"] → ["b","a"]',
        "revision 3  1970-01-01 00:00:00Z  created",
    ]
    assert max(map(len, history.text(30).split("\n"))) == 30
    assert repr(history).startswith("releases/r\nrevision 12")
    page = history._repr_html_()
    assert "&lt;b&gt;x" in page
    assert "<b>x" not in page
    db.at(7).releases.history(detente.Release(name="releases/r")).first()
    assert requests[-1].at.revision == 7


def test_diff_reads_like_one(commit: Any) -> None:
    fields = [change("note", "ADDED", new='"n"'), change("labels", "ADDED", new="{}")]
    made = detente.RecordChange(name="persons/a", kind="CREATED", fields=fields)
    gone = detente.RecordChange(name="persons/b", kind="DELETED")

    def page(request: Any) -> Any:
        first = not request.page_token
        return detente.v1.DiffRevisionsResponse(
            changes=[made, gone] if first else commit.changes,
            next_page_token="more" if first else "",
            base_revision=3,
            target_revision=12,
        )

    db, requests = fake.database(DiffRevisions=page)
    diff = db.diff(3)
    assert not requests  # lazy
    assert [one.name for one in diff] == ["persons/a", "persons/b", "releases/r"]
    assert requests[0].base.revision == 3
    assert not requests[0].HasField("target")
    assert list(diff.lines(0)) == [
        "revision 3 → 12",
        "+ persons/a (created, 2 fields)",
        "- persons/b (deleted)",
        "~ releases/r",
        '    ~ headcount: {"best":123} → {"best":124}',
        '    + note: "<b>x"',
        '    - labels["k"]: "v"',
        '    ~ participants: in another order: ["a","b"] → ["b","a"]',
    ]
    assert diff.text(0).split("\n") == list(diff.lines(0))[1:]
    assert repr(diff).startswith("+ persons/a (created, 2 fields)\n")
    assert "&lt;b&gt;x" in diff._repr_html_()
    assert diff.revisions == (3, 12)

    db.diff(NOON, "paper", record="releases/r").first()
    assert requests[-1].base.read_time == commit.create_time
    assert requests[-1].target.snapshot == "snapshots/paper"
    assert requests[-1].record == "releases/r"
    for empty in (0, None):
        db.diff(empty, 3).first()
        assert not requests[-1].HasField("base")
    for wrong in (True, 1.5):
        with pytest.raises(detente.InvalidArgumentError, match="base"):
            db.diff(wrong)
    with pytest.raises(detente.InvalidArgumentError, match="record"):
        db.diff(1, record="r")


def test_rollback_and_review() -> None:
    release = detente.Release(name="releases/r", etag='"e"', note="kept")
    db, requests = fake.database(RollbackRelease=release, UpdateRelease=release)
    assert db.releases.rollback("r", 3, reason="the wrong list") == release
    sent = requests[-1]
    assert (sent.name, sent.revision, sent.reason, sent.etag) == (
        "releases/r",
        3,
        "the wrong list",
        "",
    )
    assert sent.request_id
    db.releases.rollback(release, 3, validate_only=True, request_id="x")
    assert (requests[-1].etag, requests[-1].validate_only, requests[-1].request_id) == (
        '"e"',
        True,
        "x",
    )

    for move, state in (
        (db.releases.submit, detente.Record.SUBMITTED),
        (db.releases.review, detente.Record.REVIEWED),
        (db.releases.dispute, detente.Record.DISPUTED),
    ):
        for record, etag in (("r", ""), (release, '"e"')):
            move(record, reason="why")
            sent = requests[-1]
            assert list(sent.update_mask.paths) == ["review_state"]
            assert (
                sent.release.review_state,
                sent.release.etag,
                sent.reason,
                sent.release.note,
            ) == (
                state,
                etag,
                "why",
                "",
            )


def test_erasure_reports_what_still_speaks_of_it() -> None:
    done = detente.v1.EraseRecordsResponse(
        names=["persons/erased-1", "persons/erased-2"],
        revision=9,
        mentions=[{"name": "statements/<s>", "revisions": [4, 7]}],
        rewritten_count=1,
    )
    would = detente.v1.EraseRecordsResponse(rewritten_count=2)
    db, requests = fake.database(EraseRecords=lambda r: would if r.validate_only else done)
    report = db.persons.erase(["a", detente.Person(name="persons/b")], reason="danger")
    assert list(requests[-1].names) == ["persons/a", "persons/b"]
    assert requests[-1].reason == "danger"
    assert requests[-1].request_id
    assert report.done
    assert report.names == ["persons/erased-1", "persons/erased-2"]
    assert report.mentions == {"statements/<s>": [4, 7]}
    assert (report.revision, report.rewritten_count) == (9, 1)
    assert repr(report).split("\n") == [
        "persons/a is erased, and is now persons/erased-1",
        "persons/b is erased, and is now persons/erased-2",
        "References to it, in versions of other records: 1 rewritten",
        "Still speaking of it in words, to be edited or erased too:",
        "  statements/<s> at revisions 4, 7",
    ]
    assert "statements/&lt;s&gt;" in report._repr_html_()

    report = db.persons.erase("a", validate_only=True)
    assert not report.done
    assert "persons/a would be erased" in repr(report)
    assert "No other record speaks" in repr(report)
    assert "would be erased" in report._repr_html_()
    db.erase("sources/s")
    assert list(requests[-1].names) == ["sources/s"]
    db.erase([detente.Person(name="persons/a"), "sources/s"])
    assert list(requests[-1].names) == ["persons/a", "sources/s"]
    for wrong in ("a", ["sources/s", "a"], [7]):
        with pytest.raises(detente.InvalidArgumentError, match="records"):
            db.erase(wrong)
    with pytest.raises(detente.InvalidArgumentError):
        db.persons.erase("sources/s")


def test_a_record_through_its_history(db: detente.Database) -> None:
    """The same over a store and over a server."""
    first = db.releases.create(id="r", headcount=123, note="n", reason="first")
    db.persons.create(id="a", display_name="A")
    db.releases.update("r", headcount=124, note=None, reason="second")
    back = db.releases.rollback("r", first.revision, reason="third")
    assert (back.headcount.best, back.note, back.revision) == (123, "n", 4)

    assert [(c.revision, c.reason) for c in db.releases.history("r")] == [
        (4, "third"),
        (3, "second"),
        (1, "first"),
    ]
    second = list(db.releases.history("r"))[1]
    [changed] = second.changes
    assert changed.kind == detente.RecordChange.UPDATED
    assert [(f.path, f.old_value, f.new_value) for f in changed.fields] == [
        ("note", '"n"', ""),
        ("headcount.best", '"123"', '"124"'),
    ]
    assert [c.revision for c in db.at(3).releases.history("r")] == [3, 1]

    assert [c.revision for c in db.commits.list()] == [4, 3, 2, 1]
    assert [c.revision for c in db.commits.list(record="persons/a")] == [2]
    third = db.commits.get(3)
    assert third.method == "detente.v1.ReleaseService.UpdateRelease"
    when = third.create_time.ToDatetime(datetime.UTC)
    assert [c.revision for c in db.commits.list(since=when)] == [4, 3]
    assert [c.revision for c in db.commits.list(until=when)] == [2, 1]
    assert db.at(when).releases.get("r").headcount.best == 124
    with pytest.raises(detente.NotFoundError):
        db.commits.get(99)

    assert not db.diff(1, 4, record="releases/r")
    assert [(c.name, c.kind) for c in db.diff(1, 4)] == [
        ("persons/a", detente.RecordChange.CREATED)
    ]
    assert [c.name for c in db.diff(0, 2)] == ["persons/a", "releases/r"]
    assert [f.path for f in db.diff(2, 3).first().fields] == [f.path for f in changed.fields]
    assert db.diff(3).revisions == (3, 4)


def test_review_moves(db: detente.Database) -> None:
    db.releases.create(id="r", headcount=123)
    submitted = db.releases.submit("r")
    assert submitted.review_state == detente.Record.SUBMITTED
    reviewed = db.releases.review(submitted, reason="checked")
    assert reviewed.review_state == detente.Record.REVIEWED
    assert db.releases.list(reviewed_only=True).one().name == "releases/r"
    with pytest.raises(detente.ConflictError):
        db.releases.dispute(submitted, reason="stale")
    disputed = db.releases.dispute(reviewed, reason="a second list has 124")
    assert disputed.review_state == detente.Record.DISPUTED
    assert not db.releases.list(reviewed_only=True)
    assert db.releases.history("r").first().reason == "a second list has 124"


def test_erasure(db: detente.Database) -> None:
    db.persons.create(id="a", display_name="Ada of Minsk")
    db.releases.create(id="r", participants=[{"id": "p", "person": "persons/a"}])
    db.events.create(id="e", note="persons/a was seen")
    would = db.persons.erase("a", validate_only=True)
    assert not would.done
    assert "events/e" in would.mentions
    assert db.persons.get("a").display_name == "Ada of Minsk"

    done = db.persons.erase("a", reason="danger")
    [name] = done.names
    assert name.startswith("persons/erased-")
    assert done.rewritten_count == 1
    assert db.releases.get("r").participants[0].person == name
    assert db.at(2).releases.get("r").participants[0].person == name
    with pytest.raises(detente.NotFoundError):
        db.persons.get("a")
