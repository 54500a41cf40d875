"""The fault matrix: what may happen, in four ways to call → one outcome, at a known cost."""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._connections import Endpoint
from langchain_qwen_audio._failures import Attempts
from langchain_qwen_audio.local import (
    END,
    RESET,
    LocalDashScope,
    RawReply,
    Reply,
    error_reply,
    sse_event,
    stream_error_reply,
)

from .conftest import ainvoke, astream, invoke, stream
from .faults import (
    JSON,
    LAST,
    PATIENCE_S,
    SOON,
    SSE,
    Case,
    Fault,
    Matrix,
    Outcome,
    answer,
    answering,
    body,
    broken,
    cut,
    error_within,
    event,
    every_way,
    lasting,
    passing,
    payload,
    sse,
)
from .local._client import wait_until
from .recordings import ask_about, fresh_tone, kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_qwen_audio.local import ReceivedRequest

    from .conftest import Ask
    from .faults import Step

# --- what a status says, whatever its body ----------------------------------------------------

REFUSAL = {"code": "Odd", "message": "it went wrong", "request_id": "r-1"}
HTML = b"<html><body><h1>it went wrong</h1></body></html>"
BODIES: dict[str, tuple[dict[str, str], Sequence[Step]]] = {
    "JSON": (JSON, [body(REFUSAL).steps[0]]),
    "SSE-framed": (SSE, [sse_event(REFUSAL, 1, event="error")]),
    "HTML of a proxy": ({"content-type": "text/html"}, [HTML]),
    "an empty body": ({"content-length": "0"}, []),
    "truncated JSON": (JSON, [b'{"code":"Odd","message":"it went wrong']),
}
STATUSES = {
    302: lasting(errors.InvalidRequestError),
    400: lasting(errors.InvalidRequestError),
    401: lasting(errors.AuthenticationError),
    403: lasting(errors.PermissionDeniedError),
    404: lasting(errors.NotFoundError),
    408: passing(errors.APITimeoutError),
    413: lasting(errors.InvalidRequestError),
    429: passing(errors.RateLimitError),
    500: passing(errors.APIError),
    503: passing(errors.APIError),
    504: passing(errors.APITimeoutError),
}
BY_STATUS = {
    f"{status} with {name}": every_way(RawReply(status, {**headers, **SOON}, steps), outcome)
    for status, outcome in STATUSES.items()
    for name, (headers, steps) in BODIES.items()
}

# --- an answer that is no answer --------------------------------------------------------------

NOT_AN_ANSWER = passing(errors.APIError)
NO_CHOICES: dict[str, Any] = {
    "choices missing": {"output": {}},
    "choices empty": {"output": {"choices": []}},
    "choices null": {"output": {"choices": None}},
    "choices a string": {"output": {"choices": "ab"}},
    "choices of null": {"output": {"choices": [None]}},
    "no message": {"output": {"choices": [{"finish_reason": "stop"}]}},
    "message null": {"output": {"choices": [{"finish_reason": "stop", "message": None}]}},
    "output missing": {"request_id": "r-1"},
    "output null": {"output": None},
    "output a string": {"output": "ab"},
}
WITHOUT_ANSWER = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "a string": b'"ab"',
    "an empty object": b"{}",
    "garbage": b"\x00\xff\xfe garbage",
    "truncated JSON in": body(payload("ab", "stop")).steps[0][:-7],  # type: ignore[index]
}
AS_BODY = {
    **{
        f"{name}, in a body": Fault(body(said), whole=NOT_AN_ANSWER)
        for name, said in {**NO_CHOICES, **WITHOUT_ANSWER}.items()
    },
    "HTML with status 200": every_way(
        RawReply(200, {"content-type": "text/html", **SOON}, [HTML]), NOT_AN_ANSWER
    ),
    "200 with a code": every_way(body(REFUSAL), passing(errors.APIError, "it went wrong")),
    "200 with a lasting code": every_way(
        body({"code": "InvalidParameter", "message": "The audio is empty"}),
        lasting(errors.AudioError, "The audio is empty"),
    ),
    "200 with a code of the compatible mode": every_way(
        body({"error": {"code": "invalid_parameter_error", "message": "The audio is empty"}}),
        lasting(errors.AudioError, "The audio is empty"),
    ),
    "a code that is a number": every_way(
        body({"code": 1234, "message": "it went wrong"}), NOT_AN_ANSWER
    ),
    "a code that is a list": every_way(
        body({"code": ["a"], "message": "it went wrong"}), NOT_AN_ANSWER
    ),
    "a code without a message": every_way(
        body({"code": "InvalidParameter"}), lasting(errors.InvalidRequestError)
    ),
    "a code and a message that is an object": every_way(
        body({"code": "InvalidParameter", "message": {"a": 1}}),
        lasting(errors.InvalidRequestError),
    ),
    "a status whose code is a number": every_way(
        body({"code": 1234, "message": "it went wrong"}, 400),
        lasting(errors.InvalidRequestError, "it went wrong"),
    ),
    "a status whose code is a list": every_way(
        body({"code": ["a"], "message": "it went wrong"}, 400), NOT_AN_ANSWER
    ),
    "JSON where a stream was asked for": Fault(
        body(payload("ab", "stop")),
        whole=answer("ab"),
        streamed=passing(errors.APIError, "a stream was asked for"),
    ),
    "a stream where a whole answer was asked for": Fault(
        sse(event("ab"), LAST), whole=NOT_AN_ANSWER, streamed=answer("ab")
    ),
}

