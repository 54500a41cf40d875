"""`timeout` bounds each silence, `total_timeout` the whole call: also where bytes trickle."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio.local import LocalDashScope, RawReply, error_reply
from tests.unit_tests.calling_modes import ainvoke, astream, invoke, stream
from tests.unit_tests.faults import JSON, LONG, cut, event, sse
from tests.unit_tests.recordings import TWO_WAYS, kinds, noise, question_about
from tests.unit_tests.rows import each_row, two_modes
from tests.unit_tests.sockets import raw_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit_tests.calling_modes import CallModel

TOTAL_S = 1.5  # a busy machine can only make it later
BUSY = error_reply(429, "Throttling.RateQuota", "slow down", headers={"retry-after": "20"})
TOO_LONG = "longer than its total_timeout"


def short(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    fields = {"timeout": 60.0, "total_timeout": TOTAL_S, "max_retries": 9, **fields}
    return ChatQwenAudio(base_url=server.base_url, api_key="local", **fields)


def at_once(call: Callable[..., None], rows: list[tuple[Any, ...]]) -> None:
    """Make all calls at the same time, since they wait and do nothing else."""
    with ThreadPoolExecutor(len(rows)) as pool:
        ends = {str(row): pool.submit(call, *row) for row in rows}
    assert {row: end.exception() for row, end in ends.items() if end.exception()} == {}


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_a_body_that_trickles_ends_with_the_call(server: LocalDashScope, way: CallModel) -> None:
    server.script(RawReply(200, JSON, cut(LONG, 1, 0.1)))
    with pytest.raises(errors.APITimeoutError, match=TOO_LONG):
        way(short(server), "?")
    assert len(server.requests) == 1


def test_a_stream_without_end_ends_with_the_call(server: LocalDashScope) -> None:
    def call(way: CallModel) -> None:
        with pytest.raises(errors.StreamTimeoutError, match=TOO_LONG) as caught:
            way(short(server, total_timeout=5.0), "?")
        assert set(caught.value.text) == {"a"}

    server.script(*[sse(*[step for _ in range(200) for step in (event("a"), 0.1)])] * 2)
    at_once(call, [(stream,), (astream,)])
    assert len(server.requests) == 2


def test_no_retry_begins_after_the_call_must_have_ended(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(BUSY)
    with pytest.raises(errors.RateLimitError):
        call_model(short(server), "?")
    assert len(server.requests) == 1


@TWO_WAYS
@pytest.mark.parametrize("step", ["policy", "upload"])
def test_the_waits_of_an_upload_belong_to_the_call(
    call_model: CallModel, server: LocalDashScope, step: str
) -> None:
    (server.script_policy if step == "policy" else server.script_upload)(BUSY)
    model = short(server, audio_transport="upload", total_timeout=9.0)
    with pytest.raises(errors.RateLimitError):
        call_model(model, question_about(Audio.from_array(noise(1.0, 16_000), 16_000)))
    assert kinds(server).count(step) == 1
    assert "generation" not in kinds(server)


def test_headers_that_trickle_end_in_time() -> None:
    headers = [step for _ in range(600) for step in (b"x-a: b\r\n", 0.1)]

    def call(way: CallModel, limit: str) -> None:
        with raw_server([b"HTTP/1.1 200 OK\r\n", *headers]) as server:
            model = ChatQwenAudio(
                base_url=server.base_url, api_key="local", max_retries=0, **{limit: TOTAL_S}
            )
            with pytest.raises(errors.APITimeoutError):
                way(model, "?")

    ways = (invoke, ainvoke, stream, astream)
    at_once(call, [(way, limit) for way in ways for limit in ("timeout", "total_timeout")])


@two_modes
@each_row("seconds", [0, -1, math.nan, math.inf, "1"])
def test_a_total_timeout_is_some_seconds(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, seconds: Any
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="total_timeout"):
        call_model(model.bind(total_timeout=seconds), "?")
    assert server.requests == []
