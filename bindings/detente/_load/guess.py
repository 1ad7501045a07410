"""A mapping guessed from the names of columns, and from the first rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detente import _contract, errors
from detente._contract import is_output_only, is_repeated
from detente._load.compile import ready
from detente._load.dates import EDTF, compile_format
from detente._load.fields import DATE

_CALLED = {  # fields by what columns are called, in order of preference
    "display_name": ("name", "full_name", "fullname", "title"),
    "birth_date": ("dob", "date_of_birth", "birthday", "birthdate", "born"),
    "death_date": ("died", "date_of_death", "deathdate"),
    "gender": ("sex",),
    "nationalities": ("nationality", "citizenship", "citizenships"),
    "occupations": ("occupation", "profession"),
    "start_date": ("since", "arrested", "arrest_date", "from"),
    "end_date": ("until", "released", "release_date", "to"),
    "note": ("notes", "comment", "comments", "remarks"),
    "region_code": ("country", "country_code", "region"),
}
_IDS = ("id", "key", "no", "number", "case_no", "case_number")
_FORMATS = (
    *("%d.%m.%Y", "%d %b %Y", "%b %d, %Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y"),
    *("%m.%Y", "%b %Y", "%m/%Y"),
)


def guess(into: str, first: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A mapping for rows such as the first ones.

    Raises:
        InvalidArgumentError: No column is to make ids of, or none is known.
    """
    resource = _contract.resources().get(into)
    if resource is None:
        known = ", ".join(_contract.resources())
        raise errors.invalid("into", f"no collection {into!r}; there are {known}")
    descriptor = resource.message.DESCRIPTOR
    columns = list(dict.fromkeys(column for row in first for column in row))
    named = any(str(row.get("name", "")).startswith(f"{into}/") for row in first)
    identifier = "name" if named else ""
    fields: dict[str, Any] = {}
    rest = []
    for column in columns:
        folded = re.sub(r"[^a-z0-9.]+", "_", column.casefold()).strip("_")
        if not identifier and folded in (*_IDS, f"{resource.singular}_id"):
            identifier = column
            continue
        if column == identifier:
            continue
        path = next((p for p in _paths(folded) if _field(descriptor, p) is not None), None)
        if path is None or path in fields:
            rest.append(column)
        else:
            found = _field(descriptor, path)
            fields[path] = _take(found, column, [row.get(column) for row in first])
    if not identifier:
        taken = fields.get("display_name")
        identifier = taken if isinstance(taken, str) else ""
    if not identifier or not fields:
        what = "make ids of" if fields else f"take for fields of {into}"
        raise errors.invalid(
            "mapping",
            f"no column to {what} among {', '.join(columns) or 'none'}; give a mapping "
            f"(docs/load.md), perhaps a ready one: {', '.join(ready())}",
        )
    about = "Guessed from the names of the columns."
    if rest:
        about += f" Not taken: {', '.join(rest)}."
    kind = {"into": into, "id": f"{{{identifier}}}", "fields": fields}
    return {"about": about, "records": [kind]}


def _paths(folded: str) -> Iterable[str]:
    yield folded
    for path, names in _CALLED.items():
        if folded in names:
            yield path
    if folded.endswith(".edtf"):
        yield folded.removesuffix(".edtf")


def _field(descriptor: Any, path: str) -> Any:
    """The field at a path of fields that may be set, but for `name` and `etag`."""
    if path in ("name", "etag"):
        return None
    found = None
    for name in path.split("."):
        if found is not None and is_repeated(found):
            return None
        found = descriptor.fields_by_name.get(name) if descriptor is not None else None
        if found is None or is_output_only(found):
            return None
        descriptor = found.message_type
        if descriptor is not None and descriptor.GetOptions().map_entry:
            return found if path == name else None
    return found


def _take(field: Any, column: str, values: Sequence[Any]) -> Any:
    take: dict[str, Any] = {"column": column}
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    if field.name in ("nationalities", "region_code"):
        take["values"] = "countries"
    if texts and all(text[0] in "[{" for text in texts) and not is_date(field):
        take["json"] = True
    elif is_repeated(field) and field.message_type is None and texts:
        take["split"] = ";"
    if is_date(field):
        formats = _formats(texts)
        if formats:
            take["dates"] = [*formats, EDTF]
    return column if len(take) == 1 else take


def is_date(field: Any) -> bool:
    """Whether it is one uncertain date."""
    message = field.message_type
    return message is not None and message.full_name == DATE and not is_repeated(field)


def _formats(texts: Sequence[str]) -> list[str]:
    """The formats that fit: of those that differ in the order of day and month, the one proven."""
    found = []
    for text in _FORMATS:
        pattern = compile_format(text)
        matches = [match for match in map(pattern.fullmatch, texts) if match is not None]
        months = [int(match["m"]) for match in matches if "m" in pattern.groupindex]
        days = [int(match["d"]) for match in matches if "d" in pattern.groupindex]
        if not matches or any(month > 12 for month in months):
            continue
        if text in ("%d/%m/%Y", "%m/%d/%Y") and not any(day > 12 for day in days):
            continue
        found.append(text)
    return found
