"""The whole way of a transcription job, sync and async: submitted, waited for, read.

Imported with the first request, as `_pipeline.py` is.
"""

from __future__ import annotations

import asyncio
import reprlib
import time
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._models.job_models import check_job_parameters, job_model
from langchain_qwen_audio._models.routes import native_address
from langchain_qwen_audio._protocols.jobs import is_task_id
from langchain_qwen_audio._request.job_recording import prepare_recording
from langchain_qwen_audio._response.usage import billed_seconds
from langchain_qwen_audio._service.client import Service
from langchain_qwen_audio._service.endpoint import Endpoint
from langchain_qwen_audio._service.events import decode_json
from langchain_qwen_audio._service.job_results import adownload_result, download_result
from langchain_qwen_audio._service.jobs import (
    JobCancellation,
    JobLimits,
    JobQuery,
    JobSubmission,
    Polling,
    naming,
    result_url,
)
from langchain_qwen_audio.errors import APIError, InvalidRequestError
from langchain_qwen_audio.transcripts import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio._protocols.jobs import JobState, Task
    from langchain_qwen_audio._service_settings import ServiceSettings
    from langchain_qwen_audio.audio import Audio


class JobCall:
    """One call of a `TranscriptionJobs`: its settings, and when it must have ended.

    Args:
        settings: The fields of the connection.
        model: The name of the model.
        interval_s: Seconds between two looks at a job.
        total_s: Seconds that the call may take in all; None is no limit.

    Raises:
        InvalidRequestError: `total_s` is no time to wait.
    """

    def __init__(
        self, settings: ServiceSettings, model: str, interval_s: float, total_s: float | None
    ) -> None:
        self._model = model
        self._interval_s = interval_s
        self._limits = JobLimits.within(settings.timeout, settings.max_retries, total_s)
        endpoint = Endpoint(
            base_url=native_address(settings.address),
            api_key=settings.api_key.get_secret_value(),
            workspace=settings.workspace or "",
        )
        self._service = Service(endpoint, settings.http_client, settings.http_async_client)

    def submit(self, recording: str | Audio, parameters: dict[str, Any]) -> str:
        """Submit a job, and return its id."""
        return self._service.call(self._submission(recording, parameters))

    async def asubmit(self, recording: str | Audio, parameters: dict[str, Any]) -> str:
        """Submit a job, and return its id; the recording is read in a thread."""
        request = await asyncio.to_thread(self._submission, recording, parameters)
        return await self._service.acall(request)

    def status(self, task_id: str) -> JobState:
        """Look how far a job is."""
        return self._service.call(self._query(task_id)).state

    async def astatus(self, task_id: str) -> JobState:
        """Look how far a job is."""
        return (await self._service.acall(self._query(task_id))).state

    def cancel(self, task_id: str) -> None:
        """Cancel a job."""
        self._service.call(JobCancellation(self._model, self._limits, _checked(task_id)))

    async def acancel(self, task_id: str) -> None:
        """Cancel a job."""
        await self._service.acall(JobCancellation(self._model, self._limits, _checked(task_id)))

    def result(self, task_id: str) -> Transcript:
        """Wait for a job, and read its result."""
        return self.read(task_id, self.poll(task_id))

    async def aresult(self, task_id: str) -> Transcript:
        """Wait for a job, and read its result."""
        return await self.aread(task_id, await self.apoll(task_id))

    def poll(self, task_id: str, sleep: Callable[[float], None] = time.sleep) -> Task:
        """Wait until a job is over.

        Args:
            task_id: The job.
            sleep: Waits some seconds between two looks; what it raises ends the wait.
        """
        query, polling = self._query(task_id), self._polling(task_id)
        with naming(f"job {task_id}"):
            while not (task := self._service.call(query)).is_over:
                sleep(polling.wait_s(task.state))
            return task

    async def apoll(self, task_id: str) -> Task:
        """Wait until a job is over."""
        query, polling = self._query(task_id), self._polling(task_id)
        with naming(f"job {task_id}"):
            while not (task := await self._service.acall(query)).is_over:  # noqa: ASYNC110
                await asyncio.sleep(polling.wait_s(task.state))
            return task

    def read(self, task_id: str, task: Task) -> Transcript:
        """Read the result of a job that is over."""
        with naming(f"job {task_id}"):
            url = result_url(task, task_id, self._model)
            if url is None:
                return _without_speech(task)
            return _read_result(download_result(self._service, url, self._limits), task)

    async def aread(self, task_id: str, task: Task) -> Transcript:
        """Read the result of a job that is over, in a thread: it may be long."""
        with naming(f"job {task_id}"):
            url = result_url(task, task_id, self._model)
            if url is None:
                return _without_speech(task)
            content = await adownload_result(self._service, url, self._limits)
            return await asyncio.to_thread(_read_result, content, task)

    def _submission(self, recording: str | Audio, parameters: dict[str, Any]) -> JobSubmission:
        check_job_parameters(self._model, parameters)
        return JobSubmission(
            self._model,
            self._limits,
            input_name=job_model(self._model).shape,
            recording=prepare_recording(recording),
            parameters=parameters,
        )

    def _query(self, task_id: str) -> JobQuery:
        return JobQuery(self._model, self._limits, _checked(task_id))

    def _polling(self, task_id: str) -> Polling:
        waiting = f"result({task_id!r})"
        return Polling(f"job {task_id}", waiting, self._interval_s, self._limits.deadline)


def _checked(task_id: str) -> str:
    """Require what may be an id, since it becomes a part of an address."""
    if not is_task_id(task_id):
        raise InvalidRequestError(
            f"{reprlib.repr(task_id)} is no id of a job, expected what submit gave"
        )
    return task_id


def _without_speech(task: Task) -> Transcript:
    return Transcript(seconds=billed_seconds(task.usage))


def _read_result(content: bytes, task: Task) -> Transcript:
    """Read the JSON of a result.

    Raises:
        APIError: It is none, or has no transcripts in it.
    """
    result = decode_json(content)
    if not isinstance(result, dict):
        raise APIError(f"the result of the job is no JSON object: {content[:300]!r}")
    return Transcript.from_job_result(result, seconds=billed_seconds(task.usage))
