"""The download of a result: without the key, within bounds."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_qwen_audio import errors
from langchain_qwen_audio._service import job_results
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests.job_calls import JSON, KEY, SYNC_AND_ASYNC, URL, jobs_of
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from tests.unit_tests.job_calls import CallJobs


def _with_key(request: httpx.Request) -> httpx.Request:
    request.headers["x-auth"] = KEY
    return request


@SYNC_AND_ASYNC
@each_row("is_own", [False, True])
def test_the_key_is_never_sent_to_the_address_of_the_result(
    server: LocalDashScope, call: CallJobs, *, is_own: bool
) -> None:
    secret: dict[str, Any] = {
        "headers": {"authorization": f"Bearer {KEY}", "x-key": KEY},
        "cookies": {"key": KEY},
        "params": {"key": KEY},
        "auth": _with_key,
        "verify": False,
        "limits": httpx.Limits(max_keepalive_connections=0),  # so that none is left open
    }
    own = {
        "http_client": httpx.Client(**secret),
        "http_async_client": httpx.AsyncClient(**secret),
    }
    assert call(jobs_of(server, **(own if is_own else {})), "transcribe", URL).text == "ok"
    (result,) = [request for request in server.requests if request.kind == "result"]
    assert "authorization" not in result.headers
    assert KEY not in f"{result.headers} {result.query} {result.body!r}"


@SYNC_AND_ASYNC
def test_a_result_that_is_too_long_is_an_error(
    server: LocalDashScope, call: CallJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_results, "MAX_RESULT_BYTES", 1000)
    server.script_result(RawReply(200, JSON, [b"[" * 999, b"[" * 999]))
    with pytest.raises(errors.APIError, match="longer than 1,000 bytes"):
        call(jobs_of(server), "transcribe", URL)
    assert [it.kind for it in server.requests].count("result") == 1


@SYNC_AND_ASYNC
def test_the_body_of_an_error_in_place_of_a_result_is_not_read(
    server: LocalDashScope, call: CallJobs
) -> None:
    server.script_result(RawReply(404, {}, [b"<", 3600.0]))
    with pytest.raises(errors.NotFoundError):
        call(jobs_of(server, timeout=30), "transcribe", URL)


@SYNC_AND_ASYNC
@each_row("status", [204, 302, 400])
def test_any_other_status_is_an_error_and_not_repeated(
    server: LocalDashScope, call: CallJobs, status: int
) -> None:
    server.script_result(RawReply(status, {"location": "/elsewhere"}, []))
    with pytest.raises(errors.APIError, match=f"its server answered {status}"):
        call(jobs_of(server), "transcribe", URL)
    assert [it.kind for it in server.requests].count("result") == 1


@SYNC_AND_ASYNC
def test_a_result_that_is_compressed_is_read(server: LocalDashScope, call: CallJobs) -> None:
    body = gzip.compress(b'{"transcripts":[{"text":"Hi."}]}')
    server.script_result(RawReply(200, {**JSON, "content-encoding": "gzip"}, [body]))
    assert call(jobs_of(server), "transcribe", URL).text == "Hi."
