"""Batches, sync and async: what is sent, and what comes of it."""

from __future__ import annotations

import itertools
import json
import logging
import threading
import tracemalloc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from langchain_qwen_audio import Audio, ChatBatches, ChatQwenAudio, Cost, errors
from langchain_qwen_audio.costs import TokenPrices
from langchain_qwen_audio.local import (
    END,
    RESET,
    JobFailure,
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    Reply,
    compatible_error_reply,
)
from tests.unit_tests.job_calls import JSON, KEY, SYNC_AND_ASYNC, as_json, call_async, call_sync
from tests.unit_tests.recordings import fresh_tone, wav
from tests.unit_tests.sockets import raw_server

if TYPE_CHECKING:
    from tests.unit_tests.job_calls import CallJobs

PLUS, LOOK = "qwen3.5-omni-plus", "batch_query"
BUSY = compatible_error_reply(
    429,
    "Throttling.AllocationQuota",
    "Too many requests. Batch requests are being throttled due to system capacity limits",
    headers={"retry-after-ms": "1"},
)
BAD = compatible_error_reply(400, "data_inspection_failed", "no")


def batches_of(server: LocalDashScope, poll_interval: float = 0.001, **fields: Any) -> ChatBatches:
    fields = {"model": PLUS, "base_url": server.base_url, "api_key": KEY, **fields}
    return ChatBatches(ChatQwenAudio(**fields), poll_interval=poll_interval)


def lines(server: LocalDashScope) -> list[Any]:
    """Read the lines of the latest file that was uploaded."""
    uploaded = [request.form.file for request in server.requests if request.kind == "file"]
    return [json.loads(line) for line in (uploaded[-1] or b"").splitlines()]


def kinds(server: LocalDashScope) -> list[str]:
    """List what was requested; several looks in a row are one."""
    found = [request.kind for request in server.requests]
    before = ["", *found]
    return [it for it, last in zip(found, before, strict=False) if (it, last) != (LOOK, LOOK)]


def batch(state: Any, /, **fields: Any) -> RawReply:
    """Say of a batch how far it is."""
    return as_json({"id": "b-1", "object": "batch", "status": state, **fields})


def file_of(*results: Any) -> RawReply:
    """Make a file of results."""
    return RawReply(200, {}, [b"\n".join(json.dumps(it).encode() for it in results)])


def answered(number: int, text: str = "Hi.", **more: Any) -> dict[str, Any]:
    choice = {"finish_reason": "stop", "index": 0, "message": {"content": text}}
    usage = {"completion_tokens": 35, "prompt_tokens": 26, "total_tokens": 61}
    body = {"id": "c-1", "model": PLUS, "choices": [choice], "usage": usage, **more}
    response = {"status_code": 200, "request_id": "r-1", "body": body}
    return {"id": "r-1", "custom_id": str(number), "response": response, "error": None}


# --- a batch that is done ---------------------------------------------------------------------


