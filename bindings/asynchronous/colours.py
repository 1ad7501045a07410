"""Which functions of the package make calls, and which classes have such methods."""

import ast
import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# Modules that have an asynchronous one made by hand, and the names that it has for theirs.
BY_HAND = {
    "_session": {"Session": "AsyncSession", "new_session": "new_session"},
    "_collections": {"Collections": "Collections", "Readers": "Readers"},
}
# They compute for long or touch files: they run in a thread as they are.
THREADED = (
    "Exports.export",
    "Loads.load",
    "Loads.write",
    "RecordList.to_*",
    "Snapshots.export",
)
# What only those use.
THREADS_OWN = {"exporting", "frames", "loading", "writing"}
# Makes its call where it is awaited.
LAZY = "Reader.list"
# What can't be awaited: left out, or in its place a function of `aio/_threads.py`.
LEFT_OUT = {"_repr_html_", "__arrow_c_stream__"}
REPLACED = {"__bool__": "no_truth", "__repr__": "shown"}

_BUILTIN = {name for kind in (bytes, dict, list, set, str, tuple) for name in dir(kind)}


class Key(NamedTuple):
    """A definition of a module, `Listing`, or of a class, `Listing.first`."""

    module: str
    name: str


@dataclass
class Module:
    """A module: its definitions by name, and from each name that it imports to its origin.

    The origin of a module itself has no name.
    """

    name: str
    tree: ast.Module
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, Key] = field(default_factory=dict)


@dataclass
class Package:
    """The modules of `detente` that may make calls, by name."""

    modules: dict[str, Module]

    @classmethod
    def read(cls, folder: Path, first: str) -> "Package":
        """A module, and what it imports at any remove."""
        found: dict[str, Module] = {}
        waiting = [first]
        while waiting:
            name = waiting.pop()
            path = folder / f"{name}.py"
            if name in found or name in BY_HAND or name in THREADS_OWN or not path.exists():
                continue
            found[name] = module = _module(name, ast.parse(path.read_text()))
            waiting += [origin.module for origin in module.imports.values()]
        return cls(dict(sorted(found.items())))

    def resolve(self, module: Module, name: str) -> Key:
        """Where a name of a module is defined; it may be unknown there."""
        if name in module.definitions:
            return Key(module.name, name)
        return module.imports.get(name, Key("", name))

    def bases(self, key: Key) -> Iterator[Key]:
        """A class and those that it is of, nearest first."""
        module = self.modules.get(key.module)
        definition = module.definitions.get(key.name) if module else None
        if module is None or not isinstance(definition, ast.ClassDef):
            return
        yield key
        for base in definition.bases:
            named = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(named, ast.Name):
                yield from self.bases(self.resolve(module, named.id))

    def method(self, kind: Key, name: str) -> Key | None:
        """Where a class has a method from."""
        for base in self.bases(kind):
            definition = self.modules[base.module].definitions[base.name]
            if any(method.name == name for method in methods_of(definition)):
                return Key(base.module, f"{base.name}.{name}")
        return None


def methods_of(definition: ast.stmt) -> list[ast.FunctionDef]:
    """Of a class."""
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return [statement for statement in body if isinstance(statement, ast.FunctionDef)]


