"""Runs the notebooks beside it, from this folder, as somebody with Jupyter would.

    python docs/notebooks/execute.py [--check] [NAME.ipynb ...]

What they print is stored in them; with --check nothing is, and it is an error (exit code 1) where a
text differs from what is stored. Pictures are not compared.
"""

import argparse
import difflib
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def executed(path: Path) -> Any:
    """The notebook with the outputs of a fresh kernel; an error in a cell is one here."""
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar shows how long things took
    notebook: Any = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        record_timing=False,
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def texts(notebook: Any) -> list[str]:
    """What cells print and show, as lines, without pictures."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" not in data:
                found += (output.get("text") or data.get("text/plain", "")).splitlines()
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, store nothing")
    parser.add_argument("names", nargs="*", metavar="NAME.ipynb", help="as a rule all")
    args = parser.parse_args(arguments)
    os.environ["COLUMNS"] = "120"  # tables are as wide as the terminal
    wrong = False
    for path in [HERE / name for name in args.names] or sorted(HERE.glob("*.ipynb")):
        notebook = executed(path)
        if not args.check:
            nbformat.write(notebook, path)
            continue
        stored = texts(nbformat.read(path, as_version=4))
        for line in difflib.unified_diff(stored, texts(notebook), path.name, "now", lineterm=""):
            print(line)
            wrong = True
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
