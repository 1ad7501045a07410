"""Connections to records: bytes in, bytes out. Written in C++ (bindings/module.cc)."""

from typing import final

class CallError(Exception):
    """A call failed."""

    code: int  # gRPC's
    message: str
    details: bytes  # the serialized google.rpc.Status

@final
class Connection:
    """A server or an open store; any thread may call. After os.fork() it fails in the child."""

    def call(self, method: str, request: bytes, timeout: float | None = None) -> bytes: ...
    def close(self) -> None: ...
    @property
    def target(self) -> str: ...
    @property
    def closed(self) -> bool: ...

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
