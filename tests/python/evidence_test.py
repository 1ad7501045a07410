"""Evidence, conflicts and findings: what is asked for, and what people and programs see of it."""

from typing import Any

import detente
import pytest
from python import fake


def witness(id: str, source: str, asserted: str = "", **more: Any) -> Any:
    made = detente.Evidence.Witness(source_title=source.title(), **more)
    made.citation.id, made.citation.source = id, f"sources/{source}"
    made.citation.asserted_value = asserted
    return made


@pytest.fixture
def evidence() -> Any:
    kinds = detente.Evidence
    says = witness("1", "bbc", reliability="B", date=detente.Date("2025-12-13"))
    says.citation.credibility = detente.Citation.PROBABLE
    denies = witness("2", "tass", '{"low":"120"}')
    denies.citation.rank = detente.Citation.DEPRECATED
    denies.citation.deprecation_reason = "a misprint"
    denies.citation.speaker.description = "<a spokesman>"
    return kinds(
        name="releases/r",
        revision=7,
        fields=[
            kinds.FieldEvidence(path="", mentions=[witness("9", "digest")]),
            kinds.FieldEvidence(
                path="headcount",
                value='{"best":"123"}',
                supports=[says],
                contradictions=[denies, witness("3", "un", "null")],
                alternatives=[
                    kinds.Alternative(value='{"low":"120"}', citation_ids=["2"]),
                    kinds.Alternative(value="null", citation_ids=["3"]),
                ],
                decisions=[
                    kinds.Decision(
                        policy="MOST_RELIABLE",
                        value='{"best":"123"}',
                        citation_ids=["1"],
                        reason="reliability B over none",
                    ),
                    kinds.Decision(policy="LATEST", value="", reason="no date"),
                ],
            ),
            kinds.FieldEvidence(path='participants["b"].outcomes["1"].kind', value='"FREED"'),
            kinds.FieldEvidence(path='participants["b"]', value='{"id":"b","person":"persons/b"}'),
            kinds.FieldEvidence(path='labels["k"]', value='"v"'),
            kinds.FieldEvidence(path="not_yet_known", value='{"a":[1]}'),
        ],
        uncited_fields=["region_code", "mechanism"],
    )


def test_evidence_is_read_by_path(evidence: Any) -> None:
    db, requests = fake.database(GetEvidence=evidence)
    found = db.releases.evidence("r", "headcount", "participants")
    assert (requests[0].name, list(requests[0].fields)) == (
        "releases/r",
        ["headcount", "participants"],
    )
    db.at(3).releases.evidence(detente.Release(name="releases/r"))
    assert requests[1].at.revision == 3
    assert not requests[1].fields

    assert (found.name, found.revision, len(found)) == ("releases/r", 7, 6)
    assert found.uncited == ["region_code", "mechanism"]
    assert found.message == evidence
    field = found["headcount"]
    assert field.value == {"best": 123}
    assert field.disputed
    assert [(value, [w.source for w in who]) for value, who in field.alternatives] == [
        ({"low": 120}, ["sources/tass"]),
        (None, ["sources/un"]),
    ]
    [one] = field.supports
    assert (one.source_title, one.reliability, one.credibility, one.date) == (
        "Bbc",
        "B",
        2,
        "2025-12-13",
    )
    assert field.contradictions[0].says == {"low": 120}
    assert field.contradictions[0].speaker == "<a spokesman>"
    assert [w.set_aside for w in field.contradictions] == ["a misprint", ""]
    assert field.decisions["MOST_RELIABLE"].value == {"best": 123}
    assert field.decisions["LATEST"].value is None
    assert [f.path for f in found if f.disputed] == ["headcount"]
    assert "headcount" in found
    assert "mechanism" not in found
    with pytest.raises(KeyError, match="nothing is cited for it"):
        found["mechanism"]
    with pytest.raises(KeyError, match="no evidence for"):
        found["nothing"]


def test_evidence_is_a_text(evidence: Any) -> None:
    db, _ = fake.database(GetEvidence=evidence)
    text = db.releases.evidence("r").text(0)
    assert [" ".join(line.split()) for line in text.split("\n")] == [
        "releases/r at revision 7",
        "",
        "the record as a whole",
        "value source reliability credibility speaker date set aside",
        "? Digest",
        "",
        "headcount: 123",
        "+ 123 Bbc B 2 2025-12-13",
        "- at least 120 Tass <a spokesman> a misprint",
        "- none Un",
        "= 123 most reliable: reliability B over none",
        "= absent latest: no date",
        "",
        'participants["b"].outcomes["1"].kind: freed',
        "nothing is cited",
        "",
        'participants["b"]: persons/b',
        "nothing is cited",
        "",
        'labels["k"]: "v"',
        "nothing is cited",
        "",
        'not_yet_known: {"a":[1]}',
        "nothing is cited",
        "",
        "not cited: region_code, mechanism",
    ]
    columns = {line.index("Bbc") for line in text.split("\n") if "Bbc" in line}
    columns |= {line.index("Tass") for line in text.split("\n") if "Tass" in line}
    assert len(columns) == 1
    assert max(map(len, db.releases.evidence("r").text(60).split("\n"))) <= 60


