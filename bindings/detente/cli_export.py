"""The verb `export` of the command line."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detente._command import (
    UsageError,
    add_at,
    add_filter,
    database,
    filter_of,
    find_collection,
    view_at,
)


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the verb to those of the command line."""
    sub = verb("export", _export, "write records into a file, or print them as JSON lines")
    sub.add_argument(
        "given",
        nargs="*",
        metavar="FILE|COLLECTION",
        help="a file, such as releases.xlsx; without one JSON lines are printed, "
        "which load takes back; collections: as a rule all",
    )
    sub.add_argument(
        "--collection",
        dest="collections",
        action="append",
        default=[],
        metavar="COLLECTION",
        help="of this one; several: give it again",
    )
    add_filter(sub)
    sub.add_argument("--columns", metavar="COLUMNS", help="only these, as name,headcount.best")
    sub.add_argument(
        "--format",
        metavar="FORMAT",
        help="csv, jsonl, parquet, xlsx, ftm or graphml; as a rule by the file's ending",
    )
    add_at(sub)
    sub.add_argument("--show-deleted", action="store_true", help="deleted ones too")
    sub.add_argument("--json", action="store_true", help="print what the file says of itself")


def _export(args: argparse.Namespace) -> None:
    from detente import _contract, exporting

    named = [name for name in args.given if name in _contract.resources()]
    files = [name for name in args.given if name not in named and _is_file(name, args.format)]
    if len(files) > 1:
        raise UsageError(f"one file, not {' and '.join(files)}")
    others = [name for name in args.given if name not in named and name not in files]
    collections = [*args.collections, *named, *others]
    columns = None if args.columns is None else args.columns.split(",")
    with database(args, "read") as db:
        for name in collections:
            find_collection(db, name)
        options: dict[str, Any] = {
            "filter": filter_of(args, collections),
            "columns": columns,
            "show_deleted": args.show_deleted,
        }
        view = view_at(db, args.at)
        if not files:
            if args.format not in (None, "jsonl"):
                raise UsageError(f"{args.format} goes into a file; name one")
            sys.stdout.writelines(exporting.lines(view, collections or None, **options))
            return
        done = exporting.export(view, files[0], collections or None, format=args.format, **options)
    if args.json:
        told = {**done.metadata, "file_sha256": done.file_sha256}
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(_told(done))


def _is_file(name: str, format: str | None) -> bool:
    return format is not None or "." in name or "/" in name or Path(name).exists()


def _told(done: Any) -> str:
    records = f"{done.record_count:,} record{'' if done.record_count == 1 else 's'}"
    beside = f" and {done.sidecar}" if done.sidecar else ""
    cut = done.metadata.get("shortened_cells", 0)
    more = f"; {cut:,} cells were cut, a cell holds 32,767 characters" if cut else ""
    return f"{done.path}{beside}: {records} at revision {done.metadata['revision']}{more}"
