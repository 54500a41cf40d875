"""Replies → the bytes of the OpenAI-compatible path. Pure: no I/O.

Chunks: https://help.aliyun.com/zh/model-studio/qwen-omni ; those of speech recognition:
https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference ; errors:
https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pybase64

from langchain_qwen_audio.local._calls import count_call_tokens, cut_calls, encode_calls
from langchain_qwen_audio.local._models import Model
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import Output, compatible_usage, split_tokens
from langchain_qwen_audio.local._voice import BYTES_PER_S
from langchain_qwen_audio.local._wire import STREAM_TYPE, dump, json_reply, new_request_id, paced

_SPEECH_LIFE_S = 3600
_CHUNK = "chat.completion.chunk"
_DONE = b"data: [DONE]\n\n"

# Native code → this path's, where it is not the same in another spelling.
_CODES = {
    "InvalidParameter": "invalid_parameter_error",
    "InternalError.Algo": "internal_error",
    "BadRequest.EmptyInput": "invalid_parameter_error",
    "BadRequest.EmptyModel": "invalid_parameter_error",
}


@dataclass(frozen=True)
class _Envelope:
    """What every piece of one answer repeats."""

    request_id: str
    model: str
    created: int

    def wrap(self, kind: str, choices: Sequence[Any], usage: object) -> dict[str, Any]:
        return {
            "choices": choices,
            "object": kind,
            "usage": usage,
            "created": self.created,
            "system_fingerprint": None,
            "model": self.model,
            "id": f"chatcmpl-{self.request_id}",
        }


def encode_chat(
    reply: Reply,
    counted: Mapping[str, int],
    *,
    name: str,
    model: Model,
    stream: bool,
    include_usage: bool,
) -> RawReply:
    """Say a reply as the compatible path does.

    Args:
        reply: What the model answers.
        counted: Tokens of the request, as `native_usage` takes them.
        name: The model's name, as it was asked for.
        model: The model's facts.
        stream: Server-sent events instead of one JSON body.
        include_usage: The stream is to end with the usage.
    """
    request_id = reply.request_id or new_request_id()
    envelope = _Envelope(request_id, reply.model or name, int(time.time()))
    calls = encode_calls(reply.tool_calls)
    usage = reply.usage
    if usage is None:
        usage = compatible_usage(model.family, counted, _count(reply, calls, model))
    if not stream:
        choice = {
            "message": _encode_message(reply, calls, envelope),
            "finish_reason": reply.ending,
            "index": 0,
            "logprobs": None,
        }
        whole = envelope.wrap("chat.completion", [choice], usage)
        return json_reply(200, whole, request_id, reply.delay_s)
    chunks = [envelope.wrap(_CHUNK, [choice], None) for choice in _cut(reply, calls, envelope)]
    if include_usage:
        chunks.append(envelope.wrap(_CHUNK, [], usage))
    events = [*map(_event, chunks), _DONE]
    return RawReply(
        headers={"content-type": STREAM_TYPE, "x-request-id": request_id},
        steps=tuple(paced(events, reply.delay_s, reply.pause_s)),
    )


def compatible_error_reply(
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> RawReply:
    """Refuse with the compatible path's error body; the code goes out as it is given.

    Example:
        `compatible_error_reply(429, "limit_requests", "You exceeded your current quota.")`
    """
    request_id = request_id or new_request_id()
    reply = json_reply(status, _encode_error(status, code, message, request_id), request_id)
    return RawReply(status, {**reply.headers, **(headers or {})}, reply.steps)


def compatible_stream_error_reply(
    fragments: Sequence[str],
    code: str,
    message: str,
    *,
    status: int = 400,
    model: str = "qwen3-omni-flash",
) -> RawReply:
    """Stream some fragments, then fail with an error inside the 200 response, without `[DONE]`.

    That it comes in an event of its own and in the shape of an error body is inferred.
    """
    request_id = new_request_id()
    envelope = _Envelope(request_id, model, int(time.time()))
    begun = Reply(fragments=tuple(fragments))
    *choices, _ = _cut(begun, [], envelope)
    failure = _event(_encode_error(status, code, message, request_id))
    return RawReply(
        headers={"content-type": STREAM_TYPE, "x-request-id": request_id},
        steps=(*(_event(envelope.wrap(_CHUNK, [it], None)) for it in choices), failure),
    )


def compatible_code(native_code: str) -> str:
    """Tell what this path calls an error: lower case, with underscores."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", native_code).replace(".", "_")
    return _CODES.get(native_code, words.lower())


