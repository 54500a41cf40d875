"""Transcription jobs, sync and async, in both shapes: what is sent, and what comes of it."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from langchain_qwen_audio import Audio, ChatQwenAudio, Transcript, TranscriptionJobs, errors
from langchain_qwen_audio.local import (
    JobFailure,
    LocalDashScope,
    RawReply,
    Reply,
)
from langchain_qwen_audio.transcripts import Sentence, Word
from tests.unit_tests.job_calls import (
    JSON,
    KEY,
    LISTED,
    ONE,
    SHAPES,
    SYNC_AND_ASYNC,
    URL,
    as_json,
    jobs_of,
    kinds,
    submissions,
    task,
)
from tests.unit_tests.programs import run_forked
from tests.unit_tests.recordings import fresh_tone, wav

if TYPE_CHECKING:
    from tests.unit_tests.job_calls import CallJobs

SPOKEN: list[dict[str, Any]] = [
    {
        "begin_time": 100,
        "end_time": 900,
        "text": "Hi.",
        "words": [{"begin_time": 100, "end_time": 900, "text": "Hi", "punctuation": "."}],
    },
    {"begin_time": 1200, "end_time": 2000, "text": "Oh!"},
]
HI = Word(text="Hi", punctuation=".", start_s=0.1, end_s=0.9)


def told_apart(model: str) -> dict[str, Any]:
    """Request speakers where the model knows them, and words where they must be requested."""
    return {"enable_words": True} if model == ONE else {"diarization_enabled": True}


# --- a job that succeeds ----------------------------------------------------------------------


@SHAPES
@SYNC_AND_ASYNC
def test_a_recording_becomes_a_transcript(
    server: LocalDashScope, call: CallJobs, model: str
) -> None:
    server.script(Reply(sentences=SPOKEN))
    transcript = call(jobs_of(server, model=model), "transcribe", URL, **told_apart(model))
    speaker = None if model == ONE else 0
    assert transcript == Transcript(
        text="Hi.Oh!",
        sentences=[
            Sentence(text="Hi.", start_s=0.1, end_s=0.9, channel=0, speaker=speaker, words=[HI]),
            Sentence(text="Oh!", start_s=1.2, end_s=2.0, channel=0, speaker=speaker),
        ],
        seconds=1.0,
    )
    assert kinds(server) == ["job", "task", "result"]


@SYNC_AND_ASYNC
@pytest.mark.parametrize(
    ("model", "given", "parameters"),
    [
        (ONE, {"file_url": URL}, {}),
        (f"{ONE}-2025-11-17", {"file_url": URL}, {"language": "en", "channel_id": [0, 1]}),
        (LISTED, {"file_urls": [URL]}, {}),
        ("fun-asr", {"file_urls": [URL]}, {"diarization_enabled": True, "speaker_count": 2}),
        ("paraformer-v2", {"file_urls": [URL]}, {"language_hints": ["zh", "en"]}),
    ],
)
def test_a_submission_has_exactly_this_body(
    server: LocalDashScope,
    call: CallJobs,
    model: str,
    given: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    jobs = jobs_of(server, model=model, workspace="ws-1")
    task_id = call(jobs, "submit", URL, **parameters)
    (request,) = server.requests
    assert request.json == {"model": model, "input": given, "parameters": parameters}
    assert (request.method, request.path) == ("POST", "/api/v1/services/audio/asr/transcription")
    assert request.headers["x-dashscope-async"] == "enable"
    assert request.headers["x-dashscope-workspace"] == "ws-1"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "x-dashscope-ossresourceresolve" not in request.headers
    assert call(jobs, "status", task_id) == "PENDING"
    assert server.requests[-1].path == f"/api/v1/tasks/{task_id}"


@SHAPES
@SYNC_AND_ASYNC
def test_a_job_moves_from_state_to_state(
    server: LocalDashScope, call: CallJobs, model: str
) -> None:
    jobs = jobs_of(server, model=model)
    task_id = call(jobs, "submit", URL)
    states = [call(jobs, "status", task_id) for _ in range(3)]
    assert states == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert call(jobs, "result", task_id).text == "ok"


@SYNC_AND_ASYNC
def test_a_clip_is_uploaded_and_travels_as_its_address(
    server: LocalDashScope, call: CallJobs
) -> None:
    clip = Audio.from_bytes(wav(fresh_tone()))
    assert call(jobs_of(server), "transcribe", clip).text == "ok"
    assert kinds(server) == ["policy", "upload", "job", "task", "result"]
    policy, upload, job, *_ = server.requests
    assert policy.query["model"] == LISTED
    assert upload.form.file == clip.data
    assert job.json["input"] == {"file_urls": [f"oss://{upload.form.fields['key']}"]}
    assert job.headers["x-dashscope-ossresourceresolve"] == "enable"


@SYNC_AND_ASYNC
@pytest.mark.parametrize("code", ["SUCCESS_WITH_NO_VALID_FRAGMENT", "ASR_RESPONSE_HAVE_NO_WORDS"])
@pytest.mark.parametrize("in_subtask", [True, False])
def test_a_recording_in_which_nobody_speaks_is_an_empty_transcript(
    server: LocalDashScope, call: CallJobs, code: str, *, in_subtask: bool
) -> None:
    server.script(*[JobFailure(code, "nothing", in_subtask=in_subtask)] * 2)
    for model in (ONE, LISTED):
        assert call(jobs_of(server, model=model), "transcribe", URL) == Transcript()


@SYNC_AND_ASYNC
def test_channels_are_merged_by_time(server: LocalDashScope, call: CallJobs) -> None:
    late = {"begin_time": 950, "end_time": 1100, "text": "Yes?", "channel_id": 1}
    server.script(Reply(sentences=[*SPOKEN, late]))
    transcript = call(jobs_of(server), "transcribe", URL, channel_id=[0, 1])
    merged = [(it.channel, it.text, it.start_s) for it in transcript.sentences]
    assert merged == [(0, "Hi.", 0.1), (1, "Yes?", 0.95), (0, "Oh!", 1.2)]
    assert transcript.text == "Hi.\nYes?\nOh!"
    assert transcript.seconds == 2.0  # each channel is billed


@pytest.mark.parametrize(
    ("usage", "seconds"),
    [
        ({"seconds": 3}, 3.0),
        ({"duration": 9.5}, 9.5),
        ({}, None),
        ({"seconds": "3"}, None),
        ({"input_tokens": 5}, None),
    ],
)
def test_the_seconds_that_are_billed_are_those_of_the_usage(
    server: LocalDashScope, usage: dict[str, Any], seconds: float | None
) -> None:
    server.script(Reply("Hi.", usage=usage))
    assert jobs_of(server).transcribe(URL).seconds == seconds


# --- a job that does not ----------------------------------------------------------------------

FAILURES: dict[str, tuple[JobFailure, type[errors.QwenAudioError], str]] = {
    "an address that cannot be fetched": (
        JobFailure("FILE_DOWNLOAD_FAILED", "The file cannot be downloaded."),
        errors.AudioError,
        "Audio.from_url",
    ),
    "a file that cannot be decoded": (
        JobFailure("DECODE_ERROR", "decode error"),
        errors.AudioError,
        "as WAV or MP3",
    ),
    "a file that is too long": (
        JobFailure("AUDIO_DURATION_TOO_LONG", "too long"),
        errors.AudioError,
        "in parts",
    ),
    "a job that was not done in time": (
        JobFailure("FILE_TRANS_TASK_EXPIRED", "expired"),
        errors.APIError,
        "submit it again",
    ),
    "moderation": (
        JobFailure("DataInspectionFailed", "no"),
        errors.ContentFilterError,
        "moderation",
    ),
    "a code that nobody knows": (JobFailure("ODD", "something"), errors.APIError, "something"),
    "no message": (JobFailure("ODD"), errors.APIError, "ODD"),
}


@SHAPES
@SYNC_AND_ASYNC
@pytest.mark.parametrize("in_subtask", [False, True], ids=["of the job", "of its file"])
def test_a_failure_is_an_error_by_its_code(
    server: LocalDashScope, call: CallJobs, model: str, *, in_subtask: bool
) -> None:
    jobs = jobs_of(server, model=model)
    for what, (said, kind, advice) in FAILURES.items():
        server.script(JobFailure(said.code, said.message, in_subtask=in_subtask))
        task_id = call(jobs, "submit", URL)
        message = f"job {task_id} failed: {said.message or said.code}"
        with pytest.raises(kind, match=message) as caught:
            call(jobs, "result", task_id)
        assert advice in caught.value.message, what
        assert caught.value.code == said.code, what
        assert caught.value.body["output"]["task_id"] == task_id, what
    assert "result" not in kinds(server)


@SYNC_AND_ASYNC
def test_a_job_that_the_service_does_not_know_is_an_error(
    server: LocalDashScope, call: CallJobs
) -> None:
    jobs = jobs_of(server)
    task_id = call(jobs, "submit", URL)
    server.forget_jobs()
    assert call(jobs, "status", task_id) == "UNKNOWN"
    with pytest.raises(errors.NotFoundError, match=f"knows no job {task_id}: .*24 hours"):
        call(jobs, "result", task_id)
    other = jobs_of(server, api_key="another")
    with pytest.raises(errors.NotFoundError, match="the account"):
        call(other, "result", call(jobs, "submit", URL))


@SYNC_AND_ASYNC
def test_a_job_can_be_cancelled_while_it_is_pending(server: LocalDashScope, call: CallJobs) -> None:
    jobs = jobs_of(server)
    task_id = call(jobs, "submit", URL)
    assert call(jobs, "cancel", task_id) is None
    assert (server.requests[-1].method, server.requests[-1].path) == (
        "POST",
        f"/api/v1/tasks/{task_id}/cancel",
    )
    assert call(jobs, "status", task_id) == "CANCELED"
    with pytest.raises(errors.APIError, match=f"job {task_id} was cancelled") as caught:
        call(jobs, "result", task_id)
    assert not caught.value.is_retryable
    begun = call(jobs, "submit", URL)
    call(jobs, "result", begun)
    with pytest.raises(errors.InvalidRequestError, match="PENDING") as refused:
        call(jobs, "cancel", begun)
    assert refused.value.code == "UnsupportedOperation"


@SYNC_AND_ASYNC
@pytest.mark.parametrize("status", [403, 404])
def test_a_result_that_is_gone_is_an_error(
    server: LocalDashScope, call: CallJobs, status: int
) -> None:
    server.script_result(RawReply(status, {}, [b"<Error/>"]))
    with pytest.raises(errors.NotFoundError, match=r"^job .*not there any more.*24 hours"):
        call(jobs_of(server), "transcribe", URL)
    assert [it.kind for it in server.requests].count("result") == 1


@SYNC_AND_ASYNC
def test_a_wait_ends_and_the_job_can_be_waited_for_again(
    server: LocalDashScope, call: CallJobs
) -> None:
    jobs = jobs_of(server, poll_interval=30)
    task_id = call(jobs, "submit", URL)
    expected = rf"job {task_id} is still PENDING, .* result\('{task_id}'\) waits for it again"
    with pytest.raises(errors.APITimeoutError, match=expected):
        call(jobs, "result", task_id, timeout=5)
    with pytest.raises(errors.APITimeoutError, match="is still PENDING"):
        call(jobs_of(server, poll_interval=30, total_timeout=5), "transcribe", URL)
    assert call(jobs_of(server), "result", task_id).text == "ok"


# --- odd replies ------------------------------------------------------------------------------

ODD_TASKS: dict[str, RawReply] = {
    "no JSON": as_json(b"<html>"),
    "no object": as_json([1]),
    "no output": as_json({"request_id": "r"}),
    "an output that is a list": as_json({"output": []}),
    "no state": as_json({"output": {"task_id": "t-1"}}),
    "a state that nobody knows": task("WAITING"),
    "a state that is a list": task([]),
    "no result": task("SUCCEEDED"),
    "a result that is a text": task("SUCCEEDED", result="https://example.com"),
    "results that are numbers": task("SUCCEEDED", results=[1, 2]),
    "an address that is a number": task("SUCCEEDED", result={"transcription_url": 5}),
    "an address that is none": task("SUCCEEDED", result={"transcription_url": "http://[::1"}),
    "an address of a file": task("SUCCEEDED", result={"transcription_url": "file:///etc/passwd"}),
    "results of several files": task("SUCCEEDED", results=[{}, {}]),
    "a failure without a reason": task("FAILED"),
    "a failure whose code is a number": task("FAILED", code=5, message=["x"]),
    "a subtask whose status is a list": task("SUCCEEDED", results=[{"subtask_status": []}]),
}


@SYNC_AND_ASYNC
def test_an_odd_state_is_an_error_of_this_package(server: LocalDashScope, call: CallJobs) -> None:
    for reply in ODD_TASKS.values():
        server.script_task(reply)
        with pytest.raises(errors.APIError, match="t-1"):
            call(jobs_of(server, max_retries=0), "result", "t-1")


NOT_RESULTS: dict[str, bytes] = {
    "no JSON": b"<html>",
    "nothing": b"",
    "no object": b"[]",
    "no transcripts": b'{"file_url":"x"}',
    "transcripts that are an object": b'{"transcripts":{}}',
    "nothing but nesting": b"[" * 10_000,
}


@SYNC_AND_ASYNC
def test_a_result_that_is_none_is_an_error_of_this_package(
    server: LocalDashScope, call: CallJobs
) -> None:
    for body in NOT_RESULTS.values():
        server.script_result(RawReply(200, JSON, [body]))
        with pytest.raises(errors.APIError, match=r"^job .*result of the job|JSON"):
            call(jobs_of(server), "transcribe", URL)


HUGE = "9" * 400
ODD_RESULTS: dict[str, tuple[str, list[Sentence]]] = {
    "no transcripts": ("[]", []),
    "transcripts that are numbers": ("[1,2]", []),
    "no sentences": ('[{"channel_id":1,"text":"a"}]', [Sentence(text="a", channel=1)]),
    "huge numbers": (
        f'[{{"sentences":[{{"text":"a","begin_time":{HUGE},"end_time":-{HUGE}}}]}}]',
        [Sentence(text="a")],
    ),
    "wrong types": (
        '[{"channel_id":"0","text":5,"sentences":[{"text":[],"begin_time":"1","words":"a"}]}]',
        [Sentence(text="")],
    ),
}


@pytest.mark.parametrize(("transcripts", "sentences"), ODD_RESULTS.values(), ids=ODD_RESULTS)
def test_what_cannot_be_read_of_a_result_is_not_known(
    server: LocalDashScope, transcripts: str, sentences: list[Sentence]
) -> None:
    server.script_result(RawReply(200, JSON, [f'{{"transcripts":{transcripts}}}'.encode()]))
    assert jobs_of(server).transcribe(URL).sentences == sentences


@pytest.mark.parametrize("output", [{}, {"task_id": 5}, {"task_id": "../x"}, {"task_id": ""}])
def test_a_submission_without_an_id_is_an_error_and_not_repeated(
    server: LocalDashScope, output: dict[str, Any]
) -> None:
    server.script(as_json({"output": output}))
    with pytest.raises(errors.APIError, match="gave no id for it"):
        jobs_of(server).submit(URL)
    assert len(submissions(server)) == 1


# --- crashes, logs ---------------------------------------------------------------------------


WAIT = """
import sys
from langchain_qwen_audio import TranscriptionJobs
base_url, key, task_id = sys.argv[1:]
jobs = TranscriptionJobs(base_url=base_url, api_key=key, poll_interval=0.001)
print(jobs.result(task_id).text)
"""


def test_a_job_is_waited_for_in_another_process(server: LocalDashScope) -> None:
    task_id = jobs_of(server).submit(URL)  # and then the process crashes
    assert run_forked(WAIT, server.base_url, KEY, task_id) == "ok\n"
    assert len(submissions(server)) == 1


@SYNC_AND_ASYNC
def test_neither_errors_nor_logs_have_the_key(
    server: LocalDashScope, call: CallJobs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "langchain_qwen_audio")
    jobs = jobs_of(server)
    server.script(JobFailure("ODD", f"the key {KEY} is odd"))
    with pytest.raises(errors.APIError):
        call(jobs, "transcribe", URL)
    assert KEY not in f"{jobs!r}{caplog.text}"
    ours = [it for it in caplog.messages if it.startswith(("job ", "submitted job "))]
    assert [it.rpartition(" ")[2] for it in ours[:1]] == [LISTED]
    assert all(" is PENDING" in it or " is RUNNING" in it for it in ours[1:])
    assert len(ours) >= 3


# --- what is refused --------------------------------------------------------------------------


@SYNC_AND_ASYNC
def test_what_is_no_id_is_refused(server: LocalDashScope, call: CallJobs) -> None:
    no_ids = ("", "../uploads", "a/b", "a?b", "ä", None, 5)
    for task_id, method in itertools.product(no_ids, ("status", "result", "cancel")):
        with pytest.raises(errors.InvalidRequestError, match="no id of a job"):
            call(jobs_of(server), method, task_id)
    assert server.requests == []


@pytest.mark.parametrize("recording", ["meeting.mp3", "file:///a.mp3", "oss://a/b", b"RIFF", None])
def test_what_is_no_recording_is_refused(server: LocalDashScope, recording: Any) -> None:
    with pytest.raises(errors.InvalidRequestError, match=r"expected an http\(s\) URL or an Audio"):
        jobs_of(server).submit(recording)
    assert server.requests == []


@SYNC_AND_ASYNC
@pytest.mark.parametrize("model", ["qwen3-asr-flash", "qwen-audio-9-asr-flash-filetrans", ""])
def test_a_model_without_jobs_is_refused(
    server: LocalDashScope, call: CallJobs, model: str
) -> None:
    with pytest.raises(errors.NotFoundError, match="these models do: qwen-audio-3"):
        call(jobs_of(server, model=model), "submit", URL)
    assert server.requests == []


@SYNC_AND_ASYNC
def test_a_parameter_that_the_model_does_not_have_is_refused(
    server: LocalDashScope, call: CallJobs
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="'enable_words'; it has language_hints"):
        call(jobs_of(server), "submit", URL, enable_words=True)
    assert server.requests == []


def test_fields_that_it_does_not_have_are_refused() -> None:
    with pytest.raises(ValidationError, match="poll"):
        TranscriptionJobs(api_key=KEY, poll=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="no API key"):
        TranscriptionJobs(api_key="")


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({}, "https://dashscope.aliyuncs.com/api/v1"),
        ({"region": "ap-southeast-1"}, "https://dashscope-intl.aliyuncs.com/api/v1"),
        ({"workspace": "w"}, "https://w.cn-beijing.maas.aliyuncs.com/api/v1"),
    ],
)
def test_jobs_go_to_the_hosts_that_other_requests_go_to(
    fields: dict[str, Any], address: str
) -> None:
    assert TranscriptionJobs(api_key=KEY, **fields).address == address


def test_the_address_of_the_compatible_protocol_will_do(server: LocalDashScope) -> None:
    jobs = jobs_of(server, base_url=server.compatible_base_url)
    assert jobs.transcribe(URL).text == "ok"


def test_a_chat_model_says_which_class_has_jobs(server: LocalDashScope) -> None:
    model = ChatQwenAudio(model=LISTED, base_url=server.base_url, api_key=KEY)
    with pytest.raises(errors.NotFoundError, match="use `TranscriptionJobs"):
        model.invoke("?")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), 1e300])
def test_a_time_to_wait_that_is_none_is_refused(server: LocalDashScope, timeout: float) -> None:
    with pytest.raises(errors.InvalidRequestError, match="timeout is"):
        jobs_of(server).result("t-1", timeout=timeout)
    assert server.requests == []
