"""Totals: the records of a collection in groups, counted and summed up."""

import difflib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from google.protobuf.message import Message

from detente import _contract, _filter, display, errors
from detente._arguments import int32
from detente._session import Session
from detente.explain import SERVICE

_MEASURE = re.compile(r"\s*([A-Za-z]+)\s*(?:\(\s*([^()]*?)\s*\))?\s*")
_DATE_PARTS = ("year", "quarter", "month", "day")
_POSSIBLE = "possibly"
UNKNOWN = "unknown"
"""The key of dates that say too little; they are possibly in other groups too."""


class Bounds(NamedTuple):
    """A sum of estimates: of those that have a best number, and as far as all set a bound."""

    best: int | None
    low: int | None
    high: int | None


class Group:
    """Records with keys in common: `group["region_code"]`, `group["count"]`.

    Attributes:
        keys: From each path of `by` to the value as a filter writes it; None = no value,
            `unknown` = a date that says too little to list where it can lie.
        certain: From each measure to its value over the records that are certainly in the group.
        possible: The same over those too that are perhaps in it, by an uncertain date.
        message: The `AggregateRecordsResponse.Group` itself.
    """

    def __init__(self, message: Any, by: Sequence[str], measures: Sequence["_Measure"]) -> None:
        self.message: Any = message
        keys = [_key(key) for key in message.keys]
        self.keys: dict[str, str | None] = dict(zip(by, keys, strict=True))
        self.certain: dict[str, Any] = _values(message.certain_values, measures)
        self.possible: dict[str, Any] = _values(message.possible_values, measures)

    def __getitem__(self, column: str) -> Any:
        if column in self.keys:
            return self.keys[column]
        try:
            return self.certain[column]
        except KeyError:
            known = ", ".join([*self.keys, *self.certain])
            raise KeyError(f"no column {column!r}; there are {known}") from None

    def __repr__(self) -> str:
        cells = {**self.keys, **self.certain}
        told = ", ".join(f"{column}={value!r}" for column, value in cells.items())
        return f"<detente.aggregates.Group {told}>"


class Aggregate(Sequence[Group]):
    """Groups of records, one after the other; shown as a table.

    Attributes:
        columns: The paths, then the measures.
        total_groups: How many groups there are, with those that `limit` left out.
        record_count: How many records matched the filter.
        revision: The revision that was read.
        message: The `AggregateRecordsResponse` itself.

    Example:
        >>> years = db.aggregate("releases", by="effective_date.year")
        >>> for group in years:
        ...     print(group["effective_date.year"], group["count"], group.possible["count"])
    """

    def __init__(self, message: Any, by: Sequence[str], measures: Sequence["_Measure"]) -> None:
        self.message: Any = message
        self._by = list(by)
        self._measures = list(measures)
        self._groups = [Group(group, by, measures) for group in message.groups]
        self.total_groups: int = message.total_groups
        self.record_count: int = message.record_count
        self.revision: int = message.revision

    @property
    def columns(self) -> list[str]:
        return [*self._by, *(measure.text for measure in self._measures)]

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The groups as tuples of keys and certain values."""
        return [(*group.keys.values(), *group.certain.values()) for group in self._groups]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A flat dict for each group.

        Sums of estimates are three columns, as `sum(headcount)`, `sum(headcount).low` and
        `sum(headcount).high`. Where groups are by a part of a date, every measure is there twice,
        also as `possibly count`.
        """
        parts = [path.rpartition(".")[2] in _DATE_PARTS for path in self._by]
        rows = []
        for group in self._groups:
            row: dict[str, Any] = dict(group.keys)
            row.update(_flat(group.certain))
            if any(parts):
                flat = _flat(group.possible)
                row.update((f"{_POSSIBLE} {column}", value) for column, value in flat.items())
            rows.append(row)
        return rows

    @overload
    def __getitem__(self, index: int) -> Group: ...
    @overload
    def __getitem__(self, index: slice) -> list[Group]: ...
    def __getitem__(self, index: int | slice) -> Group | list[Group]:
        return self._groups[index]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def text(self, width: int | None = None) -> str:
        """The table, no wider than `width` (None = the terminal's, 0 = any)."""
        if not self._groups:
            return self._end() or "no groups"
        table = display.table(*self._cells(), width, whole=not width)
        return "\n".join([table, *([self._end()] if self._end() else [])])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        table = display.html_table(*self._cells()) if self._groups else "<p>no groups</p>"
        return table + (f"<p>{html.escape(self._end())}</p>" if self._end() else "")

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """Where what is possible differs from what is certain, it has a column of its own."""
        headings = list(self._by)
        differs = []
        for measure in self._measures:
            headings.append(measure.text)
            column = measure.text
            differs.append(any(g.certain[column] != g.possible[column] for g in self._groups))
            if differs[-1]:
                headings.append(_POSSIBLE)
        cells = []
        for group in self._groups:
            row = ["none" if key is None else key for key in group.keys.values()]
            for measure, twice in zip(self._measures, differs, strict=True):
                row.append(_text(group.certain[measure.text]))
                if twice:
                    row.append(_text(group.possible[measure.text]))
            cells.append(row)
        return headings, cells

    def _end(self) -> str:
        if self.total_groups <= len(self._groups):
            return ""
        return f"… the first {len(self._groups):,} of {self.total_groups:,} groups"