def test_evidence_of_what_is_not_there() -> None:
    kinds = detente.Evidence
    fields = [
        kinds.FieldEvidence(path='participants["x"]'),
        kinds.FieldEvidence(path="headcount", value='{"best":"1"}', supports=[witness("1", "a")]),
        kinds.FieldEvidence(path="note", value='"n"', shortened=True),
    ]
    db, _ = fake.database(GetEvidence=kinds(name="releases/r", revision=1, fields=fields))
    assert db.releases.evidence("r").text(0).splitlines()[2:] == [
        'participants["x"]: absent',
        "  nothing is cited",
        "",
        "headcount: 1",
        "   value  source",
        "+  1      A",
        "",
        "note: n (shortened: large values, or the last citations, are left out)",
        "  nothing is cited",
    ]
    with pytest.raises(detente.InvalidArgumentError, match="fields: paths expected"):
        db.releases.evidence("r", ["headcount"])  # type: ignore[arg-type]
    with pytest.raises(detente.InvalidArgumentError, match="as_told_by: a source"):
        db.as_told_by("")


def test_evidence_in_a_notebook_is_escaped(evidence: Any) -> None:
    db, _ = fake.database(GetEvidence=evidence)
    page = db.releases.evidence("r")._repr_html_()
    assert "&lt;a spokesman&gt;" in page
    assert "<a spokesman>" not in page
    assert "<code>region_code</code>" in page
    empty, _ = fake.database(GetEvidence=detente.Evidence(name="releases/r"))
    assert "nothing is cited" in empty.releases.evidence("r")._repr_html_()
    assert "nothing is cited" in repr(empty.releases.evidence("r"))


def test_conflicts(evidence: Any) -> None:
    conflict = detente.Conflict(
        name="releases/r", revision=7, display_name="R & Co", evidence=evidence.fields[1]
    )

    def page(request: Any) -> Any:
        return detente.v1.ListConflictsResponse(
            conflicts=[conflict], next_page_token="" if request.page_token else "more"
        )

    db, requests = fake.database(ListConflicts=page)
    conflicts = db.conflicts("releases", fields=["headcount"])
    assert not requests  # lazy
    found = list(conflicts)
    assert len(found) == 2
    assert list(requests[0].collections) == ["releases"]
    assert list(requests[0].fields) == ["headcount"]
    assert requests[1].page_token == "more"
    assert (found[0].path, found[0].value) == ("headcount", {"best": 123})
    assert found[0].alternatives == [{"low": 120}, None]
    assert "1    2        123 ≠ at least 120 ≠ none" in repr(conflicts)
    assert "Tass" in repr(found[0])
    assert "R &amp; Co" in found[0]._repr_html_()
    assert len(list(conflicts.limit(1))) == 1
    db.at("x").conflicts(fields="headcount").first()
    assert requests[-1].at.snapshot == "snapshots/x"
    assert list(requests[-1].fields) == ["headcount"]


def test_findings() -> None:
    finding = detente.Finding(
        check="groups-do-not-sum",
        severity="WARNING",
        description="5 of 4",
        locations=[{"name": "releases/r", "path": "group_counts"}],
    )
    db, requests = fake.database(
        ListFindings=detente.v1.ListFindingsResponse(findings=[finding, detente.Finding()])
    )
    findings = db.findings("groups-do-not-sum", record=detente.Release(name="releases/r"))
    assert findings.first() == finding
    assert list(requests[0].checks) == ["groups-do-not-sum"]
    assert requests[0].record == "releases/r"
    assert repr(findings).split("\n")[1].split() == [
        *("warning", "groups-do-not-sum", "releases/r", "group_counts", "5", "of", "4")
    ]
    with pytest.raises(detente.InvalidArgumentError, match="record"):
        db.findings(record="r")


