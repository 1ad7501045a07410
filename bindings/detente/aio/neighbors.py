"""The records around a record."""

# Written by bindings/generate_async.py; edit detente/neighbors.py.
# ruff: noqa
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detente import _contract, display, errors
from detente._arguments import int32, record_name
from detente.aio._session import AsyncSession
from detente.explain import SERVICE
from detente.neighbors import Edge, Node, _arrow, _Line, _node_text
from google.protobuf.message import Message


class AsyncNeighbors:
    """The records around a record, and all references between them; shown as a tree.

    In the tree `→` is a reference that the record above makes, `←` one that is made to it; every
    record stands once, at its nearest.

    Attributes:
        nodes: The first record, then the others by distance and name.
        edges: The references.
        truncated: There are more records than `limit`.
        revision: The revision that was read.
        message: The `FindNeighborsResponse` itself.

    Example:
        >>> around = await db.neighbors("releases/by-2025-12-13", depth=2)
        >>> [edge.path for edge in around.edges if edge.target == "persons/ales-bialiatski"]
        >>> [record.display_name for record in await around.records()]
    """

    def __init__(self, session: AsyncSession, message: Any) -> None:
        self._session = session
        self.message: Any = message
        self.nodes = [
            Node(node.name, node.display_name, node.distance, node.missing)
            for node in message.nodes
        ]
        self.edges = [Edge(edge.source, edge.path, edge.target) for edge in message.edges]
        self.truncated: bool = message.truncated
        self.revision: int = message.revision

    async def records(self) -> list[Any]:
        """The records themselves, in the order of `nodes`, but for those that are missing."""
        from detente.aio.search import fetch

        names = [node.name for node in self.nodes if not node.missing]
        return await fetch(self._session, names, self.revision)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def text(self, width: int | None = None) -> str:
        """The tree, no wider than `width` (None = the terminal's, 0 = any)."""
        import shutil

        width = shutil.get_terminal_size((120, 24)).columns if width is None else width
        lines = []
        for level, edge, node in self._tree():
            reference = f"{_arrow(edge, node)} {edge.path}: " if edge else ""
            lines.append(f"{'  ' * level}{reference}{_node_text(node)}")
        return "\n".join(
            [display.clipped(line, width) for line in lines]
            + (["… there are more; raise limit"] if self.truncated else [])
        )

    def __repr__(self) -> str:
        return self.text()

    def _tree(self) -> Iterator[_Line]:
        nodes = {node.name: node for node in self.nodes}
        below: dict[str, list[_Line]] = {}
        placed = set()
        for edge in self.edges:
            for parent, child in ((edge.source, edge.target), (edge.target, edge.source)):
                one, other = (nodes.get(parent), nodes.get(child))
                if one is None or other is None or other.distance != one.distance + 1:
                    continue
                if child not in placed:
                    placed.add(child)
                    below.setdefault(parent, []).append(_Line(other.distance, edge, other))
        waiting = [_Line(0, None, node) for node in self.nodes[:1]]
        while waiting:
            line = waiting.pop()
            yield line
            waiting += reversed(below.get(line.node.name, []))


async def neighbors(
    session: AsyncSession,
    record: Message | str,
    depth: int,
    direction: str,
    collections: tuple[str, ...],
    limit: int,
    at: Message | None,
) -> AsyncNeighbors:
    """Walks from record to record."""
    method = _contract.method(f"{SERVICE}/FindNeighbors")
    directions = {"both": 0} | {
        name.lower(): number for name, number in method.input.Direction.items()[1:]
    }
    if not isinstance(direction, str) or direction.lower() not in directions:
        known = ", ".join(directions)
        raise errors.invalid("direction", f"one of {known} expected, not {direction!r}")
    request = method.request(
        name=record_name("record", record),
        depth=int32("depth", depth),
        direction=directions[direction.lower()],
        collections=collections,
        max_records=int32("limit", limit),
        at=at,
    )
    return AsyncNeighbors(session, await session.call(method, request))
