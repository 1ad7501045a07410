"""The verbs of the command line about evidence, history and snapshots, and erasure."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import detente
from detente._command import (
    UsageError,
    add_at,
    add_where,
    add_write,
    count,
    database,
    find_collection,
    find_named,
    point,
    print_json,
    print_table,
    time,
    view_at,
    width,
    write_json,
)

Verb = Callable[..., argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Adds the verbs to those of the command line."""
    sub = verb("evidence", _evidence, "show who supports a record, and who says otherwise")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("fields", nargs="*", metavar="FIELD", help="paths; as a rule all")
    _add_json(sub, "ProtoJSON")
    add_at(sub)

    sub = verb("conflicts", _conflicts, "list the fields of which sources disagree")
    sub.add_argument("collections", nargs="*", metavar="COLLECTION", help="as a rule all")
    sub.add_argument(
        "--field", action="append", default=[], metavar="PATH", help="such fields alone"
    )
    _add_list(sub)
    add_at(sub)

    sub = verb("findings", _findings, "list what is odd across records")
    sub.add_argument("checks", nargs="*", metavar="CHECK", help="as a rule all")
    sub.add_argument("--record", default="", metavar="NAME", help="what is about it alone")
    _add_list(sub)
    add_at(sub)

    sub = verb("history", _history, "show what became of a record, newest first")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--limit", type=count, metavar="N", help="the last N changes")
    _add_json(sub, "ProtoJSON, one array")
    add_at(sub)

    sub = verb("diff", _diff, "show what differs between two states of the store")
    help_ = "a revision, a time or a snapshot; 0 = the empty store"
    sub.add_argument("base", type=point, metavar="BEFORE", help=help_)
    sub.add_argument("target", nargs="?", type=point, metavar="AFTER", help="as a rule the newest")
    sub.add_argument("--record", default="", metavar="NAME", help="what differs of it alone")
    _add_json(sub, "ProtoJSON, one array")

    sub = verb("commits", _commits, "list commits, newest first")
    sub.add_argument("commit", nargs="?", metavar="REVISION", help="that one, in full")
    sub.add_argument("--by", default="", metavar="ACTOR", help="of this actor")
    sub.add_argument("--record", default="", metavar="NAME", help="those that changed it")
    sub.add_argument("--since", type=time, metavar="TIME", help="at or after it")
    sub.add_argument("--until", type=time, metavar="TIME", help="before it")
    _add_list(sub)

    sub = verb("rollback", _rollback, "bring a record back to an earlier revision of the store")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("revision", type=count, metavar="REVISION")
    _add_json(sub, "print it as ProtoJSON")
    add_write(sub)

    sub = verb("erase", _erase, "erase records from every revision, for ever")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--yes", action="store_true", help="do not ask")
    _add_json(sub, "print the report as ProtoJSON")
    add_write(sub)

    _add_snapshot(verb("snapshot", _snapshot, "name, read, cite and check states", store=False))


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(
        name: str, run: Callable[[argparse.Namespace], Any], about: str, *, store: bool = True
    ) -> argparse.ArgumentParser:
        sub = actions.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
        )
        sub.set_defaults(run=run, parser=sub)
        if store:
            add_where(sub)
        return sub

    sub = action("create", _create, "name a state of the store")
    sub.add_argument("id", metavar="ID")
    sub.add_argument("--title", default="", help="what people read")
    sub.add_argument("--at", type=point, metavar="WHEN", help="as a rule the newest state")
    _add_json(sub, "ProtoJSON")

    sub = action("list", _list, "list snapshots")
    sub.add_argument("--show-deleted", action="store_true", help="deleted ones too")
    _add_list(sub)

    sub = action("get", _get, "show a snapshot")
    sub.add_argument("id", metavar="ID")
    _add_json(sub, "ProtoJSON")

    sub = action("export", _export, "write the records of a snapshot, to be checked by anyone")
    sub.add_argument("id", metavar="ID")
    sub.add_argument("file", nargs="?", default="-", metavar="FILE", help="as a rule a pipe")

    sub = action("check", _check, "check an export, without a store", store=False)
    sub.add_argument("file", metavar="FILE")
    sub.add_argument("checksum", nargs="?", metavar="SHA-256", help="that a paper cites")

    sub = action("cite", _cite, "print a citation")
    sub.add_argument("id", metavar="ID")
    sub.add_argument("--style", choices=["text", "bibtex", "cff"], default="text")
    sub.add_argument("--author", action="append", metavar="NAME", help="as 'Family, Given'")
    sub.add_argument("--url", help="where it is published")

    sub = action("delete", _delete, "withdraw a snapshot; its id is never given again")
    sub.add_argument("id", metavar="ID")


