"""What the tests of the Python package and others share: servers, and stores to write to."""

from collections.abc import Iterator
from pathlib import Path

import detente
import pytest
from wire.process import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server process whose store is empty and the test's own."""
    process = Server(tmp_path / "server.db")
    yield process.address
    process.close()


@pytest.fixture(params=["embedded", "remote"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[detente.Database]:
    """An empty store, in this process and behind a server: the same assertions hold for both."""
    if request.param == "embedded":
        opened = detente.open(tmp_path / "embedded.db", create=True)
    else:
        opened = detente.connect(request.getfixturevalue("server"))
    with opened:
        yield opened
