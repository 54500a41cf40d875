"""Recordings → the transcript of each of their segments, in order, several in flight at once.

recordings ─ split_recording ─► segments ─ model, or checkpoint ─► SegmentTranscript, in order

Sync and async share everything but the loop that waits. A failed request is repeated here, as often
as the model's `max_retries` says, and the model itself repeats nothing: each attempt is a call of
its own for the rate limiter and for callbacks, also where a stream broke off.

An answer that the model did not finish is never stored as a transcript: shorter parts of its
segment are requested instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import threading
from collections import deque
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
)
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import ValidationError

from langchain_qwen_audio._daemon_threads import DaemonThreads
from langchain_qwen_audio._media.url_schemes import split_url
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio._transcription.answers import (
    STORED,
    Answer,
    StoredAnswer,
    join_answers,
    read_answer,
)
from langchain_qwen_audio._transcription.checkpoints import Checkpoint
from langchain_qwen_audio._transcription.segment_places import (
    next_place,
    silent_place,
    spoken_place,
)
from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
from langchain_qwen_audio._transcription.segments import (
    Silence,
    split_recording,
    split_speech,
)
from langchain_qwen_audio._transcription.time_map import TimeMap

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from langchain_qwen_audio._request.encoded_segments import Segment
    from langchain_qwen_audio._transcription.checkpoints import ByteStore
    from langchain_qwen_audio._transcription.options import Channel, OnError
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio.audio import Audio
    from langchain_qwen_audio.chat_models import ChatQwenAudio

logger = logging.getLogger(__name__)

TRANSCRIBE = "Write down what is said in this recording, word for word, and nothing else."
MAX_SEGMENT_S = 240.0  # as WAV this much fits into a request
BRIDGE_S = 2.0  # that the next segment repeats where there was no pause to split in: some words
THREAD_NAME = "transcribing"
# An answer that is cut off is requested again in parts of at most this share of its segment, and as
# long as a part is longer than this.
SHORTER = 0.6
SHORTEST_S = 10.0
AHEAD = 2  # segments that are ready or in flight, for each that may be in flight

# No other segment would succeed after one of these.
_FATAL = (ModelAuthenticationError, ModelPermissionDeniedError, ModelNotFoundError)


class _Task(NamedTuple):
    """A segment to transcribe: its place, without a text yet, its audio, and its checkpoint key.

    Without audio, there is nothing to transcribe.
    """

    place: SegmentTranscript
    audio: Audio | None = None
    key: str = ""
    times: TimeMap = TimeMap(())


@dataclass(frozen=True)
class Transcriber:
    """How recordings are transcribed.

    Attributes:
        llm: The model.
        prompt: What the model does with each segment; a system message gives context to a model
            that takes no text. None asks for a transcript.
        segment_s: Seconds of the longest segment; None is near the model's limit.
        overlap_s: Seconds of the end of each segment that the next one repeats.
        skip_silence: Whether silence is not sent.
        max_concurrency: Segments in flight at once.
        checkpoint: Where transcripts are kept, and looked up.
        on_error: Whether the error of a failed segment is raised, or reported in its place.
        track: The sound track; None is the default one.
        channel: The channel, or "each"; None mixes all.
        allow_truncated: Whether what is there of a truncated recording is transcribed.
    """

    llm: ChatQwenAudio
    prompt: str | SystemMessage | None = None
    segment_s: float | None = None
    overlap_s: float = 0.0
    skip_silence: bool = False
    max_concurrency: int = 4
    checkpoint: ByteStore | str | os.PathLike[str] | None = field(default=None, repr=False)
    on_error: OnError = "raise"
    track: int | None = None
    channel: Channel | None = None
    allow_truncated: bool = False

    def __post_init__(self) -> None:
        if self.max_concurrency < 1:
            raise ValueError(f"max_concurrency is {self.max_concurrency}; expected 1 or more")
        if self.on_error not in {"raise", "document"}:
            raise ValueError(f"on_error is {self.on_error!r}; expected 'raise' or 'document'")
        is_number = isinstance(self.channel, int) and self.channel >= 0
        if not (is_number or self.channel in {None, "each"}):
            raise ValueError(f"channel is {self.channel!r}; expected a number from 0, or 'each'")
        if self.limit_s < 1.0:
            raise ValueError(f"segment_s is {self.segment_s}; expected 1 second or more")
        if not 0.0 <= self.overlap_s <= self.limit_s / 2:
            raise ValueError(
                f"overlap_s is {self.overlap_s}; expected 0 to {self.limit_s / 2:g}, which is half "
                "of a segment"
            )

    @property
    def limit_s(self) -> float:
        """Seconds of the longest segment."""
        near = min(self.llm.route().profile.max_part_s, MAX_SEGMENT_S)
        return near if self.segment_s is None else min(self.segment_s, near)

    @cached_property
    def _store(self) -> Checkpoint | None:
        return None if self.checkpoint is None else Checkpoint(self.checkpoint)

    def run(self, recordings: Iterable[Recording]) -> Generator[SegmentTranscript]:
        """Transcribe recordings, and yield the transcripts of their segments, in order.

        Raises:
            CheckpointError: The directory of the checkpoint cannot be made.
            ModelError: A segment failed, and `on_error` is "raise"; or no segment can succeed.
        """
        in_flight: deque[Future[SegmentTranscript]] = deque()
        ended = threading.Event()
        with DaemonThreads(self.max_concurrency, THREAD_NAME) as threads:
            try:
                for task in self._tasks(recordings):
                    in_flight.append(threads.submit(partial(self._transcribe, task, ended)))
                    if len(in_flight) > AHEAD * self.max_concurrency:
                        yield self._checked(in_flight.popleft().result())
                while in_flight:
                    yield self._checked(in_flight.popleft().result())
            finally:  # nobody waits for requests in flight; transcripts that still come are stored
                ended.set()

    async def arun(self, recordings: Iterable[Recording]) -> AsyncGenerator[SegmentTranscript]:
        """Transcribe recordings without blocking the event loop; see `run`."""
        in_flight: deque[asyncio.Task[SegmentTranscript]] = deque()
        gate = asyncio.Semaphore(self.max_concurrency)
        next_task = partial(next, self._tasks(recordings), None)
        with DaemonThreads(1, THREAD_NAME) as reader:
            try:
                while task := await asyncio.wrap_future(reader.submit(next_task)):
                    in_flight.append(asyncio.create_task(self._atranscribe(task, gate)))
                    if len(in_flight) > AHEAD * self.max_concurrency:
                        yield self._checked(await in_flight.popleft())
                while in_flight:
                    yield self._checked(await in_flight.popleft())
            finally:
                for running in in_flight:
                    running.cancel()
                await asyncio.gather(*in_flight, return_exceptions=True)

    def _checked(self, transcript: SegmentTranscript) -> SegmentTranscript:
        error = transcript.error
        if error is not None and (self.on_error == "raise" or isinstance(error, _FATAL)):
            raise error
        return transcript

    # --- segments ---

    def _tasks(self, recordings: Iterable[Recording]) -> Iterator[_Task]:
        _ = self._store  # it is an error before anything is read or sent
        for recording in recordings:
            place = SegmentTranscript(recording.source, 0, 0.0, 0.0, is_first=True)
            try:
                for audio in self._channels(recording.open()):
                    yield from self._segments(audio, replace(place, channel=audio.channel))
                    place = replace(place, is_first=False)
            except ModelError as error:  # it cannot be opened
                yield _Task(replace(place, error=error))

    def _channels(self, audio: Audio) -> list[Audio]:
        """Take of a recording what the options say."""
        chosen = audio.choose(track=self.track, allow_truncated=self.allow_truncated)
        if self.channel == "each":
            return chosen.split_channels()
        return [chosen.choose(channel=self.channel)]

    def _segments(self, audio: Audio, place: SegmentTranscript) -> Iterator[_Task]:
        """Split a recording, of which `place` is where the next segment is."""
        settings, profile = self._describe(), self.llm.route().profile
        try:
            if audio.probe.tracks > 1:
                place = replace(place, track=audio.probe.track)
            place = replace(place, length_s=audio.declared_s)
            split = split_speech if self.skip_silence else split_recording
            found = split(
                audio, profile, self.limit_s, overlap_s=self.overlap_s, bridge_s=self._bridge_s
            )
            for part in found:
                if isinstance(part, Silence):
                    yield _Task(silent_place(place, part))
                    continue
                here = spoken_place(place, part)
                key = _key(audio.digest, part, settings)
                yield _Task(here, part.audio, key, TimeMap(part.stretches))
                place = next_place(here)
        except ModelError as error:  # it cannot be read, or not to its end
            yield _Task(replace(place, error=error))

    @property
    def _bridge_s(self) -> float:
        """Seconds to repeat where there is no pause; only of transcripts is it known what to do."""
        is_transcript = not isinstance(self.prompt, str) and not self.overlap_s
        return min(BRIDGE_S, self.limit_s / 4) if is_transcript else 0.0

    def _describe(self) -> str:
        """Write down all that a transcript depends on, apart from the recording."""
        settings = dict(self.llm._identifying_params)  # noqa: SLF001
        # Another server is another model, on whatever port.
        parts = split_url(str(settings["base_url"]))
        settings["base_url"] = parts.hostname if parts else settings["base_url"]
        prompt = self.prompt.text if isinstance(self.prompt, SystemMessage) else self.prompt
        described = [settings, type(self.prompt).__name__, prompt]
        return json.dumps(described, default=str, sort_keys=True)

    # --- requests ---

    def _transcribe(self, task: _Task, ended: threading.Event) -> SegmentTranscript:
        if ended.is_set():
            return task.place
        if (known := self._look_up(task)) is not None:
            return known
        try:
            return self._keep(task, self._request(task.audio, ended))
        except ModelError as error:
            return replace(task.place, error=error)

    def _request(self, audio: Audio | None, ended: threading.Event) -> Answer:
        if ended.is_set():  # between the parts of a segment, too
            raise CancelledError
        messages, attempts = self._begin(audio)
        while True:
            try:
                answer = read_answer(self.llm.invoke(messages, max_retries=0))
                break
            except ModelError as error:
                if ended.wait(attempts.wait_s(error)):
                    raise
        return join_answers(
            answer, [self._request(it, ended) for it in self._shorter(audio, answer)]
        )

    async def _atranscribe(self, task: _Task, gate: asyncio.Semaphore) -> SegmentTranscript:
        async with gate:
            if (known := await asyncio.to_thread(self._look_up, task)) is not None:
                return known
            try:
                answer = await self._arequest(task.audio)
            except ModelError as error:
                return replace(task.place, error=error)
            return await asyncio.to_thread(self._keep, task, answer)

    async def _arequest(self, audio: Audio | None) -> Answer:
        messages, attempts = await asyncio.to_thread(self._begin, audio)
        while True:
            try:
                answer = read_answer(await self.llm.ainvoke(messages, max_retries=0))
                break
            except ModelError as error:
                await asyncio.sleep(attempts.wait_s(error))
        shorter = await asyncio.to_thread(self._shorter, audio, answer)
        return join_answers(answer, [await self._arequest(it) for it in shorter])

    def _begin(self, audio: Audio | None) -> tuple[list[BaseMessage], Attempts]:
        """Make what is sent, and what decides about retries."""
        return self._messages(audio), Attempts(self.llm.model, self.llm.max_retries)

    def _shorter(self, audio: Audio | None, answer: Answer) -> list[Audio]:
        """Split a segment whose answer was cut off; a short one stays as it is."""
        assert audio is not None  # noqa: S101
        if answer.finish_reason is None:
            return []
        is_splittable = answer.finish_reason == "length" and audio.duration_s > SHORTEST_S
        effect = "shorter parts of it are requested" if is_splittable else "it is not whole"
        cause = f"finish_reason={answer.finish_reason}"
        logger.warning("%s: the answer was cut off (%s): %s", audio.name, cause, effect)
        if not is_splittable:
            return []
        profile = self.llm.route().profile
        return [it.audio for it in split_recording(audio, profile, SHORTER * audio.duration_s)]

    def _messages(self, audio: Audio | None) -> list[BaseMessage]:
        assert audio is not None  # noqa: S101
        content: list[Any] = [audio.to_block()]
        if isinstance(self.prompt, SystemMessage):
            return [self.prompt, HumanMessage(content)]
        text = self.prompt
        if text is None and self.llm.route().profile.text:
            text = TRANSCRIBE
        return [HumanMessage([*content, {"type": "text", "text": text}] if text else content)]

    def _look_up(self, task: _Task) -> SegmentTranscript | None:
        """Find what needs no request: a failure, silence, or a transcript in the checkpoint."""
        if task.audio is None:
            return task.place
        stored = self._store.read(task.key) if self._store is not None else None
        if stored is None:
            return None
        try:
            values = STORED.validate_json(stored)
        except ValidationError:  # it is requested again
            logger.warning("the checkpoint's value of %s is not one of this loader", task.key)
            return None
        return replace(_with_values(task, values), from_checkpoint=True)

    def _keep(self, task: _Task, answer: Answer) -> SegmentTranscript:
        """Make the transcript of an answer, and put it into the checkpoint if it is whole."""
        if self._store is not None and answer.finish_reason is None:
            self._store.write(task.key, lambda: STORED.dump_json(answer.values))
        transcript = _with_values(task, answer.values)
        reason = answer.finish_reason
        seconds, gaps = answer.seconds, answer.gaps
        return replace(transcript, billed_s=seconds, gaps=gaps, finish_reason=reason)


def _with_values(task: _Task, values: StoredAnswer) -> SegmentTranscript:
    """Put an answer at its place, with times of the recording."""
    sentences = tuple(task.times.place(it) for it in values["sentences"])
    return replace(
        task.place,
        text=values["text"],
        model=values["model"],
        language=values["language"],
        emotion=values["emotion"],
        usage=values["usage"],
        sentences=sentences,
    )


def _key(digest: str, segment: Segment, settings: str) -> str:
    place = f"{segment.start_s:.3f} {segment.end_s:.3f}"
    if len(segment.stretches) > 1:  # silence is left out
        place += "".join(f" {it.start_s:.3f}+{it.length_s:.3f}" for it in segment.stretches)
    return hashlib.sha256(f"{digest}\n{place}\n{settings}".encode()).hexdigest()
