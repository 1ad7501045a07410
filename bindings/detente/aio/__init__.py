"""Détente for programs that run in an event loop (asyncio): what `detente` has, with `await`.

    async with await detente.connect_async("localhost:7400") as db:
        release = await db.releases.get("by-2025-12-13")
        async for person in db.persons.list():
            print(person.display_name)

Most of it is made from the synchronous code (bindings/generate_async.py); docs/async.md tells of
it.
"""

from detente.aio.collection import AsyncCollection
from detente.aio.database import AsyncBatch, AsyncDatabase, AsyncView, connect_async, open_async
from detente.aio.listing import AsyncListing, AsyncRecordList
from detente.aio.reader import AsyncReader

__all__ = [
    "AsyncBatch",
    "AsyncCollection",
    "AsyncDatabase",
    "AsyncListing",
    "AsyncReader",
    "AsyncRecordList",
    "AsyncView",
    "connect_async",
    "open_async",
]
