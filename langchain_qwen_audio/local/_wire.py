"""Replies → the bytes of DashScope's native protocol. Pure: no I/O.

Shapes and framing: https://docs.qwencloud.com/api-reference/chat/dashscope and, for the chunks and
the usage of Qwen-Audio, https://help.aliyun.com/zh/model-studio/audio-language-model
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from langchain_qwen_audio.local._calls import (
    count_call_tokens,
    cut_calls,
    encode_calls,
    join_calls,
)
from langchain_qwen_audio.local._models import Family
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import native_usage, split_tokens

STREAM_TYPE = "text/event-stream;charset=UTF-8"

_Calls: TypeAlias = Sequence[Mapping[str, Any]]
_Piece: TypeAlias = tuple[str, _Calls]


class Refusal(Exception):  # noqa: N818 (the service refuses; nothing went wrong here)
    """A request that the service answers with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take the HTTP status, DashScope's code and its message."""
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


def new_request_id() -> str:
    """Make an id of the form the service uses."""
    return str(uuid.uuid4())


def sse_event(
    payload: Mapping[str, Any] | str, event_id: int, event: str = "result", status: int = 200
) -> bytes:
    r"""Frame one native event: no blank after a colon, the status in a comment line.

    A `str` payload is sent as it is, to make broken ones.
    """
    data = payload if isinstance(payload, str) else dump(payload)
    return f"id:{event_id}\nevent:{event}\n:HTTP_STATUS/{status}\ndata:{data}\n\n".encode()


def encode_reply(
    reply: Reply,
    counted: Mapping[str, int],
    *,
    stream: bool,
    incremental: bool,
    family: Family = "qwen-audio",
) -> RawReply:
    """Say a reply as the native protocol does: its text, its tool calls and its annotations.

    Args:
        reply: What the model answers.
        counted: Tokens of the request, as `native_usage` takes them.
        stream: Server-sent events instead of one JSON body.
        incremental: Each chunk holds what is new; otherwise all so far, which is the service's
            default. That the last cumulative chunk repeats the whole text is inferred.
        family: Whose usage it is.
    """
    request_id = reply.request_id or new_request_id()
    fragments = reply.fragments or tuple(split_tokens(reply.text))
    calls = encode_calls(reply.tool_calls)
    pieces: list[_Piece] = [(text, ()) for text in fragments]
    pieces += [("", (call,)) for call in cut_calls(calls)]
    counts = list(accumulate(map(_count, pieces))) or [0]

    def payload(text: str, calls: _Calls, finish_reason: str, tokens: int) -> dict[str, Any]:
        usage = native_usage(family, counted, tokens) if reply.usage is None else reply.usage
        output = _encode_output(text, calls, finish_reason, reply.annotations)
        named = {} if reply.model is None else {"model": reply.model}
        return {"output": output, "usage": usage, "request_id": request_id, **named}

    whole = payload("".join(fragments), calls, reply.ending, counts[-1])
    if not stream:
        return json_reply(200, whole, request_id, reply.delay_s)
    last = payload("", (), reply.ending, counts[-1]) if incremental else whole
    if not incremental:
        so_far = accumulate(pieces, lambda old, new: (old[0] + new[0], (*old[1], *new[1])))
        pieces = [(text, join_calls(calls)) for text, calls in so_far]
    payloads = [
        payload(*piece, "null", count) for piece, count in zip(pieces, counts, strict=False)
    ]
    events = [sse_event(item, number) for number, item in enumerate([*payloads, last], 1)]
    return RawReply(
        headers={"content-type": STREAM_TYPE, "x-request-id": request_id},
        steps=tuple(paced(events, reply.delay_s, reply.pause_s)),
    )


def policy_reply(data: Mapping[str, Any]) -> RawReply:
    """Answer `getPolicy`.

    Source: https://help.aliyun.com/zh/model-studio/get-temporary-file-url
    """
    request_id = new_request_id()
    return json_reply(200, {"request_id": request_id, "data": data}, request_id)


def error_reply(
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> RawReply:
    """Refuse with a native error body.

    Example:
        `error_reply(429, "Throttling.RateQuota", "Requests rate limit exceeded.",
        headers={"retry-after": "1"})`
    """
    request_id = request_id or new_request_id()
    body = {"code": code, "message": message, "request_id": request_id}
    reply = json_reply(status, body, request_id)
    return RawReply(status, {**reply.headers, **(headers or {})}, reply.steps)


def stream_error_reply(
    fragments: Sequence[str], code: str, message: str, *, status: int = 400
) -> RawReply:
    """Stream some fragments, then fail with `event:error` inside the 200 response.

    Its bytes are known from third parties, not from the official pages.
    """
    request_id = new_request_id()
    begun = Reply(fragments=tuple(fragments), request_id=request_id)
    reply = encode_reply(begun, {"input_tokens": 1}, stream=True, incremental=True)
    error = {"code": code, "message": message, "request_id": request_id}
    failure = sse_event(error, len(reply.steps), "error", status)
    return RawReply(reply.status, reply.headers, (*reply.steps[:-1], failure))


def oss_error_reply(refusal: Refusal) -> RawReply:
    """Refuse an upload the way OSS does, in XML.

    Source: https://help.aliyun.com/zh/oss/developer-reference/error-responses
    """
    request_id = new_request_id()
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
        f"<RequestId>{request_id}</RequestId></Error>"
    )
    headers = {"content-type": "application/xml", "x-oss-request-id": request_id}
    return RawReply(refusal.status, headers, (body.encode(),))


def json_reply(
    status: int, payload: Mapping[str, Any], request_id: str, delay_s: float = 0
) -> RawReply:
    """Answer with one JSON body."""
    body = dump(payload).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-request-id": request_id,
    }
    return RawReply(status, headers, (delay_s, body) if delay_s else (body,))


def paced(events: Sequence[bytes], delay_s: float, pause_s: float) -> Iterator[bytes | float]:
    """Wait before the first event and between the events."""
    for number, event in enumerate(events):
        if wait_s := pause_s if number else delay_s:
            yield wait_s
        yield event


def dump(payload: Mapping[str, Any]) -> str:
    """Write JSON as the service does, without blanks."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _count(piece: _Piece) -> int:
    text, calls = piece
    return len(split_tokens(text)) + sum(map(count_call_tokens, calls))


def _encode_output(
    text: str,
    calls: _Calls,
    finish_reason: str,
    annotations: Sequence[Mapping[str, Any]] | None,
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": [{"text": text}] if text else []}
    if calls:
        message["tool_calls"] = calls
    if annotations is not None:
        message["annotations"] = annotations
    return {"choices": [{"finish_reason": finish_reason, "message": message}]}