# --- odd answers ------------------------------------------------------------------------------

CONTENTS: dict[str, tuple[Any, str]] = {
    "null": (None, ""),
    "an empty list": ([], ""),
    "a string": ("ab", "ab"),
    "two texts": ([{"text": "a"}, {"text": "b"}], "ab"),
    "bare texts": (["a", {"text": "b"}], "ab"),
    "a text and null": ([{"text": "ab"}, None], "ab"),
    "a text and an unknown part": ([{"text": "ab"}, {"box": [1, 2]}], "ab"),
    "a text and a null text": ([{"text": "ab"}, {"text": None}], "ab"),
}
USAGES: dict[str, tuple[Any, Outcome]] = {
    "null": (None, answer("ab")),
    "empty": ({}, answer("ab")),
    "of nothing known": ({"seconds": 3}, answer("ab")),
    "of null details": ({"input_tokens": 1, "input_tokens_details": None}, answer("ab")),
    "of details that are a list": ({"input_tokens": 1, "input_tokens_details": [1]}, answer("ab")),
    "of details of strings": (
        {"input_tokens": 1, "input_tokens_details": {"audio_tokens": "many"}},
        answer("ab"),
    ),
    # What cannot be counted is not, and the answer that was paid for is kept.
    "of strings": ({"input_tokens": "many", "output_tokens": "few"}, answer("ab")),
    "of nulls": ({"input_tokens": None, "output_tokens": None}, answer("ab")),
    # Such a reply is no reply at all, neither here nor to the SDK.
    "a string": ("many", NOT_AN_ANSWER),
    "a list": ([1], NOT_AN_ANSWER),
}


def either(content: Any, finish: Any = "stop", **rest: Any) -> Any:
    """Reply with a body or with a stream, as asked."""

    def reply(request: ReceivedRequest) -> RawReply:
        if "x-dashscope-sse" in request.headers:
            return sse(event(content, **rest), event([], finish, **rest))
        return body(payload(content, finish, **rest))

    return reply


ODD = {
    **{
        f"content {name}": every_way(either(content), answer(text))
        for name, (content, text) in CONTENTS.items()
    },
    **{
        f"usage {name}": every_way(either("ab", usage=usage), outcome)
        for name, (usage, outcome) in USAGES.items()
    },
    "finish reason a list": Fault(
        either("", ["stop"]), whole=NOT_AN_ANSWER, streamed=broken(errors.APIError, "")
    ),
}

# --- streams ----------------------------------------------------------------------------------

