"""Calls by h2load, which is not part of what is measured."""

import dataclasses
import pathlib
import re
import struct
import subprocess

from google.protobuf.message import Message
from report import check


@dataclasses.dataclass
class Load:
    calls_s: float
    data_bytes: int  # of all answers, as they are framed


def frame(path: pathlib.Path, request: Message) -> pathlib.Path:
    """Writes a request as gRPC sends it."""
    data = request.SerializeToString()
    path.write_bytes(b"\0" + struct.pack(">I", len(data)) + data)
    return path


def load(
    url: str,
    calls: int,
    connections: int,
    streams: int = 1,
    body: pathlib.Path | None = None,
    log: pathlib.Path | None = None,
) -> Load:
    """Makes gRPC calls where there is a body, otherwise plain ones over HTTP/1.1. h2load takes any
    HTTP answer for a success. The log gets a line for each call: when it began, the HTTP status,
    and the microseconds that it took.
    """
    command = ["h2load", f"-n{calls}", f"-c{connections}"]
    if body is None:
        command += ["--h1"]
    else:
        command += [f"-m{streams}", "-d", str(body)]
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    if log is not None:
        log.unlink(missing_ok=True)
        command += [f"--log-file={log}"]
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=300)
    check(done.returncode == 0, f"h2load: {done.stderr}")
    speed = re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout)
    succeeded = re.search(r"(\d+) succeeded", done.stdout)
    data = re.search(r"\((\d+)\) data", done.stdout)
    if not (speed and succeeded and data):
        raise RuntimeError(f"h2load says something new:\n{done.stdout}")
    check(int(succeeded[1]) == calls, f"{url}: {succeeded[1]} of {calls} answers")
    return Load(float(speed[1]), int(data[1]))
