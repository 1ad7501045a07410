"""Every file, command and program in docs/load.md, in its order."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/load.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"csv": "people.csv", "yaml": "mapping.yaml"}


def test_the_page_is_true(tmp_path: pathlib.Path) -> None:
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = 0
    for language, block in BLOCK.findall(PAGE):
        if language in FILES:
            (tmp_path / FILES[language]).write_text(block, encoding="utf-8")
            continue
        assert language in ("console", "python")
        if language == "python":
            commands = [([sys.executable, "-c", block], None)]
        else:
            parts = [part.partition("\n") for part in block.split("$ ")[1:]]
            commands = [(shlex.split(command), shown) for command, _, shown in parts]
        for command, shown in commands:
            if command[0] == "detente":
                command = [sys.executable, "-m", *command]
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=os.environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert shown is None or done.stdout == shown, command
            assert shown is not None or done.returncode == 0, done.stdout
            ran += 1
    assert ran == 4


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_every_key_and_mapping_is_told() -> None:
    from detente._load import compile

    for key in (*compile._TOP, *compile._ROWS, *compile._RECORD, *compile._TAKE):
        assert f"`{key}`" in PAGE, key
    for name in compile.ready():
        assert f"| `{name}` |" in PAGE
