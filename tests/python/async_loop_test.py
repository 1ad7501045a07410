"""Asynchronous connections in their event loop: many calls, cancelling, closing, the process."""

import asyncio
import os
import pathlib
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import detente
import pyarrow as pa
import pytest
from wire.process import Server

PEOPLE = 150
# Each looks through all letters of a record: many seconds for all records.
SLOW = " OR ".join(f'note = "*{"a" * 100}b{number}*"' for number in range(60))
NOTE = "a" * 60_000

Test = Callable[[detente.AsyncDatabase], Awaitable[None]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """People whose notes are long, so that a query can take its time."""
    path = tmp_path_factory.mktemp("loop") / "slow.db"
    with detente.open(path, create=True) as db:
        for start in range(0, PEOPLE, 50):
            with db.batch() as batch:
                for number in range(start, start + 50):
                    name = f"Test Person {number}"
                    batch.persons.create(id=f"p{number}", display_name=name, note=NOTE)
    return path


@pytest.fixture(scope="module")
def server(store: pathlib.Path) -> Iterator[Server]:
    with Server(store) as server:
        yield server


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of a listener that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(params=["embedded", "remote"])
def opened(request: pytest.FixtureRequest, store: pathlib.Path) -> Callable[[], Any]:
    """Opens the store, in this process and behind a server: the same assertions hold for both."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[detente.AsyncDatabase]:
        if request.param == "embedded":
            db = await detente.open_async(store, read_only=True)
        else:
            db = await detente.connect_async(request.getfixturevalue("server").address)
        async with db:
            yield db

    return opened


def processor_time(pid: int) -> float:
    """Seconds that a process has computed."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def is_idle(pid: int) -> None:
    """Returns once a process computes no more."""
    while True:
        before = processor_time(pid)
        await asyncio.sleep(0.5)
        if processor_time(pid) - before < 0.1:
            return


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


# --- many calls ----------------------------------------------------------------------------------


def test_a_thousand_calls_at_once(opened: Callable[[], Any]) -> None:
    async def get(db: detente.AsyncDatabase, number: int) -> str:
        return (await db.persons.get(f"p{number}", read_mask="display_name")).display_name

    async def listed(db: detente.AsyncDatabase, number: int) -> list[str]:
        people = db.persons.list(read_mask="name", page_size=number % 7 + 1).limit(number % 10)
        return [person.name.removeprefix("persons/") async for person in people]

    async def main() -> None:
        async with opened() as db:
            await get(db, 0)
            before, most = threads(), 0

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, threads())
                    await asyncio.sleep(0.01)

            watching = asyncio.create_task(watch())
            start = time.monotonic()
            numbers = range(500)
            found = await asyncio.gather(
                *(get(db, number % PEOPLE) for number in numbers),
                *(listed(db, number) for number in numbers),
            )
            took = time.monotonic() - start
            watching.cancel()
        names = sorted(f"p{number}" for number in range(PEOPLE))
        assert found[:500] == [f"Test Person {number % PEOPLE}" for number in numbers]
        assert found[500:] == [names[: number % 10] for number in numbers]
        assert took < 20
        assert 0 < most <= before + 8  # not one for each call

    asyncio.run(main())


def test_writes_at_once_are_all_there(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with await detente.open_async(tmp_path / "x.db", create=True) as db:
            async with asyncio.TaskGroup() as group:
                for number in range(200):
                    group.create_task(db.persons.create(id=f"p{number}", display_name="Test"))
            assert await db.persons.list().count() == 200
            assert await db.revision == 200

    asyncio.run(main())


# --- cancelling ----------------------------------------------------------------------------------


def slow_call(db: detente.AsyncDatabase) -> Awaitable[Any]:
    return db.aggregate("persons", filter=SLOW)


def slow_job(db: detente.AsyncDatabase) -> Awaitable[Any]:
    return db.persons.list(SLOW).to_arrow("name")


@pytest.mark.parametrize("slow", [slow_call, slow_job])
def test_cancelling_ends_the_call_where_it_runs(
    opened: Callable[[], Any], request: pytest.FixtureRequest, slow: Callable[[Any], Awaitable[Any]]
) -> None:
    async def main() -> None:
        async with opened() as db:
            pid = os.getpid() if db._label.startswith("detente.open") else server_pid()
            await db.revision
            before = processor_time(pid)
            late = 0.0
            tasks = [asyncio.ensure_future(slow(db)) for _ in range(2)]
            for _ in range(25):  # the loop goes on meanwhile, and others are served
                start = time.monotonic()
                await asyncio.sleep(0.02)
                late = max(late, time.monotonic() - start)
            assert (await db.persons.get("p7", read_mask="name")).name == "persons/p7"
            assert not any(task.done() for task in tasks)
            assert processor_time(pid) - before > 0.1
            assert late < 0.5
            start = time.monotonic()
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(error) for error in ended] == [asyncio.CancelledError] * 2
            assert time.monotonic() - start < 1.5
            await is_idle(pid)
            # Seconds to their end, if they went on.
            assert time.monotonic() - start < 3

    def server_pid() -> int:
        server: Server = request.getfixturevalue("server")
        return server.pid

    asyncio.run(main())


