"""The servers that are measured: their processes, and the CPU time that they take."""

import contextlib
import os
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DETENTE_BINARY_DIR", ROOT / "build/release"))


class Server:
    """A server of ours on a free port of this machine alone."""

    def __init__(self, name: str, *flags: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DETENTE_")}
        self.process = subprocess.Popen(
            [BUILD / "bin" / name, "--listen=127.0.0.1:0", *flags],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(20, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline() if self.process.stdout else ""
        watchdog.cancel()
        if "listening on" not in line:
            raise RuntimeError(f"{name} did not start: {line}")
        self.address = "127.0.0.1:" + line.strip().replace(":", " ").rpartition(" ")[2]

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        return time.clock_gettime((~self.process.pid << 3) | 2)  # what clock_getcpuclockid(3) gives


@contextlib.contextmanager
def serve(name: str, *flags: str) -> Iterator[Server]:
    server = Server(name, *flags)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
