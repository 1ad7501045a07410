"""Records as tables and pages: for terminals, and for notebooks once IPython runs."""

import html
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from detente._contract import collection_of, is_repeated

_CELL = 40  # columns of a terminal
_DASH = "\N{EN DASH}"
_HIDDEN = frozenset({"uid", "etag", "review_state", "visibility", "restricted_fields", "labels"})


def register() -> None:
    """Shows records as HTML in the running IPython; nothing where none runs."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        formatter.for_type(Message, lambda message: message_html(message))


def value_text(message: Message) -> str:
    """One value in a line: a date as its EDTF, an estimate as its numbers, others by field."""
    write = _WRITERS.get(message.DESCRIPTOR.full_name)
    if write is not None:
        return str(write(message))
    parts = [field_text(message, field) for field, _ in message.ListFields() if field.name != "id"]
    return ", ".join(part for part in parts if part)


def field_text(message: Message, field: Any) -> str:
    """A field's value in a line; empty where it is not set."""
    value = getattr(message, field.name)
    if is_repeated(field):
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return ", ".join(f"{key}={item}" for key, item in sorted(value.items()))
        return "; ".join(_one(field, item) for item in value)
    if field.has_presence and not message.HasField(field.name):
        return ""
    return _one(field, value)


def columns(descriptor: Any, common: Sequence[str] = ("name", "display_name")) -> list[Any]:
    """The fields that a table of records shows: common ones, then what is the resource's own."""
    first = [descriptor.fields_by_name[name] for name in common]
    own = [
        field
        for field in descriptor.fields
        if field.number >= 20 and not (is_repeated(field) and field.message_type is not None)
    ]
    return first + own


