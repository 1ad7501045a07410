"""Finding records by words."""

import html
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import Message

from detente import _contract, _filter, errors
from detente._arguments import int32
from detente._session import Session, read_point
from detente.explain import SERVICE
from detente.listing import _SHOWN, Listing
from detente.reader import Reader

_NAMES = ("display_name", "title")


class Highlight:
    """A text in which words were found.

    Attributes:
        path: The field.
        parts: The text in pieces, each with whether it is what was looked for.
    """

    def __init__(self, message: Any) -> None:
        self.path: str = message.path
        self.parts: list[tuple[str, bool]] = [(part.text, part.matched) for part in message.parts]

    @property
    def text(self) -> str:
        """The text by itself."""
        return "".join(text for text, _ in self.parts)

    def __str__(self) -> str:
        return "".join(f"«{text}»" if matched else text for text, matched in self.parts)

    def __repr__(self) -> str:
        return f"<detente.search.Highlight {self.path}: {self}>"

    def _repr_html_(self) -> str:
        return "".join(
            f"<mark>{html.escape(text)}</mark>" if matched else html.escape(text)
            for text, matched in self.parts
        )


class Hit:
    """A record that was found.

    Attributes:
        name: Its name.
        display_name: What a person reads.
        score: How well it fits, above 0; comparable within one answer.
        highlights: Where the words were found, at most 5 fields.
        message: The `SearchRecordsResponse.Hit` itself.
    """

    def __init__(self, message: Any) -> None:
        self.message: Any = message
        self.name: str = message.name
        self.display_name: str = message.display_name
        self.score: float = message.score
        self.highlights = [Highlight(highlight) for highlight in message.highlights]

    def _marked(self) -> tuple[Highlight | None, Highlight | None]:
        """That in what a person reads, and the first other one."""
        named = next((h for h in self.highlights if h.text == self.display_name), None)
        if named is None:
            named = next((h for h in self.highlights if h.path in _NAMES), None)
        return named, next((h for h in self.highlights if h is not named), None)

    def __repr__(self) -> str:
        return f"<detente.search.Hit {self.name} {self.display_name!r} {self.score:.2f}>"


class Hits(Listing[Hit]):
    """Records that were found, the best first, fetched page by page.

    Shown, the words that were looked for stand in « ».
    """

    @property
    def facets(self) -> dict[str, int]:
        """How many were found in each collection, most first."""
        return _facets(self._page(1))

    @property
    def total_size(self) -> int:
        """How many were found in all."""
        size: int = self._page(1).total_size
        return size

    def records(self) -> list[Any]:
        """The records themselves, in this order, as they were when they were found.

        `limit` says how many: `db.search("…").limit(10).records()`.
        """
        found: list[Any] = []
        left = self._limit
        if left == 0:
            return found
        for response in self._pages():
            names = [hit.name for hit in response.hits]
            if left is not None:
                names = names[: left - len(found)]
            found += fetch(self._session, names, response.revision)
            if left is not None and len(found) >= left:
                break
        return found

    def _items(self, response: Any) -> Iterable[Hit]:
        return [Hit(message) for message in response.hits]

    def _page(self, size: int) -> Any:
        return next(iter(self.limit(size)._pages()))

    def _rows(self, found: list[Hit]) -> tuple[list[str], list[list[str]]]:
        return ["record", "what", "found in", "text"], [
            [
                hit.name,
                str(named or hit.display_name),
                other.path if other else "",
                str(other or ""),
            ]
            for hit in found
            for named, other in [hit._marked()]
        ]

    def _html(self, found: list[Hit]) -> str:
        lines = []
        for hit in found:
            named, other = hit._marked()
            cells = [
                f"<code>{html.escape(hit.name)}</code>",
                named._repr_html_() if named else html.escape(hit.display_name),
                f"<code>{html.escape(other.path)}</code>" if other else "",
                other._repr_html_() if other else "",
            ]
            lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "<tr><th>record</th><th>what</th><th>found in</th><th>text</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"

    def _first(self) -> tuple[str, list[Hit], bool]:
        """A line about all, the first hits, and whether there are more."""
        try:
            response = self._page(_SHOWN)
        except errors.Error as error:
            return f"{self._title}: {error}", [], False
        hits = list(self._items(response))[: self._limit]
        more = len(hits) < response.total_size and len(hits) != self._limit
        return headline(response), hits, more

    def __repr__(self) -> str:
        head, hits, more = self._first()
        parts = [head, *([self._text(hits)] if hits else []), *(["…"] if more else [])]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        head, hits, more = self._first()
        return (
            f"<p>{html.escape(head)}</p>"
            + (self._html(hits) if hits else "")
            + ("<p>…</p>" if more else "")
        )


def search(
    session: Session,
    query: str,
    collections: tuple[str, ...],
    filter: Any,
    where: Mapping[str, Any] | None,
    page_size: int,
    at: Message | None,
) -> Hits:
    """Finds records by words."""
    resources = _contract.resources()
    first = resources.get(collections[0]) if collections else next(iter(resources.values()))
    method = _contract.method(f"{SERVICE}/SearchRecords")
    request = method.request(
        query=errors.text("query", query),
        collections=collections,
        filter=_filter.join(filter, where, first.message.DESCRIPTOR if first else None),
        page_size=int32("page_size", page_size),
        at=at,
    )
    return Hits(session, method, request, "hits", "search")


def fetch(session: Session, names: Iterable[str], revision: int) -> list[Any]:
    """Records of any collections at a revision, in this order."""
    ordered = list(names)
    by_collection: dict[str, list[str]] = defaultdict(list)
    for name in ordered:
        by_collection[name.partition("/")[0]].append(name)
    at = read_point(revision)
    found: dict[str, Any] = {}
    for collection, listed in by_collection.items():
        resource = _contract.resources().get(collection)
        if resource is None:
            raise errors.FailedPreconditionError(
                f"{listed[0]}: this version of detente has no {collection}"
            )
        reader: Reader[Any] = Reader(session, resource, "", at)
        found.update((record.name, record) for record in reader.get_many(listed))
    return [found[name] for name in ordered if name in found]


def headline(response: Any) -> str:
    """How many were found, and where."""
    if not response.total_size:
        return "nothing found"
    places = ", ".join(f"{count:,} {name}" for name, count in _facets(response).items())
    return f"{response.total_size:,} found: {places}"


def _facets(response: Any) -> dict[str, int]:
    return {facet.collection: facet.count for facet in response.facets}
