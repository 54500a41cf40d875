"""TranscriptionJobs: recordings of up to 12 hours in, transcripts with times and speakers out.

What becomes of a job is in _job_pipeline.py, which is imported with the first one.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, ConfigDict, Field
from typing_extensions import Unpack

from langchain_qwen_audio._models.job_models import JobParameters
from langchain_qwen_audio._models.profiles import FILES
from langchain_qwen_audio._protocols.jobs import JobState
from langchain_qwen_audio._service_settings import ServiceSettings

if TYPE_CHECKING:
    from langchain_qwen_audio._job_pipeline import JobCall
    from langchain_qwen_audio.audio import Audio
    from langchain_qwen_audio.transcripts import Transcript

__all__ = ["JobParameters", "JobState", "TranscriptionJobs"]


class TranscriptionJobs(ServiceSettings):
    """Client of the service's asynchronous jobs, which transcribe recordings of up to 12 hours.

    A recording is the http(s) URL of one that the service can fetch (2 GB at most), or an `Audio`,
    which is uploaded (1 GB at most). That jobs take uploads is known from third parties alone; the
    service's pages ask for a URL.

    A job is billed when it is done. `submit` therefore repeats a request only if the service has
    refused it, as it does for too many requests, or if no connection came about. Where the reply
    was lost, the error says so, and no second job is submitted.

    The service keeps a job and its result for 24 hours. The id that `submit` returns is all that
    `result` takes, also in another process.

    https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api
    https://help.aliyun.com/zh/model-studio/manage-asynchronous-tasks

    Example:
        ```python
        from langchain_qwen_audio import Audio, TranscriptionJobs

        jobs = TranscriptionJobs(poll_interval=0.1)  # the service advises 2 to 5 seconds
        meeting = Audio.from_path("meeting.mp3")
        for sentence in jobs.transcribe(meeting, diarization_enabled=True).sentences:
            print(sentence.start_s, sentence.end_s, sentence.speaker, sentence.text)
        ```
    """

    model: str = Field(default=FILES, validation_alias=AliasChoices("model", "model_name"))
    """Name of the model; `JobParameters` has what each may be told."""

    parameters: JobParameters = Field(default_factory=JobParameters)
    """What every job is told; what a call says wins over it. See `JobParameters`."""

    poll_interval: float = Field(default=3.0, gt=0, le=3600)
    """Seconds between two looks at a job; the service advises 2 to 5. An account may look 20 times
    a second, at all its jobs together."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # the input holds the key
    )

    def submit(self, recording: str | Audio, **parameters: Unpack[JobParameters]) -> str:
        """Submit a job.

        Args:
            recording: An http(s) URL, or an `Audio`, which is uploaded.
            **parameters: What the model is told, besides the field `parameters`; see
                `JobParameters`.

        Returns:
            The id of the job: keep it, to get the `result` later.

        Raises:
            NotFoundError: The model transcribes in no jobs.
            InvalidRequestError: The model does not have the parameters, or the recording is
                neither.
            AudioError: The recording cannot be read, or is too large.
            QwenAudioError: The service refuses, or cannot be reached.
        """
        return self._call().submit(recording, self._told(parameters))

    async def asubmit(self, recording: str | Audio, **parameters: Unpack[JobParameters]) -> str:
        """Submit a job; see `submit`."""
        return await (await self._acall()).asubmit(recording, self._told(parameters))

    def status(self, task_id: str) -> JobState:
        """Look how far a job is.

        Args:
            task_id: What `submit` returned.

        Returns:
            "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", or "UNKNOWN": it is older than
            24 hours, or of another account or region. A job that has "SUCCEEDED" may still hold a
            failure, which `result` raises.
        """
        return self._call().status(task_id)

    async def astatus(self, task_id: str) -> JobState:
        """Look how far a job is; see `status`."""
        return await (await self._acall()).astatus(task_id)

    def cancel(self, task_id: str) -> None:
        """Cancel a job that is "PENDING".

        Raises:
            InvalidRequestError: It has begun, or is over.
        """
        self._call().cancel(task_id)

    async def acancel(self, task_id: str) -> None:
        """Cancel a job that is "PENDING"; see `cancel`."""
        await (await self._acall()).acancel(task_id)

    def result(self, task_id: str, timeout: float | None = None) -> Transcript:
        """Wait until a job is over, and read its result.

        Args:
            task_id: What `submit` returned, in this process or another one.
            timeout: Seconds to wait at most; `total_timeout` by default.

        Returns:
            The transcript; an empty one, if nobody speaks in the recording.

        Raises:
            APITimeoutError: It is not over in time; it goes on, and can be waited for again.
            AudioError: It failed, since the recording cannot be used.
            NotFoundError: The service does not know it, or its result is gone: after 24 hours.
            APIError: It was cancelled, or failed for another reason.
        """
        return self._call(timeout).result(task_id)

    async def aresult(self, task_id: str, timeout: float | None = None) -> Transcript:  # noqa: ASYNC109
        """Wait until a job is over, and read its result; see `result`."""
        return await (await self._acall(timeout)).aresult(task_id)

    def transcribe(self, recording: str | Audio, **parameters: Unpack[JobParameters]) -> Transcript:
        """Submit a job, and wait for it, `total_timeout` seconds at most.

        An error after the submission names the job, for `result`.

        Args:
            recording: An http(s) URL, or an `Audio`, which is uploaded.
            **parameters: What the model is told, besides the field `parameters`; see
                `JobParameters`.

        Raises:
            QwenAudioError: As `submit` and `result` do.
        """
        call = self._call()
        return call.result(call.submit(recording, self._told(parameters)))

    async def atranscribe(
        self, recording: str | Audio, **parameters: Unpack[JobParameters]
    ) -> Transcript:
        """Submit a job, and wait for it; see `transcribe`."""
        call = await self._acall()
        return await call.aresult(await call.asubmit(recording, self._told(parameters)))

    def _told(self, parameters: JobParameters) -> dict[str, Any]:
        return {**self.parameters, **parameters}

    def _call(self, timeout: float | None = None) -> JobCall:
        from langchain_qwen_audio._job_pipeline import JobCall

        total_s = self.total_timeout if timeout is None else timeout
        return JobCall(self, self.model, self.poll_interval, total_s)

    async def _acall(self, timeout: float | None = None) -> JobCall:  # noqa: ASYNC109
        name = "langchain_qwen_audio._job_pipeline"
        if name not in sys.modules:  # an event loop would feel what is imported
            await asyncio.to_thread(importlib.import_module, name)
        return self._call(timeout)
