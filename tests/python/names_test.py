"""Names that are asked for in another spelling than they are kept in; all are made up."""

import detente
import pytest
from detente import f

FOUND = [
    ("测试名", "Ce Shiming"),
    ("测试名", "Shiming CE"),
    ("测试名", "Cè Shìmíng"),
    ("Shiming Ce", "测试名"),
    ("Ce Shiming", "测 试名"),
    ("測試名", "测试名"),
    ("O'Test", "OTest"),
    ("OTest", "O\u2019Test"),
    ("Jean-Test Persona", "Jeantest Persona"),
    ("Jeantest Persona", "Persona Jean-Test"),
    ("Al-Testif", "AlTestif"),
    ("Тэстыхоўская", "Testychoŭskaja"),
    ("Тестыховская", "Testychowskaja"),
    ("Cestychouska", "Tsestykhovskaya"),
    ("Тест'яна", "Тест`яна"),
    ("Тестьяна", "Test'iana"),
    ("Testandar", "Тестандр"),
    ("Ulatest Testovič", "Влатест Тестович"),
    ("Testoctor", "Тестоктор"),
    ("Testazki", "Тестацкий"),
    ("مُحَبَّر", "محبر"),
    ("أختبار", "اختبار"),
    ("Testovina", "Testovina's"),
    ("TESTÓ Ñame", "testo name"),
]
NOT_FOUND = [("Testov", "Testenko"), ("Testychouski", "Testytouski"), ("those", "测试")]


@pytest.fixture(scope="module")
def db() -> detente.Database:
    db = detente.open(":memory:", create=True)
    with db.batch() as batch:
        for number, (kept, _) in enumerate(FOUND + NOT_FOUND):
            batch.persons.create(detente.Person(display_name=kept), id=f"p-{number}")
    return db


@pytest.mark.parametrize(("kept", "asked"), FOUND)
def test_spellings_find_each_other(db: detente.Database, kept: str, asked: str) -> None:
    assert kept in {person.display_name for person in db.search(asked).records()}
    assert kept in {person.display_name for person in db.persons.list(f.matches_name(asked))}


@pytest.mark.parametrize(("kept", "asked"), NOT_FOUND)
def test_other_names_are_not_found(db: detente.Database, kept: str, asked: str) -> None:
    assert kept not in {person.display_name for person in db.search(asked).records()}
    if asked.isascii():  # Pinyin sounds like much
        assert kept not in {
            person.display_name for person in db.persons.list(f.matches_name(asked))
        }


def test_what_was_found_is_shown(db: detente.Database) -> None:
    hits = {hit.name: hit for hit in db.search("Shiming")}
    shown = [str(highlight) for highlight in hits["persons/p-0"].highlights]
    assert any("测«试名»" in text for text in shown), shown
