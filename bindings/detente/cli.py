"""The command line `detente`.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import argparse
import contextlib
import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import detente
from detente import errors

_SHOWN = 100  # rows of a table, unless --limit says otherwise

_DESCRIPTION = """\
Records of prisoner releases, the talks behind them, and who says so.

Every verb that reads or writes records takes --db FILE (a store, opened in this process) or
--server ADDRESS (a running detente-server); DETENTE_DB and DETENTE_SERVER say the same, and
DETENTE_TOKEN holds a token for the server. Records are named `releases/by-2025-12-13`;
`releases/by-2025-12-13@7` is that record as it was at revision 7."""


class _UsageError(Exception):
    """What argparse could not see was wrong with the arguments."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code. Usage errors exit with 2."""
    args = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        args.run(args)
        sys.stdout.flush()
    except _UsageError as error:
        args.parser.error(str(error))
    except (errors.Error, ValueError) as error:
        return _fail(str(error))
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _fail(message: str) -> int:
    first, *more = message.splitlines() or ["failed"]
    print("\n".join([f"detente: {first}", *more]), file=sys.stderr)
    return 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser, verbs = _parsers()
    sub = verbs.get(arguments[0]) if arguments else None
    if sub is None:
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
        name: str, run: Callable[[argparse.Namespace], None], about: str, *, store: bool = True
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
        )
        sub.set_defaults(run=run, parser=sub)
        if store:
            where = sub.add_argument_group("where the records are")
            where.add_argument("--db", metavar="FILE", help="a store's file")
            where.add_argument("--server", metavar="ADDRESS", help="a server, as localhost:7400")
            where.add_argument("--ca-cert", metavar="FILE", help="certificates to trust (PEM)")
            where.add_argument(
                "--tls",
                action=argparse.BooleanOptionalAction,
                help="encrypt, or not (as a rule: except to this machine itself)",
            )
            where.add_argument(
                "--timeout", type=float, default=30.0, metavar="SECONDS", help="of each call"
            )
        return sub

    def writes(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--reason", default="", help="why; kept on the commit")
        sub.add_argument(
            "--validate-only", action="store_true", help="check everything, write nothing"
        )

    verb("demo", _demo, "load the sample records into a server and show what they say", store=False)

    sub = verb("serve", _serve, "run detente-server; its own flags are passed on", store=False)
    sub.add_argument("--db", metavar="FILE", help="the store; made if there is none")

    sub = verb("get", _get, "show records")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--at", type=int, metavar="REVISION", help="as they were at a revision")
    sub.add_argument("--json", action="store_true", help="ProtoJSON, one object on each line")

    sub = verb("list", _list, "list the records of a collection")
    sub.add_argument("collection", metavar="COLLECTION")
    sub.add_argument("filter", nargs="?", default="", metavar="FILTER", help="which (AIP-160)")
    sub.add_argument("--order-by", default="", metavar="FIELDS", help="as 'effective_date desc'")
    sub.add_argument("--at", type=int, metavar="REVISION", help="as they were at a revision")
    sub.add_argument("--show-deleted", action="store_true", help="deleted ones too")
    sub.add_argument("--limit", type=_count, metavar="N", help=f"at most N (tables: {_SHOWN})")
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="ProtoJSON, one array")
    form.add_argument("--csv", action="store_true", help="comma-separated values")

    sub = verb("create", _create, "create a record")
    sub.add_argument("collection", metavar="COLLECTION[/ID]")
    sub.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="values in YAML")
    sub.add_argument("--file", metavar="FILE", help="the record in YAML or JSON; - = from a pipe")
    sub.add_argument("--id", default="", help="its id; made by the server if absent")
    sub.add_argument("--json", action="store_true", help="print it as ProtoJSON")
    writes(sub)

    sub = verb("edit", _edit, "edit a record in $EDITOR, or set fields")
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="values in YAML")
    sub.add_argument("--json", action="store_true", help="print it as ProtoJSON")
    writes(sub)

    sub = verb("delete", _delete, "delete records, softly")
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.add_argument("--force", action="store_true", help="although live records refer to it")
    sub.add_argument("--undo", action="store_true", help="take deletions back")
    writes(sub)

    sub = verb("load", _load, "create or replace records from YAML, JSON or JSON lines")
    sub.add_argument("paths", nargs="+", metavar="FILE|FOLDER")
    sub.add_argument("--json", action="store_true", help="print the numbers as JSON")
    writes(sub)

    sub = verb("export", _export, "print records as JSON lines, which load takes back")
    sub.add_argument("collections", nargs="*", metavar="COLLECTION", help="as a rule all")
    sub.add_argument("--at", type=int, metavar="REVISION", help="as they were at a revision")
    sub.add_argument("--show-deleted", action="store_true", help="deleted ones too")
    return parser, dict(verbs.choices)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


