"""Transcription jobs as what transcribes: each recording is one job, and one segment.

The id of a job is kept as soon as it is submitted, so that a run that was killed waits for it again
and pays for no second one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.exceptions import ModelError

from langchain_qwen_audio._models.job_models import check_job_parameters
from langchain_qwen_audio._protocols.jobs import is_task_id
from langchain_qwen_audio._request.encoded_segments import Stretch
from langchain_qwen_audio._response.usage import to_usage_metadata
from langchain_qwen_audio._transcription.answers import Answer, read_transcript
from langchain_qwen_audio._transcription.backend import (
    AudioChoice,
    SegmentTask,
    describe_settings,
    segment_key,
)
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError, NotFoundError

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Mapping

    from langchain_qwen_audio._job_pipeline import JobCall
    from langchain_qwen_audio._protocols.jobs import Task
    from langchain_qwen_audio._transcription.checkpoints import Checkpoint
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs
    from langchain_qwen_audio.transcripts import Transcript

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobBackend:
    """How jobs transcribe recordings.

    Attributes:
        jobs: The client of the jobs.
        parameters: What each job is told.
        choice: What of each recording is transcribed.

    Raises:
        InvalidRequestError: The model does not have the parameters.
        NotFoundError: The model transcribes in no jobs.
    """

    jobs: TranscriptionJobs
    parameters: Mapping[str, Any] = field(default_factory=dict)
    choice: AudioChoice = field(default_factory=AudioChoice)

    def __post_init__(self) -> None:
        check_job_parameters(self.jobs.model, self.parameters)

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.jobs.model

    @property
    def region(self) -> str | None:
        """The region that bills, if it is known."""
        return self.jobs.billing_region

    # --- recordings ---

    def tasks(self, recording: Recording, place: SegmentTranscript) -> Generator[SegmentTask]:
        """Make one task of a recording, or of each of its channels; a URL stays a URL."""
        if recording.url is not None:
            self._require_no_choice(recording.url)
            digest = hashlib.sha256(recording.url.encode()).hexdigest()
            place = replace(place, content_key=digest)
            yield SegmentTask(place, recording.url, self._key(digest, 0.0))
            return
        whole = recording.open()
        with whole.kept_open():
            for audio in self.choice.apply(whole):
                yield self._task(audio, replace(place, channel=audio.channel))
                place = replace(place, is_first=False)

    def _require_no_choice(self, url: str) -> None:
        if self.choice != AudioChoice():
            raise AudioError(
                f"{url}: track, channel and allow_truncated came, which are for recordings that "
                "are read here; the service fetches this one: leave them out, name the channels "
                "with parameters={'channel_id': […]}, or download it first"
            )

    def _task(self, audio: Audio, place: SegmentTranscript) -> SegmentTask:
        try:
            length_s = audio.duration_s
            place = replace(place, end_s=round(length_s, 3), new_s=length_s, length_s=length_s)
            place = replace(place, content_key=audio.digest)
            if audio.probe.tracks > 1:
                place = replace(place, track=audio.probe.track)
            return SegmentTask(place, audio, self._key(audio.digest, length_s))
        except ModelError as error:  # it cannot be read
            return SegmentTask(replace(place, error=error))

    def _key(self, digest: str, length_s: float) -> str:
        settings = {"model": self.jobs.model, "base_url": self.jobs.address}
        whole = [Stretch(0.0, 0.0, length_s)]
        return segment_key(digest, whole, describe_settings(settings, self.parameters))

    # --- jobs ---

    def transcribe(self, task: SegmentTask, store: Checkpoint, ended: threading.Event) -> Answer:
        """Wait for the job of an earlier run, or submit one and wait for it."""
        assert isinstance(task.audio, Audio | str)  # noqa: S101  # it has no error
        call, kept = self.jobs._call(), _KeptId(store, task.key)  # noqa: SLF001
        if (task_id := kept.read()) is not None:
            try:
                return self._result(call, task_id, kept, ended)
            except NotFoundError as error:
                _log_expired(task_id, task.place.source, error)
        task_id = call.submit(task.audio, {**self.parameters})
        kept.write(task_id)
        return self._result(call, task_id, kept, ended)

    async def atranscribe(self, task: SegmentTask, store: Checkpoint) -> Answer:
        """Wait for the job of an earlier run, or submit one; see `transcribe`."""
        assert isinstance(task.audio, Audio | str)  # noqa: S101  # it has no error
        call, kept = await self.jobs._acall(), _KeptId(store, task.key)  # noqa: SLF001
        if (task_id := await asyncio.to_thread(kept.read)) is not None:
            try:
                return await self._aresult(call, task_id, kept)
            except NotFoundError as error:
                _log_expired(task_id, task.place.source, error)
        task_id = await call.asubmit(task.audio, {**self.parameters})
        await asyncio.to_thread(kept.write, task_id)
        return await self._aresult(call, task_id, kept)

    def _result(self, call: JobCall, task_id: str, kept: _KeptId, ended: threading.Event) -> Answer:
        def sleep(seconds: float) -> None:
            if ended.wait(seconds):
                raise CancelledError

        done = call.poll(task_id, sleep)
        kept.note(done)
        return self._answer(call.read(task_id, done), done)

    async def _aresult(self, call: JobCall, task_id: str, kept: _KeptId) -> Answer:
        done = await call.apoll(task_id)
        await asyncio.to_thread(kept.note, done)
        return self._answer(await call.aread(task_id, done), done)

    def _answer(self, transcript: Transcript, task: Task) -> Answer:
        if "channel_id" not in self.parameters:  # then the number says nothing
            sentences = [it.model_copy(update={"channel": None}) for it in transcript.sentences]
            transcript = transcript.model_copy(update={"sentences": sentences})
        return read_transcript(transcript, self.jobs.model, to_usage_metadata(task.usage))


class _KeptId(NamedTuple):
    """The id of the job of a segment, in the checkpoint."""

    store: Checkpoint
    segment_key: str

    @property
    def key(self) -> str:
        return hashlib.sha256(f"job {self.segment_key}".encode()).hexdigest()

    def read(self) -> str | None:
        """Find the id that an earlier run kept."""
        task_id = (self.store.read(self.key) or b"").decode(errors="replace")
        return task_id if is_task_id(task_id) else None

    def write(self, task_id: str) -> None:
        self.store.write(self.key, task_id.encode)

    def note(self, task: Task) -> None:
        """Forget the id of a job that nothing comes of, so that the next run submits another."""
        if task.has_failed:
            self.store.forget(self.key)


def _log_expired(task_id: str, source: str, error: NotFoundError) -> None:
    logger.info("%s: job %s has expired, so it is submitted again (%s)", source, task_id, error)
