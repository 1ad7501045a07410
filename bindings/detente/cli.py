"""The command line `detente`.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import argparse
import csv
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import detente
from detente import cli_export, cli_history, cli_load, cli_query, errors
from detente._command import (
    SHOWN,
    UsageError,
    add_at,
    add_filter,
    add_where,
    add_write,
    count,
    database,
    filter_of,
    find_collection,
    find_named,
    pointed,
    print_json,
    print_table,
    view_at,
    write_json,
)

_DESCRIPTION = """\
Records of prisoner releases, the talks behind them, and who says so.

Every verb that reads or writes records takes --db FILE (a store, opened in this process) or
--server ADDRESS (a running detente-server); DETENTE_DB and DETENTE_SERVER say the same, and
DETENTE_TOKEN holds a token for the server. Commits are made in the name of --actor or
DETENTE_ACTOR, which nobody checks. Records are named `releases/by-2025-12-13`;
`releases/by-2025-12-13@7` is that record as it was at revision 7; --at takes a revision, a time
(2026-03-01T12:00Z; a date is its first moment, UTC) or a snapshot."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code. Usage errors exit with 2."""
    args = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        code = args.run(args)
        sys.stdout.flush()
    except UsageError as error:
        args.parser.error(str(error))
    except errors.Error as error:
        return _fail(pointed(error, getattr(args, "texts", {})))
    except ValueError as error:
        return _fail(str(error))
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        print("detente: interrupted", file=sys.stderr)
        return 130
    return int(code or 0)


