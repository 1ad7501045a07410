"""Names and dates for `detente.testing`."""

import datetime
import random
from collections.abc import Callable
from typing import Any

from detente.v1 import values_pb2

EPOCH = datetime.date(2025, 12, 31)  # the newest day of made-up records

# "Test" in many languages, with the script and the language of each.
_TEST = [
    ("Тэставы", "Cyrl", "be"),
    ("Тестовый", "Cyrl", "ru"),
    ("Тестовий", "Cyrl", "uk"),
    ("Testowy", "Latn", "pl"),
    ("Δοκιμαστικός", "Grek", "el"),
    ("Փորձնական", "Armn", "hy"),
    ("სატესტო", "Geor", "ka"),
    ("اختباري", "Arab", "ar"),
    ("מבחן", "Hebr", "he"),
    ("परीक्षण", "Deva", "hi"),
    ("测试", "Hans", "zh"),
    ("試験", "Jpan", "ja"),
    ("시험", "Kore", "ko"),
    ("Prøve", "Latn", "da"),
]


def region(number: int) -> str:
    """XA to XZ."""
    return f"X{chr(ord('A') + number)}"


def names_of(number: int, chance: random.Random) -> list[Any]:
    """`Test Person 17`, and for most the same in one or two other scripts."""
    names = [
        values_pb2.Name(
            id="1", full=f"Test Person {number}", script_code="Latn", kind="LEGAL", preferred=True
        )
    ]
    for place in range(chance.choice((0, 1, 1, 1, 2))):
        word, script, language = _TEST[chance.randrange(len(_TEST))]
        names.append(
            values_pb2.Name(
                id=f"{place + 2}",
                full=f"{word} {number}",
                family=word,
                script_code=script,
                language_code=language,
                kind="SPELLING",
            )
        )
    return names


class Dates:
    """Uncertain dates of all kinds around a day; most are one day."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._seed = chance.getrandbits(32)

    def around(self, ordinal: int, *, wide: bool = False) -> Any:
        """A date that can be that day; `wide`: a year more often."""
        return self._date(ordinal, self._chance.random(), wide)

    def of_release(self, ordinal: int, number: int) -> Any:
        """The same for the same release, without a draw."""
        mixed = (number * 2_654_435_761 + self._seed) % (1 << 32)
        return self._date(ordinal, mixed / (1 << 32), False)

    def _date(self, ordinal: int, draw: float, wide: bool) -> Any:
        day = datetime.date.fromordinal(ordinal)
        if wide and draw < 0.5:
            return values_pb2.UncertainDate(edtf=f"{day.year}")
        if draw < 0.6:
            return values_pb2.UncertainDate(edtf=day.isoformat())
        kind = int((draw - 0.6) / 0.4 * len(_FORMS))
        text = _FORMS[kind](day)
        if not text:
            return values_pb2.UncertainDate(state=values_pb2.UncertainDate.UNKNOWN)
        return values_pb2.UncertainDate(edtf=text)


def _until(day: datetime.date, days: int) -> str:
    return (day + datetime.timedelta(days)).isoformat()


_FORMS: list[Callable[[datetime.date], str]] = [
    lambda day: f"{day:%Y-%m}",
    lambda day: f"{day:%Y-%m}",
    lambda day: f"{day:%Y-%m}",
    lambda day: f"{day:%Y-%m}~",
    lambda day: f"{day:%Y-%m}?",
    lambda day: f"{day:%Y-%m-%d}?",
    lambda day: f"{day:%Y-%m-%d}~",
    lambda day: f"{day:%Y}",
    lambda day: f"{day:%Y}",
    lambda day: f"{day:%Y}%",
    lambda day: f"{day.year}-{33 + (day.month - 1) // 3}",
    lambda day: f"{day.year // 10}X",
    lambda day: f"{day:%Y-%m}-XX",
    lambda day: f"{_until(day, -10)}/{_until(day, 3)}",
    lambda day: f"{_until(day, -40)}/{_until(day, 20)}",
    lambda day: f"{day:%Y-%m-%d}/..",
    lambda day: f"../{day:%Y-%m-%d}",
    lambda day: f"[{day:%Y-%m-%d},{_until(day, 9)}]",
    lambda day: f"[{day.year - 1},{day.year}]",
    lambda day: "",
]
