"""detente.Date: what Python adds to the parser, which tests/server/values covers."""

import copy
import datetime
import itertools
import json
import pickle
import subprocess
import sys

import detente
import pandas
import pytest
from detente import Date, _core
from detente.v1 import values_pb2

DAY = datetime.date(2025, 12, 13)


def test_what_a_text_means() -> None:
    date = Date("2025-12?")
    assert date.text == str(date) == "2025-12?"
    assert date.earliest == datetime.date(2025, 12, 1)
    assert date.latest == datetime.date(2025, 12, 31)
    assert (date.earliest_year, date.latest_year) == (2025, 2025)
    assert date.precision == "MONTH"
    assert date.uncertain
    assert not date.approximate
    assert Date("?2025-?12").canonical == "2025-12?"
    assert Date("[2010,2020~]").approximate


def test_bounds_that_python_has_no_dates_for() -> None:
    assert Date("../2020").earliest is None
    assert Date("../2020").earliest_year is None
    assert Date("2020/").latest is None
    assert Date("2020/").latest_year is None
    assert Date("-0044-03-15").latest is None
    assert Date("-0044-03-15").latest_year == -44
    assert Date("Y17E7").earliest_year == 170_000_000
    assert Date("0XXX").earliest is None
    assert Date("0XXX").earliest_year == 0
    assert Date("0XXX").latest == datetime.date(999, 12, 31)


def test_every_precision_is_one_of_the_contract() -> None:
    for text, precision in {
        "2025-12-13": "DAY",
        "2025-12": "MONTH",
        "2025": "YEAR",
        "2025/..": "INTERVAL",
        "2025-21": "PART_OF_YEAR",
        "202X": "DECADE",
        "20XX": "CENTURY",
        "2XXX": "MILLENNIUM",
        "XXXX-12-13": "DIGITS",
        "{2010,2020}": "SET",
    }.items():
        assert Date(text).precision == precision
        assert values_pb2.UncertainDate.Precision.Value(precision) > 0
    assert len(values_pb2.UncertainDate.Precision.values()) == 11
    assert [relation.name for relation in _core.DateRelation] == [
        "BEFORE",
        "WITHIN",
        "AFTER",
        "OVERLAPPING",
    ]


def test_a_wrong_text() -> None:
    with pytest.raises(detente.InvalidArgumentError) as caught:
        Date("2025-13")
    error = caught.value
    assert str(error) == "edtf: `2025-13`: month 01..12 expected, got 13 at position 5"
    assert error.position == 5
    assert error.reason == "INVALID_FIELD"
    assert error.field_violations[0].field == "edtf"
    assert isinstance(error, ValueError)
    assert pickle.loads(pickle.dumps(error)).position == 5
    assert detente.InvalidArgumentError("x").position is None
    for text in ("", "é", "\ud800", "2025\0", "2" * 300, "20/é"):
        with pytest.raises(detente.InvalidArgumentError):
            Date(text)
    with pytest.raises(TypeError, match=r"a str, datetime\.date, .* expected, got int"):
        Date(2025)  # type: ignore[arg-type]


def test_of_and_to_python_dates() -> None:
    assert Date(DAY) == Date.from_date(DAY) == Date("2025-12-13")
    assert Date(datetime.datetime(2025, 12, 13, 23, 59)).text == "2025-12-13"
    assert Date(datetime.date(1, 2, 3)).text == "0001-02-03"
    assert Date("2025-12-13?").to_date() == DAY
    assert Date("2025-12-13T10:10:10Z").to_date() == DAY
    assert Date("2023-02-29/2023-02-29".replace("29", "28")).to_date() == datetime.date(2023, 2, 28)
    for text in ("2025-12", "2025-12-13/..", "-0044-03-15", "../.."):
        with pytest.raises(detente.InvalidArgumentError, match="one day expected"):
            Date(text).to_date()


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2025-12-13", pandas.Period("2025-12-13", freq="D")),
        ("2025-12", pandas.Period("2025-12", freq="M")),
        ("2025", pandas.Period("2025", freq="Y")),
        ("2025-33", pandas.Period("2025Q1", freq="Q")),
        ("2025-36", pandas.Period("2025Q4", freq="Q")),
        ("0044", pandas.Period(year=44, freq="Y")),
    ],
)
def test_of_and_to_periods(text: str, period: pandas.Period) -> None:
    assert Date(period).text == text
    assert Date(text).to_period() == period
    assert Date(f"{text}?").to_period() == period
    assert Date(text).certainly_within(period)


def test_periods_that_do_not_fit() -> None:
    for text in ("2025-21", "2025-40", "202X", "2025/2026", "[2025]", "-0044", "2025-1X"):
        with pytest.raises(detente.InvalidArgumentError, match="quarter or year expected"):
            Date(text).to_period()
    for frequency in ("Y-JUN", "Q-JAN", "W", "h"):
        with pytest.raises(detente.InvalidArgumentError, match="of the calendar expected"):
            Date(pandas.Period("2025-12-13", freq=frequency))
    assert Date("2025-12-XX").to_period() == pandas.Period("2025-12", freq="M")


def test_of_and_to_messages() -> None:
    message = Date("2025-12?").message
    assert message == detente.UncertainDate(edtf="2025-12?")
    assert Date(message) == Date("2025-12?")
    assert Date(Date("2025-12?")).text == "2025-12?"
    with pytest.raises(detente.InvalidArgumentError, match="got the state ONGOING"):
        Date(detente.UncertainDate(state="ONGOING"))


