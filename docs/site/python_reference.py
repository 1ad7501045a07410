"""The reference of the Python package, made of its docstrings; and where names in them lead.

`PAGES` says which objects are on which page. tests/docs/test_site.py finds out whether an object that
callers get to see is on none.
"""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import protos
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import detente
from detente import _contract

# Each with a title, a line about it, and its objects by the names that callers use.
PAGES: dict[str, tuple[str, str, list[str]]] = {
    "database": (
        "Databases",
        "A store in this process or a server, and views of its past.",
        ["detente.open", "detente.connect", "detente.Database", "detente.View"]
        + ["detente.Batch", "detente.BatchCollection"],
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
        ["detente.Error", "detente.Code", "detente.FieldViolation"]
        + ["detente.PreconditionViolation"]
        + sorted(
            f"detente.{name}"
            for name in detente.__all__
            if name.endswith("Error") and name != "Error"
        ),
    ),
    "testing": (
        "Made-up records",
        "Stores of any size for tests; nothing in them is true.",
        ["detente.testing.fill", "detente.testing.Filled", "detente.testing.records"],
    ),
}

# Those that callers construct; others are answers of methods, and their arguments are nobody's matter.
CONSTRUCTED = {"detente.Date", "detente.Filter"}


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
    thing, module, short = found(name)
    if inspect.isclass(thing):
        kind = "autoexception" if issubclass(thing, BaseException) else "autoclass"
    else:
        kind = "autofunction" if callable(thing) and not isinstance(thing, type) else "autodata"
    if name == "detente.f":
        kind = "autodata"
    yield f".. {kind}:: {module}.{short}"
    if inspect.isclass(thing):
        yield "   :inherited-members: dict, tuple, int, Exception, Generic"
        yield "   :show-inheritance:" if issubclass(thing, BaseException) else ""
        collections = {"detente.Database": "Collection", "detente.View": "Reader"}
        collections["detente.Batch"] = "BatchCollection"
        if name in collections:
            yield ""
            yield from attributes(collections[name])
    yield ""


def attributes(kind: str) -> Iterator[str]:
    """One for each kind of record: what `Database.__getattr__` gives."""
    for collection, resource in _contract.resources().items():
        yield f"   .. py:attribute:: {collection}"
        yield f"      :type: ~detente.{kind}[~detente.{resource.type_name}]"
        yield ""
        if kind == "Collection":
            yield f"      The collection of :py:obj:`~detente.{resource.type_name}` records."
            yield ""


def messages() -> list[str]:
    """Every message and enum that the package has by name, with its page in the contract."""
    contract = protos.read()
    lines = [
        "Messages and enums",
        "------------------",
        "",
        "All of them take keywords: ``detente.Release(region_code=\"BY\", effective_date=\"2025-12\")``.",
        "A nested one is an attribute: ``detente.Release.Participant``. Requests are in ``detente.v1``.",
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
    app.connect("missing-reference", lead)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
