"""Thousands of calls at once to a server that fails on purpose → the result of every one.

The local test server runs in a separate process. Each question has an id; the outcome of each of
its attempts is derived from the id, so that both sides know it. See README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import math
import multiprocessing
import os
import random
import re
import resource
import sys
import time
import wave
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio.local import (
    RESET,
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    Reply,
    error_reply,
    sse_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from multiprocessing.connection import Connection

Way = Literal["invoke", "stream"]

TIMEOUT_S = 5.0
MAX_RETRIES = 2
DEADLINE_S = 300.0  # nothing takes so long, unless it hangs
FIRST = "first-half "

# What becomes of an attempt, and how often, in percent.
FATES = {"good": 70, "429": 10, "500": 5, "reset": 5, "cut": 5, "stall": 3, "silence": 2}
# The error of a call that has used up its retries.
LAST = {
    "429": errors.RateLimitError,
    "500": errors.APIError,
    "reset": errors.APIConnectionError,
    "cut": errors.APIConnectionError,
    "stall": errors.APITimeoutError,
    "silence": errors.APITimeoutError,
}
# The error of a stream that has begun, which is not retried.
BEGUN = {"cut": errors.StreamInterruptedError, "silence": errors.StreamTimeoutError}


def fates_of(number: int) -> list[str]:
    """Derive the outcome of each attempt of a question."""
    return random.Random(number).choices(  # noqa: S311  # not a secret
        list(FATES), list(FATES.values()), k=MAX_RETRIES + 1
    )


def expected(number: int, way: Way) -> set[str]:
    """Say how a question may end: one way, or two where a race on the wire decides.

    A reset may overtake the fragments before it; then nothing was passed on, and it is retried.
    """
    ends: set[str] = set()
    for fate in fates_of(number):
        if fate == "good":
            return {*ends, "right"}
        if way == "stream" and fate in BEGUN:
            ends.add(BEGUN[fate].__name__)
            if fate == "silence":
                return ends
        last = LAST[fate].__name__
    return {*ends, last}


def answer_to(number: int) -> str:
    """Make the one right answer to a question."""
    return f"{FIRST}answer-{number}."


# --- the service, in a process of its own -----------------------------------------------------


class Script:
    """Replies as the fates of a question want them, attempt by attempt."""

    def __init__(self) -> None:
        """Start with no attempts seen."""
        self.attempts: Counter[int] = Counter()

    def __call__(self, request: ReceivedRequest) -> str | Reply | RawReply:
        """Answer one attempt."""
        text = request.messages[-1]["content"][-1]["text"]
        number = int(re.sub(r"\D", "", text))
        attempt = self.attempts[number]
        self.attempts[number] += 1
        fates = fates_of(number)
        fate = fates[attempt] if attempt < len(fates) else "good"
        is_stream = "x-dashscope-sse" in request.headers
        match fate:
            case "429":
                headers = {"retry-after-ms": "50"}
                return error_reply(429, "Throttling.RateQuota", "slow down", headers=headers)
            case "500":
                return error_reply(500, "InternalError", "oops")
            case "reset":
                return RawReply(steps=[RESET])
            case "stall":
                return RawReply(steps=[math.inf])
            case "cut":
                return _begun(is_stream, 0.5, RESET)
            case "silence":
                return _begun(is_stream, math.inf)
        return Reply(fragments=(FIRST, f"answer-{number}."), pause_s=0.01)


def _begun(is_stream: bool, *then: Any) -> RawReply:
    """Begin to answer, and then do something else."""
    if not is_stream:
        return RawReply(200, {"content-type": "application/json"}, [b'{"output":', *then])
    message = {"role": "assistant", "content": [{"text": FIRST}]}
    choices = [{"finish_reason": "null", "message": message}]
    event = sse_event({"output": {"choices": choices}, "request_id": "r"}, 1)
    return RawReply(200, {"content-type": "text/event-stream"}, [event, *then])


def serve(pipe: Connection) -> None:
    """Run the local test server; send its address, then its counts at each request."""
    _allow_many_files()
    script = Script()
    with contextlib.suppress(EOFError, KeyboardInterrupt), LocalDashScope(reply=script) as server:
        pipe.send(server.base_url)
        while pipe.recv():
            traffic = server.open_connections, server.connections_accepted
            counts = script.attempts.total(), max(script.attempts.values())
            pipe.send((*traffic, *counts))


# --- the account ------------------------------------------------------------------------------


@dataclass
class Account:
    """The results of the questions of one phase."""

    name: str
    questions: dict[int, Way]
    ends: dict[int, str] = field(default_factory=dict)
    mixed_up: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def hung(self) -> int:
        """How many questions never ended."""
        return len(self.questions) - len(self.ends)

    @property
    def faults(self) -> list[str]:
        """List what is wrong."""
        counts = {
            "mixed up": len(self.mixed_up),
            "ended unexpectedly": len(self.unexpected),
            "hung": self.hung,
        }
        return [f"{self.name}: {count} {what}" for what, count in counts.items() if count]

    def close(self, number: int, end: str | errors.QwenAudioError, took_s: float) -> None:
        """Record how a question ended, and compare it with what was expected."""
        self.took_s.append(took_s)
        allowed = expected(number, self.questions[number])
        if isinstance(end, str):
            name, text, whole = "right", end, answer_to(number)
        else:
            name, text, whole = type(end).__name__, end.text, FIRST if end.text else ""
        if text != whole:
            self.mixed_up.append(f"{number}: {text!r} instead of {whole!r}")
            name = "MIXED UP"
        elif name not in allowed:
            self.unexpected.append(f"{number}: {end!r} instead of {allowed}")
            name = f"UNEXPECTED {name}"
        self.ends[number] = name

    def print(self) -> None:
        """Print the phase as a table."""
        took = sorted(self.took_s)
        print(f"\n{self.name}: {len(self.questions)} questions in {self.wall_s:.1f} s")
        for name, count in sorted(Counter(self.ends.values()).items(), key=lambda item: -item[1]):
            print(f"  {name:<28}{count:>8}")
        for label, count in (("mixed up", len(self.mixed_up)), ("hung", self.hung)):
            print(f"  {label:<28}{count:>8}")
        print(f"  {'throughput':<28}{len(took) / self.wall_s:>8.0f} /s")
        for label, share in (("latency p50", 0.5), ("latency p99", 0.99)):
            print(f"  {label:<28}{_quantile(took, share):>8.2f} s")
        for line in (self.mixed_up + self.unexpected)[:10]:
            print(f"  {line}")


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else math.nan


@dataclass
class Vitals:
    """Memory, open files and, in an event loop, how late it is; sampled while work is done."""

    rss_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)

    def sample(self) -> tuple[float, int]:
        """Measure now."""
        self.rss_mb.append(rss_mb())
        self.files.append(open_files())
        return self.rss_mb[-1], self.files[-1]

    async def watch(self, every_s: float = 0.02) -> None:
        """Measure as often as the loop allows, until cancelled."""
        next_sample = 0.0
        while True:
            due = time.monotonic() + every_s
            await asyncio.sleep(every_s)
            self.lags_s.append(time.monotonic() - due)
            if due > next_sample:
                next_sample = due + 0.2
                self.sample()


def rss_mb() -> float:
    """Read how much memory this process holds; its peak where the system tells no more."""
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def open_files() -> int:
    """Count this process's open file descriptors."""
    return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- the load ---------------------------------------------------------------------------------


