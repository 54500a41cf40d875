"""One live session on the server's side: the client's events in, the service's events out.

Events of the client are taken one by one, at once. What takes long, which is to transcribe and to
answer, is a queue of jobs, so that a response can be cancelled while it is sent.
"""

import asyncio
import binascii
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import pybase64

from langchain_qwen_audio.local._json import read_json
from langchain_qwen_audio.local._live.conversation import LiveConversation
from langchain_qwen_audio.local._live.events import (
    Event,
    ResponseWriter,
    completed_event,
    error_event,
    input_item,
    new_id,
    partial_events,
)
from langchain_qwen_audio.local._live.images import check_image
from langchain_qwen_audio.local._live.settings import InvalidSettingError, Settings
from langchain_qwen_audio.local._live.voice_activity import SAMPLES_PER_MS, VoiceActivity
from langchain_qwen_audio.local._live.wire import ClosedError, Wire, play
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import LiveReply, Reply
from langchain_qwen_audio.local._tokens import split_tokens

_PADDING_MS = 300  # of speech, before it was noticed
_BYTES_PER_MS = 2 * SAMPLES_PER_MS


class Answers(Protocol):
    """What a session takes from the server."""

    def expected_transcript(self) -> str | None:
        """Say what the next reply of the script says was spoken; None if there is a script."""

    def is_scripted(self) -> bool:
        """Tell whether the next reply is scripted."""

    async def transcribe(self, pcm: bytes) -> str:
        """Transcribe samples."""

    async def next_reply(self, conversation: LiveConversation, settings: Settings) -> Any:
        """Make or take the next reply: a `Reply` or a `LiveReply`."""


Job: TypeAlias = Callable[[], Awaitable[None]]


