"""Work in threads that the end of the process does not wait for."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def submit(work: Callable[[], _T], name: str) -> Future[_T]:
    """Begin work in a daemon thread of its own, in the caller's context.

    The threads of `concurrent.futures` are joined when the interpreter exits: Ctrl-C would end a
    program only after the last request in flight.

    Args:
        work: What to do.
        name: What the thread is called.
    """
    future: Future[_T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(context.run(work))
            except BaseException as error:  # noqa: BLE001  # it is the caller's, as in an executor
                future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
