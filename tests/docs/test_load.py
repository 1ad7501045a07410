"""Every file, command and program in docs/load.md, in its order."""

import pathlib
import re

from docs.pages import parts, run

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/load.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"csv": "people.csv", "yaml": "mapping.yaml"}


def test_the_page_is_true(tmp_path: pathlib.Path) -> None:
    for language, block in BLOCK.findall(PAGE):
        if language in FILES:
            (tmp_path / FILES[language]).write_text(block, encoding="utf-8")
    found = parts(BLOCK.sub(lambda block: "" if block[1] in FILES else block[0], PAGE))
    for command, shown in found:
        assert run(command, tmp_path) == shown, command
    assert len(found) == 4


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_every_key_and_mapping_is_told() -> None:
    from detente._load import compile

    for key in (*compile._TOP, *compile._ROWS, *compile._RECORD, *compile._TAKE):
        assert f"`{key}`" in PAGE, key
    for name in compile.ready():
        assert f"| `{name}` |" in PAGE
