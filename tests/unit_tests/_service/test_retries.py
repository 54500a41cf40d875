"""When a request is sent again, after how long, and how often at most."""

from __future__ import annotations

import itertools
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio._service import retries
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio.local import LocalDashScope, RawReply, error_reply, sse_event
from tests.unit_tests.conftest import astream, invoke
from tests.unit_tests.faults import (
    HTML,
    JSON,
    REFUSAL,
    SOON,
    SSE,
    Fault,
    assert_outcome,
    body,
    calls_in_turn,
    every_way,
    lasting,
    passing,
)
from tests.unit_tests.rows import each_row, two_modes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.conftest import CallModel
    from tests.unit_tests.faults import Step

# --- which ------------------------------------------------------------------------------------

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
    if name in {"JSON", "an empty body"} or status in {400, 503}
}


@pytest.fixture(autouse=True)
def _real_waits(backoff_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", backoff_s)


@calls_in_turn(BY_STATUS)
def test_the_status_says_whether_a_request_is_sent_again_whatever_the_body(
    fault: Fault, way: CallModel
) -> None:
    assert_outcome(fault, way, max_retries=2)


# --- when -------------------------------------------------------------------------------------


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def wait_s(headers: dict[str, str]) -> float:
    """Tell how long an error with such headers is waited for, the first time."""
    return Attempts("m", 1).wait_s(errors.RateLimitError("slow down", headers=headers))


WAITS: dict[str, tuple[dict[str, str], float]] = {
    "seconds": ({"retry-after": "1"}, 1.0),
    "a fraction": ({"retry-after": "0.9"}, 0.9),
    "milliseconds": ({"retry-after-ms": "900"}, 0.9),
    "milliseconds before seconds": ({"retry-after-ms": "900", "retry-after": "70"}, 0.9),
    "a date that is past": ({"retry-after": in_seconds(-99)}, 0.0),
    "less than nothing": ({"retry-after": "-5"}, 0.0),
    "no number": ({"retry-after": "nan"}, 0.0),
    "a minute": ({"retry-after": "60"}, 60.0),
}


@each_row("headers, expected_s", WAITS)
def test_retry_after_is_honoured(headers: dict[str, str], expected_s: float) -> None:
    """It is waited for and a random part of it longer, so that many do not come back at once."""
    assert expected_s <= wait_s(headers) <= 1.5 * expected_s


def test_a_date_is_waited_for() -> None:
    assert 20 < wait_s({"retry-after": in_seconds(50)}) <= 75


@each_row("headers", [{}, {"retry-after": "soon"}])
def test_without_a_usable_retry_after_the_first_wait_is_half_a_second(
    headers: dict[str, str],
) -> None:
    assert 0.37 <= wait_s(headers) <= 0.63


@pytest.mark.parametrize("way", [invoke, astream])
def test_a_retry_waits_as_long_as_the_log_says(
    server: LocalDashScope,
    model: ChatQwenAudio,
    caplog: pytest.LogCaptureFixture,
    way: CallModel,
) -> None:
    server.script(error_reply(429, "Throttling", "slow down", headers={"retry-after": "0.4"}))
    began = time.monotonic()
    with caplog.at_level(logging.INFO, "langchain_qwen_audio"):
        assert way(model, "?").content == "ok"
    waited_s = time.monotonic() - began
    told = re.search(
        r"attempt 2 of 3 in (0\.\d+) s \(the service's Retry-After\), after RateLimit", caplog.text
    )
    assert told
    assert waited_s >= float(told[1]) - 0.01
    assert len(server.requests) == 2


TOO_LONG: list[dict[str, str]] = [
    {"retry-after": "61"},
    {"retry-after-ms": "60001"},
    {"retry-after": in_seconds(36_000)},
    {"retry-after": "inf"},
]


@two_modes
@each_row("headers", TOO_LONG)
def test_a_wait_of_more_than_a_minute_is_the_callers_to_decide(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, headers: dict[str, str]
) -> None:
    server.script(error_reply(429, "Throttling.RateQuota", "slow down", headers=headers))
    with pytest.raises(errors.RateLimitError, match="slow down") as caught:
        call_model(model, "?")
    assert set(caught.value.headers) & {"retry-after", "retry-after-ms"}
    assert len(server.requests) == 1


@each_row("way", [invoke, astream])
def test_waits_grow(model: ChatQwenAudio, monkeypatch: pytest.MonkeyPatch, way: CallModel) -> None:
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.1)
    times: list[float] = []

    def fail(_: ReceivedRequest) -> RawReply:
        times.append(time.monotonic())
        return error_reply(500, "InternalError", "oops")

    with LocalDashScope(reply=fail) as server, pytest.raises(errors.APIError, match="oops"):
        way(model.model_copy(update={"base_url": server.base_url}), "?")
    first, second = (after - before for before, after in itertools.pairwise(times))
    assert first >= 0.074
    assert second >= 0.148


def test_waits_are_jittered_and_bounded() -> None:
    def waits() -> list[float]:
        attempts = Attempts("m", 8)
        return [attempts.wait_s(errors.APIError("oops")) for _ in range(8)]

    many = [waits() for _ in range(20)]
    assert len({first for first, *_ in many}) > 10
    assert all(wait <= 10.0 for one in many for wait in one)
    assert min(last for *_, last in many) >= 6.0


def test_callers_who_were_told_when_to_come_back_do_not_come_back_together() -> None:
    error = errors.RateLimitError("slow down", headers={"retry-after": "2"})
    waits = [Attempts("m", 1).wait_s(error) for _ in range(200)]
    assert all(2.0 <= wait <= 3.0 for wait in waits)  # never earlier than the service says
    assert max(waits) - min(waits) > 0.5
    assert len(set(waits)) == 200
