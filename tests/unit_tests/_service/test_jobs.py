"""A job is submitted once: what is repeated, and what is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio import Audio, errors
from langchain_qwen_audio._protocols.jobs import read_task
from langchain_qwen_audio._service.jobs import result_url
from langchain_qwen_audio.local import END, RESET, LocalDashScope, RawReply, error_reply
from tests.unit_tests.job_calls import (
    JSON,
    LISTED,
    SYNC_AND_ASYNC,
    URL,
    as_json,
    jobs_of,
    submissions,
)
from tests.unit_tests.recordings import fresh_tone, wav
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from tests.unit_tests.job_calls import CallJobs

BUSY = error_reply(429, "Throttling.RateQuota", "slow down", headers={"retry-after-ms": "1"})
LOST = {
    "reset": RawReply(steps=[RESET]),
    "closed": RawReply(steps=[END]),
    "closed in the middle": RawReply(200, JSON, [b'{"output":', END]),
    "500": error_reply(500, "InternalError", "no such thing has expired"),
    "502": RawReply(502, JSON, [b""]),
    "408": RawReply(408, JSON, [b""]),
    "no JSON": as_json(b"<html>"),
}


@SYNC_AND_ASYNC
def test_a_submission_that_was_refused_is_repeated(server: LocalDashScope, call: CallJobs) -> None:
    server.script(BUSY, BUSY)
    assert call(jobs_of(server), "transcribe", URL).text == "ok"
    assert len(submissions(server)) == 3


@SYNC_AND_ASYNC
@each_row("reply", LOST)
@each_row("uploads", [False, True])
def test_a_submission_whose_reply_was_lost_is_not_repeated(
    server: LocalDashScope, call: CallJobs, reply: RawReply, *, uploads: bool
) -> None:
    server.script(reply)
    recording = Audio.from_bytes(wav(fresh_tone())) if uploads else URL
    with pytest.raises(errors.QwenAudioError, match="not known whether the job was sub") as caught:
        call(jobs_of(server), "submit", recording)
    assert len(submissions(server)) == 1
    assert not caught.value.is_retryable


@SYNC_AND_ASYNC
def test_a_submission_that_met_nobody_is_repeated(
    call: CallJobs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "langchain_qwen_audio")
    with LocalDashScope(reply="ok") as server:
        gone = jobs_of(server)
    with pytest.raises(errors.APIConnectionError) as caught:
        call(gone, "submit", URL)
    assert "not known" not in caught.value.message
    assert len([it for it in caplog.messages if it.startswith(LISTED)]) == 2


@SYNC_AND_ASYNC
def test_a_query_and_a_download_are_repeated(server: LocalDashScope, call: CallJobs) -> None:
    jobs = jobs_of(server)
    task_id = call(jobs, "submit", URL)
    server.script_task(BUSY, RawReply(steps=[RESET]))
    server.script_result(RawReply(500, JSON, [b""]), RawReply(200, JSON, [b'{"tra', END]))
    assert call(jobs, "result", task_id).text == "ok"
    assert len(submissions(server)) == 1


# https://help.aliyun.com/zh/model-studio/error-code
CODES = {
    errors.AudioError: [
        *("FILE_DOWNLOAD_FAILED", "FILE_403_FORBIDDEN", "FILE_404_NOT_FOUND", "FILE_SERVER_ERROR"),
        *("REQUEST_INVALID_FILE_URL_VALUE", "CONTENT_LENGTH_CHECK_FAILED", "FILE_TOO_LARGE"),
        *("AUDIO_DURATION_TOO_LONG", "FILE_CHECK_FAILED", "FILE_NORMALIZE_FAILED"),
        *("FILE_PARSE_FAILED", "MKV_PARSE_FAILED", "DECODE_ERROR", "NO_INPUT_AUDIO_ERROR"),
        "NO_VALID_AUDIO_ERROR",
    ],
    errors.APIError: ["FILE_TRANS_TASK_EXPIRED", "OddCode", ""],
}


@each_row("kind, code", [(kind, it) for kind in CODES for it in CODES[kind]])
def test_each_documented_code_of_a_failed_job_has_its_class(
    kind: type[errors.QwenAudioError], code: str
) -> None:
    task = read_task({"output": {"task_status": "FAILED", "code": code, "message": "download it"}})
    with pytest.raises(kind, match="job t-1 failed: download it") as caught:
        result_url(task, "t-1", LISTED)
    assert caught.value.code == (code or None)
