"""The reference of the command line, made of its parser."""

import argparse
import re
from collections.abc import Iterable, Iterator

from detente import cli

WHERE = "where the records are"  # a group that nearly every verb has; it is told once


def reference() -> str:
    """What all verbs have in common, and a section for each: its usage and its arguments."""
    parser, verbs = cli._parsers()
    lines = [prose(parser.description or ""), ""]
    where = next(g for g in verbs["get"]._action_groups if g.title == WHERE)
    lines += [*table(arguments(where)), ""]
    for name, sub in verbs.items():
        lines += section(name, sub, "###")
    return "\n".join(lines)


def section(name: str, parser: argparse.ArgumentParser, level: str) -> Iterator[str]:
    parser.prog = f"detente {name}"
    yield f"{level} {name}\n\n{prose(parser.description or '')}\n"
    nested = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for action in nested:
        for verb, sub in action.choices.items():
            yield from section(f"{name} {verb}", sub, f"{level}#")
    if not nested:
        yield f"```text\n{usage(parser)}\n```\n"
        own = [group for group in parser._action_groups if group.title != WHERE]
        yield from table(row for group in own for row in arguments(group))


def table(rows: Iterable[str]) -> list[str]:
    listed = list(rows)
    head = ["{.reference}", "| argument | meaning |", "|---|---|"]
    return [*head, *listed, ""] if listed else []


def usage(parser: argparse.ArgumentParser) -> str:
    """As `--help` prints it, at a width that fits a narrow page."""
    formatter = argparse.HelpFormatter(parser.prog, width=72)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
    return formatter.format_help().strip()


def arguments(group: argparse._ArgumentGroup) -> Iterator[str]:
    for action in group._group_actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
            continue
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        if action.option_strings:
            names = ", ".join(f"`{option}{value}`" for option in action.option_strings)
        else:
            names = f"`{value.strip()}`"
        told = (action.help or "") % (vars(action) | {"prog": "detente"})
        yield f"| {names} | {prose(told)} |"


def prose(text: str) -> str:
    """Help as Markdown: nothing in it is a mark; options stay as they are typed."""
    text = re.sub(r"([*_<>\[\]{}|\\])", r"\\\1", " ".join(text.split()))
    text = re.sub(r"docs/(\w+)\.md", r"[\g<0>](\1.md)", text)
    return re.sub(r"(?<!\S)(--[a-z-]+)", r"`\1`", text)
