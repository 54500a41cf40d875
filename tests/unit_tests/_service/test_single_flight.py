"""One outcome for all who want the same at once, whoever works for it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_qwen_audio._service.single_flight import SingleFlight
from langchain_qwen_audio._service.time_limits import CallTimeout
from langchain_qwen_audio.errors import APIError, APITimeoutError
from tests.unit_tests.rows import each_row
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

LONG = CallTimeout(300)
CALLERS = 20


class CountedFlight(SingleFlight):
    """Counts its callers, so that a test can wait until all are there."""

    joined = 0

    def _join(self, key: Hashable) -> tuple[Future[str | None], bool]:
        found = super()._join(key)
        self.joined += 1
        return found


class Work:
    """Ends when `go` is set, as `ends` says one after the other; the last one stays."""

    def __init__(self, *ends: str | Exception) -> None:
        self.ends, self.done, self.go = list(ends), 0, threading.Event()

    def __call__(self) -> str:
        self.done += 1
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        assert self.go.wait(300)
        if isinstance(end, Exception):
            raise end
        return end

    async def twin(self) -> str:
        return await asyncio.to_thread(self)


def outcomes_of(work: Work, calls: list[CallTimeout], *, is_async: bool) -> list[Any]:
    """Let callers come one after the other, let the work end, and collect what each gets."""
    flight = CountedFlight()
    if is_async:
        return asyncio.run(_gathered(flight, work, calls))
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = []
        for call in calls:
            futures.append(pool.submit(flight.run, "key", call, work))
            wait_until(lambda: flight.joined == len(futures))
        work.go.set()
        return [future.exception() or future.result() for future in futures]


async def _gathered(flight: CountedFlight, work: Work, calls: list[CallTimeout]) -> list[Any]:
    tasks = []
    for call in calls:
        tasks.append(asyncio.create_task(flight.arun("key", call, work.twin)))
        await _until(lambda: flight.joined == len(tasks))
    work.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition)


@pytest.fixture(params=[False, True], ids=["threads", "tasks"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@each_row("end", ["oss://a", APIError("oops")])
def test_all_have_the_outcome_of_one(end: str | Exception, *, is_async: bool) -> None:
    work = Work(end)
    assert outcomes_of(work, [LONG] * CALLERS, is_async=is_async) == [end] * CALLERS
    assert work.done == 1


def test_the_next_caller_works_anew(*, is_async: bool) -> None:
    work = Work(APIError("oops"), "oss://a")
    work.go.set()
    flight = SingleFlight()

    def run() -> str:
        if is_async:
            return asyncio.run(flight.arun("key", LONG, work.twin))
        return flight.run("key", LONG, work)

    with pytest.raises(APIError, match="oops"):
        run()
    assert run() == "oss://a"


def test_whoever_has_no_time_left_fails_alone(*, is_async: bool) -> None:
    late = CallTimeout(300, deadline=time.monotonic())
    work = Work(APITimeoutError("too late"), "oss://a")
    first, *others = outcomes_of(work, [late, LONG, LONG], is_async=is_async)
    assert isinstance(first, APITimeoutError)
    assert others == ["oss://a"] * 2


def test_a_fault_of_ours_is_nobody_elses(*, is_async: bool) -> None:
    work = Work(KeyError("ours"), "oss://a")
    first, *others = outcomes_of(work, [LONG] * 3, is_async=is_async)
    assert isinstance(first, KeyError)
    assert others == ["oss://a"] * 2


def test_waiting_ends_with_the_call(*, is_async: bool) -> None:
    flight, work = CountedFlight(), Work("oss://a")
    soon = CallTimeout(300, deadline=time.monotonic() + 0.05)

    async def both() -> str:
        first = asyncio.create_task(flight.arun("key", LONG, work.twin))
        await _until(lambda: flight.joined == 1)
        with pytest.raises(httpx.ReadTimeout, match="total_timeout"):
            await flight.arun("key", soon, work.twin)
        work.go.set()
        return await first

    if is_async:
        assert asyncio.run(both()) == "oss://a"
        return
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(flight.run, "key", LONG, work)
        wait_until(lambda: flight.joined == 1)
        with pytest.raises(httpx.ReadTimeout, match="total_timeout"):
            flight.run("key", soon, work)
        work.go.set()
        assert first.result() == "oss://a"


@pytest.mark.parametrize("cancelled", [0, 1], ids=["who works", "who waits"])
async def test_a_cancelled_task_is_cancelled_alone(cancelled: int) -> None:
    flight, work = CountedFlight(), Work("oss://a", "oss://a")
    tasks = []
    for count in (1, 2, 3):
        tasks.append(asyncio.create_task(flight.arun("key", LONG, work.twin)))
        await _until(lambda: flight.joined == count)  # noqa: B023
    tasks[cancelled].cancel()
    await asyncio.wait([tasks[cancelled]])
    work.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ends.pop(cancelled), asyncio.CancelledError)
    assert ends == ["oss://a"] * 2


def test_each_event_loop_works_by_itself() -> None:
    flight, work = CountedFlight(), Work("oss://a", "oss://b", "oss://c")
    with ThreadPoolExecutor(3) as pool:
        ends = [
            pool.submit(lambda: asyncio.run(flight.arun("key", LONG, work.twin))),
            pool.submit(lambda: asyncio.run(flight.arun("key", LONG, work.twin))),
            pool.submit(flight.run, "key", LONG, work),
        ]
        wait_until(lambda: work.done == 3)
        work.go.set()
        assert {end.result() for end in ends} == {"oss://a", "oss://b", "oss://c"}
