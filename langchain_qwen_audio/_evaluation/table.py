"""Counts of errors → a table for people. Pure."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from langchain_qwen_audio._evaluation.error_counts import ErrorCounts

_KINDS = ("substituted", "deleted", "inserted")


def write_table(
    metric: str, units: str, counts: Mapping[str, ErrorCounts | None], total: ErrorCounts
) -> str:
    """Write a row for each recording, and one for all of them.

    Args:
        metric: The name of the error rate.
        units: What is counted.
        counts: The counts of each recording; None if it failed.
        total: The counts of all.
    """
    names = _short_names(counts)
    rows = [
        [metric, units, *_KINDS, "recording"],
        *([*_cells(it), name] for name, it in zip(names, counts.values(), strict=True)),
        [*_cells(total), "total"],
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: list[str], widths: list[int]) -> str:
    *numbers, name = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([*numbers, name.strip()])


def _cells(counts: ErrorCounts | None) -> list[str]:
    if counts is None:
        return ["failed", *["-"] * 4]
    rate = "none" if counts.rate is None else f"{counts.rate:.1%}"
    numbers = (counts.length, counts.substitutions, counts.deletions, counts.insertions)
    return [rate, *map(str, numbers)]


def _short_names(sources: Collection[str]) -> list[str]:
    """Leave out the folder that all are in."""
    folders = [re.split(r"(?<=[/\\])", source)[:-1] for source in sources]
    shared = takewhile(lambda names: len({*names}) == 1, zip(*folders, strict=False))
    length = sum(len(names[0]) for names in shared)
    return [source[length:] for source in sources]
