"""This package beside its peers, in one run on loopback → ratios. See README.md.

python -m benchmarks.speed [--only NAME…]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import gc
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pybase64

from benchmarks import clips
from benchmarks.peers import KEY, MODEL, PEERS, Peer, Urls, make_peer, ours
from benchmarks.service import Service
from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._media.worker_pool import POOL
from langchain_qwen_audio._models.profiles import ASR, QWEN_AUDIO
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio._transcription.segments import split_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PIECES = 50
MILLI = 1000.0
OURS, SDK, FLOOR = "ChatQwenAudio", "SDK", "LangChain's floor"


class Compared(NamedTuple):
    """A value beside a limit, which is the most that it should be, or the least."""

    what: str
    value: float
    limit: float
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value is within the limit."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit


@dataclass
class Result:
    """What one measurement found.

    Attributes:
        what: What was done.
        unit: Of the values.
        values: The median of each peer.
        turns: What these are the medians of, where peers took turns.
        compared: What becomes of them, and what should.
        notes: What else was seen.
    """

    what: str
    unit: str
    values: dict[str, float] = field(default_factory=dict)
    turns: dict[str, list[float]] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of_turns(cls, what: str, turns: dict[str, list[float]]) -> Result:
        """Take the seconds of each peer's turns."""
        turns = {name: [taken * MILLI for taken in seconds] for name, seconds in turns.items()}
        values = {name: statistics.median(taken) for name, taken in turns.items()}
        return cls(what, "ms", values, turns)

    def compare(self, to: str, limit: float, *, mine: str = OURS) -> None:
        """Note the ratio of a value to that of peers, whose names are joined by " + ".

        Of turns it is the median of each turn's ratio: a machine that is slower for a while is so
        for all who take part in the turn.
        """
        turns = self.turns or {name: [value] for name, value in self.values.items()}
        others = map(sum, zip(*(turns[name] for name in to.split(" + ")), strict=True))
        ratios = (value / other for value, other in zip(turns[mine], others, strict=True))
        self.compared.append(Compared(f"÷ {to}", statistics.median(ratios), limit))


# --- one at a time ----------------------------------------------------------------------------


def timed(
    ways: Mapping[str, Callable[[], object]], rounds: int, in_a_row: int = 10
) -> dict[str, list[float]]:
    """Time ways to do the same, in turns of some in a row; the medians of each, in seconds."""
    turns: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            times = []
            for _ in range(in_a_row):
                began = time.perf_counter()
                way()
                times.append(time.perf_counter() - began)
            turns[name].append(statistics.median(times))
    return {name: medians[1:] for name, medians in turns.items()}  # the first one warms up


def working(urls: Urls, way: str) -> dict[str, Callable[[], Any]]:
    """Find the peers that have a calling mode, by trying."""
    found = {}
    for name in PEERS:
        ask = getattr(make_peer(name, urls), way)
        with contextlib.suppress(NotImplementedError):
            answer = ask()
            if way == "stream":
                list(cast("Iterator[object]", answer))
            found[name] = ask
    return found


def invoke(service: Service) -> Iterator[Result]:
    """Time a call with a short message."""
    asks = working(Urls.of(service), "invoke")
    result = Result.of_turns("`invoke`, a short message", timed(asks, rounds=60))
    result.compare(f"{SDK} + {FLOOR}", 1.10)
    result.compare("ChatOpenAI", 0.5)
    yield result


def stream(service: Service) -> Iterator[Result]:
    """Time a stream of 50 fragments, and its first one."""
    asks = working(Urls.of(service, pieces=PIECES), "stream")
    whole = timed({name: partial(_all, ask) for name, ask in asks.items()}, rounds=40)
    result = Result.of_turns(f"`stream`, {PIECES} fragments", whole)
    result.compare(f"{SDK} + {FLOOR}", 1.15)
    result.compare("ChatOpenAI", 0.35)
    yield result

    first = timed({name: partial(_first, ask) for name, ask in asks.items()}, rounds=30)
    result = Result.of_turns("time to the first fragment", first)
    later = result.values[OURS] - result.values[SDK]
    result.compared.append(Compared("ms after the SDK's", later, 1.0))
    yield result


def _all(ask: Callable[[], Iterator[object]]) -> None:
    """Wait for every fragment."""
    for _ in ask():
        pass


def _first(ask: Callable[[], Iterator[object]]) -> None:
    """Wait for the first fragment with text; the rest is not read."""
    fragments = ask()
    for fragment in fragments:
        if getattr(fragment, "content", fragment):
            break
    fragments.close()  # type: ignore[attr-defined]


# --- many at once, each peer in a process of its own ------------------------------------------


