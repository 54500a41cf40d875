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
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmarks import clips
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
    from collections.abc import Callable, Iterator
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
    """Run the local test server; send its address, then the most attempts at each request."""
    _allow_many_files()
    script = Script()
    with contextlib.suppress(EOFError), LocalDashScope(reply=script) as server:
        pipe.send(server.base_url)
        while pipe.recv():
            pipe.send(max(script.attempts.values()))


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


class Vitals(NamedTuple):
    """Memory, in MB, and open files of this process; Linux tells."""

    memory: float
    files: int

    @classmethod
    def now(cls) -> Vitals:
        """Measure."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        files = len(list(Path("/proc/self/fd").iterdir()))
        return cls(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files)


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- the load ---------------------------------------------------------------------------------


def _clip() -> Audio:
    return Audio.from_bytes(clips.wav(1, 16_000, 1))


def _question(number: int, clip: Audio) -> Any:
    """Make a question about an id, and in one of ten with a second of audio."""
    audio = [clip.to_block()] if number % 10 == 0 else []
    text = {"type": "text", "text": f"question {number}"}
    return [{"role": "user", "content": [*audio, text]}]


def _ways(first: int, count: int) -> dict[int, Way]:
    numbers = range(first, first + count)
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


@contextlib.contextmanager
def service() -> Iterator[tuple[str, Callable[[], int]]]:
    """Run the local test server in another process; yield its address, and a way to its count."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def most_attempts() -> int:
        ours.send(True)
        count: int = ours.recv()
        return count

    try:
        yield ours.recv(), most_attempts
    finally:
        ours.close()  # at which it stops
        process.join()


def run(accounts: list[Account], concurrency: int, threads: int) -> Iterator[Vitals | int]:
    """Send all questions; yield the vitals before and after, and the most attempts at one."""
    warm_up, mixed, sync = accounts
    with service() as (address, most_attempts):
        model = ChatQwenAudio(
            base_url=address, api_key="local", timeout=TIMEOUT_S, max_retries=MAX_RETRIES
        )
        # Both pools, the SDK's modules and the allocator's arenas are there before it counts.
        model.invoke(_question(30_000_000, _clip()))
        asyncio.run(load_async(model, warm_up, concurrency))
        gc.collect()
        yield Vitals.now()
        asyncio.run(load_async(model, mixed, concurrency))
        load_threads(model, sync, threads)
        yield most_attempts()
    # The next call closes the sync pool's idle connections, now that the service is gone.
    with contextlib.suppress(errors.APIConnectionError):
        model.invoke("?", max_retries=0)
    gc.collect()
    yield Vitals.now()


def faults_of(before: Vitals, most_attempts: int, after: Vitals) -> Iterator[str]:
    """Say what is left behind, or was repeated too often."""
    if most_attempts > MAX_RETRIES + 1:
        yield f"{most_attempts} attempts at one question"
    if after.files > before.files:
        yield f"{after.files - before.files} files left open"
    if after.memory > before.memory * 1.1 + 10:
        yield f"{after.memory - before.memory:.0f} MB of memory left behind"


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description="Thousands of calls to a server that fails.")
    parser.add_argument("--calls", type=int, default=3000, help="questions to send (%(default)s)")
    parser.add_argument("--concurrency", type=int, default=1000, help="at once (%(default)s)")
    parser.add_argument("--threads", type=int, default=64, help="of the sync phase (%(default)s)")
    options = parser.parse_args()
    _allow_many_files()
    accounts = [
        Account("warm-up, async", _ways(0, options.concurrency)),
        Account("async: ainvoke and astream", _ways(10_000_000, options.calls)),
        Account("threads: invoke and stream", _ways(20_000_000, options.calls // 5)),
    ]
    found: list[Any] = list(run(accounts, options.concurrency, options.threads))
    for account in accounts:
        account.print()
    before, _, after = found
    print(f"\nmemory: {before.memory:.0f} MB before, {after.memory:.0f} MB after")
    print(f"open files: {before.files} before, {after.files} after")
    faults = [fault for account in accounts for fault in account.faults]
    faults += faults_of(*found)
    print("\n" + ("; ".join(faults) or "every question accounted for, nothing left behind"))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
