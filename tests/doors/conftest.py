"""A server with the founding case, and Envoy before it."""

from collections.abc import Iterator

import detente
import pytest
from detente import loading
from doors.curl import Door
from doors.envoy import Envoy
from wire.contract import SOURCE_DIR
from wire.process import Server


@pytest.fixture(scope="session")
def case_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has the founding case; tests may add to it."""
    store = tmp_path_factory.mktemp("case") / "case.db"
    with detente.open(store, create=True) as db:
        loading.load(db, [SOURCE_DIR / "samples/belarus-2025"])
    with Server(store) as server:
        yield server.address


@pytest.fixture(scope="session")
def proxy(case_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), case_server)
    yield envoy
    envoy.close()


@pytest.fixture(scope="session")
def door(proxy: Envoy) -> Door:
    return Door(proxy.url)
