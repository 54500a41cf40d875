"""Recordings → what a model says of each of their segments, in order, several in flight at once.

recordings ─ segments (cut at silence) ─► asked, or remembered from a checkpoint ─► Said, in order

Sync and async share everything but the loop that waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from langchain_core.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
)
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables.config import ContextThreadPoolExecutor
from pydantic import TypeAdapter, ValidationError, with_config
from tenacity import (
    AsyncRetrying,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from typing_extensions import TypedDict

from langchain_qwen_audio._annotations import AudioInfo
from langchain_qwen_audio._fit import segments

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from langchain_qwen_audio._checkpoints import ByteStore
    from langchain_qwen_audio._sources import Recording
    from langchain_qwen_audio.audio import Audio
    from langchain_qwen_audio.chat_models import ChatQwenAudio

OnError: TypeAlias = Literal["raise", "document"]

logger = logging.getLogger(__name__)

TRANSCRIBE = "Write down what is said in this recording, word for word, and nothing else."
MAX_SEGMENT_S = 240.0  # as WAV this much fits into a request
ATTEMPTS = 3
AHEAD = 2  # segments that are ready or being asked about, for each that may be in flight

# What another attempt may mend, and what no other segment would fare better with.
_PASSING = (ModelAPIError, ModelConnectionError, ModelRateLimitError)
_PATIENCE: dict[str, Any] = {
    "retry": retry_if_exception_type(_PASSING),
    "wait": wait_random_exponential(multiplier=1.0, max=10.0),
    "reraise": True,
}
_STOP = stop_after_attempt(ATTEMPTS)
_FATAL = (ModelAuthenticationError, ModelPermissionDeniedError, ModelNotFoundError)


@dataclass(frozen=True)
class Said:
    """What a model said of one segment, or why it did not.

    Attributes:
        source: The recording.
        segment: The number of the segment in it, from 0.
        start_s: Where the segment begins, in seconds.
        end_s: Where it ends.
        text: What the model said.
        model: Who said it.
        language: The language heard, if the model tells.
        emotion: The emotion heard, if the model tells.
        usage: The tokens used.
        new_s: Seconds of the segment that the one before did not have.
        length_s: Seconds of the whole recording, if its headers say.
        remembered: It was asked for by an earlier run, and costs nothing now.
        error: What went wrong, if something did.
    """

    source: str
    segment: int
    start_s: float
    end_s: float
    text: str = ""
    model: str | None = None
    language: str | None = None
    emotion: str | None = None
    usage: UsageMetadata | None = None
    new_s: float = 0.0
    length_s: float | None = None
    remembered: bool = False
    error: Exception | None = None


@dataclass(frozen=True)
class _Job:
    """One segment to be asked about, or what kept it from being found."""

    source: str
    number: int
    start_s: float
    end_s: float
    new_s: float = 0.0
    length_s: float | None = None
    audio: Audio | None = None
    key: str = ""
    error: Exception | None = None


@dataclass(frozen=True)
class Transcriber:
    """How recordings are listened to.

    Attributes:
        llm: The model that listens.
        prompt: What it is asked of each segment; a system message tells a model that takes no text
            what helps it. None asks for a transcript.
        segment_s: Seconds of the longest segment; None is near the model's limit.
        overlap_s: Seconds of the end of each segment that the next one repeats.
        max_concurrency: Segments in flight at once.
        on_error: Whether a failed segment is raised, or reported in its place.
        checkpoint: Where results are kept, and looked for.
    """

    llm: ChatQwenAudio
    prompt: str | SystemMessage | None = None
    segment_s: float | None = None
    overlap_s: float = 0.0
    max_concurrency: int = 4
    on_error: OnError = "raise"
    checkpoint: ByteStore | None = None

    def __post_init__(self) -> None:
        if self.max_concurrency < 1:
            raise ValueError(f"max_concurrency is {self.max_concurrency}; expected 1 or more")
        if self.on_error not in {"raise", "document"}:
            raise ValueError(f"on_error is {self.on_error!r}; expected 'raise' or 'document'")
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

    def run(self, recordings: Iterable[Recording]) -> Generator[Said]:
        """Listen to recordings, and yield what is said of their segments, in order.

        Raises:
            ModelError: A segment failed, and `on_error` is "raise"; or none can succeed.
        """
        in_flight: deque[Future[Said]] = deque()
        threads = ContextThreadPoolExecutor(self.max_concurrency)
        ended = threading.Event()
        try:
            for job in self._jobs(recordings):
                in_flight.append(threads.submit(self._ask, job, ended))
                if len(in_flight) > AHEAD * self.max_concurrency:
                    yield self._checked(in_flight.popleft().result())
            while in_flight:
                yield self._checked(in_flight.popleft().result())
        finally:  # what is being asked is still remembered, and nobody waits for it
            ended.set()
            threads.shutdown(wait=False, cancel_futures=True)

    async def arun(self, recordings: Iterable[Recording]) -> AsyncGenerator[Said]:
        """Listen to recordings without blocking the event loop; see `run`."""
        in_flight: deque[asyncio.Task[Said]] = deque()
        gate = asyncio.Semaphore(self.max_concurrency)
        jobs = self._jobs(recordings)
        try:
            while (job := await asyncio.to_thread(next, jobs, None)) is not None:
                in_flight.append(asyncio.create_task(self._aask(job, gate)))
                if len(in_flight) > AHEAD * self.max_concurrency:
                    yield self._checked(await in_flight.popleft())
            while in_flight:
                yield self._checked(await in_flight.popleft())
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    def _checked(self, said: Said) -> Said:
        error = said.error
        if error is not None and (self.on_error == "raise" or isinstance(error, _FATAL)):
            raise error
        return said

    # --- segments ---

    def _jobs(self, recordings: Iterable[Recording]) -> Iterator[_Job]:
        about = self._describe()
        for recording in recordings:
            number, end_s = 0, 0.0
            try:
                audio = recording.open()
                found = segments(
                    audio, self.llm.route().profile, self.limit_s, overlap_s=self.overlap_s
                )
                for part, start_s, new_end_s in found:
                    new_s, end_s = new_end_s - end_s, new_end_s
                    yield _Job(
                        source=recording.source,
                        number=number,
                        start_s=start_s,
                        end_s=end_s,
                        new_s=new_s,
                        length_s=audio.probe.declared_s,
                        audio=part,
                        key=_key(audio.digest, start_s, end_s, about),
                    )
                    number += 1
            except ModelError as error:  # it cannot be read, or not to its end
                yield _Job(recording.source, number, end_s, end_s, error=error)

    def _describe(self) -> str:
        """Say all that decides an answer, apart from the recording."""
        asked = dict(self.llm._identifying_params)  # noqa: SLF001
        # A stand-in's answers are not the service's, wherever it listens.
        asked["base_url"] = urlsplit(str(asked["base_url"])).hostname
        prompt = self.prompt.text if isinstance(self.prompt, SystemMessage) else self.prompt
        return json.dumps([asked, type(self.prompt).__name__, prompt], default=str, sort_keys=True)

    # --- asking ---

    def _ask(self, job: _Job, ended: threading.Event) -> Said:
        said = self._settled(job)
        if said is None:
            stop = stop_any(_STOP, stop_when_event_set(ended))
            patient = Retrying(**_PATIENCE, stop=stop, sleep=sleep_using_event(ended))
            try:
                said = self._said(job, patient(self.llm.invoke, self._messages(job)))
                self._remember(job, said)
            except ModelError as error:
                said = self._failed(job, error)
        return said

    async def _aask(self, job: _Job, gate: asyncio.Semaphore) -> Said:
        async with gate:
            said = await asyncio.to_thread(self._settled, job)
            if said is None:
                messages = await asyncio.to_thread(self._messages, job)
                patient = AsyncRetrying(**_PATIENCE, stop=_STOP)
                try:
                    said = self._said(job, await patient(self.llm.ainvoke, messages))
                    await asyncio.to_thread(self._remember, job, said)
                except ModelError as error:
                    said = self._failed(job, error)
            return said

    def _messages(self, job: _Job) -> list[BaseMessage]:
        assert job.audio is not None  # noqa: S101
        content: list[Any] = [job.audio.to_block()]
        if isinstance(self.prompt, SystemMessage):
            return [self.prompt, HumanMessage(content)]
        text = self.prompt
        if text is None and self.llm.route().profile.text:
            text = TRANSCRIBE
        return [HumanMessage([*content, {"type": "text", "text": text}] if text else content)]

    def _settled(self, job: _Job) -> Said | None:
        """Find what needs no asking: a failure, or what an earlier run has asked."""
        if job.error is not None:
            return self._failed(job, job.error)
        stored = self.checkpoint.mget([job.key])[0] if self.checkpoint is not None else None
        if stored is None:
            return None
        try:
            return Said(**_place(job), **_KEPT.validate_json(stored), remembered=True)
        except ValidationError:  # asked for again
            logger.warning("the checkpoint's value of %s is none that was stored here", job.key)
            return None

    def _said(self, job: _Job, answer: AIMessage) -> Said:
        info = AudioInfo.from_message(answer)
        return Said(
            **_place(job),
            text=answer.text.strip(),
            model=answer.response_metadata.get("model_name"),
            language=info.language,
            emotion=info.emotion,
            usage=answer.usage_metadata,
        )

    def _remember(self, job: _Job, said: Said) -> None:
        if self.checkpoint is not None:
            kept = {name: getattr(said, name) for name in _Kept.__annotations__}
            self.checkpoint.mset([(job.key, _KEPT.dump_json(cast("_Kept", kept)))])

    def _failed(self, job: _Job, error: Exception) -> Said:
        return Said(**_place(job), error=error)


def _key(digest: str, start_s: float, end_s: float, about: str) -> str:
    place = f"{start_s:.3f} {end_s:.3f}"
    return hashlib.sha256(f"{digest}\n{place}\n{about}".encode()).hexdigest()


@with_config(extra="forbid", strict=True)
class _Kept(TypedDict):
    """What a checkpoint keeps of a segment."""

    text: str
    model: str | None
    language: str | None
    emotion: str | None
    usage: UsageMetadata | None


_KEPT = TypeAdapter(_Kept)


def _place(job: _Job) -> dict[str, Any]:
    return {
        "source": job.source,
        "segment": job.number,
        "start_s": round(job.start_s, 3),
        "end_s": round(job.end_s, 3),
        "new_s": job.new_s,
        "length_s": job.length_s,
    }
