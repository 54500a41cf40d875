"""`timeout` bounds each silence, `total_timeout` the whole call: also where bytes trickle."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio.local import LocalDashScope, RawReply, error_reply
from tests.unit_tests.calling_modes import ainvoke, astream, invoke, stream
from tests.unit_tests.faults import JSON, LONG, cut, event, sse
from tests.unit_tests.recordings import TWO_WAYS, kinds, noise, question_about
from tests.unit_tests.rows import each_row, two_modes
from tests.unit_tests.sockets import raw_server
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.calling_modes import CallModel
    from tests.unit_tests.waiting import Clock

BUSY = error_reply(429, "Throttling.RateQuota", "slow down", headers={"retry-after": "20"})
TOO_LONG = "longer than its total_timeout"


def limited(server: LocalDashScope, total_s: float, **fields: Any) -> ChatQwenAudio:
    fields = {"timeout": 2 * HANG_S, "total_timeout": total_s, "max_retries": 9, **fields}
    return ChatQwenAudio(base_url=server.base_url, api_key="local", **fields)


@each_row("way", [invoke, ainvoke])
def test_a_body_that_trickles_ends_with_the_call(
    clock: Clock, server: LocalDashScope, way: CallModel
) -> None:
    def trickle(_: ReceivedRequest) -> RawReply:
        clock.forward(HANG_S)
        return RawReply(200, JSON, cut(LONG, 1, 0.02))

    server.script(trickle)
    with pytest.raises(errors.APITimeoutError, match=TOO_LONG):
        way(limited(server, HANG_S), "?")
    assert len(server.requests) == 1


@each_row("way", [stream, astream])
def test_a_stream_without_end_ends_with_the_call(
    clock: Clock, server: LocalDashScope, way: CallModel
) -> None:
    class Forward(BaseCallbackHandler):
        def on_llm_new_token(self, *_: Any, **__: Any) -> None:
            clock.forward(HANG_S)

    server.script(sse(*[step for _ in range(200) for step in (event("a"), 0.02)]))
    with pytest.raises(errors.StreamTimeoutError, match=TOO_LONG) as caught:
        way(limited(server, HANG_S), "?", config={"callbacks": [Forward()]})
    assert set(caught.value.text) == {"a"}
    assert len(server.requests) == 1


def test_no_retry_begins_after_the_call_must_have_ended(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(BUSY)
    with pytest.raises(errors.RateLimitError):
        call_model(limited(server, 9.0), "?")
    assert len(server.requests) == 1


@TWO_WAYS
@pytest.mark.parametrize("step", ["policy", "upload"])
def test_the_waits_of_an_upload_belong_to_the_call(
    call_model: CallModel, server: LocalDashScope, step: str
) -> None:
    (server.script_policy if step == "policy" else server.script_upload)(BUSY)
    model = limited(server, 9.0, audio_transport="upload")
    with pytest.raises(errors.RateLimitError):
        call_model(model, question_about(Audio.from_array(noise(1.0, 16_000), 16_000)))
    assert kinds(server).count(step) == 1
    assert "generation" not in kinds(server)


@each_row("way", [invoke, ainvoke, stream, astream])
@each_row("limit", ["timeout", "total_timeout"])
def test_headers_that_trickle_end_in_time(clock: Clock, way: CallModel, limit: str) -> None:
    headers = [step for _ in range(600) for step in (b"x-a: b\r\n", 0.02)]
    forward = functools.partial(clock.forward, HANG_S)
    with raw_server([b"HTTP/1.1 200 OK\r\n", forward, *headers]) as server:
        model = ChatQwenAudio(
            base_url=server.base_url, api_key="local", max_retries=0, **{limit: HANG_S}
        )
        with pytest.raises(errors.APITimeoutError):
            way(model, "?")


@two_modes
@each_row("seconds", [0, -1, math.nan, math.inf, "1"])
def test_a_total_timeout_is_some_seconds(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, seconds: Any
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="total_timeout"):
        call_model(model.bind(total_timeout=seconds), "?")
    assert server.requests == []
