"""The Responses API of qwen3.8-omni-flash: a request → `ModelRequest`, a reply → bytes. Pure.

Parts and models: https://help.aliyun.com/zh/model-studio/qwen-omni ; requests, objects and events:
https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-responses and its OpenAPI text at
https://platform.qianwenai.com/docs/llms.txt . How events are framed is known from third parties.
What is stored, built-in tools and caches are not played. How the usage counts audio is not known.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Model
from langchain_qwen_audio.local._protocols import checks
from langchain_qwen_audio.local._protocols.http_replies import (
    event_stream,
    json_reply,
    new_request_id,
)
from langchain_qwen_audio.local._protocols.native import NATIVE, sse_event
from langchain_qwen_audio.local._protocols.openai import OPENAI, read_openai
from langchain_qwen_audio.local._protocols.parameters import SAMPLING, read_max_tokens
from langchain_qwen_audio.local._protocols.protocol import ServerProtocol
from langchain_qwen_audio.local._protocols.tool_calls import write_tool_calls
from langchain_qwen_audio.local._protocols.usage import count_text_tokens
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import InputTokens, split_tokens

_MIN_OUTPUT_TOKENS = 16
_OF_AUDIO = {"format", "use_multichannel"}
_SAME_FIELDS = ("stream", "enable_thinking", "parallel_tool_calls")


# --- a request ---


def read_responses(
    fields: Mapping[str, Any], headers: Mapping[str, str], name: str, model: Model
) -> ModelRequest:
    """Read a request, as the chat completion that says the same.

    Raises:
        Refusal: The service would not take it, or this server does not play it.
    """
    chat = {key: fields[key] for key in _SAME_FIELDS if key in fields}
    chat["messages"] = _read_input(fields.get("input"), fields.get("instructions"))
    if tools := fields.get("tools"):
        chat["tools"] = [_read_tool(tool) for tool in tools]
        chat["tool_choice"] = fields.get("tool_choice")
    if reasoning := fields.get("reasoning"):
        chat["reasoning_effort"] = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return replace(
        read_openai(chat, headers, name, model),
        max_tokens=read_max_tokens(fields, "max_output_tokens", at_least=_MIN_OUTPUT_TOKENS),
        echoed={"tools": tools or [], "tool_choice": fields.get("tool_choice") or "auto"},
    )


def _read_input(given: object, instructions: object) -> list[dict[str, Any]]:
    system = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(given, str):
        return [*system, {"role": "user", "content": given}]
    return [*system, *map(_read_item, checks.check_message_list(given))]


def _read_item(item: Mapping[str, Any]) -> dict[str, Any]:
    match item:
        case {"type": "function_call", "call_id": call_id, "name": name, "arguments": text}:
            call = {"id": call_id, "function": {"name": name, "arguments": text}}
            return {"role": "assistant", "content": None, "tool_calls": [call]}
        case {"type": "function_call_output", "call_id": call_id, "output": output}:
            return {"role": "tool", "tool_call_id": call_id, "content": output}
        case {"role": role, "content": content}:
            parts = content if isinstance(content, str) else _read_parts(content)
            return {"role": "system" if role == "developer" else role, "content": parts}
    kind = item.get("type")
    raise invalid_parameter(f"This local test server does not play an item of the type {kind}.")


def _read_parts(content: object) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise invalid_parameter(checks.INVALID_PARAMETER)
    return [_read_part(part) for part in content]


def _read_part(part: object) -> dict[str, Any]:
    match part:
        case {"type": "input_text" | "output_text" | "text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_audio", "audio_url": str(url), **more} if more.keys() <= _OF_AUDIO:
            named = {"format": more["format"]} if "format" in more else {}
            return {"type": "input_audio", "input_audio": {"data": url, **named}}
        case {"type": "input_video", "video_url": str(url)}:
            return {"type": "video_url", "video_url": {"url": url}}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": kind}:
            msg = f"This local test server does not play such a part of the type {kind}."
            raise invalid_parameter(msg)
    raise invalid_parameter(checks.INVALID_PARAMETER)


def _read_tool(tool: object) -> dict[str, Any]:
    match tool:
        case {"type": "function", **function}:
            return {"type": "function", "function": function}
        case {"type": kind}:
            raise invalid_parameter(f"This local test server does not play the tool {kind}.")
    raise invalid_parameter(checks.INVALID_PARAMETER)


# --- a reply ---


@dataclass(frozen=True)
class _Answer:
    """One answer, whole and in events."""

    reply: Reply
    request: ModelRequest
    tokens: InputTokens
    request_id: str
    created: int

    def head(self, status: str) -> dict[str, Any]:
        created = {"id": f"resp_{self.request_id}", "created_at": self.created}
        return {**created, "object": "response", "status": status}

    def whole(self) -> dict[str, Any]:
        return {
            **self.head(self.status),
            "model": self.reply.model or self.request.name,
            "output": [item for item, _ in self.items()],
            "parallel_tool_calls": False,
            **self.request.echoed,
            "error": None,
            "usage": self.reply.usage or self._count(),
        }

    @property
    def status(self) -> str:
        return "incomplete" if self.reply.ending == "length" else "completed"

    def items(self) -> Iterator[tuple[dict[str, Any], "_Write"]]:
        """Write the items of the output, each with what writes the events within it."""
        if self.reply.reasoning:
            summary = [{"type": "summary_text", "text": self.reply.reasoning}]
            yield {"type": "reasoning", "id": self._id(0), "summary": summary}, self._thoughts
        if self.reply.whole_text or not self.reply.tool_calls:
            message = {"type": "message", "id": self._id(1), "role": "assistant"}
            part = _part(self.reply.whole_text)
            yield {**message, "status": "completed", "content": [part]}, self._text
        for number, call in enumerate(write_tool_calls(self.reply.tool_calls), 2):
            named = {"type": "function_call", "id": self._id(number), "call_id": call["id"]}
            yield {**named, **call["function"], "status": "completed"}, lambda _: iter(())

    def events(self) -> Iterator[dict[str, Any]]:
        """Write the events of a stream, without their numbers."""
        yield {"type": "response.created", "response": self.head("queued")}
        yield {"type": "response.in_progress", "response": self.head("in_progress")}
        for index, (item, within) in enumerate(self.items()):
            skeleton = {"content": [], "summary": [], "status": "in_progress"}
            begun = {**item, **{key: skeleton[key] for key in skeleton if key in item}}
            place = {"item_id": item["id"], "output_index": index}
            yield {"type": "response.output_item.added", "output_index": index, "item": begun}
            yield from ({**event, **place} for event in within({"content_index": 0}))
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        yield {"type": f"response.{self.status}", "response": self.whole()}

    def _thoughts(self, place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        kind = "response.reasoning_text"
        for piece in split_tokens(self.reply.reasoning):
            yield {"type": f"{kind}.delta", "delta": piece, **place}
        yield {"type": f"{kind}.done", "text": self.reply.reasoning, **place}

    def _text(self, place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        text = self.reply.whole_text
        yield {"type": "response.content_part.added", "part": _part(""), **place}
        for piece in self.reply.fragments or split_tokens(text):
            yield {"type": "response.output_text.delta", "delta": piece, **place}
        yield {"type": "response.output_text.done", "text": text, **place}
        yield {"type": "response.content_part.done", "part": _part(text), **place}

    def _id(self, number: int) -> str:
        return f"msg_{self.request_id}-{number}"

    def _count(self) -> dict[str, Any]:
        thoughts = len(split_tokens(self.reply.reasoning))
        output = count_text_tokens(self.reply) + thoughts
        counts = {"input_tokens": self.tokens.total, "output_tokens": output}
        counts["total_tokens"] = self.tokens.total + output
        return {
            **counts,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": thoughts},
            "x_details": [{**counts, "x_billing_type": "response_api"}],
        }


_Write = Callable[[Mapping[str, Any]], Iterator[dict[str, Any]]]


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def write_responses(reply: Reply, request: ModelRequest, tokens: InputTokens) -> RawReply:
    """Write a reply to a request, whole or as a stream."""
    request_id = reply.request_id or new_request_id()
    answer = _Answer(reply, request, tokens, request_id, int(time.time()))
    if not request.stream:
        return json_reply(200, answer.whole(), request_id, delay_s=reply.delay_s)
    return event_stream(
        _frame(list(answer.events())), request_id, delay_s=reply.delay_s, pause_s=reply.pause_s
    )


def _frame(events: Sequence[Mapping[str, Any]]) -> list[bytes]:
    return [
        sse_event({**event, "sequence_number": number}, number + 1, event["type"])
        for number, event in enumerate(events)
    ]


def _refuse_model(name: str) -> Refusal:
    return invalid_parameter(f"The model `{name}` does not support the Responses API.")


RESPONSES = ServerProtocol(
    name="responses",
    kind="responses",
    base_path=OPENAI.base_path,
    path="/responses",
    parameters=SAMPLING
    | {"instructions", "stream", "store", "tools", "tool_choice", "parallel_tool_calls"}
    | {"enable_thinking", "reasoning", "max_output_tokens"},
    read=read_responses,
    write=write_responses,
    write_error=NATIVE.write_error,
    refuse_model=_refuse_model,
)
