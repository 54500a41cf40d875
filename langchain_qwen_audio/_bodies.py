"""What the service says, as JSON → one form of a reply for both protocols, checked. Pure.

    {"request_id": …, "model": …, "usage": {…}, "choices": [{"finish_reason": …, "message": {…}}]}

A whole reply and an event of a stream have the same form here. The SDK's own models read the same,
in five times the time, which is felt in a stream: they are made to be turned into mappings again.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable


class _Function(TypedDict, total=False):
    name: str | None
    arguments: str | None


class _Call(TypedDict, total=False):
    id: str | None
    index: int | None
    function: _Function


class _Speech(TypedDict, total=False):
    id: str | None
    data: str | None
    transcript: str | None


class _Message(TypedDict, total=False):
    content: str | list[Any] | None
    reasoning_content: Any
    reasoning: Any
    tool_calls: list[_Call] | None
    audio: _Speech | None
    annotations: Any


class _Choice(TypedDict, total=False):
    finish_reason: str | None
    message: _Message
    delta: _Message


class _Output(TypedDict, total=False):
    choices: list[_Choice] | None
    text: str | None
    finish_reason: str | None


@with_config(extra="allow")  # what each model has besides
class _Usage(TypedDict, total=False):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int


class _Body(TypedDict, total=False):
    output: _Output | None  # the native protocol's
    choices: list[_Choice] | None  # the compatible one's
    usage: _Usage | None
    request_id: str | None
    id: str | None
    model: str | None


@functools.cache
def _check() -> Callable[[Any], _Body]:
    """Make what checks bodies and copies them, when the first one comes and not at import."""
    return TypeAdapter(_Body).validator.validate_python


def read_body(body: Any) -> dict[str, Any]:
    """Make the one form of what came.

    Raises:
        ValidationError: It has another shape.
    """
    said = _check()(body)
    output = said.get("output") or {}
    choices = output.get("choices") or said.get("choices") or []
    if not choices and output.get("text") is not None:  # as older models answer
        content: _Message = {"content": output["text"]}
        choices = [{"finish_reason": output.get("finish_reason"), "message": content}]
    for choice in choices:
        message = choice["message"] = choice.get("message") or choice.get("delta") or {}
        if isinstance(parts := message.get("content"), list):
            message["content"] = "".join(map(_text, parts))
    return {
        "request_id": said.get("request_id") or said.get("id"),
        "model": said.get("model"),
        "usage": said.get("usage"),
        "choices": choices,
    }


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""
