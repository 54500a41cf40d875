"""Transcription jobs, and their results, in memory: a job moves on with each look at it."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._protocols import jobs
from langchain_qwen_audio.local._protocols.http_replies import json_reply, new_request_id
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import JobFailure, RawReply, Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio_input import Channels

_RESULTS = "/results/"
_LOOKS_PENDING = 1
"""After so many looks that show it PENDING, a job is RUNNING."""

Outcome: TypeAlias = "tuple[Reply, Channels | None] | JobFailure"

# A part of why a recording cannot be read → the code of a job that fails for it. Which code goes
# with what is not documented in detail.
_CODES = {
    "Content-Length": "CONTENT_LENGTH_CHECK_FAILED",
    "download": "FILE_DOWNLOAD_FAILED",
    "authorization": "FILE_403_FORBIDDEN",
    "too large": "FILE_TOO_LARGE",
    "AUDIO_DURATION_TOO_LONG": "AUDIO_DURATION_TOO_LONG",
    "is empty": "NO_VALID_AUDIO_ERROR",
    "cannot be opened": "DECODE_ERROR",
}


def failure_of(refusal: Refusal) -> JobFailure:
    """Turn what is wrong with a recording into the failure of its job."""
    codes = (code for part, code in _CODES.items() if part in refusal.message)
    return JobFailure(next(codes, refusal.code), refusal.message)


def is_result(path: str) -> bool:
    """Tell the path of a result."""
    return path.startswith(_RESULTS)


@dataclass
class _Job:
    task_id: str
    request: ModelRequest
    api_key: str
    work: "asyncio.Future[Outcome]"
    looks: int = 0
    is_canceled: bool = False
    result_url: str = ""

    def look(self) -> str:
        """Move on, and say how far the job is; "DONE" is one of two states."""
        if self.is_canceled:
            return "CANCELED"
        self.looks += 1
        if self.looks <= _LOOKS_PENDING:
            return "PENDING"
        is_over = self.looks > _LOOKS_PENDING + 1 and self.work.done()
        return "DONE" if is_over else "RUNNING"

    def cancel(self) -> None:
        """Cancel it while it is PENDING.

        Raises:
            Refusal: It has begun, or is over.
        """
        if self.looks > _LOOKS_PENDING or self.is_canceled:
            msg = "Failed to cancel the task, please confirm if the task is in PENDING status."
            raise Refusal(400, "UnsupportedOperation", msg)
        self.is_canceled = True
        self.work.cancel()


class Jobs:
    """The jobs of one server; only its loop uses them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._jobs: dict[str, _Job] = {}
        self._results: dict[str, Mapping[str, Any]] = {}

    def submit(self, request: ModelRequest, api_key: str, work: "asyncio.Future[Outcome]") -> str:
        """Keep a job whose work has begun, and return its id."""
        task_id = new_request_id()
        self._jobs[task_id] = _Job(task_id, request, api_key, work)
        return task_id

    def look(self, task_id: str, api_key: str, host: str) -> RawReply:
        """Answer a query; a job of another key is UNKNOWN."""
        job = self._find(task_id, api_key)
        state = "UNKNOWN" if job is None else job.look()
        if job is None or state != "DONE":
            return jobs.write_state(task_id, state)
        outcome = job.work.result()
        if isinstance(outcome, JobFailure):
            return jobs.write_failure(task_id, job.request, outcome)
        reply, recording = outcome
        if not job.result_url:
            result = jobs.write_transcription(reply, job.request, recording)
            job.result_url = self._keep(result, host)
        usage = jobs.write_usage(reply, job.request, recording)
        return jobs.write_success(task_id, job.request, job.result_url, usage)

    def cancel(self, task_id: str, api_key: str) -> RawReply:
        """Cancel a job."""
        job = self._find(task_id, api_key)
        if job is None:
            raise Refusal(404, "NotFound", f"There is no task {task_id}")
        job.cancel()
        return jobs.write_canceled()

    def result(self, path: str, query: Mapping[str, str]) -> RawReply:
        """Answer the download of a result."""
        found = self._results.get(f"{path}?Signature={query.get('Signature')}")
        if found is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        return json_reply(200, found, new_request_id())

    def forget(self) -> None:
        """Forget every job and every result, as the service does after 24 hours."""
        self._jobs.clear()
        self._results.clear()

    def _find(self, task_id: str, api_key: str) -> _Job | None:
        job = self._jobs.get(task_id)
        return job if job and job.api_key == api_key else None

    def _keep(self, result: Mapping[str, Any], host: str) -> str:
        name = f"{_RESULTS}{secrets.token_hex(16)}.json?Signature={secrets.token_urlsafe(16)}"
        self._results[name] = result
        return f"http://{host}{name}"