def test_a_timeout_of_the_task(opened: Callable[[], Any]) -> None:
    async def main() -> None:
        async with opened() as db:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await slow_call(db)
            await db.persons.get("p1")

    asyncio.run(main())


def test_a_timeout_of_the_connection(silence: str) -> None:
    async def main() -> None:
        async with await detente.connect_async(silence, timeout=0.2) as db:
            start = time.monotonic()
            with pytest.raises(detente.DeadlineExceededError):
                await db.persons.get("p1")
            assert 0.15 < time.monotonic() - start < 5

    asyncio.run(main())


def test_a_group_of_tasks_ends_together(opened: Callable[[], Any]) -> None:
    async def main() -> None:
        async with opened() as db:
            start = time.monotonic()
            with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
                async with asyncio.TaskGroup() as group:
                    group.create_task(slow_call(db))
                    group.create_task(db.persons.get("none"))
            assert [type(error) for error in caught.value.exceptions] == [detente.NotFoundError]
            assert time.monotonic() - start < 2

    asyncio.run(main())


def test_a_cancelled_job_leaves_nothing(tmp_path: pathlib.Path) -> None:
    """A load, a write and an export are stopped: between commits, and without a file."""

    def rows() -> Iterator[pa.RecordBatch]:
        for number in range(10_000):
            yield pa.record_batch({"display_name": [f"Test {number}-{i}" for i in range(1000)]})

    async def main() -> None:
        schema = pa.schema({"display_name": pa.string()})
        async with await detente.open_async(tmp_path / "x.db", create=True) as db:
            data = pa.RecordBatchReader.from_batches(schema, rows())
            seen: list[int] = []
            ident = threading.get_ident()

            def progress(done: int, _: int | None) -> None:
                assert threading.get_ident() == ident
                seen.append(done)

            writing = asyncio.create_task(db.write("persons", data, progress=progress))
            while not seen or seen[-1] < 5000:
                await asyncio.sleep(0.01)
            writing.cancel()
            start = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert time.monotonic() - start < 2
            written = await db.persons.list().count()
            assert written >= 5000
            assert written % 1000 == 0
            await asyncio.sleep(0.1)
            assert await db.persons.list().count() == written

            read: list[int] = []
            exporting = asyncio.create_task(
                db.export(tmp_path / "x.csv", "persons", progress=lambda *one: read.append(one[0]))
            )
            while not read:
                await asyncio.sleep(0.001)
            exporting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await exporting
            assert not list(tmp_path.glob("*x.csv*"))

    asyncio.run(main())


def test_batches_that_are_given_up(opened: Callable[[], Any]) -> None:
    async def main() -> None:
        async with opened() as db:
            batches = db.persons.list().to_batches()
            async for batch in batches:
                assert batch.num_rows
                break
            await batches.aclose()
            assert (await db.persons.list().to_arrow("name")).num_rows == PEOPLE

    asyncio.run(main())


@pytest.mark.parametrize(("slow", "most"), [(slow_call, 8), (slow_job, 4)])
def test_what_waits_for_a_thread(
    store: pathlib.Path, slow: Callable[[Any], Awaitable[Any]], most: int
) -> None:
    """docs/limits.md has how many threads there are; one that is free takes the next."""

    async def quick(db: detente.AsyncDatabase) -> Any:
        people = db.persons.list(read_mask="name").limit(1)
        return await (people.to_arrow("name") if slow is slow_job else people.first())

    async def main() -> None:
        async with await detente.open_async(store, read_only=True) as db:
            tasks = [asyncio.ensure_future(slow(db)) for _ in range(most - 1)]
            await asyncio.sleep(0.1)
            assert await asyncio.wait_for(quick(db), 5)
            tasks.append(asyncio.ensure_future(slow(db)))
            await asyncio.sleep(0.1)
            waiting = asyncio.ensure_future(quick(db))
            given_up = asyncio.ensure_future(quick(db))
            assert await asyncio.wait([waiting, given_up], timeout=0.3) == (
                set(),
                {waiting, given_up},
            )
            given_up.cancel()
            assert await asyncio.wait([given_up], timeout=1) == ({given_up}, set())
            tasks[0].cancel()
            assert await asyncio.wait_for(waiting, 5)
            for task in tasks:
                task.cancel()

    asyncio.run(main())


# --- closing, and other loops --------------------------------------------------------------------


