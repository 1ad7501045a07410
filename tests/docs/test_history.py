"""Every command and program in docs/history.md, in its order."""

import pathlib

import pytest
from docs import pages
from docs.pages import ROOT


@pytest.mark.timeout(300)
def test_the_page_is_true(tmp_path: pathlib.Path) -> None:
    (tmp_path / "check_snapshot.py").symlink_to(ROOT / "bindings/detente/check_snapshot.py")
    ran = pages.check(ROOT / "docs/history.md", tmp_path)
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
