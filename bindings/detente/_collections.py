"""Bases that tell editors the collections by name; `_collections.pyi` is generated.

When the program runs, the collections come from the descriptors (`database._Records`).
"""


class Readers:
    """For views."""


class Collections:
    """For databases."""


class Batches:
    """For batches."""
