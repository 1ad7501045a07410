"""Docstrings, with their examples, for those who await."""

import ast
import doctest
import re
import textwrap

from asynchronous.colours import Colours, Scope

# What is true of the synchronous classes alone.
PHRASES = {
    "a context manager that closes itself. Threads may\n    share it.": (
        "an asynchronous context\n    manager that closes itself. It belongs to one event loop."
    ),
    "when the `with` block ends": "when the `async with` block ends",
}
_PARSER = doctest.DocTestParser()


def text(docstring: str, colours: Colours) -> str:
    """The docstring of a copied definition."""
    return docstring
