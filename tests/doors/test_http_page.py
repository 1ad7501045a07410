"""Every command in docs/http.md, in its order, through a real Envoy."""

import pathlib
import subprocess

import detente
from detente import loading
from doors.envoy import FILES, Envoy
from doors.page import as_shown, commands
from wire.contract import SOURCE_DIR
from wire.process import Server

PAGE = (SOURCE_DIR / "docs/http.md").read_text()


def test_the_page_is_true(tmp_path: pathlib.Path) -> None:
    with detente.open(tmp_path / "case.db", create=True) as db:
        loading.load(db, [SOURCE_DIR / "samples/belarus-2025"])
    with Server(tmp_path / "case.db") as server:
        envoy = Envoy(tmp_path, server.address)
        try:
            calls = commands(PAGE)
            assert len(calls) > 10
            for command, shown in calls:
                assert shown, command
                output = call(command.replace("localhost:8080", envoy.address))
                assert as_shown(output, shown), f"{command}\n{output}"
        finally:
            envoy.close()


def call(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl --silent --show-error --max-time 20 ", 1)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout.strip() + "\n"


def test_it_names_what_envoy_reads() -> None:
    for file in FILES:
        assert f"`{file}`" in PAGE
