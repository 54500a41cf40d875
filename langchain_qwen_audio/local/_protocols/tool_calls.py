"""The tool calls of a reply, as both protocols write them: whole, or piece by piece. Pure."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local._tokens import split_tokens


def write_tool_calls(calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write a `Reply`'s tool calls whole; those without an id get a new one."""
    return [
        _write(index, call.get("id") or f"call_{uuid.uuid4().hex[:24]}", call["name"], _text(call))
        for index, call in enumerate(calls)
    ]


def split_tool_calls(calls: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Split written calls for a stream: of each first its name, then its arguments by word.

    Only the first piece has the name and the id; the others' id is empty.
    """
    for call in calls:
        function = call["function"]
        yield _write(call["index"], call["id"], function["name"], "")
        for piece in split_tokens(function["arguments"]):
            yield {
                "index": call["index"],
                "id": "",
                "type": "function",
                "function": {"arguments": piece},
            }


def join_tool_calls(pieces: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write the calls so far of a stream's pieces."""
    calls: list[dict[str, Any]] = []
    for piece in pieces:
        if piece["id"]:
            calls.append(_write(piece["index"], piece["id"], piece["function"]["name"], ""))
        else:
            calls[-1]["function"]["arguments"] += piece["function"]["arguments"]
    return calls


def count_tool_call_tokens(call: Mapping[str, Any]) -> int:
    """Count the tokens of a written call, or of a piece of one."""
    function = call["function"]
    return len(split_tokens(function.get("name", ""))) + len(split_tokens(function["arguments"]))


def _write(index: int, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def _text(call: Mapping[str, Any]) -> str:
    arguments = call["arguments"]
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
