"""The examples of a page, run in its order in a folder with the samples, and what they print.

In a page, below `console` stand commands (`$ …`) with their output, and the block after `python`
is what the program prints. `…` as a line stands for any lines, at the end of a line for what
follows there. A command below which nothing is shown has to succeed.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)(?: [^\n`]*)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Blocks that have to run. Others are outputs, or show a form.
RUN = {"bash", "console", "cpp", "go", "javascript", "python", "sh", "shell", "typescript"}


def parts(page: str) -> list[tuple[list[str], str]]:
    """Commands with what is shown below each; programs, whose output is the block after them."""
    found: list[tuple[list[str], str]] = []
    for language, block in BLOCK.findall(page):
        if language == "python":
            found.append(([sys.executable, "-c", block], ""))
        elif language == "console":
            for part in block.split("$ ")[1:]:
                command, _, shown = part.partition("\n")
                found.append((shlex.split(command), shown))
        elif language == "sh" and (verb := re.fullmatch(r"\./dev (\w+)( .*)?\n", block)):
            # The tests run within it; that there is such a verb is what can be seen from here.
            assert re.search(rf"^ +{verb[1]} .*", usage_of_dev(), re.MULTILINE), block
        else:
            told = f"nothing runs a block of {language}; OWN of test_pages.py names other tests"
            assert language not in RUN, f"{told}:\n{block}"
            if not language and found:
                command_, _ = found[-1]
                found[-1] = (command_, block)
    return found


def usage_of_dev() -> str:
    return subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout


def run(command: list[str], folder: pathlib.Path) -> str:
    return _run(command, folder).stdout


def _run(command: list[str], folder: pathlib.Path) -> "subprocess.CompletedProcess[str]":
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "Traceback" not in done.stdout, f"{command}: {done.stdout}"
    return done


def as_shown(output: str, shown: str) -> bool:
    """Whether an output is what is shown."""
    pattern = ""
    for line in shown.splitlines():
        if line == "…":
            pattern += "(?:.*\n)*"
        elif line.endswith(" …"):
            pattern += re.escape(line.removesuffix(" …")) + ".*\n"
        else:
            pattern += re.escape(line) + "\n"
    return re.fullmatch(pattern, output) is not None


def check(page: pathlib.Path, folder: pathlib.Path) -> list[tuple[list[str], str]]:
    """Runs all examples of a page; returns the commands with what they printed."""
    (folder / "samples").symlink_to(ROOT / "samples")
    ran = []
    for command, shown in parts(page.read_text(encoding="utf-8")):
        done = _run(command, folder)
        told = f"{shlex.join(command)}\n{done.stdout}"
        assert as_shown(done.stdout, shown) if shown else done.returncode == 0, told
        ran.append((command, done.stdout))
    return ran
