"""GraphML of who met whom: http://graphml.graphdrawing.org, as Gephi, igraph and networkx read it.

Nodes are persons and organizations, and actors of whom there is a description alone. Edges join
the parties of a round of talks, or, where no round names its parties, those of the negotiation; and
the sides of an exchange.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

from detente._xml import writable

if TYPE_CHECKING:
    from detente.exporting import Export

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns \
http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""
_GRAPH = ("revision", "records_sha256", "query")
_NODE = ("name", "label", "kind", "region_code")
_EDGE = (
    "kind",  # MET, NEGOTIATED or EXCHANGED
    "record",
    "label",
    "start_date",
    "end_date",
    "channel",
    "roles",  # a JSON object: from the nodes to their roles, and to whom they represent
    "represents",
)


class _End(NamedTuple):
    """Who is at an end of an edge: a record, or an element of one; words, role, whom for."""

    node: str
    words: str
    role: str = ""
    represents: str = ""


class _Edge(NamedTuple):
    source: _End
    target: _End
    values: dict[str, str]


def write(export: "Export", path: Path) -> None:
    """Writes the edges of each record, then the nodes, with what the file is."""
    nodes: dict[str, str] = {}
    number = itertools.count()
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEAD)
        for kind, names in (("graph", _GRAPH), ("node", _NODE), ("edge", _EDGE)):
            for name in names:
                file.write(
                    f'<key id="{kind}_{name}" for="{kind}" attr.name="{name}"'
                    ' attr.type="string"/>\n'
                )
        file.write('<graph edgedefault="undirected">\n')
        told = f"Who met whom at revision {export.metadata['revision']} of a Détente store"
        file.write(f"<desc>{_text(told)}</desc>\n")
        for selection in export.selections:
            edges = _EDGES[selection.collection]
            for record in export.records(selection):
                for one in edges(record):
                    nodes.setdefault(one.source.node, one.source.words)
                    nodes.setdefault(one.target.node, one.target.words)
                    values = {
                        "record": record.name,
                        "label": record.display_name,
                        **one.values,
                        "roles": _of_ends(one, "role"),
                        "represents": _of_ends(one, "represents"),
                    }
                    ends = f'source="{_id(one.source.node)}" target="{_id(one.target.node)}"'
                    file.write(f'<edge id="e{next(number)}" {ends}>')
                    file.write(f"{_data('edge', values)}</edge>\n")
        known = export.others(name for name in nodes if "." not in name)
        for name, words in sorted(nodes.items()):
            file.write(
                f'<node id="{_id(name)}">{_data("node", _node(name, words, known))}</node>\n'
            )
        query = {k: v for k, v in export.finish().items() if k not in _GRAPH}
        about = {k: str(v) for k, v in export.metadata.items() if k in _GRAPH}
        about["query"] = json.dumps(query, ensure_ascii=False)
        file.write(f"{_data('graph', about)}\n</graph>\n</graphml>\n")


def _negotiation(negotiation: Any) -> Iterator[_Edge]:
    ends = {}
    for party in negotiation.parties:
        role = party.Role.Name(party.role) if party.role else party.title
        who = party.person or party.organization
        node = who or f"{negotiation.name}.parties.{party.id}"
        words = who or party.title or party.represents
        ends[party.id] = _End(node, words, role, party.represents)
    met = False
    for round_ in negotiation.rounds:
        present = [ends[id] for id in round_.party_ids if id in ends]
        met = met or len(present) > 1
        values = {"kind": "MET", **_dates(round_)}
        if round_.channel:
            values["channel"] = round_.Channel.Name(round_.channel)
        yield from _pairs(present, values)
    if not met:
        yield from _pairs(list(ends.values()), {"kind": "NEGOTIATED", **_dates(negotiation)})


def _exchange(exchange: Any) -> Iterator[_Edge]:
    sides = [_end(side.party, f"{exchange.name}.sides.{side.id}") for side in exchange.sides]
    yield from _pairs(sides, {"kind": "EXCHANGED"})


_EDGES: Mapping[str, Callable[[Any], Iterator[_Edge]]] = {
    "exchanges": _exchange,
    "negotiations": _negotiation,
}
COLLECTIONS = tuple(_EDGES)


def _pairs(ends: list[_End], values: dict[str, str]) -> Iterator[_Edge]:
    for source, target in itertools.combinations(ends, 2):
        if source.node != target.node:
            yield _Edge(source, target, values)


def _end(actor: Any, path: str) -> _End:
    who = actor.person or actor.organization
    return _End(who or path, who or actor.description, "", actor.on_behalf_of)


def _dates(record: Any) -> dict[str, str]:
    return {name: getattr(record, name).edtf for name in ("start_date", "end_date")}


def _of_ends(edge: _Edge, what: str) -> str:
    """By node, as an edge without direction has no first end."""
    ends = (edge.source, edge.target)
    found = {_id(end.node): getattr(end, what) for end in ends if getattr(end, what)}
    return json.dumps(found, ensure_ascii=False) if found else ""


def _node(name: str, words: str, known: Mapping[str, Any]) -> dict[str, str]:
    if "." in name:
        return {"name": name, "label": words, "kind": "DESCRIBED"}
    found = known.get(name)
    kind = "PERSON" if name.startswith("persons/") else "ORGANIZATION"
    return {
        "name": name,
        "label": found.display_name if found is not None and found.display_name else name,
        "kind": kind,
        "region_code": getattr(found, "region_code", ""),
    }


def _data(kind: str, values: Mapping[str, str]) -> str:
    return "".join(
        f'<data key="{kind}_{name}">{_text(value)}</data>'
        for name, value in values.items()
        if value
    )


def _text(text: str) -> str:
    return escape(writable(text))


def _id(name: str) -> str:
    """Ids of GraphML have no `/`; those of records and elements have no `.`."""
    return name.replace("/", ".")
