"""Every command and program in docs/export.md and docs/frames.md, and examples of docstrings."""

import os
import pathlib
import re
import shlex

import detente
import pytest
from detente import columns, loading
from docs.test_query import as_shown, parts, run

ROOT = pathlib.Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("export.md", "frames.md")}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_true(page: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    for command, shown in parts(PAGES[page]):
        output = run(command, tmp_path)
        assert shown, command
        assert as_shown(output, shown), f"{shlex.join(command)}\n{output}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^):]+)\)", PAGES[page]):
        name, _, heading = target.partition("#")
        text = (ROOT / "docs" / (name or page)).read_text()
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert not heading or heading in [one.lower().replace(" ", "-") for one in headings]


def test_the_formats_are_in_the_table() -> None:
    from detente.exporting import FORMATS

    for name, form in FORMATS.items():
        [row] = re.findall(rf"^\| `{name}` \| ([^|]*) \|", PAGES["export.md"], re.MULTILINE)
        assert row == ", ".join(f"`{ending}`" for ending in form.endings)


def test_examples_run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from docs.test_query import examples_run

    monkeypatch.chdir(tmp_path)
    with detente.open(":memory:", create=True) as db:
        loading.load(db, [ROOT / "samples/belarus-2025"])
        db.snapshots.create("paper-2026")
        for told in (detente.Database.export, columns.flat_columns):
            examples_run(told, db, **vars(columns))
    assert sorted(os.listdir(tmp_path)) == ["persons.parquet", "releases.xlsx"]
