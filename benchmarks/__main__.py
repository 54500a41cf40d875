"""This package beside its peers, in one run on loopback → one table. See README.md.

python -m benchmarks [NAME…]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from benchmarks.table import HEADER, heading

# In the order of the table; each module has a function `measure`, which yields rows.
MEASUREMENTS = (*("calls", "concurrency", "imports", "payloads"),)


def main() -> None:
    """Measure, and print the table row by row."""
    parser = argparse.ArgumentParser(description="Compare this package with its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    names = parser.parse_args().names or MEASUREMENTS
    print(f"{heading()}\n\n{HEADER}", flush=True)
    for name in names:
        began = time.monotonic()
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            print(row, flush=True)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
