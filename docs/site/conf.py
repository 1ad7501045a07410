"""How Sphinx builds the site; `docs/build.py` runs it."""

import detente
from pygments.lexers import TextLexer
from sphinx.application import Sphinx

project = "Détente"
copyright = "the authors of Détente; Apache-2.0"
version = release = detente.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "python_reference",
    "repository",
]

myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto", "repository"]
nb_execution_mode = "off"  # docs/notebooks/execute.py does, and stores what they print
nb_merge_streams = True

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "named"  # python_reference.py
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "Détente"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_logo = "static/logo.svg"
html_favicon = "static/logo.svg"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
pygments_style = "friendly"
pygments_dark_style = "monokai"


def setup(app: Sphinx) -> None:
    app.add_lexer("csv", TextLexer)
