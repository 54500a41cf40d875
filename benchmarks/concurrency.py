"""Many calls at once, each peer in processes of its own → times, and how late the event loop is.

A new process for each turn: the garbage collector visits all objects that a process has.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from benchmarks.calls import beside
from benchmarks.peers import CHAT_OPENAI, OURS, QUESTION, TEN_LINES, open_model
from benchmarks.service import PIECES, Service
from benchmarks.table import Beside, Row, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_core.language_models import BaseChatModel

PEERS = (TEN_LINES, OURS, CHAT_OPENAI)
DELAY_MS = 100
CALLS, STREAMS = 300, 1000
SLEEP_S = 0.005
T = TypeVar("T")


class Started(NamedTuple):
    """What many streams at once took, in ms."""

    longest_lag: float
    first_fragment: float
    whole: float


def measure() -> Iterator[Row]:
    """Time calls, and streams, to a service that takes 100 ms."""
    with Service() as service:
        url = service.url(delay_ms=DELAY_MS)
        turns = _in_turns(partial(_time_calls, url=url), 2, PEERS)
        yield Row(
            f"{CALLS} `ainvoke` at once, {DELAY_MS} ms of service time",
            statistics.median(turns[OURS]),
            "ms",
            otherwise=beside(turns, CHAT_OPENAI, target=0.35),
            limit=beside(turns, TEN_LINES, target=1.15),
        )
        start = partial(_start_streams, url=url)
        found = _in_turns(start, 2, (TEN_LINES, OURS)) | _in_turns(start, 1, (CHAT_OPENAI,))
    ours, limit, otherwise = (
        Started(*map(statistics.median, zip(*found[name], strict=True)))
        for name in (OURS, TEN_LINES, CHAT_OPENAI)
    )
    what = f"{STREAMS:,} `astream` at once"
    yield Row(
        f"{what}: the longest that the event loop is late",
        ours.longest_lag,
        "ms",
        otherwise=Beside(CHAT_OPENAI, otherwise.longest_lag),
        limit=Beside(TEN_LINES, limit.longest_lag),
        target=Target(250),
    )
    yield Row(
        f"{what}: until the first fragment, median",
        ours.first_fragment,
        "ms",
        otherwise=Beside(CHAT_OPENAI, otherwise.first_fragment),
        limit=Beside(TEN_LINES, limit.first_fragment, Target(1.5)),
    )
    yield Row(
        f"{what}: until all have ended",
        ours.whole,
        "ms",
        otherwise=Beside(CHAT_OPENAI, otherwise.whole),
        limit=Beside(TEN_LINES, limit.whole),
    )


def _in_turns(job: Callable[[str], T], rounds: int, peers: Sequence[str]) -> dict[str, list[T]]:
    """Do a job for each peer in a new process each time."""
    found: dict[str, list[T]] = {name: [] for name in peers}
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        for _ in range(rounds):
            for name, results in found.items():
                results.append(processes.submit(job, name).result())
    return found


def _time_calls(name: str, url: str) -> float:
    """Send calls at once, several times; return the median, in ms."""

    async def ask_all() -> float:
        times = []
        async with open_model(name, url) as model:
            for _ in range(5):
                began = time.perf_counter()
                await asyncio.gather(*(model.ainvoke(QUESTION) for _ in range(CALLS)))
                times.append(1000 * (time.perf_counter() - began))
        return statistics.median(times[1:])  # the first one warms up

    return asyncio.run(ask_all())


def _start_streams(name: str, url: str) -> Started:
    """Open streams at once, and read them to their ends."""

    async def ask_all() -> Started:
        async with open_model(name, url) as model:
            await _first_fragment(model)  # connections and imports
            lags: list[float] = []
            ticking = asyncio.create_task(_note_lags(lags))
            began = time.perf_counter()
            firsts = await asyncio.gather(*(_first_fragment(model) for _ in range(STREAMS)))
            whole = time.perf_counter() - began
            ticking.cancel()
        first = statistics.median(firsts) - began
        return Started(max(lags) * 1000, first * 1000, whole * 1000)

    return asyncio.run(ask_all())


async def _note_lags(lags: list[float]) -> None:
    """Note how late a task wakes up that sleeps some milliseconds at a time."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(SLEEP_S)
        lags.append(time.perf_counter() - began - SLEEP_S)


async def _first_fragment(model: BaseChatModel) -> float:
    """Read a stream to its end, and return when its first text came."""
    first, count = 0.0, 0
    async for fragment in model.astream(QUESTION):
        if fragment.content:
            first = first or time.perf_counter()
            count += 1
    if count < PIECES:
        raise AssertionError(f"{count} fragments came, expected {PIECES}")
    return first
