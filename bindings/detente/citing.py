"""Citations of snapshots: plain text, BibTeX and CITATION.cff."""

import json
import re
from typing import Any

_BIBTEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "#$%&_"},
}
# What JSON may hold unescaped and YAML may not, or would read as the end of a line.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def text(snapshot: Any, authors: list[str], url: str) -> str:
    """One paragraph."""
    when = snapshot.create_time.ToDatetime()
    parts = [
        "; ".join(_line(author) for author in authors),
        f"{_title(snapshot)} [data set]",
        f"Détente snapshot {snapshot.name}, revision {snapshot.revision}, {when:%Y-%m-%d}",
        f"SHA-256 {snapshot.checksum}",
        _line(url),
    ]
    told = [part if part.endswith((".", "?", "!")) else f"{part}." for part in parts[:-1] if part]
    return " ".join([*told, parts[-1]]).strip() + "\n"


def bibtex(snapshot: Any, authors: list[str], url: str) -> str:
    """An entry for BibTeX and BibLaTeX, in UTF-8."""
    when = snapshot.create_time.ToDatetime()
    fields = {
        "author": " and ".join(_bibtex_author(author) for author in authors),
        "title": f"{{{_bibtex(_title(snapshot))}}}",
        "year": f"{when:%Y}",
        "version": str(snapshot.revision),
        "howpublished": f"Détente snapshot {_bibtex(snapshot.name)}",
        "note": f"Revision {snapshot.revision}, {when:%Y-%m-%d}. SHA-256 {snapshot.checksum}",
        "url": _url(url),
    }
    key = snapshot.name.partition("/")[2]
    lines = [f"  {name:<12} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@misc{{detente-{key},\n{''.join(lines)}}}\n"


def cff(snapshot: Any, authors: list[str], url: str) -> str:
    """A file CITATION.cff (Citation File Format 1.2.0)."""
    when = snapshot.create_time.ToDatetime()
    title = _title(snapshot)
    lines = [
        "cff-version: 1.2.0",
        f"message: {_yaml('If you use these data, please cite them as below.')}",
        f"title: {_yaml(title)}",
        "type: dataset",
        "authors:",
    ]
    for author in authors or [f"The contributors to {title}"]:
        family, comma, given = author.partition(",")
        if comma and family.strip() and given.strip():
            lines.append(f"  - family-names: {_yaml(family.strip())}")
            lines.append(f"    given-names: {_yaml(given.strip())}")
        else:
            lines.append(f"  - name: {_yaml(author)}")
    lines += [
        f'version: "{snapshot.revision}"',
        f'date-released: "{when:%Y-%m-%d}"',
        *([f"url: {_yaml(url)}"] if url else []),
        "identifiers:",
        "  - type: other",
        f"    value: {_yaml(f'sha256:{snapshot.checksum}')}",
        f"    description: {_yaml(f'SHA-256 of the Détente snapshot {snapshot.name}')}",
    ]
    return "\n".join(lines) + "\n"


def _title(snapshot: Any) -> str:
    return _line(snapshot.title) or f"Records of {snapshot.name}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _bibtex(text: str) -> str:
    return "".join(_BIBTEX.get(character, character) for character in text)


def _bibtex_author(author: str) -> str:
    """Braces keep together what is no `Family, Given`, and an `and` within a name."""
    name = _bibtex(_line(author))
    whole = "," not in name or re.search(r"\band\b", name, re.IGNORECASE)
    return f"{{{name}}}" if whole else name


def _url(url: str) -> str:
    """Percent-encoded where it would end the field, or begin a comment for those who copy it."""
    return re.sub(r"[{}\\\s]", lambda match: f"%{ord(match[0]):02X}", url.strip())


def _yaml(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
