"""The notebooks run in a fresh kernel, and print what is stored in them."""

import pathlib
import subprocess
import sys

import pytest

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "docs/notebooks"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_a_notebook_prints_what_is_stored(name: str) -> None:
    done = subprocess.run(
        [sys.executable, NOTEBOOKS / "execute.py", "--check", name], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_pictures() -> None:
    stored = {
        path.stem: path.read_text().count('"image/png"') for path in NOTEBOOKS.glob("*.ipynb")
    }
    assert stored == {"first_look": 1, "founding_case": 2, "load_a_spreadsheet": 0}
