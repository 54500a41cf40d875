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
from langchain_qwen_audio._live.service_errors import event_error, is_fatal
from langchain_qwen_audio._response.messages import Origin, response_metadata
from langchain_qwen_audio._response.usage import to_usage_metadata

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


class OmniReader:
    """A state machine: the service's events in, typed events out.

    Attributes:
        session_id: The service's id of the session, once it is known.
        is_finished: Whether the service has said that the session is over.
    """

    def __init__(self, origin: Origin, conversation: SessionMessages) -> None:
        """Take where answers come from, and the conversation that they are added to."""
        self._origin = origin
        self._conversation = conversation
        self._active: _Response | None = None
        self._is_requested = False
        self._ended_id: str | None = None
        self._sure: dict[str, str] = {}  # of turns whose transcript is not complete
        self._untranscribed: set[str] = set()
        self._interruptions: set[str] = set()
        self.session_id: str | None = None
        self.is_finished = False

    @property
    def awaits_answer(self) -> bool:
        """Whether an answer was requested, or has begun."""
        return self._is_requested or self._active is not None

    @property
    def awaits_transcript(self) -> bool:
        """Whether a turn of the user has ended whose transcript has not come."""
        return bool(self._untranscribed)

    def expect_answer(self) -> None:
        """Note that an answer was requested."""
        self._is_requested = True

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
        """Read one event; those of no interest give none.

        Raises:
            QwenAudioError: It reports an error that ends the session.
            KeyError: It is not as documented; so with what else such an event leads to.
        """
        match event["type"].split("."):
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
                error = {"message": f"a voice of turn_detection is not used: {event['reason']}"}
                return [ErrorReported(event_error(error, self._origin.model, event))]
        return []

    def _read_error(self, event: RawEvent) -> list[LiveEvent]:
        error = event["error"]
        if is_fatal(error):
            raise event_error(error, self._origin.model, event)
        if error.get("event_id") in self._interruptions:  # the answer had just ended by itself
            return []
        self._is_requested = False
        return [ErrorReported(event_error(error, self._origin.model, event))]

    def _read_session(self, step: str, event: RawEvent) -> list[LiveEvent]:
        if step == "created":
            self.session_id = event["session"].get("id")
        self.is_finished = step == "finished"
        return []

    def _read_input(self, step: str, event: RawEvent) -> list[LiveEvent]:
        match step:
            case "speech_started":
                return [SpeechStarted(event["audio_start_ms"] / 1000)]
            case "speech_stopped":
                is_turn = event.get("reason") != "turn_invalid"
                return [SpeechStopped(event["audio_end_ms"] / 1000, is_turn)]
            case "committed":
                self._untranscribed.add(event["item_id"])
                self._conversation.begin_speech(event["item_id"])
        return []

    def _read_transcript(self, step: str, event: RawEvent) -> list[LiveEvent]:
        item_id = event["item_id"]
        if step == "delta":
            before, sure = self._sure.get(item_id, ""), event["text"]
            self._sure[item_id] = sure
            draft = event.get("stash", "")
            return [InputTranscriptDelta(sure.removeprefix(before), item_id, draft)]
        self._sure.pop(item_id, None)
        self._untranscribed.discard(item_id)
        match step:
            case "completed":
                self._conversation.set_transcript(item_id, event["transcript"])
                return [InputTranscript(event["transcript"], item_id)]
            case "failed":
                return [ErrorReported(event_error(event["error"], self._origin.model, event))]
        return []

    def _read_response(self, steps: list[str], event: RawEvent) -> list[LiveEvent]:
        if steps == ["created"]:
            return self._begin(event["response"])
        ids = (event.get("response_id"), event.get("response", {}).get("id"))
        if self._ended_id is not None and self._ended_id in ids:
            return []  # what comes after its end
        match steps:
            case ["text" | "audio_transcript", "delta"]:
                response = self._of(event)
                response.text += event["delta"]
                return [TextDelta(event["delta"], response.id)]
            case ["audio", "delta"]:
                return self._read_audio(event)
            case ["function_call_arguments", "done"]:
                self._read_call(event)
            case ["output_item", "done"] if self._of(event).is_interrupted:
                return self._cut_off()  # the service may send no `response.done`
            case ["done"]:
                return self._end(event["response"])
        return []

    def _begin(self, response: Mapping[str, Any]) -> list[LiveEvent]:
        events = self._cut_off()
        self._active, self._is_requested = _Response(response["id"]), False
        if self._ended_id == self._active.id:
            self._ended_id = None
        self._conversation.begin_answer(self._active.id)
        return [*events, ResponseStarted(self._active.id)]

    def _cut_off(self) -> list[LiveEvent]:
        """End an answer that the service does not end itself."""
        return self._end({"id": self.active_id, "status": "cancelled"}) if self._active else []

    def _read_audio(self, event: RawEvent) -> list[LiveEvent]:
        response = self._of(event)
        pcm = response.odd_byte + pybase64.b64decode(event["delta"], validate=True)
        size = len(pcm) // 2 * 2
        response.odd_byte = pcm[size:]
        return [AudioDelta(pcm[:size], response.id)] if size else []

    def _read_call(self, event: RawEvent) -> None:
        response, name, call_id = self._of(event), event["name"], event["call_id"]
        try:
            arguments = from_json(event["arguments"] or "{}")
            if not isinstance(arguments, dict):
                raise ValueError("expected a JSON object")  # noqa: TRY004
        except ValueError as error:
            text = event["arguments"]
            call = invalid_tool_call(name=name, args=text, id=call_id, error=str(error))
            response.invalid_calls.append(call)
        else:
            response.calls.append(tool_call(name=name, args=arguments, id=call_id))

    def _of(self, event: RawEvent) -> _Response:
        """Find the answer that an event belongs to."""
        if self._active is None or event.get("response_id", self._active.id) != self._active.id:
            raise ValueError(f"it belongs to no answer that has begun, only {self.active_id}")
        return self._active

    def _end(self, response: Mapping[str, Any]) -> list[LiveEvent]:
        began, self._active = self._active or _Response(response["id"]), None
        self._ended_id = began.id
        status = response.get("status") or "completed"
        message = self._message(began, status, response.get("usage"))
        self._conversation.end_answer(began.id, message)
        events: list[LiveEvent] = [ResponseFinished(message, status)]
        if status == "failed":
            details = response.get("status_details") or {}
            error = event_error(details.get("error") or {}, self._origin.model, dict(response))
            events.insert(0, ErrorReported(error))
        return events

    def _message(
        self, response: _Response, status: str, usage: Mapping[str, Any] | None
    ) -> AIMessage:
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
