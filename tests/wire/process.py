"""The server's process."""

import os
import pathlib
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence

from wire.contract import BINARY_DIR

READY = "detente-server listening on "


def environment(**variables: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DETENTE_")}
    return kept | variables


def run_to_end(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A start that must fail."""
    return subprocess.run(
        [BINARY_DIR / "bin/detente-server", *flags],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=20,
    )


class Server:
    """A server on a free port, ready when the constructor returns. `address` is where. `under` is a
    program that becomes it, as nice does."""

    def __init__(
        self,
        store: pathlib.Path | str | None,
        *flags: str,
        binary: str = "detente-server",
        listen: str | None = "localhost:0",
        under: Sequence[str] = (),
        **variables: str,
    ) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close
        command = [*under, str(BINARY_DIR / "bin" / binary)]
        if listen is not None:
            command.append(f"--listen={listen}")
        if store is not None:
            command.append(f"--store=sqlite:{store}")
        self.process = subprocess.Popen(
            [*command, *flags],
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        watchdog = threading.Timer(20, self.process.kill)
        watchdog.start()
        self.line = self.process.stdout.readline()
        watchdog.cancel()
        if not self.line.startswith(READY):
            self.kill()
            raise RuntimeError(f"{command} did not start: {self.line}{self.log()}")
        self.address = self.line.removeprefix(READY).strip()

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        self.errors.seek(0)
        return self.errors.read()

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self._end()

    def terminate(self, timeout: float = 20) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        finally:
            self.kill()

    def _end(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def close(self) -> None:
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        self._end()
        self.errors.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.errors.close()
