"""Wait for what other threads, processes or the kernel have yet to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Ends a test that hangs. It says nothing about speed, since a busy machine may be very slow.
HANG_S = 300


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
