"""docs/operating.md: every flag with its default, the backup beside a busy server, the links."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading

import detente
from wire.process import READY, Server, run_to_end

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/operating.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(PAGE) if name == language]


def test_every_flag_is_told_with_its_default() -> None:
    helped = " ".join(run_to_end("--help").stdout.split())
    flags = dict(re.findall(r"--(\w+) \(.*?\); default: (.*?);", helped))
    told = dict(re.findall(r"^\| `--(\w+)` \| `(.*?)` \|", PAGE, re.MULTILINE))
    assert len(flags) >= 9
    assert told == flags


def test_commands(tmp_path: pathlib.Path) -> None:
    """The page's, in its order, against a server whose store is written all the while."""
    console = [c for block in blocks("console") for c in block.split("$ ")[1:]]
    start, health, *inspect = console
    command, line = start.splitlines()
    assert command == "detente-server --listen localhost:7400 --store sqlite:detente.db"
    assert line == f"{READY}localhost:7400"
    (backup,) = blocks("python")

    stop = threading.Event()
    written: list[int] = []
    with Server(tmp_path / "detente.db") as server:
        with detente.connect(server.address) as db:

            def write() -> None:
                while not stop.is_set():
                    written.append(db.sources.create(detente.Source(title="t")).revision)

            writer = threading.Thread(target=write)
            writer.start()
            while len(written) < 100:
                pass
            done = run_to_end(*shlex.split(health.replace("localhost:7400", server.address))[1:])
            assert (done.returncode, done.stdout + done.stderr) == (0, "")
            before = len(written)
            done = subprocess.run([sys.executable, "-c", backup], cwd=tmp_path)
            stop.set()
            writer.join()
        assert done.returncode == 0
        assert server.terminate() == 0
    with detente.open(tmp_path / "backup.db") as copy:
        assert copy.revision >= before
        revisions = sorted(source.revision for source in copy.sources.list())
        assert revisions == list(range(1, copy.revision + 1))
    assert inspect
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in inspect:
        words = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(words, cwd=tmp_path, env=os.environ | {"PATH": path})
        assert done.returncode == 0, command


def test_what_it_names_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    unit = (ROOT / "deploy/detente-server.service").read_text()
    assert "EnvironmentFile=-/etc/default/detente-server" in unit
