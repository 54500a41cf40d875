"""Whose a `CancelledError` is: of who cancels a task, or of the code that the task runs."""

from __future__ import annotations

import asyncio


def is_being_cancelled() -> bool:
    """Tell whether somebody cancels this task.

    If nobody does, a `CancelledError` came from code of the user, for example from a task of its
    own that was cancelled. Passed on, it would end this task as if it had been cancelled, and
    nobody would learn of it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