def _fail(message: str) -> int:
    first, *more = message.splitlines() or ["failed"]
    print("\n".join([f"detente: {first}", *more]), file=sys.stderr)
    return 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser, verbs = _parsers()
    sub = verbs.get(arguments[0]) if arguments else None
    if sub is None or sub is verbs["snapshot"]:
        return parser.parse_args(arguments)
    if sub is verbs["serve"]:
        args, rest = sub.parse_known_args(arguments[1:])
        args.rest = rest
        return args
    return sub.parse_intermixed_args(arguments[1:])


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and that of each verb."""
    parser = argparse.ArgumentParser(
        prog="detente",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"detente {detente.__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(
        name: str, run: Callable[[argparse.Namespace], Any], about: str, *, store: bool = True
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
        )
        sub.set_defaults(run=run, parser=sub)
        if store:
            add_where(sub)
        return sub

    def told(sub: argparse.ArgumentParser) -> None:
        add_at(sub)
        sub.add_argument("--as-told-by", default="", metavar="SOURCE", help="with its values")
        sub.add_argument(
            "--value-policy",
            default="",
            metavar="POLICY",
            help="where sources disagree: most_reliable, latest or majority",
        )

    verb("demo", _demo, "load the sample records into a server and show what they say", store=False)

    sub = verb("serve", _serve, "run detente-server; its own flags are passed on", store=False)
    sub.add_argument("--db", metavar="FILE", help="the store; made if there is none")

    sub = verb("get", _get, "show records")
    sub.add_argument("names", nargs="+", metavar="NAME")
    told(sub)
    sub.add_argument("--json", action="store_true", help="ProtoJSON, one object on each line")

    sub = verb("list", _list, "list the records of a collection")
    sub.add_argument("collection", metavar="COLLECTION")
    sub.add_argument("given", nargs="?", default="", metavar="FILTER", help="which (AIP-160)")
    add_filter(sub)
    sub.add_argument("--order-by", default="", metavar="FIELDS", help="as 'effective_date desc'")
    told(sub)
    sub.add_argument("--reviewed-only", action="store_true", help="only those that are REVIEWED")
    sub.add_argument("--show-deleted", action="store_true", help="deleted ones too")
    sub.add_argument("--limit", type=count, metavar="N", help=f"at most N (tables: {SHOWN})")
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="ProtoJSON, one array")
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    form.add_argument("--explain", action="store_true", help="read nothing; say how it would run")

    sub = verb("create", _create, "create a record")
    sub.add_argument("collection", metavar="COLLECTION[/ID]")
    sub.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="values in YAML")
    sub.add_argument("--file", metavar="FILE", help="the record in YAML or JSON; - = from a pipe")
    sub.add_argument("--id", default="", help="its id; made by the server if absent")
    sub.add_argument("--json", action="store_true", help="print it as ProtoJSON")
    add_write(sub)

    sub = verb("edit", _edit, "edit a record in $EDITOR, or set fields")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="values in YAML")
    sub.add_argument("--json", action="store_true", help="print it as ProtoJSON")
    add_write(sub)

    sub = verb("delete", _delete, "delete records, softly")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--force", action="store_true", help="although live records refer to it")
    sub.add_argument("--undo", action="store_true", help="take deletions back")
    add_write(sub)

    cli_load.add(verb)

    cli_export.add(verb)
    cli_query.add(verb)
    cli_history.add(verb)
    return parser, dict(verbs.choices)


def print_record(record: Any, as_json: bool) -> None:
    if as_json:
        print_json(record)
        return
    from detente import records

    plain = records.editable(record, outputs=True)
    for hidden in ("uid", "etag"):
        plain.pop(hidden, None)
    print(records.dump_yaml(plain), end="")


def _demo(args: argparse.Namespace) -> None:
    from detente import demo

    demo.run(sys.stdout)


def _serve(args: argparse.Namespace) -> None:
    from detente import _files

    binary = _files.server_binary()
    store = [f"--store=sqlite:{args.db}"] if args.db is not None else []
    os.execv(binary, [str(binary), *store, *args.rest])


def _get(args: argparse.Namespace) -> None:
    with database(args, "read") as db:
        view = view_at(db, args.at)
        for number, name in enumerate(args.names):
            record = find_named(view, name).get(
                name, as_told_by=args.as_told_by, value_policy=args.value_policy
            )
            if number and not args.json:
                print("---")
            print_record(record, args.json)


def _list(args: argparse.Namespace) -> None:
    if args.given and args.filter:
        raise UsageError("give the filter once, behind the collection or by --filter")
    args.filter = args.given or args.filter
    with database(args, "read") as db:
        collection = find_collection(view_at(db, args.at), args.collection)
        text = filter_of(args, [args.collection])
        args.texts["order_by"] = args.order_by
        options = {"order_by": args.order_by, "show_deleted": args.show_deleted}
        if args.explain:
            for option in ("as_told_by", "value_policy", "reviewed_only", "limit"):
                if getattr(args, option):
                    raise UsageError(f"--explain does not go with --{option.replace('_', '-')}")
            print(collection.list(text, **options, explain=True))
            return
        found = collection.list(
            text,
            **options,
            as_told_by=args.as_told_by,
            value_policy=args.value_policy,
            reviewed_only=args.reviewed_only,
        )
        if args.json or args.csv:
            if args.limit is not None:
                found = found.limit(args.limit)
            (write_json if args.json else _write_csv)(found)
            return
        print_table(found, args.limit, f"no {args.collection}")


def _write_csv(found: Iterable[Any]) -> None:
    from detente import display

    writer = csv.writer(sys.stdout, lineterminator="\n")
    fields: list[Any] = []
    for record in found:
        if not fields:
            fields = display.columns(record.DESCRIPTOR)
            writer.writerow([field.name for field in fields])
        writer.writerow([display.field_text(record, field) for field in fields])


def _create(args: argparse.Namespace) -> None:
    from detente import _contract, records
    from detente._arguments import new_record

    with database(args, "write") as db:
        collection = find_collection(db, args.collection)
        name, _, id_in_name = args.collection.partition("/")
        if args.id and id_in_name and args.id != id_in_name:
            raise UsageError(f"{args.collection} and --id {args.id} do not agree")
        resource = _contract.resources()[name]
        message_type = resource.message
        record = message_type()
        if args.file is not None:
            text = sys.stdin.read() if args.file == "-" else Path(args.file).read_text("utf-8")
            try:
                record = records.from_dict(message_type, records.load_yaml(text))
            except ValueError as error:
                raise ValueError(f"{args.file}: {error}") from None
            record.ClearField("etag")
        record = new_record(resource, record, _fields(message_type.DESCRIPTOR, args.fields))
        created = collection.create(
            record,
            id=args.id or id_in_name,
            reason=args.reason,
            validate_only=args.validate_only,
        )
        print_record(created, args.json)


def _fields(descriptor: Any, pairs: Iterable[str]) -> dict[str, Any]:
    from detente import records
    from detente._contract import is_repeated
    from detente.v1.values_pb2 import UncertainDate

    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is not FIELD=VALUE")
        field = descriptor.fields_by_name.get(name)
        if field is not None and field.type == field.TYPE_STRING and not is_repeated(field):
            fields[name] = text
        else:
            value = records.load_yaml(text)
            is_date = field is not None and field.message_type is UncertainDate.DESCRIPTOR
            fields[name] = text if is_date and isinstance(value, int) else value
    return fields


def _edit(args: argparse.Namespace) -> None:
    from detente import _contract
    from detente._arguments import changed

    with database(args, "write") as db:
        collection = find_named(db, args.name)
        options = {"reason": args.reason, "validate_only": args.validate_only}
        record = collection.get(args.name)
        if args.fields:
            fields = _fields(record.DESCRIPTOR, args.fields)
            resource = _contract.resources()[args.name.partition("/")[0]]
            message, mask = changed(resource, record, None, fields)
            updated = collection.update(message, update_mask=mask, **options)
        else:
            updated = _edit_in_editor(collection, record, options)
        if updated is not None:
            print_record(updated, args.json)


def _edit_in_editor(collection: Any, record: Any, options: dict[str, Any]) -> Any:
    from detente import records

    head = f"# {record.name} at revision {record.revision}. An empty file changes nothing.\n"
    before = text = head + records.to_yaml(record)
    with tempfile.NamedTemporaryFile(
        "w+", suffix=".yaml", prefix="detente-", encoding="utf-8", delete=False
    ) as file:
        path = Path(file.name)
    while True:
        path.write_text(text, encoding="utf-8")
        subprocess.run([*_editor(), str(path)], check=False)
        edited = path.read_text(encoding="utf-8")
        if not edited.strip() or edited == before:
            path.unlink()
            print("nothing changed", file=sys.stderr)
            return None
        if edited == text:
            raise ValueError(f"not saved; your text is kept in {path}")
        try:
            found: list[Any] = [message for _, message in records.read(path, edited)]
            if [message.name for message in found] != [record.name]:
                raise ValueError(f"the file is to hold {record.name} alone")
            message = found[0]
            message.etag = record.etag
            updated = collection.update(message, **options)
        except detente.ConflictError as error:
            raise detente.ConflictError(f"{error}\nYour text is kept in {path}") from None
        except (errors.Error, ValueError) as error:
            told = "".join(f"# {line}\n" for line in str(error).splitlines())
            kept = "".join(line for line in edited.splitlines(True) if line[0] != "#")
            text = f"{head}# Not saved:\n{told}{kept}"
        else:
            path.unlink()
            return updated


def _editor() -> list[str]:
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")


def _delete(args: argparse.Namespace) -> None:
    with database(args, "write") as db:
        for name in args.names:
            collection = find_named(db, name)
            options = {"reason": args.reason, "validate_only": args.validate_only}
            if args.undo:
                record = collection.undelete(name, **options)
            else:
                record = collection.delete(name, force=args.force, **options)
            done = "undeleted" if args.undo else "deleted"
            print(f"{record.name} {'would be ' if args.validate_only else ''}{done}")


if __name__ == "__main__":
    sys.exit(main())
