"""What a load did, and what is wrong with its rows."""

from dataclasses import dataclass, field
from typing import Any

from detente import errors
from detente._load import limits
from detente._load.faults import Problem

_TOLD = 20  # problems in the message of an error


@dataclass(repr=False)
class Report:
    """What a load did: numbers of records and rows, and what is wrong with them.

    Attributes:
        created: Records that were created.
        updated: Records that were there, and were changed.
        unchanged: Records that were there already; of a dry run, all that are right.
        revision: The store's newest revision after it.
        rows: Rows that were read.
        ignored_rows: Those that no record of the mapping takes.
        bad_rows: Those with something wrong; of them nothing is loaded.
        problems: What is wrong, cell by cell; at most 10,000 are kept.
        problem_count: How many there are.
        mapping: The mapping, in YAML.
        first: The first records, if it was a dry run.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    revision: int = 0
    rows: int = 0
    ignored_rows: int = 0
    bad_rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    mapping: str = ""
    first: list[Any] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All records that are right."""
        return self.created + self.updated + self.unchanged

    def __repr__(self) -> str:
        rows = f"{self.rows:,} rows, {self.bad_rows:,} bad; " if self.rows else ""
        return (
            f"<detente load: {rows}{self.created:,} created, {self.updated:,} updated, "
            f"{self.unchanged:,} unchanged; {self.problem_count:,} problems>"
        )

    def tell(self, problem: Problem) -> None:
        """Counts a problem, and keeps it if there is room."""
        self.problem_count += 1
        if len(self.problems) < limits.PROBLEMS:
            self.problems.append(problem)

    def tell_first(self, problem: Problem) -> None:
        """Counts a problem that is to be seen before all others, and keeps it."""
        self.problem_count += 1
        self.problems.insert(0, problem)
        del self.problems[limits.PROBLEMS :]

    def told(self, most: int = limits.PROBLEMS) -> str:
        """The problems, one on each line."""
        lines = [str(problem) for problem in self.problems[:most]]
        if self.problem_count > len(lines):
            lines.append(f"and {self.problem_count - len(lines):,} more")
        return "\n".join(lines)


class LoadError(errors.InvalidArgumentError):
    """Rows are wrong; `report` has them all."""

    report: Report

    def __init__(self, report: Report) -> None:
        wrong = "problem" if report.problem_count == 1 else "problems"
        what = "a part is loaded" if report.created + report.updated else "nothing is loaded"
        super().__init__(
            f"{report.problem_count:,} {wrong}, {what}\n{report.told(_TOLD)}",
            reason="INVALID_FIELD",
        )
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return LoadError, (self.report,)
