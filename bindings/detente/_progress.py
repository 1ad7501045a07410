"""How far long work has come: told to a function, or shown as a bar to whoever looks."""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

Tell = Callable[[int, int | None], None]
"""Called with the numbers of what is done, and of all; None where that is not known."""

Progress = Callable[[int, int], None] | Tell | bool | None
"""A function to call, whether to show a bar, or None: show one where somebody looks."""

_SOON = 0.5  # seconds; what ends before has no bar


def wanted(progress: Progress) -> bool:
    """Whether anybody will be told of it."""
    return is_watched() if progress is None else progress is not False


@contextlib.contextmanager
def told(progress: Progress, what: str, unit: str = "records") -> Iterator[Tell]:
    """Whom to tell, while the block runs.

    Args:
        progress: What the caller has given.
        what: What is done, as a word in front of the bar.
        unit: What is counted.
    """
    if callable(progress):
        yield progress  # type: ignore[misc] # who knows all beforehand takes two numbers
    elif not wanted(progress):
        yield lambda done, total: None
    else:
        with _bar()(desc=what, unit=f" {unit}", delay=_SOON, leave=False) as bar:

            def tell(done: int, total: int | None) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield tell


def is_watched() -> bool:
    """Whether standard error is a terminal, or this is a notebook."""
    errors = sys.stderr  # None or closed where a program runs in the background
    return (errors is not None and not errors.closed and errors.isatty()) or _in_notebook()


def _in_notebook() -> bool:
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


def _bar() -> Any:
    import tqdm

    with warnings.catch_warnings():
        # Without ipywidgets a notebook shows the bar as text.
        warnings.simplefilter("ignore", tqdm.TqdmWarning)
        from tqdm.auto import tqdm as bar
    return bar