def _in_turns(job: Callable[[str, Urls], Any], urls: Urls, rounds: int) -> dict[str, list[Any]]:
    """Do a job for each peer that can, in a new process each time."""
    found: dict[str, list[Any]] = {}
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        for _ in range(rounds):
            for name in PEERS:
                with contextlib.suppress(NotImplementedError):
                    found.setdefault(name, []).append(processes.submit(job, name, urls).result())
    return {name: results for name, results in found.items() if results}


def many(service: Service) -> Iterator[Result]:
    """Time 300 calls at once to a service that takes 100 ms."""
    times = _in_turns(_many, Urls.of(service, delay_ms=100), rounds=2)
    result = Result.of_turns("300 `ainvoke` at once, 100 ms of service time", times)
    result.compare("raw aiohttp", 1.5)
    result.compare("ChatOpenAI", 0.3)
    yield result


def _many(name: str, urls: Urls) -> float:
    async def ask_all() -> float:
        times = []
        async with make_peer(name, urls) as peer:
            for _ in range(6):
                began = time.perf_counter()
                await asyncio.gather(*(peer.ainvoke() for _ in range(300)))
                times.append(time.perf_counter() - began)
        return statistics.median(times[1:])

    return asyncio.run(ask_all())


def thousand(service: Service) -> Iterator[Result]:
    """Open 1,000 streams at once, and see how late the event loop is."""
    result = Result("event loop lag, 1,000 `astream` at once, median", "ms")
    found = _in_turns(_lags, Urls.of(service, delay_ms=100, pieces=PIECES), rounds=1)
    for name, [(lags, errors, seconds)] in found.items():
        result.values[name] = statistics.median(lags) * MILLI
        result.notes.append(
            f"{name}: {errors} errors, longest lag {max(lags) * MILLI:.0f} ms, {seconds:.2f} s"
        )
        if name == OURS:
            result.compared.append(Compared("ms", result.values[name], 20))
            result.compared.append(Compared("errors", errors, 0))
    yield result


def _lags(name: str, urls: Urls) -> tuple[list[float], int, float]:
    """Measure how late a task wakes up that sleeps a millisecond at a time."""
    lags: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - began - 0.001)

    async def ask(peer: Peer) -> bool:
        try:
            return len([fragment async for fragment in peer.astream()]) >= PIECES
        except NotImplementedError:
            raise
        except Exception:  # noqa: BLE001  # of whatever peer
            return False

    async def ask_all() -> tuple[int, float]:
        async with make_peer(name, urls) as peer:
            await ask(peer)  # connections and imports
            ticking = asyncio.create_task(tick())
            began = time.perf_counter()
            answered = await asyncio.gather(*(ask(peer) for _ in range(1000)))
            seconds = time.perf_counter() - began
            ticking.cancel()
        return answered.count(False), seconds

    return lags, *asyncio.run(ask_all())


# --- imports ----------------------------------------------------------------------------------

IMPORTS = {
    "langchain_core": "from langchain_core.language_models.chat_models import BaseChatModel",
    OURS: "from langchain_qwen_audio import ChatQwenAudio",
    "ChatOpenAI": "from langchain_openai import ChatOpenAI",
    "ChatTongyi": "from langchain_community.chat_models import ChatTongyi",
    SDK: "import dashscope; dashscope.Client",
}
HEAVY = ("dashscope", "av", "fastapi", "starlette", "uvicorn", "faster_whisper", "numpy")


def imports(_: Service) -> Iterator[Result]:
    """Time what a program waits for before its first line, each in a fresh interpreter."""
    timing = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"

    # What is not installed but edited here is compiled once, as everything else was.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}

    def seconds(statement: str) -> float:
        command = [sys.executable, "-c", timing.format(statement)]
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, env=environment
        )
        return float(done.stdout)

    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for number in range(31):
        for name, statement in IMPORTS.items():
            if name in {"langchain_core", OURS} or number % 8 == 0:  # few are enough for the others
                taken[name].append(seconds(statement))
    result = Result.of_turns("import", {name: turns[1:] for name, turns in taken.items()})
    result.compare("langchain_core", 1.05)
    loaded = f"{IMPORTS[OURS]}; import sys; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    found = len(done.stdout.split())
    result.compared.append(Compared("SDK, codec, web framework among the modules", found, 0))
    yield result


# --- large clips ------------------------------------------------------------------------------


