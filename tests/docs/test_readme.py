"""Every command and program in README.md, run as a newcomer would, against a real server."""

import io
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
from wire.contract import BINARY_DIR
from wire.process import Server

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(README) if name == language]


def run(command: list[str], cwd: pathlib.Path) -> str:
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the samples and the store that the first commands make."""
    home = tmp_path_factory.mktemp("newcomer")
    (home / "samples").symlink_to(ROOT / "samples")
    return home


@pytest.fixture(scope="module")
def console(home: pathlib.Path) -> list[tuple[str, str]]:
    """Each `$ command` with the output that the README shows below it, run."""
    ran = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, shown = part.partition("\n")
            output = run(shlex.split(command), home)
            ran.append((command, output))
            assert output.startswith(shown), command
    return ran


@pytest.fixture(scope="module")
def server(home: pathlib.Path, console: list[tuple[str, str]]) -> str:
    with Server(home / "belarus.db") as server:
        yield server.address


def test_command_line(console: list[tuple[str, str]]) -> None:
    outputs = [output for _, output in console]
    assert len(outputs) == 6
    assert "Алесь Бяляцкі" in outputs[1]
    assert "commitments/" in outputs[2]
    assert outputs[3].count("releases/") == 1
    assert "releases/by-2025-12-13" in outputs[3]
    assert "headcount: 123" in outputs[5]


def test_demo_prints_what_the_readme_shows() -> None:
    (shown,) = [text for text in blocks("") if "RELEASE OF 123" in text]
    demo = io.StringIO(run(["detente", "demo"], ROOT))
    for line in shown.splitlines():
        if line.strip() in ("", "…"):
            continue
        assert any(line == printed.rstrip("\n") for printed in demo), line


def test_python_embedded(home: pathlib.Path, console: list[tuple[str, str]]) -> None:
    (program,) = [text for text in blocks("python") if "detente.open" in text]
    output = run([sys.executable, "-c", program], home)
    assert "123 announced, 14 named" in output
    assert "says otherwise" in output


def test_python_remote(home: pathlib.Path, server: str) -> None:
    (program,) = [text for text in blocks("python") if "detente.connect" in text]
    assert "localhost:7400" in program
    output = run([sys.executable, "-c", program.replace("localhost:7400", server)], home)
    assert "lifting of the sanctions on potash" in output
    assert "[2, 1]" in output
    assert output.splitlines()[-1] == "''"


def test_cpp(server: str, home: pathlib.Path) -> None:
    (program,) = blocks("cpp")
    assert program in (ROOT / "client/example.cc").read_text()
    output = run([str(BINARY_DIR / "bin/detente-example"), server, "by-2025-12-13"], home)
    assert "Release of 123 prisoners, Belarus, 13 December 2025 (2025-12-13)" in output
    assert "  Maria Kalesnikava" in output


def test_grpcurl(server: str, home: pathlib.Path) -> None:
    (command,) = [text for text in blocks("sh") if text.startswith("grpcurl")]
    output = run(shlex.split(command.replace("localhost:7400", server)), home)
    assert '"name": "releases/by-2025-12-13"' in output


def test_no_block_is_left_out() -> None:
    """Each is of a kind that a test above runs (`test_pages` looks at the verbs of ./dev)."""
    assert {name for name, _ in BLOCK.findall(README)} == {"", "sh", "console", "python", "cpp"}
    for text in blocks("sh"):
        assert text.startswith("grpcurl ") or all(
            line.startswith("./dev ") for line in text.splitlines()
        )
    for text in blocks("python"):
        assert "detente.open" in text or "detente.connect" in text


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
