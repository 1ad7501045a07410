"""A root folder with some of this system's packages, and what they depend on, and nothing else."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")  # links into /usr
_MOUNT = 'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
# Documentation of a package may be left out of an image.
_COPY = """tar -C/ -cf- --no-recursion --ignore-failed-read --files-from=- |
    tar -C"$0" -xf- --keep-directory-symlink"""


class CleanRoot:
    """Commands in it see no file of the system around it but /dev and /proc.

    The files are copied from the packages as they are installed here: no network, two seconds.
    """

    def __init__(self, root: Path, packages: Sequence[str]) -> None:
        self.root = root
        for folder in ("usr", "dev", "proc", "etc", "tmp", "root"):
            (root / folder).mkdir(parents=True)
        for name in _MERGED:
            (root / "usr" / name).mkdir()
            (root / name).symlink_to(f"usr/{name}")
        self.packages = _with_dependencies(packages)
        listed = _dpkg_query("-L", *sorted(self.packages))
        files = sorted({line for line in listed.splitlines() if line.startswith("/")} - {"/."})
        copied = subprocess.run(
            ["bash", "-o", "pipefail", "-c", _COPY, root],
            input="\n".join(files).encode(),
            stderr=subprocess.PIPE,
        )
        assert copied.returncode == 0, copied.stderr.decode()
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")

    def command(self, *command: str | Path) -> list[str]:
        """What runs `command` in it: the same process, so that signals reach it."""
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        return ["unshare", "--mount", *user, "sh", "-c", _MOUNT, str(self.root), *map(str, command)]

    @property
    def environment(self) -> dict[str, str]:
        """pip and uv find packages in /wheels, and nowhere else."""
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
        uv = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": "/wheels"}
        return {"PATH": "/usr/bin:/usr/sbin", "HOME": "/root", "LANG": "C.UTF-8", **pip, **uv}

    def run(self, *command: str | Path) -> str:
        """What it prints. It must succeed."""
        done = subprocess.run(
            self.command(*command), env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def _with_dependencies(packages: Sequence[str]) -> set[str]:
    form = "${Package}\t${db:Status-Status}\t${Provides}\t${Pre-Depends}, ${Depends}\n"
    installed: dict[str, str] = {}
    providers: dict[str, str] = {}
    for line in _dpkg_query("-W", "-f", form).splitlines():
        name, status, provides, depends = line.split("\t")
        if status != "installed":
            continue
        installed[name] = depends
        for provided in _names(provides):
            providers.setdefault(provided, name)
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for alternatives in installed[name].split(","):
            choice = [
                providers.get(n, n) if n not in installed else n for n in _names(alternatives)
            ]
            waiting += [n for n in choice if n in installed][:1]
    return found


def _names(dependency: str) -> list[str]:
    """Of `libc6 (>= 2.36) | libc`."""
    words = re.findall(r"(?:^|[|,])\s*([a-z0-9][a-z0-9.+-]*)", dependency)
    return [str(word) for word in words]


def _dpkg_query(*arguments: str) -> str:
    return subprocess.run(
        ["dpkg-query", *arguments], check=True, capture_output=True, text=True
    ).stdout