def is_generator(function: ast.FunctionDef) -> bool:
    """Whether it yields."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def is_threaded(key: Key) -> bool:
    """Whether a method runs in a thread."""
    return any(fnmatch.fnmatch(key.name, pattern) for pattern in THREADED)


def is_property(function: ast.FunctionDef) -> bool:
    """Whether it is read without parentheses."""
    return any(isinstance(d, ast.Name) and d.id == "property" for d in function.decorator_list)


class Colours:
    """The result.

    Attributes:
        awaited: Functions, methods and properties that are awaited.
        walked: Those that are iterated over by `async for`: generators.
        copied: Definitions that have or need such.
        by_method: Some method of those, by its name.
        used: The attributes that copied definitions use.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        self.awaited: set[Key] = {
            Key("_session", "new_session"),
            Key("_session", "Session.call"),
            Key("_session", "Session.close"),
        }
        self.walked: set[Key] = set()
        self.copied: set[Key] = {
            Key(module, name) for module, names in BY_HAND.items() for name in names
        }
        self.by_method: dict[str, Key] = {}
        while self._more():
            pass
        self.used = self._used()

    def copied_of(self, module: str) -> list[str]:
        """The definitions of a module that are copied."""
        return [
            name
            for name in self.package.modules[module].definitions
            if self.is_copied(module, name)
        ]

    def is_copied(self, module: str, name: str) -> bool:
        """Whether a definition is written anew."""
        return Key(module, name) in self.copied

    def is_walkable(self, kind: Key) -> bool:
        """Whether `async for` goes over an object of a class."""
        return self.package.method(kind, "__iter__") in self.walked

    def _more(self) -> bool:
        before = len(self.awaited) + len(self.walked) + len(self.copied)
        for module in self.package.modules.values():
            for name, definition in module.definitions.items():
                for function, key, kind in _functions(module.name, name, definition):
                    self._look(module, function, key, kind)
                own = {name, *(f"{name}.{method.name}" for method in methods_of(definition))}
                if any(Key(module.name, one) in self.awaited | self.walked for one in own) or any(
                    self.is_copied(*self.package.resolve(module, used))
                    for used in _names(definition)
                ):
                    self.copied.add(Key(module.name, name))
        self.by_method = {
            key.name.partition(".")[2]: key for key in self.walked | self.awaited if "." in key.name
        }
        return len(self.awaited) + len(self.walked) + len(self.copied) > before

    def kept(self, method: str) -> bool:
        """Whether a copied class keeps a method of this name: what only shows lists goes."""
        if method in LEFT_OUT:
            return False
        return not method.startswith("_") or method.startswith("__") or method in self.used

    def _used(self) -> set[str]:
        bodies: list[tuple[str, ast.AST]] = []
        for module in self.package.modules.values():
            for name in self.copied_of(module.name):
                definition = module.definitions[name]
                replaced = LEFT_OUT | set(REPLACED)
                methods = methods_of(definition)
                bodies += [
                    (method.name, method)
                    for method in methods
                    if method.name not in replaced
                    and not is_threaded(Key(module.name, f"{name}.{method.name}"))
                ]
                if not methods:
                    bodies.append(("", definition))
                for base in self.package.bases(Key(module.name, name)):
                    if not self.is_copied(*base):
                        shared = self.package.modules[base.module].definitions[base.name]
                        bodies.append(("", shared))
        used: set[str] = set()
        while True:
            before = len(used)
            for name, body in bodies:
                if not name.startswith("_") or name.startswith("__") or name in used:
                    used |= {n.attr for n in ast.walk(body) if isinstance(n, ast.Attribute)}
            if len(used) == before:
                return used

    def _look(self, module: Module, function: ast.FunctionDef, key: Key, kind: Key | None) -> None:
        if is_threaded(key):
            walks = ast.unparse(function.returns or ast.Constant("")).startswith("Iterator")
            (self.walked if walks else self.awaited).add(key)
            return
        if key.name == LAZY:
            return
        scope = Scope(self, module, kind, function)
        if any(scope.colour(node) for node in ast.walk(function)):
            (self.walked if is_generator(function) else self.awaited).add(key)


