"""The site: it builds without a warning, every link leads somewhere, nothing is missing."""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detente
import pytest
from detente import _contract, cli
from wire import contract

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "docs/site"


def build(script: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, script, "--out", out],
        env=os.environ | {"DETENTE_BINARY_DIR": str(contract.BINARY_DIR)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs")
    done = build(ROOT / "docs/build.py", out)
    assert done.returncode == 0, done.stdout
    return out / "site"


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    """The names of all Python objects in the site."""
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    return {name for kind, names in inventory.items() for name in names if kind[:3] == "py:"}


def page(site: Path, name: str) -> str:
    """The words of a page."""
    return re.sub(r"<[^>]+>", "", (site / name).read_text(encoding="utf-8"))


@pytest.mark.timeout(240)
def test_each_page_is_there(site: Path) -> None:
    for name in ("index", "start", "model", "python/index", "proto/index", "adr/index"):
        assert (site / f"{name}.html").is_file(), name
    for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/notebooks").glob("*.ipynb")]:
        name = path.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / name).is_file(), name
    numbers = {path.name[:4] for path in (ROOT / "docs/adr").glob("0*.md")}
    table = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[(\d{4})\]", table, re.MULTILINE)) == numbers


def test_notebooks_show_what_they_printed(site: Path) -> None:
    text = (site / "notebooks/founding_case.html").read_text(encoding="utf-8")
    assert text.count("<img") >= 2
    assert "releases/by-2025-12-13" in text


def test_files_of_the_repository_are_shown(site: Path) -> None:
    assert "Ales Bialiatski" in page(site, "repository/samples/belarus-2025/persons.yaml.html")
    assert "releases.yaml" in page(site, "repository/samples/belarus-2025.html")
    assert "message Release" in page(site, "repository/proto/detente/v1/release.proto.html")


def test_search_finds(site: Path) -> None:
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    found = index["terms"]["headcount"]
    names = {index["docnames"][number] for number in ([found] if isinstance(found, int) else found)}
    assert {"start", "model", "proto/release"} <= names
    assert not any(name.startswith("repository/") for name in index["docnames"])


# --- The contract -------------------------------------------------------------------------------


def test_the_whole_contract_is_there(site: Path) -> None:
    pages = {path: page(site, f"proto/{path.name}") for path in (site / "proto").glob("*.html")}
    everything = "\n".join(pages.values())
    count = 0
    for file in contract.detente().files.file:
        if file.package != "detente.v1":
            continue
        for service in file.service:
            for method in service.method:
                assert method.name in everything
        for message in file.message_type:
            for field in message.field:
                assert f"{field.name} = {field.number}" in everything, (message.name, field.name)
                count += 1
    assert count > 500
    release = next(text for path, text in pages.items() if path.name == "release.html")
    assert "GET /v1/{name=releases/*}" in release
    assert "PATCH /v1/{release.name=releases/*}, release as body" in release
    assert "Headcount less participants" in release
    assert "string, a name: Negotiation" in release
    assert "DOCUMENTS_WITHHELD" in release


# --- Python -------------------------------------------------------------------------------------


def seen() -> Iterator[type]:
    """The classes that callers get to see: those of `detente`, and what their methods answer."""
    waiting = [getattr(detente, name) for name in (*detente.__all__, *detente._LATE)]
    found = set()
    while waiting:
        thing = waiting.pop()
        if not inspect.isclass(thing) or thing in found:
            continue
        found.add(thing)
        yield thing
        for name, member in inspect.getmembers(thing):
            function = member.fget if isinstance(member, property) else member
            if not name.startswith("_") and inspect.isfunction(function):
                waiting += answers(function)


def answers(function: Any) -> Iterator[type]:
    """The classes of ours in what a function returns, also those named for type checkers alone."""
    told = str(function.__annotations__.get("return", ""))
    text = inspect.getsource(inspect.getmodule(function) or detente)
    for word in set(re.findall(r"\w+", told)):
        thing = function.__globals__.get(word)
        if thing is None and (
            match := re.search(rf"from (detente[\w.]+) import .*\b{word}\b", text)
        ):
            thing = getattr(
                sys.modules.get(match[1]) or __import__(match[1], fromlist=[word]), word
            )
        if inspect.isclass(thing) and thing.__module__.startswith("detente"):
            yield thing


def test_all_that_callers_see_is_documented(documented: set[str]) -> None:
    classes = set(seen())
    assert len(classes) > 45
    for thing in classes:
        names = {f"{thing.__module__}.{thing.__qualname__}", f"detente.{thing.__qualname__}"}
        assert names & documented, thing
    for name in (*detente.__all__, *detente._LATE):
        assert f"detente.{name}" in documented, name


def test_members_are_documented(documented: set[str]) -> None:
    for owner in (detente.Database, detente.View, detente.Collection, detente.RecordList):
        for name, member in inspect.getmembers(owner):
            if not name.startswith("_") and (inspect.isfunction(member) or name == "revision"):
                assert f"detente.{owner.__name__}.{name}" in documented, name


def test_collections_are_documented(documented: set[str]) -> None:
    for collection in _contract.resources():
        for owner in ("Database", "View", "Batch"):
            assert f"detente.{owner}.{collection}" in documented


# --- The command line ---------------------------------------------------------------------------


def test_every_argument_is_there(site: Path) -> None:
    text = page(site, "commands.html")
    _, verbs = cli._parsers()
    for name, parser in verbs.items():
        for action in parser._actions:
            for option in action.option_strings:
                assert option in ("-h", "--help") or option in text, f"{name} {option}"
        assert parser.prog.removeprefix("detente ") in text


# --- What is wrong is an error ------------------------------------------------------------------


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    import links
    import pages

    return links, pages


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("none.html", "no such file"),
        ("#none", "no such place"),
        ("../outside.html", "no such file"),
        ("repository:x", "no link"),
    ],
)
def test_a_broken_link_is_found(tools: Any, tmp_path: Path, link: str, told: str) -> None:
    links, _ = tools
    (tmp_path / "a.html").write_text(f'<a id="here" href="#here">x</a><a href="{link}">y</a>')
    [problem] = links.problems(tmp_path)
    assert told in problem


def test_what_is_fetched_is_found(tools: Any, tmp_path: Path) -> None:
    links, _ = tools
    (tmp_path / "a.html").write_text('<script src="https://example.org/x.js"></script>')
    [problem] = links.problems(tmp_path)
    assert "fetched from elsewhere" in problem


def test_links_are_rewritten_in_prose_alone(tools: Any) -> None:
    _, pages = tools
    text = (
        "[a](query.md#dates) [`b`](../client/example.cc) `[c](none.md)`\n```\n[d](none.md)\n```\n"
    )
    assert pages.linked(text, ROOT / "docs/x.md", "x") == (
        "[a](query.md#dates) [`b`](repository:client/example.cc) `[c](none.md)`\n"
        "```\n[d](none.md)\n```\n"
    )
    with pytest.raises(ValueError, match=r"docs/x\.md: none\.md: there is no such file"):
        pages.linked("[c](none.md)", ROOT / "docs/x.md", "x")


def test_a_page_of_the_navigation_has_to_be_there(tools: Any, tmp_path: Path) -> None:
    _, pages = tools
    with pytest.raises(ValueError, match="the navigation has start, which is no page"):
        pages.navigation(tmp_path)
