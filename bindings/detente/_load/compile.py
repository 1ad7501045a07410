"""Mappings as they are written, in YAML, checked and made ready; `docs/load.md` says how."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detente import _contract, errors, records
from detente._contract import is_output_only, is_repeated
from detente._load import limits
from detente._load.dates import EDTF, Dates
from detente._load.fields import (
    DATE,
    Element,
    Elements,
    Entries,
    Part,
    Setter,
    Values,
)
from detente._load.mapping import Join, Loading, RecordKind
from detente._load.rows import Options
from detente._load.takes import ITEM, ROW, Each, Nulls, Take, Template, When, as_text
from detente._load.xml import ELEMENT

READY = Path(__file__).parent.parent / "mappings"
"""The folder of the mappings that come with the package."""

_TOP = ("about", "rows", "joins", "records", "others")
_ROWS = ("format", "columns", "delimiter", "encoding", "skip", "sheet", "elements", "nulls")
_RECORD = ("into", "id", "when", "each", "merge", "fields")
_TAKE = (
    *("column", "template", "constant", "each", "when", "pattern", "split", "values", "otherwise"),
    *("first", "join", "json", "dates", "circa", "range"),
)


def ready() -> dict[str, Path]:
    """The mappings that come with the package, by name."""
    return {path.stem: path for path in sorted(READY.glob("*.yaml")) if path.stem != "countries"}


def about(path: Path) -> str:
    """What a mapping says of itself."""
    return str(records.load_yaml(path.read_text(encoding="utf-8")).get("about", ""))


def read(mapping: str | Path | Mapping[str, Any], into: str | None) -> Loading:
    """A mapping from its file, its name among the ready ones, or its content.

    Raises:
        InvalidArgumentError: All that is wrong with it.
    """
    if isinstance(mapping, Mapping):
        return compile_mapping(mapping, "mapping", into)
    path = ready().get(str(mapping)) or Path(mapping)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(limits.MAPPING + 1)
    except OSError as error:
        known = f"; ready ones are {', '.join(ready())}" if path.name == str(mapping) else ""
        raise errors.NotFoundError(f"{path}: {error.strerror}{known}") from None
    except UnicodeDecodeError:
        raise errors.invalid("mapping", f"{path}: not UTF-8") from None
    if len(text) > limits.MAPPING:
        raise errors.invalid("mapping", f"{path}: more than {limits.MAPPING >> 20} MiB")
    try:
        plain = records.load_yaml(text)
    except (ValueError, RecursionError) as error:
        raise errors.invalid("mapping", f"{path}: {error}") from None
    return compile_mapping(plain, path.name, into)


def compile_mapping(plain: Any, where: str, into: str | None) -> Loading:
    """A mapping from its content; see `read`."""
    compiler = _Compiler()
    if not isinstance(plain, Mapping):
        raise errors.invalid("mapping", f"{where}: a mapping of {', '.join(_TOP)} expected")
    if "records" not in plain and set(plain) & set(_RECORD):  # one kind of record, the short way
        kind = {key: value for key, value in plain.items() if key in _RECORD}
        plain = {**{k: v for k, v in plain.items() if k not in _RECORD}, "records": [kind]}
    loading = compiler.loading(plain, into)
    if compiler.wrong or loading is None:
        lines = "\n".join(f"{where}: {told}" for told in compiler.wrong)
        raise errors.InvalidArgumentError(lines, reason="INVALID_FIELD")
    return loading


class _Compiler:
    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._nulls: Nulls = frozenset()
        self._needed: set[str] = set()
        self._joins: dict[str, set[str]] = {}
        self._columns: dict[str, list[str]] = {}

    def fail(self, path: str, reason: str) -> None:
        self.wrong.append(f"{path}: {reason}")

    def mapping(self, plain: Any, known: Iterable[str], path: str) -> Mapping[str, Any]:
        if not isinstance(plain, Mapping):
            self.fail(path, f"a mapping of {', '.join(known)} expected, not {plain!r}")
            return {}
        for key in plain:
            if key not in known:
                self.fail(f"{path}.{key}".lstrip("."), f"no such key{_near(str(key), known)}")
        return plain

    def loading(self, plain: Mapping[str, Any], into: str | None) -> Loading | None:
        self.mapping(plain, _TOP, "")
        options, nulls = self.options(plain.get("rows") or {}, "rows", ())
        self._nulls = nulls
        joins = [
            self.join(name, join, f"joins.{name}")
            for name, join in self.mapping_of_any(plain.get("joins"), "joins").items()
        ]
        kinds = plain.get("records")
        if not isinstance(kinds, list) or not kinds:
            self.fail("records", "a list of what rows become expected")
            return None
        made = [self.kind(kind, f"records[{i}]", into) for i, kind in enumerate(kinds)]
        others = plain.get("others", "error")
        if others not in ("error", "ignore"):
            self.fail("others", "error or ignore expected")
        besides = {ELEMENT, *self._joins}
        needed = frozenset(c for c in self._needed if c.partition(".")[0] not in besides)
        joins = [
            replace(
                join,
                options=replace(
                    join.options, needed=frozenset({join.key, *self._joins.get(join.name, ())})
                ),
            )
            for join in joins
        ]
        if options.columns:
            for name in sorted(needed - set(options.columns)):
                if name.partition(".")[0] not in options.columns:
                    self.fail("rows.columns", f"{name} is not there{_near(name, options.columns)}")
        return Loading(
            text=records.dump_yaml(dict(plain)),
            options=replace(options, needed=needed),
            nulls=nulls,
            joins=joins,
            kinds=[kind for kind in made if kind is not None],
            others=others == "ignore",
        )

    def mapping_of_any(self, plain: Any, path: str) -> Mapping[str, Any]:
        if plain is None or isinstance(plain, Mapping):
            return plain or {}
        self.fail(path, "a mapping expected")
        return {}

    def options(self, plain: Any, path: str, more: Iterable[str]) -> tuple[Options, Nulls]:
        given = self.mapping(plain, (*_ROWS, *more), path)
        found: dict[str, Any] = {}
        for key in ("format", "delimiter", "encoding", "sheet"):
            value = given.get(key, "")
            if not isinstance(value, str):
                self.fail(f"{path}.{key}", f"a text expected, not {value!r}")
            else:
                found[key] = value
        if len(found.get("delimiter", "")) > 1:
            self.fail(f"{path}.delimiter", "one character expected")
        if found.get("encoding"):
            try:
                "".encode(found["encoding"])
            except LookupError:
                self.fail(f"{path}.encoding", f"no encoding {found['encoding']!r}")
        skip = given.get("skip", 0)
        if not isinstance(skip, int) or skip < 0:
            self.fail(f"{path}.skip", "a number of lines expected")
            skip = 0
        columns, elements = (
            self.texts(given.get(key, []), f"{path}.{key}") for key in ("columns", "elements")
        )
        nulls = self.texts(given.get("nulls", []), f"{path}.nulls")
        options = Options(columns=columns, elements=elements, skip=skip, **found)
        return options, frozenset({"", *(null.strip() for null in nulls)})

    def texts(self, plain: Any, path: str) -> tuple[str, ...]:
        given = plain if isinstance(plain, list) else [plain]
        if all(isinstance(item, str | int | float) for item in given):
            return tuple(str(item) for item in given)
        self.fail(path, "texts expected")
        return ()

    def join(self, name: str, plain: Any, path: str) -> Join:
        more = ("file", "key", "equals", "optional")
        options, _ = self.options(plain, path, more)
        given = plain if isinstance(plain, Mapping) else {}
        for key in ("file", "key"):
            if not isinstance(given.get(key), str):
                self.fail(f"{path}.{key}", "a text expected")
        key = str(given.get("key", ""))
        equals = str(given.get("equals", key))
        self._needed.add(equals)
        self._joins[name] = set()
        optional = given.get("optional") is True
        return Join(name, str(given.get("file", "")), key, equals, optional, options)

    def kind(self, plain: Any, path: str, into: str | None) -> RecordKind | None:
        given = self.mapping(plain, _RECORD, path)
        collection = given.get("into", into)
        resource = _contract.resources().get(collection) if isinstance(collection, str) else None
        if resource is None:
            known = _contract.resources()
            told = f"no collection {collection!r}" if collection else "into which collection?"
            self.fail(f"{path}.into", f"{told}{_near(str(collection), known)}")
            return None
        assert isinstance(collection, str)
        self._columns = {}
        each = self.each(given.get("each"), f"{path}.each", None)
        scope = _scope(each, None)
        if not isinstance(given.get("id"), str):
            self.fail(f"{path}.id", "a text with columns in braces expected, as `viasna-{id}`")
        identifier = Template(str(given.get("id", "")))
        if not identifier.columns:
            self.fail(f"{path}.id", "no column in braces: all rows would be one record")
        for column in identifier.columns:
            self.use(column, scope)
        self._columns["name"] = list(identifier.columns)
        setters, _ = self.fields(
            resource.message.DESCRIPTOR, given.get("fields"), f"{path}.fields", "", scope
        )
        if given.get("merge", False) not in (True, False):
            self.fail(f"{path}.merge", "true or false expected")
        return RecordKind(
            into=collection,
            id=identifier,
            setters=setters,
            when=self.when(given.get("when"), f"{path}.when", None),
            each=each,
            merge=given.get("merge", False) is True,
            nulls=self._nulls,
            columns=self._columns,
        )

    def use(self, column: str, scope: str | None) -> None:
        """Notes that a column is spoken of; `scope` is a join's name, `?` = not known, or rows."""
        outer = column.removeprefix(f"{ROW}.")
        if scope is None or outer != column:
            if outer != ITEM:
                self._needed.add(outer)
        elif scope in self._joins:
            self._joins[scope].add(column)

    def each(self, plain: Any, path: str, scope: str | None) -> Each | None:
        if plain is None:
            return None
        given = {"column": plain} if isinstance(plain, str) else plain
        given = self.mapping(given, ("column", "split"), path)
        column, split = given.get("column"), given.get("split", "")
        if not isinstance(column, str) or not isinstance(split, str):
            self.fail(path, "a column, or {column, split}, expected")
            return None
        self.use(column, scope)
        return Each(column, split)

    def when(self, plain: Any, path: str, scope: str | None) -> When | None:
        if plain is None:
            return None
        if not isinstance(plain, Mapping) or not plain:
            self.fail(path, "a mapping of columns to their values expected")
            return None
        wanted = {}
        for column, values in plain.items():
            self.use(str(column), scope)
            listed = values if isinstance(values, list) else [values]
            if any(isinstance(value, list | dict) for value in listed):
                self.fail(f"{path}.{column}", "a value, or a list of values, expected")
                continue
            wanted[str(column)] = tuple(None if v is None else as_text(v, path) for v in listed)
        return When(wanted)

    def fields(
        self, descriptor: Any, plain: Any, path: str, inside: str, scope: str | None
    ) -> tuple[list[Setter], bool]:
        """What sets the fields, and whether any of them is from a column."""
        setters: list[Setter] = []
        has_columns = False
        for name, value in self.nested(plain, path).items():
            here = f"{path}.{name}"
            found = descriptor.fields_by_name.get(name)
            if found is None:
                told = f"no such field in {descriptor.name}"
                self.fail(here, f"{told}{_near(name, descriptor.fields_by_name, offer=False)}")
            elif is_output_only(found) or (not inside and name in ("name", "etag")):
                self.fail(here, "made of the `id`" if name == "name" else "the server makes it")
            else:
                at = f"{inside}.{name}".lstrip(".")
                setter, columns = self.setter(found, value, here, at, scope)
                has_columns = has_columns or columns
                if setter is not None:
                    setters.append(setter)
        return setters, has_columns

    def nested(self, plain: Any, path: str) -> dict[str, Any]:
        """Fields with those of `a.b` below `a`."""
        if not isinstance(plain, Mapping):
            self.fail(path, f"a mapping of fields expected, not {plain!r}")
            return {}
        found: dict[str, Any] = {}
        for key, value in plain.items():
            name, dot, rest = str(key).partition(".")
            if not dot:
                found[name] = value
            elif isinstance(found.setdefault(name, {}), dict):
                found[name][rest] = value
            else:
                self.fail(f"{path}.{key}", f"{name} is given as well")
        return found

    def setter(
        self, descriptor: Any, plain: Any, path: str, at: str, scope: str | None
    ) -> tuple[Setter | None, bool]:
        message = descriptor.message_type
        several = plain if isinstance(plain, list) else [plain]
        if message is None or all(map(_is_take, several)):
            if message is not None and message.GetOptions().map_entry:
                whole = [t for each in several for t in self.takes(each, path, at, scope)[0]]
                return Entries(descriptor, {}, whole), True
            return self.values(descriptor, several, path, at, scope)
        if message.GetOptions().map_entry:
            entries = {}
            for key, value in self.mapping_of_any(plain, path).items():
                takes, _, _ = self.takes(value, f"{path}.{key}", f"{at}.{key}", scope)
                entries[str(key)] = takes
            columns = any(take.label for takes in entries.values() for take in takes)
            return Entries(descriptor, entries), columns
        if not is_repeated(descriptor):
            setters, has_columns = self.fields(message, plain, path, at, scope)
            return Part(descriptor, setters, has_columns), has_columns
        elements = []
        any_columns = False
        for index, element in enumerate(several):
            here = f"{path}[{index}]" if isinstance(plain, list) else path
            given = dict(self.mapping_of_any(element, here))
            each = self.each(given.pop("each", None), f"{here}.each", scope)
            inner = _scope(each, scope)
            when = self.when(given.pop("when", None), f"{here}.when", inner)
            setters, has_columns = self.fields(message, given, here, at, inner)
            any_columns = any_columns or has_columns
            elements.append(Element(setters, each, when, has_columns, self._nulls))
        return Elements(descriptor, elements), any_columns

    def values(
        self, descriptor: Any, several: list[Any], path: str, at: str, scope: str | None
    ) -> tuple[Setter, bool]:
        takes: list[Take] = []
        dates: list[Dates] = []
        for index, plain in enumerate(several):
            here = f"{path}[{index}]" if len(several) > 1 else path
            found, given, this = self.takes(plain, here, at, scope)
            takes += found
            dates += [this or Dates()] * len(found)
            is_date = descriptor.message_type is not None and descriptor.message_type.full_name
            if is_date != DATE and {"dates", "circa", "range"} & set(given):
                self.fail(here, "only dates take `dates`, `circa` and `range`")
        return Values(descriptor, takes, dates), any(take.label for take in takes)

    def takes(
        self, plain: Any, path: str, at: str, scope: str | None
    ) -> tuple[list[Take], Mapping[str, Any], Dates | None]:
        given = {"column": plain} if isinstance(plain, str) else plain
        given = self.mapping(given, _TAKE, path)
        ways = [key for key in ("column", "template", "constant") if key in given]
        if len(ways) != 1:
            self.fail(path, "one of column, template and constant expected")
            return [], given, None
        each = self.each(given.get("each"), f"{path}.each", scope)
        inner = _scope(each, scope)
        way = given[ways[0]]
        if ways != ["constant"] and not isinstance(way, str):
            self.fail(f"{path}.{ways[0]}", f"a text expected, not {way!r}")
            return [], given, None
        template = Template(way) if ways == ["template"] else None
        for column in [way] if ways == ["column"] else template.columns if template else ():
            self.use(column, inner)
            self._columns.setdefault(at, []).append(column)
        take = Take(
            column=way if ways == ["column"] else "",
            template=template,
            constant=way if ways == ["constant"] else None,
            each=each,
            when=self.when(given.get("when"), f"{path}.when", inner),
            pattern=self.pattern(given.get("pattern"), f"{path}.pattern"),
            json=given.get("json", False) is True,
            split=self.text(given, "split", path),
            values=self.translations(given.get("values"), f"{path}.values"),
            otherwise=given.get("otherwise"),
            first=given.get("first", False) is True,
            join=self.text(given, "join", path) if "join" in given else None,
            nulls=self._nulls,
        )
        return [take], given, self.dates(given, path)

    def text(self, given: Mapping[str, Any], key: str, path: str) -> str:
        value = given.get(key, "")
        if isinstance(value, str):
            return value
        self.fail(f"{path}.{key}", f"a text expected, not {value!r}")
        return ""

    def pattern(self, plain: Any, path: str) -> "re.Pattern[str] | None":
        if plain is None:
            return None
        try:
            return re.compile(plain)
        except (re.error, TypeError) as error:
            self.fail(path, f"no regular expression: {error}")
            return None

    def translations(self, plain: Any, path: str) -> Mapping[str, Any] | None:
        if plain is None:
            return None
        found: dict[str, Any] = {}
        for part in plain if isinstance(plain, list) else [plain]:
            given = _countries() if part == "countries" else self.mapping_of_any(part, path)
            found.update((str(key), value) for key, value in given.items())
        return found

    def dates(self, given: Mapping[str, Any], path: str) -> Dates | None:
        if not {"dates", "circa", "range"} & set(given):
            return None
        try:
            return Dates(
                self.texts(given.get("dates", [EDTF]), f"{path}.dates"),
                self.texts(given.get("circa", []), f"{path}.circa"),
                self.texts(given.get("range", []), f"{path}.range"),
            )
        except ValueError as error:
            self.fail(f"{path}.dates", str(error))
            return None


def _is_take(plain: Any) -> bool:
    return isinstance(plain, str) or (
        isinstance(plain, Mapping) and bool({"column", "template", "constant"} & set(plain))
    )


def _scope(each: Each | None, scope: str | None) -> str | None:
    """Whose columns are spoken of: of a join by name, of rows (None), or of parts (`?`)."""
    if each is None or each.split:
        return scope
    return each.column if scope is None else "?"


def _near(name: str, known: Iterable[str], *, offer: bool = True) -> str:
    listed = list(known)
    near = difflib.get_close_matches(name, listed, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(listed)}" if offer else ""


def _countries() -> Mapping[str, Any]:
    names = records.load_yaml((READY / "countries.yaml").read_text(encoding="utf-8"))
    found = {}
    for code, called in names.items():
        for name in (code, *called):
            found[name] = code
    return found
