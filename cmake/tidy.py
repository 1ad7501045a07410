"""Run clang-tidy on the C++ files that changed: `tidy.py BUILD_DIR [--all]`.

A file counts as changed when it, or a header of ours that it includes itself, differs from the
fork point of origin/main; on main itself (CI's clone), when a commit of the last four hours before
HEAD touched it. What passed is remembered in BUILD_DIR by the content of those files, and not
checked again.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECENT_SECONDS = 4 * 3600


def git(*args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.strip()


def base() -> str:
    """The commit to compare with, or "" for everything."""
    head = git("rev-parse", "HEAD")
    fork = git("merge-base", "HEAD", "origin/main")
    if fork and fork != head:
        return fork
    before = int(git("show", "-s", "--format=%ct", "HEAD") or 0) - RECENT_SECONDS
    return git("rev-list", "-1", f"--before={before}", "HEAD")


def changed() -> set[pathlib.Path] | None:
    since = base()
    if not since:
        return None
    names = git("diff", "--name-only", "--diff-filter=d", since).splitlines()
    names += git("ls-files", "--others", "--exclude-standard").splitlines()
    return {ROOT / name for name in names}


def headers(source: pathlib.Path) -> list[pathlib.Path]:
    """Our own headers that the file includes itself."""
    names = re.findall(r'^#include "([^"]+)"', source.read_text(), re.MULTILINE)
    names = [name.removeprefix("detente/") for name in names]  # of the client's, which has it
    paths = [ROOT / parent / name for name in names for parent in ("server", ".", "cmake/include")]
    return [path for path in paths if path.is_file()]


def fingerprint(source: pathlib.Path) -> str:
    digest = hashlib.sha256()
    for path in [ROOT / ".clang-tidy", source, *headers(source)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    commands = json.loads((build / "compile_commands.json").read_text())
    sources = {pathlib.Path(entry["file"]) for entry in commands}
    ours = {s for s in sources if s.is_relative_to(ROOT) and not s.is_relative_to(ROOT / "build")}
    only = None if "--all" in sys.argv[2:] else changed()
    todo = sorted(s for s in ours if only is None or not only.isdisjoint([s, *headers(s)]))

    passed = build / "tidy"
    passed.mkdir(exist_ok=True)
    marks = {source: passed / fingerprint(source) for source in todo}
    todo = [source for source in todo if not marks[source].exists()]
    print(f"clang-tidy: {len(todo)} to check of {len(ours)} files", file=sys.stderr)

    def check(source: pathlib.Path) -> bool:
        run = subprocess.run(
            ["clang-tidy", "-p", build, "--quiet", source],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        if run.returncode == 0:
            marks[source].touch()
        else:
            print(run.stdout, run.stderr, sep="", file=sys.stderr)
        return run.returncode == 0

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return 0 if all(list(pool.map(check, todo))) else 1


if __name__ == "__main__":
    sys.exit(main())
