"""Rows of one id made one record: its lists are joined, all else must agree."""

import itertools
from collections.abc import Iterator
from typing import Any

from detente import _contract
from detente._contract import is_repeated
from detente._load import limits
from detente._load.faults import Problem, shown
from detente._load.mapping import Loading
from detente._load.spool import Spool


def merge(spool: Spool, loading: Loading) -> Iterator[Problem]:
    """Merges all parts, and gives what does not fit; what disagrees with the first is left out."""
    for name, group in itertools.groupby(spool.parts(), key=lambda item: item[1].name):
        whole: Any = None
        seen: dict[str, set[bytes]] = {}
        for phase, part in group:
            columns = loading.kinds[part.kind].columns
            record: Any = _contract.resources()[part.collection].message.FromString(part.record)
            if whole is None:
                first, whole_phase = part, phase
                whole = type(record)(name=name)
            for field, value in record.ListFields():
                if field.message_type is not None and field.message_type.GetOptions().map_entry:
                    getattr(whole, field.name).MergeFrom(value)
                elif is_repeated(field):
                    known = seen.setdefault(field.name, set())
                    for element in value:
                        content = _content(element)
                        if content not in known:
                            known.add(content)
                            getattr(whole, field.name).append(element)
                elif part is first:
                    _set(whole, field, value)
                elif (kept := getattr(whole, field.name)) != value:
                    yield Problem(
                        part.file,
                        part.row,
                        " or ".join(columns.get(field.name, [])) or field.name,
                        shown(value),
                        f"{name} has another {field.name}, `{shown(kept)}`, from {first.file}:"
                        f"{first.row}",
                        "rows of one id are to agree; put what differs into the `id`",
                    )
        size = whole.ByteSize()
        if size > limits.RECORD:
            yield Problem(
                first.file,
                first.row,
                "",
                "",
                f"{name}: all rows of it are {size:,} bytes, {limits.RECORD:,} at most",
                "make more records of them",
            )
        elif spool.place(name) is not None:
            yield Problem(
                first.file, first.row, "", "", f"{name}: another record has this id", "change `id`"
            )
        else:
            spool.add_merged(whole_phase, whole, first)


def _content(element: Any) -> bytes:
    if hasattr(element, "SerializeToString"):
        content: bytes = element.SerializeToString(deterministic=True)
        return content
    return repr(element).encode()


def _set(message: Any, field: Any, value: Any) -> None:
    if field.message_type is None:
        setattr(message, field.name, value)
    else:
        getattr(message, field.name).CopyFrom(value)