def _clip() -> Audio:
    file = BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 16_000, 0, "NONE", ""))
        wav.writeframes(random.Random(0).randbytes(32_000))  # noqa: S311  # not a secret
    return Audio.from_bytes(file.getvalue())


def _question(number: int, clip: Audio) -> Any:
    """Make a question about an id, and in one of ten with a second of audio."""
    audio = [clip.to_block()] if number % 10 == 0 else []
    text = {"type": "text", "text": f"question {number}"}
    return [{"role": "user", "content": [*audio, text]}]


def _ways(numbers: Iterable[int]) -> dict[int, Way]:
    return {number: "stream" if number % 2 else "invoke" for number in numbers}


async def load_async(model: ChatQwenAudio, account: Account, concurrency: int) -> None:
    """Send all questions, so many at once."""
    clip, questions = _clip(), iter(account.questions.items())

    async def send(number: int, way: Way) -> str:
        if way == "invoke":
            return (await model.ainvoke(_question(number, clip))).text
        return "".join([chunk.text async for chunk in model.astream(_question(number, clip))])

    async def work() -> None:
        for number, way in questions:
            begun = time.monotonic()
            end: str | errors.QwenAudioError
            try:
                end = await send(number, way)
            except errors.QwenAudioError as error:
                end = error
            account.close(number, end, time.monotonic() - begun)

    begun = time.monotonic()
    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    done, hanging = await asyncio.wait(workers, timeout=DEADLINE_S)
    account.wall_s = time.monotonic() - begun
    for worker in hanging:
        worker.cancel()
    for worker in done:
        worker.result()


