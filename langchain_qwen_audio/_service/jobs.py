"""Requests about jobs, for `Service`: submit one, look at it, cancel it; and what came of it."""

from __future__ import annotations

import contextlib
import logging
import math
import reprlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._protocols.jobs import (
    NO_SPEECH,
    SUBMIT_HEADERS,
    SUBMIT_PATH,
    Task,
    read_task,
    read_task_id,
    write_submission,
)
from langchain_qwen_audio._service.client import RESOLVE
from langchain_qwen_audio._service.default_timeouts import MAX_TIMEOUT_S
from langchain_qwen_audio._service.error_codes import check_response, to_job_error
from langchain_qwen_audio._service.events import decode_json
from langchain_qwen_audio._service.json_body import JsonBody
from langchain_qwen_audio._service.time_limits import CallTimeout
from langchain_qwen_audio._service.transport_errors import was_never_sent
from langchain_qwen_audio._service.uploads import Upload, UploadJob
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    InvalidRequestError,
    NotFoundError,
    QwenAudioError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_core.exceptions import ModelError

    from langchain_qwen_audio._service.aiohttp_response import Response
    from langchain_qwen_audio._service.endpoint import Endpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobLimits:
    """How long and how often to try.

    Attributes:
        timeout: Seconds to wait for each reply.
        max_retries: How often a failed attempt is repeated.
        deadline: When all of that must have ended, on the monotonic clock.
    """

    timeout: float
    max_retries: int
    deadline: float

    @classmethod
    def within(cls, timeout: float, max_retries: int, total_s: float | None) -> JobLimits:
        """Begin to count the seconds that a call may take in all; None is no limit.

        Raises:
            InvalidRequestError: `total_s` is no time to wait.
        """
        if total_s is not None and not 0 < total_s <= MAX_TIMEOUT_S:
            raise InvalidRequestError(
                f"timeout is {reprlib.repr(total_s)}, expected seconds: more than 0, and at most "
                f"{MAX_TIMEOUT_S:g}"
            )
        deadline = math.inf if total_s is None else time.monotonic() + total_s
        return cls(timeout, max_retries, deadline)

    @property
    def timeouts(self) -> CallTimeout:
        """The timeouts, as httpx takes them."""
        return CallTimeout(self.timeout, self.deadline)


@dataclass(frozen=True)
class JobRequest:
    """What the requests about jobs, and about batches, have in common."""

    model: str
    limits: JobLimits

    @property
    def max_retries(self) -> int:
        """How often a failed attempt is repeated."""
        return self.limits.max_retries

    @property
    def deadline(self) -> float:
        """When all of that must have ended, on the monotonic clock."""
        return self.limits.deadline

    def uploads(self, _endpoint: Endpoint) -> list[UploadJob]:
        """List the clips to upload: none."""
        return []

    def check_repeatable(self, _error: ModelError) -> None:
        """Let every attempt be repeated: nothing changes by it."""

    def written(self, endpoint: Endpoint, method: str, path: str, **rest: Any) -> dict[str, Any]:
        """Write an HTTP request, as arguments of the SDK's transport."""
        return {
            "method": method,
            "path": path,
            "base_url": endpoint.base_url,
            "timeout": self.limits.timeouts,
            "api_key": endpoint.api_key,
            "workspace": endpoint.workspace or None,
            "sdk_module": "audio",
            **rest,
        }


