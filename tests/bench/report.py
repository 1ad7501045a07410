"""Figures of the benchmarks: a table for people, JSON for programs."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import statistics
from collections.abc import Sequence
from typing import Any


class WrongResultError(Exception):
    """What was measured is not what was meant: the one way for a benchmark to fail."""


def check(right: bool, what: str) -> None:
    if not right:
        raise WrongResultError(what)


@dataclasses.dataclass
class Row:
    """One measured thing, a value for each round.

    Attributes:
        baseline: The same rounds of what it is compared with; the ratio is taken round by round.
        target: The limit of the ratio, or of the value where there is no baseline.
        at_most: Whether the target is the most (or the least) that is allowed.
    """

    name: str
    unit: str
    values: Sequence[float]
    baseline: Sequence[float] | None = None
    target: float | None = None
    at_most: bool = True

    @property
    def ratios(self) -> list[float] | None:
        if self.baseline is None:
            return None
        return [mine / other for mine, other in zip(self.values, self.baseline, strict=True)]

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        median = statistics.median(self.ratios or self.values)
        return median <= self.target if self.at_most else median >= self.target

    def cells(self) -> list[str]:
        ratio = spread = target = ""
        if self.ratios is not None:
            ratio = f"{statistics.median(self.ratios):.2f}x"
            spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        if self.target is not None:
            limit = f"{self.target:g}x" if self.ratios else f"{number(self.target)} {self.unit}"
            target = f"{'<=' if self.at_most else '>='} {limit}"
        return [
            self.name,
            f"{number(statistics.median(self.values))} {self.unit}",
            f"{number(min(self.values))}-{number(max(self.values))}",
            ratio,
            spread,
            target,
            {None: "", True: "met", False: "MISSED"}[self.met],
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            **{k: v for k, v in dataclasses.asdict(self).items() if v is not None},
            "median": statistics.median(self.values),
            **({"ratio": statistics.median(self.ratios)} if self.ratios else {}),
            **({"met": self.met} if self.met is not None else {}),
        }


@dataclasses.dataclass
class Result:
    """A benchmark's rows, with what was done in words."""

    name: str
    setup: str
    rows: list[Row]

    def print(self) -> None:
        print(f"\n{self.name}: {self.setup}")
        head = ["", "median", "min-max", "ratio", "min-max", "target", ""]
        table = [head, *(row.cells() for row in self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(head))]
        for line in table:
            first, *rest = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print(f"  {'  '.join([first, *rest])}".rstrip())


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def machine() -> dict[str, Any]:
    model = ""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def save(path: str, command: str, results: list[Result]) -> None:
    document = {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "command": command,
        "benchmarks": {
            result.name: {"setup": result.setup, "rows": [row.to_json() for row in result.rows]}
            for result in results
        },
    }
    pathlib.Path(path).write_text(json.dumps(document, indent=1) + "\n")
