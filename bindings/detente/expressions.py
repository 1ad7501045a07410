"""Filters written in Python: `detente.f.region_code == "BY"`."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

_COMPARE = "&, | and ~ join comparisons in parentheses: (f.a == 1) & ~(f.b == 2)"


class Expression:
    """A condition on records, made from `detente.f`; its text is a filter.

    `&` is AND, `|` is OR, `~` is NOT. It stands wherever a filter is taken; `str` shows the text.

    Example:
        >>> from detente import f
        >>> print((f.region_code == "BY") & f.effective_date.possibly("2025-12"))
        region_code = "BY" AND possibly(effective_date, "2025-12")
    """

    __slots__ = ("_items", "_operator")

    def __init__(self, operator: str, items: list[Any]) -> None:
        self._operator = operator  # AND, OR, NOT of expressions; empty: one that writes itself
        self._items = items

    def __and__(self, other: "Expression") -> "Expression":
        return self._join("AND", other)

    def __or__(self, other: "Expression") -> "Expression":
        return self._join("OR", other)

    def __invert__(self) -> "Expression":
        return self._items[0] if self._operator == "NOT" else Expression("NOT", [self])

    def _join(self, operator: str, other: Any) -> "Expression":
        if not isinstance(other, Expression):
            raise TypeError(f"{other!r} is no condition; {_COMPARE}")
        items: list[Expression] = []
        for side in (self, other):
            items += side._items if side._operator == operator else [side]
        return Expression(operator, items)

    def __rand__(self, other: Any) -> "Expression":
        return self._join("AND", other)  # not an expression, which it says

    __ror__ = __rand__

    def _text(self, descriptor: Any = None) -> str:
        """The filter for records of that descriptor, which has the names of enums' numbers."""
        if not self._operator:
            write: Callable[[Any], str] = self._items[0]
            return write(descriptor)
        parts = [
            f"({item._text(descriptor)})"
            if item._operator in ("AND", "OR")
            else item._text(descriptor)
            for item in self._items
        ]
        if self._operator == "NOT":
            return f"NOT {parts[0]}"
        return f" {self._operator} ".join(parts)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"a condition is true or false of a record, not by itself: `and`, `or`, `not`, `in` "
            f"and chains as 1 < f.a < 9 can't be used; {_COMPARE}"
        )

    def __str__(self) -> str:
        return self._text()

    def __repr__(self) -> str:
        return f"<detente.Expression {self}>"


