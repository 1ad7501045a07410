"""One connection, and what its methods share."""

import datetime
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from detente import errors
from detente._contract import Method

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from detente._core import Connection, Exchange
    from detente._core import Message as _Message

RECORD_SERVICE = "/detente.v1.RecordService"


class Session:
    """Calls methods over a connection; failures become the exceptions of `detente.errors`."""

    __slots__ = ("connection", "failure")

    def __init__(self, connection: "Connection", failure: type[Exception]) -> None:
        self.connection = connection
        self.failure: Any = failure

    def call(self, method: Method, request: Message) -> Any:
        """The method's response."""
        try:
            answer = self.connection.call(method.path, request.SerializeToString())
        except self.failure as error:
            raise errors.from_status(error.code, error.message, error.details) from None
        return method.response.FromString(answer)

    def stream(self, method: Method, request: Message) -> Iterator["_Message"]:
        """The method's serialized messages, as they come."""
        try:
            yield from self.connection.stream(method.path, request.SerializeToString())
        except self.failure as error:
            raise errors.from_status(error.code, error.message, error.details) from None

    def close(self) -> None:
        """Ends the connection, and the calls of other threads."""
        self.connection.close()

    @contextmanager
    def exchange(self, method: Method) -> Iterator["Exchange"]:
        """Messages both ways, while the block runs."""
        try:
            exchange = self.connection.exchange(method.path)
            try:
                yield exchange
            finally:
                exchange.close()
        except self.failure as error:
            raise errors.from_status(error.code, error.message, error.details) from None


def new_session(how: str, *args: Any, **options: Any) -> Session:
    """Connects or opens by the function `how` of `detente._core`."""
    core = importlib.import_module("detente._core")
    try:
        return Session(getattr(core, how)(*args, **options), core.CallError)
    except core.CallError as error:
        raise errors.from_status(error.code, error.message, error.details) from None


def new_request_id() -> str:
    """A UUID: the same write sent twice under it is applied once."""
    import uuid

    return str(uuid.uuid4())


Point = int | datetime.datetime | str | Message
"""A state of the store: a revision, a time, a snapshot, or its name or id."""


def snapshot_name(snapshot: str | Message) -> str:
    """`snapshots/x` for a snapshot, `snapshots/x` or `x`."""
    name: Any = getattr(snapshot, "name", snapshot)
    if not isinstance(name, str) or not name:
        raise errors.invalid("snapshot", f"a snapshot, its id or its name, not {snapshot!r}")
    errors.text("snapshot", name)
    return name if "/" in name else f"snapshots/{name}"


def read_point(point: Point, argument: str = "at") -> Message:
    """The ReadPoint for a revision, a time or a snapshot."""
    from detente.v1 import snapshot_pb2, values_pb2

    if isinstance(point, str | snapshot_pb2.Snapshot):
        return values_pb2.ReadPoint(snapshot=snapshot_name(point))
    if isinstance(point, bool) or not isinstance(point, int | datetime.datetime):
        raise errors.invalid(
            argument, f"a revision, a datetime or a snapshot's name, not {point!r}"
        )
    if isinstance(point, int):
        if not -(1 << 63) <= point < 1 << 63:
            raise errors.invalid(argument, f"no store has a revision {point}")
        return values_pb2.ReadPoint(revision=point)
    result = values_pb2.ReadPoint()
    result.read_time.CopyFrom(timestamp(point, argument))
    return result


def timestamp(time: datetime.datetime, argument: str) -> "Timestamp":
    """A Timestamp."""
    from google.protobuf import timestamp_pb2

    if time.tzinfo is None:
        raise errors.invalid(argument, f"{time} has no time zone; give it one, as datetime.UTC")
    result = timestamp_pb2.Timestamp()
    try:
        result.FromDatetime(time)
    except (OverflowError, ValueError):
        raise errors.invalid(argument, f"{time} is not of the years 1 to 9999, in UTC") from None
    return result
