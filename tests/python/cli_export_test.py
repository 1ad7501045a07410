"""`detente export`, as a process: into files, and as lines to print."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import detente
import pytest
from detente import testing
from python.cli_test import bad, good, run, store, where

__all__ = ["store", "where"]  # fixtures


def test_into_a_file(where: list[str], tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    told = good("export", path, "--collection", "persons", *where)
    assert told == f"{path} and {path}-metadata.json: 2 records at revision 2\n"
    assert [row["name"] for row in csv.DictReader(path.read_text().splitlines())] == [
        "persons/a",
        "persons/b",
    ]
    told = good(
        "export",
        path,
        "persons",
        "--columns",
        "name,birth_date",
        "--filter",
        'name:"persons/a"',
        *where,
    )
    assert "1 record at revision 2" in told
    [row] = csv.DictReader(path.read_text().splitlines())
    assert list(row) == [
        "name", "birth_date.edtf", "birth_date.state", "birth_date.earliest", "birth_date.latest",
        "birth_date.precision", "birth_date.approximate", "birth_date.uncertain",
    ]  # fmt: skip
    assert row["birth_date.edtf"] == "1962"
    told = good("export", "persons", path, "--at", "1", "--json", *where)
    assert json.loads(told)["revision"] == 1
    assert json.loads(told)["record_count"] == 1
    plain = tmp_path / "people"
    good("export", plain, "persons", "--format", "jsonl", *where)
    assert len(plain.read_text().splitlines()) == 2
    assert good("export", tmp_path / "all.xlsx", *where).endswith(": 2 records at revision 2\n")
    for name in ("a.parquet", "a.ftm.json"):
        good("export", tmp_path / name, "persons", "--where", "display_name=A", *where)
        assert (tmp_path / name).stat().st_size > 100


def test_as_lines(where: list[str]) -> None:
    lines = good("export", "persons", "--where", "display_name=A", *where).splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["persons/a"]
    [line] = good("export", "--collection=persons", "--at=1", "--columns=note", *where).splitlines()
    assert json.loads(line) == {"name": "persons/a"}
    assert len(good("export", *where).splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["people"], 2, "no collection"),
        (["a.csv", "b.csv", "persons"], 2, "one file"),
        (["persons", "--format=csv"], 2, "goes into a file"),
        (["a.doc", "persons"], 1, ".parquet"),
        (["a.csv"], 1, "one collection"),
        (["a.csv", "persons", "--columns=nam"], 1, "did you mean name"),
        (["a.csv", "persons", "--filter", "nam = 3"], 1, "  nam = 3\n  ^"),
        (["a.csv", "persons", "--format=cvs"], 1, "one of csv"),
        (["none/a.csv", "persons"], 1, "none: no such folder"),
    ],
)
def test_wrong_usage(store: Path, arguments: list[str], code: int, told: str) -> None:
    assert told in bad(code, "export", *arguments, "--db", store)
    assert not list(Path.cwd().glob("a.*"))


def test_a_file_stays_as_it_was(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    assert run("export", path, "persons", "--db", store, "--at", "99").returncode == 1
    assert path.read_text() == "before"


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with detente.open(tmp_path / "many.db", create=True) as db:
        testing.fill(db, persons=3000)
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-m", "detente", "export", folder / "a.xlsx", "persons"]
    process = subprocess.Popen(
        [*command, "--db", tmp_path / "many.db"], env=os.environ | {"TMPDIR": str(folder)}
    )
    with process:
        while not list(folder.iterdir()):  # a sheet's temporary file
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("missing", "name", "wanted"),
    [("openpyxl", "xlsx", "detente[xlsx]"), ("pyarrow", "parquet", "pyarrow>=26,<27")],
)
def test_a_package_is_missing(
    store: Path, tmp_path: Path, missing: str, name: str, wanted: str
) -> None:
    """Others are written all the same."""
    program = f"import sys; sys.modules[{missing!r}] = None; from detente.cli import main; "
    for suffix in (name, "csv", "jsonl", "ftm.json"):
        path = tmp_path / f"a.{suffix}"
        arguments = ["export", str(path), "persons", "--db", str(store)]
        done = subprocess.run(
            [sys.executable, "-c", f"{program}sys.exit(main({arguments!r}))"],
            capture_output=True,
            text=True,
        )
        assert path.exists() is (done.returncode == 0) is (suffix != name), done.stderr
        if suffix == name:
            assert f"detente: this needs {missing}: pip install '{wanted}'" in done.stderr