def rows(records: Iterable[Message]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of a table of records; columns that are empty everywhere are left out."""
    records = list(records)
    if not records:
        return [], []
    fields = columns(records[0].DESCRIPTOR)
    if len({getattr(record, "name") for record in records}) < len(records):  # noqa: B009
        fields = columns(records[0].DESCRIPTOR, ("revision", "update_time", "display_name"))
    cells = [[field_text(record, field) for field in fields] for record in records]
    kept = [i for i in range(len(fields)) if i == 0 or any(row[i] for row in cells)]
    return [fields[i].name for i in kept], [[row[i] for i in kept] for row in cells]


def table(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    whole: bool = False,
) -> str:
    """A table of aligned columns, no wider than `width` (None = the terminal's, 0 = any).

    Cells are cut where they are long, but for those of the first column, and of the last if the
    width allows it; `whole` cuts none where any width will do.
    """
    width = shutil.get_terminal_size((120, 24)).columns if width is None else width
    lines = [[_line(cell) for cell in row] for row in (headings, *cells)]
    widths = [max(columns_of(row[i]) for row in lines) for i in range(len(headings))]
    shown = []
    left = width
    for i, wanted in enumerate(widths):
        last = width and i == len(widths) - 1
        cap = wanted if i == 0 or last or (whole and not width) else min(wanted, _CELL)
        if not width:
            shown.append(cap)
            continue
        if i and cap > left:
            if left < 12:
                break
            cap = left
        shown.append(min(cap, max(left, 12)))
        left -= shown[-1] + 2
    return "\n".join(
        "  ".join(_fit(cell, size) for cell, size in zip(row, shown, strict=False)).rstrip()
        for row in lines
    )


def clipped(text: str, width: int) -> str:
    """One line of at most `width` columns (0 = any), without control characters."""
    line = _line(text)
    return _fit(line, width).rstrip() if width else line


def html_table(headings: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """The same table in HTML; all text is escaped."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def message_html(message: Message) -> str | None:
    """A record or one of its values as an HTML table of its fields; None for foreign messages."""
    if not message.DESCRIPTOR.full_name.startswith("detente."):
        return None
    title = ""
    if collection_of(message.DESCRIPTOR):
        name: str = getattr(message, "name")  # noqa: B009
        display_name: str = getattr(message, "display_name", "") or name
        title = f"<h4>{html.escape(display_name)}</h4><p><code>{html.escape(name)}</code></p>"
    return title + _fields_html(message)


def _fields_html(message: Message) -> str:
    lines = []
    for field, value in message.ListFields():
        if field.name in _HIDDEN:
            continue
        if is_repeated(field) and field.message_type is not None and _is_list(field):
            shown = _list_html(value)
        else:
            shown = html.escape(field_text(message, field))
        lines.append(f"<tr><th>{html.escape(field.name)}</th><td>{shown}</td></tr>")
    return f"<table>{''.join(lines)}</table>"


def _list_html(items: Sequence[Message]) -> str:
    fields = [
        field
        for field in items[0].DESCRIPTOR.fields
        if any(field_text(item, field) for item in items)
    ]
    return html_table(
        [field.name for field in fields],
        ([field_text(item, field) for field in fields] for item in items),
    )


def _is_list(field: Any) -> bool:
    return field.message_type is not None and not field.message_type.GetOptions().map_entry


def _one(field: Any, value: Any) -> str:
    if field.message_type is not None:
        return value_text(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return "" if value == 0 else known.name if known else str(value)
    if isinstance(value, bool):
        return field.name if value else ""
    return str(value)


def _date_text(message: Any) -> str:
    if message.edtf:
        return str(message.edtf)
    return str(message.State.Name(message.state)).lower() if message.state else ""


def _estimate_text(message: Any) -> str:
    low, best, high = (
        getattr(message, bound) if message.HasField(bound) else None
        for bound in ("low", "best", "high")
    )
    about = "about " if message.approximate else ""
    if best is not None:
        if low is None and high is None:
            return f"{about}{best:,}"
        ends = ["" if bound is None else f"{bound:,}" for bound in (low, high)]
        return f"{about}{best:,} ({_DASH.join(ends)})"
    if low is not None and high is not None:
        return f"{about}{low:,}{_DASH}{high:,}"
    if low is not None:
        return f"at least {about}{low:,}"
    if high is not None:
        return f"at most {about}{high:,}"
    return str(message.text)


def _actor_text(message: Any) -> str:
    who = [message.person or message.organization, message.description]
    text = ", ".join(part for part in who if part)
    return f"{text} for {message.on_behalf_of}" if message.on_behalf_of else text


def _place_text(message: Any) -> str:
    text = message.display_name or message.subdivision_code or message.region_code
    if not text and message.HasField("location"):
        text = f"{message.location.latitude}, {message.location.longitude}"
    return str(text)


def _name_text(message: Any) -> str:
    return str(message.full)


def _amount_text(message: Any) -> str:
    return f"{_estimate_text(message.value)} {message.currency_code}"


def _time_text(message: Any) -> str:
    return str(message.ToDatetime().isoformat(" ", "seconds")) + "Z"


def _day_text(message: Any) -> str:
    return f"{message.year:04}-{message.month:02}-{message.day:02}"


def _latlng_text(message: Any) -> str:
    return f"{message.latitude}, {message.longitude}"


_WRITERS: Mapping[str, Any] = {
    "detente.v1.UncertainDate": _date_text,
    "detente.v1.Estimate": _estimate_text,
    "detente.v1.Actor": _actor_text,
    "detente.v1.Place": _place_text,
    "detente.v1.Name": _name_text,
    "detente.v1.Amount": _amount_text,
    "google.protobuf.Timestamp": _time_text,
    "google.type.Date": _day_text,
    "google.type.LatLng": _latlng_text,
}


def _line(text: str) -> str:
    """Without line breaks or control characters, which could rule a terminal."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fit(text: str, width: int) -> str:
    if columns_of(text) > width:
        kept, used = "", 0
        for character in text:
            used += _cell(character)
            if used > width - 1:
                break
            kept += character
        text = f"{kept}…"
    return text + " " * (width - columns_of(text))
