"""Every example in every page runs: here, or in the page's own test."""

import pathlib
import re

import pytest
from docs import pages
from docs.pages import ROOT, as_shown

PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("*.md")),
]
# Pages whose examples need more than a folder with the samples, or have more to be said of them.
OWN = {
    "README.md": "tests/docs/test_readme.py",
    "docs/async.md": "tests/docs/test_async.py",
    "docs/clients.md": "tests/doors/test_clients.py",
    "docs/cpp.md": "tests/shipping/test_cpp_package.py",
    "docs/edtf.md": "tests/docs/test_edtf.py",
    "docs/evidence.md": "tests/docs/test_evidence.py",
    "docs/history.md": "tests/docs/test_history.py",
    "docs/http.md": "tests/doors/test_http_page.py",
    "docs/install.md": "tests/shipping/test_wheel.py",
    "docs/load.md": "tests/docs/test_load.py",
    "docs/operating.md": "tests/docs/test_operating.py",
}


def name_of(page: pathlib.Path) -> str:
    return str(page.relative_to(ROOT))


def has_examples(page: pathlib.Path) -> bool:
    languages = {language for language, _ in pages.BLOCK.findall(page.read_text(encoding="utf-8"))}
    return bool(languages & pages.RUN)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "page", [p for p in PAGES if has_examples(p) and name_of(p) not in OWN], ids=name_of
)
def test_the_examples_run(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert pages.check(page, tmp_path)


THERE = [name for name in OWN if (ROOT / name).is_file()]  # some are written beside this


@pytest.mark.parametrize("name", THERE)
def test_a_page_of_its_own_is_read_by_its_test(name: str) -> None:
    text = (ROOT / OWN[name]).read_text(encoding="utf-8")
    read = rf'["/]{re.escape(pathlib.Path(name).name)}"(?:\)\.read_text\(|, tmp_path\))'
    assert re.search(read, text), f"{OWN[name]} does not read {name}"


@pytest.mark.parametrize("name", THERE)
def test_a_page_of_its_own_has_examples(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert pages.BLOCK.findall(text), f"{name} needs no test of its own"


def test_verbs_of_dev_exist() -> None:
    verbs = set(re.findall(r"^  (\w+)", pages.usage_of_dev(), re.MULTILINE))
    assert {"demo", "docs", "test"} <= verbs
    for page in PAGES:
        for verb in re.findall(r"\./dev (\w+)", page.read_text(encoding="utf-8")):
            assert verb in verbs, f"{name_of(page)}: ./dev {verb}"


def test_every_block_is_seen() -> None:
    """A fence that the pattern does not find would hide an example."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fences = len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE))
        assert fences == 2 * len(pages.BLOCK.findall(text)), name_of(page)


def test_a_block_that_nothing_runs_is_refused() -> None:
    with pytest.raises(AssertionError, match="nothing runs a block of cpp"):
        pages.parts("```cpp\nint main() {}\n```\n")
    with pytest.raises(AssertionError, match=r"\./dev brew"):
        pages.parts("```sh\n./dev brew\n```\n")


def test_an_example_that_prints_something_else_is_refused(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ detente --version\ndetente 99\n```\n")
    with pytest.raises(AssertionError, match="detente --version"):
        pages.check(page, tmp_path)


def test_a_command_that_fails_unsaid_is_refused(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ detente list releases --db none.db\n```\n")
    with pytest.raises(AssertionError, match="no such store"):
        pages.check(page, tmp_path)


def test_what_is_left_out_is_seen() -> None:
    assert as_shown("a\nb\nc\n", "a\n…\nc\n")
    assert not as_shown("a\nb\nd\n", "a\n…\nc\n")
    assert not as_shown("a\nb\n", "a\n")
    assert as_shown("abc def\n", "abc …\n")
    assert not as_shown("abd def\n", "abc …\n")
    assert not as_shown("abc def\nb\n", "abc …\n")
