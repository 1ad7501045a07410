"""Writes bindings/detente/aio: the classes of the package whose methods are to be awaited.

    python bindings/generate_async.py            write
    python bindings/generate_async.py --check    exit 1 if a file is not what would be written

A function that makes a call becomes `async`, and so does what calls it, to the end (`colours.py`);
a class that has such a method is written anew, as `AsyncDatabase` for `Database`, and what it
shares with the synchronous one is imported from there (`rewrite.py`). mypy finds an `await` that is
missing or too much.
"""

import argparse
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

from asynchronous.colours import Colours, Package
from asynchronous.docs import Docs
from asynchronous.rewrite import module_text

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "detente"
RESULT = PACKAGE / "aio"
BY_HAND = {"__init__.py", "_collections.py", "_session.py", "_threads.py"}


def modules() -> dict[Path, str]:
    """The text of each module."""
    colours = Colours(Package.read(PACKAGE, "database"))
    docs = Docs(colours)
    written = {
        RESULT / f"{name}.py": module_text(colours, docs, name)
        for name in colours.package.modules
        if colours.copied_of(name)
    }
    if docs.unused:
        raise SystemExit(f"asynchronous/docs.py: in no docstring: {docs.unused}")
    return _formatted(written)


def _formatted(written: dict[Path, str]) -> dict[Path, str]:
    """As ruff has them, without imports that nothing needs, and with examples as code."""
    with tempfile.TemporaryDirectory() as folder:
        made = {path: Path(folder, path.name) for path in written}
        for path, text in written.items():
            made[path].write_text(text)
        for arguments in (
            ["check", "--fix-only", "--ignore-noqa", "--select=F401,I001"],
            ["format", "--config=format.docstring-code-format=true"],
        ):
            ruff = [Path(sys.executable).with_name("ruff"), *arguments, "--quiet"]
            config = f"--config={ROOT.parent / 'pyproject.toml'}"
            subprocess.run([*ruff, config, "--no-cache", folder], check=True)
        return {path: one.read_text() for path, one in made.items()}


def main() -> int:
    """Writes or checks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if one differs")
    check = parser.parse_args().check
    made = modules()
    gone = {path for path in RESULT.glob("*.py") if path.name not in BY_HAND and path not in made}
    stale = False
    for path, text in sorted({**made, **dict.fromkeys(gone, "")}.items()):
        now = path.read_text() if path.exists() else ""
        if now == text:
            continue
        stale = True
        if check:
            name = str(path.relative_to(ROOT))
            sys.stdout.writelines(
                difflib.unified_diff(now.splitlines(True), text.splitlines(True), name, "generated")
            )
        elif text:
            path.write_text(text)
        else:
            path.unlink()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
