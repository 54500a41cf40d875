"""What the service says, as JSON → one form of a reply for both protocols, checked. Pure.

    {"request_id": …, "model": …, "usage": {…}, "choices": [{"finish_reason": …, "message": {…}}]}

A whole reply and an event of a stream have the same form here. Reading is the check, and done by
hand, since it is felt in a stream: with pydantic's TypedDicts one takes 8 % longer; with the SDK's
models, which are made to be turned into mappings again, more.
"""

from __future__ import annotations

from typing import Any


def read_body(body: Any) -> dict[str, Any]:
    """Make the one form of what came.

    Raises:
        TypeError: It has another shape.
    """
    try:
        output = body.get("output") or {}
        choices = output.get("choices") or body.get("choices") or []
        if not choices and output.get("text") is not None:  # as older models answer
            message = {"content": output["text"]}
            choices = [{"finish_reason": output.get("finish_reason"), "message": message}]
        return {
            "request_id": body.get("request_id") or body.get("id"),
            "model": body.get("model"),
            "usage": _object(body.get("usage")),
            "choices": [_read_choice(choice) for choice in choices],
        }
    except (AttributeError, TypeError) as error:
        raise TypeError(f"it has another shape than replies have: {body!r:.300}") from error


def _read_choice(choice: Any) -> dict[str, Any]:
    message = choice.get("message") or choice.get("delta") or {}
    read = {**message}
    if content := message.get("content"):
        parts = content if isinstance(content, list) else [_string(content)]
        read["content"] = "".join(map(_text, parts))
    if speech := message.get("audio"):
        read["audio"] = {name: _string(speech.get(name)) for name in ("id", "data", "transcript")}
    if calls := message.get("tool_calls"):
        read["tool_calls"] = [_read_call(call) for call in calls]
    return {"finish_reason": _string(choice.get("finish_reason")), "message": read}


def _read_call(call: Any) -> dict[str, Any]:
    function = call.get("function") or {}
    index = call.get("index")
    if not isinstance(index, int | None):
        raise TypeError
    named = {name: _string(function.get(name)) for name in ("name", "arguments")}
    return {"id": _string(call.get("id")), "index": index, "function": named}


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""


def _string(said: Any) -> str | None:
    if said is None or isinstance(said, str):
        return said
    raise TypeError


def _object(said: Any) -> dict[str, Any] | None:
    if said is None or isinstance(said, dict):
        return said
    raise TypeError
