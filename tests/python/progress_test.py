"""Long work tells how far it has come, to whoever looks and to nobody else; Ctrl-C ends it."""

import fcntl
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import detente
import pyarrow as pa
import pytest
from detente import _progress, testing

PERSONS = 400
CALLS = {
    "load": "db.load([{'id': str(n), 'name': 'Test Person'} for n in range(5)], into='persons')",
    "write": "db.write('persons', frame)",
    "export": "db.export(folder + '/persons.csv', 'persons')",
    "read": "db.persons.list().to_arrow()",
    "fill": "testing.fill(detente.open(':memory:'), persons=20)",
    "export ": "db.snapshots.export(db.snapshots.create('s'), folder + '/s.jsonl')",
}
PROGRAM = """
import functools, sys
import detente, pyarrow as pa
from detente import _progress, testing
bar = _progress._bar()
_progress._SOON = 0  # each number is shown, soon as all is done
_progress._bar = lambda: functools.partial(bar, mininterval=0, miniters=1)
frame = pa.table({"id": ["a-" + str(n) for n in range(5)]})
folder = sys.argv[1]
with detente.open(":memory:") as db:
    testing.fill(db, persons=30, progress=False)
    for call in sys.argv[2:]:
        eval(call)
        print(file=sys.stderr)
"""


def run_in_terminal(*command: str) -> tuple[str, int]:
    """What a program writes to standard error, which is a terminal, and how it ended."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    written = b""
    with open(ours, "rb", buffering=0) as terminal:
        while True:
            try:
                part = terminal.read(4096)
            except OSError:  # nobody has the other end any more
                break
            if not part:
                break
            written += part
    return written.decode(), process.wait(30)


def test_a_terminal_has_a_bar(tmp_path: Path) -> None:
    shown, code = run_in_terminal(sys.executable, "-c", PROGRAM, str(tmp_path), *CALLS.values())
    assert code == 0, shown
    parts = shown.split("\r\n")
    for name, part in zip(CALLS, parts, strict=False):
        assert re.search(rf"\r{name.strip()}: ", part), (name, part)
        assert re.search(r"\r *\r$", part), (name, part)  # nothing is left of it
        assert "100%" in part or name == "fill", (name, part)


def test_elsewhere_nothing_is_shown(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *CALLS.values()],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.strip(), done.stdout) == (0, "", "")


def test_what_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A function in place of a bar; False: nothing; True: a bar, whoever looks."""
    bars: list[Any] = []

    class Bar:
        n = total = 0

        def __init__(self, **options: Any) -> None:
            bars.append(options)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, more: int) -> None:
            self.n += more

    monkeypatch.setattr(_progress, "_bar", lambda: Bar)
    monkeypatch.setattr(_progress, "is_watched", lambda: True)
    with detente.open(":memory:") as db:
        testing.fill(db, persons=20, progress=False)
        seen: list[tuple[int, int | None]] = []

        def tell(done: int, total: int | None) -> None:
            seen.append((done, total))

        db.persons.list().to_arrow(progress=tell)
        assert seen == [(20, 20)]
        db.persons.list().to_pandas(progress=False)
        db.write("persons", pa.table({"id": ["a"]}), progress=False)
        db.export(tmp_path / "a.csv", "persons", progress=tell)
        assert seen[-1] == (21, 21)
        assert not bars
        db.persons.list().to_polars()
        assert [bar["desc"] for bar in bars] == ["read"]
        monkeypatch.setattr(_progress, "is_watched", lambda: False)
        db.persons.list().to_arrow()
        assert len(bars) == 1
        db.export(tmp_path / "b.csv", "persons", progress=True)
        assert [bar["desc"] for bar in bars] == ["read", "export"]


# --- Ctrl-C --------------------------------------------------------------------------------------


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    with path.open("w") as file:
        file.write("id,name\n")
        file.writelines(f"{n},Test Person {n}\n" for n in range(20_000))
    return path


def interrupted(command: list[str], begun: Any) -> subprocess.CompletedProcess[str]:
    """Runs a verb of the command line, and sends SIGINT once it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "detente", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not begun() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_a_load_ends_with_whole_commits(tmp_path: Path, people: Path) -> None:
    path = tmp_path / "s.db"

    def some_commits() -> bool:
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                return bool(db.execute("SELECT max(revision) > 2 FROM commits").fetchone()[0])
        except sqlite3.OperationalError:
            return False

    command = ["load", str(people), "--into", "persons", "--on-error", "skip", "--db", str(path)]
    done = interrupted(command, some_commits)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert done.stderr.strip() == "detente: interrupted"
    with detente.open(path) as db:
        count = db.persons.list().count()
        assert 0 < count < 20_000
        assert count % 1000 == 0
        assert db.revision == count // 1000
        db.load(people, "persons")  # goes on where it ended
        assert db.persons.list().count() == 20_000
