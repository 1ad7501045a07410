"""The verb `load` of the command line."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from detente._command import UsageError, add_write, database


def add(verb: Callable[..., Any]) -> None:
    """Adds the verb."""
    sub = verb("load", _load, "create or replace records from files: of records, or of rows")
    sub.add_argument(
        "paths",
        nargs="*",
        metavar="FILE|FOLDER",
        help="records in YAML, JSON or JSON lines; with --into or --mapping rows of CSV, TSV, "
        "XLSX, JSON lines, XML, Parquet or Arrow",
    )
    sub.add_argument("--into", metavar="COLLECTION", help="make rows records of this (persons)")
    sub.add_argument(
        "--mapping",
        metavar="FILE|NAME",
        help="what of a row goes where (docs/load.md); as a rule guessed from names of columns",
    )
    sub.add_argument("--mappings", action="store_true", help="list the ready mappings")
    sub.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing; print the mapping, the first records and all that is wrong",
    )
    sub.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="where rows are wrong, write nothing, or the right ones",
    )
    sub.add_argument("--json", action="store_true", help="print the numbers as JSON")
    add_write(sub)


def _load(args: argparse.Namespace) -> int:
    from detente import loading
    from detente._load import compile

    if args.mappings:
        for name, path in compile.ready().items():
            print(f"{name}: {' '.join(str(compile.about(path)).split())}")
        return 0
    if not args.paths:
        raise UsageError("the following arguments are required: FILE|FOLDER")

    dry_run = args.dry_run or args.validate_only
    with database(args, "create") as db:
        try:
            report = db.load(
                args.paths,
                args.into,
                mapping=args.mapping,
                dry_run=dry_run,
                on_error=args.on_error,
                reason=args.reason,
            )
        except loading.LoadError as error:
            if not args.json:  # all of them, not only the first
                told = [str(error).partition("\n")[0], error.report.told()]
                raise ValueError("\n".join(told)) from None
            report = error.report
    if args.json:
        print(json.dumps(_numbers(report)))
    else:
        _print(report, args, dry_run)
    return 1 if report.problem_count else 0


def _numbers(report: Any) -> dict[str, Any]:
    names = ["created", "updated", "unchanged", "revision"]
    if report.mapping or report.problem_count:
        names += ["rows", "ignored_rows", "bad_rows", "problem_count"]
    numbers = {name: getattr(report, name) for name in names}
    if report.problem_count:
        numbers["problems"] = [vars(problem) for problem in report.problems]
    return numbers


def _print(report: Any, args: argparse.Namespace, dry_run: bool) -> None:
    from detente import records

    guessed = report.mapping and args.mapping is None
    if report.mapping and (dry_run or guessed):
        kind = "guessed" if guessed else "as given"
        print(f"# The mapping, {kind}:\n{report.mapping}", end="", flush=True)
    if dry_run and report.first:
        print(f"# The first records:\n{records.to_yaml(report.first)}", end="", flush=True)
    if report.problem_count:
        print(report.told(), file=sys.stderr)
    rows = ""
    if report.rows:
        rows = f"{report.rows:,} rows, {report.bad_rows:,} of them bad"
        if report.ignored_rows:
            rows += f", {report.ignored_rows:,} of no record"
        rows = f"# {rows}\n" if dry_run else f"{rows}; "
    if dry_run:
        print(f"{rows}{report.total:,} records are right; nothing was written")
    else:
        print(
            f"{rows}{report.total:,} records: {report.created:,} created, "
            f"{report.updated:,} updated, {report.unchanged:,} unchanged; "
            f"revision {report.revision}"
        )
