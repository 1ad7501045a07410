"""The reference of the Python package, made of its docstrings; and where names in them lead.

`PAGES` says which objects are on which page. tests/docs/test_site.py finds out whether an object
that callers get to see is on none.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import detente
import protos
from detente import _contract
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

# Each with a title, a line about it, and its objects by the names that callers use.
PAGES: dict[str, tuple[str, str, list[str]]] = {
    "database": (
        "Databases",
        "A store in this process or a server, and views of its past.",
        [
            "detente.open",
            "detente.connect",
            "detente.Database",
            "detente.View",
            "detente.Batch",
            "detente.BatchCollection",
            "detente.__version__",
        ],
    ),
    "collections": (
        "Collections and lists",
        "The records of one kind: `db.releases`, `db.persons` and so on.",
        ["detente.Collection", "detente.Reader", "detente.RecordList", "detente.Listing"],
    ),
    "records": (
        "Records",
        "Records are protobuf messages; here is what is beside them.",
        ["detente.to_dict", "detente.from_dict"],
    ),
    "dates": ("Dates", "Dates as sources state them.", ["detente.Date"]),
    "queries": (
        "Filters and questions",
        "Filters as text and in Python, and what questions over many records answer.",
        ["detente.f", "detente.Expression", "detente.Filter"]
        + [f"detente.expressions.{name}" for name in ("Field", "Fields")]
        + [f"detente.search.{name}" for name in ("Hits", "Hit", "Highlight")]
        + [f"detente.aggregates.{name}" for name in ("Aggregate", "Group", "Bounds")]
        + [f"detente.stocks.{name}" for name in ("Stock", "Point")]
        + [f"detente.neighbors.{name}" for name in ("Neighbors", "Node", "Edge")]
        + ["detente.explain.Explanation"],
    ),
    "evidence": (
        "Evidence and findings",
        "Who says so, who says otherwise, and what is odd.",
        [f"detente.evidence.{name}" for name in ("RecordEvidence", "FieldEvidence", "Witness")]
        + [f"detente.evidence.{name}" for name in ("Decision", "Conflicts", "Conflict")]
        + ["detente.evidence.Findings"],
    ),
    "history": (
        "History, snapshots, erasure",
        "What changed, states to cite, and what is gone for ever.",
        [f"detente.history.{name}" for name in ("Commits", "CommitList", "History", "Diff")]
        + ["detente.snapshots.Snapshots", "detente.snapshots.SnapshotList"]
        + ["detente.erasure.Erasure"],
    ),
    "files": (
        "Files and frames",
        "What loading, writing and exporting report, and the columns of rows.",
        ["detente.exporting.Exported", "detente.writing.Written", "detente.writing.RowError"]
        + [f"detente.loading.{name}" for name in ("load", "read", "Report", "Located")]
        + ["detente.loading.LoadError", "detente._load.report.Problem"]
        + [f"detente.columns.{name}" for name in ("flat_columns", "chosen", "row", "Column")]
        + [f"detente.tables.{name}" for name in ("schema", "batches")],
    ),
    "errors": (
        "Errors",
        "What calls raise.",
        [
            "detente.Error",
            "detente.Code",
            "detente.FieldViolation",
            "detente.PreconditionViolation",
            *sorted(f"detente.{name}" for name in detente.__all__ if re.search(r"\wError$", name)),
        ],
    ),
    "testing": (
        "Made-up records",
        "Stores of any size for tests; nothing in them is true.",
        ["detente.testing.fill", "detente.testing.Filled", "detente.testing.records"],
    ),
}

# Written by hand: no class, and no function.
DATA = {
    "detente.f": ("~detente.expressions.Fields", "The fields of records, to make filters of."),
    "detente.__version__": ("str", "The version of the package."),
}

# Those that callers construct; others are answers of methods, whose arguments are nobody's matter.
CONSTRUCTED = {"detente.Date", "detente.Filter"}


def answers(classes: set[type]) -> set[type]:
    """Those that a method of one of them is said to return."""
    told = {
        str(method.__annotations__.get("return"))
        for thing in classes
        for method in vars(thing).values()
        if inspect.isfunction(method)
    }
    return {thing for thing in classes if thing.__name__ in told}


def asynchronous() -> list[str]:
    """What `detente.aio` has: what `detente` offers of it, then what its methods answer."""
    names = [f"detente.{name}" for name, home in detente._LATE.items() if home == "detente.aio"]
    if not names:
        return []
    aio = importlib.import_module("detente.aio")
    offered = {getattr(detente, name.rpartition(".")[2]) for name in names}
    modules = [
        importlib.import_module(f"detente.aio.{module.name}")
        for module in pkgutil.iter_modules(aio.__path__)
        if not module.name.startswith("_")
    ]
    classes = {
        thing
        for module in modules
        for name, thing in vars(module).items()
        if name.startswith("Async")
        and inspect.isclass(thing)
        and thing.__module__ == module.__name__
    }
    bases = {base for thing in classes for base in thing.__mro__[1:]} - answers(classes)
    others = sorted(f"{c.__module__}.{c.__qualname__}" for c in classes - offered - bases)
    return sorted(names, key=lambda name: (name[8].isupper(), name)) + others


if found_async := asynchronous():
    PAGES["async"] = ("In an event loop", "The same with ``await``, for asyncio.", found_async)


def pages() -> dict[str, str]:
    """The pages by their place in the site, in reStructuredText, with an index of them."""
    found = {f"python/{name}.rst": text(name) for name in PAGES}
    lines = heading("Python reference")
    lines += ["The package ``detente``, of which everything is documented from its docstrings.", ""]
    for name, (title, about, _) in PAGES.items():
        lines += [f":doc:`{title} <{name}>`", f"    {about}", ""]
    lines += [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in PAGES), ""]
    return found | {"python/index.rst": "\n".join(lines)}


def heading(title: str) -> list[str]:
    return [title, "=" * len(title), ""]


def text(page: str) -> str:
    title, about, objects = PAGES[page]
    lines = [*heading(title), about, ""]
    for name in objects:
        lines += directive(name)
    if page == "records":
        lines += messages()
    return "\n".join(lines)


def found(name: str) -> tuple[Any, str, str]:
    """An object, its module and its name there."""
    module, _, short = name.rpartition(".")
    return getattr(importlib.import_module(module), short), module, short


def directive(name: str) -> Iterator[str]:
    if name in DATA:
        kind, told = DATA[name]
        yield f".. py:data:: {name}\n   :type: {kind}\n\n   {told}\n"
        return
    thing, module, short = found(name)
    if inspect.isclass(thing):
        kind = "autoexception" if issubclass(thing, BaseException) else "autoclass"
    else:
        kind = "autofunction"
    yield f".. {kind}:: {module}.{short}"
    if inspect.isclass(thing):
        yield "   :inherited-members: dict, tuple, int, Exception, Generic"
        yield "   :show-inheritance:" if issubclass(thing, BaseException) else ""
        if name in HOLDERS:
            yield ""
            yield from attributes(HOLDERS[name])
    yield ""


# Of what kind the collections of a class are.
HOLDERS = {
    "detente.Database": "Collection",
    "detente.View": "Reader",
    "detente.Batch": "BatchCollection",
    "detente.AsyncDatabase": "AsyncCollection",
    "detente.AsyncView": "AsyncReader",
    "detente.AsyncBatch": "BatchCollection",
}


def attributes(kind: str) -> Iterator[str]:
    """One for each kind of record: what `Database.__getattr__` gives."""
    for collection, resource in _contract.resources().items():
        yield f"   .. py:attribute:: {collection}"
        yield f"      :type: ~detente.{kind}[~detente.{resource.type_name}]"
        yield ""
        if kind.endswith("Collection"):
            yield f"      The collection of :py:obj:`~detente.{resource.type_name}` records."
            yield ""


def messages() -> list[str]:
    """Every message and enum that the package has by name, with its page in the contract."""
    contract = protos.read()
    lines = [
        "Messages and enums",
        "------------------",
        "",
        'All of them take keywords: ``detente.Release(region_code="BY", headcount=123)``.',
        "A nested one is an attribute: ``detente.Release.Participant``.",
        "Requests are in ``detente.v1``.",
        "",
    ]
    for name in sorted(_contract.exported()):
        element = contract.named[name]
        comment = contract.comments.get((element.file.name, element.path), "")
        lines += [f":py:obj:`detente.{name}`", f"    {' '.join(comment.split())}", ""]
    return lines


def lead(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    """Names of messages lead to their page of the contract."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].removeprefix("~").removeprefix("detente.").removeprefix("v1.")
    parts = name.split(".")
    if parts[0].endswith("_pb2"):
        parts = parts[1:]
    element = app.config.contract_pages.get(".".join(parts)) if parts else None
    if element is None:
        return None
    uri = app.builder.get_relative_uri(node.get("refdoc", ""), f"proto/{element}")
    anchor = nodes.make_id(".".join(parts))
    return nodes.reference("", "", content, internal=True, refuri=f"{uri}#{anchor}")