def _encode_message(
    reply: Reply, calls: Sequence[Mapping[str, Any]], envelope: _Envelope
) -> dict[str, Any]:
    text = "".join(reply.fragments) or reply.text
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if calls:
        message["tool_calls"] = calls
    if reply.annotations is not None:
        message["annotations"] = reply.annotations
    if reply.audio:
        message["audio"] = _encode_audio(_base64(reply), envelope)
    return message


def _cut(
    reply: Reply, calls: Sequence[Mapping[str, Any]], envelope: _Envelope
) -> Iterator[dict[str, Any]]:
    """Cut a reply into the choices of its chunks."""
    more: dict[str, Any] = {}
    if reply.annotations is not None:
        more = {"annotations": reply.annotations}
    yield _chunk({"content": "", "role": "assistant", **more})
    if reply.annotations is not None:
        more["role"] = None  # speech recognition repeats it, the others leave it out
    for delta in _deltas(reply, calls, envelope):
        yield _chunk({**delta, **more})
    yield _chunk({"content": "", **more}, reply.ending)


def _deltas(
    reply: Reply, calls: Sequence[Mapping[str, Any]], envelope: _Envelope
) -> Iterator[dict[str, Any]]:
    for piece in split_tokens(reply.reasoning):
        yield {"content": None, "reasoning_content": piece}
    thought = {"reasoning_content": None} if reply.reasoning else {}
    for fragment in reply.fragments or split_tokens(reply.text):
        yield {"content": fragment, **thought}
    for call in cut_calls(calls):
        yield {"content": None, **thought, "tool_calls": [call]}
    speech = _base64(reply)
    for start in range(0, len(speech), reply.audio_piece):
        yield {"audio": _encode_audio(speech[start : start + reply.audio_piece], envelope)}


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"delta": delta, "finish_reason": finish_reason, "index": 0, "logprobs": None}


def _base64(reply: Reply) -> str:
    """Encode all the speech as one text; its pieces are no base64 of their own."""
    return pybase64.b64encode_as_string(reply.audio)


def _encode_audio(data: str, envelope: _Envelope) -> dict[str, Any]:
    expires_at = envelope.created + _SPEECH_LIFE_S
    return {"data": data, "expires_at": expires_at, "id": f"audio_{envelope.request_id}"}


def _count(reply: Reply, calls: Sequence[Mapping[str, Any]], model: Model) -> Output:
    texts = reply.fragments or (reply.text,)
    spoken_s = len(reply.audio) / BYTES_PER_S
    return Output(
        text=sum(len(split_tokens(text)) for text in texts) + sum(map(count_call_tokens, calls)),
        reasoning=len(split_tokens(reply.reasoning)),
        audio=round(spoken_s * model.speech_tokens_per_s),
    )


def _encode_error(status: int, code: str, message: str, request_id: str) -> dict[str, Any]:
    of_the_request = 400 <= status < 500 and status != 429
    kind = "invalid_request_error" if of_the_request else code
    return {
        "error": {"message": message, "type": kind, "code": code, "param": None},
        "request_id": request_id,
        "id": f"chatcmpl-{request_id}",
    }


def _event(payload: Mapping[str, Any]) -> bytes:
    """Frame one event: with a blank after the colon, unlike the native ones."""
    return f"data: {dump(payload)}\n\n".encode()
