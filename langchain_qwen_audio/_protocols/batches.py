"""Lines and bodies of batches out, states and lines of results in. Pure.

The format is that of OpenAI's Batch API.
https://help.aliyun.com/zh/model-studio/batch-interfaces-compatible-with-openai
https://help.aliyun.com/zh/model-studio/openai-file-interface
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from pydantic_core import from_json

from langchain_qwen_audio.errors import APIError

FILES_PATH = "/files"
BATCHES_PATH = "/batches"
ENDPOINT = "/v1/chat/completions"

BatchState: TypeAlias = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
"""How far a batch is."""

_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_ID = re.compile(r"[\w-]{1,256}", re.ASCII)
_NUMBER = re.compile(r"\d{1,5}", re.ASCII)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchStatus:
    """What the service says of a batch.

    Attributes:
        batch_id: Its id.
        state: "validating", "in_progress", "finalizing", "completed", "failed" (as a whole, such as
            for its format), "expired" (it was not done within its window), "cancelling" or
            "cancelled".
        total: How many requests the service has counted in it so far.
        completed: How many of them have an answer.
        failed: How many of them have failed.
        submitted: How many requests were submitted.
        code: Why it failed as a whole: the service's code; "" if it did not.
        message: The same in words.
        input_file_id: The file of its requests.
        output_file_id: The file of its answers, once there are some.
        error_file_id: The file of its errors, if there are some.
        body: The whole reply.

    Example:
        ```python
        batches = ChatBatches(ChatQwenAudio(model="qwen3.5-omni-plus", region="cn-beijing"))
        status = batches.status(batches.submit(["What is a podcast?"]))
        print(status.state, status.completed, "of", status.submitted)
        ```
    """

    batch_id: str
    state: BatchState
    total: int
    completed: int
    failed: int
    submitted: int
    code: str
    message: str
    input_file_id: str | None
    output_file_id: str | None
    error_file_id: str | None
    body: dict[str, Any] = field(repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in _OVER


@dataclass(frozen=True)
class LineResult:
    """What came of one request of a batch.

    Attributes:
        reply: The JSON body of its reply.
        failure: Code and message, if it failed; either may be "".
        status: The HTTP status, if the line has one.
        request_id: The service's id of the request.
        line: The whole line.
    """

    reply: Any
    failure: tuple[str, str] | None
    status: int | None
    request_id: str | None
    line: dict[str, Any]


def is_id(value: object) -> bool:
    """Tell what may be the id of a batch or of a file, and so may be a part of an address."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def write_line(number: int, body: bytes) -> bytes:
    """Write a line of the file of requests.

    Args:
        number: The number of the request, from 0: by it its result is found.
        body: The JSON body of the request.
    """
    head = f'{{"custom_id":"{number}","method":"POST","url":"{ENDPOINT}","body":'
    return head.encode() + body + b"}\n"


def write_batch(file_id: str, window_h: int, requests: int) -> dict[str, Any]:
    """Write the body that submits a batch.

    Args:
        file_id: The file of its requests.
        window_h: Hours that the service may take.
        requests: How many requests there are; the service gives it back with each state.
    """
    return {
        "input_file_id": file_id,
        "endpoint": ENDPOINT,
        "completion_window": f"{window_h}h",
        "metadata": {"requests": str(requests)},
    }


def read_file_id(body: object) -> str:
    """Read the id of a file that was uploaded.

    Raises:
        APIError: There is none in the reply.
    """
    file_id = body.get("id") if isinstance(body, dict) else None
    if not is_id(file_id):
        raise APIError(f"the service took a file, and gave no id for it: {body!r:.300}", body=body)
    return str(file_id)


def read_batch_id(body: object) -> str:
    """Read the id of a batch.

    Raises:
        APIError: There is none in the reply.
    """
    batch_id = body.get("id") if isinstance(body, dict) else None
    if not is_id(batch_id):
        raise APIError(f"the reply about a batch has no id of one: {body!r:.300}", body=body)
    return str(batch_id)


def read_batch(body: object) -> BatchStatus:
    """Read what the service says of a batch.

    Raises:
        APIError: It says nothing that can be understood.
    """
    batch_id = read_batch_id(body)
    assert isinstance(body, dict)  # noqa: S101  # or it would have no id
    state: Any = body.get("status")
    if state not in get_args(BatchState):
        raise APIError(f"the batch is in a state that is not documented: {body!r:.300}", body=body)
    counts, metadata = _dict(body.get("request_counts")), _dict(body.get("metadata"))
    total = _count(counts.get("total"))
    code, message = _reason(body.get("errors"))
    return BatchStatus(
        batch_id=batch_id,
        state=state,
        total=total,
        completed=_count(counts.get("completed")),
        failed=_count(counts.get("failed")),
        submitted=_number(metadata.get("requests")) or total,
        code=code,
        message=message,
        input_file_id=_id_or_none(body.get("input_file_id")),
        output_file_id=_id_or_none(body.get("output_file_id")),
        error_file_id=_id_or_none(body.get("error_file_id")),
        body=body,
    )


def read_result_lines(content: bytes) -> dict[int, LineResult]:
    """Read a file of answers or of errors: results by the numbers of their requests.

    A line that cannot be read is left out, with a warning in the log.
    """
    results: dict[int, LineResult] = {}
    for line in content.splitlines():
        if not line.strip():
            continue
        read = _dict(_json_or_none(line))
        number = _number(read.get("custom_id"))
        if number is None:
            logger.warning("a line of a batch's results cannot be read: %.300r", line)
        else:
            results[number] = _read_line(read)
    return results


def _read_line(line: dict[str, Any]) -> LineResult:
    response = _dict(line.get("response"))
    status, reply = response.get("status_code"), response.get("body")
    request_id = response.get("request_id") or line.get("id")
    is_status = isinstance(status, int)
    return LineResult(
        reply=reply,
        failure=_failure(line, reply, has_succeeded=status == 200),
        status=status if is_status else None,
        request_id=request_id if isinstance(request_id, str) else None,
        line=line,
    )


def _failure(line: dict[str, Any], reply: object, *, has_succeeded: bool) -> tuple[str, str] | None:
    """Find why a request failed: its line says it, or its reply does."""
    error = _dict(line.get("error"))
    if not error and has_succeeded:
        return None
    error = error or _dict(_dict(reply).get("error")) or _dict(reply)
    # One part of the page calls them error_code and error_message.
    code, message = (error.get(name) or error.get(f"error_{name}") for name in ("code", "message"))
    return _text(code), _text(message)


def _reason(errors: object) -> tuple[str, str]:
    """Find why a batch failed as a whole; the page names no fields, these are OpenAI's."""
    listed = _dict(errors).get("data")
    first = _dict(listed[0] if isinstance(listed, list) and listed else errors)
    return _text(first.get("code")), _text(first.get("message"))


def _json_or_none(line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError:
        return None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _number(value: object) -> int | None:
    is_number = isinstance(value, str) and _NUMBER.fullmatch(value)
    return int(str(value)) if is_number else None


def _id_or_none(value: object) -> str | None:
    return str(value) if is_id(value) else None
