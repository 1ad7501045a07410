"""Bases that tell editors the collections by name; `_collections.pyi` is generated."""


class Readers:
    """For views."""


class Collections:
    """For databases."""