def named(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, *args: Any, **kwargs: Any
) -> tuple[list[nodes.Node], list[Any]]:
    """What stands in backticks in a docstring: a link where it names an object, otherwise code."""
    written = rawtext.strip("`")
    if re.fullmatch(r"[A-Za-z_][\w.]*", written) is None:
        return [nodes.literal("", written, classes=["notranslate"])], []
    python_object = inliner.document.settings.env.domains["py"].role("obj")
    found: tuple[list[nodes.Node], list[Any]]
    found = python_object("py:obj", rawtext, text, lineno, inliner, *args, **kwargs)
    return found


def docstring(
    app: Sphinx, kind: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Pages that a docstring names are links; what NamedTuple says of its fields, nothing."""
    lines[:] = [re.sub(r"`?docs/(\w+)\.md`?", r":doc:`docs/\1.md </\1>`", line) for line in lines]
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()


def signature(
    app: Sphinx, kind: str, name: str, thing: Any, options: Any, told: str | None, returns: Any
) -> tuple[str | None, Any]:
    """Classes stand without the arguments that only the package passes."""
    if kind in ("class", "exception") and name not in CONSTRUCTED:
        return "", None
    return told, returns


def setup(app: Sphinx) -> dict[str, bool]:
    contract = protos.read()
    pages = {element.name: element.page for element in contract.elements}
    app.add_config_value("contract_pages", pages, "", dict)
    app.add_role("named", named)
    app.connect("missing-reference", lead)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