def test_stands_where_messages_take_a_date() -> None:
    date = Date("2025-12?")
    assert detente.Release(effective_date=date).effective_date.edtf == "2025-12?"
    detention = detente.Detention(proceedings=[{"date": date}])
    assert detention.proceedings[0].date.edtf == "2025-12?"
    assert detente.from_dict(detente.Release, {"effective_date": date}).effective_date == (
        date.message
    )
    assert json.loads(json.dumps({"date": date})) == {"date": {"edtf": "2025-12?"}}


def test_stands_in_writes() -> None:
    with detente.open(":memory:") as db:
        made = db.releases.create(id="a", region_code="BY", effective_date=Date("2025-12?"))
        assert made.effective_date.earliest.month == 12
        changed = db.releases.update("a", effective_date=Date("XXXX-12-13"))
        assert changed.effective_date.precision == detente.UncertainDate.DIGITS
        assert not changed.effective_date.HasField("earliest")
        assert Date(changed.effective_date) == Date("XXXX-12-13")
        with pytest.raises(detente.InvalidArgumentError, match="a year from 1 to 9999 expected"):
            db.releases.update("a", effective_date=Date("0000"))


def test_dates_are_values() -> None:
    date = Date("2025-12-13?")
    assert repr(date) == "detente.Date('2025-12-13?')"
    assert date == Date("?2025-?12-?13")
    assert hash(date) == hash(Date("?2025-?12-?13"))
    assert date != Date("2025-12-13")
    assert date != "2025-12-13?"
    assert pickle.loads(pickle.dumps(date)) == date
    assert pickle.loads(pickle.dumps(date)).text == date.text
    assert copy.copy(date) is copy.deepcopy(date) is date.copy() is date
    for change in (
        lambda: date.update(edtf="2026"),
        lambda: date.__setitem__("edtf", "2026"),
        lambda: date.clear(),
        lambda: date.pop("edtf"),
        lambda: setattr(date, "text", "2026"),
        lambda: setattr(date, "_edtf", None),
    ):
        with pytest.raises(TypeError, match="does not change"):
            change()
    with pytest.raises(TypeError):
        date |= {"edtf": "2026"}  # type: ignore[misc, assignment]
    assert date.text == "2025-12-13?"


def test_order() -> None:
    texts = ["../2020", "../..", "2020-01-01", "2020-01", "2020", "2020?", "2020/..", "2021"]
    dates = [Date(text) for text in texts]
    assert sorted([*dates[3:], *dates[:3]]) == dates
    for left, right in itertools.pairwise(dates):
        assert left < right
        assert left <= right
        assert right > left
        assert right >= left
        assert not right < left
        assert left <= Date(left)
        assert left >= Date(left)
    with pytest.raises(TypeError):
        assert dates[0] < "2020"  # type: ignore[operator]


def test_days_in_a_date() -> None:
    assert DAY in Date("2025-12")
    assert DAY not in Date("2025-11")
    assert datetime.datetime(2025, 12, 13, 5) in Date("XXXX-12-13")
    assert datetime.date(2015, 1, 1) not in Date("[2010,2020]")
    assert "edtf" not in Date("2025")
    assert pandas.Timestamp("2025-12-13 05:00") in Date("2025-12")
    assert pandas.NaT not in Date("../..")
    with pytest.raises(detente.InvalidArgumentError):
        Date(pandas.NaT)


def test_relations_take_what_a_date_is_made_of() -> None:
    date = Date("2025-12")
    for window in ("2025", Date("2025"), pandas.Period("2025"), Date("2025").message):
        assert date.certainly_within(window)
        assert date.possibly_within(window)
        assert date.certainly_overlapping(window)
    assert date.possibly_within(DAY)
    assert not date.certainly_within(DAY)
    assert date.certainly_overlapping(DAY)
    assert date.possibly_before(DAY)
    assert date.possibly_after(DAY)
    assert not date.certainly_before(DAY)
    assert date.certainly_before("2026")
    assert date.certainly_after("2025-11")
    assert date.certainly_within((datetime.date(2025, 12, 1), None))
    assert date.certainly_within((None, datetime.date(2025, 12, 31)))
    assert date.certainly_within((None, None))
    assert not date.possibly_within((datetime.date(2026, 1, 1), None))
    assert not Date("[2010,2020]").possibly_within("2015")
    assert Date("{2010,2020}").certainly_overlapping("2010")
    assert not Date("{2010,2020}").possibly_overlapping("2015")
    with pytest.raises(detente.InvalidArgumentError, match="not after the last"):
        date.possibly_within((datetime.date(2026, 1, 1), datetime.date(2025, 1, 1)))
    assert date.certainly_within(("2025-12", "2025-12"))
    assert date.certainly_within((None, "2025"))
    assert not date.possibly_within(("2026", None))
    with pytest.raises(detente.InvalidArgumentError):
        date.possibly_within("2025-13")
    with pytest.raises(detente.InvalidArgumentError, match="a first and a last day"):
        date.possibly_within((datetime.date(2026, 1, 1),))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got int"):
        date.possibly_within((2025, None))  # type: ignore[arg-type]
    with pytest.raises(detente.InvalidArgumentError, match="a date expected, got NaT"):
        Date(pandas.NaT)


def test_html() -> None:
    assert Date("2025-12-13?")._repr_html_() == (
        "<code>2025-12-13?</code> (2025-12-13, day, uncertain)"
    )
    assert Date("2020/..")._repr_html_() == "<code>2020/..</code> (2020-01-01\u2013, interval)"


def test_pandas_is_imported_when_it_is_asked_for() -> None:
    program = (
        "import sys, detente\n"
        "date = detente.Date('2025')\n"
        "assert date.certainly_within('2025/2026')\n"
        "assert not {'pandas', 'yaml'} & set(sys.modules)\n"
        "date.to_period()\n"
        "assert 'pandas' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
