"""docs/clients.md: the example of each language is generated, built and run as the page says.

What is built is kept in .tools/, under a name that has the content of all that it is made from.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import detente
import pytest
from detente import loading
from doors.envoy import Envoy
from doors.page import as_shown, commands
from wire.contract import BINARY_DIR, SOURCE_DIR
from wire.process import Server

PAGE = (SOURCE_DIR / "docs/clients.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = {"Python without our package": "python-grpcio", "Go": "go", "TypeScript": "typescript"}
GENERATED = shutil.ignore_patterns("build", "client", "detente", "generated", "node_modules")

Run = Callable[[str, pathlib.Path], str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server that nothing is added to: the page shows its revision."""
    store = tmp_path_factory.mktemp("clients") / "case.db"
    with detente.open(store, create=True) as db:
        loading.load(db, [SOURCE_DIR / "samples/belarus-2025"])
    with Server(store) as server:
        yield server.address


@pytest.fixture(scope="module")
def run(server: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    envoy = Envoy(folder, server)
    # Python as it is without our package, which a .pth of the environment names.
    python = folder / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    tools = f"{python.parent}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    (site,) = (p for p in sys.path if p.endswith("site-packages"))
    environment = os.environ | {"PATH": tools, "PYTHONPATH": site, "GOTOOLCHAIN": "local"}

    def run(command: str, folder: pathlib.Path) -> str:
        command = command.replace("localhost:7400", server).replace("localhost:8080", envoy.address)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A call that fails, as grpcurl shows one.
        failed = done.returncode != 0 and not done.stdout.startswith("ERROR:\n")
        assert not failed, f"{command}: {done.stdout}"
        return done.stdout

    yield run
    envoy.close()


def prepared(example: str, preparations: list[str], run: Run) -> pathlib.Path:
    """The folder of the example after these commands."""
    source = SOURCE_DIR / "examples" / example
    key = hashlib.sha256((BINARY_DIR / "detente.pb").read_bytes())
    key.update("\n".join([SOURCE_DIR.as_posix(), sys.version, *preparations]).encode())
    for name in ("go", "node"):
        if program := shutil.which(name):
            key.update(os.path.realpath(program).encode())
    ignored = GENERATED(str(source), os.listdir(source))
    for file in sorted(source.iterdir()):
        if file.name not in ignored:
            key.update(file.name.encode() + file.read_bytes())
    # As deep below the root as the example is: the commands lead from there.
    folder = SOURCE_DIR / ".tools" / f"example-{example}-{key.hexdigest()[:16]}"
    if not folder.exists():
        for old in folder.parent.glob(f"example-{example}-*"):
            shutil.rmtree(old)
        unfinished = folder.with_name(f"example-{example}-unfinished")
        shutil.copytree(source, unfinished, ignore=GENERATED)
        for command in preparations:
            run(command, unfinished)
        unfinished.rename(folder)
    return folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize("title", EXAMPLES)
def test_example(title: str, run: Run) -> None:
    (enter, _), *rest = commands(SECTIONS[title])
    example = EXAMPLES[title]
    assert enter == f"cd examples/{example}"
    # What pip would install is in the environment.
    preparations = [c for c, shown in rest if not shown and not c.startswith("pip install")]
    folder = prepared(example, preparations, run)
    calls = [(command, shown) for command, shown in rest if shown]
    assert calls
    for command, shown in calls:
        assert "RECORD_NOT_FOUND" in shown
        output = run(command, folder)
        assert output == shown, f"{command}\n{output}"


def test_grpcurl(run: Run) -> None:
    calls = commands(SECTIONS["grpcurl"])
    assert len(calls) == 3
    for command, shown in calls:
        output = run(command, SOURCE_DIR)
        assert as_shown(output, shown), f"{command}\n{output}"


@pytest.mark.parametrize(
    "file", ["python-grpcio/main.py", "go/main.go", "go/buf.gen.yaml", "typescript/main.ts"]
)
def test_the_page_has_the_programs(file: str) -> None:
    assert f"\n{(SOURCE_DIR / 'examples' / file).read_text()}```\n" in PAGE


def test_go_is_formatted() -> None:
    done = subprocess.run(
        ["gofmt", "-l", *(SOURCE_DIR / "examples/go").glob("*.go")], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
