"""Who makes the commits, as the caller says."""

import subprocess
import sys
from pathlib import Path

import detente
import pytest


def opened(
    where: str, tmp_path: Path, request: pytest.FixtureRequest, actor: str | None
) -> detente.Database:
    if where == "embedded":
        return detente.open(tmp_path / "store.db", create=True, actor=actor)
    return detente.connect(request.getfixturevalue("server"), actor=actor)


@pytest.mark.parametrize("where", ["embedded", "remote"])
def test_commits_have_the_actor(
    where: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DETENTE_ACTOR", raising=False)
    made = []
    for variable, actor in (
        (None, "Ada Ł., 100% «sure»"),
        ("by variable", None),
        ("by variable", "by argument"),
        ("by variable", ""),
        (None, None),
    ):
        if variable is None:
            monkeypatch.delenv("DETENTE_ACTOR", raising=False)
        else:
            monkeypatch.setenv("DETENTE_ACTOR", variable)
        with opened(where, tmp_path, request, actor) as db:
            db.persons.create(display_name="A")
            made.append(db.commits.get(db.revision).actor)
    assert made == ["Ada Ł., 100% «sure»", "by variable", "by argument", "", ""]


def test_actors_that_can_not_be(tmp_path: Path) -> None:
    for actor in ("a" * 257, "Ł" * 129):
        with pytest.raises(detente.InvalidArgumentError, match="actor"):
            detente.open(tmp_path / "store.db", create=True, actor=actor)
        with pytest.raises(detente.InvalidArgumentError, match="actor"):
            detente.connect("localhost:7400", actor=actor)
    assert not (tmp_path / "store.db").exists()


def test_the_command_line_has_an_actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = str(tmp_path / "store.db")
    detente.open(store, create=True).close()
    monkeypatch.setenv("DETENTE_ACTOR", "by variable")
    for more in ([], ["--actor", "by argument"]):
        command = [sys.executable, "-m", "detente", "create", "persons", "--db", store, *more]
        subprocess.run(command, check=True, capture_output=True)
    with detente.open(store) as db:
        assert [c.actor for c in db.commits.list()] == ["by argument", "by variable"]
