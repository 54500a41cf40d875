"""Callers that want the same at the same time → one of them does it, and all have its outcome."""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import Future
from typing import TYPE_CHECKING

import httpx
from langchain_core.exceptions import ModelError

from langchain_qwen_audio._locks import ForkSafeLock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator

    from langchain_qwen_audio._service.time_limits import CallTimeout


class SingleFlight:
    """Shares the outcome of work: what it returns, or the error in which it ends.

    If whoever works is cancelled, or has no time left, another caller takes over.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, Future[str | None]] = {}
        self._lock = ForkSafeLock()
        if hasattr(os, "register_at_fork"):  # in a child process nobody works on them
            os.register_at_fork(after_in_child=self._flights.clear)

    def run(self, key: Hashable, call: CallTimeout, work: Callable[[], str]) -> str:
        """Do the work, or wait for a thread that does it.

        Raises:
            ModelError: It failed, whoever did it.
            httpx.ReadTimeout: The call ends before the work does.
        """
        while True:
            flight, is_own = self._join(key)
            if is_own:
                with self._ending(key, flight, call):
                    outcome = work()
                    flight.set_result(outcome)
                    return outcome
            with _bounded():
                shared = flight.result(call.left_s)
            if shared is not None:
                return shared

    async def arun(
        self, key: Hashable, call: CallTimeout, work: Callable[[], Awaitable[str]]
    ) -> str:
        """Do the work, or wait for a task of this event loop that does it; see `run`."""
        key = (key, asyncio.get_running_loop())  # a thread could block the loop that it waits for
        while True:
            flight, is_own = self._join(key)
            if is_own:
                with self._ending(key, flight, call):
                    outcome = await work()
                    flight.set_result(outcome)
                    return outcome
            with _bounded():
                async with asyncio.timeout(call.left_s):
                    shared = await asyncio.shield(asyncio.wrap_future(flight))
            if shared is not None:
                return shared

    def _join(self, key: Hashable) -> tuple[Future[str | None], bool]:
        with self._lock:
            is_own = key not in self._flights
            return self._flights.setdefault(key, Future()), is_own

    @contextlib.contextmanager
    def _ending(
        self, key: Hashable, flight: Future[str | None], call: CallTimeout
    ) -> Iterator[None]:
        try:
            yield
        except ModelError as error:
            if call.left_s is None or call.left_s > 0:
                flight.set_exception(error)
            raise
        finally:
            with self._lock:
                self._flights.pop(key, None)
            if not flight.done():
                flight.set_result(None)  # another one takes over


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout("the call took longer than its total_timeout") from error
