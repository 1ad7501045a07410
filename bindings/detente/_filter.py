"""Filter text for values given as a mapping."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from detente import errors
from detente._contract import is_repeated


def join(filter: str, where: Mapping[str, Any] | None, descriptor: Any) -> str:
    """`filter` AND each of `where`: `{"region_code": "BY"}` is `region_code = "BY"`.

    Lists of values mean any of them; repeated fields are asked whether they hold the value.
    """
    if not where:
        return filter
    conditions = [_condition(path, value, descriptor) for path, value in where.items()]
    if filter:
        conditions.insert(0, f"({filter})")
    return " AND ".join(conditions)


def _condition(path: str, value: Any, descriptor: Any) -> str:
    fields = _fields(path, descriptor)
    has = any(is_repeated(field) for field in fields)
    operator = ":" if has else " = "
    enum = fields[-1].enum_type if fields else None
    values = value if isinstance(value, list | tuple | set) else [value]
    if not values:
        raise errors.invalid(f"where[{path!r}]", "no value at all")
    alternatives = []
    for item in values:
        if enum is not None and isinstance(item, int) and item in enum.values_by_number:
            text = enum.values_by_number[item].name
        elif enum is not None and isinstance(item, str) and item in enum.values_by_name:
            text = item
        else:
            text = _literal(path, item)
        alternatives.append(f"{path}{operator}{text}")
    return alternatives[0] if len(alternatives) == 1 else f"({' OR '.join(alternatives)})"


def _literal(path: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime.date):
        value = value.isoformat()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    raise errors.invalid(f"where[{path!r}]", f"no value of a filter: {value!r}")


def _fields(path: str, descriptor: Any) -> list[Any]:
    """The fields along a path, as far as they are known; the server judges the rest."""
    found = []
    for name in path.split("."):
        field = descriptor.fields_by_name.get(name) if descriptor else None
        if field is None:
            return []
        found.append(field)
        descriptor = field.message_type
    return found
