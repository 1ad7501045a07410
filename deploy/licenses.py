"""The licences of what a build takes from packages of Debian and PyPI, for what carries it.

    gather(files, distributions, folder) -> the components, each with the files it is licensed by

Read from the packages that own the files, so that nothing is bundled without its notice.
"""

import importlib.metadata
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_DOC = Path("/usr/share/doc")
_COMMON = re.compile(r"/usr/share/common-licenses/[\w.+-]*\w")


@dataclass(order=True)
class Component:
    """One source package of Debian, or one distribution of PyPI."""

    name: str
    version: str
    files: set[str] = field(default_factory=set)  # of ours, by name, that hold parts of it


def gather(
    files: Iterable[Path | str], distributions: Iterable[str], folder: Path
) -> list[Component]:
    """Writes licence files to `folder`/NAME/… for all that owns `files` (paths, or patterns of
    `dpkg -S`), and for the `distributions` of this Python.

    Raises:
        LookupError: No package owns a file, or a package has no licence file.
    """
    components: dict[str, Component] = {}
    common: set[Path] = set()
    for file in files:
        package, source, version = _owner(str(file))
        component = components.setdefault(source, Component(source, version))
        component.files.add(Path(file).name)
        notice = _DOC / package / "copyright"
        if not notice.is_file():
            raise LookupError(f"{notice}, the licence of {file}, is not there")
        text = notice.read_text(encoding="utf-8", errors="replace")
        _write(folder / source / "copyright", text)
        common.update(map(Path, _COMMON.findall(text)))
    for path in common:
        _write(folder / "common-licenses" / path.name, path.read_text(encoding="utf-8"))

    for name in distributions:
        distribution = importlib.metadata.distribution(name)
        notices = [f for f in distribution.files or () if "/licenses/" in str(f)]
        if not notices:
            raise LookupError(f"{name} has no licence file")
        components[name] = Component(name, distribution.version)
        for notice in notices:
            _write(folder / name / notice.name, notice.read_text(encoding="utf-8"))
    return sorted(components.values())


def _owner(file: str) -> tuple[str, str, str]:
    """The binary package of a file, its source package, and the version of that."""
    path = file if file.startswith("*") else str(Path(file).parent.resolve() / Path(file).name)
    found = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True)
    if found.returncode:
        raise LookupError(f"{file} is of no Debian package: {found.stderr.strip()}")
    package = found.stdout.split(":", 1)[0]
    form = "${source:Package} ${source:Version}"
    told = subprocess.run(
        ["dpkg-query", "-W", "-f", form, package], capture_output=True, text=True, check=True
    )
    source, version = told.stdout.split()
    return package, source, version


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
