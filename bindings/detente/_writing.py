"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(*paths: Path) -> Iterator[list[Path]]:
    """Where to write what becomes these files when the block ends well, each in one step.

    Raises:
        FileNotFoundError: There is no such folder.
        IsADirectoryError: One of them is a folder.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    mark = f"{os.getpid()}-{threading.get_ident()}"
    parts = [path.with_name(f".{path.name}.{mark}.part") for path in paths]
    try:
        yield parts
        for part in parts:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    except BaseException:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()
        raise
