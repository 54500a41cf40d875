"""A WebSocket of the page ↔ a live session: the microphone in, words and speech out."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect, WebSocketState

from langchain_qwen_audio._web_page.access import SUBPROTOCOL
from langchain_qwen_audio._web_page.answers import facts_of
from langchain_qwen_audio.errors import InvalidRequestError, QwenAudioError
from langchain_qwen_audio.live import (
    AudioDelta,
    ErrorReported,
    InputTranscript,
    InputTranscriptDelta,
    LiveEvent,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import Message
    from starlette.websockets import WebSocket

    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.live import LiveSession


async def talk(
    websocket: WebSocket, make_model: Callable[[], ChatQwenAudio], sample_rate: int
) -> None:
    """Hold a live session until the browser or the service ends it.

    The browser sends samples (16-bit, little endian, mono), and JSON: `{"text": …}` for what the
    user writes, `{"interrupt": true}`. It is sent speech (the same, at 24 kHz) and JSON.

    Args:
        websocket: The browser's.
        make_model: Makes the model.
        sample_rate: Samples per second of the microphone.
    """
    await websocket.accept(SUBPROTOCOL)
    with contextlib.suppress(WebSocketDisconnect):  # the browser left
        try:
            await _hold_session(websocket, make_model(), sample_rate)
        except QwenAudioError as error:
            await websocket.send_json({"type": "error", "text": str(error)})
        if websocket.client_state is WebSocketState.CONNECTED:
            await websocket.close()


async def _hold_session(websocket: WebSocket, model: ChatQwenAudio, sample_rate: int) -> None:
    """Connect and talk; the browser may leave at any time, also while the service is connected."""
    opened: asyncio.Future[LiveSession] = asyncio.get_running_loop().create_future()
    await _until_one_ends(
        _pass_on_input(websocket, opened, sample_rate), _pass_on_events(websocket, model, opened)
    )


async def _until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Do several things at once until one of them ends, then end the others.

    What the others raise while they end is not told: it comes of their end.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    errors = [(task, task.exception()) for task in tasks if not task.cancelled()]
    for task, error in errors:
        if error and task in done:
            raise error


async def _pass_on_input(
    websocket: WebSocket, opened: asyncio.Future[LiveSession], sample_rate: int
) -> None:
    while (message := await websocket.receive())["type"] == "websocket.receive":
        session = await opened
        match read_input(message):
            case bytes(samples):
                await session.send_audio(samples, sample_rate=sample_rate)
            case str(text):
                await session.send_text(text)
            case None:
                await session.interrupt()


def read_input(message: Message) -> bytes | str | None:
    """Read what the browser sends: samples, what the user writes, or `None` for an interruption.

    Raises:
        InvalidRequestError: It is nothing of these.
    """
    if (sent := message.get("text")) is None:
        return bytes(message["bytes"])
    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(sent):
            case {"text": str(text)}:
                text.encode()  # which half of a surrogate pair does not let itself
                return text
            case {"interrupt": True}:
                return None
    raise InvalidRequestError(
        f'{sent[:60]!r} came from the page, expected {{"text": "…"}} or {{"interrupt": true}}'
    )


async def _pass_on_events(
    websocket: WebSocket, model: ChatQwenAudio, opened: asyncio.Future[LiveSession]
) -> None:
    async with model.session() as session:
        opened.set_result(session)
        await websocket.send_json({"type": "ready"})
        async for event in session:
            if isinstance(event, AudioDelta):
                await websocket.send_bytes(event.pcm)
            elif fields := write_event(event):
                await websocket.send_json(fields)


def write_event(event: LiveEvent) -> dict[str, Any]:
    """Write what happens for the page; what it does not show is empty."""
    match event:
        case SpeechStarted():
            return {"type": "speech_started"}
        case SpeechStopped():
            return {"type": "speech_stopped"}
        case InputTranscriptDelta(text, item_id):
            return {"type": "input_delta", "text": text, "turn": item_id}
        case InputTranscript(text, item_id):
            return {"type": "input", "text": text, "turn": item_id}
        case ResponseStarted():
            return {"type": "answer_started"}
        case TextDelta(text):
            return {"type": "answer_delta", "text": text}
        case ResponseFinished(message, status):
            return {"type": "answer_finished", "status": status, **facts_of(message)}
        case ErrorReported(error):
            return {"type": "error", "text": str(error)}
    return {}
