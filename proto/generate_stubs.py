"""Writes the stubs that name the contract's resources and messages, for editors and type checkers.

The package itself takes them from the descriptors when it runs; these stubs follow from the same:

    python proto/generate_stubs.py            write
    python proto/generate_stubs.py --check    exit 1 if one is not what would be written
"""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent / "bindings" / "detente"
HEADER = "# Written by proto/generate_stubs.py; edit that.\n# ruff: noqa\n"


def stubs() -> dict[Path, str]:
    """The text of each stub."""
    import detente.v1
    from detente import _contract

    modules = detente.v1.modules()
    star = "".join(f"from {module.__name__} import *\n" for module in modules)
    names = "".join(
        f"from {module} import {name} as {name}\n" for name, module in sorted(_exported().items())
    )
    resources = sorted(_contract.resources().values(), key=lambda r: r.collection)
    readers, collections = (
        ("Readers", "Reader", "a view"),
        ("Collections", "Collection", "a database"),
    )
    batches = ("Batches", "BatchCollection", "a batch")
    imports = "".join(
        f"from detente.v1 import {resource.message.__module__.rpartition('.')[2]}\n"
        for resource in sorted(resources, key=lambda r: r.message.__module__)
    )
    return {
        PACKAGE / "v1" / "__init__.pyi": (
            f"{HEADER}from types import ModuleType\n\n"
            f"{star}\ndef modules() -> list[ModuleType]: ...\n"
        ),
        PACKAGE / "_messages.pyi": f"{HEADER}{names}",
        PACKAGE / "_collections.pyi": (
            f"{HEADER}from detente.collection import Collection\n"
            "from detente.database import BatchCollection\n"
            f"from detente.reader import Reader\n{imports}"
            f"{_classes(resources, '', readers, collections, batches)}"
        ),
        PACKAGE / "aio" / "_collections.pyi": (
            f"{HEADER}from detente.aio.collection import AsyncCollection\n"
            f"from detente.aio.reader import AsyncReader\n{imports}"
            f"{_classes(resources, 'Async', readers, collections)}"
        ),
    }


def _classes(resources: list[Any], prefix: str, *bases: tuple[str, str, str]) -> str:
    """The bases, each with a property for each collection."""
    classes = ""
    for base, kind, about in bases:
        classes += f"\nclass {base}:\n"
        classes += f'    """The collections of {about}."""\n\n'
        for resource in resources:
            message = f"{resource.message.__module__.rpartition('.')[2]}.{resource.type_name}"
            classes += f"    @property\n    def {resource.collection}(self) -> "
            classes += f"{prefix}{kind}[{message}]: ...\n"
    return classes


def _exported() -> dict[str, str]:
    """From each message and enum of `detente` itself to its module."""
    import detente.v1
    from detente import _contract

    return {
        name: module.__name__
        for module in detente.v1.modules()
        for name in _contract.exported()
        if getattr(module, name, None) is getattr(detente.v1, name)
    }


def main() -> int:
    """Writes or checks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if one differs")
    check = parser.parse_args().check
    stale = False
    for path, text in stubs().items():
        now = path.read_text() if path.exists() else ""
        if now == text:
            continue
        stale = True
        if check:
            name = str(path.relative_to(PACKAGE.parent))
            sys.stdout.writelines(
                difflib.unified_diff(now.splitlines(True), text.splitlines(True), name, "generated")
            )
        else:
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
