"""Responses that are timed: whole ones in all, streams from event to event."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from langchain_qwen_audio import errors
from langchain_qwen_audio._service.read_timeouts import AsyncTimedClient, TimedClient
from langchain_qwen_audio.local import RESET, RawReply
from tests.unit_tests._service.test_client import radio
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.faults import (
    JSON,
    LAST,
    LONG,
    Fault,
    answer,
    assert_outcome,
    broken,
    cut,
    event,
    every_way,
    passing,
    sse,
)

if TYPE_CHECKING:
    from langchain_qwen_audio import ChatQwenAudio
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel
    from tests.unit_tests.faults import Step


def test_a_reply_that_trickles_ends_at_any_path() -> None:
    with (
        contextlib.contextmanager(radio)(50) as port,
        httpx.Client(timeout=0.3, verify=False) as http,
        pytest.raises(httpx.ReadTimeout, match=r"no whole reply within 0\.3 s"),
    ):
        TimedClient(http).request("GET", f"http://127.0.0.1:{port}/any/path")


async def test_a_reply_that_trickles_ends_at_any_path_async() -> None:
    with contextlib.contextmanager(radio)(50) as port:
        async with httpx.AsyncClient(timeout=0.3, verify=False) as http:
            with pytest.raises(httpx.ReadTimeout, match=r"no whole reply within 0\.3 s"):
                await AsyncTimedClient(http).request("GET", f"http://127.0.0.1:{port}/any/path")


def test_a_closed_client_says_what_to_do() -> None:
    http = httpx.Client(verify=False)
    http.close()
    with pytest.raises(
        errors.APIConnectionError, match="keep it open as long as the model is used"
    ):
        TimedClient(http).request("GET", "http://127.0.0.1/")


# --- what falls silent or trickles --------------------------------------------------------------

T = 1.0  # for what never comes: a busy machine can only make it later
PATIENT = 8.0  # where something must come before: far more than a busy machine needs for it
TIMEOUT = passing(errors.APITimeoutError)
STALLED = broken(errors.StreamTimeoutError, "ab", "2 characters")
INTERRUPTED = broken(errors.StreamInterruptedError, "ab")
RESET_CONNECTION = passing(errors.APIConnectionError, "connection")
A, B = event("a"), event("b")
IN_PIECES = [step for one in (A, B) * 4 for step in (*cut(one[:45], 9, 0.05), one[45:], 1.2)]


def heartbeat(data: bytes, pause_s: float = 0.2) -> list[Step]:
    return [step for _ in range(100) for step in (data, pause_s)]


NOTHING_COMES = {
    "a stall before the first byte": every_way(RawReply(steps=[math.inf]), TIMEOUT, T),
    "a stall before the first event": Fault(sse(b"", math.inf), streamed=TIMEOUT, timeout=T),
    "a stall in mid-body": Fault(
        RawReply(200, JSON, [LONG[:9], math.inf]), whole=TIMEOUT, timeout=T
    ),
    "a stall in the body of a refusal": every_way(
        RawReply(400, JSON, [b"{", math.inf]), TIMEOUT, T
    ),
    "a body that trickles": Fault(RawReply(200, JSON, cut(LONG, 1, 0.1)), whole=TIMEOUT, timeout=T),
    "a refusal that trickles": every_way(RawReply(400, JSON, cut(LONG, 1, 0.1)), TIMEOUT, T),
    "heartbeats and no event": Fault(sse(*heartbeat(b":\n\n")), streamed=TIMEOUT, timeout=T),
}
NOTHING_MORE_COMES = {
    "a stall in mid-stream": Fault(sse(A, B, math.inf), streamed=STALLED, timeout=PATIENT),
    "an event that trickles": Fault(sse(A, B, *cut(A, 1, 0.2)), streamed=STALLED, timeout=PATIENT),
    "heartbeats and no further event": Fault(
        sse(A, B, *heartbeat(b":\n\n")), streamed=STALLED, timeout=PATIENT
    ),
    "empty events and no other": Fault(
        sse(A, B, *heartbeat(b"data:\n\n")), streamed=STALLED, timeout=PATIENT
    ),
    "pings and no event": Fault(
        sse(A, B, *heartbeat(b"event:ping\ndata:{}\n\n")), streamed=STALLED, timeout=PATIENT
    ),
    "a stream of events in pieces that takes longer": Fault(
        sse(*IN_PIECES, LAST), streamed=answer("abababab"), timeout=PATIENT
    ),
    "a body in pieces": Fault(RawReply(200, JSON, cut(LONG, 9, 0.005)), whole=answer("ab" * 100)),
    # A reset takes away what has not been read yet: there is time to read it.
    "a reset before the first event": Fault(sse(b"", 3, RESET), streamed=RESET_CONNECTION),
    "a reset in mid-stream": Fault(sse(A, B, 3, RESET), streamed=INTERRUPTED),
    "a reset after the final event": Fault(sse(A, B, LAST, 3, RESET), streamed=INTERRUPTED),
    "a reset in mid-body": Fault(
        RawReply(200, JSON, [LONG[:99], 3, RESET]), whole=RESET_CONNECTION
    ),
}


@pytest.mark.parametrize("faults", [NOTHING_COMES, NOTHING_MORE_COMES], ids=["none", "no more"])
def test_what_falls_silent_or_trickles_has_one_outcome(faults: dict[str, Fault]) -> None:
    """All at once, since they wait and do nothing else."""
    calls = {
        f"{name}, {way.__name__}": (fault, way)
        for name, fault in faults.items()
        for way in (invoke, ainvoke, stream, astream)
        if fault.outcome(way)
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        ends = {name: pool.submit(assert_outcome, *call, 0) for name, call in calls.items()}
    assert {name: end.exception() for name, end in ends.items() if end.exception()} == {}


@pytest.mark.parametrize("way", [invoke, astream])
def test_a_request_that_timed_out_is_sent_again(way: CallModel) -> None:
    assert_outcome(NOTHING_COMES["a stall before the first byte"], way, max_retries=1)


def test_how_long_a_fragment_is_looked_at_is_no_silence_of_the_service(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    # The next thing to read is a heartbeat, which came in time, and the event behind it.
    invoke(model, "?")  # whatever is loaded once
    server.script(*[sse(A, 0.1, b":\n\n", 0.1, b":\n\n", B, LAST)] * 2)
    patient = model.model_copy(update={"timeout": 3.0})

    def look() -> str:
        texts = []
        for chunk in patient.stream("?"):
            texts.append(chunk.text)
            time.sleep(3.3 if chunk.text == "a" else 0)
        return "".join(texts)

    async def alook() -> str:
        texts = []
        async for chunk in patient.astream("?"):
            texts.append(chunk.text)
            await asyncio.sleep(3.3 if chunk.text == "a" else 0)
        return "".join(texts)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(look)
        assert asyncio.run(alook()) == "ab"
        assert other.result() == "ab"
