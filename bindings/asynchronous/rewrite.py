"""The text of an asynchronous module."""

import ast
import copy
import re
from collections.abc import Iterable, Iterator

from asynchronous.colours import (
    BY_HAND,
    LAZY,
    REPLACED,
    Colours,
    Key,
    Module,
    Scope,
    is_threaded,
)
from asynchronous.docs import RENAMED, Docs

HEADER = """\
# Written by bindings/generate_async.py; edit detente/{name}.py.
# ruff: noqa
from __future__ import annotations
from collections.abc import AsyncIterator, Coroutine
from detente.aio._threads import each_in_thread, in_thread, no_truth, shown
"""
_DUNDERS = {"__iter__": "__aiter__", "__enter__": "__aenter__", "__exit__": "__aexit__"}


def module_text(colours: Colours, docs: Docs, name: str) -> str:
    """The code, as yet unformatted."""
    module = colours.package.modules[name]
    parts = [HEADER.format(name=name)]
    kept: list[ast.stmt] = []
    for statement in module.tree.body:
        if isinstance(statement, ast.Import):
            parts.append(ast.unparse(statement))
        elif isinstance(statement, ast.ImportFrom):
            parts += map(ast.unparse, _imports(colours, statement))
        elif isinstance(statement, ast.If):
            rewritten = ast.If(statement.test, list(_imported(colours, statement.body)), [])
            parts.append(ast.unparse(rewritten))
        elif _name(module, statement) in colours.copied_of(name):
            kept.append(_Rewrite(colours, docs, module).visit(copy.deepcopy(statement)))
    used = {n.id for part in kept for n in ast.walk(part) if isinstance(n, ast.Name)}
    shared = [own for own in module.definitions if own in used and not colours.is_copied(name, own)]
    if shared:
        parts.append(f"from detente.{name} import {', '.join(shared)}")
    docstring = f'"""{ast.get_docstring(module.tree, clean=False)}"""\n'
    return docstring + "\n".join([*parts, *map(ast.unparse, map(ast.fix_missing_locations, kept))])


def async_name(colours: Colours, key: Key) -> str:
    """What a copied definition is called."""
    if key.module in BY_HAND:
        return BY_HAND[key.module][key.name]
    definition = colours.package.modules[key.module].definitions[key.name]
    if isinstance(definition, ast.ClassDef) and not key.name.startswith("_"):
        return f"Async{key.name}"
    return RENAMED.get(key.name, key.name) if key.module == "database" else key.name


def _name(module: Module, statement: ast.stmt) -> str:
    return next((name for name, one in module.definitions.items() if one is statement), "")


def _imports(colours: Colours, statement: ast.ImportFrom) -> Iterator[ast.stmt]:
    """Those of copied definitions are from `detente.aio`."""
    top, _, origin = (statement.module or "").partition(".")
    if top != "detente":
        yield statement
        return
    for alias in statement.names:
        module = origin or alias.name
        name = alias.name if origin else ""
        copied = colours.is_copied(module, name) if name else _has_copied(colours, module)
        source = ".".join(filter(None, [top, "aio" if copied else "", origin]))
        if copied and name:
            alias = ast.alias(async_name(colours, Key(module, name)), alias.asname)
        yield ast.ImportFrom(source, [alias], 0)