class Field:
    """A field, or a key of a map, that `detente.f` leads to; comparisons make expressions.

    Values are texts, numbers, bools, names or numbers of enums, dates, times, durations, and
    records, which stand for their names. A text is taken as it is; `like` has wildcards.
    """

    __slots__ = ("_names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __getattr__(self, name: str) -> "Field":
        if name.startswith("_"):
            raise AttributeError(name)
        return Field((*self._names, name))

    def __getitem__(self, key: str) -> "Field":
        """A key of a map, `f.labels["my key"]`; or a field, by its name."""
        if not isinstance(key, str):
            raise TypeError(
                f"a key of a map expected, not {key!r}; an element of a list has no number in a "
                "filter: use any(…)"
            )
        return Field((*self._names, key))

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compare(" = ", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compare(" != ", other)

    def __lt__(self, other: Any) -> Expression:
        return self._compare(" < ", other)

    def __le__(self, other: Any) -> Expression:
        return self._compare(" <= ", other)

    def __gt__(self, other: Any) -> Expression:
        return self._compare(" > ", other)

    def __ge__(self, other: Any) -> Expression:
        return self._compare(" >= ", other)

    __hash__ = None  # type: ignore[assignment]

    def has(self, value: Any) -> Expression:
        """A list that has this value, a map that has this key."""
        return self._compare(":", value)

    def present(self) -> Expression:
        """It is there: a message that is set, a list with an element, a text that is not empty."""
        return Expression("", [lambda _: f"{self}:*"])

    def like(self, pattern: str) -> Expression:
        """A text with wildcards, or a list that has such: `*` is any characters, `\\*` a star."""
        from detente import _filter

        if not isinstance(pattern, str):
            raise TypeError(f"a text expected, not {pattern!r}")

        def write(descriptor: Any) -> str:
            found = _filter.fields(self._names, descriptor)
            return f"{self}{_filter.operator(found)}{_filter.pattern(pattern)}"

        return Expression("", [write])

    def is_in(self, values: Iterable[Any]) -> Expression:
        """One of these values; of a list, that it has one of them."""
        from detente import _filter, errors

        listed = [values] if _filter.is_one(values) else list(values)
        if not listed:
            raise errors.invalid(str(self), "no value at all")
        compared = [self._compare("", value) for value in listed]
        return compared[0] if len(compared) == 1 else Expression("OR", compared)

    def possibly(self, window: Any) -> Expression:
        """An uncertain date that can be a day of the window.

        That is EDTF text (`2025-12`), a date, or a pair of first and last day, of which one may be
        None.
        """
        return self._within("possibly", window)

    def certainly(self, window: Any) -> Expression:
        """An uncertain date that must be a day of the window; see `possibly`."""
        return self._within("certainly", window)

    def any(self, condition: Expression | str) -> Expression:
        """One element of a list of which the whole condition, on its own fields, is true."""
        from detente import _filter

        def write(descriptor: Any) -> str:
            found = _filter.fields(self._names, descriptor)
            inner = _filter.text_of(condition, found[-1].message_type if found else None)
            return f"any({self}, {_filter.argument(inner)})"

        return Expression("", [write])

    def _compare(self, operator: str, value: Any) -> Expression:
        """`operator` may be empty: the one that asks for the value."""
        from detente import _filter, errors

        if isinstance(value, Field):
            raise TypeError(f"{self} is compared with values, not with a field: {value}")
        _filter.literal(value, None, str(self))  # complains where the mistake is made

        def write(descriptor: Any) -> str:
            found = _filter.fields(self._names, descriptor)
            text = _filter.literal(value, found[-1] if found else None, str(self))
            asks = _filter.operator(found)
            if asks == ":" and operator not in (":", ""):
                raise errors.invalid(
                    str(self),
                    "a list, or below one: has(…) asks whether it has a value, and any(…) for "
                    "several conditions on one element",
                )
            return f"{self}{operator or asks}{text}"

        return Expression("", [write])

    def _within(self, function: str, window: Any) -> Expression:
        from detente import _filter

        text = f"{function}({self}, {_filter.window(window, str(self))})"
        return Expression("", [lambda _: text])

    def _refuse(self, _: object) -> NoReturn:
        raise TypeError(f"{self} is a field, not a condition; {_COMPARE}")

    __and__ = __rand__ = __or__ = __ror__ = _refuse

    def __invert__(self) -> NoReturn:
        self._refuse(self)

    def __bool__(self) -> NoReturn:
        self._refuse(self)

    def __contains__(self, _: object) -> NoReturn:
        raise TypeError(f"{self} is a field; it holds no values here: use has(…), or is_in([…])")

    def __iter__(self) -> NoReturn:
        self.__contains__(None)

    def __str__(self) -> str:
        from detente import _filter

        return ".".join(map(_filter.segment, self._names))

    def __repr__(self) -> str:
        return f"detente.f.{self}"


class Fields:
    """The fields of records, whichever they are: `detente.f`.

    `f.region_code`, `f.participants.person`, `f.labels["my key"]` are fields; a field that is
    named as a function here is `f["words"]`. Whether there is such a field, the server says.

    Example:
        >>> from detente import f
        >>> db.releases.list((f.region_code == "BY") & (f.headcount.best >= 50))
        >>> db.releases.list(f.participants.any(f.outcomes.kind.has("REARRESTED")))
        >>> db.persons.list(~f.birth_date.present() | f.birth_date.possibly("196X"))
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_"):
            raise AttributeError(name)
        return Field((name,))

    def __getitem__(self, name: str) -> Field:
        return Field(tuple(name.split(".")))

    def any(self, path: str, condition: Expression | str) -> Expression:
        """One element of the list at `path` of which the whole condition is true."""
        return self[path].any(condition)

    def cites(self, source: Any) -> Expression:
        """Records that cite a source, given as it is, by its name or its id."""
        from detente import _arguments

        return _call("cites", _arguments.source_name(source))

    def refers_to(self, record: Any) -> Expression:
        """Records that refer to a record, in whichever field."""
        from detente import _arguments

        return _call("refers_to", _arguments.record_name("record", record))

    def matches_name(self, name: str) -> Expression:
        """Records with a name that sounds like this, in any script."""
        return _call("matches_name", name)

    def words(self, text: str) -> Expression:
        """Records that have each of these words in their names or titles, whole, in any script."""
        from detente import _filter

        if not isinstance(text, str) or not text.strip():
            raise TypeError(f"words expected, not {text!r}")
        return Expression("", [lambda _: _filter.quoted(text)])

    def __repr__(self) -> str:
        return "detente.f"


def _call(function: str, argument: str) -> Expression:
    from detente import _filter

    if not isinstance(argument, str) or not argument:
        raise TypeError(f"{function}: a text expected, not {argument!r}")
    text = f"{function}({_filter.quoted(argument)})"
    return Expression("", [lambda _: text])


f = Fields()