def large(service: Service) -> Iterator[Result]:
    """Send a clip of 8 MB inline: time, and memory above what the caller holds."""
    wav = clips.wav(seconds=250, sample_rate=16_000, channels=1)
    text = pybase64.b64encode_as_string(wav)
    model = _own_server(service)
    asks: dict[str, Callable[[], object]] = {
        SDK: lambda: _ask_sdk(service, text),
        OURS: lambda: model.invoke([_message(text)]),
    }
    result = Result.of_turns("an 8 MB clip, inline", timed(asks, 8, 3))
    result.compare(SDK, 1.1)
    yield result

    peaks = {name: _peak([ask]) / len(text) for name, ask in asks.items()}
    result = Result("its peak of memory", "× its base64", peaks)
    more = peaks[OURS] - peaks[SDK]
    result.compared.append(Compared("copies more than the SDK", more, 1.0))
    yield result

    peaks = {name: _peak([ask] * 32) / len(text) / 32 for name, ask in asks.items()}
    result = Result("32 of them at once, each", "× its base64", peaks)
    more = peaks[OURS] - peaks[SDK]
    result.compared.append(Compared("copies more than the SDK", more, 1.0))
    yield result


def _own_server(service: Service) -> ChatQwenAudio:
    """A model that takes 8 MB inline: DashScope's own take no more than 10 MB after base64."""
    url = service.url("openai") + "/own"
    return ChatQwenAudio(model="own", base_url=url, api_key=KEY)


_sdk_clients: dict[str, Any] = {}


def _ask_sdk(service: Service, text: str) -> object:
    import dashscope

    url = service.url("openai") + "/own"
    if url not in _sdk_clients:
        _sdk_clients[url] = dashscope.Client(
            base_url=url, api_key=KEY, max_retries=0, protocol="openai", timeout=300.0
        )
    audio = {"audio": {"data": text, "format": "wav"}}
    messages = [{"role": "user", "content": [audio, {"text": "What is said?"}]}]
    return _sdk_clients[url].multimodal.chat.create(model="own", messages=messages).output_text


def _message(text: str) -> dict[str, Any]:
    audio = {"type": "audio", "base64": text, "mime_type": "audio/wav"}
    return {"role": "user", "content": [audio, {"type": "text", "text": "What is said?"}]}


def _peak(asks: list[Callable[[], object]]) -> float:
    """Ask, all at once, and measure the most memory that Python held meanwhile."""
    gc.collect()
    with ThreadPoolExecutor(len(asks)) as threads:
        tracemalloc.start()
        for future in [threads.submit(ask) for ask in asks]:
            future.result()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


# --- bytes ------------------------------------------------------------------------------------


def sent(service: Service) -> Iterator[Result]:
    """Count what a 16 s recording, and a conversation of ten turns about it, put on the wire."""
    wav = clips.wav(seconds=16, sample_rate=48_000, channels=2)
    text = pybase64.b64encode_as_string(wav)
    ways: dict[str, Callable[[list[Any]], object]] = {
        SDK: lambda history: _ask_sdk_natively(service, text, history),
    }
    for transport in ("auto", "upload"):
        model = ours(service.url(), audio_transport=transport)._model  # noqa: SLF001
        ways[f"{OURS}, {transport}"] = partial(_ask_ours, model, wav)
    for turns, what in (
        (10, "bytes of a 16 s, 48 kHz stereo WAV, 10 turns"),
        (1, "the same, one turn"),
    ):
        result = Result(what, "× the file")
        for name, ask in ways.items():
            service.seen()
            for turn in range(turns):
                history = [
                    {"role": role, "content": "Go on."} for role in ("assistant", "user") * turn
                ]
                ask(history)
            result.values[name] = service.seen().body_bytes / len(wav)
        mine = result.values[f"{OURS}, auto"]
        result.compared.append(Compared("auto", mine, 0.25 if turns == 1 else 2.5))
        if turns > 1:
            result.compared.append(Compared("upload", result.values[f"{OURS}, upload"], 0.25))
        yield result


def _ask_ours(model: Any, wav: bytes, history: list[Any]) -> object:
    content = [Audio.from_bytes(wav).to_block()]
    return model.invoke([{"role": "user", "content": content}, *history])


def _ask_sdk_natively(service: Service, text: str, history: list[Any]) -> object:
    import dashscope

    url = service.url()
    if url not in _sdk_clients:
        _sdk_clients[url] = dashscope.Client(
            base_url=url, api_key=KEY, max_retries=0, protocol="native", timeout=300.0
        )
    content = [{"audio": {"data": text, "format": "wav"}}]
    messages = [{"role": "user", "content": content}, *history]
    return _sdk_clients[url].multimodal.chat.create(model=MODEL, messages=messages).output_text


# --- conversion -------------------------------------------------------------------------------


