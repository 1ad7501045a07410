"""As many connections as there are files, and more."""

import pathlib
import resource
import socket

from wire import contract
from wire.calls import Client
from wire.process import Server

DETENTE = contract.detente()


def limited(soft: int, hard: int) -> list[str]:
    return ["prlimit", f"--nofile={soft}:{hard}"]


def open_files_limit(pid: int) -> int:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def test_the_limit_of_files_is_raised(tmp_path: pathlib.Path) -> None:
    with Server(tmp_path / "s.db", under=limited(256, 4096)) as server:
        assert open_files_limit(server.pid) == 4096
        assert server.log() == ""


def test_a_low_limit_is_told(tmp_path: pathlib.Path) -> None:
    with Server(tmp_path / "s.db", under=limited(256, 512)) as server:
        assert open_files_limit(server.pid) == 512
        (line,) = server.log().splitlines()
        assert line.startswith("detente-server: at most 512 files may be open")


def closed(connection: socket.socket) -> bool:
    """By the server; an open one has greeted."""
    try:
        while data := connection.recv(4096):
            assert data
            return False
    except ConnectionResetError:
        pass
    return True


def test_connections_over_the_limit_are_closed(tmp_path: pathlib.Path) -> None:
    """gRPC 1.51 would take none any more, for ever (CVE-2023-4785)."""
    limit, extra = 256, 100
    with (
        Server(tmp_path / "s.db", under=limited(limit, limit)) as server,
        Client(DETENTE, server.address) as early,
    ):
        assert early.of("sources").list().revision == 0
        host, _, port = server.address.rpartition(":")
        connections = [
            socket.create_connection((host, int(port)), 10) for _ in range(limit + extra)
        ]
        refused = [closed(c) for c in connections].count(True)
        assert extra < refused < limit  # some files are kept for the store
        assert server.log().count("connections are closed") == 1
        # Those that are there are served, writes and what opens files too.
        made = early.of("sources").create(DETENTE.resource("sources").new(title="t"))
        assert early.of("sources").get(made.name) == made
        for connection in connections:
            connection.close()
        with Client(DETENTE, server.address) as late:
            assert late.of("sources").get(made.name) == made
        assert server.terminate() == 0
