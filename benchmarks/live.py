"""Live voice beside a bare WebSocket client, in one run → what this package adds to a frame."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import aiohttp
import pybase64

from benchmarks.live_service import API, SOCKET, LiveService
from benchmarks.table import Beside, Row, Target
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.live import AudioDelta, ResponseFinished

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODEL = "qwen3.5-omni-flash-realtime"
OURS, BARE = "this package", "bare aiohttp"
FRAME_S = 0.02
FRAME = bytes(640)  # 20 ms at 16 kHz
SESSIONS = 20
FRAMES, TURNS, ROUNDS = 100, 100, 3
MILLI, MICRO = 1e3, 1e6


class Client(NamedTuple):
    """A session of a client, as it is measured."""

    send: Callable[[bytes], Awaitable[object]]
    receive_speech: Callable[[], Awaitable[object]]
    commit: Callable[[], Awaitable[object]]
    receive: Callable[[], Awaitable[bool]]  # whether the answer is over


Connect: TypeAlias = Callable[[str], AbstractAsyncContextManager[Client]]


def measure() -> Iterator[Row]:
    """Time frames and turns, in turns of both clients."""
    with LiveService() as service:
        frames = _in_turns(partial(_exchange, service.url("echo"), SESSIONS, FRAMES))
        turns = _in_turns(partial(_take_turns, service.url("answer"), TURNS))
    what = f"live voice, {SESSIONS} sessions: an audio frame out and back"
    yield _row(f"{what}, median", "ms", _values(frames, statistics.median))
    yield _added(f"{what}: what is added, median", _values(frames, statistics.median), 1.0)
    yield _added(f"{what}: what is added, 99th percentile", _values(frames, _percentile_99), 5.0)
    processor = {name: taken.processor for name, taken in frames.items()}
    yield _row(f"{what}: processor time", "µs", processor)
    what = "live voice: end of speech to the first event, median"
    yield _row(what, "ms", _values(turns, statistics.median))


class Taken(NamedTuple):
    """What frames or turns took: each, in ms, and the processor time of each, in µs."""

    each: list[float]
    processor: float


def _in_turns(run: Callable[[Connect], Coroutine[Any, Any, list[float]]]) -> dict[str, Taken]:
    """Let the clients take turns, after one that warms up."""
    taken: dict[str, list[Taken]] = {name: [] for name in CLIENTS}
    for _ in range(ROUNDS + 1):
        for name, connect in CLIENTS.items():
            gc.collect()  # or chance decides whose frames wait for a full collection
            began = time.process_time()
            each = asyncio.run(run(connect))
            processor = (time.process_time() - began) / len(each) * MICRO
            taken[name].append(Taken([it * MILLI for it in each], processor))
    return {name: _together(found[1:]) for name, found in taken.items()}


def _together(found: list[Taken]) -> Taken:
    each = [it for taken in found for it in taken.each]
    return Taken(each, statistics.median(taken.processor for taken in found))


def _values(taken: Mapping[str, Taken], choose: Callable[[list[float]], float]) -> dict[str, float]:
    return {name: choose(it.each) for name, it in taken.items()}


def _row(what: str, unit: str, values: Mapping[str, float]) -> Row:
    return Row(what, values[OURS], unit, limit=Beside(BARE, values[BARE]))


def _added(what: str, values: Mapping[str, float], most_ms: float) -> Row:
    """Say what this package adds to the limit."""
    return Row(what, values[OURS] - values[BARE], "ms", target=Target(most_ms))


def _percentile_99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1]


# --- what is timed ----------------------------------------------------------------------------


async def _exchange(url: str, sessions: int, frames: int, connect: Connect) -> list[float]:
    """Send frames at the pace of speech in sessions at once; time each until its answer is read."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(url)) for _ in range(sessions)]
        began = asyncio.get_running_loop().time()
        streams = (
            _stream(client, frames, began + FRAME_S * number / sessions)
            for number, client in enumerate(clients)
        )
        return [it for times in await asyncio.gather(*streams) for it in times]


async def _stream(client: Client, frames: int, began: float) -> list[float]:
    sent: list[float] = []

    async def send() -> None:
        for number in range(frames):
            due = began + number * FRAME_S
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            sent.append(time.perf_counter())
            await client.send(FRAME)

    sending = asyncio.create_task(send())
    times = []
    for number in range(frames):
        await client.receive_speech()
        times.append(time.perf_counter() - sent[number])
    await sending
    return times


async def _take_turns(url: str, turns: int, connect: Connect) -> list[float]:
    """Take turns one after another; time each from the end of speech to the first event."""
    times = []
    async with connect(url) as client:
        for _ in range(turns):
            await client.send(FRAME)
            began = time.perf_counter()
            await client.commit()
            is_over = await client.receive()
            times.append(time.perf_counter() - began)
            while not is_over:
                is_over = await client.receive()
    return times


# --- the clients ------------------------------------------------------------------------------


@asynccontextmanager
async def _ours(url: str) -> AsyncIterator[Client]:
    model = ChatQwenAudio(model=MODEL, base_url=url, api_key="key")
    async with model.session(turn_detection=None) as session:

        async def receive_speech() -> None:
            while not isinstance(await anext(session), AudioDelta):
                pass

        async def receive() -> bool:
            return isinstance(await anext(session), ResponseFinished)

        yield Client(session.send_audio, receive_speech, session.commit, receive)


@asynccontextmanager
async def _bare(url: str) -> AsyncIterator[Client]:
    """Do the least that a client must do."""
    address = f"{url.removesuffix(API)}{SOCKET}"
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as socket:

        async def send(kind: str, **fields: Any) -> None:
            await socket.send_str(json.dumps({"type": kind, **fields}))

        async def send_audio(pcm: bytes) -> None:
            audio = pybase64.b64encode_as_string(pcm)
            await send("input_audio_buffer.append", audio=audio)

        async def receive_event() -> dict[str, Any]:
            event: dict[str, Any] = json.loads((await socket.receive()).data)
            if event["type"] == "response.audio.delta":
                event["pcm"] = pybase64.b64decode(event["delta"])
            return event

        async def receive_speech() -> None:
            while (await receive_event())["type"] != "response.audio.delta":
                pass

        async def commit() -> None:
            await send("input_audio_buffer.commit")
            await send("response.create")

        async def receive() -> bool:
            # The session does not pass the confirmation on either.
            while (event := await receive_event())["type"] == "input_audio_buffer.committed":
                pass
            return bool(event["type"] == "response.done")

        await receive_event()
        await send("session.update", session={})
        await receive_event()
        yield Client(send_audio, receive_speech, commit, receive)


CLIENTS: dict[str, Connect] = {BARE: _bare, OURS: _ours}


if __name__ == "__main__":
    for row in measure():
        print(row, flush=True)
