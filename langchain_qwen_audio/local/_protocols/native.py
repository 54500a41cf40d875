"""DashScope's own protocol: a generation request → `ModelRequest`, a reply → bytes. Pure.

Shapes and framing: https://docs.qwencloud.com/api-reference/chat/dashscope and, for the chunks and
the usage of Qwen-Audio, https://help.aliyun.com/zh/model-studio/audio-language-model
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

import pybase64

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Family, Model
from langchain_qwen_audio.local._protocols import checks
from langchain_qwen_audio.local._protocols.http_replies import (
    encode_text,
    event_stream,
    json_reply,
    new_request_id,
    write_json,
)
from langchain_qwen_audio.local._protocols.parameters import (
    SAMPLING,
    check_one_answer,
    read_max_tokens,
    read_stop,
)
from langchain_qwen_audio.local._protocols.protocol import ServerProtocol
from langchain_qwen_audio.local._protocols.tool_calls import (
    count_tool_call_tokens,
    join_tool_calls,
    split_tool_calls,
    write_tool_calls,
)
from langchain_qwen_audio.local._protocols.usage import count_text_tokens, write_native_usage
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import InputTokens, split_tokens

_MODALITIES = frozenset({"text", "image", "video", "audio"})

_Calls: TypeAlias = Sequence[Mapping[str, Any]]
_Piece: TypeAlias = tuple[str, _Calls]


# --- a request ---


def read_native(
    body: Mapping[str, Any], headers: Mapping[str, str], name: str, model: Model
) -> ModelRequest:
    """Read a generation request.

    Raises:
        Refusal: The service would not take it.
    """
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid_parameter(checks.INVALID_PARAMETER)
    given = body.get("input")
    messages = checks.check_message_list(given.get("messages") if isinstance(given, dict) else None)
    for message in messages:
        _check_content(message, headers)
    checks.check_last_message(messages)
    check_one_answer(parameters)
    return ModelRequest(
        name=name,
        model=model,
        messages=messages,
        stream=headers.get("x-dashscope-sse") == "enable",
        incremental=parameters.get("incremental_output") is True,
        speech="audio" in (parameters.get("modalities") or ()),
        asr_options=parameters.get("asr_options"),
        stop=read_stop(parameters),
        max_tokens=read_max_tokens(parameters, "max_tokens"),
    )


def _check_content(message: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    content = message.get("content")
    if not isinstance(content, list) or not all(map(_is_part, content)):
        raise invalid_parameter("The item of content should be a message of a certain modal")
    for part in content:
        if "audio" in part:
            checks.check_audio_url(part["audio"], headers)


def _is_part(part: object) -> bool:
    return (
        isinstance(part, dict)
        and bool(part)
        and part.keys() <= _MODALITIES
        and isinstance(part.get("text", ""), str)
    )


# --- a reply ---


def write_native(reply: Reply, request: ModelRequest, tokens: InputTokens) -> RawReply:
    """Write a reply to a request: its text, its tool calls and its annotations."""
    if not request.stream:
        return _write_whole(reply, tokens, request.model.family)
    return _write_stream(reply, tokens, request.model.family, incremental=request.incremental)


def sse_event(
    payload: Mapping[str, Any] | str, event_id: int, event: str = "result", status: int = 200
) -> bytes:
    r"""Frame one native event: no blank after a colon, the status in a comment line.

    A `str` payload is sent as it is, to make broken ones.

    Example:
        ```python
        from langchain_qwen_audio.local import RESET, RawReply, sse_event

        event = sse_event({"output": {"choices": []}}, 1)
        broken = RawReply(headers={"content-type": "text/event-stream"}, steps=(event, RESET))
        ```
    """
    data = payload if isinstance(payload, str) else write_json(payload)
    lines = f"id:{event_id}\nevent:{event}\n:HTTP_STATUS/{status}\ndata:{data}\n\n"
    return encode_text(lines)


def _write_whole(reply: Reply, tokens: InputTokens, family: Family) -> RawReply:
    request_id = reply.request_id or new_request_id()
    whole = (reply.whole_text, write_tool_calls(reply.tool_calls))
    usage = _usage(reply, family, tokens, count_text_tokens(reply))
    payload = _payload(reply, whole, reply.ending, usage, request_id)
    return json_reply(200, payload, request_id, delay_s=reply.delay_s)


def _write_stream(
    reply: Reply, tokens: InputTokens, family: Family, *, incremental: bool
) -> RawReply:
    """Write one chunk for each piece, and a last one that finishes.

    That the last cumulative chunk repeats the whole text is inferred.
    """
    request_id = reply.request_id or new_request_id()
    pieces = _split_reply(reply)
    counts = list(accumulate(map(_count, pieces))) or [0]
    if not incremental:  # the service's default: each chunk holds all so far
        so_far = accumulate(pieces, lambda old, new: (old[0] + new[0], (*old[1], *new[1])))
        pieces = [(text, join_tool_calls(calls)) for text, calls in so_far]
    last = ("", ()) if incremental or not pieces else pieces[-1]
    chunks = [(*it, "null") for it in zip(pieces, counts, strict=False)]
    payloads = [
        _payload(reply, piece, finish_reason, _usage(reply, family, tokens, count), request_id)
        for piece, count, finish_reason in [*chunks, (last, counts[-1], reply.ending)]
    ]
    usage = _usage(reply, family, tokens, counts[-1])
    payloads[-1:-1] = [_speech_payload(piece, usage, request_id) for piece in _split_speech(reply)]
    events = [sse_event(payload, number) for number, payload in enumerate(payloads, 1)]
    return event_stream(events, request_id, delay_s=reply.delay_s, pause_s=reply.pause_s)


def _split_reply(reply: Reply) -> list[_Piece]:
    fragments = reply.fragments or tuple(split_tokens(reply.text))
    pieces: list[_Piece] = [(text, ()) for text in fragments]
    pieces += [("", (call,)) for call in split_tool_calls(write_tool_calls(reply.tool_calls))]
    return pieces


def _count(piece: _Piece) -> int:
    text, calls = piece
    return len(split_tokens(text)) + sum(map(count_tool_call_tokens, calls))


def _usage(reply: Reply, family: Family, tokens: InputTokens, count: int) -> Mapping[str, Any]:
    return write_native_usage(family, tokens, count) if reply.usage is None else reply.usage


def _payload(
    reply: Reply, piece: _Piece, finish_reason: str, usage: Mapping[str, Any], request_id: str
) -> dict[str, Any]:
    text, calls = piece
    message: dict[str, Any] = {"role": "assistant", "content": [{"text": text}] if text else []}
    if calls:
        message["tool_calls"] = calls
    if reply.annotations is not None:
        message["annotations"] = reply.annotations
    output = {"choices": [{"finish_reason": finish_reason, "message": message}]}
    named = {} if reply.model is None else {"model": reply.model}
    return {"output": output, "usage": usage, "request_id": request_id, **named}


def _split_speech(reply: Reply) -> list[str]:
    """Split speech as one base64 text: its pieces are no base64 of their own."""
    speech = pybase64.b64encode_as_string(reply.audio)
    return [
        speech[start : start + reply.audio_piece]
        for start in range(0, len(speech), reply.audio_piece)
    ]


def _speech_payload(piece: str, usage: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"audio": {"data": piece}}]}
    output = {"choices": [{"finish_reason": "null", "message": message}]}
    return {"output": output, "usage": usage, "request_id": request_id}


# --- errors ---


def error_reply(
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> RawReply:
    """Answer with a native error body.

    Example:
        `error_reply(429, "Throttling.RateQuota", "Requests rate limit exceeded.",
        headers={"retry-after": "1"})`

    Example:
        ```python
        from langchain_qwen_audio.errors import RateLimitError
        from langchain_qwen_audio.local import LocalDashScope, error_reply

        with LocalDashScope() as server:
            server.script(error_reply(429, "Throttling.RateQuota", "Slow down."))
            local_model = ChatQwenAudio(
                base_url=server.base_url, api_key="local", max_retries=0
            )
            try:
                local_model.invoke("?")
            except RateLimitError as error:
                print(error)
        ```
    """
    request_id = request_id or new_request_id()
    body = {"code": code, "message": message, "request_id": request_id}
    return json_reply(status, body, request_id, headers=headers)


def stream_error_reply(
    fragments: Sequence[str], code: str, message: str, *, status: int = 400
) -> RawReply:
    """Stream some fragments, then fail with `event:error` inside the 200 response.

    Its bytes are known from third parties, not from the official pages.

    Example:
        ```python
        from langchain_qwen_audio.errors import APIError
        from langchain_qwen_audio.local import LocalDashScope, stream_error_reply

        with LocalDashScope() as server:
            server.script(stream_error_reply(["It "], "InternalError", "It failed."))
            local_model = ChatQwenAudio(
                base_url=server.base_url, api_key="local", max_retries=0
            )
            try:
                list(local_model.stream("?"))
            except APIError as error:
                print(error)
        ```
    """
    request_id = new_request_id()
    begun = Reply(fragments=tuple(fragments), request_id=request_id)
    reply = _write_stream(begun, InputTokens(1), "qwen-audio", incremental=True)
    error = {"code": code, "message": message, "request_id": request_id}
    failure = sse_event(error, len(reply.steps), "error", status)
    return RawReply(reply.status, reply.headers, (*reply.steps[:-1], failure))


def _write_error(refusal: Refusal) -> RawReply:
    return error_reply(refusal.status, refusal.code, refusal.message)


NATIVE = ServerProtocol(
    name="native",
    kind="generation",
    base_path="/api/v1",
    path="/services/aigc/multimodal-generation/generation",
    parameters=SAMPLING
    | {"result_format", "incremental_output", "n", "stop", "max_tokens"}
    | {"modalities", "audio", "voice", "asr_options"},
    read=read_native,
    write=write_native,
    write_error=_write_error,
    refuse_model=lambda _: invalid_parameter(checks.URL_ERROR),
)
