"""Batches of the local test server, as a client of the service's pages sees them."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

import httpx
import pytest

from langchain_qwen_audio.local import (
    RESET,
    JobFailure,
    LocalDashScope,
    RawReply,
    Reply,
    compatible_error_reply,
)
from tests.unit_tests.local._client import OMNI_35, SAMPLES, data_uri, get, post, words

KEY = {"authorization": "Bearer local"}
delete = partial(httpx.delete, verify=False)


def question(*content: Any, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": "What is said?"}]}]
    return {"model": OMNI_35, "messages": messages, "stream": True, **fields}


def line(number: int = 1, body: Any = None, **fields: Any) -> dict[str, Any]:
    url = "/v1/chat/completions"
    whole = {"custom_id": f"q-{number}", "method": "POST", "url": url, "body": body or question()}
    return {**whole, **fields}


def upload(server: LocalDashScope, *lines: Any, **options: Any) -> httpx.Response:
    content = "\n".join(it if isinstance(it, str) else json.dumps(it) for it in lines)
    files = {"file": (options.pop("name", "in.jsonl"), content.encode())}
    form: dict[str, Any] = {"data": {"purpose": "batch"}, "files": files, "headers": KEY}
    return post(f"{server.compatible_base_url}/files", **form | options)


def submit(server: LocalDashScope, file_id: str, **fields: Any) -> httpx.Response:
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", **fields}
    body = {"completion_window": "24h"} | body
    return post(f"{server.compatible_base_url}/batches", json=body, headers=KEY)


def look(server: LocalDashScope, batch_id: str, key: dict[str, str] = KEY) -> httpx.Response:
    return get(f"{server.compatible_base_url}/batches/{batch_id}", headers=key)


def finish(server: LocalDashScope, *lines: Any) -> tuple[list[str], Any]:
    """Submit lines, and look until the batch is over; return its states and the last reply."""
    batch_id = submit(server, upload(server, *lines).json()["id"]).json()["id"]
    states: list[str] = []
    while True:
        batch = look(server, batch_id).json()
        states += [batch["status"]] if batch["status"] not in states else []
        if batch["status"] not in {"validating", "in_progress"}:
            return states, batch
        time.sleep(0.01)


def results(server: LocalDashScope, file_id: str) -> list[Any]:
    content = get(f"{server.compatible_base_url}/files/{file_id}/content", headers=KEY)
    return [json.loads(written) for written in content.text.splitlines()]


def test_a_batch_is_validating_then_in_progress_then_completed(server: LocalDashScope) -> None:
    server.script("one", Reply("two", usage={"total_tokens": 7}))
    states, batch = finish(server, line(1), line(2))
    assert states == ["validating", "in_progress", "completed"]
    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert (batch["errors"], batch["error_file_id"]) == (None, None)
    assert batch["created_at"] <= batch["in_progress_at"] <= batch["completed_at"]
    assert batch["output_file_id"].startswith("file-batch_output-")
    one, two = results(server, batch["output_file_id"])
    assert (one["custom_id"], one["error"], one["response"]["status_code"]) == ("q-1", None, 200)
    body = two["response"]["body"]
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "two"}
    assert (body["object"], body["usage"]) == ("chat.completion", {"total_tokens": 7})


def test_whisper_answers_and_says_what_it_is(unscripted: LocalDashScope) -> None:
    clip = data_uri((SAMPLES / "welcome.wav").read_bytes())
    spoken = {"type": "input_audio", "input_audio": {"data": clip, "format": "wav"}}
    _, batch = finish(unscripted, line(body=question(spoken)))
    (result,) = results(unscripted, batch["output_file_id"])
    text = result["response"]["body"]["choices"][0]["message"]["content"]
    assert f"not {OMNI_35}" in text
    assert {"welcome", "recording", "studio"} <= {*words(text)}


def test_what_is_refused_is_in_the_file_of_errors(server: LocalDashScope) -> None:
    server.script(compatible_error_reply(429, "limit_requests", "slow down"), "ok")
    speech = question(modalities=["text", "audio"])
    whole = question(stream=False)
    lines = [line(1), line(2, speech), line(3), line(4, whole), line(5, {"model": OMNI_35})]
    states, batch = finish(server, *lines)
    assert states[-1] == "completed"
    assert batch["request_counts"] == {"total": 5, "completed": 1, "failed": 4}
    failed = {it["custom_id"]: it for it in results(server, batch["error_file_id"])}
    assert failed["q-1"]["error"] == {"code": "limit_requests", "message": "slow down"}
    assert failed["q-1"]["response"]["status_code"] == 429
    assert "audio output in batches" in failed["q-2"]["error"]["message"]
    assert {*failed} == {"q-1", "q-2", "q-4", "q-5"}
    assert [it["custom_id"] for it in results(server, batch["output_file_id"])] == ["q-3"]


@pytest.mark.parametrize("reply", [RawReply(steps=[RESET]), RawReply(steps=[b"[1]"])])
def test_a_reply_that_is_no_answer_is_an_error_of_its_line(
    server: LocalDashScope, reply: RawReply
) -> None:
    server.script(reply)
    _, batch = finish(server, line())
    (result,) = results(server, batch["error_file_id"])
    assert (result["error"]["code"], batch["output_file_id"]) == ("internal_error", None)


BROKEN: dict[str, tuple[list[Any], str]] = {
    "no lines": ([], "1 to 50000 lines"),
    "no JSON": ([line(), "{"], "Line 2 is no request"),
    "no body": ([line(body=[1])], "Line 1 is no request"),
    "another path": ([line(url="/v1/embeddings")], "Line 1 is no request"),
    "another method": ([line(method="GET")], "Line 1 is no request"),
    "a long id": ([line(custom_id="x" * 257)], "Line 1 is no request"),
    "a long line": ([line(body={"model": "x" * 6_300_000})], "Line 1 is larger than 6 MB"),
    "an id twice": ([line(), line()], "custom_id should be unique"),
    "two models": (
        [line(1), line(2, question(model="qwen3.5-omni-flash"))],
        "The model 'qwen3.5-omni-flash' for this request does not match the rest of the batch",
    ),
    "a model without batches": ([line(body=question(model="qwen3.8-omni-flash"))], "not supported"),
}


def test_a_file_that_is_not_in_order_fails_as_a_whole(server: LocalDashScope) -> None:
    for what, (lines, message) in BROKEN.items():
        states, batch = finish(server, *lines)
        assert states == ["validating", "failed"], what
        assert message in batch["errors"]["data"][0]["message"], what
        assert (batch["output_file_id"], batch["request_counts"]["total"]) == (None, 0), what


def test_a_scripted_failure_is_of_the_whole_batch(server: LocalDashScope) -> None:
    server.script(JobFailure("A", "a"), "ok")
    assert finish(server, line())[1]["errors"]["data"] == [{"code": "A", "message": "a"}]
    assert finish(server, line())[1]["status"] == "completed"


def test_an_upload_that_is_none_is_refused(server: LocalDashScope) -> None:
    rows: list[tuple[dict[str, Any], int]] = [
        ({"data": {"purpose": "file-extract"}}, 400),
        ({"name": "in.txt"}, 400),
        ({"files": {"other": b"x"}}, 400),
        ({"files": None, "data": None, "json": {}}, 400),
        ({"headers": {}}, 401),
    ]
    for options, status in rows:
        refused = upload(server, line(), **options)
        assert refused.status_code == status, options
        assert refused.json()["error"]["message"], options


def test_an_upload_says_what_is_not_installed(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    refused = upload(server, line())
    assert refused.status_code == 500
    assert "langchain-qwen-audio[local]" in refused.json()["error"]["message"]


def test_a_submission_is_checked(server: LocalDashScope) -> None:
    rows: list[tuple[dict[str, Any], int]] = [
        ({"completion_window": "23h"}, 400),
        ({"completion_window": "15d"}, 400),
        ({"completion_window": 24}, 400),
        ({"completion_window": "14d"}, 200),
        ({"endpoint": "/v1/embeddings"}, 400),
        ({"metadata": []}, 200),
        ({"metadata": [1]}, 400),
        ({"input_file_id": "file-batch-none"}, 404),
        ({"input_file_id": None}, 400),
    ]
    for fields, status in rows:
        file_id = upload(server, line()).json()["id"]
        assert submit(server, file_id, **fields).status_code == status, fields


def test_metadata_come_back(server: LocalDashScope) -> None:
    file_id = upload(server, line()).json()["id"]
    batch = submit(server, file_id, metadata={"ds_name": "x", "mine": "y" * 300}).json()
    assert batch["metadata"] == {"ds_name": "x", "mine": "y" * 300}
    assert look(server, batch["id"]).json()["metadata"] == batch["metadata"]


def test_a_cancelled_batch_ends_at_the_next_look(server: LocalDashScope) -> None:
    batch_id = submit(server, upload(server, line()).json()["id"]).json()["id"]
    url = f"{server.compatible_base_url}/batches/{batch_id}/cancel"
    assert post(url, headers=KEY).json()["status"] == "cancelling"
    batch = look(server, batch_id).json()
    assert (batch["status"], batch["output_file_id"]) == ("cancelled", None)
    assert post(url, headers=KEY).status_code == 400


def test_another_key_sees_neither_files_nor_batches(server: LocalDashScope) -> None:
    file_id = upload(server, line()).json()["id"]
    batch_id = submit(server, file_id).json()["id"]
    other = {"authorization": "Bearer other"}
    content = f"{server.compatible_base_url}/files/{file_id}/content"
    assert look(server, batch_id, other).status_code == 404
    assert get(content, headers=other).status_code == 404
    assert get(content, headers=KEY).status_code == 200


def test_a_file_is_deleted_once(server: LocalDashScope) -> None:
    file_id = upload(server, line()).json()["id"]
    url = f"{server.compatible_base_url}/files/{file_id}"
    assert delete(url, headers=KEY).json() == {"object": "file", "deleted": True, "id": file_id}
    assert delete(url, headers=KEY).status_code == 404


def test_each_request_has_its_kind(server: LocalDashScope) -> None:
    _, batch = finish(server, line())
    results(server, batch["output_file_id"])
    delete(f"{server.compatible_base_url}/files/{batch['input_file_id']}", headers=KEY)
    post(f"{server.compatible_base_url}/batches/{batch['id']}/cancel", headers=KEY)
    get(f"{server.compatible_base_url}/batches", headers=KEY)
    seen = list(dict.fromkeys(request.kind for request in server.requests))
    assert seen == [
        *("file", "batch", "batch_query", "content", "deletion", "batch_cancel", "other")
    ]