INTERRUPTED = errors.StreamInterruptedError
A, B = event("a"), event("b")
AB = broken(INTERRUPTED, "ab")


def crlf(*events: bytes) -> bytes:
    return b"".join(events).replace(b"\n", b"\r\n")


def failing(fragments: list[str], code: str, status: int = 400) -> RawReply:
    reply = stream_error_reply(fragments, code, "it went wrong", status=status)
    return RawReply(200, {**reply.headers, **SOON}, reply.steps)


GARBAGE = {
    "garbage": b"data:garbage\n\n",
    "truncated JSON": b'data:{"output":{"choices":[{\n\n',
    "a number": b"data:1\n\n",
    "a list": b"data:[]\n\n",
    "bytes that are no text": b"data:\xff\xfe\n\n",
}
STREAMS = {
    # errors
    "event:error at once": (failing([], "InvalidParameter"), lasting(errors.InvalidRequestError)),
    "a passing event:error at once": (failing([], "InternalError", 500), passing(errors.APIError)),
    "an unknown event:error at once": (failing([], "Odd", 500), passing(errors.APIError)),
    "event:error after two events": (
        failing(["a", "b"], "InvalidParameter"),
        Outcome("ab", errors.InvalidRequestError, begun=True, says="it went wrong"),
    ),
    "a passing event:error after two events": (
        failing(["a", "b"], "Throttling", 429),
        broken(errors.RateLimitError, "ab", "it went wrong"),
    ),
    "an error of the compatible mode after two events": (
        sse(A, B, sse_event({"error": {"code": "internal_error", "message": "it went wrong"}}, 3)),
        broken(errors.APIError, "ab", "it went wrong"),
    ),
    **{f"{name} at once": (sse(said, LAST), NOT_AN_ANSWER) for name, said in GARBAGE.items()},
    **{
        f"{name} after two events": (sse(A, B, said, LAST), broken(errors.APIError, "ab"))
        for name, said in GARBAGE.items()
    },
    # framing
    "one byte at a time": (sse(*cut(A + B + LAST, pause_s=0.001)), answer("ab")),
    "a character in two packets": (
        sse(*cut(event("这段音频👩\u200d💻") + LAST, 7)),
        answer("这段音频👩\u200d💻"),
    ),
    "CRLF": (sse(crlf(A, B, LAST)), answer("ab")),
    "CRLF in pieces": (sse(*cut(crlf(A, B, LAST), pause_s=0.001)), answer("ab")),
    "no blank line at the end": (sse(A, B, LAST.rstrip(b"\n")), AB),
    "comments and heartbeats": (
        sse(b":hello\n\n", A, b":\n\n:\n\n", B, b"\n\n\n", LAST),
        answer("ab"),
    ),
    "an unknown event": (
        sse(b"event:ping\ndata:{}\n\n", A, b'event:x\ndata:{"y":1}\n\n', B, LAST),
        answer("ab"),
    ),
    "[DONE]": (sse(A, B, LAST, b"data:[DONE]\n\n"), answer("ab")),
    "line separators within a text": (
        sse(event("a\u2028b\u0085c\x0bd") + LAST),
        answer("a\u2028b\u0085c\x0bd"),
    ),
    "a byte order mark": (sse(b"\xef\xbb\xbf" + A, B, LAST), answer("ab")),
    # ends
    "no event": (sse(b""), passing(errors.APIConnectionError)),
    "nothing but [DONE]": (sse(b"data:[DONE]\n\n"), passing(errors.APIConnectionError)),
    "nothing but heartbeats": (sse(b":\n\n" * 9), passing(errors.APIConnectionError)),
    "no final event": (sse(A, B), AB),
    "[DONE] instead of the final event": (sse(A, B, b"data:[DONE]\n\n"), AB),
    "an event cut off": (sse(A, B, LAST[:40]), AB),
    "growing fragments and no final event": (
        sse(event("a"), event("ab"), event("abc")),
        broken(INTERRUPTED, "aababc"),
    ),
    "two final events": (sse(A, B, LAST, LAST), answer("ab")),
    "content after the final event": (sse(A, LAST, B), answer("ab")),
    "a final event first": (sse(LAST, A, B), answer("ab")),
    "two final events that disagree": (sse(A, B, event("", "length"), LAST), answer("ab")),
    "snapshots": (sse(event("a"), event("ab"), event("ab", "stop")), answer("ab")),
    "many snapshots": (
        sse(*[event("word " * n) for n in range(1, 20)], event("word " * 19, "stop")),
        answer("word " * 19),
    ),
    "snapshots, one of them late": (
        sse(*[event("word " * n) for n in (*range(1, 12), 10, 12)], event("word " * 12, "stop")),
        answer("word " * 12),
    ),
    "snapshots that are revised": (
        sse(*[event("word " * n) for n in range(1, 12)], event("other " * 12), LAST),
        broken(errors.APIError, "word " * 11, "changed"),
    ),
    "a whole answer in the final event": (sse(event("ab", "stop")), answer("ab")),
}

