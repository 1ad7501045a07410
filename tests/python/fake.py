"""A database whose answers a test writes: what is sent, and what calls make of the answers."""

from collections.abc import Callable
from typing import Any

import detente
from detente import _contract
from detente._session import Session
from google.protobuf.message import Message

Answer = Message | Callable[[Any], Message]


class Connection:
    """Answers calls by the name of their method, and keeps the requests."""

    closed = False

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.requests: list[Any] = []

    def call(self, path: str, request: bytes, timeout: float | None = None) -> bytes:
        message = _contract.method(path).input.FromString(request)
        self.requests.append(message)
        answer = self.answers[path.rpartition("/")[2]]
        response = answer if isinstance(answer, Message) else answer(message)
        return response.SerializeToString()

    def close(self) -> None:
        pass


def database(**answers: Answer) -> tuple[detente.Database, list[Any]]:
    """The database, and the requests that it is going to send."""
    connection = Connection(answers)
    return detente.Database(Session(connection, KeyError), "db"), connection.requests
