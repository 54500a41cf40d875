"""This package beside its peers, in one run on loopback → one table. See README.md.

python -m benchmarks [NAME…] [--record]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.pages import write_pages
from benchmarks.table import HEADER, heading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# In the order of the table; each module has a function `measure`, which yields rows.
MEASUREMENTS = (
    *("calls", "concurrency", "imports", "payloads", "first_byte", "batches", "hours", "bill"),
    *("live", "scale_out"),
)


def measure(names: Iterable[str]) -> Iterator[str]:
    """Measure, and yield the lines of the table as they come."""
    yield from (heading(), "", HEADER)
    for name in names:
        began = time.monotonic()
        yield from map(str, importlib.import_module(f"benchmarks.{name}").measure())
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)


def main() -> None:
    """Measure, print the table, and record it."""
    parser = argparse.ArgumentParser(description="Compare this package with its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--record", action="store_true", help="write all into docs/performance.md")
    arguments = parser.parse_args()
    if arguments.record and arguments.names:
        parser.error("--record takes the whole table: leave out names")
    lines = []
    for line in measure(arguments.names or MEASUREMENTS):
        print(line, flush=True)
        lines.append(line)
    if arguments.record:
        write_pages(lines)


if __name__ == "__main__":
    main()
