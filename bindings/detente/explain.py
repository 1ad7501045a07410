"""How a query will run."""

import html
from typing import Any

from google.protobuf.message import Message

from detente import _contract
from detente._session import Session

SERVICE = "/detente.v1.QueryService"


class Explanation:
    """How a filter was understood, and what a store does to find its records.

    Attributes:
        filter: With all its parentheses; empty = all records.
        lowered: Conditions that the store finds by itself.
        residual: Those that are looked at in each record that the store finds.
        indexes: The indexes that it uses; none = it passes over the whole collection.
        plan: The store's own plan, for people.
        message: The `ExplainQueryResponse` itself.
    """

    def __init__(self, message: Any) -> None:
        self.message: Any = message
        self.filter: str = message.filter
        self.lowered: list[str] = list(message.lowered_conditions)
        self.residual: list[str] = list(message.residual_conditions)
        self.indexes: list[str] = list(message.indexes)
        self.plan: list[str] = list(message.plan_steps)

    def _parts(self) -> list[tuple[str, list[str]]]:
        whole = ["none: it passes over the whole collection"]
        return [
            ("filter", [self.filter or "all records"]),
            ("found by the store", self.lowered or ["all records"]),
            ("looked at in each of these", self.residual or ["nothing"]),
            ("indexes", self.indexes or whole),
            ("plan", self.plan),
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"{title}\n" + "\n".join(f"  {line}" for line in lines)
            for title, lines in self._parts()
            if lines
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{title}</th><td>"
            + "<br>".join(f"<code>{html.escape(line)}</code>" for line in lines)
            + "</td></tr>"
            for title, lines in self._parts()
            if lines
        )
        return f"<table>{rows}</table>"


def explain(
    session: Session,
    collection: str,
    filter: str,
    order_by: str,
    show_deleted: bool,
    at: Message | None,
) -> Explanation:
    """How a List would run."""
    method = _contract.method(f"{SERVICE}/ExplainQuery")
    request = method.request(
        collection=collection, filter=filter, order_by=order_by, show_deleted=show_deleted, at=at
    )
    return Explanation(session.call(method, request))
