"""Threads that the end of the process does not wait for."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_T = TypeVar("_T")


class DaemonThreads:
    """Does work in a few daemon threads, in the order in which it comes.

    The threads of `concurrent.futures` are joined when the interpreter exits: Ctrl-C would end a
    program only after the last request in flight.
    """

    def __init__(self, limit: int, name: str) -> None:
        """Say how many threads there may be, and what they are called."""
        self._limit, self._name = limit, name
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Take work, which is done in the caller's context."""
        future: Future[_T] = Future()
        context = contextvars.copy_context()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(context.run(work))
                except BaseException as error:  # noqa: BLE001  # it is the caller's
                    future.set_exception(error)

        self._queue.put(run)
        if len(self._threads) < self._limit:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the threads when all work is done, and do not wait for that."""
        for _ in self._threads:
            self._queue.put(None)

    def _work(self) -> None:
        while (run := self._queue.get()) is not None:
            run()
            del run  # and what it holds
