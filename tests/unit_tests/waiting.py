"""Wait for what other threads, processes or the kernel have yet to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Ends a test that hangs. It says nothing about speed, since a busy machine may be very slow.
HANG_S = 300


class Clock:
    """The monotonic clock, which can be put forward: what takes long need not be waited for.

    Attributes:
        ahead_s: By how much it is ahead of the real one.
    """

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._real = time.monotonic

    def __call__(self) -> float:
        return self._real() + self.ahead_s

    def forward(self, seconds: float) -> None:
        self.ahead_s += seconds


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as a condition holds.

    Raises:
        TimeoutError: It does not come to hold.
    """
    give_up = time.monotonic() + HANG_S
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError("The condition does not hold.")
        time.sleep(0.005)
