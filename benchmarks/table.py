"""Rows of measurements, beside peers and targets → lines of a table in Markdown."""

from __future__ import annotations

import datetime as dt
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = "| | this package | otherwise | limit | ratio | target | |\n|---|---|---|---|---|---|---|"


class Target(NamedTuple):
    """The most that a value should be, or the least."""

    bound: float
    is_least: bool = False

    def is_met(self, value: float) -> bool:
        """Tell whether a value is within the bound."""
        return value >= self.bound if self.is_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {number(self.bound)}"


@dataclass(frozen=True)
class Beside:
    """What this package is compared with.

    Attributes:
        name: What it is.
        value: In the unit of its row.
        target: What this package's value, divided by it, should be.
        ratio: That ratio, if it is not that of the two values: the median of several turns'.
    """

    name: str
    value: float
    target: Target | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Row:
    """What was measured.

    Attributes:
        what: What was done.
        ours: What this package takes, or does.
        unit: Of the values.
        otherwise: What a user has without this package, or without an option of it.
        limit: What no package of its kind is better than.
        target: What the value itself should be.
    """

    what: str
    ours: float
    unit: str
    otherwise: Beside | None = None
    limit: Beside | None = None
    target: Target | None = None

    def __str__(self) -> str:
        besides = [it for it in (self.otherwise, self.limit) if it]
        checks = [
            (f"{target}{unit}", target.is_met(value)) for value, unit, target in self._targets()
        ]
        cells = (
            self.what,
            f"{number(self.ours)} {self.unit}",
            *(
                f"{it.name}: {number(it.value)}" if it else ""
                for it in (self.otherwise, self.limit)
            ),
            "; ".join(f"{self._ratio(it):.2f} × {it.name}" for it in besides),
            "; ".join(text for text, _ in checks),
            "; ".join("met" if is_met else "**missed**" for _, is_met in checks),
        )
        return f"| {' | '.join(cells)} |"

    def _ratio(self, beside: Beside) -> float:
        return beside.ratio or self.ours / beside.value

    def _targets(self) -> Iterator[tuple[float, str, Target]]:
        """List the values that have a target, and what they are counted in."""
        for it in (self.otherwise, self.limit):
            if it and it.target:
                yield self._ratio(it), " ×", it.target
        if self.target:
            yield self.ours, f" {self.unit}", self.target


@dataclass(frozen=True)
class Skipped:
    """What was not measured, and why."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"| {self.what} | not measured: {self.reason} | | | | | |"


def number(value: float) -> str:
    """Write three digits, or all of a whole number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def heading() -> str:
    """Say the day and the machine."""
    today = dt.datetime.now(tz=dt.UTC).date()
    return (
        f"{today}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