@dataclass
class ServerSession:
    """A session: its settings, its audio buffer, its jobs."""

    settings: Settings
    answers: Answers
    wire: Wire

    def __post_init__(self) -> None:
        """Begin with an empty buffer."""
        self._conversation = LiveConversation()
        self._buffer = bytearray()
        self._buffer_at_ms = 0  # when the first sample of the buffer came
        self._activity = VoiceActivity(self.settings.silence_ms or 800)
        self._item_id = new_id("item")
        self._previous: str | None = None
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._response: asyncio.Task[None] | None = None
        self._responses = 0  # that were requested, and are not done
        self._cancel_reason = ""

    async def begin(self) -> None:
        """Say hello."""
        session = {"id": new_id("sess"), **self.settings.values}
        await self.wire.send({"type": "session.created", "session": session})

    async def work(self) -> None:
        """Do the jobs, one after another, until the session is over."""
        with contextlib.suppress(ClosedError):
            while True:
                await self._do(await self._jobs.get())

    async def _do(self, job: Job) -> None:
        """Do one job; a failure of this server ends the session."""
        try:
            await job()
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            msg = f"The local test server failed: {error!r}"
            await self.wire.send(error_event(Refusal(500, "InternalError", msg)))
            await self.wire.close(1011, "")
            raise ClosedError from error

    async def take(self, text: str | bytes) -> None:
        """Take one event of the client; what is wrong with it is an error event."""
        event_id = None
        try:
            event = read_json(text)
            event_id = event.get("event_id")
            await self._take(event)
        except InvalidSettingError as error:
            await self.wire.send(error_event(error.refusal, error.param, event_id))
        except Refusal as refusal:
            await self.wire.send(error_event(refusal, None, event_id))
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            unreadable = Refusal(400, "invalid_event", f"The event cannot be read: {error!r}")
            await self.wire.send(error_event(unreadable, None, event_id))

    async def _take(self, event: Event) -> None:
        match event["type"]:
            case "session.update":
                await self._update(event.get("session"))
            case "input_audio_buffer.append":
                await self._append(_read_samples(event["audio"]))
            case "input_audio_buffer.commit" | "input_audio_buffer.clear" if self._ignores_buffer:
                pass
            case "input_audio_buffer.commit":
                self._require_no_detection("input_audio_buffer.commit")
                await self._commit(bytes(self._buffer))
            case "input_audio_buffer.clear":
                self._drop(len(self._buffer))
                self._conversation.images = []
                await self.wire.send({"type": "input_audio_buffer.cleared"})
            case "input_image_buffer.append" if self._kind == "omni":
                self._append_image(event["image"])
            case "session.finish" if self._kind != "qwen-audio":
                await self._finish()
            case kind if self._can_respond:
                await self._take_request(kind, event)
            case kind:
                raise _unsupported(kind)

    async def _take_request(self, kind: str, event: Event) -> None:
        """Take an event of models that answer."""
        match kind:
            case "conversation.item.create":
                await self._add_item(event["item"])
            case "response.create":
                self._request_response()
            case "response.cancel":
                self._cancel("client_cancelled")
            case _:
                raise _unsupported(kind)

    @property
    def _kind(self) -> str:
        return self.settings.model.kind

    @property
    def _can_respond(self) -> bool:
        return self._kind != "transcription"

    @property
    def _ignores_buffer(self) -> bool:
        return self._kind == "qwen-audio" and self.settings.silence_ms is not None

    def _require_no_detection(self, name: str) -> None:
        if self.settings.silence_ms is not None:
            raise Refusal(400, "invalid_value", f"{name} is for turn_detection null.")

    async def _update(self, session: object) -> None:
        self.settings.update(session)
        self._activity = VoiceActivity(self.settings.silence_ms or 800)
        await self.wire.send({"type": "session.updated", "session": self.settings.values})

    # --- audio ---

    async def _append(self, pcm: bytes) -> None:
        self.settings.is_idle = False
        self._buffer += pcm
        if self.settings.silence_ms is None:
            return
        for edge, at_ms in self._activity.feed(pcm):
            await (self._on_started if edge == "started" else self._on_stopped)(at_ms)
        if not self._activity.is_speaking:
            self._drop(len(self._buffer) - _PADDING_MS * _BYTES_PER_MS)

    async def _on_started(self, at_ms: int) -> None:
        event = {"type": "input_audio_buffer.speech_started", "audio_start_ms": at_ms}
        await self.wire.send(event | {"item_id": self._item_id})
        if self._response is not None:
            self._cancel("turn_detected")

    def _append_image(self, image: object) -> None:
        if not self._buffer:
            raise Refusal(400, "invalid_value", "Error append image before append audio.")
        self._conversation.images.append(check_image(image))

    async def _on_stopped(self, at_ms: int) -> None:
        event = {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at_ms}
        await self.wire.send(event | {"item_id": self._item_id})
        size = (at_ms - self._buffer_at_ms) * _BYTES_PER_MS
        await self._commit(bytes(self._buffer[:size]))
        if self._can_respond:
            self._put_response()

    async def _commit(self, pcm: bytes) -> None:
        if not pcm:
            raise Refusal(400, "invalid_value", "The audio buffer is empty: nothing to commit.")
        self._drop(len(pcm))
        item_id, self._item_id = self._item_id, new_id("item")
        event = {"type": "input_audio_buffer.committed", "item_id": item_id}
        await self.wire.send(event | {"previous_item_id": self._previous})
        content = [{"type": "input_audio", "transcript": None}]
        await self._send_item(input_item(item_id, content))
        if self._can_respond:
            self._conversation.add_speech(pcm)
        if self.settings.transcribes:
            self._jobs.put_nowait(lambda: self._transcribe(item_id, pcm))

    def _drop(self, size: int) -> None:
        """Forget the beginning of the buffer."""
        if size > 0:
            self._buffer_at_ms += size // _BYTES_PER_MS
            del self._buffer[:size]

    # --- items ---

    async def _add_item(self, item: Event) -> None:
        match item:
            case {"type": "message", "role": "user", "content": [{"text": str(text)}]}:
                self._conversation.add_text(text)
            case {"type": "function_call_output", "call_id": str(), "output": str(text)}:
                self._conversation.add_result(text)
            case _:
                raise Refusal(400, "invalid_value", "Invalid item: item.type")
        await self._send_item({"id": new_id("item"), "object": "realtime.item", **item})

    async def _send_item(self, item: Event) -> None:
        event = {"type": "conversation.item.created", "previous_item_id": self._previous}
        self._previous = item["id"]
        await self.wire.send(event | {"item": item})

    # --- jobs ---

    async def _transcribe(self, item_id: str, pcm: bytes) -> None:
        if not self._can_respond:
            await self._recognize(item_id, pcm)
            return
        scripted = self.answers.is_scripted()
        transcript = (
            self.answers.expected_transcript() if scripted else await self.answers.transcribe(pcm)
        )
        if transcript is not None:
            more = {"language": "en", "emotion": "neutral"} if self._kind == "omni" else {}
            for event in partial_events("delta", item_id, split_tokens(transcript), **more):
                await self.wire.send(event)
            await self.wire.send(completed_event(item_id, transcript))

    async def _recognize(self, item_id: str, pcm: bytes) -> None:
        """Send what was said, of a model that only transcribes."""
        if self.answers.is_scripted():
            reply = await self.answers.next_reply(self._conversation, self.settings)
        else:
            reply = Reply(await self.answers.transcribe(pcm))
        if isinstance(reply, LiveReply):
            await play(reply, self.wire)
            return
        more = {"language": "en", "emotion": "neutral"}
        fragments = reply.fragments or split_tokens(reply.text)
        for event in partial_events("text", item_id, fragments, **more):
            await self.wire.send(event)
        await self.wire.send(completed_event(item_id, reply.whole_text, **more))

    def _request_response(self) -> None:
        """Take a request for a response; Qwen-Audio has one at a time, and needs some input."""
        if self._kind == "qwen-audio":
            if self._responses or (self._activity.is_speaking and self.settings.is_smart):
                msg = "Cannot create response while another response is in progress."
                raise InvalidSettingError("response.create", msg)
            if not self._conversation.messages:
                raise InvalidSettingError(
                    "response.create", "Cannot create response without input."
                )
        self._put_response()

    def _put_response(self) -> None:
        self._responses += 1
        self._jobs.put_nowait(self._count_response)

    async def _count_response(self) -> None:
        try:
            await self._respond()
        finally:
            self._responses -= 1

    async def _respond(self) -> None:
        try:
            reply = await self.answers.next_reply(self._conversation, self.settings)
        except Refusal as refusal:
            await self.wire.send(error_event(refusal))
            return
        if isinstance(reply, LiveReply):
            await play(reply, self.wire)
            return
        writer = ResponseWriter(self.settings, reply, self._conversation.tokens(self.settings))
        self._conversation.add_answer(reply)
        await self.wire.send(writer.created())
        self._response = asyncio.ensure_future(self._send_parts(writer, reply))
        await asyncio.wait([self._response])
        is_cancelled, self._response = self._response.cancelled(), None
        await self.wire.send(
            writer.cancelled(self._cancel_reason) if is_cancelled else writer.done()
        )

    async def _send_parts(self, writer: ResponseWriter, reply: Reply) -> None:
        await asyncio.sleep(reply.delay_s)
        for event in writer.parts():
            await self.wire.send(event)
            await asyncio.sleep(reply.pause_s)

    def _cancel(self, reason: str) -> None:
        if self._response is None:
            raise Refusal(400, "invalid_value", "There is no active response to cancel.")
        self._cancel_reason = reason
        self._response.cancel()

    async def _finish(self) -> None:
        for _, at_ms in self._activity.stop():
            await self._on_stopped(at_ms)
        self._jobs.put_nowait(self._say_goodbye)

    async def _say_goodbye(self) -> None:
        if self.settings.model.confirms_finish:
            await self.wire.send({"type": "session.finished"})
        await self.wire.close(1000, "")
        raise ClosedError


def _unsupported(kind: object) -> Refusal:
    return Refusal(400, "invalid_value", f"Unsupported event type: {kind!r}.")


def _read_samples(text: object) -> bytes:
    try:
        pcm = pybase64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        pcm = b""
    if not pcm or len(pcm) % 2:
        raise Refusal(400, "invalid_value", "Invalid audio: expected 16-bit PCM in base64.")
    return pcm
