"""One connection of an event loop, and what its methods share.

Calls are started and have no thread: what they end in is queued by C++, and the loop hears of it by
a file descriptor. What computes for long or touches files is the synchronous code as it is, in one
of a few threads.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import Message

from detente import errors
from detente._contract import Method
from detente._session import Session

if TYPE_CHECKING:
    from detente._core import Connection

T = TypeVar("T")

_JOBS = 4  # threads of one connection
_END = object()


class AsyncSession:
    """Calls methods over a connection; failures become the exceptions of `detente.errors`."""

    __slots__ = ("_calls", "_closing", "_loop", "_threads", "_waiting", "connection", "failure")

    def __init__(self, connection: "Connection", failure: type[Exception]) -> None:
        self.connection = connection
        self.failure: Any = failure
        self._loop = asyncio.get_running_loop()
        self._calls = connection.calls()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._closing: asyncio.Task[None] | None = None
        # The loop keeps this, until one of the two is closed.
        self._loop.add_reader(self._calls.fileno(), self._hear)

    async def call(self, method: Method, request: Message) -> Any:
        """The method's response. Cancelling this cancels the call."""
        self._check()
        number = self._calls.start(method.path, request.SerializeToString())
        future = self._waiting[number] = self._loop.create_future()
        try:
            answer = await future
        except BaseException:
            if self._waiting.pop(number, None) is not None:
                self._calls.cancel(number)
            raise
        if isinstance(answer, self.failure):
            error: Any = answer
            raise errors.from_status(error.code, error.message, error.details)
        return method.response.FromString(answer)

    async def job(self, work: Callable[[Session], T]) -> T:
        """What `work` returns, done in a thread; cancelling this cancels its calls."""
        self._check()
        connection = self.connection.job()
        return await self._in_thread(connection, work, Session(connection, self.failure))

    async def each(self, work: Callable[[Session], Iterator[T]]) -> AsyncIterator[T]:
        """What `work` yields, each made in a thread."""
        self._check()
        connection = self.connection.job()
        session = Session(connection, self.failure)
        found = await self._in_thread(connection, work, session)
        try:
            while (item := await self._in_thread(connection, next, found, _END)) is not _END:
                yield item
        finally:
            connection.give_up()
            if hasattr(found, "close") and not self.connection.closed:
                await self._in_thread(connection, found.close)

    async def close(self) -> None:
        """Ends the connection; calls of other tasks end with `detente.CancelledError`."""
        self._own_loop()
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        thread = ThreadPoolExecutor(1, "detente-close")  # never one that waits for a job
        await self._loop.run_in_executor(thread, self.connection.close)
        thread.shutdown(wait=False)
        self._hear()  # it has ended all calls
        self._loop.remove_reader(self._calls.fileno())
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    def _hear(self) -> None:
        for number, answer in self._calls.ended():
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(answer)

    def _check(self) -> None:
        self._own_loop()
        if self.connection.closed:  # and the loop hears no more of it
            raise errors.FailedPreconditionError("the connection is closed")

    def _own_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise errors.FailedPreconditionError(
                "this connection belongs to another event loop; connect in each that uses one"
            )

    async def _in_thread(
        self, connection: "Connection", work: Callable[..., T], *arguments: Any
    ) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_JOBS, "detente")
        try:
            job = self._threads.submit(work, *arguments)
        except RuntimeError:  # it was shut down
            raise errors.FailedPreconditionError("the connection is closed") from None
        future = asyncio.wrap_future(job)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            connection.give_up()
            if not job.cancel():
                await asyncio.wait([future])
            raise


async def new_session(how: str, *args: Any, **options: Any) -> AsyncSession:
    """Connects or opens by the function `how` of `detente._core`."""
    core = importlib.import_module("detente._core")
    try:
        made = await asyncio.to_thread(getattr(core, how), *args, **options)
    except core.CallError as error:
        raise errors.from_status(error.code, error.message, error.details) from None
    return AsyncSession(made, core.CallError)
