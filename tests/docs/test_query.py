"""The examples of the docstrings that docs/query.md speaks of; `test_pages` runs the page's own."""

import doctest
import pathlib
from typing import Any

import detente
import pytest
from detente import (
    aggregates,
    expressions,
    loading,
    neighbors,
    querying,
    reader,
    search,
    stocks,
    testing,
)

ROOT = pathlib.Path(__file__).parents[2]

SPOKEN = [
    querying.Querying.search,
    querying.Querying.aggregate,
    querying.Querying.stock,
    querying.Querying.neighbors,
    reader.Reader.list,
    expressions.Expression,
    expressions.Fields,
    search.Hits,
    aggregates.Aggregate,
    stocks.Stock,
    neighbors.Neighbors,
    testing.fill,
]


@pytest.fixture(scope="module")
def db() -> Any:
    with detente.open(":memory:", create=True) as opened:
        loading.load(opened, [ROOT / "samples/belarus-2025"])
        yield opened


@pytest.mark.parametrize("told", SPOKEN, ids=lambda told: told.__qualname__)
def test_examples_run(told: Any, db: detente.Database) -> None:
    examples_run(told, db)


def examples_run(told: Any, db: detente.Database, **names: Any) -> None:
    """Whatever they print; where an output is written below, it is that."""
    test = doctest.DocTestParser().get_doctest(
        told.__doc__, {"detente": detente, "db": db, **names}, told.__qualname__, None, None
    )
    for example in test.examples:
        if not example.want:
            example.want = "…\n"
    assert test.examples or told in (search.Hits,)
    failures: list[str] = []
    runner = doctest.DocTestRunner(checker=_AnyOutput(), verbose=False)
    result = runner.run(test, out=failures.append)
    assert result.failed == 0, "".join(failures)


class _AnyOutput(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return want == "…\n" or super().check_output(want, got, optionflags)