# --- connections ------------------------------------------------------------------------------

CONNECTION = passing(errors.APIConnectionError, "connection")
LONG = body(payload("ab" * 100, "stop")).steps[0]
assert isinstance(LONG, bytes)
BREAKS = {
    "reset before the first byte": every_way(RawReply(steps=[RESET]), CONNECTION),
    "closed before the first byte": every_way(RawReply(steps=[END]), CONNECTION),
    "reset before the first event": Fault(sse(b"", 0.3, RESET), streamed=CONNECTION),
    "closed before the first event": Fault(sse(b"", END), streamed=CONNECTION),
    "reset in mid-stream": Fault(sse(A, B, 0.5, RESET), streamed=AB),
    "closed in mid-stream": Fault(sse(A, B, END), streamed=AB),
    "reset after the final event": Fault(sse(A, B, LAST, 0.5, RESET), streamed=AB),
    "reset in mid-body": Fault(RawReply(200, JSON, [LONG[:99], 0.3, RESET]), whole=CONNECTION),
    "closed in mid-body": Fault(RawReply(200, JSON, [LONG[:99], END]), whole=CONNECTION),
    "a body shorter than its content-length": Fault(
        RawReply(200, {**JSON, "content-length": "999"}, [LONG, END]), whole=CONNECTION
    ),
}

# --- time -------------------------------------------------------------------------------------

T = 1.0
PATIENT = 2.5  # less than a healthy stream takes here, and more than a busy machine needs an event
TIMEOUT = passing(errors.APITimeoutError)
STALLED = broken(errors.StreamTimeoutError, "ab", "2 characters")
IN_PIECES = [
    step for one in (A, B, A, B, A, B, LAST) for step in (*cut(one[:45], 1, 0.005), one[45:], 0.2)
]


def heartbeat(said: bytes, pause_s: float = 0.1) -> list[Step]:
    return [step for _ in range(100) for step in (said, pause_s)]


SLOW = {
    "a stall before the first byte": every_way(RawReply(steps=[math.inf]), TIMEOUT, T),
    "a stall before the first event": Fault(sse(b"", math.inf), streamed=TIMEOUT, timeout=T),
    "a stall in mid-stream": Fault(sse(A, B, math.inf), streamed=STALLED, timeout=T),
    "a stall in mid-body": Fault(
        RawReply(200, JSON, [LONG[:9], math.inf]), whole=TIMEOUT, timeout=T
    ),
    "a stall in the body of a refusal": every_way(
        RawReply(400, JSON, [b"{", math.inf]), TIMEOUT, T
    ),
    "a body that trickles": Fault(RawReply(200, JSON, cut(LONG, 1, 0.1)), whole=TIMEOUT, timeout=T),
    "a refusal that trickles": every_way(RawReply(400, JSON, cut(LONG, 1, 0.1)), TIMEOUT, T),
    "an event that trickles": Fault(sse(A, B, *cut(A, 1, 0.1)), streamed=STALLED, timeout=T),
    "heartbeats and no event": Fault(sse(*heartbeat(b":\n\n")), streamed=TIMEOUT, timeout=T),
    "heartbeats and no further event": Fault(
        sse(A, B, *heartbeat(b":\n\n")), streamed=STALLED, timeout=T
    ),
    "empty events and no other": Fault(
        sse(A, B, *heartbeat(b"data:\n\n")), streamed=STALLED, timeout=T
    ),
    "pings and no event": Fault(
        sse(A, B, *heartbeat(b"event:ping\ndata:{}\n\n")), streamed=STALLED, timeout=T
    ),
    "a long stream of events in time": Fault(
        sse(*heartbeat(A, 0.6)[:10], LAST), streamed=answer("aaaaa"), timeout=PATIENT
    ),
    "a long stream of events in pieces": Fault(
        sse(*IN_PIECES), streamed=answer("ababab"), timeout=PATIENT
    ),
    "a body in pieces": Fault(
        RawReply(200, JSON, cut(LONG, 9, 0.005)), whole=answer("ab" * 100), timeout=10.0
    ),
}