def conversion(_: Service) -> Iterator[Result]:
    """Measure how fast audio is detected, converted and split, on one core."""
    hour = 3600.0
    jobs: dict[str, tuple[float, Callable[[], object]]] = {}
    short = clips.wav(seconds=16, sample_rate=48_000, channels=2)
    jobs["16 s, 48 kHz stereo WAV"] = (16.0, lambda: convert(Audio.from_bytes(short), QWEN_AUDIO))
    convert(Audio.from_bytes(short), QWEN_AUDIO)  # starts a worker
    with clips.hour_long() as files:
        for kind, path in files.items():
            jobs[f"an hour of {kind}, cut"] = (
                hour,
                partial(_cut, path),
            )
        result = Result("converting audio, on one core", "× real time")
        for name, (length_s, job) in jobs.items():
            taken = []
            for _round in range(5 if length_s < hour else 1):
                began = _processor_s()
                job()
                taken.append(_processor_s() - began)
            result.values[name] = length_s / statistics.median(taken)
        slowest = min(result.values.values())
        result.compared.append(Compared("the slowest", slowest, 150, is_least=True))
        yield result
        result = Result("memory of an hour-long file, cut", "MB above baseline")
        for kind, path in files.items():
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-c", _MEMORY, path], capture_output=True, text=True, check=True
            )
            result.values[kind] = float(done.stdout)
        result.compared.append(Compared("the larger", max(result.values.values()), 100))
        yield result


def _processor_s() -> float:
    """Read the processor time of this process and of its workers, which decode."""
    ended = os.times()
    # The clock of another process, as clock_getcpuclockid(3) on Linux makes it.
    clocks = (~worker.process.pid << 3 | 2 for worker in POOL._all)  # noqa: SLF001
    running_s = sum(map(time.clock_gettime, clocks))
    return time.process_time() + ended.children_user + ended.children_system + running_s


def _cut(path: str) -> None:
    for part in split_recording(Audio.from_path(path), ASR, 240.0):
        part.audio.to_block()


# Prints the most memory that cutting a file takes, in MB above what cutting some of it has left.
_MEMORY = """
import re, sys
from benchmarks.speed import Audio, QWEN_AUDIO, _cut, convert

def memory(what):
    return int(re.search(what + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1000

convert(Audio.from_path(sys.argv[1]).excerpt(0.0, 40.0), QWEN_AUDIO)
before = memory("VmRSS")
_cut(sys.argv[1])
print(memory("VmHWM") - before)
"""


# --- history ----------------------------------------------------------------------------------


def history(service: Service) -> Iterator[Result]:
    """Time conversations of 100 to 400 turns, in which a clip comes again and again."""
    model = ours(service.url())._model  # noqa: SLF001
    block = Audio.from_bytes(clips.wav(seconds=1, sample_rate=16_000, channels=1)).to_block()
    asks = {}
    for turns in (100, 200, 400):
        messages: list[Any] = []
        for turn in range(turns):
            content = [{"type": "text", "text": f"And now? ({turn})"}]
            if turn % 20 == 0:
                content.insert(0, block)
            messages += [("user", content), ("assistant", "She says welcome.")]
        messages.append(("user", "And now?"))
        asks[f"{turns} turns"] = partial(model.invoke, messages)
    result = Result.of_turns("a long conversation", timed(asks, 5, 5))
    result.compare("100 turns", 2.2, mine="200 turns")
    result.compare("200 turns", 2.2, mine="400 turns")
    yield result


MEASUREMENTS = {
    measurement.__name__: measurement
    for measurement in (
        *(invoke, stream, many, thousand, imports, large, sent, conversion, history),
    )
}


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description="Compare speed with peers.")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    arguments = parser.parse_args()
    results = []
    for name in arguments.only:
        with Service() as service:
            for result in MEASUREMENTS[name](service):
                show(result)
                results.append(result)
    print(f"\n{table(results)}")


def show(result: Result) -> None:
    """Print a result."""
    print(f"\n{result.what} ({result.unit})")
    for name, value in result.values.items():
        print(f"  {name:32} {value:10.2f}")
    for note in result.notes:
        print(f"  {note}")
    sys.stdout.flush()


def table(results: Iterable[Result]) -> str:
    """Make the table of the README: each value, and the limit that is set for it."""
    today = dt.datetime.now(tz=dt.UTC).date()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [f"{today}, {machine}", "", "| | measured | target |", "|---|---|---|"]
    for result in results:
        for what, value, limit, is_least in result.compared:
            side = "≥" if is_least else "≤"
            mark = "" if Compared(what, value, limit, is_least).is_met else " (missed)"
            lines.append(f"| {result.what}: {what} | {value:.3g} | {side} {limit:g}{mark} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