def _imported(colours: Colours, body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            yield from _imports(colours, statement)
        else:
            yield statement


def _has_copied(colours: Colours, module: str) -> bool:
    return module in colours.package.modules and bool(colours.copied_of(module))


class _Rewrite(ast.NodeTransformer):
    """One definition."""

    def __init__(self, colours: Colours, docs: Docs, module: Module) -> None:
        self._colours = colours
        self._docs = docs
        self._module = module
        self._kind: Key | None = None
        self._scope: Scope | None = None
        self._lazy = self._coloured = False

    # --- definitions --------------------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._kind = Key(self._module.name, node.name)
        enters = Key(self._module.name, f"{node.name}.__exit__") in self._colours.awaited
        body: list[ast.stmt] = []
        for statement in node.body:
            if not isinstance(statement, ast.FunctionDef):
                body.append(self.visit(statement))
            elif statement.name in REPLACED and self._shows(statement):
                replacement = ast.parse(f"return {REPLACED[statement.name]}(self)").body
                statement.body = replacement
                body.append(statement)
            elif self._colours.kept(statement.name):
                body.append(
                    self._method(statement, awaited=enters and statement.name == "__enter__")
                )
        made = ast.ClassDef(
            async_name(self._colours, self._kind),
            [self.visit(base) for base in node.bases],
            node.keywords,
            body or [ast.Pass()],
            node.decorator_list,
        )
        self._kind = None
        return self._documented(made)

    def _shows(self, function: ast.FunctionDef) -> bool:
        """Whether it makes a call, of itself or by what it calls."""
        scope = Scope(self._colours, self._module, self._kind, function)
        return any(
            scope.colour(node)
            or (isinstance(node, ast.Call) and scope.is_walkable(node))
            or (isinstance(node, ast.Attribute) and self._is_gone(node.attr))
            for node in ast.walk(function)
        )

    def _is_gone(self, name: str) -> bool:
        """Whether it is a method that this class does not keep."""
        found = self._kind and self._colours.package.method(self._kind, name)
        return bool(found) and not self._colours.kept(name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._method(node, awaited=False)

    def _method(self, node: ast.FunctionDef, *, awaited: bool) -> ast.stmt:
        own = f"{self._kind.name}.{node.name}" if self._kind else node.name
        key = Key(self._module.name, own)
        walked = key in self._colours.walked
        coloured = awaited or walked or key in self._colours.awaited
        self._scope = Scope(self._colours, self._module, self._kind, node)
        self._lazy = own == LAZY
        if is_threaded(key):
            node.body = _threaded(node, walked=walked)
        self._coloured = coloured
        node.args = self.visit(node.args)
        node.returns = self.visit(node.returns) if node.returns else None
        if walked and node.returns is not None:
            node.returns = _replaced(node.returns, "Iterator", "AsyncIterator")
        if self._lazy and node.returns is not None:
            node.returns = _replaced(
                node.returns, "Explanation", "Coroutine[Any, Any, Explanation]"
            )
        body: list[ast.stmt] = []
        for statement in node.body:
            made = self.visit(statement)
            body += made if isinstance(made, list) else [made]
        self._scope = None
        kind = ast.AsyncFunctionDef if coloured else ast.FunctionDef
        name = _DUNDERS.get(node.name, node.name) if coloured else node.name
        if self._kind is None and self._module.name == "database":
            name = RENAMED.get(name, name)
        made = kind(name, node.args, body, node.decorator_list, node.returns)
        return self._documented(made)

    def _documented(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
        text = ast.get_docstring(node, clean=False)
        if text is not None:
            node.body[0] = ast.Expr(ast.Constant(self._docs.text(text)))
        return ast.fix_missing_locations(node)

    # --- imports and names --------------------------------------------------------------------

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        return list(_imports(self._colours, node))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        key = self._colours.package.resolve(self._module, node.id)
        imported = node.id in self._module.imports and node.id != key.name
        if not self._colours.is_copied(*key) or imported:
            return node
        return ast.Name(async_name(self._colours, key), node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str):
            return node
        return ast.Constant(
            re.sub(r"\bdetente\.(open|connect)\(", r"detente.\1_async(", node.value)
        )

    # --- expressions and statements -----------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        colour = self._colour(node)
        self.generic_visit(node)
        return ast.Await(node) if colour == "await" else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        colour = self._colour(node)
        if self._scope is not None and self._scope.consumes(node):
            given = [self.visit(argument) for argument in node.args]
            name = ast.unparse(node.func)
            if name == "list":
                item = ast.Name("item")
                return ast.ListComp(item, [ast.comprehension(item, given[0], [], 1)])
            made = ast.Call(ast.Name(f"a{name}"), given, [])
            return ast.Await(made) if name == "next" else made
        self.generic_visit(node)
        return ast.Await(node) if colour == "await" and not self._lazy else node

    def visit_For(self, node: ast.For) -> ast.stmt:
        walks = self._colour(node) == "walk"
        self.generic_visit(node)
        if not walks:
            return node
        return ast.AsyncFor(node.target, node.iter, node.body, node.orelse)

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        node.is_async = int(self._colour(node) == "walk")
        self.generic_visit(node)
        return node

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.expr:
        if not self._coloured:
            return node
        raise SystemExit(f"{self._module.name}: {ast.unparse(node)}: async functions have no such")

    def _colour(self, node: ast.AST) -> str:
        return self._scope.colour(node) if self._scope is not None else ""


def _replaced(annotation: ast.expr, name: str, by: str) -> ast.expr:
    return ast.parse(re.sub(rf"\b{name}\b", by, ast.unparse(annotation)), mode="eval").body


def _threaded(node: ast.FunctionDef, *, walked: bool) -> list[ast.stmt]:
    """Has the method of the same name run in a thread."""
    if node.args.vararg or node.args.kwarg:
        raise SystemExit(f"{node.name}: what runs in a thread names all its arguments")
    given = [argument.arg for argument in node.args.args]
    named = [f"{argument.arg}={argument.arg}" for argument in node.args.kwonlyargs]
    arguments = ", ".join([given[0], repr(node.name), *given[1:], *named])
    if walked:
        code = f"async for item in each_in_thread({arguments}):\n    yield item"
    else:
        assert node.returns is not None
        code = f"made: {ast.unparse(node.returns)} = await in_thread({arguments})\nreturn made"
    return [node.body[0], *ast.parse(code).body]