def load_threads(model: ChatQwenAudio, account: Account, threads: int) -> None:
    """Send all questions from so many threads."""
    clip = _clip()

    def send(number: int, way: Way) -> None:
        begun = time.monotonic()
        end: str | errors.QwenAudioError
        try:
            if way == "invoke":
                end = model.invoke(_question(number, clip)).text
            else:
                end = "".join(chunk.text for chunk in model.stream(_question(number, clip)))
        except errors.QwenAudioError as error:
            end = error
        account.close(number, end, time.monotonic() - begun)

    begun = time.monotonic()
    pool = ThreadPoolExecutor(threads)
    futures = [pool.submit(send, number, way) for number, way in account.questions.items()]
    for future in futures:
        with contextlib.suppress(TimeoutError):
            future.result(timeout=max(0.0, begun + DEADLINE_S - time.monotonic()))
    account.wall_s = time.monotonic() - begun
    pool.shutdown(wait=not account.hung, cancel_futures=True)


def measured(vitals: Vitals, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run work in a loop of its own while the vitals are watched."""

    async def run() -> None:
        watching = asyncio.create_task(vitals.watch())
        await work()
        watching.cancel()

    asyncio.run(run())


@contextlib.contextmanager
def service() -> Iterator[tuple[str, Callable[[], tuple[int, ...]]]]:
    """Run the local test server in another process; yield its address, and a way to its counts."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()

    def seen() -> tuple[int, ...]:
        ours.send(True)
        answer: tuple[int, ...] = ours.recv()
        return answer

    try:
        yield ours.recv(), seen
    finally:
        ours.send(False)
        process.join()
        process.close()
        ours.close()
        theirs.close()


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=3000, help="questions to send (%(default)s)")
    parser.add_argument("--concurrency", type=int, default=1000, help="at once (%(default)s)")
    parser.add_argument("--threads", type=int, default=64, help="of the sync phase (%(default)s)")
    options = parser.parse_args()
    calls, threads = options.calls, options.threads
    _allow_many_files()
    vitals, warm_up = Vitals(), max(options.concurrency, calls // 10)

    accounts = [
        Account("warm-up, async", _ways(range(warm_up))),
        Account("async: ainvoke and astream", _ways(range(10_000_000, 10_000_000 + calls))),
        Account("threads: invoke and stream", _ways(range(20_000_000, 20_000_000 + calls // 5))),
    ]
    with service() as (address, seen):
        model = ChatQwenAudio(
            base_url=address, api_key="local", timeout=TIMEOUT_S, max_retries=MAX_RETRIES
        )
        # Both pools, the SDK's modules and the allocator's arenas are there before it counts.
        model.invoke(_question(30_000_000, _clip()))
        measured(Vitals(), lambda: load_async(model, accounts[0], options.concurrency))
        gc.collect()
        before = vitals.sample()
        measured(vitals, lambda: load_async(model, accounts[1], options.concurrency))
        load_threads(model, accounts[2], threads)
        vitals.sample()
        connections, accepted, requests, most = seen()
    # The next call closes the sync pool's idle connections, now that the service is gone.
    with contextlib.suppress(errors.APIConnectionError):
        model.invoke("?", max_retries=0)
    gc.collect()
    after = vitals.sample()

    for account in accounts:
        account.print()
    lags_ms = [1000 * _quantile(sorted(vitals.lags_s), share) for share in (0.5, 0.99, 1.0)]
    print(f"\nserver: {requests} requests on {accepted} connections, {connections} open at the end")
    print("event loop lag: p50 {:.0f} ms, p99 {:.0f} ms, max {:.0f} ms".format(*lags_ms))
    print(f"\n{'':<20}{'before':>10}{'peak':>10}{'after':>10}")
    print(f"{'memory, MB':<20}{before[0]:>10.0f}{max(vitals.rss_mb):>10.0f}{after[0]:>10.0f}")
    print(f"{'open files':<20}{before[1]:>10}{max(vitals.files):>10}{after[1]:>10}")

    faults = [fault for account in accounts for fault in account.faults]
    if most > MAX_RETRIES + 1:
        faults.append(f"{most} attempts at one question")
    if after[1] > before[1]:
        faults.append(f"{after[1] - before[1]} files left open")
    if after[0] > before[0] * 1.1 + 10:
        faults.append(f"{after[0] - before[0]:.0f} MB of memory left behind")
    print("\n" + ("; ".join(faults) or "every question accounted for, nothing left behind"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
