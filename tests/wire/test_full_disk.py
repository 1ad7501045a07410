"""A full disk: writes are refused in words, reads go on, and so do writes when there is room."""

import contextlib
import pathlib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator

import detente
import grpc
import pytest
from wire import contract
from wire.calls import Client, Code, Failure, failure_of, refuses
from wire.process import Server, run_to_end
from wire.records import new_id

DETENTE = contract.detente()


class Disk:
    """A small file system of its own, which can be filled and enlarged."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._mount("-t", "tmpfs", "-o", "size=8m", "tmpfs")

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, self.folder], capture_output=True, text=True)
        assert done.returncode == 0, f"this test mounts a tmpfs, as root: {done.stderr}"

    def enlarge(self) -> None:
        self._mount("-o", "remount,size=64m")

    def fill(self) -> None:
        """To the last page."""
        with (
            contextlib.suppress(OSError),
            open(self.folder / "ballast", "ab", buffering=0) as ballast,
        ):
            while True:
                ballast.write(bytes(4096))

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = Disk(folder)
    yield mounted
    mounted.unmount()


def source(size: int) -> object:
    return DETENTE.resource("sources").new(title="t", text="x" * size)


def until_refused(write: Callable[[], object]) -> tuple[list[str], Failure]:
    """The names of what was written before a write was refused, and how that was."""
    names = []
    while True:
        try:
            names.append(write().name)
        except grpc.RpcError as error:
            return names, failure_of(error)


SNAPSHOTS = DETENTE.pool.FindServiceByName("detente.v1.SnapshotService").methods_by_name


def take_snapshot(client: Client) -> object:
    request = DETENTE.new("detente.v1.CreateSnapshotRequest", snapshot_id=new_id())
    request.snapshot.title = "taken on a full disk"
    return client.call(SNAPSHOTS["CreateSnapshot"], request)


def integrity(store: pathlib.Path) -> str:
    with contextlib.closing(sqlite3.connect(store)) as db:
        return db.execute("PRAGMA integrity_check").fetchone()[0]


def test_a_server_on_a_full_disk(disk: Disk) -> None:
    store = disk.folder / "s.db"
    with Server(store) as server, Client(DETENTE, server.address) as client:
        sources = client.of("sources")
        kept, large = until_refused(lambda: sources.create(source(100_000)))
        assert len(kept) > 20
        disk.fill()
        more, small = until_refused(lambda: sources.create(source(10)))
        kept += more
        taken, snapshot = until_refused(lambda: take_snapshot(client))
        for told in (large, small, snapshot):
            assert (told.code, told.reason) == (Code.RESOURCE_EXHAUSTED, "STORE_FULL")
            assert "is full" in told.message
            for leak in ("sqlite", str(disk.folder), "I/O"):
                assert leak not in told.message.lower()
        made = sources.get(kept[0])
        made.note = "changed"
        made.ClearField("etag")
        operations = [
            {"create": {"record": source(10)}},
            {"update": {"record": made, "update_mask": ["note"]}},
        ]
        for write in (
            lambda: sources.update(made, update_mask=["note"]),
            lambda: sources.delete(kept[0]),
            lambda: client.batch_write(*operations),
            lambda: take_snapshot(client),
        ):
            refuses(Code.RESOURCE_EXHAUSTED, "STORE_FULL", write)
        # Reads go on, of what was acknowledged and nothing else.
        assert [r.name for r in sources.pages(page_size=10)] == sorted(kept)
        assert sources.batch_get(*kept[:20])
        done = run_to_end("--check_health", f"--listen={server.address}")
        assert done.returncode == 0
        lines = server.log().splitlines()
        assert lines[0] == (
            f"store: the disk of {store} is full: writes are refused until there is room"
        )
        assert set(lines) == {lines[0]}

        disk.enlarge()
        kept.append(sources.create(source(100_000)).name)
        assert sources.update(made, update_mask=["note"]).note == "changed"
        client.batch_write(*operations)
        taken.append(take_snapshot(client).name)
        snapshots = DETENTE.new("detente.v1.ListSnapshotsRequest")
        found = client.call(SNAPSHOTS["ListSnapshots"], snapshots).snapshots
        assert {s.name for s in found} == set(taken)
        assert {r.name for r in sources.pages(page_size=10)} > set(kept)
        assert server.terminate() == 0
    assert integrity(store) == "ok"
    with Server(store) as server, Client(DETENTE, server.address) as client:
        found = {r.name for r in client.of("sources").pages(page_size=10)}
        assert len(found) == len(kept) + 1  # the batch's
        assert found > set(kept)


def test_a_crash_on_a_full_disk(disk: Disk) -> None:
    store = disk.folder / "s.db"
    with Server(store) as server, Client(DETENTE, server.address) as client:
        kept, _ = until_refused(lambda: client.of("sources").create(source(50_000)))
        disk.fill()
        server.kill()
    with Server(store) as server, Client(DETENTE, server.address) as client:  # still full
        assert [r.name for r in client.of("sources").pages(page_size=10)] == sorted(kept)
        create = client.of("sources").create
        refuses(Code.RESOURCE_EXHAUSTED, "STORE_FULL", create, source(50_000))
        assert server.terminate() == 0
    disk.enlarge()
    assert integrity(store) == "ok"
    with Server(store) as server, Client(DETENTE, server.address) as client:
        assert [r.name for r in client.of("sources").pages(page_size=10)] == sorted(kept)


def test_embedded_on_a_full_disk(disk: Disk) -> None:
    with detente.open(disk.folder / "e.db", create=True) as db:
        kept = []

        def write() -> None:
            kept.append(db.sources.create(detente.Source(title="t", text="x" * 100_000)))

        def write_for_ever() -> None:
            while True:
                write()

        with pytest.raises(detente.ResourceExhaustedError, match="is full") as raised:
            write_for_ever()
        assert raised.value.reason == "STORE_FULL"
        assert db.sources.get(kept[0].name) == kept[0]
        disk.enlarge()
        write()
        assert {s.name for s in db.sources.list()} == {s.name for s in kept}
