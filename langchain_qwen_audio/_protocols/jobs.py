"""The wire format of jobs, both ways: a recording → the body that submits it, a reply → a task.

Pure. https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api
https://help.aliyun.com/zh/model-studio/manage-asynchronous-tasks
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from langchain_qwen_audio.errors import APIError

SUBMIT_PATH = "/services/audio/asr/transcription"
SUBMIT_HEADERS = {"X-DashScope-Async": "enable"}

JobState: TypeAlias = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"]
"""How far a job is. UNKNOWN: there is no such job, or it is too old."""

# Codes of failures that say that nobody speaks in the recording.
NO_SPEECH = frozenset({"SUCCESS_WITH_NO_VALID_FRAGMENT", "ASR_RESPONSE_HAVE_NO_WORDS"})
_NO_FAILURE = (None, "SUCCEEDED")  # of a file: where nothing is said of it, its job says all
_TASK_ID = re.compile(r"[\w-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Task:
    """What the service says of a job.

    Attributes:
        state: How far it is.
        code: Why it, or its only file, failed: the service's code; None if it did not.
        message: The same in words.
        result_url: Where its result is, once it has succeeded.
        usage: What is billed.
        request_id: The service's id of the request.
        body: The whole reply.
    """

    state: JobState
    code: str | None
    message: str
    result_url: str | None
    usage: dict[str, Any]
    request_id: str | None
    body: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state not in {"PENDING", "RUNNING"}

    @property
    def has_failed(self) -> bool:
        """Whether it is over, and there is no result; that nobody speaks is a result."""
        if self.code in NO_SPEECH:
            return False
        return self.code is not None or self.state in {"FAILED", "CANCELED", "UNKNOWN"}


def is_task_id(value: object) -> bool:
    """Tell what may be the id of a job, and so may be a part of an address."""
    return isinstance(value, str) and _TASK_ID.fullmatch(value) is not None


def write_submission(
    model: str, input_name: str, url: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the body that submits a job.

    Args:
        model: The model's name.
        input_name: `file_url`, or `file_urls`, which is a list.
        url: Where the recording is.
        parameters: What the job is told; sent even if there are none, as the service wants it.
    """
    given: str | list[str] = [url] if input_name == "file_urls" else url
    return {"model": model, "input": {input_name: given}, "parameters": dict(parameters)}


def read_task_id(body: object) -> str:
    """Read the id of a job that was submitted.

    Raises:
        APIError: There is none in the reply.
    """
    task_id = _output(body).get("task_id")
    if not is_task_id(task_id):
        raise APIError(f"the service took a job, and gave no id for it: {body!r:.300}", body=body)
    return str(task_id)


def read_task(body: object) -> Task:
    """Read what the service says of a job, in the shape of any model.

    Raises:
        APIError: It says nothing that can be understood.
    """
    output = _output(body)
    state: Any = output.get("task_status")
    if state not in get_args(JobState):
        raise APIError(f"the job is in a state that is not documented: {body!r:.300}", body=body)
    assert isinstance(body, dict)  # noqa: S101  # or it would have no output
    results = _results(output)
    failed = _failed(output, results, state)
    usage, request_id = body.get("usage"), body.get("request_id")
    return Task(
        state=state,
        code=None if failed is None else _text(failed.get("code")),
        message="" if failed is None else _text(failed.get("message")),
        result_url=_text(results[0].get("transcription_url")) or None if results else None,
        usage=usage if isinstance(usage, dict) else {},
        request_id=request_id if isinstance(request_id, str) else None,
        body=body,
    )


def _output(body: object) -> dict[str, Any]:
    output = body.get("output") if isinstance(body, dict) else None
    if not isinstance(output, dict):
        raise APIError(f"the service says nothing of the job: {body!r:.300}", body=body)
    return output


def _results(output: dict[str, Any]) -> list[dict[str, Any]]:
    """Take `result` of the one shape, or `results` of the other.

    Raises:
        APIError: There are several, which only another client can have submitted together.
    """
    results = [output.get("result"), *_list(output.get("results"))]
    found = [it for it in results if isinstance(it, dict)]
    if len(found) > 1:
        raise APIError(
            f"the job has {len(found)} files, expected one: submit each recording as a job",
            body=output,
            is_retryable=False,
        )
    return found


def _failed(
    output: dict[str, Any], results: list[dict[str, Any]], state: str
) -> dict[str, Any] | None:
    """Find what says why a job failed; its only file may have, where the job has succeeded."""
    places = [output, *results] if state == "FAILED" else []
    places += [it for it in results if it.get("subtask_status") not in _NO_FAILURE]
    if state not in {"FAILED", "SUCCEEDED"} or not places:
        return None
    return next((it for it in places if it.get("code")), places[-1])


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
