"""What requests need and meet on their way is tested in all four modes of calling a model."""

import time

import pytest

from tests.unit_tests.calling_modes import ainvoke, astream, calls_in, invoke, stream
from tests.unit_tests.waiting import Clock

call_model = calls_in(invoke, ainvoke, stream, astream)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Make the clock of this package and of asyncio one that can be put forward."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock
