"""Programs that tests run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.unit_tests.waiting import HANG_S

# Options of a program in which every warning is an error, but for langsmith's own on Python 3.14.
STRICT = [
    "-Werror",
    "-Wignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning",
]

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
# The most memory that a program has had. What `resource` tells is at least what the process had
# that started it, and so nothing, when that is pytest.
PEAK_MB = """
def peak_mb():
    with open("/proc/self/status") as status:
        return int(status.read().partition("VmHWM:")[2].split()[0]) / 1000
"""


def run_python(
    code: str,
    *arguments: str,
    timeout_s: float = HANG_S,
    environment: dict[str, str] | None = None,
) -> str:
    """Run a program in a process of its own, where a crash is a failing test; return its output."""
    done = subprocess.run(
        [sys.executable, *STRICT, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=None if environment is None else {**os.environ, **environment},
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    return done.stdout