def _add_json(sub: argparse.ArgumentParser, about: str) -> None:
    sub.add_argument("--json", action="store_true", help=about)


def _add_list(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--limit", type=count, metavar="N", help="at most N")
    _add_json(sub, "ProtoJSON, one array")


def _write_list(args: argparse.Namespace, found: Any, none: str) -> None:
    if args.json:
        limited = found if args.limit is None else found.limit(args.limit)
        write_json(getattr(item, "message", item) for item in limited)
    else:
        print_table(found, args.limit, none, whole=True)


def _evidence(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        evidence = find_named(view_at(db, args.at), args.name).evidence(args.name, *args.fields)
    if args.json:
        print_json(evidence.message)
    else:
        print(evidence.text(width()))


def _conflicts(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        for name in args.collections:
            find_collection(db, name)
        found = view_at(db, args.at).conflicts(*args.collections, fields=args.field)
        _write_list(args, found, "no source disagrees")


def _findings(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        if args.record:
            find_named(db, args.record)
        found = view_at(db, args.at).findings(args.checks, record=args.record)
        _write_list(args, found, "nothing is odd")


def _history(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        found = find_named(view_at(db, args.at), args.name).history(args.name)
        found = found if args.limit is None else found.limit(args.limit)
        if args.json:
            write_json(found)
        else:
            print(found.text(width()))


def _diff(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        if args.record:
            find_named(db, args.record)
        found = db.diff(args.base, args.target, record=args.record)
        if args.json:
            write_json(found)
            return
        same = True
        for line in found.lines(width()):
            print(line)
            same = False
        if same:
            print("nothing differs", file=sys.stderr)


def _commits(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        if args.commit is not None:
            commit = db.commits.get(args.commit)
            print_json(commit) if args.json else _print_commit(commit)
            return
        if args.record:
            find_named(db, args.record)
        found = db.commits.list(
            actor=args.by, record=args.record, since=args.since, until=args.until
        )
        _write_list(args, found, "no commits")


def _print_commit(commit: Any) -> None:
    from detente import history

    for line in history.commit_lines(commit):
        print(line)


def _rollback(args: argparse.Namespace) -> None:
    from detente.cli import print_record

    with database(args, "write") as db:
        record = find_named(db, args.name).rollback(
            args.name, args.revision, reason=args.reason, validate_only=args.validate_only
        )
        print_record(record, args.json)


def _erase(args: argparse.Namespace) -> None:
    with database(args, "write") as db:
        for name in args.names:
            find_named(db, name)
        if not args.yes:
            would = db.erase(args.names, reason=args.reason, validate_only=True)
            if args.validate_only:
                _print_erasure(would, args.json)
                return
            print(would, file=sys.stderr)
            if not sys.stdin.isatty():
                raise UsageError("nothing was erased: there is nobody to ask; give --yes")
            print("Erase for ever? It can't be taken back [y/N] ", end="", file=sys.stderr)
            sys.stderr.flush()
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                raise detente.CancelledError("nothing was erased")
        done = db.erase(args.names, reason=args.reason, validate_only=args.validate_only)
        _print_erasure(done, args.json)


def _print_erasure(report: Any, as_json: bool) -> None:
    if as_json:
        print_json(report.message)
    else:
        print(report)


def _snapshot(args: argparse.Namespace) -> None:
    raise UsageError("give an action")


def _create(args: argparse.Namespace) -> None:
    with database(args, "write") as db:
        _print_snapshot(db.snapshots.create(args.id, title=args.title, at=args.at), args.json)


def _list(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        found = db.snapshots.list(show_deleted=args.show_deleted)
        _write_list(args, found, "no snapshots")


def _get(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        _print_snapshot(db.snapshots.get(args.id), args.json)


def _print_snapshot(snapshot: Any, as_json: bool) -> None:
    if as_json:
        print_json(snapshot)
        return
    from detente import display

    for field, _ in snapshot.ListFields():
        if field.name != "current_checksum" or snapshot.erased_count:
            print(f"{field.name:<18}{display.field_text(snapshot, field)}")


def _export(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        if args.file == "-":
            db.snapshots.export(args.id, sys.stdout.buffer, progress=False)
            sys.stdout.buffer.flush()
        else:
            snapshot = db.snapshots.export(args.id, args.file)
            print(f"{snapshot.record_count:,} records; SHA-256 {snapshot.current_checksum}")


def _check(args: argparse.Namespace) -> int:
    from detente import check_snapshot

    return check_snapshot.main([args.file, *([args.checksum] if args.checksum else [])])


def _cite(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        text = db.snapshots.cite(args.id, style=args.style, author=args.author, url=args.url)
    print(text, end="")


def _delete(args: argparse.Namespace) -> None:
    with database(args, "write") as db:
        print(f"{db.snapshots.delete(args.id).name} deleted")
