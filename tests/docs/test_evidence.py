"""The JSON of docs/evidence.md, against what GetEvidence answers; and the numbers in its prose."""

import json
from collections.abc import Iterator
from typing import Any

import detente
import pytest
from detente import loading
from docs.pages import BLOCK, ROOT

PAGE = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")
RELEASE = "by-2025-12-13"


@pytest.fixture(scope="module")
def db() -> Iterator[detente.Database]:
    with detente.open(":memory:", create=True) as opened:
        loading.load(opened, [ROOT / "samples/belarus-2025"])
        yield opened


def within(shown: Any, answer: Any) -> bool:
    """Whether all that is shown is in the answer; lists are shown in full."""
    if isinstance(shown, dict):
        return all(key in answer and within(shown[key], answer[key]) for key in shown)
    if isinstance(shown, list):
        return len(shown) == len(answer) and all(map(within, shown, answer))
    return bool(shown == answer)


def test_the_answer_is_as_shown(db: detente.Database) -> None:
    [(language, block)] = BLOCK.findall(PAGE)
    assert language == "json"
    shown = json.loads(block)
    evidence = db.releases.evidence(RELEASE, shown["path"])
    [field] = detente.to_dict(evidence.message)["fields"]
    assert within(shown, field), field


def test_what_differs_is_seen() -> None:
    assert not within({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    assert not within({"a": [1]}, {"a": [1, 2]})
    assert within({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3})


def test_as_a_source_tells_it(db: detente.Database) -> None:
    assert '`group_counts["belarusians-to-ua"].count.best` 104 and no other count' in PAGE
    told = db.releases.get(RELEASE, as_told_by="s13")
    assert [group.count.best for group in told.group_counts if group.HasField("count")] == [104]


def test_policies_are_told() -> None:
    policies = detente.Evidence.ValuePolicy.keys()
    for policy in policies:
        assert policy.endswith("_UNSPECIFIED") or f"| {policy} |" in PAGE
