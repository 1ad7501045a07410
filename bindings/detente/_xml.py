"""Text that XML can hold."""

import re

_NOT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def writable(text: str) -> str:
    """The text with U+FFFD for each character that XML 1.0 has no place for."""
    return _NOT.sub("\N{REPLACEMENT CHARACTER}", text)
