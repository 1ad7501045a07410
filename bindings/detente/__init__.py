"""Détente: records of prisoner releases, the talks behind them, and who says so.

    import detente

    with detente.connect("localhost:7400") as db:      # or detente.open("belarus.db")
        release = db.releases.get("by-2025-12-13")     # a detente.Release
        print(release.headcount.best, release.unnamed_remainder.total.best)

Records are protobuf messages: they take keywords, compare, copy, pickle and print as values.
`detente.Release`, `detente.Person` and all other messages of the contract are here by name, and in
`detente.v1` with their requests.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from detente._version import __version__
from detente.collection import Collection
from detente.database import Batch, BatchCollection, Database, View, connect, open
from detente.errors import (
    AlreadyExistsError,
    CancelledError,
    Code,
    ConflictError,
    DataLossError,
    DeadlineExceededError,
    Error,
    FailedPreconditionError,
    FieldViolation,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    PreconditionViolation,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from detente.expressions import Expression, f
from detente.listing import Listing, RecordList
from detente.reader import Reader

if TYPE_CHECKING:
    from detente import v1 as v1
    from detente._messages import *  # noqa: F403
    from detente.aio import AsyncBatch as AsyncBatch
    from detente.aio import AsyncCollection as AsyncCollection
    from detente.aio import AsyncDatabase as AsyncDatabase
    from detente.aio import AsyncListing as AsyncListing
    from detente.aio import AsyncReader as AsyncReader
    from detente.aio import AsyncRecordList as AsyncRecordList
    from detente.aio import AsyncView as AsyncView
    from detente.aio import connect_async as connect_async
    from detente.aio import open_async as open_async
    from detente.dates import Date as Date
    from detente.filters import Filter as Filter
    from detente.records import from_dict as from_dict
    from detente.records import to_dict as to_dict

__all__ = [
    "AlreadyExistsError",
    "Batch",
    "BatchCollection",
    "CancelledError",
    "Code",
    "Collection",
    "ConflictError",
    "DataLossError",
    "Database",
    "DeadlineExceededError",
    "Error",
    "Expression",
    "FailedPreconditionError",
    "FieldViolation",
    "InternalError",
    "InvalidArgumentError",
    "Listing",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "PreconditionViolation",
    "Reader",
    "RecordList",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "View",
    "__version__",
    "connect",
    "f",
    "open",
]

_LATE = {  # what they import takes time: the C++ module, YAML, asyncio
    "AsyncBatch": "detente.aio",
    "AsyncCollection": "detente.aio",
    "AsyncDatabase": "detente.aio",
    "AsyncListing": "detente.aio",
    "AsyncReader": "detente.aio",
    "AsyncRecordList": "detente.aio",
    "AsyncView": "detente.aio",
    "Date": "detente.dates",
    "Filter": "detente.filters",
    "connect_async": "detente.aio",
    "from_dict": "detente.records",
    "open_async": "detente.aio",
    "to_dict": "detente.records",
}


if not TYPE_CHECKING:  # the stubs name them one by one

    def __getattr__(name: str) -> Any:
        if name in _LATE:
            return getattr(importlib.import_module(_LATE[name]), name)
        if not name.startswith("_"):
            from detente import _contract

            messages = _contract.exported()
            if name in messages:
                globals().update(messages)
                return messages[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from detente import _contract

    return sorted({*globals(), *_LATE, *_contract.exported(), "v1"})


if "IPython" in sys.modules:
    from detente import display

    display.register()
