"""Streams that broke off: when to go on with them."""

import time

from detente import errors

BROKEN = (errors.UnavailableError, errors.ResourceExhaustedError)
"""The failures that another try may not meet."""

_ATTEMPTS = 6


class Patience:
    """Waits before each new try, longer each time; gives up after some without a success."""

    def __init__(self) -> None:
        self._failed = 0

    def succeeded(self) -> None:
        """Something came of the last try."""
        self._failed = 0

    def wait(self, error: errors.Error) -> None:
        """Waits; raises the error where that has been done often enough."""
        self._failed += 1
        if self._failed == _ATTEMPTS:
            raise error
        time.sleep(0.1 * 2**self._failed)
