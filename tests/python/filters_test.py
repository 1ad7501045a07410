"""detente.Filter: what Python adds to the parser, which tests/server/query covers."""

import copy
import pickle

import detente
import pytest
from detente import Filter


def test_the_tree() -> None:
    filter = Filter("region_code = BY (a OR -b)")
    assert str(filter) == filter.text == "region_code = BY (a OR -b)"
    assert filter.tree == ("SEQUENCE\n  =\n    region_code\n    BY\n  OR\n    a\n    NOT\n      b")
    assert repr(filter).startswith("detente.Filter('region_code = BY (a OR -b)')\n  SEQUENCE\n")
    assert "region_code" in filter._repr_html_()
    assert Filter("").tree == ""


def test_what_is_wrong_and_where() -> None:
    with pytest.raises(detente.InvalidArgumentError) as caught:
        Filter('note = "Бяляцкі" AND')
    assert caught.value.position == 27  # bytes
    assert caught.value.field_violations[0].field == "filter"
    assert "at byte 27: a field, a word or a condition expected, got the end" in str(caught.value)
    for text in ("(", "a = ", "\ud800", "a\0", "x" * 8193, "(" * 51):
        with pytest.raises(detente.InvalidArgumentError) as caught:
            Filter(text)
        assert caught.value.position is not None
    for value in (None, 1, b"a"):
        with pytest.raises(TypeError, match="a str expected"):
            Filter(value)  # type: ignore[arg-type]


def test_filters_are_values() -> None:
    filter = Filter("a = b")
    assert filter == Filter("a = b") != Filter("a=b")
    assert filter != "a = b"
    assert len({filter, Filter("a = b")}) == 1
    assert copy.copy(filter) is copy.deepcopy(filter) is filter
    assert pickle.loads(pickle.dumps(filter)) == filter
    with pytest.raises(TypeError, match="does not change"):
        filter.text = "c"  # type: ignore[misc]