class _Measure(NamedTuple):
    """What to compute; `number` is of numbers that are not estimates."""

    text: str
    message: Any
    field: Any

    def value(self, found: Any) -> Any:
        kinds = self.message.DESCRIPTOR.enum_types_by_name["Kind"].values_by_number
        kind = kinds[self.message.kind].name
        if kind in ("COUNT", "DISTINCT"):
            return int(found.integer)
        field = self.field
        number = field is not None and field.message_type is None and field.enum_type is None
        floating = number and field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT)
        if kind == "SUM":
            if floating:
                return float(found.number) if found.count else None
            if number:
                return int(found.sum.best) if found.sum.HasField("best") else None
            bounds = [
                getattr(found.sum, name) if found.sum.HasField(name) else None
                for name in Bounds._fields
            ]
            return Bounds(*bounds)
        text = str(found.text)
        if text and number and field.cpp_type not in (field.CPPTYPE_STRING, field.CPPTYPE_BOOL):
            return float(text) if floating else int(text)
        return text or None


def aggregate(
    session: Session,
    collection: str,
    by: Any,
    measures: Any,
    filter: Any,
    where: Mapping[str, Any] | None,
    order_by: str,
    limit: int,
    at: Message | None,
) -> Aggregate:
    """Groups records."""
    method = _contract.method(f"{SERVICE}/AggregateRecords")
    resource = _contract.resources().get(collection)
    descriptor = resource.message.DESCRIPTOR if resource is not None else None
    paths = [path_text(path, "by") for path in _listed(by)]
    parsed = [
        _measure(measure, f"measures[{number}]", method.input, descriptor)
        for number, measure in enumerate(_listed(measures) or ["count"])
    ]
    for argument, texts in (("by", paths), ("measures", [measure.text for measure in parsed])):
        twice = next((text for text in texts if texts.count(text) > 1), None)
        if twice is not None:
            raise errors.invalid(argument, f"{twice} is there twice")
    request = method.request(
        collection=collection,
        filter=_filter.join(filter, where, descriptor),
        group_paths=paths,
        measures=[measure.message for measure in parsed],
        order_by=errors.text("order_by", order_by),
        max_groups=int32("limit", limit),
        at=at,
    )
    return Aggregate(session.call(method, request), paths, parsed)


def path_text(path: Any, argument: str) -> str:
    """A path given as a text or as a field of `detente.f`."""
    from detente.expressions import Field

    if not isinstance(path, str | Field) or not str(path):
        raise errors.invalid(argument, f"paths of fields expected, not {path!r}")
    return errors.text(argument, str(path))


def _measure(given: Any, where: str, request: Any, descriptor: Any) -> _Measure:
    if not isinstance(given, str):
        raise errors.invalid(where, f"a text such as sum(headcount) expected, not {given!r}")
    errors.text(where, given)
    kinds = request.Measure.Kind
    known = [name.lower() for name in kinds.keys()[1:]]
    match = _MEASURE.fullmatch(given)
    kind = match[1].lower() if match else ""
    if match is None or kind not in known:
        near = difflib.get_close_matches(kind or given.partition("(")[0].strip(), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise errors.invalid(where, f"no measure {given!r}, such as sum(headcount); {hint}")
    path = match[2] or ""
    if not path and kind != "count":
        raise errors.invalid(where, f"{kind} of which field? as {kind}(headcount)")
    message = request.Measure(kind=kind.upper(), path=path)
    found = _filter.fields(tuple(path.split(".")), descriptor) if path else []
    return _Measure(f"{kind}({path})" if path else kind, message, found[-1] if found else None)


def _key(key: Any) -> str | None:
    if key.unknown:
        return UNKNOWN
    return str(key.value) if key.present else None


def _values(values: Sequence[Any], measures: Sequence[_Measure]) -> dict[str, Any]:
    return {
        measure.text: measure.value(found) for measure, found in zip(measures, values, strict=True)
    }


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for column, value in values.items():
        if isinstance(value, Bounds):
            flat |= {column: value.best, f"{column}.low": value.low, f"{column}.high": value.high}
        else:
            flat[column] = value
    return flat


def _text(value: Any) -> str:
    if isinstance(value, Bounds):
        from detente.v1 import values_pb2

        if value.low == value.best == value.high:
            value = Bounds(value.best, None, None)
        return display.value_text(values_pb2.Estimate(**value._asdict()))
    if isinstance(value, int | float):
        return f"{value:,}"
    return "" if value is None else str(value)


def _listed(given: Any) -> list[Any]:
    from detente.expressions import Field

    if isinstance(given, str | Field):
        return [given] if str(given) else []
    return list(given)