FAULTS: dict[str, Fault] = {
    **BY_STATUS,
    **AS_BODY,
    **ODD,
    **{name: Fault(reply, streamed=outcome) for name, (reply, outcome) in STREAMS.items()},
    **BREAKS,
    **SLOW,
}
ASKED = [
    (name, way)
    for name, fault in FAULTS.items()
    for way in ("invoke", "ainvoke", "stream", "astream")
    if fault.outcome(way)
]
RETRIES = (0, 2)


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix(FAULTS).run([Case(*asked, retries) for asked in ASKED for retries in RETRIES])


@pytest.mark.parametrize(("name", "way"), ASKED, ids=map(" / ".join, ASKED))
def test_a_fault_has_one_outcome_at_a_known_cost(matrix: Matrix, name: str, way: str) -> None:
    fault = FAULTS[name]
    expected = fault.outcome(way)
    assert expected is not None
    for max_retries in RETRIES:
        seen = matrix.seen[Case(name, way, max_retries)]
        assert type(seen.error) is (expected.error or type(None)), repr(seen.error)
        if isinstance(seen.error, errors.QwenAudioError):
            assert seen.error.text == expected.text
            assert seen.error.is_retryable == expected.retryable
            assert expected.says in str(seen.error)
            assert seen.error.message.strip()
        else:
            assert seen.text == expected.text
        assert seen.requests == expected.requests(max_retries)
        assert seen.seconds < (1 + max_retries) * fault.timeout + 10


# --- below HTTP -------------------------------------------------------------------------------

SAID = b"content-type: text/event-stream\r\n"
BELOW = {
    "no HTTP": b"garbage garbage\r\n\r\n",
    "a body that is no gzip": (
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n%scontent-length: 5\r\n\r\nabcde"
    ),
    "a chunk without a size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n%s\r\nzz\r\nabc",
    "a head cut off": b"HTTP/1.1 200 OK\r\n%s",
}


@pytest.mark.parametrize("said", BELOW.values(), ids=BELOW)
def test_what_is_no_http_is_an_error_in_time(ask: Ask, said: bytes) -> None:
    with answering(said.replace(b"%s", SAID)) as base_url:
        model = ChatQwenAudio(base_url=base_url, api_key="local", timeout=T, max_retries=0)
        error = error_within(5 * T, lambda: ask(model, "?"))
    assert isinstance(error, errors.APIError | errors.APIConnectionError)
    assert error.message.strip()


@pytest.mark.parametrize("base_url", ["http://[::1/api/v1", "nonsense", "ftp://127.0.0.1/api/v1"])
def test_an_address_that_is_none_is_an_error(ask: Ask, base_url: str) -> None:
    with pytest.raises(errors.QwenAudioError):
        ask(ChatQwenAudio(base_url=base_url, api_key="local", max_retries=0), "?")


