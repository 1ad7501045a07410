"""detente._core alone: what a connection does to the process that it lives in."""

import itertools
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
from detente import _core
from detente.v1 import release_pb2, release_service_pb2
from google.rpc import error_details_pb2, status_pb2

GET = "/detente.v1.ReleaseService/GetRelease"
CREATE = "/detente.v1.ReleaseService/CreateRelease"
LIST = "/detente.v1.ReleaseService/ListReleases"

UNAVAILABLE = 14
FAILED_PRECONDITION = 9
DEADLINE_EXCEEDED = 4
CANCELLED = 1
NOT_FOUND = 5
INVALID_ARGUMENT = 3


def create(connection: _core.Connection, release_id: str) -> release_pb2.Release:
    request = release_service_pb2.CreateReleaseRequest(
        release=release_pb2.Release(display_name="123 freed"), release_id=release_id
    )
    answer = connection.call(CREATE, request.SerializeToString())
    return release_pb2.Release.FromString(answer)


def get_request(name: str) -> bytes:
    return release_service_pb2.GetReleaseRequest(name=name).SerializeToString()


@pytest.fixture
def store() -> Iterator[_core.Connection]:
    connection = _core.open(":memory:")
    yield connection
    connection.close()


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of a listener that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def python(code: str, *args: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
    """Runs a program that may hang or crash; its standard error is printed if the test fails."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code), *args],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done


# --- calls --------------------------------------------------------------------------------------


def test_bytes_in_bytes_out(store: _core.Connection) -> None:
    made = create(store, "a")
    assert made.name == "releases/a"
    assert release_pb2.Release.FromString(store.call(GET, get_request("releases/a"))) == made


def test_a_failure_has_code_message_and_details(store: _core.Connection) -> None:
    with pytest.raises(_core.CallError) as caught:
        store.call(GET, get_request("releases/none"))
    error = caught.value
    assert error.code == NOT_FOUND
    assert str(error) == error.message != ""
    status = status_pb2.Status.FromString(error.details)
    assert (status.code, status.message) == (error.code, error.message)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.reason == "RECORD_NOT_FOUND"


def test_repr_and_properties(store: _core.Connection) -> None:
    assert repr(store) == "<detente._core.Connection ':memory:'>"
    assert (store.target, store.closed) == (":memory:", False)
    store.close()
    store.close()
    assert store.closed
    assert repr(store) == "<detente._core.Connection ':memory:', closed>"
    with pytest.raises(_core.CallError, match="closed") as caught:
        store.call(GET, get_request("releases/a"))
    assert caught.value.code == FAILED_PRECONDITION


def test_wrong_arguments() -> None:
    with pytest.raises(_core.CallError, match="host:port") as caught:
        _core.connect("localhost")
    assert caught.value.code == INVALID_ARGUMENT
    with pytest.raises(_core.CallError) as caught:
        _core.open("/no/such/folder/x.db")
    assert caught.value.code == NOT_FOUND
    with pytest.raises(ValueError, match="nan"):
        _core.connect("localhost:1", timeout=float("nan"))
    with pytest.raises(TypeError):
        _core.connect("localhost:1", "token")  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError):
        _core.Connection()


def test_a_closed_store_opens_again(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "x.db")
    for i in range(3):
        connection = _core.open(path, create=True)
        create(connection, f"a{i}")
        if i == 0:
            connection.close()
        else:
            del connection  # closes it as well


def test_timeout(silence: str) -> None:
    connection = _core.connect(silence, timeout=0.2)
    start = time.monotonic()
    for timeout in (None, 0.1, 0.0, -1.0):
        with pytest.raises(_core.CallError) as caught:
            connection.call(GET, b"", timeout)
        assert caught.value.code == DEADLINE_EXCEEDED
    assert 0.25 < time.monotonic() - start < 5


# --- for an event loop --------------------------------------------------------------------------


def test_calls_are_started_and_fetched_when_they_have_ended(store: _core.Connection) -> None:
    made = create(store, "a")
    calls = store.calls()
    assert repr(calls) == "<detente._core.Calls>"
    numbers = [calls.start(GET, get_request(f"releases/{name}")) for name in ("a", "none")]
    assert len(set(numbers)) == 2
    ended: dict[int, bytes | _core.CallError] = {}
    while len(ended) < 2:
        assert select.select([calls], [], [], 10)[0]
        ended.update(calls.ended())
    assert select.select([calls], [], [], 0)[0] == []
    assert calls.ended() == []
    answer, failure = (ended[number] for number in numbers)
    assert isinstance(answer, bytes)
    assert release_pb2.Release.FromString(answer) == made
    assert isinstance(failure, _core.CallError)
    assert failure.code == NOT_FOUND
    calls.cancel(numbers[0])  # has ended
    calls.cancel(-1)


def test_a_job_is_given_up(store: _core.Connection) -> None:
    create(store, "a")
    job, other = store.job(), store.job()
    assert job.call(GET, get_request("releases/a"))
    job.give_up()
    with pytest.raises(_core.CallError, match="caller cancelled") as caught:
        job.call(GET, get_request("releases/a"))
    assert caught.value.code == CANCELLED
    with pytest.raises(_core.CallError):
        job.stream("/detente.v1.RowService/ReadRows", b"")
    assert other.call(GET, get_request("releases/a"))
    assert store.call(GET, get_request("releases/a"))
    with pytest.raises(_core.CallError, match="no job"):
        store.give_up()


# --- threads ------------------------------------------------------------------------------------


def test_other_threads_run_during_a_call(silence: str) -> None:
    connection = _core.connect(silence, timeout=1)
    ended = threading.Event()

    def call() -> None:
        with pytest.raises(_core.CallError):
            connection.call(GET, b"")
        ended.set()

    thread = threading.Thread(target=call)
    thread.start()
    turns = 0
    while not ended.is_set():
        turns += 1
        time.sleep(0.001)
    thread.join()
    assert turns > 100


def test_close_ends_the_calls_of_other_threads(silence: str) -> None:
    connection = _core.connect(silence)
    codes = []

    def call() -> None:
        with pytest.raises(_core.CallError) as caught:
            connection.call(GET, b"")
        codes.append(caught.value.code)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    start = time.monotonic()
    connection.close()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 2
    assert codes == [CANCELLED] * 8


def test_close_of_a_store_while_threads_write() -> None:
    connection = _core.open(":memory:")
    errors: list[int] = []

    def write(worker: int) -> None:
        for i in itertools.count():
            try:
                create(connection, f"w{worker}-{i}")
            except _core.CallError as error:
                errors.append(error.code)
                return

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    connection.close()
    for thread in threads:
        thread.join()
    assert set(errors) <= {CANCELLED, FAILED_PRECONDITION}
    assert len(errors) == 4


# --- signals ------------------------------------------------------------------------------------


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as an interpreter has it that was not started in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_call_that_hangs(silence: str) -> None:
    connection = _core.connect(silence)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        connection.call(GET, b"")
    assert 0.25 < time.monotonic() - start < 1.3
    timer.join()


def test_a_signal_handler_may_use_the_connection(silence: str, store: _core.Connection) -> None:
    connection = _core.connect(silence)
    seen = []

    def handler(*_: object) -> None:
        seen.append(create(store, "a").name)
        connection.close()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(_core.CallError) as caught:
            connection.call(GET, b"")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught.value.code == CANCELLED
    assert seen == ["releases/a"]


def test_a_call_goes_on_after_a_signal_that_raises_nothing(silence: str) -> None:
    connection = _core.connect(silence, timeout=0.5)
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(_core.CallError) as caught:
            connection.call(GET, b"")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught.value.code == DEADLINE_EXCEEDED
    assert seen == [1]


# --- fork ---------------------------------------------------------------------------------------

FORK = """
    import os, sys, threading, time
    from detente import _core

    target, path, end = sys.argv[1:]
    def remote():
        connection = _core.connect(target, timeout=5)
        try:
            connection.call("/x/y", b"", 0.1)
        except _core.CallError:
            pass
        return connection

    def fails(f):
        try:
            f()
        except _core.CallError as error:
            assert error.code == 9 and "fork" in error.message, error
            print(error.message)
            return True
        return False

    connections = [remote(), _core.open(path, create=True)]
    busy = threading.Thread(target=lambda: fails(lambda: connections[0].call("/x/y", b"", 3)))
    busy.start()
    time.sleep(0.2)
    child = os.fork()
    if child == 0:
        told = all([fails(lambda: connection.call("/x/y", b"")) for connection in connections])
        told &= fails(remote) and fails(lambda: _core.open(path)) and fails(
            lambda: _core.open(":memory:"))
        if end == "close":
            for connection in connections:
                connection.close()
        del connections
        if not told:
            os._exit(1)
        sys.exit(0)  # runs what a process does at its exit
    start = time.monotonic()
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    assert time.monotonic() - start < 2
    busy.join()
    connections[1].close()
"""


@pytest.mark.parametrize("end", ["close", "drop"])
def test_a_forked_child_is_told(silence: str, tmp_path: pathlib.Path, end: str) -> None:
    done = python(FORK, silence, str(tmp_path / "x.db"), end)
    assert done.returncode == 0
    assert "spawn" in done.stdout


def test_a_child_may_connect_if_its_parent_did_not(silence: str) -> None:
    done = python(
        """
        import os, sys
        from detente import _core

        child = os.fork()
        if child == 0:
            store = _core.open(":memory:")
            try:
                _core.connect(sys.argv[1]).call("/x/y", b"", 0.1)
            except _core.CallError as error:
                sys.exit(0 if error.code == 4 else 1)
        assert os.waitpid(child, 0)[1] == 0
        store = _core.open(":memory:")
        """,
        silence,
    )
    assert done.returncode == 0


# --- exit ---------------------------------------------------------------------------------------

EXIT = """
    import sys, threading, time
    from detente import _core
    from detente.v1 import release_pb2, release_service_pb2

    remote = _core.connect(sys.argv[1], timeout=60)
    store = _core.open(":memory:")
    request = release_service_pb2.CreateReleaseRequest(
        release=release_pb2.Release(display_name="x")
    ).SerializeToString()

    def hang():
        while True:
            try:
                remote.call("/x/y", b"")
            except _core.CallError:
                pass

    def write():
        while True:
            try:
                store.call("/detente.v1.ReleaseService/CreateRelease", request)
            except _core.CallError:
                pass

    for target in (hang, hang, hang, write, write, write):
        threading.Thread(target=target, daemon=True).start()
    time.sleep(0.2)
"""


def test_exit_with_daemon_threads_in_calls(silence: str) -> None:
    for _ in range(20):
        done = python(EXIT, silence, timeout=20)
        assert done.returncode == 0
        assert done.stderr == ""


def test_exit_ends_a_call_of_a_thread_that_is_joined_later(silence: str) -> None:
    """The interpreter joins threads that are no daemons before it exits; their calls go on."""
    done = python(
        """
        import sys, threading
        from detente import _core

        connection = _core.connect(sys.argv[1], timeout=0.5)
        def call():
            try:
                connection.call("/x/y", b"")
            except _core.CallError as error:
                print(error.code)
        threading.Thread(target=call).start()
        """,
        silence,
    )
    assert (done.returncode, done.stdout) == (0, "4\n")


# --- in one process with others -----------------------------------------------------------------


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["detente._core", "grpc", "google.protobuf.message"]))
)
def test_imports_in_any_order(order: tuple[str, ...]) -> None:
    imports = "\n".join(f"import {module}" for module in order)
    done = python(
        f"""
{textwrap.indent(imports, " " * 8)}
        import concurrent.futures, sys
        from detente import _core
        from detente.v1 import release_pb2

        class Echo(grpc.GenericRpcHandler):
            def service(self, details):
                return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((Echo(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        release = release_pb2.Release(name="releases/a").SerializeToString()
        ours = _core.connect(f"127.0.0.1:{{port}}")
        assert ours.call("/x/y", release) == release
        with grpc.insecure_channel(f"127.0.0.1:{{port}}") as channel:
            assert channel.unary_unary("/x/y")(release) == release
        assert ours.call("/x/y", b"") == b""
        server.stop(None)
        """
    )
    assert done.returncode == 0


def test_only_the_module_itself_is_exported() -> None:
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", _core.__file__], capture_output=True, text=True, check=True
    )
    assert [line.split()[2] for line in listing.stdout.splitlines()] == ["PyInit__core"]
