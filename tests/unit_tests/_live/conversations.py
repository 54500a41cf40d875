"""What tests of live sessions share: models, tones, and what a session yields."""

from __future__ import annotations

import contextlib
import math
from array import array
from typing import TYPE_CHECKING, Any

from aiohttp import web

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.live import LiveEvent, LiveSentence, LiveSession, ResponseFinished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from langchain_qwen_audio.local import LiveRecord, LocalDashScope

MODEL = "qwen3.5-omni-flash-realtime"


def live_model(server: LocalDashScope, **settings: Any) -> ChatQwenAudio:
    given = {"model": MODEL, "base_url": server.base_url, "api_key": "local", **settings}
    return ChatQwenAudio(**given)


def tone(length_s: float, sample_rate: int = 16_000) -> bytes:
    count = int(length_s * sample_rate)
    wave = (int(9_000 * math.sin(2 * math.pi * 440 * at / sample_rate)) for at in range(count))
    return array("h", wave).tobytes()


def silence(length_s: float) -> bytes:
    return bytes(2 * int(length_s * 16_000))


async def two_sentences() -> AsyncIterator[bytes]:
    for _ in range(2):
        yield tone(0.5)
        yield silence(0.6)


async def collect(model: ChatQwenAudio, source: Any, **arguments: Any) -> list[LiveSentence]:
    return [sentence async for sentence in model.transcribe_live(source, **arguments)]


async def read_answer(session: LiveSession) -> list[LiveEvent]:
    """Read up to the end of an answer."""
    events: list[LiveEvent] = []
    async for event in session:
        events.append(event)
        if isinstance(event, ResponseFinished):
            break
    return events


def end_of(events: list[LiveEvent]) -> ResponseFinished:
    """The end of an answer."""
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    return last


async def say(session: LiveSession) -> list[LiveEvent]:
    """Take a turn, and read the answer."""
    await session.send_audio(tone(0.1))
    await session.commit()
    return await read_answer(session)


def received(record: LiveRecord) -> list[dict[str, Any]]:
    """What the server received, without the ids of events, and audio by its length."""
    return [_bare(event) for event in record.received]


def _bare(event: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in event.items() if name != "event_id"}
    return rest | ({"audio": len(rest["audio"])} if "audio" in rest else {})


@contextlib.asynccontextmanager
async def service_that_goes_on(
    port: int, go_on: Callable[[web.WebSocketResponse], Awaitable[None]]
) -> AsyncIterator[str]:
    """Run a service that begins a session, and then does something else; yield its address."""

    async def begin(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.send_json({"type": "session.created", "session": {}})
        await socket.receive()
        await socket.send_json({"type": "session.updated", "session": {}})
        await go_on(socket)
        return socket

    application = web.Application()
    application.router.add_get("/api-ws/v1/realtime", begin)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/api/v1"
    await runner.cleanup()
