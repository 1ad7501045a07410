"""bindings/generate_async.py: its result is the one that is committed, and it sees what differs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BINDINGS = Path(__file__).parents[2] / "bindings"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's sources, to be spoiled."""
    for name in ("asynchronous", "detente"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(BINDINGS / name, tmp_path / "bindings" / name, ignore=ignored)
    shutil.copy(BINDINGS / "generate_async.py", tmp_path / "bindings")
    shutil.copy(BINDINGS.parent / "pyproject.toml", tmp_path)  # ruff's line length
    return tmp_path / "bindings"


def generate(bindings: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, str(bindings / "generate_async.py"), *flags]
    return subprocess.run(program, capture_output=True, text=True)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_new_method_is_missed_and_then_awaits(copy: Path) -> None:
    edit(
        copy / "detente/history.py",
        "class CommitList(Listing[Any]):",
        """class _Newest:
    def __init__(self, session: Session) -> None:
        self._session = session

    def reason(self, commits: "Commits") -> str:
        for commit in commits.list().limit(1):
            return commits.get(commit.revision).reason
        return ""


class CommitList(Listing[Any]):""",
    )
    done = generate(copy, "--check")
    assert done.returncode == 1
    assert "+class _Newest:" in done.stdout
    assert "_Newest" not in (copy / "detente/aio/history.py").read_text()
    assert generate(copy).returncode == 0
    made = (copy / "detente/aio/history.py").read_text()
    assert "async def reason(self, commits: AsyncCommits) -> str:" in made
    assert "async for commit in commits.list().limit(1):" in made
    assert "return (await commits.get(commit.revision)).reason" in made


def test_files_that_are_not_what_would_be_written(copy: Path) -> None:
    aio = copy / "detente/aio"
    edit(
        aio / "reader.py",
        "record: R = await self._session.call(",
        "record: R = self._session.call(",
    )
    (aio / "search.py").unlink()
    (aio / "former.py").write_text("x = 1\n")
    done = generate(copy, "--check")
    assert done.returncode == 1
    for name in ("reader", "search", "former"):
        assert "+++ generated\n" in done.stdout
        assert f"--- detente/aio/{name}.py" in done.stdout
    assert generate(copy).returncode == 0
    for path in (BINDINGS / "detente/aio").glob("*.py"):
        assert (aio / path.name).read_text() == path.read_text()
    assert not (aio / "former.py").exists()


def test_what_no_async_function_can_do_is_an_error(copy: Path) -> None:
    edit(
        copy / "detente/listing.py",
        "        left = self._limit\n",
        "        left = self._limit\n        yield from ()\n",
    )
    done = generate(copy)
    assert done.returncode != 0
    assert "listing" in done.stderr
    assert "yield from" in done.stderr
