"""The verbs of the command line that ask questions over many records."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from detente._command import (
    SHOWN,
    UsageError,
    add_at,
    add_filter,
    count,
    database,
    filter_of,
    find_collection,
    find_named,
    print_json,
    view_at,
    width,
)

Verb = Callable[..., argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Adds the verbs to those of the command line."""
    sub = verb("search", _search, "find records by words, in any script")
    sub.add_argument("query", metavar="WORDS", help="as 'Kales* OR \"human rights\" -exile'")
    _add_collections(sub, "in these alone; as a rule in all")
    add_filter(sub)
    add_at(sub)
    sub.add_argument("--limit", type=count, metavar="N", help=f"at most N (tables: {SHOWN})")
    _add_form(sub, "one array of hits")

    sub = verb("aggregate", _aggregate, "count and sum up records in groups")
    sub.add_argument("collection", metavar="COLLECTION")
    sub.add_argument("measures", nargs="*", metavar="MEASURE", help="as 'sum(headcount)'; or count")
    sub.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="FIELD",
        help="what a group has in common, as effective_date.year; several: give it again",
    )
    add_filter(sub)
    sub.add_argument("--order-by", default="", metavar="COLUMNS", help="as 'count desc'")
    sub.add_argument("--limit", type=count, metavar="N", help="at most N groups")
    add_at(sub)
    _add_form(sub, "one array of groups")

    sub = verb("stock", _stock, "count the records that go on, day after day")
    sub.add_argument("collection", metavar="COLLECTION", help="as detentions")
    sub.add_argument("first", metavar="FIRST", help="the first day, as 2025-01-01")
    sub.add_argument("last", metavar="LAST", help="the last day")
    sub.add_argument(
        "--step",
        default="month",
        choices=["day", "month", "quarter", "year"],
        help="as a rule month",
    )
    sub.add_argument("--by", default="", metavar="FIELD", help="count apart by this field")
    sub.add_argument("--start", default="", metavar="FIELD", help="as a rule start_date")
    sub.add_argument("--end", default="", metavar="FIELD", help="as a rule end_date")
    add_filter(sub)
    add_at(sub)
    _add_form(sub, "one array of points")

    sub = verb("neighbors", _neighbors, "show the records around a record, as a tree")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--depth", type=count, default=1, metavar="N", help="steps away, at most 3")
    sub.add_argument("--direction", default="both", choices=["both", "outgoing", "incoming"])
    _add_collections(sub, "these alone; as a rule all but sources")
    sub.add_argument("--limit", type=count, default=0, metavar="N", help="at most N (100)")
    add_at(sub)
    sub.add_argument("--json", action="store_true", help="ProtoJSON: nodes and edges")


def _add_collections(sub: argparse.ArgumentParser, about: str) -> None:
    sub.add_argument(
        "--in", dest="collections", action="append", default=[], metavar="COLLECTION", help=about
    )


def _add_form(sub: argparse.ArgumentParser, about: str) -> None:
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help=f"JSON, {about}")
    form.add_argument("--csv", action="store_true", help="comma-separated values")


def _search(args: argparse.Namespace) -> None:
    from detente import display, search

    with database(args, "read") as db:
        for name in args.collections:
            find_collection(db, name)
        text = filter_of(args, args.collections)
        args.texts["query"] = args.query
        found = view_at(db, args.at).search(args.query, collections=args.collections, filter=text)
        if args.json or args.csv:
            limited = found if args.limit is None else found.limit(args.limit)
            hits = (
                {
                    "name": hit.name,
                    "display_name": hit.display_name,
                    "score": hit.score,
                    "highlights": [{"path": h.path, "text": str(h)} for h in hit.highlights],
                }
                for hit in limited
            )
            if args.json:
                _write_json(hits)
            else:
                rows = ([h["name"], h["display_name"], h["score"]] for h in hits)
                _write_csv(["name", "display_name", "score"], rows)
            return
        most = SHOWN if args.limit is None else args.limit
        first = found._page(max(most, 1))
        hits_shown = list(found._items(first))[:most]
        if len(hits_shown) < most and first.next_page_token:
            hits_shown = list(found.limit(most))
        print(search.headline(first), file=sys.stderr if not hits_shown else sys.stdout)
        if hits_shown:
            headings, cells = found._rows(hits_shown)
            print(display.table(headings, cells, width(), whole=True))
        if args.limit is None and first.total_size > len(hits_shown):
            print(f"The first {most}; --limit N shows more.", file=sys.stderr)


def _aggregate(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        find_collection(db, args.collection)
        text = filter_of(args, [args.collection])
        args.texts["order_by"] = args.order_by
        found = view_at(db, args.at).aggregate(
            args.collection,
            by=args.by,
            measures=args.measures or ["count"],
            filter=text,
            order_by=args.order_by,
            limit=args.limit or 0,
        )
        _print(args, found)


def _stock(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        find_collection(db, args.collection)
        found = view_at(db, args.at).stock(
            args.collection,
            args.first,
            args.last,
            step=args.step,
            by=args.by,
            filter=filter_of(args, [args.collection]),
            start=args.start,
            end=args.end,
        )
        _print(args, found)


def _print(args: argparse.Namespace, found: Any) -> None:
    rows = found.to_dicts() if args.json or args.csv else []
    if args.json:
        _write_json(rows)
    elif args.csv:
        if rows:
            _write_csv(list(rows[0]), (list(row.values()) for row in rows))
    elif not found:
        print("no records", file=sys.stderr)
    else:
        print(found.text(width()))


def _neighbors(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        find_named(db, args.name)
        for name in args.collections:
            find_collection(db, name)
        if not 1 <= args.depth <= 3:
            raise UsageError("--depth is 1, 2 or 3")
        found = view_at(db, args.at).neighbors(
            args.name,
            depth=args.depth,
            direction=args.direction,
            collections=args.collections,
            limit=args.limit,
        )
        if args.json:
            print_json(found.message)
        else:
            print(found.text(width()))


def _write_json(rows: Iterable[Any]) -> None:
    separator = "[\n"
    for row in rows:
        sys.stdout.write(separator)
        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str))
        separator = ",\n"
    sys.stdout.write("\n]\n" if separator != "[\n" else "[]\n")


def _write_csv(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
