"""The tables of docs/edtf.md, against what Détente answers."""

import datetime
import pathlib
import re

import detente
import pytest
from detente import Date

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "edtf.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that begins with `heading`; code without its marks."""
    table = PAGE.split(f"\n{heading}\n")[1].split("\n\n")[0].splitlines()[1:]
    return [
        [re.sub(r"^`(.*)`$", r"\1", cell[1:-1]) for cell in line[1:-1].split("|")] for line in table
    ]


def day(bound: tuple[int, int, int] | None) -> str:
    if bound is None:
        return "—"
    year, month, number = bound
    sign = "-" if year < 0 else ""
    return f"{sign}{abs(year):04}-{month:02}-{number:02}"


def test_meanings() -> None:
    table = rows("| text | meaning | earliest | latest | precision | qualifiers |")
    assert len(table) > 25
    for text, _, earliest, latest, precision, qualifiers in table:
        date = Date(text)
        assert day(date._edtf.earliest) == earliest, text
        assert day(date._edtf.latest) == latest, text
        assert date.precision == precision, text
        said = [word for word in ("approximate", "uncertain") if getattr(date, word)]
        assert ", ".join(said) == qualifiers, text


def test_errors() -> None:
    table = rows("| text | error |")
    assert len(table) > 5
    for text, error in table:
        with pytest.raises(detente.InvalidArgumentError) as caught:
            Date(text)
        assert str(caught.value) == f"edtf: `{text}`: {error}"


def test_relations() -> None:
    names = ("before", "within", "after", "overlapping")
    table = rows("| date | window | before | within | after | overlapping |")
    assert len(table) > 5
    for text, window, *expected in table:
        for name, answer in zip(names, expected, strict=True):
            possibly = getattr(Date(text), f"possibly_{name}")(window)
            certainly = getattr(Date(text), f"certainly_{name}")(window)
            said = "certainly" if certainly else "possibly" if possibly else "no"
            assert said == answer, f"{text} {name} {window}"


def test_program() -> None:
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(program, {"detente": detente, "datetime": datetime})
