"""A WebSocket to the models → the checks → a session, and the record of what went both ways."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from langchain_qwen_audio.local._answers.answer import answer_request
from langchain_qwen_audio.local._json import read_json
from langchain_qwen_audio.local._live.conversation import LiveConversation, to_samples
from langchain_qwen_audio.local._live.events import Event, new_id
from langchain_qwen_audio.local._live.session import ServerSession
from langchain_qwen_audio.local._live.settings import Settings
from langchain_qwen_audio.local._live.task import TaskSession
from langchain_qwen_audio.local._models.live import LIVE_MODELS
from langchain_qwen_audio.local._protocols.checks import check_api_key, check_model_name
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import JobFailure, RawReply, Reply, Scripted

if TYPE_CHECKING:
    from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber

_SESSION_PATH: Final = "/api-ws/v1/realtime"
_TASK_PATH: Final = "/api-ws/v1/inference"
LIVE_PATHS: Final = frozenset({_SESSION_PATH, _TASK_PATH})

Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class LiveRecord:
    """What went both ways in one live session; only the server's thread writes.

    Attributes:
        request: The request that opened it.
        received: The client's latest events, oldest first; samples that are no event, in a task,
            are `{"audio": …}`.
        sent: The server's latest events, oldest first.
        close_code: The code that the session was closed with, by either side; 1005 or 1006 where
            the client gave none; None while it is open, or when the server stopped.

    Example:
        ```python
        from langchain_qwen_audio.local import LocalDashScope

        with LocalDashScope(reply="ok") as server:
            for record in server.live_sessions:
                print(record.request.path, len(record.received), record.close_code)
        ```
    """

    request: ReceivedRequest
    max_events: int
    close_code: int | None = None
    received: deque[Event] = field(init=False)
    sent: deque[Event | str] = field(init=False)

    def __post_init__(self) -> None:
        """Bound both."""
        self.received, self.sent = deque(maxlen=self.max_events), deque(maxlen=self.max_events)


@dataclass
class LiveAnswers:
    """The replies of the server, as a session takes them."""

    request: ReceivedRequest
    scripts: deque[Scripted]
    reply: Scripted | None
    transcriber: "WhisperTranscriber"
    run_script: Callable[[Scripted, ReceivedRequest], Awaitable[Any]]
    in_worker: Callable[[Callable[[], Any]], Awaitable[Any]]

    def is_scripted(self) -> bool:
        """Tell whether the next reply is scripted."""
        return bool(self.scripts) or self.reply is not None

    def expected_transcript(self) -> str | None:
        """Say what the next reply of the script says was spoken."""
        following = self.scripts[0] if self.scripts else self.reply
        return following.input_transcript if isinstance(following, Reply) else None

    async def transcribe(self, pcm: bytes) -> str:
        """Transcribe samples."""
        text: str = await self.in_worker(lambda: self.transcriber.transcribe(to_samples(pcm)).text)
        return text

    def take_failure(self) -> JobFailure | None:
        """Take the next reply of the script, if it says how a task fails."""
        following = self.scripts[0] if self.scripts else None
        if not isinstance(following, JobFailure):
            return None
        self.scripts.popleft()
        return following

    async def recognize(self, pcm: bytes) -> Any:
        """Take the next reply of the script, or transcribe samples, with the times of words."""
        if self.is_scripted():
            return await self._scripted()
        samples = to_samples(pcm)
        found = await self.in_worker(lambda: self.transcriber.transcribe(samples, times=True))
        return Reply(found.text, sentences=found.write_sentences())

    async def next_reply(self, conversation: LiveConversation, settings: Settings) -> Any:
        """Take the next reply of the script, or make one by rules."""
        if self.is_scripted():
            return await self._scripted()
        request = conversation.request(settings)
        recordings = [to_samples(pcm) for pcm in conversation.recordings]
        return await self.in_worker(lambda: answer_request(request, recordings, self.transcriber))

    async def _scripted(self) -> Any:
        scripted = self.scripts.popleft() if self.scripts else self.reply
        return await self.run_script(scripted or "", self.request)


class LiveSocket:
    """The socket of a session: events are written and recorded; those of sessions get an id."""

    def __init__(self, send: Send, connection: Any, record: LiveRecord) -> None:
        """Take ASGI's `send`, and the connection that it is on."""
        self._send = send
        self._connection = connection
        self._record = record

    async def send(self, event: Event | str) -> None:
        """Send an event, or a text as it is."""
        if isinstance(event, dict) and "type" in event:
            event = {"event_id": new_id("event"), **event}
        self._record.sent.append(event)
        text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Close with a code."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def reset(self) -> None:
        """Break the connection (TCP RST)."""
        self._connection.reset()

    def end(self) -> None:
        """Close the socket without a closing frame."""
        self._connection.end()


class Serving(Protocol):
    """A session: it begins, takes what the client sends, and works at it."""

    async def begin(self) -> None:
        """Say hello."""

    async def work(self) -> None:
        """Do what takes long, until the session is over."""

    async def take(self, message: str | bytes, /) -> None:
        """Take one message of the client."""


def check_live(
    request: ReceivedRequest, api_keys: Collection[str] | None
) -> Callable[[LiveAnswers, LiveSocket], Serving]:
    """Find the kind of session; refuse what the service does not open one for.

    Raises:
        Refusal: The path, the key or the model is wrong.
    """
    if request.path not in LIVE_PATHS:
        raise Refusal(404, "NotFound", f"The local test server has no WebSocket {request.path}")
    check_api_key(request, api_keys)
    if request.path == _TASK_PATH:
        return TaskSession
    name = check_model_name(request.query.get("model"), LIVE_MODELS, LIVE_MODELS)
    return partial(ServerSession, Settings(name, LIVE_MODELS[name]))


async def refuse_live(reply: RawReply, receive: Receive, send: Send) -> None:
    """Answer a request for a WebSocket with a plain HTTP reply."""
    await receive()
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    start = {"type": "websocket.http.response.start", "status": reply.status, "headers": headers}
    await send(start)
    body = b"".join(step for step in reply.steps if isinstance(step, bytes))
    await send({"type": "websocket.http.response.body", "body": body})


async def serve_live(session: Serving, record: LiveRecord, receive: Receive, send: Send) -> None:
    """Serve one session until the client leaves."""
    await receive()
    await send({"type": "websocket.accept"})
    await session.begin()
    work = asyncio.ensure_future(session.work())
    try:
        while (message := await receive())["type"] == "websocket.receive":
            sent = message.get("bytes") or message.get("text") or ""
            with contextlib.suppress(ValueError):
                is_audio = isinstance(sent, bytes)
                record.received.append({"audio": sent} if is_audio else read_json(sent))
            await session.take(sent)
        record.close_code = message["code"]
    finally:
        work.cancel()
        await asyncio.wait([work])
