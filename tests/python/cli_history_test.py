"""The command line's verbs about evidence, history, snapshots and erasure, as a process."""

import json
from pathlib import Path

import detente
import pytest
import yaml
from python.cli_test import bad, good, run, store, where  # noqa: F401


@pytest.fixture(autouse=True)
def records(store: Path) -> None:  # noqa: F811
    """A release that two sources disagree on, changed once."""
    with detente.open(store, actor="Ada") as db:
        db.sources.create(id="s", title="The S", reliability="A")
        citation = {"id": "1", "source": "sources/s", "fields": ["headcount"]}
        denial = {"stance": "CONTRADICTS", "asserted_value": '{"best": 120}'}
        db.releases.create(id="r", headcount=123, citations=[citation | denial])
        db.releases.update("r", note="x", reason="second look")


def test_evidence(where: list[str]) -> None:  # noqa: F811
    text = good("evidence", "releases/r", *where)
    assert "headcount: 123" in text
    assert "The S" in text
    found = json.loads(good("evidence", "releases/r", "headcount", "--json", *where))
    assert found["fields"][0]["alternatives"][0]["value"] == '{"best":"120"}'
    assert "releases/r" in good("conflicts", *where)
    assert len(json.loads(good("conflicts", "releases", "--json", *where))) == 1
    assert run("conflicts", "persons", *where).stderr == "no source disagrees\n"
    assert "best: 120" in good("get", "releases/r", "--as-told-by", "s", *where) or (
        "headcount: 120" in good("get", "releases/r", "--as-told-by", "s", *where)
    )
    assert "headcount: 120" in good("get", "releases/r", "--value-policy", "latest", *where)
    assert "120" in good("list", "releases", "--as-told-by", "sources/s", *where)
    assert run("list", "releases", "--reviewed-only", *where).stderr == "no releases\n"
    assert "most_reliable" in bad(1, "get", "releases/r", "--value-policy", "best", *where)
    assert "did you mean releases" in bad(2, "conflicts", "release", *where)
    assert json.loads(good("findings", "--json", *where)) is not None


def test_history(where: list[str]) -> None:  # noqa: F811
    lines = good("history", "releases/r", *where).splitlines()
    assert lines[0] == "releases/r"
    assert "by Ada  second look" in lines[1]
    assert lines[2] == '  + note: "x"'
    assert len(json.loads(good("history", "releases/r", "--json", *where))) == 2
    assert good("history", "releases/r", "--limit", "1", *where).count("revision") == 1
    assert good("history", "releases/r", "--at", "4", *where).count("revision") == 1

    assert good("diff", "4", *where).splitlines() == [
        "revision 4 → 5",
        "~ releases/r",
        '    + note: "x"',
    ]
    assert good("diff", "0", "1", *where).splitlines()[1] == "+ persons/a (created, 4 fields)"
    assert run("diff", "5", *where).stderr == "nothing differs\n"
    assert run("diff", "4", "--record", "persons/a", *where).stderr == "nothing differs\n"
    assert json.loads(good("diff", "4", "5", "--json", *where))[0]["name"] == "releases/r"

    table = good("commits", *where).splitlines()
    assert [line.split()[0] for line in table] == ["revision", "5", "4", "3", "2", "1"]
    assert good("commits", "--by", "Ada", *where).count("Ada") == 3
    assert len(json.loads(good("commits", "--record", "persons/a", "--json", *where))) == 1
    assert len(json.loads(good("commits", "--since", "2020-01-01", "--json", *where))) == 5
    assert json.loads(good("commits", "--until", "2020-01-01", "--json", *where)) == []
    assert "UpdateRelease" not in good("commits", "5", *where)
    assert "releases/r" in good("commits", "5", *where)
    assert json.loads(good("commits", "5", "--json", *where))["revision"] == "5"
    assert "no time zone" in bad(2, "commits", "--since", "2020-01-01T00:00", *where)

    back = good("rollback", "releases/r", "4", "--reason", "no", *where)
    assert "note:" not in back
    assert bad(1, "rollback", "releases/r", "1", *where)
    assert bad(2, "rollback", "releases/r", "x", *where)


def test_snapshots(where: list[str], tmp_path: Path) -> None:  # noqa: F811
    assert "snapshots/p" in good("snapshot", "create", "p", "--title", "P", "--at", "4", *where)
    assert "snapshots/p" in good("snapshot", "list", *where)
    made = json.loads(good("snapshot", "get", "p", "--json", *where))
    assert made["revision"] == "4"
    for at in ("p", "snapshots/p", "4"):
        assert "note" not in good("get", "releases/r", "--at", at, *where)
    file = tmp_path / "p.jsonl"
    assert made["checksum"] in good("snapshot", "export", "p", file, *where)
    assert good("snapshot", "export", "p", *where) == file.read_text()
    assert "all is right" in good("snapshot", "check", file)
    assert "all is right" in good("snapshot", "check", file, made["checksum"])
    done = run("snapshot", "check", file, "0" * 64)
    assert (done.returncode, "NOT RIGHT" in done.stdout) == (1, True)
    file.write_text(file.read_text().replace("123", "124"))
    assert run("snapshot", "check", file).returncode == 1
    assert made["checksum"] in good("snapshot", "cite", "p", *where)
    assert good("snapshot", "cite", "p", "--style", "bibtex", *where).startswith("@misc{")
    cff = good("snapshot", "cite", "p", "--style", "cff", "--author", "Doe, Ada", *where)
    assert yaml.safe_load(cff)["title"] == "P"
    assert good("snapshot", "delete", "p", *where) == "snapshots/p deleted\n"
    assert run("snapshot", "list", *where).stderr == "no snapshots\n"
    assert "deleted" in good("snapshot", "list", "--show-deleted", *where)
    assert bad(1, "get", "releases/r", "--at", "p", *where)
    assert bad(1, "snapshot", "get", "q", *where)
    for wrong in ([], ["create"], ["cite", "p", "--style", "apa"], ["nothing"]):
        assert bad(2, "snapshot", *wrong)


def test_erase(where: list[str]) -> None:  # noqa: F811
    assert "persons/a would be erased" in good("erase", "persons/a", "--validate-only", *where)
    told = bad(2, "erase", "persons/a", *where)
    assert "persons/a would be erased" in told
    assert "give --yes" in told
    assert good("get", "persons/a", *where)
    done = json.loads(good("erase", "persons/a", "--yes", "--reason", "r", "--json", *where))
    assert done["names"][0].startswith("persons/erased-")
    assert bad(1, "get", "persons/a", *where)
    assert bad(2, "erase", "a", *where)
