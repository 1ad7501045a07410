"""Connections to records: bytes in, bytes out; dates, filters, rows. In C++ (bindings/*.cc)."""

import enum
from typing import TypeAlias, final

class CallError(Exception):
    """A call failed."""

    code: int  # gRPC's
    message: str
    details: bytes  # the serialized google.rpc.Status

@final
class Message:
    """A serialized message; a read-only buffer."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Stream:
    """The messages of a stream, each as it comes; one thread at a time."""

    def __iter__(self) -> Stream: ...
    def __next__(self) -> Message: ...
    def close(self) -> None: ...

@final
class Exchange:
    """Messages both ways; one thread at a time."""

    def send(self, message: bytes) -> bool: ...
    def finish(self) -> None: ...
    def next(self) -> bytes | None: ...
    def close(self) -> None: ...

@final
class Connection:
    """A server or an open store; any thread may call. After os.fork() it fails in the child."""

    def call(self, method: str, request: bytes, timeout: float | None = None) -> bytes: ...
    def stream(self, method: str, request: bytes, timeout: float | None = None) -> Stream: ...
    def exchange(self, method: str, timeout: float | None = None) -> Exchange: ...
    def close(self) -> None: ...
    def job(self) -> Connection:
        """The same connection for one job, all of whose calls and streams give_up() ends."""

    def give_up(self) -> None: ...
    def calls(self) -> Calls: ...
    @property
    def target(self) -> str: ...
    @property
    def closed(self) -> bool: ...

@final
class Calls:
    """Calls that are started, and fetched when they have ended; one thread, an event loop's."""

    def fileno(self) -> int: ...
    def start(self, method: str, request: bytes) -> int: ...
    def cancel(self, call: int) -> None: ...
    def ended(self) -> list[tuple[int, bytes | CallError]]: ...

def connect(
    target: str,
    *,
    token: str | None = None,
    actor: str = "",
    ca_cert: str | None = None,
    tls: bool | None = None,
    timeout: float = 30.0,
) -> Connection: ...
def open(
    path: str, *, create: bool = False, read_only: bool = False, actor: str = ""
) -> Connection: ...

_Day: TypeAlias = tuple[int, int, int]  # year, month, day

class EdtfError(ValueError):
    """A text is no EDTF: what was expected, and its position."""

    position: int  # in bytes

class DateRelation(enum.Enum):
    BEFORE = 0
    WITHIN = 1
    AFTER = 2
    OVERLAPPING = 3

@final
class Edtf:
    """A date in EDTF."""

    def __init__(self, text: bytes) -> None: ...
    @property
    def earliest(self) -> _Day | None: ...
    @property
    def latest(self) -> _Day | None: ...
    @property
    def precision(self) -> str: ...
    @property
    def approximate(self) -> bool: ...
    @property
    def uncertain(self) -> bool: ...
    @property
    def canonical(self) -> str: ...
    def admits(self, day: _Day) -> bool: ...
    def possibly(self, relation: DateRelation, start: _Day | None, end: _Day | None) -> bool: ...
    def certainly(self, relation: DateRelation, start: _Day | None, end: _Day | None) -> bool: ...
    def compare(self, other: Edtf) -> int:
        """Below, at or above 0, as this is before, equal to or after the other."""

class FilterError(ValueError):
    """A text is no filter: what was expected, and its position."""

    position: int  # in bytes

def filter_tree(text: bytes) -> str:
    """The syntax of a filter, one node a line, indented by two spaces a level."""

def add_file(name: str, serialized: bytes) -> None:
    """Makes the messages of a .proto file known to the functions below, where they are not."""

def json_line(type: str, record: bytes) -> str:
    """A serialized message as ProtoJSON with proto field names. `type` is its full name."""

def leaf(type: str, record: bytes) -> str:
    """The SHA-256 of what a caller may write of a record, as RFC 8785 has it."""

@final
class Rows:
    """Serialized records of a type as rows of columns; ValueError: no such columns."""

    def __init__(self, type: str, columns: list[str], flat: bool) -> None: ...
    def schema(self) -> bytes:
        """The Arrow schema, as an IPC message."""

    def arrow(self, records: list[bytes]) -> bytes:
        """An Arrow IPC stream of one batch."""

    def csv(self, records: list[bytes]) -> str:
        """A line of CSV for each record; the columns are flat."""
