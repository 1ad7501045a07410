"""Checks the export of a Détente snapshot; needs Python and nothing else, not even Détente.

    python check_snapshot.py FILE [SHA-256]

An export is lines of JSON: a header, then one line for each record in the order of their names.
A record's leaf is the SHA-256 of its salt and of its canonical JSON (RFC 8785); the checksum of the
snapshot that of the lines `name revision leaf\\n`. All of it is computed anew from the records, and
compared with what the file says, and with the checksum that a paper cites, if it is given.

Exit codes: 0 all is right, 1 something is not, 2 wrong usage.
"""

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def canonical(value: Any) -> str:
    """RFC 8785: keys in the order of their UTF-16, numbers as ECMAScript writes them."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(float(value))
    return json.dumps(value, ensure_ascii=False)  # a string, true, false or null


def number(value: float) -> str:
    """ECMA-262, Number::toString: the shortest digits; an exponent below 1e-6 and from 1e21."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value!r}".lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # where the point stands, counted from the first digit
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    sign, count = "-" if value < 0 else "", len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def read(line: str) -> dict[str, Any]:
    """The object in a line."""
    parsed = json.loads(line, object_pairs_hook=unique)
    if not isinstance(parsed, dict):
        raise ValueError("no object")
    return parsed


def shaped(entry: dict[str, Any]) -> None:
    """Refuses what could pass for several lines of the checksum, or for another line."""
    name, revision, leaf = entry["name"], entry["revision"], entry["leaf"]
    if not re.fullmatch(r"[\w-]+/[\w-]+", name, re.ASCII):
        raise ValueError(f"{name!r} is no name of a record")
    if type(revision) is not int:
        raise ValueError(f"{revision!r} is no revision")
    if not re.fullmatch("[0-9a-f]{64}", leaf):
        raise ValueError(f"{leaf!r} is no leaf")


def problems_of(entry: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one line."""
    record = entry.get("record")
    if record is not None and record.get("name") != entry["name"]:
        yield f"the record within calls itself {record.get('name')}"
    if entry.get("erased", False):
        return  # its leaf is that of before the erasure
    if record is None:
        yield "the record is missing"
        return
    content = bytes.fromhex(entry["salt"]) + canonical(record).encode()
    if hashlib.sha256(content).hexdigest() != entry["leaf"]:
        yield "its content or its salt is not what its leaf was made of"


def check(lines: Iterable[str], cited: str = "") -> tuple[list[str], list[str]]:
    """What is wrong with an export, and what there is to say about one that is right."""
    wrong: list[str] = []
    erased: list[str] = []
    checksum, last, count = hashlib.sha256(), "", 0
    lines = iter(lines)
    try:
        header = read(next(lines, "null"))
        if header["detente_snapshot"] != 1:
            return [f"line 1: format {header['detente_snapshot']} is not known here"], []
        made, current = header["checksum"], header["current_checksum"]
    except MALFORMED as error:
        return [f"line 1: no header of a snapshot: {error}"], []
    for place, line in enumerate(lines, 2):
        try:
            entry = read(line)
            name = entry["name"]
            shaped(entry)
            wrong += [f"line {place}: {name}: {problem}" for problem in problems_of(entry)]
            if name <= last:
                wrong.append(f"line {place}: {name} stands behind {last}, and belongs before it")
            checksum.update(f"{name} {int(entry['revision'])} {entry['leaf']}\n".encode())
            last, count = name, count + 1
            erased += [name] if entry.get("erased", False) else []
        except MALFORMED as error:
            wrong.append(f"line {place}: no record of a snapshot: {error}")
    if count != header.get("record_count"):
        wrong.append(f"{count} records are here, {header.get('record_count')} in the header")
    if len(erased) != header.get("erased_count"):
        wrong.append(f"{len(erased)} are erased, {header.get('erased_count')} in the header")
    if checksum.hexdigest() != current:
        wrong.append(f"the checksum is {checksum.hexdigest()}, in the header {current}")
    if not erased and made != current:
        wrong.append(f"nothing is erased, and yet the header has two checksums: {made}, {current}")
    if cited and cited.lower() not in (made, current):
        wrong.append(f"the checksum that you gave, {cited}, is not that of this snapshot")
    notes = [f"{header.get('name')} at revision {header.get('revision')}: {count} records"]
    if erased:
        notes.append(f"{len(erased)} leaves can't be computed again, because of an erasure:")
        notes += [f"  {name}" for name in erased]
        notes.append(f"SHA-256 {current} now; {made} when it was made")
    else:
        notes.append(f"SHA-256 {current}")
    return wrong, notes


def main(arguments: list[str]) -> int:
    """Checks a file."""
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8", newline="\n") as file:
            wrong, notes = check(file, *arguments[1:])
    except (OSError, UnicodeDecodeError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 1
    if wrong:
        print("\n".join(["NOT RIGHT:", *wrong]))
        return 1
    print("\n".join([*notes, "Computed anew, leaf by leaf and their checksum: all is right."]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