@dataclass(frozen=True)
class JobSubmission(JobRequest):
    """Submits a job; its reply is the id of the job.

    Attributes:
        input_name: How the model calls its input.
        recording: An http(s) URL, or a clip that is uploaded.
        parameters: What the job is told.
    """

    input_name: str
    recording: str | Audio
    parameters: Mapping[str, Any]

    def uploads(self, endpoint: Endpoint) -> list[UploadJob]:
        """List the clip to upload, if it is one."""
        if isinstance(self.recording, str):
            return []
        upload = Upload(self.recording.digest, self.model, endpoint)
        limits = self.limits
        return [UploadJob(upload, self.recording, limits.max_retries, limits.timeouts)]

    def write(self, endpoint: Endpoint, urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        recording = self.recording
        url = recording if isinstance(recording, str) else urls[recording.digest]
        body = write_submission(self.model, self.input_name, url, self.parameters)
        headers = SUBMIT_HEADERS | (RESOLVE if url.startswith("oss:") else {})
        return self.written(endpoint, "POST", SUBMIT_PATH, json=JsonBody(body), headers=headers)

    def read(self, response: Response) -> str:
        """Read the id of the job."""
        check_response(response)
        task_id = read_task_id(decode_json(response.content))
        logger.info("submitted job %s to %s", task_id, self.model)
        return task_id

    def check_repeatable(self, error: ModelError) -> None:
        """Raise an error after which there may be a job: a second one would be billed as well."""
        check_not_submitted(error, "job")


@dataclass(frozen=True)
class JobQuery(JobRequest):
    """Looks at a job."""

    task_id: str

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        return self.written(endpoint, "GET", f"/tasks/{self.task_id}")

    def read(self, response: Response) -> Task:
        """Read what the service says of the job."""
        check_response(response)
        return read_task(decode_json(response.content))


@dataclass(frozen=True)
class JobCancellation(JobRequest):
    """Cancels a job; there is nothing in the reply."""

    task_id: str

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        return self.written(endpoint, "POST", f"/tasks/{self.task_id}/cancel")

    def read(self, response: Response) -> None:
        """Require that it was not refused."""
        check_response(response)


def check_not_submitted(error: ModelError, name: str) -> None:
    """Raise an error of a submission, unless it says that there is certainly no job yet.

    Args:
        error: The error.
        name: What was submitted: "job" or "batch".
    """
    assert isinstance(error, QwenAudioError)  # noqa: S101  # all that is translated is
    if _is_refusal(error) or was_never_sent(error):
        return
    error.message = (
        f"{error.message}: it is not known whether the {name} was submitted, so it is not "
        f"submitted again: a second {name} would be billed as well"
    )
    error.args = (error.message,)
    error.is_retryable = False
    raise error


def _is_refusal(error: QwenAudioError) -> bool:
    """Tell an error with which the service says that it has taken no job."""
    return not isinstance(error, APIError | APIConnectionError)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Say of which job or batch an error is, so that it can be waited for again.

    Args:
        name: Such as "job t-1".
    """
    try:
        yield
    except QwenAudioError as error:
        if name not in error.message:
            error.message = f"{name}: {error.message}"
            error.args = (error.message,)
        raise


class Polling:
    """When to look at a job again: a small state machine, so that sync and async only loop.

    Args:
        name: What is waited for: "job t-1".
        waiting: The call that waits for it: "result('t-1')".
        interval_s: Seconds between two looks.
        deadline: When to stop, on the monotonic clock.
    """

    def __init__(self, name: str, waiting: str, interval_s: float, deadline: float) -> None:
        self._name = name
        self._waiting = waiting
        self._interval_s = interval_s
        self._deadline = deadline

    def wait_s(self, state: str) -> float:
        """Say how many seconds to wait before the next look, and log it.

        Args:
            state: How far it is.

        Raises:
            APITimeoutError: There is not so much time left.
        """
        if time.monotonic() + self._interval_s >= self._deadline:
            raise APITimeoutError(
                f"{self._name} is still {state}, and the wait for it is over; it goes on at the "
                f"service: {self._waiting} waits for it again"
            )
        logger.debug("%s is %s: next look in %g s", self._name, state, self._interval_s)
        return self._interval_s


def result_url(task: Task, task_id: str, model: str) -> str | None:
    """Find where the result of a job that is over lies; None if nobody speaks in the recording.

    Raises:
        QwenAudioError: There is no result, as the message says.
    """
    if task.code in NO_SPEECH:
        return None
    facts: dict[str, Any] = {"request_id": task.request_id, "body": task.body}
    if task.code is not None:
        message = f"job {task_id} failed: {task.message or task.code or 'no reason was given'}"
        raise to_job_error(task.code, message, model=model, **facts)
    if task.state == "UNKNOWN":
        raise NotFoundError(
            f"the service knows no job {task_id}: a job is kept for 24 hours, and only the account "
            "and the region that it was submitted with know it",
            **facts,
        )
    if task.state == "CANCELED":
        raise APIError(f"job {task_id} was cancelled", is_retryable=False, **facts)
    if task.result_url is None:
        raise APIError(f"job {task_id} has succeeded, and says not where its result is", **facts)
    return task.result_url
