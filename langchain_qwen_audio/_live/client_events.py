"""What a client says in a live session → the events that say it; what an event is. Pure.

https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/fun-audiochat-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple, TypeAlias

import pybase64

RawEvent: TypeAlias = dict[str, Any]


class Opening(NamedTuple):
    """How a session begins.

    Attributes:
        event: What is sent.
        confirmed_by: The kind of event that says it is in force.
        after: The kind of event that comes before it is sent, if one does.
    """

    event: RawEvent
    confirmed_by: str
    after: str | None = None


def kind_of(event: RawEvent) -> Any:
    """Say what kind an event is of: a text, where it is one of the service."""
    header = event.get("header")  # of a task
    return header.get("event") if isinstance(header, dict) else event.get("type")


def _event(kind: str, **fields: Any) -> RawEvent:
    return {"event_id": f"event_{uuid.uuid4().hex}", "type": kind, **fields}


def begin_session(session: dict[str, Any]) -> Opening:
    """Begin a session, with its settings."""
    event = _event("session.update", session=session)
    return Opening(event, "session.updated", after="session.created")


def append_audio(pcm: bytes) -> RawEvent:
    """Send samples."""
    audio = pybase64.b64encode_as_string(pcm)
    return _event("input_audio_buffer.append", audio=audio)


def append_image(jpeg: str) -> RawEvent:
    """Send an image, in base64."""
    return _event("input_image_buffer.append", image=jpeg)


def commit_audio() -> RawEvent:
    """End a turn of the user."""
    return _event("input_audio_buffer.commit")


def create_text(text: str) -> RawEvent:
    """Send a text of the user."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return _event("conversation.item.create", item=item)


def create_tool_result(call_id: str, output: str) -> RawEvent:
    """Send what a tool returned."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return _event("conversation.item.create", item=item)


def create_response() -> RawEvent:
    """Request an answer."""
    return _event("response.create")


def cancel_response() -> RawEvent:
    """Interrupt an answer."""
    return _event("response.cancel")


def finish_session() -> RawEvent:
    """Say that nothing more comes."""
    return _event("session.finish")
