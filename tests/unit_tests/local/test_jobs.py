"""Transcription jobs of the local test server, as a client of the service's pages sees them."""

from __future__ import annotations

import ssl

import httpx
import pytest

from langchain_qwen_audio.local import JobFailure, LocalDashScope, RawReply, Reply
from tests.unit_tests.local._client import assert_refused, generate, get, post, user
from tests.unit_tests.local._job_client import (
    HEADERS,
    LISTED,
    ONE,
    URL,
    address,
    finish,
    look,
    submit,
)


@pytest.mark.parametrize("model", [ONE, LISTED])
def test_a_job_is_pending_then_running_then_done(server: LocalDashScope, model: str) -> None:
    server.script(Reply("Hi.", usage={"seconds": 7}))
    submitted = submit(server, model)
    assert submitted.json()["output"]["task_status"] == "PENDING"
    states, body = finish(server, submitted)
    assert states == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert body["usage"] == {"seconds": 7}
    assert ("task_metrics" in body["output"]) == (model == LISTED)
    result = get(address(body)).json()
    (channel,) = result["transcripts"]
    (sentence,) = channel["sentences"]
    assert (result["file_url"], channel["text"], sentence["text"]) == (URL, "Hi.", "Hi.")
    assert sentence["sentence_id"] == (0 if model == ONE else 1)
    kinds = [request.kind for request in server.requests]
    assert kinds == ["job", "task", "task", "task", "result"]


def test_a_scripted_failure_is_of_the_job_or_of_its_file(server: LocalDashScope) -> None:
    server.script(JobFailure("A", "a"), JobFailure("B", "b", in_subtask=True), JobFailure("C"))
    _, whole = finish(server, submit(server))
    _, part = finish(server, submit(server))
    _, one = finish(server, submit(server, ONE))
    subtask = {"file_url": URL, "subtask_status": "FAILED", "code": "A", "message": "a"}
    assert whole["output"]["task_status"] == "FAILED"
    assert whole["output"]["results"] == [subtask]
    assert whole["output"]["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 0, "FAILED": 1}
    assert part["output"]["task_status"] == "SUCCEEDED"
    assert (one["output"]["task_status"], one["output"]["code"]) == ("FAILED", "C")


def test_a_failure_of_a_job_is_no_reply_to_anything_else(server: LocalDashScope) -> None:
    server.script(JobFailure("A"))
    assert_refused(
        generate(server, user({"text": "?"})),
        500,
        "InternalError",
        "A JobFailure was scripted, and a request to a model came.",
    )


def test_a_job_is_of_one_key_and_is_forgotten(server: LocalDashScope) -> None:
    server.script("Hi.")
    submitted = submit(server)
    task_id = submitted.json()["output"]["task_id"]
    assert look(server, task_id, key="another")["output"]["task_status"] == "UNKNOWN"
    _, body = finish(server, submitted)
    assert get(address(body)).status_code == 200
    server.forget_jobs()
    assert look(server, task_id)["output"]["task_status"] == "UNKNOWN"
    assert get(address(body)).status_code == 404


def test_a_result_wants_its_signature_and_no_key(server: LocalDashScope) -> None:
    server.script("Hi.")
    _, body = finish(server, submit(server))
    url = address(body)
    assert get(url.partition("?")[0]).status_code == 404
    assert get(url, headers={"authorization": "Bearer local"}).status_code == 400
    server.script_result(RawReply(403, {}, [b"expired"]))
    assert get(url).status_code == 403
    assert get(url).status_code == 200


def test_a_job_is_cancelled_while_it_is_pending_alone(server: LocalDashScope) -> None:
    server.script("a", "b")
    task_id, begun = (submit(server).json()["output"]["task_id"] for _ in range(2))
    cancel = f"{server.base_url}/tasks/{{}}/cancel"
    assert post(cancel.format(task_id), headers=HEADERS).json().keys() == {"request_id"}
    assert look(server, task_id)["output"]["task_status"] == "CANCELED"
    for _ in range(2):
        look(server, begun)
    message = "Failed to cancel the task, please confirm if the task is in PENDING status."
    for each in (task_id, begun):
        refused = post(cancel.format(each), headers=HEADERS)
        assert_refused(refused, 400, "UnsupportedOperation", message)
    assert post(cancel.format("none"), headers=HEADERS).status_code == 404
    server.script_task(RawReply(503, {}, [b""]))
    assert post(cancel.format(begun), headers=HEADERS).status_code == 503


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", "/cancel"), ("PUT", "")])
def test_tasks_have_two_methods(server: LocalDashScope, method: str, path: str) -> None:
    with httpx.Client(verify=ssl.create_default_context()) as client:
        refused = client.request(method, f"{server.base_url}/tasks/t{path}", headers=HEADERS)
    assert refused.status_code == 404
