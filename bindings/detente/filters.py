"""Filters in the language of AIP-160, read by the same code as in the server."""

import html
from typing import Any, NoReturn

from detente import _core, errors


class Filter:
    """A filter whose syntax is judged here, without a server or a store.

    It knows no fields: whether there are such fields, and whether they can be compared so, is said
    by the call that it is given to. Wherever a filter is taken, `str(filter)` can stand.

    Filters are values: they compare by their text, hash, copy and pickle, and don't change.

    Raises:
        InvalidArgumentError: It is no filter; `position` is where, in bytes of the text.

    Example:
        >>> print(detente.Filter('region_code = "BY" -possibly(effective_date, 2025)').tree)
        SEQUENCE
          =
            region_code
            "BY"
          NOT
            possibly()
              effective_date
              2025
    """

    __slots__ = ("_text", "_tree")
    _text: str
    _tree: str

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a str expected, got {type(text).__name__}")
        try:
            tree = _core.filter_tree(text.encode("utf-8", "surrogatepass"))
        except _core.FilterError as error:
            message = str(error).removeprefix("filter: ")
            raised = errors.invalid("filter", message)
            raised.position = error.position
            raise raised from None
        object.__setattr__(self, "_text", str(text))
        object.__setattr__(self, "_tree", tree)

    @property
    def text(self) -> str:
        """The filter as written."""
        return self._text

    @property
    def tree(self) -> str:
        """Its syntax, one node a line, indented by two spaces a level; empty = all records."""
        return self._tree.rstrip("\n")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        lines = "".join(f"\n  {line}" for line in self.tree.splitlines())
        return f"detente.Filter({self.text!r}){lines}"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(self.text)}</code><pre>{html.escape(self.tree)}</pre>"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Filter) else NotImplemented

    def __hash__(self) -> int:
        return hash((Filter, self.text))

    def __reduce__(self) -> tuple[Any, ...]:
        return Filter, (self.text,)

    def __copy__(self) -> "Filter":
        return self

    def __deepcopy__(self, memo: Any) -> "Filter":
        return self

    def _fixed(self, *args: Any) -> NoReturn:
        raise TypeError("a detente.Filter does not change")

    __setattr__ = _fixed
    __delattr__ = _fixed
