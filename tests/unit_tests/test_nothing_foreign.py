"""What a service, a stranger or a caller sends ends in an error of this package, and in time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests.faults import JSON
from tests.unit_tests.fuzz import deep
from tests.unit_tests.models import OMNI_3_8, RECOGNITION
from tests.unit_tests.sockets import raw_server

if TYPE_CHECKING:
    from langchain_qwen_audio.local import Reply
    from tests.unit_tests.conftest import CallModel

DEEP = 700
NESTED = "[" * DEEP + "]" * DEEP

# --- replies ----------------------------------------------------------------------------------

REPLIES: dict[str, tuple[RawReply | Reply | str, type[Exception] | None]] = {
    "a refusal whose body is nested deep": (
        RawReply(400, JSON, [f'{{"code":"InvalidParameter","message":"m","d":{NESTED}}}'.encode()]),
        errors.InvalidRequestError,
    ),
    "a body that is nothing but nesting": (RawReply(200, JSON, [NESTED.encode()]), errors.APIError),
    "a Retry-After with an absurd zone": (
        RawReply(429, {"retry-after": "Mon, 01 Jan 2001 00:00:00 +9999999999"}, [b"{}"]),
        errors.RateLimitError,
    ),
    "a Retry-After that is no number": (
        RawReply(429, {"retry-after": "nan"}, [b"{}"]),
        errors.RateLimitError,
    ),
    "a charset that is no text": (
        RawReply(500, {"content-type": "application/json; charset=hex"}, [b"{}"]),
        errors.APIError,
    ),
}


@pytest.mark.parametrize(("reply", "expected"), REPLIES.values(), ids=REPLIES)
def test_an_odd_reply_is_one_of_our_errors(
    call_model: CallModel, reply: RawReply, expected: type[Exception]
) -> None:
    with LocalDashScope(reply=reply) as server, pytest.raises(expected):
        call_model(ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0), "?")


def test_provisional_replies_without_end_are_silence(call_model: CallModel) -> None:
    steps: list[bytes | float] = [b"HTTP/1.1 102 Processing\r\n\r\n", 0.05]
    with raw_server(steps * 1_000) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", timeout=0.5, max_retries=0)
        with pytest.raises(errors.APITimeoutError):
            call_model(model, "?")


# --- messages ---------------------------------------------------------------------------------

CALL = {"name": "f", "args": {}, "id": "1", "type": "tool_call"}
MESSAGES: dict[str, list[Any]] = {
    "a type that is a list": [HumanMessage([{"type": ["audio"], "base64": "AAAA"}])],
    "a type that is a number": [HumanMessage([{"type": 7}])],
    "a type that is missing": [HumanMessage([{"base64": "AAAA"}])],
    "non_standard without a value": [HumanMessage([{"type": "non_standard"}])],
    "numeric annotations": [
        HumanMessage("?"),
        AIMessage([{"type": "text", "text": "a", "annotations": [1, 2.5]}]),
        HumanMessage("?"),
    ],
    "annotations that are a number": [
        HumanMessage("?"),
        AIMessage([{"type": "text", "text": "a", "annotations": 1}]),
        HumanMessage("?"),
    ],
    "a tool result that is nothing but nesting": [
        HumanMessage("?"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("[" * 100_000, tool_call_id="1"),
    ],
    "a tool call that is nothing but nesting": [
        HumanMessage("?"),
        AIMessage("<tool_call>" + "[" * 100_000 + "</tool_call>"),
        HumanMessage("?"),
    ],
    "a lone surrogate": [HumanMessage("a\ud800b")],
    "a URL that is none": [HumanMessage([{"type": "audio", "url": "http://["}])],
    "a video whose rate is nothing but nesting": [
        HumanMessage([{"type": "video", "url": "https://h/a.mp4", "fps": deep(5_000)}])
    ],
    "a video whose id is nothing but nesting": [
        HumanMessage([{"type": "video", "file_id": deep(5_000)}])
    ],
}


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize("name", ["qwen-audio-turbo", OMNI_3_8, RECOGNITION])
def test_an_odd_message_is_sent_or_refused(
    call_model: CallModel, server: LocalDashScope, name: str, messages: list[Any]
) -> None:
    model = ChatQwenAudio(model=name, base_url=server.base_url, api_key="local")
    try:
        assert call_model(model, messages).text
    except errors.MessageError:
        assert server.requests == []


NESTED_PARAMETERS = ["search_options", "timeout", "max_retries", "n", "reasoning_effort", "voice"]


@pytest.mark.parametrize("name", NESTED_PARAMETERS)
def test_a_parameter_that_is_nothing_but_nesting_is_refused(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    model = ChatQwenAudio(model=OMNI_3_8, base_url=server.base_url, api_key="local")
    with pytest.raises(errors.InvalidRequestError, match=f"{name} is "):
        call_model(model, "?", **{name: deep(5_000)})
    assert server.requests == []


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [math.inf, math.nan, -1.0, 0.0, 1e300], ids=str)
def test_an_odd_timeout_works_or_is_refused(
    call_model: CallModel, server: LocalDashScope, seconds: float
) -> None:
    try:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", timeout=seconds)
    except ValueError as error:
        assert "timeout" in str(error)  # noqa: PT017
        return
    assert call_model(model, "?").text
