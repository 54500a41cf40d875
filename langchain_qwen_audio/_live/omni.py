"""The events of a live voice session → typed ones, and the state that follows from them. Pure.

Qwen-Audio sends the events of Omni, and some more.
https://help.aliyun.com/zh/model-studio/server-events
https://help.aliyun.com/zh/model-studio/qwen-audio-realtime-server-events
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pybase64
from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
from langchain_core.messages.tool import invalid_tool_call, tool_call
from pydantic_core import from_json

from langchain_qwen_audio._live.events import (
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
from langchain_qwen_audio._live.fields import (
    optional_object,
    optional_text,
    required_id,
    required_object,
    required_seconds,
    required_text,
    unreadable,
)
from langchain_qwen_audio._live.protocols import EventReader
from langchain_qwen_audio._live.service_errors import event_error, is_fatal
from langchain_qwen_audio._response.messages import Origin, response_metadata
from langchain_qwen_audio._response.usage import to_usage_metadata
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_qwen_audio._live.client_events import RawEvent
    from langchain_qwen_audio._live.conversation import SessionMessages


@dataclass
class _Response:
    """An answer that has begun."""

    id: str
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    invalid_calls: list[InvalidToolCall] = field(default_factory=list)
    odd_byte: bytes = b""
    is_interrupted: bool = False


class OmniReader(EventReader[LiveEvent]):
    """A state machine: the service's events in, typed events out.

    Attributes:
        session_id: The service's id of the session, once it is known.
        is_finished: Whether the service has said that the session is over.
    """

    is_finished = False

    def __init__(self, origin: Origin, conversation: SessionMessages) -> None:
        """Take where answers come from, and the conversation that they are added to."""
        self._origin = origin
        self._conversation = conversation
        self._active: _Response | None = None
        self._requests: set[str] = set()  # of answers that have not begun
        self._ended_id: str | None = None
        self._sure: dict[str, str] = {}  # of turns whose transcript is not complete
        self._untranscribed: set[str] = set()
        self._interruptions: set[str] = set()
        self.session_id: str | None = None

    @property
    def awaits_answer(self) -> bool:
        """Whether an answer was requested, or has begun."""
        return bool(self._requests) or self._active is not None

    @property
    def awaits_transcript(self) -> bool:
        """Whether a turn of the user has ended whose transcript has not come."""
        return bool(self._untranscribed)

    def expect_answer(self, event_id: str) -> None:
        """Note the event that requests an answer."""
        self._requests.add(event_id)

    def expect_end(self, event_id: str) -> None:
        """Note the event that interrupts the answer that is being sent."""
        self._interruptions.add(event_id)
        if self._active is not None:
            self._active.is_interrupted = True

    @property
    def active_id(self) -> str | None:
        """The answer that is being sent."""
        return None if self._active is None else self._active.id

    @property
    def text(self) -> str:
        """The text so far of the answer that is being sent."""
        return "" if self._active is None else self._active.text

    def read(self, event: RawEvent) -> list[LiveEvent]:
        """Read one event."""
        match required_text(event, "type").split("."):
            case ["session", step]:
                return self._read_session(step, event)
            case ["input_audio_buffer", step]:
                return self._read_input(step, event)
            case ["conversation", "item", "input_audio_transcription", step]:
                return self._read_transcript(step, event)
            case ["response", *steps]:
                return self._read_response(steps, event)
            case ["error"]:
                return self._read_error(event)
            case ["voiceprint_audio_list", "failed"]:
                reason = required_text(event, "reason")
                error = {"message": f"a voice of turn_detection is not used: {reason}"}
                return [self._report(error, event)]
        return []

    def _report(self, error: Mapping[str, Any], body: Mapping[str, Any]) -> ErrorReported:
        return ErrorReported(event_error(error, self._origin.model, body))

    def _read_error(self, event: RawEvent) -> list[LiveEvent]:
        error = required_object(event, "error")
        if is_fatal(error):
            raise event_error(error, self._origin.model, event)
        refused = optional_text(error, "event_id")
        if refused in self._interruptions:  # the answer had just ended by itself
            return []
        self._requests.discard(refused or "")
        if refused is None and error.get("param") == "response.create":
            self._requests.clear()
        return [self._report(error, event)]

    def _read_session(self, step: str, event: RawEvent) -> list[LiveEvent]:
        if step == "created":
            self.session_id = optional_text(required_object(event, "session"), "id")
        self.is_finished = step == "finished"
        return []

    def _read_input(self, step: str, event: RawEvent) -> list[LiveEvent]:
        match step:
            case "speech_started":
                return [SpeechStarted(required_seconds(event, "audio_start_ms"))]
            case "speech_stopped":
                is_turn = optional_text(event, "reason") != "turn_invalid"
                return [SpeechStopped(required_seconds(event, "audio_end_ms"), is_turn)]
            case "committed":
                item_id = required_id(event, "item_id")
                self._untranscribed.add(item_id)
                self._conversation.begin_speech(item_id)
        return []

    def _read_transcript(self, step: str, event: RawEvent) -> list[LiveEvent]:
        item_id = required_id(event, "item_id")
        if step == "delta":
            before, sure = self._sure.get(item_id, ""), required_text(event, "text")
            self._sure[item_id] = sure
            draft = optional_text(event, "stash") or ""
            return [InputTranscriptDelta(sure.removeprefix(before), item_id, draft)]
        self._sure.pop(item_id, None)
        self._untranscribed.discard(item_id)
        match step:
            case "completed":
                text = required_text(event, "transcript")
                self._conversation.set_transcript(item_id, text)
                return [InputTranscript(text, item_id)]
            case "failed":
                return [self._report(required_object(event, "error"), event)]
        return []

    def _read_response(self, steps: list[str], event: RawEvent) -> list[LiveEvent]:
        if steps == ["created"]:
            return self._begin(required_object(event, "response"))
        ended_id = self._ended_id
        if ended_id not in {None, self.active_id} and ended_id == _answer_of(event):
            return []  # what comes after its end
        match steps:
            case ["text" | "audio_transcript", "delta"]:
                response, delta = self._of(event), required_text(event, "delta")
                response.text += delta
                return [TextDelta(delta, response.id)]
            case ["audio", "delta"]:
                return self._read_audio(event)
            case ["function_call_arguments", "done"]:
                self._read_call(event)
            case ["output_item", "done"] if self._of(event).is_interrupted:
                return self._cut_off()  # the service may send no `response.done`
            case ["done"]:
                return self._end(required_object(event, "response"))
        return []

    def _begin(self, response: Mapping[str, Any]) -> list[LiveEvent]:
        events = self._cut_off()
        self._active = _Response(required_id(response, "id"))
        self._requests.clear()
        self._conversation.begin_answer(self._active.id)
        return [*events, ResponseStarted(self._active.id)]

    def _cut_off(self) -> list[LiveEvent]:
        """End an answer that the service does not end itself."""
        return self._end({"id": self.active_id, "status": "cancelled"}) if self._active else []

    def _read_audio(self, event: RawEvent) -> list[LiveEvent]:
        response = self._of(event)
        try:
            samples = pybase64.b64decode(required_text(event, "delta"), validate=True)
        except ValueError as error:
            raise unreadable(event, "delta", "base64") from error
        pcm = response.odd_byte + samples
        size = len(pcm) // 2 * 2
        response.odd_byte = pcm[size:]
        return [AudioDelta(pcm[:size], response.id)] if size else []

    def _read_call(self, event: RawEvent) -> None:
        response = self._of(event)
        name, call_id = required_id(event, "name"), required_id(event, "call_id")
        text = required_text(event, "arguments")
        try:
            arguments = from_json(text or "{}")
            if not isinstance(arguments, dict):
                raise ValueError("expected a JSON object")  # noqa: TRY004
        except ValueError as error:
            call = invalid_tool_call(name=name, args=text, id=call_id, error=str(error))
            response.invalid_calls.append(call)
        else:
            response.calls.append(tool_call(name=name, args=arguments, id=call_id))

    def _of(self, event: RawEvent) -> _Response:
        """Find the answer that an event belongs to."""
        response_id = optional_text(event, "response_id")
        if self._active is None or response_id not in {None, self._active.id}:
            raise APIError(
                "an event came that cannot be read: it belongs to no answer that has begun (being "
                f"sent: {self.active_id}): {event!r:.300}"
            )
        return self._active

    def _end(self, response: Mapping[str, Any]) -> list[LiveEvent]:
        began, self._active = self._active or _Response(required_id(response, "id")), None
        self._ended_id = began.id
        status = optional_text(response, "status") or "completed"
        message = self._message(began, status, optional_object(response, "usage"))
        self._conversation.end_answer(began.id, message)
        events: list[LiveEvent] = [ResponseFinished(message, status)]
        if status == "failed":
            details = optional_object(response, "status_details")
            events.insert(0, self._report(optional_object(details, "error"), response))
        return events

    def _message(self, response: _Response, status: str, usage: Mapping[str, Any]) -> AIMessage:
        is_whole = status == "completed"
        calls = response.calls if is_whole else []
        invalid_calls = response.invalid_calls if is_whole else []
        reason = ("tool_calls" if calls or invalid_calls else "stop") if is_whole else status
        return AIMessage(
            response.text,
            id=response.id,
            tool_calls=calls,
            invalid_tool_calls=invalid_calls,
            usage_metadata=to_usage_metadata(usage),
            response_metadata=response_metadata(
                {"finish_reason": reason, "request_id": self.session_id},
                self._origin,
                has_calls=bool(calls),
            ),
        )


def _answer_of(event: RawEvent) -> str | None:
    """Say which answer an event is of, if it says so."""
    inside = optional_object(event, "response")
    return optional_text(event, "response_id") or optional_text(inside, "id")