@contextlib.contextmanager
def _database(args: argparse.Namespace, how: str) -> Iterator[detente.Database]:
    """The records that the arguments name; `how` is `read`, `write` or `create`."""
    db, server = args.db, args.server
    if db is None and server is None:
        db, server = os.environ.get("DETENTE_DB"), os.environ.get("DETENTE_SERVER")
    if (db is None) == (server is None):
        raise _UsageError("give one of --db FILE and --server ADDRESS")
    if db is not None:
        with detente.open(db, create=how == "create", read_only=how == "read") as opened:
            yield opened
    else:
        token = os.environ.get("DETENTE_TOKEN") or None
        with detente.connect(
            server, token=token, ca_cert=args.ca_cert, tls=args.tls, timeout=args.timeout
        ) as connected:
            yield connected


def _collection(db: Any, name: str) -> Any:
    """The collection of that name, or of the record of that name."""
    try:
        return db.collection(name.partition("/")[0])
    except errors.InvalidArgumentError as error:
        raise _UsageError(error.field_violations[0].description) from None


def _named(db: Any, name: str) -> Any:
    if "/" not in name:
        raise _UsageError(f"{name!r} is no record's name; one is releases/by-2025-12-13")
    return _collection(db, name)


def _view(db: detente.Database, at: int | None) -> Any:
    return db if at is None else db.at(at)


def _print_json(record: Any) -> None:
    print(json.dumps(detente.to_dict(record), ensure_ascii=False))


def _print_record(record: Any, as_json: bool) -> None:
    if as_json:
        _print_json(record)
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
    with _database(args, "read") as db:
        view = _view(db, args.at)
        for number, name in enumerate(args.names):
            record = _named(view, name).get(name)
            if number and not args.json:
                print("---")
            _print_record(record, args.json)


def _list(args: argparse.Namespace) -> None:
    from detente import display

    with _database(args, "read") as db:
        collection = _collection(_view(db, args.at), args.collection)
        found = collection.list(args.filter, order_by=args.order_by, show_deleted=args.show_deleted)
        if args.json or args.csv:
            if args.limit is not None:
                found = found.limit(args.limit)
            (_write_json if args.json else _write_csv)(found)
            return
        limit = _SHOWN if args.limit is None else args.limit
        records = list(found.limit(limit + 1))
        if not records:
            print(f"no {args.collection}", file=sys.stderr)
            return
        width = None if sys.stdout.isatty() else 0
        print(display.table(*display.rows(records[:limit]), width=width))
        if len(records) > limit and args.limit is None:
            print(f"The first {limit}; --limit N shows more.", file=sys.stderr)


def _write_json(found: Iterable[Any]) -> None:
    separator = "[\n"
    for record in found:
        sys.stdout.write(separator)
        sys.stdout.write(json.dumps(detente.to_dict(record), ensure_ascii=False))
        separator = ",\n"
    sys.stdout.write("\n]\n" if separator != "[\n" else "[]\n")


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

    with _database(args, "write") as db:
        collection = _collection(db, args.collection)
        name, _, id_in_name = args.collection.partition("/")
        if args.id and id_in_name and args.id != id_in_name:
            raise _UsageError(f"{args.collection} and --id {args.id} do not agree")
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
        _print_record(created, args.json)


def _fields(descriptor: Any, pairs: Iterable[str]) -> dict[str, Any]:
    from detente import records
    from detente._contract import is_repeated
    from detente.v1.values_pb2 import UncertainDate

    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise _UsageError(f"{pair!r} is not FIELD=VALUE")
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

    with _database(args, "write") as db:
        collection = _named(db, args.name)
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
            _print_record(updated, args.json)


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
    with _database(args, "write") as db:
        for name in args.names:
            collection = _named(db, name)
            options = {"reason": args.reason, "validate_only": args.validate_only}
            if args.undo:
                record = collection.undelete(name, **options)
            else:
                record = collection.delete(name, force=args.force, **options)
            done = "undeleted" if args.undo else "deleted"
            print(f"{record.name} {'would be ' if args.validate_only else ''}{done}")


def _load(args: argparse.Namespace) -> None:
    from detente import loading

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:,} of {total:,}", end="" if done < total else "\n", file=sys.stderr)

    with _database(args, "create") as db:
        report = loading.load(
            db,
            args.paths,
            reason=args.reason,
            validate_only=args.validate_only,
            progress=progress,
        )
    if args.json:
        print(json.dumps(vars(report)))
    elif args.validate_only:
        print(f"{report.total:,} records are right; nothing was written")
    else:
        print(
            f"{report.total:,} records: {report.created:,} created, {report.updated:,} updated, "
            f"{report.unchanged:,} unchanged; revision {report.revision}"
        )


def _export(args: argparse.Namespace) -> None:
    from detente import _contract, loading

    with _database(args, "read") as db:
        collections = args.collections or list(_contract.resources())
        for name in collections:
            _collection(db, name)
        view = _view(db, args.at)
        for line in loading.export(view, collections, show_deleted=args.show_deleted):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
