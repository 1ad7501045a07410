"""The sources of the site: which page stands where, and links that lead to the same in the site.

On disk the pages link to one another, and to files of the repository, by relative paths. A link to
a file that has a page leads to that page; one to any other file to a page that shows it as text, by
the scheme `repository:` (`repository.py`).
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In this order. A page that is in none of these is an error.
NAVIGATION = {
    "First steps": ["start", "install", "model", "notebooks/*"],
    "Working with records": ["query", "history", "frames", "load", "export", "async"],
    "Rules": ["evidence", "findings", "edtf", "limits"],
    "Servers and other clients": ["operating", "http", "clients", "cpp"],
    "Reference": ["python/index", "commands", "proto/index"],
    "Project": ["benchmarks", "adr/index", "contributing", "changelog"],
}
PLACES = {
    "docs": "index",
    "docs/adr": "adr/index",
    "docs/adr/README.md": "adr/index",
    "docs/notebooks": "notebooks/first_look",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "bindings/detente": "python/index",
    "proto/detente/v1": "proto/index",
}

_CODE = re.compile(r"^```.*?^```$|``.+?``|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^()\s#]+)(#[^()\s]*)?(?=\))")


def place(path: str) -> str | None:
    """The page of a file of the repository, without its ending; None = it has none."""
    if path in PLACES:
        return PLACES[path]
    if match := re.fullmatch(r"docs/((?:adr/|notebooks/)?[^/]+)\.(?:md|ipynb)", path):
        return match[1]
    if match := re.fullmatch(r"proto/detente/v1/(\w+?)(?:_service)?\.proto", path):
        return f"proto/{match[1]}"
    return None


def written() -> list[Path]:
    """The pages that people wrote."""
    return [
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs/adr").glob("*.md")),
        *sorted((ROOT / "docs/notebooks").glob("*.ipynb")),
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
    ]


def assemble(source: Path, generated: Mapping[str, str], parts: Mapping[str, str]) -> set[str]:
    """Writes all sources; returns the files of the repository that they link to.

    `generated` are pages by their place, with their ending; `parts` stand in a page where it says
    `<!-- NAME -->`.
    """
    for path in written():
        at = place(str(path.relative_to(ROOT)))
        target = source / f"{at}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            shutil.copyfile(path, target)
            continue
        text = linked(path.read_text(encoding="utf-8"), path, str(at))
        for name, part in parts.items():
            text = text.replace(f"<!-- {name} -->", part)
        target.write_text(text, encoding="utf-8")
    for name, text in generated.items():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    files: set[str] = set()
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.write(navigation(source))
    with (source / "adr/index.md").open("a", encoding="utf-8") as index:
        index.write(toctree(":titlesonly:", ["[0-9]*"]))
    for page in source.rglob("*.md"):
        files.update(re.findall(r"\]\(repository:([^)]+)\)", page.read_text(encoding="utf-8")))
    for name in list(files):
        files.update(inside(name))
    return files


def linked(text: str, path: Path, at: str) -> str:
    """A page with its links as the site has them."""

    def link(match: re.Match[str]) -> str:
        found = (path.parent / match[1]).resolve()
        if not found.exists():
            raise ValueError(f"{path.relative_to(ROOT)}: {match[1]}: there is no such file")
        if not found.is_relative_to(ROOT):
            raise ValueError(f"{path.relative_to(ROOT)}: {match[1]} is outside the repository")
        name = str(found.relative_to(ROOT))
        page = place(name)
        if page is None:
            return f"repository:{name}"
        up = "../" * at.count("/")
        ending = {"python": ".rst", "notebooks": ".ipynb"}.get(page.partition("/")[0], ".md")
        return f"{up}{page}{ending}{match[2] or ''}"

    return outside_code(text, lambda prose: _LINK.sub(link, prose))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """A text with its prose changed; what is code stays."""
    held: list[str] = []

    def hold(code: re.Match[str]) -> str:
        held.append(code[0])
        return f"\0{len(held) - 1}\0"

    changed = change(_CODE.sub(hold, text))
    return re.sub(r"\0(\d+)\0", lambda mark: held[int(mark[1])], changed)


def inside(name: str) -> list[str]:
    """The files in a folder of the repository, as git knows them; of a file, none."""
    if not (ROOT / name).is_dir():
        return []
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", name],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [file for file in listed.split("\0") if file and (ROOT / file).is_file()]


def navigation(source: Path) -> str:
    """The toctrees of the site."""
    parts = []
    for caption, entries in NAVIGATION.items():
        for entry in entries:
            if not any(source.glob(f"{entry}.*")):
                raise ValueError(f"the navigation has {entry}, which is no page")
        parts.append(toctree(f":caption: {caption}", list(entries)))
    return "".join(parts)


def toctree(option: str, entries: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", ":glob:", option, "", *entries, "```", ""])
