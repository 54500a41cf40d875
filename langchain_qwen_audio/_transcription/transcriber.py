"""Recordings → the transcript of each of their segments, in order, several in flight at once.

recordings ─ backend ─► segments ─ backend, or checkpoint ─► SegmentTranscript, in order

What splits and transcribes is a `Backend`: a chat model, or jobs. Sync and async share everything
but the loop that waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
)
from pydantic import ValidationError

from langchain_qwen_audio._daemon_threads import DaemonThreads
from langchain_qwen_audio._service.single_flight import SingleFlight
from langchain_qwen_audio._service.time_limits import CallTimeout
from langchain_qwen_audio._transcription.answers import STORED, Answer, StoredAnswer
from langchain_qwen_audio._transcription.backend import Backend, SegmentTask
from langchain_qwen_audio._transcription.checkpoints import Checkpoint
from langchain_qwen_audio._transcription.encode_ahead import encode_ahead
from langchain_qwen_audio._transcription.read_ahead import read_ahead
from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Hashable, Iterable
    from concurrent.futures import Future

    from langchain_qwen_audio._transcription.checkpoints import ByteStore
    from langchain_qwen_audio._transcription.options import OnError
    from langchain_qwen_audio._transcription.sources import Recording

logger = logging.getLogger(__name__)

THREAD_NAME = "transcribing"
_FLIGHTS, _NO_LIMIT = SingleFlight(), CallTimeout(math.inf)
AHEAD = 2  # segments that are ready or in flight, for each that may be in flight

# No other segment would succeed after one of these.
_FATAL = (ModelAuthenticationError, ModelPermissionDeniedError, ModelNotFoundError)


@dataclass(frozen=True)
class Transcriber:
    """How recordings are transcribed.

    Attributes:
        backend: What transcribes.
        max_concurrency: Segments in flight at once.
        checkpoint: Where transcripts are kept, and looked up.
        on_error: Whether the error of a failed segment is raised, or reported in its place.
    """

    backend: Backend
    max_concurrency: int = 4
    checkpoint: ByteStore | str | os.PathLike[str] | None = field(default=None, repr=False)
    on_error: OnError = "raise"

    def __post_init__(self) -> None:
        if self.max_concurrency < 1:
            raise ValueError(f"max_concurrency is {self.max_concurrency}; expected 1 or more")
        if self.on_error not in {"raise", "document"}:
            raise ValueError(f"on_error is {self.on_error!r}; expected 'raise' or 'document'")

    @cached_property
    def _store(self) -> Checkpoint:
        return Checkpoint(self.checkpoint)

    def run(self, recordings: Iterable[Recording]) -> Generator[SegmentTranscript]:
        """Transcribe recordings, and yield the transcripts of their segments, in order.

        Raises:
            CheckpointError: The directory of the checkpoint cannot be made.
            ModelError: A segment failed, and `on_error` is "raise"; or no segment can succeed.
        """
        in_flight: deque[Future[SegmentTranscript]] = deque()
        ended = threading.Event()
        with (
            DaemonThreads(self.max_concurrency, THREAD_NAME) as threads,
            contextlib.closing(self._tasks(recordings, ended)) as tasks,
        ):
            try:
                for task in tasks:
                    in_flight.append(threads.submit(partial(self._transcribe, task, ended)))
                    while in_flight and self._is_first_wanted(in_flight):
                        yield self._checked(in_flight.popleft().result())
                while in_flight:
                    yield self._checked(in_flight.popleft().result())
            finally:  # nobody waits for requests in flight; transcripts that still come are stored
                ended.set()

    async def arun(self, recordings: Iterable[Recording]) -> AsyncGenerator[SegmentTranscript]:
        """Transcribe recordings without blocking the event loop; see `run`."""
        in_flight: deque[asyncio.Task[SegmentTranscript]] = deque()
        gate = asyncio.Semaphore(self.max_concurrency)
        ended = threading.Event()
        tasks = self._tasks(recordings, ended)
        next_task = partial(next, tasks, None)
        with DaemonThreads(1, THREAD_NAME) as reader:
            try:
                while task := await asyncio.wrap_future(reader.submit(next_task)):
                    in_flight.append(asyncio.create_task(self._atranscribe(task, gate)))
                    while in_flight and self._is_first_wanted(in_flight):
                        yield self._checked(await in_flight.popleft())
                while in_flight:
                    yield self._checked(await in_flight.popleft())
            finally:
                ended.set()
                reader.submit(tasks.close)  # where its files were opened
                for running in in_flight:
                    running.cancel()
                await asyncio.gather(*in_flight, return_exceptions=True)

    def _is_first_wanted(self, in_flight: deque[Any]) -> bool:
        """Tell whether the first transcript is yielded before another segment is taken."""
        is_done: bool = in_flight[0].done()
        return is_done or len(in_flight) > AHEAD * self.max_concurrency

    def _checked(self, transcript: SegmentTranscript) -> SegmentTranscript:
        error = transcript.error
        if error is not None and (self.on_error == "raise" or isinstance(error, _FATAL)):
            raise error
        return transcript

    def _tasks(
        self, recordings: Iterable[Recording], ended: threading.Event
    ) -> Generator[SegmentTask]:
        """Make the segments of recordings; read and encode as many at once as there are cores."""
        self._store.prepare()  # it is an error before anything is read or sent
        cores = os.cpu_count() or 1
        readers = min(self.max_concurrency, cores)
        read = read_ahead(map(self._tasks_of, recordings), readers, "reading")
        yield from encode_ahead(read, cores, ended)

    def _tasks_of(self, recording: Recording) -> Generator[SegmentTask]:
        place = SegmentTranscript(recording.source, 0, 0.0, 0.0, is_first=True)
        try:
            with contextlib.closing(self.backend.tasks(recording, place)) as tasks:
                yield from map(self._without_known, tasks)
        except ModelError as error:  # it cannot be opened
            yield SegmentTask(replace(place, error=error))

    def _without_known(self, task: SegmentTask) -> SegmentTask:
        """Look whether a transcript is in the checkpoint already: its segment is not encoded then.

        What is wrong with a value is logged when it is read again, before the request.
        """
        values = None if task.audio is None else _values_in(self._store.peek(task.key))
        if values is None:
            return task
        return SegmentTask(replace(_with_values(task, values), from_checkpoint=True))

    def _transcribe(self, task: SegmentTask, ended: threading.Event) -> SegmentTranscript:
        if ended.is_set() or task.audio is None:
            return task.place
        made: list[SegmentTranscript] = []

        def make() -> str:
            known = self._look_up(task)
            made.append(
                known or self._keep(task, self.backend.transcribe(task, self._store, ended))
            )
            return task.key

        try:
            while not made:  # what another one has made is in the checkpoint then
                _FLIGHTS.run(self._flight(task), _NO_LIMIT, make)
        except ModelError as error:
            return replace(task.place, error=error)
        return made[0]

    async def _atranscribe(self, task: SegmentTask, gate: asyncio.Semaphore) -> SegmentTranscript:
        if task.audio is None:
            return task.place
        made: list[SegmentTranscript] = []

        async def make() -> str:
            known = await asyncio.to_thread(self._look_up, task)
            if known is None:
                answer = await self.backend.atranscribe(task, self._store)
                known = await asyncio.to_thread(self._keep, task, answer)
            made.append(known)
            return task.key

        async with gate:
            try:
                while not made:
                    await _FLIGHTS.arun(self._flight(task), _NO_LIMIT, make)
            except ModelError as error:
                return replace(task.place, error=error)
        return made[0]

    def _flight(self, task: SegmentTask) -> Hashable:
        """Say which segments share one request: those of one key in one checkpoint."""
        store = self._store.identity
        return object() if store is None else (store, task.key)

    def _look_up(self, task: SegmentTask) -> SegmentTranscript | None:
        """Find a transcript in the checkpoint."""
        if (stored := self._store.read(task.key)) is None:
            return None
        if (values := _values_in(stored)) is None:  # it is requested again
            logger.warning("the checkpoint's value of %s is not one of this loader", task.key)
            return None
        return replace(_with_values(task, values), from_checkpoint=True)

    def _keep(self, task: SegmentTask, answer: Answer) -> SegmentTranscript:
        """Make the transcript of an answer, and put it into the checkpoint if it is whole."""
        if answer.finish_reason is None:
            self._store.write(task.key, lambda: STORED.dump_json(answer.values))
        transcript = _with_values(task, answer.values)
        reason = answer.finish_reason
        seconds, gaps = answer.seconds, answer.gaps
        return replace(transcript, billed_s=seconds, gaps=gaps, finish_reason=reason)


def _values_in(stored: bytes | None) -> StoredAnswer | None:
    """Read a value of a checkpoint; None if there is none, or if it is not one of this loader."""
    try:
        return None if stored is None else STORED.validate_json(stored)
    except ValidationError:
        return None


def _with_values(task: SegmentTask, values: StoredAnswer) -> SegmentTranscript:
    """Put an answer at its place, with times of the recording."""
    place, times = task.place, task.times
    sentences = tuple(it if times is None else times.place(it) for it in values["sentences"])
    if not place.end_s:  # the recording is at a URL, and was not measured here
        end_s = max((it.end_s or 0.0 for it in sentences), default=0.0)
        place = replace(place, end_s=end_s, new_s=end_s, length_s=end_s)
    return replace(
        place,
        text=values["text"],
        model=values["model"],
        language=values["language"],
        emotion=values["emotion"],
        usage=values["usage"],
        sentences=sentences,
    )