def test_how_long_a_fragment_is_looked_at_is_no_silence_of_the_service(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    # The next thing to read is a heartbeat, which came in time, and the event behind it.
    server.script(*[sse(A, 0.1, b":\n\n", 0.1, b":\n\n", B, LAST)] * 2)
    patient = model.model_copy(update={"timeout": T})
    heard = []
    for said in patient.stream("?"):
        heard.append(said.text)
        time.sleep(1.2 * T if said.text == "a" else 0)

    async def listen() -> None:
        async for chunk in patient.astream("?"):
            heard.append(chunk.text)
            await asyncio.sleep(1.2 * T if chunk.text == "a" else 0)

    asyncio.run(listen())
    assert "".join(heard) == "abab"


# --- waiting ----------------------------------------------------------------------------------


def throttled(**headers: str) -> RawReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_reply(429, "Throttling.RateQuota", "slow down", headers=named)


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


WAITS: dict[str, tuple[Callable[[], dict[str, str]], float]] = {
    "seconds": (lambda: {"retry_after": "1"}, 1.0),
    "a fraction": (lambda: {"retry_after": "0.9"}, 0.9),
    "milliseconds": (lambda: {"retry_after_ms": "900"}, 0.9),
    "milliseconds before seconds": (lambda: {"retry_after_ms": "900", "retry_after": "70"}, 0.9),
    "a date": (lambda: {"retry_after": in_seconds(2)}, 0.9),
    "a date that is past": (lambda: {"retry_after": in_seconds(-99)}, 0.0),
    "less than nothing": (lambda: {"retry_after": "-5"}, 0.0),
    "no number": (lambda: {"retry_after": "nan"}, 0.0),
    "words": (lambda: {"retry_after": "soon"}, 0.37),
    "nothing": (dict, 0.37),
}


@pytest.mark.parametrize(("headers", "at_least_s"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("way", [invoke, astream])
def test_retry_after_is_honoured(
    server: LocalDashScope, model: ChatQwenAudio, way: Ask, headers: Any, at_least_s: float
) -> None:
    server.script(throttled(**headers()))
    began = time.monotonic()
    assert way(model, "?").content == "ok"
    assert at_least_s <= time.monotonic() - began < at_least_s + 10
    assert len(server.requests) == 2


TOO_LONG: list[Callable[[], dict[str, str]]] = [
    lambda: {"retry_after": "61"},
    lambda: {"retry_after_ms": "60001"},
    lambda: {"retry_after": in_seconds(3_600)},
    lambda: {"retry_after": "inf"},
]


@pytest.mark.parametrize("headers", TOO_LONG)
def test_a_wait_of_more_than_a_minute_is_the_callers_to_decide(
    ask: Ask, server: LocalDashScope, model: ChatQwenAudio, headers: Any
) -> None:
    server.script(throttled(**headers()))
    with pytest.raises(errors.RateLimitError, match="slow down") as caught:
        ask(model, "?")
    assert set(caught.value.headers) & {"retry-after", "retry-after-ms"}
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", [invoke, astream])
def test_waits_grow(model: ChatQwenAudio, way: Ask) -> None:
    times: list[float] = []

    def fail(_: ReceivedRequest) -> RawReply:
        times.append(time.monotonic())
        return error_reply(500, "InternalError", "oops")

    with LocalDashScope(reply=fail) as server, pytest.raises(errors.APIError, match="oops"):
        way(model.model_copy(update={"base_url": server.base_url}), "?")
    first, second = (after - before for before, after in itertools.pairwise(times))
    assert first >= 0.37
    assert second >= 0.74


def test_waits_are_jittered_and_bounded() -> None:
    def waits() -> list[float]:
        attempts = Attempts(Endpoint("http://x", "key"), "m", 8)
        return [attempts.after(errors.APIError("oops")) for _ in range(8)]

    many = [waits() for _ in range(20)]
    assert len({first for first, *_ in many}) > 10
    assert all(wait <= 10.0 for one in many for wait in one)
    assert min(last for *_, last in many) >= 6.0


# --- uploads ----------------------------------------------------------------------------------

UPLOAD_FAULTS: dict[str, tuple[RawReply, type[errors.QwenAudioError]]] = {
    "reset": (RawReply(steps=[RESET]), errors.APIConnectionError),
    "closed": (RawReply(steps=[END]), errors.APIConnectionError),
    "HTML of a proxy": (RawReply(502, {"content-type": "text/html"}, [HTML]), errors.APIError),
    "a stall": (RawReply(steps=[3 * T, RESET]), errors.APITimeoutError),
    "throttling": (throttled(), errors.RateLimitError),
}
POLICY_FAULTS: dict[str, tuple[RawReply, type[errors.QwenAudioError]]] = {
    "truncated JSON": (RawReply(200, JSON, [b'{"data":{']), errors.APIError),
    "no policy": (RawReply(200, JSON, [b"{}"]), errors.APIError),
    "a policy of null": (RawReply(200, JSON, [b'{"data":null}']), errors.APIError),
    "a policy without a host": (RawReply(200, JSON, [b'{"data":{"policy":"p"}}']), errors.APIError),
    "200 with a code": (
        RawReply(200, JSON, [b'{"code":"AccessDenied","message":"no"}']),
        errors.PermissionDeniedError,
    ),
}
MID_UPLOAD = RawReply(steps=[RESET], after_bytes=99)
ON_THE_WAY = [
    *[("policy", name, *fault) for name, fault in (UPLOAD_FAULTS | POLICY_FAULTS).items()],
    *[("upload", name, *fault) for name, fault in UPLOAD_FAULTS.items()],
    ("upload", "reset in the middle", MID_UPLOAD, errors.APIConnectionError),
]


def uploading(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    fields = {"audio_transport": "upload", "api_key": "local", **fields}
    return ChatQwenAudio(base_url=server.base_url, **fields)


def question(seconds: float = 0.3) -> Any:
    return ask_about(Audio.from_array(fresh_tone(seconds), 16_000))


@pytest.mark.parametrize("case", ON_THE_WAY, ids=[f"{step}: {n}" for step, n, *_ in ON_THE_WAY])
def test_a_fault_of_an_upload_is_an_error_and_then_it_works(
    ask: Ask, server: LocalDashScope, case: tuple[str, str, RawReply, Any]
) -> None:
    step, _, fault, error = case
    (server.script_policy if step == "policy" else server.script_upload)(fault)
    model, messages = uploading(server, max_retries=0, timeout=T), question(25)
    with pytest.raises(error) as caught:
        ask(model, messages)
    assert type(caught.value) is error
    assert caught.value.message.strip()
    assert "generation" not in kinds(server)
    assert ask(uploading(server), messages).content == "ok"


@pytest.mark.parametrize("way", [invoke, astream])
@pytest.mark.parametrize(
    ("step", "after_bytes"), [("policy", None), ("upload", None), ("upload", 99)]
)
def test_an_upload_that_breaks_is_tried_as_often_as_max_retries_says(
    server: LocalDashScope, way: Ask, step: str, after_bytes: int | None
) -> None:
    fault = RawReply(steps=[RESET], after_bytes=after_bytes)
    script = server.script_policy if step == "policy" else server.script_upload
    script(fault, fault)
    with pytest.raises(errors.APIConnectionError):
        way(uploading(server, max_retries=1), question(25))
    script(fault)
    assert way(uploading(server, max_retries=1), question(25)).content == "ok"
    assert kinds(server).count("generation") == 1


# --- leaving ----------------------------------------------------------------------------------

ENDLESS = Reply(fragments=("a", "b", "c"), pause_s=math.inf)


def assert_left(server: LocalDashScope, model: ChatQwenAudio) -> None:
    """Wait until the server has seen the client leave, and ask once more."""
    wait_until(lambda: (server.open_connections, server.disconnects) == (0, 1))
    assert model.invoke("?").content == "ok"


def test_closing_a_stream_closes_its_connection(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(ENDLESS)
    chunks = model.stream("?")
    assert next(chunks).content == "a"
    chunks.close()  # type: ignore[attr-defined]
    assert_left(server, model)


def test_breaking_out_of_a_stream_closes_its_connection(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(ENDLESS)
    for chunk in model.stream("?"):
        assert chunk.content == "a"
        break
    assert_left(server, model)


async def test_breaking_out_of_an_async_stream_closes_its_connection(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(ENDLESS)
    async for chunk in model.astream("?"):
        assert chunk.content == "a"
        break
    await asyncio.to_thread(assert_left, server, model)
    assert (await model.ainvoke("?")).content == "ok"


class FailingHandler(BaseCallbackHandler):
    raise_error = True

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("way", [stream, astream])
def test_a_callback_that_fails_closes_the_connection(
    server: LocalDashScope, model: ChatQwenAudio, way: Ask
) -> None:
    server.script(ENDLESS)
    with pytest.raises(ZeroDivisionError):
        way(model, "?", config={"callbacks": [FailingHandler()]})
    assert_left(server, model)


CANCELLED: dict[str, tuple[Any, Any]] = {
    "ainvoke before the answer": (ainvoke, RawReply(steps=[math.inf])),
    "ainvoke in the middle of a body": (ainvoke, RawReply(200, JSON, [b"{", math.inf])),
    "astream before the first event": (astream, sse(b"", math.inf)),
    "astream in the middle": (astream, sse(A, math.inf)),
}


@pytest.mark.parametrize(("way", "fault"), CANCELLED.values(), ids=CANCELLED)
async def test_cancelling_closes_the_connection_and_leaves_the_pool_usable(
    server: LocalDashScope, model: ChatQwenAudio, way: Any, fault: RawReply
) -> None:
    async def ask() -> None:
        if way is ainvoke:
            await model.ainvoke("?")
        async for _ in model.astream("?"):
            pass

    server.script(fault)
    task = asyncio.create_task(ask())
    await asyncio.to_thread(wait_until, lambda: len(server.requests) == 1)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(assert_left, server, model)
    assert (await model.ainvoke("?")).content == "ok"
    assert len(server.requests) == 3


async def test_cancelling_ends_the_wait_for_a_retry(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(throttled(retry_after="30"))
    task = asyncio.create_task(model.ainvoke("?"))
    await asyncio.to_thread(wait_until, lambda: len(server.requests) == 1)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert len(server.requests) == 1


# --- all at once ------------------------------------------------------------------------------

CROWD = 100


def endless(request: ReceivedRequest) -> Reply:
    return Reply(
        fragments=(f"answer {request.messages[0]['content'][0]['text']}", "more"), pause_s=math.inf
    )


async def aread(model: ChatQwenAudio, number: int, begun: Callable[[], None]) -> str:
    try:
        async for _ in model.astream(str(number)):
            begun()
    except errors.StreamInterruptedError as error:
        return error.text
    return "It was not interrupted."


def read(model: ChatQwenAudio, number: int, begun: Callable[[], None]) -> str:
    try:
        for _ in model.stream(str(number)):
            begun()
    except errors.StreamInterruptedError as error:
        return error.text
    return "It was not interrupted."


@pytest.mark.parametrize("is_async", [False, True], ids=["threads", "tasks"])
def test_a_server_that_dies_under_a_hundred_streams_fails_each_with_its_own_text(
    *, is_async: bool
) -> None:
    begun = threading.Semaphore(0)
    with LocalDashScope(reply=endless) as server, ThreadPoolExecutor(CROWD + 1) as pool:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")

        def kill() -> None:
            for _ in range(CROWD):
                assert begun.acquire(timeout=PATIENCE_S)
            server.stop()

        killing = pool.submit(kill)
        if is_async:

            async def read_all() -> list[str]:
                return await asyncio.gather(*(aread(model, n, begun.release) for n in range(CROWD)))

            texts = asyncio.run(read_all())
        else:
            texts = list(pool.map(lambda n: read(model, n, begun.release), range(CROWD)))
        killing.result()
        assert server.connections_accepted == CROWD
    assert texts == [f"answer {number}" for number in range(CROWD)]
