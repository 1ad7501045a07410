"""Every command and program in docs/query.md, in its order, and the examples of the docstrings."""

import doctest
import os
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

import detente
import pytest
from detente import (
    aggregates,
    expressions,
    loading,
    neighbors,
    querying,
    reader,
    search,
    stocks,
    testing,
)

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/query.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def parts(page: str) -> list[tuple[list[str], str]]:
    """Commands with what is shown below each; programs, whose output is the block after them."""
    found: list[tuple[list[str], str]] = []
    for language, block in BLOCK.findall(page):
        if language == "python":
            found.append(([sys.executable, "-c", block], ""))
        elif language == "console":
            for part in block.split("$ ")[1:]:
                command, _, shown = part.partition("\n")
                found.append((shlex.split(command), shown))
        else:
            assert not language, language
            command_, _ = found[-1]
            found[-1] = (command_, block)
    return found


def run(command: list[str], folder: pathlib.Path) -> str:
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "Traceback" not in done.stdout, f"{command}: {done.stdout}"
    return done.stdout


def as_shown(output: str, shown: str) -> bool:
    """Whether an output is what is shown: `…` is any lines, at a line's end what follows there."""
    pattern = ""
    for line in shown.splitlines():
        if line == "…":
            pattern += "(?:.*\n)*"
        elif line.endswith(" …"):
            pattern += re.escape(line.removesuffix(" …")) + ".*\n"
        else:
            pattern += re.escape(line) + "\n"
    return re.fullmatch(pattern, output) is not None


@pytest.mark.timeout(300)
def test_the_page_is_true(tmp_path: pathlib.Path) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    for command, shown in parts(PAGE):
        output = run(command, tmp_path)
        assert shown, command
        assert as_shown(output, shown), f"{shlex.join(command)}\n{output}"


def test_what_is_left_out_is_seen() -> None:
    assert as_shown("a\nb\nc\n", "a\n…\nc\n")
    assert not as_shown("a\nb\nd\n", "a\n…\nc\n")
    assert not as_shown("a\nb\n", "a\n")
    assert as_shown("abc def\n", "abc …\n")
    assert not as_shown("abd def\n", "abc …\n")
    assert not as_shown("abc def\nb\n", "abc …\n")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


SPOKEN = [
    querying.Querying.search,
    querying.Querying.aggregate,
    querying.Querying.stock,
    querying.Querying.neighbors,
    reader.Reader.list,
    expressions.Expression,
    expressions.Fields,
    search.Hits,
    aggregates.Aggregate,
    stocks.Stock,
    neighbors.Neighbors,
    testing.fill,
]


@pytest.fixture(scope="module")
def db() -> Any:
    with detente.open(":memory:", create=True) as opened:
        loading.load(opened, [ROOT / "samples/belarus-2025"])
        yield opened


@pytest.mark.parametrize("told", SPOKEN, ids=lambda told: told.__qualname__)
def test_examples_run(told: Any, db: detente.Database) -> None:
    examples_run(told, db)


def examples_run(told: Any, db: detente.Database, **names: Any) -> None:
    """Whatever they print; where an output is written below, it is that."""
    test = doctest.DocTestParser().get_doctest(
        told.__doc__, {"detente": detente, "db": db, **names}, told.__qualname__, None, None
    )
    for example in test.examples:
        if not example.want:
            example.want = "…\n"
    assert test.examples or told in (search.Hits,)
    failures: list[str] = []
    runner = doctest.DocTestRunner(checker=_AnyOutput(), verbose=False)
    result = runner.run(test, out=failures.append)
    assert result.failed == 0, "".join(failures)


class _AnyOutput(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return want == "…\n" or super().check_output(want, got, optionflags)
