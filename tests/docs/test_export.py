"""What docs/export.md says of formats, and examples of docstrings; `test_pages` runs the pages."""

import os
import pathlib
import re

import detente
import pytest
from detente import columns, loading
from docs.test_query import examples_run

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/export.md").read_text()


def test_the_formats_are_in_the_table() -> None:
    from detente.exporting import FORMATS

    for name, form in FORMATS.items():
        [row] = re.findall(rf"^\| `{name}` \| ([^|]*) \|", PAGE, re.MULTILINE)
        assert row == ", ".join(f"`{ending}`" for ending in form.endings)


def test_examples_run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with detente.open(":memory:", create=True) as db:
        loading.load(db, [ROOT / "samples/belarus-2025"])
        db.snapshots.create("paper-2026")
        for told in (detente.Database.export, columns.flat_columns):
            examples_run(told, db, **vars(columns))
    assert sorted(os.listdir(tmp_path)) == ["persons.parquet", "releases.xlsx"]
