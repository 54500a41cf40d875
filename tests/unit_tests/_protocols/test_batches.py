"""The wire format of batches: lines and bodies out, batches and results in, whatever comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_qwen_audio import errors
from langchain_qwen_audio._protocols.batches import (
    is_id,
    read_batch,
    read_file_id,
    read_result_lines,
    write_batch,
    write_line,
)
from tests.unit_tests.rows import each_row

SINGLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON_VALUES = SINGLE | st.lists(SINGLE, max_size=2) | st.dictionaries(st.text(max_size=5), SINGLE)


def with_fields(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects that have some of these fields, with anything in them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON_VALUES))


def test_a_line_is_one_json_object_with_the_body_as_it_is() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a\nb 你好"}]}
    line = write_line(7, json.dumps(body, ensure_ascii=False).encode())
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "custom_id": "7",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def test_a_submission_says_how_many_requests_there_are() -> None:
    assert write_batch("file-batch-1", 48, 3) == {
        "input_file_id": "file-batch-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "48h",
        "metadata": {"requests": "3"},
    }


# As on the service's page.
COMPLETED = {
    "id": "batch_abc123",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "errors": None,
    "input_file_id": "file-abc123",
    "completion_window": "24h",
    "status": "completed",
    "output_file_id": "file-batch_output-xyz789",
    "error_file_id": "file-batch_error-xyz789",
    "created_at": 1711402400,
    "request_counts": {"total": 100, "completed": 95, "failed": 5},
    "metadata": {"customer_id": "user_123456789"},
}


def test_a_batch_is_read_as_the_page_has_it() -> None:
    batch = read_batch(COMPLETED)
    assert (batch.batch_id, batch.state, batch.is_over) == ("batch_abc123", "completed", True)
    assert (batch.total, batch.completed, batch.failed, batch.submitted) == (100, 95, 5, 100)
    assert batch.input_file_id == "file-abc123"
    assert batch.output_file_id == "file-batch_output-xyz789"
    assert batch.error_file_id == "file-batch_error-xyz789"
    assert (batch.code, batch.message, batch.body) == ("", "", COMPLETED)


@each_row(
    "state, is_over",
    [
        ("validating", False),
        ("in_progress", False),
        ("finalizing", False),
        ("cancelling", False),
        ("completed", True),
        ("failed", True),
        ("expired", True),
        ("cancelled", True),
    ],
)
def test_a_batch_is_over_in_these_states(state: str, *, is_over: bool) -> None:
    assert read_batch({"id": "b", "status": state}).is_over == is_over


@each_row(
    "reason, code, message",
    [
        ({"data": [{"code": "A", "message": "a", "line": 1}, {"code": "B"}]}, "A", "a"),
        ({"code": "A", "message": "a"}, "A", "a"),
        ({"data": []}, "", ""),
        ({}, "", ""),
        (["x"], "", ""),
        (None, "", ""),
    ],
)
def test_the_reason_of_a_failure_is_found(reason: Any, code: str, message: str) -> None:
    batch = read_batch({"id": "b", "status": "failed", "errors": reason})
    assert (batch.code, batch.message) == (code, message)


FAILURES: dict[str, tuple[dict[str, Any], tuple[str, str] | None, int | None]] = {
    "none": ({"response": {"status_code": 200, "body": {}}, "error": None}, None, 200),
    "of the line": ({"error": {"code": "A", "message": "a"}}, ("A", "a"), None),
    "of the line, by its other names": (
        {"error": {"error_code": "A", "error_message": "a"}},
        ("A", "a"),
        None,
    ),
    "of the reply": (
        {"response": {"status_code": 400, "body": {"error": {"code": "A", "message": "a"}}}},
        ("A", "a"),
        400,
    ),
    "of a native reply": (
        {"response": {"status_code": 400, "body": {"code": "A", "message": "a"}}},
        ("A", "a"),
        400,
    ),
    "without a reason": ({"response": {"status_code": 500}}, ("", ""), 500),
    "an error beside a reply": (
        {"response": {"status_code": 200, "body": {}}, "error": {"code": "A"}},
        ("A", ""),
        200,
    ),
}


@each_row("line, failure, status", FAILURES)
def test_a_failure_is_found_in_its_line(
    line: dict[str, Any], failure: tuple[str, str] | None, status: int | None
) -> None:
    results = read_result_lines(json.dumps({"custom_id": "3", **line}).encode())
    assert [*results] == [3]
    assert (results[3].failure, results[3].status) == (failure, status)


def test_lines_that_cannot_be_read_are_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = json.dumps({"custom_id": "0", "response": {"status_code": 200, "body": {"a": "\u2028"}}})
    content = f'{good}\r\n\n<html>\n[1]\n{{"custom_id":"request-1"}}\n'.encode()
    assert [*read_result_lines(content)] == [0]
    assert caplog.text.count("cannot be read") == 3


@settings(max_examples=50)
@given(with_fields("id", "status", "errors", "request_counts", "metadata", "output_file_id"))
def test_whatever_is_said_of_a_batch_is_read_or_an_error(fields: dict[str, Any]) -> None:
    for body in (fields, {"id": "b", "status": "failed"} | fields):
        try:
            batch = read_batch(body)
        except errors.APIError:
            continue
        assert batch.total >= 0
        assert batch.output_file_id is None or is_id(batch.output_file_id)


@settings(max_examples=50)
@given(st.lists(with_fields("response", "error", "id"), max_size=3), st.binary(max_size=20))
def test_whatever_results_come_are_read(lines: list[dict[str, Any]], noise: bytes) -> None:
    written = [json.dumps({"custom_id": str(n), **line}) for n, line in enumerate(lines)]
    content = "\n".join(written).encode() + b"\n" + noise
    assert {*read_result_lines(content)} >= {*range(len(lines))}


@each_row("body", [None, [], {}, {"id": 5}, {"id": ""}, {"id": "../x"}])
def test_a_reply_without_an_id_of_a_file_is_an_error(body: Any) -> None:
    with pytest.raises(errors.APIError, match="no id"):
        read_file_id(body)