class Scope:
    """What names and expressions are in a function."""

    def __init__(
        self, colours: Colours, module: Module, kind: Key | None, function: ast.FunctionDef
    ) -> None:
        self._colours = colours
        self._package = colours.package
        self._module = module
        self._kind = kind
        self._types: dict[str, Key] = {}
        arguments = function.args
        for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs:
            self._is_of(argument.arg, argument.annotation)
        for node in ast.walk(function):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self._is_of(node.target.id, node.annotation)
            elif isinstance(node, ast.Assign) and (found := self._type(node.value)):
                self._types |= {t.id: found for t in node.targets if isinstance(t, ast.Name)}

    def colour(self, node: ast.AST) -> str:
        """`await`, `walk`, or nothing."""
        key = None
        if isinstance(node, ast.Call):
            if self.consumes(node):
                return "walk"
            key = self._called(node)
        elif isinstance(node, ast.Attribute) and _is_self(node.value) and self._kind:
            key = self._package.method(self._kind, node.attr)
            function = self._function(key) if key else None
            if function is None or not is_property(function):
                return ""
        elif isinstance(node, ast.For | ast.comprehension) and self.is_walkable(node.iter):
            return "walk"
        if key in self._colours.awaited:
            return "await"
        return "walk" if key in self._colours.walked else ""

    def consumes(self, node: ast.Call) -> bool:
        """Whether it is `list`, `iter` or `next` of what `async for` goes over."""
        if not isinstance(node.func, ast.Name) or not node.args:
            return False
        if node.func.id == "next":
            first = node.args[0]
            return self.is_walkable(first) or (isinstance(first, ast.Call) and self.consumes(first))
        return node.func.id in ("iter", "list") and self.is_walkable(node.args[0])

    def is_walkable(self, node: ast.expr) -> bool:
        """Whether `async for` goes over it."""
        if isinstance(node, ast.Call) and self._called(node) in self._colours.walked:
            return True
        kind = self._type(node)
        return kind is not None and self._colours.is_walkable(kind)

    def is_list(self, key: Key) -> bool:
        """Whether a method returns what is fetched while it is walked."""
        kind = self._returned(key, Key(key.module, key.name.partition(".")[0]))
        return kind is not None and self._colours.is_walkable(kind)

    def _is_of(self, name: str, annotation: ast.expr | None) -> None:
        kind = self._class(self._module, annotation)
        if kind is not None:
            self._types[name] = kind

    def _class(self, module: Module, annotation: ast.expr | None) -> Key | None:
        """The class of the package that an annotation names."""
        named = annotation.value if isinstance(annotation, ast.Subscript) else annotation
        if not isinstance(named, ast.Name):
            return None
        key = self._package.resolve(module, named.id)
        return key if next(self._package.bases(key), None) else None

    def _type(self, node: ast.expr) -> Key | None:
        """The class of an expression, where it is one of the package."""
        if _is_self(node):
            return self._kind
        if isinstance(node, ast.Name):
            return self._types.get(node.id)
        if not isinstance(node, ast.Call):
            return None
        if ast.unparse(node.func) == "copy.copy":
            return self._type(node.args[0])
        made = self._class(self._module, node.func)
        if made is not None:
            return made
        key = self._called(node)
        owner = self._type(node.func.value) if isinstance(node.func, ast.Attribute) else None
        return self._returned(key, owner) if key else None

    def _returned(self, key: Key, owner: Key | None) -> Key | None:
        """The class of what a function returns; that of its owner where it says Self."""
        module = self._package.modules.get(key.module)
        function = self._function(key) if module else None
        if module is None or function is None:
            return None
        if ast.unparse(function.returns or ast.Constant(None)) == "Self":
            return owner
        return self._class(module, function.returns)

    def _function(self, key: Key) -> ast.FunctionDef | None:
        name, _, method = key.name.partition(".")
        definition = self._package.modules[key.module].definitions.get(name)
        if isinstance(definition, ast.ClassDef):
            return next((m for m in methods_of(definition)[::-1] if m.name == method), None)
        return definition if isinstance(definition, ast.FunctionDef) else None

    def _called(self, node: ast.Call) -> Key | None:
        """The function or method of a call."""
        function = node.func
        if isinstance(function, ast.Name):
            key = self._package.resolve(self._module, function.id)
            known = self._package.modules.get(key.module)
            is_function = known and isinstance(known.definitions.get(key.name), ast.FunctionDef)
            return key if is_function or key.module in BY_HAND else None
        if not isinstance(function, ast.Attribute):
            return None
        owner = function.value
        if isinstance(owner, ast.Name) and owner.id in self._module.imports:
            origin = self._module.imports[owner.id]
            if not origin.name:
                return Key(origin.module, function.attr)
        kind = self._type(owner)
        if kind is not None:
            return self._package.method(kind, function.attr)
        if isinstance(owner, ast.Attribute | ast.Name) and ast.unparse(owner).endswith("session"):
            return Key("_session", f"Session.{function.attr}")
        if function.attr in _BUILTIN:
            return None
        return self._colours.by_method.get(function.attr)


def _is_self(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "super"
    return isinstance(node, ast.Name) and node.id == "self"


def _functions(
    module: str, name: str, definition: ast.stmt
) -> Iterator[tuple[ast.FunctionDef, Key, Key | None]]:
    if isinstance(definition, ast.FunctionDef):
        yield definition, Key(module, name), None
    for method in methods_of(definition):
        if method.name not in LEFT_OUT and method.name not in REPLACED:
            yield method, Key(module, f"{name}.{method.name}"), Key(module, name)


def _names(definition: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}


def _module(name: str, tree: ast.Module) -> Module:
    module = Module(name, _Unquoted().visit(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "detente":
            origin = (node.module or "").partition(".")[2]
            for alias in node.names:
                key = Key(origin, alias.name) if origin else Key(alias.name, "")
                module.imports[alias.asname or alias.name] = key
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            module.definitions[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    module.definitions[target.id] = statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            module.definitions[statement.target.id] = statement
    return module


class _Unquoted(ast.NodeTransformer):
    """Annotations that are texts become expressions."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = _annotation(node.annotation)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = _annotation(node.returns)
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = _annotation(node.annotation) or node.annotation
        self.generic_visit(node)
        return node


class _Texts(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.parse(node.value, mode="eval").body if isinstance(node.value, str) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            return node
        self.generic_visit(node)
        return node


def _annotation(annotation: ast.expr | None) -> ast.expr | None:
    return None if annotation is None else _Texts().visit(annotation)