@SYNC_AND_ASYNC
def test_each_input_has_its_answer_in_their_order(server: LocalDashScope, call: CallJobs) -> None:
    batches = batches_of(server, region="cn-beijing")
    server.script("one", Reply("two", usage={"prompt_tokens": 7, "completion_tokens": 5}), "three")
    batch_id = call(batches, "submit", ["1", "2", "3"])
    answers = call(batches, "results", batch_id)
    assert [answer.content for answer in answers] == ["one", "two", "three"]
    assert answers[1].usage_metadata == {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    known = answers[1].response_metadata
    assert known["batch_id"] == batch_id
    assert (known["model_name"], known["region"]) == (PLUS, "cn-beijing")
    assert kinds(server) == ["file", "batch", "batch_query", "content"]


@SYNC_AND_ASYNC
def test_a_line_is_the_request_that_invoke_sends(server: LocalDashScope, call: CallJobs) -> None:
    clip = Audio.from_bytes(wav(fresh_tone()))
    said = {"type": "text", "text": "What is said?"}
    spoken: list[Any] = [
        ("system", "Be brief."),
        {"role": "user", "content": [clip.to_block(), said]},
    ]
    linked = [
        {"role": "user", "content": [{"type": "audio", "url": "https://example.com/a.mp3"}, said]}
    ]
    batches = batches_of(server, temperature=0.5, stop=["x"])
    call(batches, "submit", [spoken, linked])
    written = lines(server)
    for conversation in (spoken, linked):
        batches.llm.invoke(conversation)
    sent = [request.json for request in server.requests if request.kind == "chat"]
    assert written == [
        {"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n, body in enumerate(sent)
    ]
    assert sent[1]["messages"][0]["content"][0]["input_audio"] == {
        "data": "https://example.com/a.mp3",
        "format": "mp3",
    }


@SYNC_AND_ASYNC
def test_these_requests_are_sent_and_no_others(server: LocalDashScope, call: CallJobs) -> None:
    batches = ChatBatches(
        batches_of(server, workspace="ws-1").llm, completion_window_h=336, poll_interval=0.001
    )
    batch_id = call(batches, "submit", ["?"])
    upload, creation = server.requests
    assert (upload.method, upload.path) == ("POST", "/compatible-mode/v1/files")
    assert (upload.form.fields, upload.form.file_name) == ({"purpose": "batch"}, "batch.jsonl")
    assert (creation.method, creation.path) == ("POST", "/compatible-mode/v1/batches")
    assert creation.json == {
        "input_file_id": creation.json["input_file_id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "336h",
        "metadata": {"requests": "1"},
    }
    assert call(batches, "results", batch_id)[0].content == "ok"
    *_, look, download = server.requests
    assert (look.method, look.path) == ("GET", f"/compatible-mode/v1/batches/{batch_id}")
    assert (download.method, download.path.rpartition("/")[2]) == ("GET", "content")
    assert {it.headers["authorization"] for it in server.requests} == {f"Bearer {KEY}"}
    assert {it.headers["x-dashscope-workspace"] for it in server.requests} == {"ws-1"}


@SYNC_AND_ASYNC
def test_a_batch_moves_from_state_to_state(server: LocalDashScope, call: CallJobs) -> None:
    batches = batches_of(server)
    batch_id = call(batches, "submit", ["1", "2"])
    first = call(batches, "status", batch_id)
    assert (first.state, first.is_over, first.total, first.submitted) == ("validating", False, 0, 2)
    assert call(batches, "status", batch_id).state == "in_progress"
    call(batches, "results", batch_id)
    last = call(batches, "status", batch_id)
    assert (last.state, last.is_over) == ("completed", True)
    assert (last.total, last.completed, last.failed) == (2, 2, 0)
    assert (last.output_file_id is None, last.error_file_id) == (False, None)


def test_results_are_read_by_another_client(server: LocalDashScope) -> None:
    batch_id = batches_of(server).submit(["1"])
    (answer,) = batches_of(server, model="qwen3.5-omni-flash").results(batch_id)
    assert isinstance(answer, AIMessage)
    assert answer.response_metadata["model_name"] == PLUS


@SYNC_AND_ASYNC
def test_a_batch_is_sent_from_a_file_and_is_never_whole_in_memory(call: CallJobs) -> None:
    clip = Audio.from_bytes(wav(fresh_tone(20)))
    message = {"role": "user", "content": [clip.to_block()]}
    reply = b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"id":"i-1"}'
    with raw_server([reply], [reply], [reply], [reply]) as server:
        batches = ChatBatches(ChatQwenAudio(model=PLUS, base_url=server.base_url, api_key=KEY))
        call(batches, "submit", [[message]])  # it imports what it needs
        tracemalloc.start()
        try:
            call(batches, "submit", 15 * [[message]])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10 * clip.size, "a few lines at once, of fifteen"


def test_a_clip_too_large_for_a_line_is_sent_as_mp3(server: LocalDashScope) -> None:
    clip = Audio.from_bytes(wav(fresh_tone(170)))
    assert clip.size > 5_000_000
    message = {"role": "user", "content": [clip.to_block()]}
    batches_of(server).submit([[message]])
    (line,) = lines(server)
    (part,) = line["body"]["messages"][0]["content"]
    assert part["input_audio"]["format"] == "mp3"


@SYNC_AND_ASYNC
def test_the_files_of_a_batch_can_be_deleted(server: LocalDashScope, call: CallJobs) -> None:
    batches = batches_of(server)
    server.script("ok", BAD)
    batch_id = call(batches, "submit", ["1", "2"])
    with pytest.raises(errors.InvalidRequestError, match="is validating, and needs its files"):
        call(batches, "delete_files", batch_id)
    call(batches, "results", batch_id)
    server.clear()
    for _ in range(2):  # the second time nothing is there
        call(batches, "delete_files", batch_id)
    deleted = [request.path for request in server.requests if request.method == "DELETE"]
    status = call(batches, "status", batch_id)
    files = [status.input_file_id, status.output_file_id, status.error_file_id]
    assert deleted == 2 * [f"/compatible-mode/v1/files/{file_id}" for file_id in files]
    with pytest.raises(errors.NotFoundError, match=f"^batch {batch_id}: There is no file"):
        call(batches, "results", batch_id)


# --- what it costs ----------------------------------------------------------------------------


def test_an_answer_of_a_batch_costs_half(server: LocalDashScope) -> None:
    usage = {
        "prompt_tokens": 1_000_000,
        "completion_tokens": 1_000_000,
        "prompt_tokens_details": {"audio_tokens": 1_000_000},
    }
    batches = batches_of(server, region="cn-beijing")
    server.script(Reply("a", usage=usage))
    (answer,) = batches.results(batches.submit(["?"]))
    assert isinstance(answer, AIMessage)
    assert Cost.of(answer).breakdown == {"audio_in": Decimal("26.5"), "text_out": Decimal(20)}
    mine = TokenPrices(audio_in=Decimal(1), mixed_text_out=Decimal(1))
    assert "batch_factor" in Cost.of(answer, prices=mine).unknown[0]


def test_an_estimate_is_half_of_that_of_the_calls(server: LocalDashScope) -> None:
    batches = batches_of(server, region="cn-beijing")
    clip = Audio.from_bytes(wav(fresh_tone(2))).to_block()
    inputs: list[Any] = ["hello", [{"role": "user", "content": [clip]}]]
    estimated = batches.estimate_cost(inputs)
    assert estimated.at_least == sum(batches.llm.estimate_cost(it).at_least for it in inputs) / 2
    assert estimated.at_least > 0
    assert estimated.unknown == ("the output is not known before the call",)
    unknown = batches_of(server, region="ap-southeast-1").estimate_cost(inputs)
    assert unknown.unknown == ("the prices say nothing of batches (batch_factor)",)
    assert server.requests == []


# --- a batch that is not ----------------------------------------------------------------------


@SYNC_AND_ASYNC
def test_an_error_of_a_line_is_in_its_place(server: LocalDashScope, call: CallJobs) -> None:
    batches = batches_of(server)
    limited = compatible_error_reply(429, "limit_requests", "slow down")
    server.script("one", BAD, "three", limited)
    batch_id = call(batches, "submit", ["1", "2", "3", "4"])
    one, bad, three, slow = call(batches, "results", batch_id)
    assert (one.content, three.content) == ("one", "three")
    assert isinstance(bad, errors.ContentFilterError)
    assert bad.message.startswith(f"input 1 of batch {batch_id} failed: no: the service's mod")
    assert (bad.code, bad.status, bad.body["custom_id"]) == ("data_inspection_failed", 400, "1")
    assert bad.request_id == bad.body["id"]
    assert isinstance(slow, errors.RateLimitError)
    assert slow.is_retryable
    assert kinds(server)[-2:] == ["content", "content"]


@SYNC_AND_ASYNC
def test_a_batch_that_fails_as_a_whole_is_an_error(server: LocalDashScope, call: CallJobs) -> None:
    batches = batches_of(server)
    server.script(JobFailure("InvalidParameter", "line 7 is no JSON"))
    batch_id = call(batches, "submit", ["1"])
    expected = f"^batch {batch_id} failed as a whole: line 7 is no JSON"
    with pytest.raises(errors.InvalidRequestError, match=expected) as caught:
        call(batches, "results", batch_id)
    assert caught.value.body["status"] == "failed"
    status = call(batches, "status", batch_id)
    assert (status.state, status.message) == ("failed", "line 7 is no JSON")


@SYNC_AND_ASYNC
def test_what_was_answered_before_a_batch_is_cancelled_is_kept(
    server: LocalDashScope, call: CallJobs
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def answer_late(_request: ReceivedRequest) -> Reply:
        begun.set()
        ended.wait(60)
        return Reply("too late")

    server.script("one", answer_late)
    batches = batches_of(server)
    batch_id = call(batches, "submit", ["1", "2", "3"])
    while call(batches, "status", batch_id).completed < 1:
        pass
    assert begun.wait(60)
    assert call(batches, "cancel", batch_id).state == "cancelling"
    ended.set()
    one, *missing = call(batches, "results", batch_id)
    assert one.content == "one"
    assert [it.message for it in missing] == [
        f"input {n} of batch {batch_id} has no result: the batch is cancelled" for n in (1, 2)
    ]
    assert all(isinstance(it, errors.APIError) and it.is_retryable for it in missing)
    with pytest.raises(errors.InvalidRequestError, match="cancelled cannot be cancelled"):
        call(batches, "cancel", batch_id)


@SYNC_AND_ASYNC
def test_a_batch_that_has_expired_has_errors_in_place_of_answers(
    server: LocalDashScope, call: CallJobs
) -> None:
    server.script_batch(
        batch("expired", output_file_id="out", request_counts={"total": 2}, error_file_id=None)
    )
    server.script_file(file_of(answered(1)))
    missing, answer = call(batches_of(server), "results", "b-1")
    assert "the batch is expired" in missing.message
    assert answer.content == "Hi."


@SYNC_AND_ASYNC
def test_a_wait_ends_and_the_batch_can_be_waited_for_again(
    server: LocalDashScope, call: CallJobs
) -> None:
    batches = batches_of(server, poll_interval=30)
    batch_id = call(batches, "submit", ["1"])
    expected = rf"batch {batch_id} is still validating, .* results\('{batch_id}'\) waits for it"
    with pytest.raises(errors.APITimeoutError, match=expected):
        call(batches, "results", batch_id, timeout=5)
    assert call(batches_of(server), "results", batch_id)[0].content == "ok"
    with pytest.raises(errors.InvalidRequestError, match="timeout is 0, expected seconds"):
        call(batches, "results", batch_id, timeout=0)


@SYNC_AND_ASYNC
def test_a_batch_that_the_service_does_not_know_is_an_error(
    server: LocalDashScope, call: CallJobs
) -> None:
    batches = batches_of(server)
    batch_id = call(batches, "submit", ["1"])
    server.forget_batches()
    for method in ("status", "cancel", "results", "delete_files"):
        with pytest.raises(errors.NotFoundError, match=f"no batch {batch_id}"):
            call(batches, method, batch_id)


@SYNC_AND_ASYNC
def test_a_submission_that_was_refused_is_repeated(server: LocalDashScope, call: CallJobs) -> None:
    server.script_batch(BUSY, BUSY)
    server.script_file(BUSY)
    batches = batches_of(server)
    assert call(batches, "results", call(batches, "submit", ["1"]))[0].content == "ok"
    assert kinds(server)[:5] == ["file", "file", "batch", "batch", "batch"]


LOST = {
    "reset": RawReply(steps=[RESET]),
    "closed in the middle": RawReply(200, JSON, [b'{"id":', END]),
    "502": RawReply(502, JSON, [b""]),
    "no id": as_json({"object": "batch"}),
}


@SYNC_AND_ASYNC
def test_a_submission_whose_reply_was_lost_is_not_repeated(
    server: LocalDashScope, call: CallJobs
) -> None:
    expected = r"^the batch of file file-batch-\w+: .* not known whether the batch was submitted"
    for name, reply in LOST.items():
        server.clear()
        server.script_batch(reply)
        with pytest.raises(errors.QwenAudioError, match=expected) as caught:
            call(batches_of(server), "submit", ["1"])
        assert not caught.value.is_retryable, name
        assert kinds(server) == ["file", "batch"], name


@SYNC_AND_ASYNC
def test_an_upload_and_a_download_that_broke_off_are_repeated(
    server: LocalDashScope, call: CallJobs
) -> None:
    batches = batches_of(server)
    server.script_file(RawReply(steps=[RESET]))
    batch_id = call(batches, "submit", ["1"])
    server.script_file(RawReply(200, {"content-length": "9"}, [b"{", END]))
    assert call(batches, "results", batch_id)[0].content == "ok"
    assert kinds(server) == ["file", "file", "batch", "batch_query", "content", "content"]


# --- odd replies ------------------------------------------------------------------------------

ODD_LINES: dict[str, Any] = {
    "no choices": answered(0, choices=[]),
    "no reply": {"custom_id": "0", "response": {"status_code": 200}, "error": None},
    "a reply that is a text": {"custom_id": "0", "response": {"status_code": 200, "body": "x"}},
    "an answer that is not whole": answered(0, choices=[{"message": {"content": "x"}}]),
    "no response": {"custom_id": "0", "response": None, "error": None},
    "an error that is a text": {"custom_id": "0", "error": "x"},
    "no line of it": answered(1),
    "a number that is none": answered(0) | {"custom_id": "first"},
    "a number that is far too large": answered(0) | {"custom_id": "99999999999"},
    "a list": [1],
}


@SYNC_AND_ASYNC
def test_an_odd_line_is_an_error_in_its_place(server: LocalDashScope, call: CallJobs) -> None:
    completed = batch("completed", output_file_id="out", metadata={"requests": "1"}, errors={})
    for name, line in ODD_LINES.items():
        server.script_batch(completed)
        server.script_file(file_of(line))
        error, *more = call(batches_of(server), "results", "b-1")
        assert isinstance(error, errors.APIError), name
        assert "input 0 of batch b-1" in error.message, name
        assert len(more) <= 1, name


ODD_STATES = {
    "no JSON": as_json(b"<html>"),
    "no object": as_json([1]),
    "no id": as_json({"status": "completed"}),
    "an unknown state": batch("waiting"),
    "a list": batch([]),
    "no state": batch(None),
}


@SYNC_AND_ASYNC
def test_an_odd_state_is_an_error_of_this_package(server: LocalDashScope, call: CallJobs) -> None:
    for reply in ODD_STATES.values():
        server.script_batch(reply)
        with pytest.raises(errors.APIError, match=r"^batch b-1: "):
            call(batches_of(server, max_retries=0), "results", "b-1")


def test_ids_that_are_none_are_not_requested(server: LocalDashScope) -> None:
    server.script_batch(
        batch("completed", output_file_id="../keys", error_file_id=5, metadata={"requests": "1"})
    )
    (missing,) = batches_of(server).results("b-1")
    assert isinstance(missing, errors.APIError)
    for wrong in ("", "../files", "a/b", 5, None):
        with pytest.raises(errors.InvalidRequestError, match="no id of a batch"):
            batches_of(server).status(wrong)  # type: ignore[arg-type]
    assert kinds(server) == ["batch_query"]


def test_the_key_is_in_no_error_of_a_line(server: LocalDashScope) -> None:
    error = {"code": "x", "message": f"the key {KEY} is odd"}
    server.script_batch(batch("completed", error_file_id="err"))
    server.script_file(file_of({"custom_id": "0", "error": error}))
    (failed,) = batches_of(server).results("b-1")
    assert isinstance(failed, errors.QwenAudioError)
    assert KEY not in f"{failed.message}{failed.body}"
    assert "[key]" in failed.message


# --- what cannot be submitted -----------------------------------------------------------------


def clip_block(seconds: float) -> dict[str, Any]:
    return Audio.from_bytes(wav(fresh_tone(seconds))).to_block()


def user(*content: Any) -> list[Any]:
    return [{"role": "user", "content": [*content]}]


REFUSED: dict[str, tuple[dict[str, Any], Any, tuple[type[Exception], str]]] = {
    "no inputs": ({}, [], (errors.InvalidRequestError, "0 inputs came")),
    "too many": ({}, ["?"] * 50_001, (errors.InvalidRequestError, "50,001 inputs came")),
    "a text": ({}, "hello", (errors.InvalidRequestError, "put it into a list")),
    "a long input": (
        {},
        ["?", "x" * 6_000_000],
        (errors.InvalidRequestError, r"^inputs\[1\]: as a line of a batch it has 6,000,\d+ bytes"),
    ),
    "an input that invoke refuses": (
        {},
        ["?", user({"type": "audio", "url": "file:///etc/passwd"})],
        (errors.AudioError, r"^inputs\[1\]: .*local_files"),
    ),
    "half a character": ({}, ["\ud800"], (errors.MessageError, r"^inputs\[0\]: .*surrogate")),
    "an upload": (
        {},
        [user({"type": "audio", "url": "oss://a/b.wav"}, {"type": "text", "text": "?"})],
        (errors.AudioError, r"^inputs\[0\]: .*oss:// URL"),
    ),
    "audio to upload": (
        {"audio_transport": "upload"},
        [user(clip_block(0.3))],
        (errors.AudioError, r"^inputs\[0\]: .*(upload|oss://)"),
    ),
    "a model without batches": (
        {"model": "qwen3.8-omni-flash"},
        ["?"],
        (
            errors.NotFoundError,
            "has no batches.*qwen3.5-omni-plus, qwen3.5-omni-flash, qwen-omni-turbo",
        ),
    ),
    "another region": (
        {"region": "ap-southeast-1"},
        ["?"],
        (errors.NotFoundError, "in cn-beijing alone, and the region is ap-southeast-1"),
    ),
    "speech": (
        {"modalities": ["text", "audio"]},
        ["?"],
        (errors.InvalidRequestError, "speech, which the service does not have in batches"),
    ),
    "a search": ({"enable_search": True}, ["?"], (errors.InvalidRequestError, "enable_search")),
    "tools": (
        {"model_kwargs": {"tools": [{"type": "function"}]}},
        ["?"],
        (errors.InvalidRequestError, "tools is set"),
    ),
    "another protocol": (
        {"model": "qwen-omni-turbo", "protocol": "native"},
        ["?"],
        (errors.InvalidRequestError, "protocol='native'.*leave it out"),
    ),
}


def test_what_cannot_be_submitted_is_refused_before_anything_is_sent(
    server: LocalDashScope,
) -> None:
    calls = itertools.cycle([call_sync, call_async])
    for call, (fields, inputs, (kind, expected)) in zip(calls, REFUSED.values(), strict=False):
        with pytest.raises(kind, match=expected):
            call(batches_of(server, **fields), "submit", inputs)
    assert server.requests == []


def test_a_batch_that_is_too_large_is_refused(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_qwen_audio._models.batch_models.MAX_FILE_BYTES", 1000)
    with pytest.raises(errors.InvalidRequestError, match="more than 1,000 bytes"):
        batches_of(server).submit(["x" * 400] * 3)


@pytest.mark.parametrize(
    "options",
    [{"completion_window_h": 23}, {"completion_window_h": 337}, {"poll_interval": 0}],
    ids=str,
)
def test_an_option_out_of_its_range_is_refused(
    server: LocalDashScope, options: dict[str, Any]
) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is .*; expected"):
        ChatBatches(batches_of(server).llm, **options)


def test_uploads_submissions_and_waits_are_logged(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "langchain_qwen_audio")
    batches = batches_of(server)
    batch_id = call_sync(batches, "submit", ["secret words"])
    call_sync(batches, "results", batch_id)
    assert f"submitted batch {batch_id} to {PLUS}" in caplog.text
    assert f"batch {batch_id} is validating: next look in 0.001 s" in caplog.text
    assert "for a batch" in caplog.text
    assert KEY not in caplog.text
    assert "secret words" not in caplog.text
