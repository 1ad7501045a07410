"""What the verbs of the command line share: their arguments, and where the records are."""

import argparse
import contextlib
import datetime
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import detente
from detente import errors

SHOWN = 100  # rows of a table, unless --limit says otherwise
_AROUND = 60  # characters of a text that stand around a mark
_POSITION = re.compile(r"\bat (?:byte|position) (\d+)")
_TEXTUAL = (8, 9, 10)  # what a filter reads as a text: enums, texts and messages (dates)
AT = "as it was: a revision, a time (2026-03-01T12:00Z) or a snapshot"


class UsageError(Exception):
    """What argparse could not see was wrong with the arguments."""


def count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def time(text: str) -> datetime.datetime:
    """A time in ISO 8601 with its zone; a date is its first moment, UTC."""
    found = datetime.datetime.fromisoformat(text)
    if found.tzinfo is None and len(text) > len("2026-03-01"):
        raise argparse.ArgumentTypeError(f"{text} has no time zone; give it one, as {text}Z")
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)


def point(text: str) -> int | datetime.datetime | str:
    """A revision, a time, or a snapshot's name or id."""
    if text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    try:
        return time(text)
    except ValueError:
        return text


def add_where(sub: argparse.ArgumentParser) -> None:
    """The arguments that say where the records are."""
    where = sub.add_argument_group("where the records are")
    where.add_argument("--db", metavar="FILE", help="a store's file")
    where.add_argument("--server", metavar="ADDRESS", help="a server, as localhost:7400")
    where.add_argument("--actor", metavar="NAME", help="who makes the commits; it is not checked")
    where.add_argument("--ca-cert", metavar="FILE", help="certificates to trust (PEM)")
    where.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        help="encrypt, or not (as a rule: except to this machine itself)",
    )
    where.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="of each call"
    )


def add_write(sub: argparse.ArgumentParser) -> None:
    """The arguments of all writes."""
    sub.add_argument("--reason", default="", help="why; kept on the commit")
    sub.add_argument("--validate-only", action="store_true", help="check everything, write nothing")


def add_at(sub: argparse.ArgumentParser) -> None:
    """The state of the store to read."""
    sub.add_argument("--at", type=point, metavar="WHEN", help=AT)


def add_filter(sub: argparse.ArgumentParser, *, option: bool = True) -> None:
    """Which records: a filter, and values of fields."""
    if option:
        sub.add_argument("--filter", default="", metavar="FILTER", help="which (AIP-160)")
    sub.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="with this value; of several for one field, any",
    )


def filter_of(args: argparse.Namespace, collections: Sequence[str]) -> str:
    """The filter that the arguments make; `args.texts` keeps it, for what is said of errors."""
    from detente import _contract, _filter, records

    resources = _contract.resources()
    resource = next((resources[name] for name in collections if name in resources), None)
    descriptor = (resource or next(iter(resources.values()))).message.DESCRIPTOR
    where: dict[str, list[Any]] = {}
    for pair in args.where:
        path, equals, text = pair.partition("=")
        if not equals or not path:
            raise UsageError(f"{pair!r} is not FIELD=VALUE")
        found = _filter.fields(tuple(path.split(".")), descriptor)
        textual = not found or found[-1].cpp_type in _TEXTUAL
        where.setdefault(path, []).append(text if textual else records.load_yaml(text))
    args.texts = {"filter": _filter.join(args.filter, where, descriptor)}
    return str(args.texts["filter"])


def pointed(error: errors.Error, texts: Mapping[str, str]) -> str:
    """What an error says, with the place in the text that it is about below each line."""
    lines = []
    for line in str(error).splitlines():
        lines.append(line)
        match = _POSITION.search(line)
        field = next((name for name in texts if f"{name}:" in line), None)
        if match is not None and field is not None:
            lines += _caret(texts[field], int(match[1]))
    return "\n".join(lines)


def _caret(text: str, position: int) -> list[str]:
    """A text, or what of it is around a position in bytes, and a mark below that."""
    from detente import display

    before = text.encode()[:position].decode("utf-8", "ignore")
    if position > len(text.encode()):
        return []
    start = max(0, len(before) - _AROUND)
    end = len(before) + _AROUND
    shown = ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
    indent = display.columns_of(display.clipped(shown[: len(before) - start + bool(start)], 0))
    return [f"  {display.clipped(shown, 0)}", f"  {' ' * indent}^"]


@contextlib.contextmanager
def database(args: argparse.Namespace, how: str) -> Iterator[detente.Database]:
    """The records that the arguments name; `how` is `read`, `write` or `create`."""
    db, server = args.db, args.server
    if db is None and server is None:
        db, server = os.environ.get("DETENTE_DB"), os.environ.get("DETENTE_SERVER")
    if (db is None) == (server is None):
        raise UsageError("give one of --db FILE and --server ADDRESS")
    if db is not None:
        with detente.open(
            db, create=how == "create", read_only=how == "read", actor=args.actor
        ) as opened:
            yield opened
    else:
        token = os.environ.get("DETENTE_TOKEN") or None
        with detente.connect(
            server,
            token=token,
            actor=args.actor,
            ca_cert=args.ca_cert,
            tls=args.tls,
            timeout=args.timeout,
        ) as connected:
            yield connected


def find_collection(db: Any, name: str) -> Any:
    """The collection of that name, or of the record of that name."""
    try:
        return db.collection(name.partition("/")[0])
    except errors.InvalidArgumentError as error:
        raise UsageError(error.field_violations[0].description) from None


def find_named(db: Any, name: str) -> Any:
    if "/" not in name:
        raise UsageError(f"{name!r} is no record's name; one is releases/by-2025-12-13")
    return find_collection(db, name)


def view_at(db: detente.Database, at: Any) -> Any:
    return db if at is None else db.at(at)


def print_json(record: Any) -> None:
    print(json.dumps(detente.to_dict(record), ensure_ascii=False))


def write_json(found: Iterable[Any]) -> None:
    separator = "[\n"
    for record in found:
        sys.stdout.write(separator)
        sys.stdout.write(json.dumps(detente.to_dict(record), ensure_ascii=False))
        separator = ",\n"
    sys.stdout.write("\n]\n" if separator != "[\n" else "[]\n")


def print_table(found: Any, limit: int | None, none: str, *, whole: bool = False) -> None:
    """A listing as a table of at most `limit` rows (None = `SHOWN`, and says so)."""
    from detente import display

    most = SHOWN if limit is None else limit
    items = list(found.limit(most + 1))
    if not items:
        print(none, file=sys.stderr)
        return
    headings, cells = found._rows(items[:most])
    print(display.table(headings, cells, width(), whole=whole))
    if len(items) > most and limit is None:
        print(f"The first {most}; --limit N shows more.", file=sys.stderr)


def width() -> int | None:
    """For text: as wide as the terminal, or as it needs to be."""
    return None if sys.stdout.isatty() else 0
