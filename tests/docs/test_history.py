"""Every command and program in docs/history.md, in its order."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/history.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(300)
def test_the_page_is_true(tmp_path: pathlib.Path) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    (tmp_path / "check_snapshot.py").symlink_to(ROOT / "bindings/detente/check_snapshot.py")
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = []
    for language, block in BLOCK.findall(PAGE):
        assert language in ("console", "python")
        if language == "python":
            commands = [([sys.executable, "-c", block], "")]
        else:
            parts = [part.partition("\n") for part in block.split("$ ")[1:]]
            commands = [(shlex.split(command), shown) for command, _, shown in parts]
        for command, shown in commands:
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=os.environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            assert done.stdout.startswith(shown), f"{command}: {done.stdout}"
            ran.append((command, done.stdout))
    outputs = {" ".join(command[1:3]): output for command, output in ran}
    assert "headcount: 123" in outputs["evidence releases/by-2025-12-13"]
    assert "by Bob  second look" in outputs["history releases/by-2025-12-13"]
    assert '→ "Seen again."\n' in outputs["diff 1"]
    assert "Seen again." not in outputs["rollback releases/by-2025-12-13"]
    [program] = [output for command, output in ran if command[1] == "-c"]
    assert '~ review_state: "REVIEWED" → "DISPUTED"' in program
    checked = [output for command, output in ran if "paper-2026.jsonl" in command[-1]][-2:]
    assert checked[0] == checked[1]
    assert "all is right" in checked[0]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