def test_closing_ends_the_calls(opened: Callable[[], Any]) -> None:
    async def main() -> None:
        async with opened() as db:
            await db.revision
            # More than there are threads for: some wait.
            calls = [asyncio.ensure_future(slow_call(db)) for _ in range(20)]
            job = asyncio.ensure_future(slow_job(db))
            await asyncio.sleep(0.3)
            start = time.monotonic()
            await asyncio.gather(db.close(), db.close())
            ended = await asyncio.gather(*calls, job, return_exceptions=True)
            assert {type(error) for error in ended} == {detente.CancelledError}
            assert time.monotonic() - start < 3
            assert db.closed
            for late in (db.persons.get("p1"), db.persons.list().to_arrow(), db.revision):
                with pytest.raises(detente.FailedPreconditionError, match="closed"):
                    await late
            await db.close()

    asyncio.run(main())


def test_a_connection_belongs_to_one_loop(opened: Callable[[], Any], store: pathlib.Path) -> None:
    with asyncio.Runner() as runner:
        db = runner.run(detente.open_async(store, read_only=True))
        runner.run(anext(aiter(db.persons.list())))

        async def elsewhere() -> None:
            for use in (db.persons.get("p1"), db.close(), db.persons.list().to_arrow()):
                with pytest.raises(detente.FailedPreconditionError, match="another event loop"):
                    await use

        asyncio.run(elsewhere())
        runner.run(db.close())


# --- the process ---------------------------------------------------------------------------------


def python(code: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """Runs a program that may hang or crash; its standard error is printed if the test fails."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", "-c", textwrap.dedent(code), *args],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done


ENDS = {
    # asyncio.run cancels what goes on, and nobody closes the connections.
    "run": "asyncio.run(main())",
    # The loop is closed with calls in flight.
    "loop closed": "loop.run_until_complete(main()); loop.close()",
    "loop dropped": (
        "loop.run_until_complete(main()); loop.close(); del loop, kept[:]; gc.collect()"
    ),
    # The interpreter exits with a loop that was left as it is.
    "left": "loop.run_until_complete(main())",
    # … or that runs in a thread.
    "daemon": (
        "threading.Thread(target=loop.run_until_complete, args=(main(5),), daemon=True).start();"
        "time.sleep(1.5)"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends_with_calls_in_flight(
    end: str, silence: str, store: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    done = python(
        f"""
        import asyncio, detente, gc, sys, threading, time
        silence, store, slow = sys.argv[1:]
        kept = []
        loop = asyncio.new_event_loop()

        async def main(seconds=0.3):
            kept.append(await detente.connect_async(silence))
            kept.append(await detente.open_async(store, read_only=True))
            for _ in range(20):
                kept.append(asyncio.ensure_future(kept[0].persons.get("a")))
                kept.append(asyncio.ensure_future(kept[1].aggregate("persons", filter=slow)))
            await asyncio.sleep(seconds)
            print("so far", flush=True)

        {ENDS[end]}
        """,
        silence,
        str(store),
        SLOW,
    )
    assert done.returncode == 0
    # What asyncio says of tasks that nobody awaits is not ours.
    told = [line for line in done.stderr.splitlines() if "Fatal" in line or "abort" in line]
    assert told == []
    assert "so far" in done.stdout or end == "daemon"


def test_ctrl_c(silence: str) -> None:
    done = python(
        """
        import asyncio, detente, os, signal, sys

        async def main():
            async with await detente.connect_async(sys.argv[1]) as db:
                loop = asyncio.get_running_loop()
                loop.call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
                await db.persons.list().to_arrow() if sys.argv[2] else await db.persons.get("a")

        signal.signal(signal.SIGINT, signal.default_int_handler)
        for job in ("", "job"):
            sys.argv[2:] = [job]
            try:
                asyncio.run(main())
            except KeyboardInterrupt:
                print("interrupted")
        """,
        silence,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n" * 2)


def test_a_forked_child_is_told(silence: str, store: pathlib.Path) -> None:
    done = python(
        """
        import asyncio, detente, os, sys

        async def child(db):
            for use in (db.persons.get("a"), detente.connect_async(sys.argv[1])):
                try:
                    await use
                except detente.FailedPreconditionError as error:
                    print(error, flush=True)

        async def main():
            db = await detente.connect_async(sys.argv[1], timeout=0.3)
            store = await detente.open_async(sys.argv[2], read_only=True)
            calls = [asyncio.ensure_future(db.persons.get("a")), store.persons.get("p1")]
            await asyncio.sleep(0.1)
            pid = os.fork()
            if pid == 0:
                asyncio._set_running_loop(None)
                asyncio.run(child(db))
                del db, store
                os._exit(0)
            print(await asyncio.gather(*calls, return_exceptions=True))
            assert os.waitpid(pid, 0)[1] == 0
            await db.close()
            await store.close()

        asyncio.run(main())
        """,
        silence,
        str(store),
    )
    assert done.returncode == 0
    assert "another event loop" in done.stdout
    assert "forked" in done.stdout
    assert "DeadlineExceededError" in done.stdout