def test_views_as_a_source_tells_it() -> None:
    release = detente.Release(name="releases/r")
    db, requests = fake.database(
        GetRelease=release,
        ListReleases=detente.v1.ListReleasesResponse(releases=[release], revision=4),
        BatchGetReleases=detente.v1.BatchGetReleasesResponse(releases=[release]),
    )
    for source in ("bbc", "sources/bbc", detente.Source(name="sources/bbc")):
        view = db.as_told_by(source)
        view.releases.get("r")
        list(view.releases.list())
        view.releases.get_many(["r"])
        db.releases.get("r", as_told_by=source)
        db.releases.list(as_told_by=source).first()
        db.releases.get_many(["r"], as_told_by=source)
    assert {request.as_told_by for request in requests} == {"sources/bbc"}
    assert repr(view.releases) == "db.as_told_by('sources/bbc').releases"

    for view in (db.at(4).as_told_by("bbc"), db.as_told_by("bbc").at(4)):
        view.releases.get("r")
        assert (requests[-1].at.revision, requests[-1].as_told_by) == (4, "sources/bbc")
    with pytest.raises(detente.InvalidArgumentError):
        db.at(4).at(5)
    with pytest.raises(detente.InvalidArgumentError):
        db.releases.get("r", as_told_by=release)


def test_value_policies() -> None:
    db, requests = fake.database(
        GetRelease=detente.Release(), ListReleases=detente.v1.ListReleasesResponse()
    )
    kinds = detente.Evidence.ValuePolicy
    for policy in ("most_reliable", "MOST_RELIABLE", 1, kinds.Value("MOST_RELIABLE")):
        db.releases.get("r", value_policy=policy)
        assert requests[-1].value_policy == detente.Evidence.MOST_RELIABLE
    list(db.releases.list(value_policy="latest", reviewed_only=True))
    assert requests[-1].value_policy == detente.Evidence.LATEST
    assert requests[-1].reviewed_only
    for wrong in ("most", 17):
        with pytest.raises(detente.InvalidArgumentError, match="most_reliable, latest, majority"):
            db.releases.get("r", value_policy=wrong)


def test_sources_that_disagree(db: detente.Database) -> None:
    """The same over a store and over a server."""
    for name, reliability in (("good", "A"), ("poor", "E")):
        db.sources.create(id=name, title=f"The {name} one", reliability=reliability)
    db.releases.create(
        id="r",
        headcount=123,
        region_code="BY",
        mechanism="PARDON",
        citations=[
            {"id": "1", "source": "sources/poor", "fields": ["headcount", "region_code"]},
            {
                "id": "2",
                "source": "sources/good",
                "fields": ["headcount"],
                "stance": "CONTRADICTS",
                "asserted_value": '{"best": 120}',
            },
        ],
    )
    evidence = db.releases.evidence("r")
    assert evidence["headcount"].value == {"best": 123}
    assert [w.source_title for w in evidence["headcount"].supports] == ["The poor one"]
    [against] = evidence["headcount"].contradictions
    assert (against.says, against.reliability) == ({"best": 120}, "A")
    assert evidence["headcount"].decisions["MOST_RELIABLE"].value == {"best": 120}
    assert not evidence["region_code"].disputed
    assert evidence.uncited == ["mechanism"]
    assert len(db.releases.evidence("r", "headcount")) == 1

    [conflict] = db.conflicts()
    assert (conflict.name, conflict.path) == ("releases/r", "headcount")
    assert conflict.alternatives == [{"best": 120}]
    assert not db.conflicts("persons")
    assert db.conflicts("releases", fields=["headcount"])

    assert db.as_told_by("good").releases.get("r").headcount.best == 120
    assert db.as_told_by("good").releases.get("r").region_code == ""
    assert db.as_told_by("poor").releases.list().one().headcount.best == 123
    assert db.releases.get("r", value_policy="most_reliable").headcount.best == 120
    assert db.releases.get("r").headcount.best == 123
    assert not db.releases.list(reviewed_only=True)


def test_what_is_odd(db: detente.Database) -> None:
    db.releases.create(
        id="r",
        headcount=3,
        group_counts=[
            {"keys": [{"dimension": "NATIONALITY", "value": "BY"}], "count": 2},
            {"keys": [{"dimension": "NATIONALITY", "value": "LT"}], "count": 2},
        ],
    )
    assert {f.check for f in db.findings(record="releases/r")} >= {"groups-do-not-sum"}
    found = db.findings(["groups-do-not-sum"]).first()
    assert found.locations[0].name == "releases/r"
    assert "groups-do-not-sum" in repr(db.findings())
    with pytest.raises(detente.InvalidArgumentError):
        db.findings("no-such-check").first()
