"""The wire format of jobs: bodies out, tasks in, whatever comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio import errors
from langchain_qwen_audio._protocols.jobs import (
    Task,
    is_task_id,
    read_task,
    read_task_id,
    write_submission,
)
from tests.unit_tests.rows import each_row

AT = {"transcription_url": "https://example.com/r.json"}


def test_each_shape_has_its_own_input_and_parameters_always() -> None:
    url = "https://example.com/a.mp3"
    assert write_submission("m", "file_url", url, {}) == {
        "model": "m",
        "input": {"file_url": url},
        "parameters": {},
    }
    assert write_submission("m", "file_urls", url, {"channel_id": [0]}) == {
        "model": "m",
        "input": {"file_urls": [url]},
        "parameters": {"channel_id": [0]},
    }


def task(**output: Any) -> Task:
    return read_task({"request_id": "r", "output": output, "usage": {"seconds": 1}})


READ: dict[str, tuple[dict[str, Any], bool, str | None, str | None]] = {
    "pending": ({"task_status": "PENDING"}, False, None, None),
    "running": ({"task_status": "RUNNING", "results": []}, False, None, None),
    "one result": ({"task_status": "SUCCEEDED", "result": AT}, True, None, "r.json"),
    "a list of results": (
        {"task_status": "SUCCEEDED", "results": [{**AT, "subtask_status": "SUCCEEDED"}]},
        True,
        None,
        "r.json",
    ),
    "a result of which no state is told": (
        {"task_status": "SUCCEEDED", "results": [{**AT, "subtask_status": None}]},
        True,
        None,
        "r.json",
    ),
    "failed": ({"task_status": "FAILED", "code": "A", "message": "m"}, True, "A", None),
    "failed, and its file says why": (
        {"task_status": "FAILED", "results": [{"subtask_status": "FAILED", "code": "B"}]},
        True,
        "B",
        None,
    ),
    "succeeded, but not its file": (
        {"task_status": "SUCCEEDED", "results": [{"subtask_status": "FAILED", "code": "B"}]},
        True,
        "B",
        None,
    ),
    "failed, for no reason": ({"task_status": "FAILED"}, True, "", None),
    "cancelled": ({"task_status": "CANCELED"}, True, None, None),
    "unknown": ({"task_status": "UNKNOWN"}, True, None, None),
}


@each_row("output, is_over, code, result", READ)
def test_a_task_is_read_in_both_shapes(
    output: dict[str, Any], is_over: object, code: str | None, result: str | None
) -> None:
    read = task(**output)
    assert (read.state, read.is_over, read.code) == (output["task_status"], is_over, code)
    assert (read.result_url or "").endswith(result or "")
    assert (read.usage, read.request_id) == ({"seconds": 1}, "r")


def test_a_job_of_several_files_is_another_clients() -> None:
    with pytest.raises(errors.APIError, match="has 2 files, expected one") as caught:
        task(task_status="SUCCEEDED", results=[AT, AT])
    assert not caught.value.is_retryable


@each_row("value", ["84d9831c-ef1c-4d9e-b6ab-000000000000", "t_1"])
def test_what_may_be_an_id_is_taken(value: str) -> None:
    assert read_task_id({"output": {"task_id": value}}) == value


@each_row("value", ["", "a/b", "..", "a b", "a\n", "é", "a" * 129, None, 5, []])
def test_what_cannot_be_a_part_of_an_address_is_no_id(value: object) -> None:
    assert not is_task_id(value)
    with pytest.raises(errors.APIError, match="gave no id"):
        read_task_id({"output": {"task_id": value}})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
RESULTS = st.fixed_dictionaries(
    {}, optional={"transcription_url": VALUES, "subtask_status": VALUES, "code": VALUES}
)
OUTPUTS = st.fixed_dictionaries(
    {"task_status": st.sampled_from(["SUCCEEDED", "FAILED", "RUNNING"])},
    optional={"result": RESULTS, "results": st.lists(RESULTS, max_size=2) | VALUES, "code": VALUES},
)


@given(
    body=VALUES | st.fixed_dictionaries({"output": OUTPUTS | VALUES}, optional={"usage": VALUES})
)
def test_any_reply_is_a_task_or_an_error_of_this_package(body: Any) -> None:
    try:
        read = read_task(body)
    except errors.APIError:
        return
    assert read.result_url is None or isinstance(read.result_url, str)
    assert isinstance(read.usage, dict)
