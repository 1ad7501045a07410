"""Files of the repository as pages, for links of the scheme `repository:`; no search has them."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
SCHEME = "repository:"


def page(name: str) -> str:
    return f"repository/{name}"


def resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Makes `repository:client/example.cc` a link to the page that shows the file."""
    for reference in doctree.findall(nodes.reference):
        uri = reference.get("refuri", "")
        if uri.startswith(SCHEME):
            target = page(uri.removeprefix(SCHEME))
            reference["refuri"] = app.builder.get_relative_uri(docname, target)
            reference["internal"] = True


def shown(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    names = [name for name in app.config.shown_files.split(",") if name]
    for name in names:
        path = ROOT / name
        body = folder(app, name, names) if path.is_dir() else text(path)
        title = html.escape(name)
        context = {"title": name, "body": f"<h1>{title}</h1>{body}", "parents": []}
        yield page(name), context, "page.html"


def folder(app: Sphinx, name: str, names: list[str]) -> str:
    items = []
    for file in names:
        if file.startswith(f"{name}/"):
            uri = app.builder.get_relative_uri(page(name), page(file))
            items.append(f'<li><a href="{html.escape(uri)}">{html.escape(file)}</a></li>')
    return f"<ul>{''.join(items)}</ul>"


def text(path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return f"<p>No text: {path.stat().st_size:,} bytes.</p>"
    try:
        lexer = get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = TextLexer()
    marked: str = highlight(content, lexer, HtmlFormatter(cssclass="highlight"))
    return f'<div class="notranslate repository">{marked}</div>'


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("shown_files", "", "html", str)
    app.connect("doctree-resolved", resolve)
    app.connect("html-collect-pages", shown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
