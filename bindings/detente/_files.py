"""What stands beside the package: the server's binary and the samples."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from detente import errors

_HERE = Path(__file__).parent  # build/<preset>/python/detente, or where it is installed
_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_READY = "detente-server listening on "


def server_binary() -> Path:
    """`detente-server`: in the package, or of the build that the package lies in."""
    folders = (_HERE / "bin", _HERE.parent.parent / "bin")
    for folder in folders:
        if os.access(folder / "detente-server", os.X_OK):
            return folder / "detente-server"
    raise errors.NotFoundError(f"no detente-server in {' or '.join(map(str, folders))}")


def main() -> NoReturn:
    """The command `detente-server` of an environment: becomes the binary."""
    binary = server_binary()
    os.execv(binary, [str(binary), *sys.argv[1:]])


def sample(name: str) -> Path:
    """A folder of sample records: in the package, or in the checkout."""
    for folder in (_HERE / "samples", _CHECKOUT / "samples"):
        if (folder / name).is_dir():
            return folder / name
    raise errors.NotFoundError(f"the samples {name} are not beside the package")


@contextlib.contextmanager
def running_server(store: str = "sqlite::memory:") -> Iterator[str]:
    """Runs a server on a free loopback port while the block lasts, and gives its address.

    Raises:
        NotFoundError: There is no binary.
        UnavailableError: It does not start; the message is its own.
    """
    binary = server_binary()
    process = subprocess.Popen(
        [binary, "--listen=localhost:0", f"--store={store}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline().strip()
            if not line.startswith(_READY):
                process.kill()
                raise errors.UnavailableError(process.stderr.read().strip() or f"{binary}: {line}")
            yield line.removeprefix(_READY)
        finally:
            process.terminate()
