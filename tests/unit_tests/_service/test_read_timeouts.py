"""Responses that are timed: whole ones in all, streams from event to event."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_qwen_audio import errors
from langchain_qwen_audio._service.read_timeouts import AsyncTimedClient, TimedClient
from langchain_qwen_audio._service.time_limits import Timer
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
from tests.unit_tests.rows import each_row
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_qwen_audio import ChatQwenAudio
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel
    from tests.unit_tests.faults import Step
    from tests.unit_tests.waiting import Clock


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
TIMEOUT = passing(errors.APITimeoutError)
STALLED = broken(errors.StreamTimeoutError, "ab", "2 characters")
INTERRUPTED = broken(errors.StreamInterruptedError, "ab")
RESET_CONNECTION = passing(errors.APIConnectionError, "connection")
A, B = event("a"), event("b")


def heartbeat(data: bytes, pause_s: float = 0.1) -> list[Step]:
    return [step for _ in range(100) for step in (data, pause_s)]


RETRIED = every_way(RawReply(steps=[math.inf]), TIMEOUT, T)
NOTHING_COMES = {
    "a stall before the first byte, and again after a retry": RETRIED,
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
    "a stall in mid-stream": Fault(sse(A, B, math.inf), streamed=STALLED),
    "an event that trickles": Fault(sse(A, B, *cut(A, 1, 0.1)), streamed=STALLED),
    "heartbeats and no further event": Fault(sse(A, B, *heartbeat(b":\n\n")), streamed=STALLED),
    "empty events and no other": Fault(sse(A, B, *heartbeat(b"data:\n\n")), streamed=STALLED),
    "pings and no event": Fault(
        sse(A, B, *heartbeat(b"event:ping\ndata:{}\n\n")), streamed=STALLED
    ),
}
RESETS = {
    "a reset before the first event": Fault(sse(b"", 0.1, RESET), streamed=RESET_CONNECTION),
    "a reset in mid-body": Fault(
        RawReply(200, JSON, [LONG[:99], 0.1, RESET]), whole=RESET_CONNECTION
    ),
}


def all_at_once(faults: Mapping[str, Fault]) -> None:
    """Call a service with each fault at the same time, since they wait and do nothing else."""
    calls = {
        f"{name}, {way.__name__}": (fault, way)
        for name, fault in faults.items()
        for way in (invoke, ainvoke, stream, astream)
        if fault.outcome(way)
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        ends = {
            name: pool.submit(assert_outcome, *call, int(call[0] is RETRIED))
            for name, call in calls.items()
        }
    assert {name: end.exception() for name, end in ends.items() if end.exception()} == {}


@pytest.mark.parametrize("faults", [NOTHING_COMES, RESETS], ids=["silence", "resets"])
def test_what_falls_silent_or_trickles_has_one_outcome(faults: dict[str, Fault]) -> None:
    all_at_once(faults)


def test_what_falls_silent_or_trickles_after_two_events_has_one_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin, begun = Timer.restart, Counter[Timer]()

    def restart(timer: Timer) -> None:
        begin(timer)
        begun[timer] += 1
        if begun[timer] > 2:  # it awaits the first event, the second, and then what never comes
            timer._limit_s = 0.3

    monkeypatch.setattr(Timer, "restart", restart)
    all_at_once(NOTHING_MORE_COMES)


@pytest.mark.parametrize("way", [stream, astream])
@pytest.mark.parametrize("events", [[A, B], [A, B, LAST]], ids=["in mid-stream", "after the end"])
def test_a_reset_after_events_has_one_outcome(
    monkeypatch: pytest.MonkeyPatch, way: CallModel, events: list[bytes]
) -> None:
    begin, times, read = Timer.restart, itertools.count(), threading.Event()

    def restart(timer: Timer) -> None:
        begin(timer)
        if next(times) == len(events):
            read.set()

    def steps() -> Iterator[Step]:
        yield from events
        read.wait(HANG_S)  # a reset takes away what has not been read yet
        yield RESET

    monkeypatch.setattr(Timer, "restart", restart)
    fault = Fault(replace(sse(), steps=steps()), streamed=INTERRUPTED)  # type: ignore[arg-type]
    assert_outcome(fault, way, 0)


@each_row("way", [invoke, ainvoke])
def test_a_body_may_come_in_pieces(way: CallModel) -> None:
    fault = Fault(RawReply(200, JSON, cut(LONG, 9, 0.005)), whole=answer("ab" * 100))
    assert_outcome(fault, way, 0)


@pytest.mark.parametrize("way", [stream, astream])
def test_a_stream_of_events_in_pieces_may_take_longer_than_the_timeout(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, way: CallModel
) -> None:
    begin = Timer.restart

    def restart_and_wait(timer: Timer) -> None:
        begin(timer)
        clock.forward(0.6 * HANG_S)

    monkeypatch.setattr(Timer, "restart", restart_and_wait)
    pieces = [step for one in (A, B) * 2 for step in (*cut(one[:45], 9, 0.005), one[45:])]
    assert_outcome(Fault(sse(*pieces, LAST), streamed=answer("abab")), way, 0)


@each_row("way", [stream, astream])
def test_how_long_a_fragment_is_looked_at_is_no_silence_of_the_service(
    clock: Clock, server: LocalDashScope, model: ChatQwenAudio, way: CallModel
) -> None:
    class Look(BaseCallbackHandler):
        def on_llm_new_token(self, *_: Any, **__: Any) -> None:
            clock.forward(2 * HANG_S)

    # The next thing to read is a heartbeat, which came in time, and the event behind it.
    server.script(sse(A, 0.01, b":\n\n", 0.01, b":\n\n", B, LAST))
    patient = model.model_copy(update={"timeout": HANG_S})
    assert way(patient, "?", config={"callbacks": [Look()]}).text == "ab"
