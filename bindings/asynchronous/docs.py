"""Docstrings, with their examples, for those who await."""

import ast
import doctest
import re

from asynchronous.colours import Colours, Key, Scope, is_property, methods_of

RENAMED = {"connect": "connect_async", "open": "open_async"}
# What is true of the synchronous classes alone, and what is in its place.
PHRASES = {
    "It is true when it holds at least one item. Shown in a terminal or a notebook, it shows its "
    "first items.": "It is walked by\n    `async for`.",
    "It is true when it holds at least one record. Shown in a terminal or a notebook, it is a "
    "table of its first records.": "It is walked by\n    `async for`.",
    "Shown, the words that were looked for stand in « ».": "A hit has its highlights.",
    "Shown, `+` is": "In its text, `+` is",
    "a context manager that closes itself. Threads may share it.": (
        "an asynchronous context manager that\n    closes itself. It belongs to one event loop."
    ),
    "calls in other threads end with `CancelledError`": (
        "calls of other tasks end with\n        `detente.CancelledError`"
    ),
    "when the `with` block ends": "when the `async with` block ends",
}
_PARSER = doctest.DocTestParser()


class Docs:
    """Rewrites docstrings.

    Attributes:
        unused: Phrases that were in none.
    """

    def __init__(self, colours: Colours) -> None:
        self._colours = colours
        self.unused = set(PHRASES)
        self._awaited, self._walked = set[str](), set[str]()
        for module in colours.package.modules.values():
            for name in colours.copied_of(module.name):
                for method in methods_of(module.definitions[name]):
                    scope = Scope(colours, module, Key(module.name, name), method)
                    key = Key(module.name, f"{name}.{method.name}")
                    if key in colours.walked or scope.is_list(key):
                        self._walked.add(method.name)
                    elif key in colours.awaited and not is_property(method):
                        self._awaited.add(method.name)

    def text(self, docstring: str) -> str:
        """The docstring of a copied definition."""
        for phrase, by in PHRASES.items():
            pattern = r"\s+".join(map(re.escape, phrase.split()))
            docstring, count = re.subn(pattern, lambda _, by=by: by, docstring)
            if count:
                self.unused.discard(phrase)
        for example in _PARSER.get_examples(docstring):
            before = _prompted(example.source, example.indent)
            after = _prompted(self._example(example.source), example.indent)
            docstring = docstring.replace(before, after, 1)
        docstring = re.sub(r"`detente\.(\w+)`", self._function, docstring)
        return re.sub(r"`(\w+)((?:\.\w+)?)`", self._class, docstring)

    def _function(self, found: re.Match[str]) -> str:
        return f"`detente.{RENAMED.get(found[1], found[1])}`"

    def _class(self, found: re.Match[str]) -> str:
        for name, module in self._colours.package.modules.items():
            definition = module.definitions.get(found[1])
            if isinstance(definition, ast.ClassDef) and self._colours.is_copied(name, found[1]):
                return f"`Async{found[1]}{found[2]}`"
        return found[0]

    def _example(self, source: str) -> str:
        tree = ast.parse(source)
        before = ast.unparse(tree)
        made = _Example(self._awaited, self._walked).visit(tree)
        after = ast.unparse(ast.fix_missing_locations(made))
        return source if before == after else after


def _prompted(source: str, indent: int) -> str:
    """The lines of an example with their prompts."""
    return "\n".join(
        f"{' ' * indent}{'...' if number else '>>>'} {line}".rstrip()
        for number, line in enumerate(source.splitlines())
    )


class _Example(ast.NodeTransformer):
    """An example, whose names are those of the docs: `db`, `batch`."""

    def __init__(self, awaited: set[str], walked: set[str]) -> None:
        self._awaited = awaited
        self._walked = walked

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        root = ast.unparse(node.func).partition(".")[0]
        if root == "detente" and node.func.attr in RENAMED.values():
            return ast.Await(node)
        explains = any(keyword.arg == "explain" for keyword in node.keywords)
        coroutine = node.func.attr in self._awaited or explains
        return ast.Await(node) if coroutine and root != "batch" else node

    def visit_For(self, node: ast.For) -> ast.stmt:
        walks = self._walks(node.iter)
        self.generic_visit(node)
        if not walks:
            return node
        return ast.AsyncFor(node.target, node.iter, node.body, node.orelse)

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        node.is_async = int(self._walks(node.iter))
        self.generic_visit(node)
        return node

    def visit_With(self, node: ast.With) -> ast.stmt:
        self.generic_visit(node)
        return ast.AsyncWith(node.items, node.body)

    def _walks(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        return node.func.attr in self._walked
