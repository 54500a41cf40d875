"""What happens in a live session → the events that say so. Pure.

https://help.aliyun.com/zh/model-studio/server-events
https://help.aliyun.com/zh/model-studio/qwen-audio-realtime-server-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-server-events
Which fields a page's sample has and which it leaves out differs; these have what clients need.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import pybase64

from langchain_qwen_audio.local._live.settings import Settings
from langchain_qwen_audio.local._protocols.tool_calls import write_tool_calls
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import Reply
from langchain_qwen_audio.local._tokens import InputTokens, split_tokens

Event: TypeAlias = dict[str, Any]

_SPEECH_TOKENS_PER_S = 12.5
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def new_id(kind: str) -> str:
    """Make an id, as the service does: its kind, and letters."""
    return f"{kind}_{uuid.uuid4().hex[:21]}"


def error_event(refusal: Refusal, param: str | None = None, event_id: str | None = None) -> Event:
    """Say what is wrong with an event of the client, or with the server."""
    kind = "server_error" if refusal.status >= 500 else "invalid_request_error"
    error = {
        "type": kind,
        "code": refusal.code,
        "message": refusal.message,
        "param": param,
        "event_id": event_id,
    }
    return {"type": "error", "error": error}


def input_item(item_id: str, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write a message of the user."""
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": list(content),
    }


def partial_events(
    kind: Literal["text", "delta"], item_id: str, fragments: Sequence[str], **more: str
) -> Iterator[Event]:
    """Say what was understood so far: sure words in `text`, and the rest in `stash`."""
    sure = ""
    for fragment in fragments:
        event = {"type": f"{_TRANSCRIPTION}.{kind}", "item_id": item_id, "content_index": 0}
        yield event | {"text": sure, "stash": fragment} | more
        sure += fragment


def completed_event(item_id: str, transcript: str, **more: str) -> Event:
    """Say what was said."""
    event = {"type": f"{_TRANSCRIPTION}.completed", "item_id": item_id, "content_index": 0}
    return event | {"transcript": transcript} | more


class ResponseWriter:
    """The events of one response, from `response.created` to `response.done`."""

    def __init__(self, settings: Settings, reply: Reply, input_tokens: InputTokens) -> None:
        """Take what is answered, and to how much input."""
        self.id = new_id("resp")
        self._item_id = new_id("item")
        self._settings = settings
        self._reply = reply
        self._input = input_tokens
        self._output: list[dict[str, Any]] = []

    def created(self) -> Event:
        """Write the first event."""
        return {"type": "response.created", "response": self._response("in_progress")}

    def parts(self) -> Iterator[Event]:
        """Write the events between the first and the last."""
        if self._reply.whole_text or not self._reply.tool_calls:
            yield from self._message()
        for index, call in enumerate(write_tool_calls(self._reply.tool_calls)):
            yield from self._call(index, call)

    def done(self) -> Event:
        """Write the last event."""
        response = self._response("completed") | {"usage": self._usage()}
        return {"type": "response.done", "response": response}

    def cancelled(self, reason: str) -> Event:
        """Write the last event of a response that was cancelled, with what there was of it."""
        response = self._response("cancelled")
        if self._settings.model.kind == "qwen-audio":
            response["status_details"] = {"type": "cancelled", "reason": reason}
        else:
            response["usage"] = self._usage()
        return {"type": "response.done", "response": response}

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "modalities": self._settings.modalities,
            "output": list(self._output),
        } | ({"voice": voice} if (voice := self._settings.values.get("voice")) else {})

    def _message(self) -> Iterator[Event]:
        item = {**input_item(self._item_id, []), "role": "assistant", "status": "in_progress"}
        yield self._of("response.output_item.added", output_index=0, item=item)
        yield {"type": "conversation.item.created", "item": item}
        kind = "audio" if self._settings.speaks else "text"
        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        yield self._of("response.content_part.added", **place, part={"type": kind, "text": ""})
        yield from self._speech(place) if self._settings.speaks else self._text(place)
        yield self._of("response.content_part.done", **place, part={"type": kind, "text": ""})
        written = {"type": kind, "transcript" if kind == "audio" else "text": self._text_said()}
        item = {**item, "status": "completed", "content": [written]}
        self._output.append(item)
        yield self._of("response.output_item.done", output_index=0, item=item)

    def _text(self, place: Mapping[str, Any]) -> Iterator[Event]:
        for piece in self._pieces():
            yield self._of("response.text.delta", **place, delta=piece)
        yield self._of("response.text.done", **place, text=self._text_said())

    def _speech(self, place: Mapping[str, Any]) -> Iterator[Event]:
        """Write words and samples in turn."""
        words, audio = self._pieces(), self._reply.audio
        size = max(2, len(audio) // 2 // max(1, len(words)) * 2)
        for index in range(max(len(words), -(-len(audio) // size))):
            for word in words[index : index + 1]:
                yield self._of("response.audio_transcript.delta", **place, delta=word)
            if samples := audio[index * size : (index + 1) * size]:
                text = pybase64.b64encode_as_string(samples)
                yield self._of("response.audio.delta", **place, delta=text)
        yield self._of("response.audio_transcript.done", **place, transcript=self._text_said())
        yield self._of("response.audio.done", **place)

    def _call(self, index: int, call: Mapping[str, Any]) -> Iterator[Event]:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        item = {
            "id": new_id("item"),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": call["id"],
            "name": name,
            "arguments": "",
        }
        place = {"item_id": item["id"], "output_index": index, "call_id": call["id"]}
        yield self._of("response.output_item.added", output_index=index, item=item)
        yield {"type": "conversation.item.created", "item": item}
        for piece in split_tokens(arguments):
            yield self._of("response.function_call_arguments.delta", **place, delta=piece)
        whole = {**place, "name": name, "arguments": arguments}
        yield self._of("response.function_call_arguments.done", **whole)
        item = {**item, "status": "completed", "arguments": arguments}
        self._output.append(item)
        yield self._of("response.output_item.done", output_index=index, item=item)

    def _of(self, kind: str, **fields: Any) -> Event:
        return {"type": kind, "response_id": self.id, **fields}

    def _pieces(self) -> list[str]:
        return list(self._reply.fragments or split_tokens(self._reply.text))

    def _text_said(self) -> str:
        return self._reply.whole_text

    def _usage(self) -> Mapping[str, Any]:
        if self._reply.usage is not None:
            return self._reply.usage
        text = len(split_tokens(self._reply.whole_text))
        audio = round(self._reply.speech_s * _SPEECH_TOKENS_PER_S)
        return {
            "total_tokens": self._input.total + text + audio,
            "input_tokens": self._input.total,
            "output_tokens": text + audio,
            "input_tokens_details": {
                "text_tokens": self._input.text,
                "audio_tokens": self._input.audio or 0,
            },
            "output_tokens_details": {"text_tokens": text, "audio_tokens": audio},
        }
