"""Rows of XML: elements, read one after the other; entities are refused."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from detente._load import limits
from detente._load.faults import FileError
from detente._load.rows import Bad, Options, Row
from detente._load.text import opened

ELEMENT = "element"  # the column with the element's own name
_ELEMENT_SIZE = 64  # characters that an element counts as
_DOCTYPE = "a DOCTYPE, which can define entities, is refused"


def new_parser(file: str) -> Any:
    """A parser of expat that refuses document types, and thereby all entities."""
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise FileError(file, _DOCTYPE, "take it out", row=parser.CurrentLineNumber)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    return parser


class _Open:
    """An element that has not ended."""

    __slots__ = ("children", "text")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.children: dict[str, Any] = {f"@{name}": text for name, text in attributes.items()}
        self.text: list[str] = []

    def value(self) -> Any:
        text = "".join(self.text).strip()
        if not self.children:
            return text or None
        if text:
            self.children[""] = text
        return self.children


class _Reader:
    def __init__(self, options: Options, file: str) -> None:
        self.rows: list[Row] = []
        self._paths = frozenset(options.elements)
        self._file = file
        self._path: list[str] = []
        self._open: list[_Open] = []
        self._line = 0
        self._size = 0
        self._cell = 0
        self.parser = new_parser(file)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _fault(self, reason: str) -> FileError:
        return FileError(self._file, reason, row=self.parser.CurrentLineNumber)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > limits.DEPTH:
            raise self._fault(f"elements nested more than {limits.DEPTH} deep")
        if self._open:
            self._open.append(_Open(attributes))
            self._count(_ELEMENT_SIZE + sum(map(len, attributes.values())))
        elif "/".join(self._path[1:]) in self._paths:
            self._line, self._size = self.parser.CurrentLineNumber, 0
            self._open.append(_Open(attributes))
        self._cell = 0

    def _text(self, text: str) -> None:
        self._cell += len(text)
        if self._cell > limits.CELL:
            raise self._fault(f"a text of more than {limits.CELL >> 20} Mi characters")
        if self._open:
            self._count(len(text))
            self._open[-1].text.append(text)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > limits.ROW:
            raise self._fault(f"a row of more than {limits.ROW >> 20} Mi characters")

    def _end(self, name: str) -> None:
        self._path.pop()
        self._cell = 0
        if not self._open:
            return
        value = self._open.pop().value()
        if not self._open:
            row = value if isinstance(value, dict) else {"": value}
            self.rows.append(Row({ELEMENT: name, **row}, self._file, self._line))
            return
        children = self._open[-1].children
        if name not in children:
            children[name] = value
        elif isinstance(children[name], list):
            children[name].append(value)
        else:
            children[name] = [children[name], value]


def xml_rows(path: Path, options: Options, file: str) -> Iterator[Row | Bad]:
    """The elements at `options.elements`: children by name, attributes by `@name`.

    Several children of one name are a list, one with children of its own a mapping.
    """
    if not options.elements:
        raise FileError(file, "which elements are rows?", "name them in a mapping's `elements`")
    if options.encoding:
        codecs.lookup(options.encoding)
    reader = _Reader(options, file)
    fed = 0
    found = False
    with opened(path, file) as chunks:
        try:
            for chunk in chunks:
                reader.parser.Parse(chunk, False)
                fed += len(chunk)
                if fed - reader.parser.CurrentByteIndex > limits.CELL:
                    raise reader._fault(f"a tag of more than {limits.CELL >> 20} MiB")
                found = found or bool(reader.rows)
                yield from reader.rows
                reader.rows.clear()
            reader.parser.Parse(b"", True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise FileError(file, f"no XML: {reason}", row=error.lineno) from None
    if not found:
        told = ", ".join(options.elements)
        raise FileError(file, f"no element {told} below its root", "is it another kind of file?")
