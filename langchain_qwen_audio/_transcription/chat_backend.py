"""A chat model as what transcribes: a recording is split, and each segment is a request.

A failed request is repeated here, as often as the model's `max_retries` says, and the model itself
repeats nothing: each attempt is a call of its own for the rate limiter and for callbacks, also
where a stream broke off.

An answer that the model did not finish is never taken for a transcript: shorter parts of its
segment are requested instead.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ModelError
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from langchain_qwen_audio._request.encoded_segments import Segment
from langchain_qwen_audio._request.made_clips import made_clip
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio._transcription.answers import Answer, join_answers, read_answer
from langchain_qwen_audio._transcription.backend import (
    AudioChoice,
    SegmentTask,
    describe_settings,
    segment_key,
)
from langchain_qwen_audio._transcription.segment_places import (
    next_place,
    silent_place,
    spoken_place,
)
from langchain_qwen_audio._transcription.segments import Silence, split_recording, split_speech
from langchain_qwen_audio._transcription.time_map import TimeMap
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._transcription.checkpoints import Checkpoint
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio.chat_models import ChatQwenAudio

logger = logging.getLogger(__name__)

TRANSCRIBE = "Write down what is said in this recording, word for word, and nothing else."
MAX_SEGMENT_S = 240.0  # as WAV this much fits into a request
BRIDGE_S = 2.0  # that the next segment repeats where there was no pause to split in: some words
# An answer that is cut off is requested again in parts of at most this share of its segment, and as
# long as a part is longer than this.
SHORTER = 0.6
SHORTEST_S = 10.0


@dataclass(frozen=True)
class ChatBackend:
    """How a chat model transcribes recordings.

    Attributes:
        llm: The model.
        prompt: What the model does with each segment; a system message gives context to a model
            that takes no text. None asks for a transcript.
        hot_words: Names and terms that may be spoken, for the key in the checkpoint.
        context: The hot words as the text of a system message; "" if the model has them already.
        segment_s: Seconds of the longest segment; None is near the model's limit.
        overlap_s: Seconds of the end of each segment that the next one repeats.
        skip_silence: Whether silence is not sent.
        choice: What of each recording is transcribed.
    """

    llm: ChatQwenAudio
    prompt: str | SystemMessage | None = None
    hot_words: tuple[str, ...] = ()
    context: str = ""
    segment_s: float | None = None
    overlap_s: float = 0.0
    skip_silence: bool = False
    choice: AudioChoice = field(default_factory=AudioChoice)

    def __post_init__(self) -> None:
        if self.limit_s < 1.0:
            raise ValueError(f"segment_s is {self.segment_s}; expected 1 second or more")
        if not 0.0 <= self.overlap_s <= self.limit_s / 2:
            raise ValueError(
                f"overlap_s is {self.overlap_s}; expected 0 to {self.limit_s / 2:g}, which is half "
                "of a segment"
            )

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.llm.model

    @property
    def region(self) -> str | None:
        """The region that bills, if it is known."""
        return self.llm.billing_region

    @property
    def limit_s(self) -> float:
        """Seconds of the longest segment."""
        near = min(self.llm.route().profile.max_part_s, MAX_SEGMENT_S)
        return near if self.segment_s is None else min(self.segment_s, near)

    @property
    def _profile(self) -> Profile:
        """What the model takes, in the way in which clips travel to it."""
        return self.llm.route().profile.with_transport(self.llm.audio_transport)

    # --- segments ---

    def tasks(self, recording: Recording, place: SegmentTranscript) -> Generator[SegmentTask]:
        """Split a recording, or each of its channels."""
        whole = recording.open()
        with whole.kept_open():
            for audio in self.choice.apply(whole):
                audio.begin_digest()
                yield from self._segments(audio, replace(place, channel=audio.channel))
                place = replace(place, is_first=False)

    def _segments(self, audio: Audio, place: SegmentTranscript) -> Generator[SegmentTask]:
        """Split a recording, of which `place` is where the next segment is."""
        settings, profile = self._describe(), self._profile
        try:
            if audio.probe.tracks > 1:
                place = replace(place, track=audio.probe.track)
            place = replace(place, length_s=audio.declared_s, content_key=self._content_key(audio))
            split = split_speech if self.skip_silence else split_recording
            found = split(
                audio, profile, self.limit_s, overlap_s=self.overlap_s, bridge_s=self._bridge_s
            )
            for part in found:
                if isinstance(part, Silence):
                    yield SegmentTask(silent_place(place, part))
                    continue
                here = spoken_place(place, part)
                key = segment_key(audio.digest, part.stretches, settings)
                yield SegmentTask(here, part, key, TimeMap(part.stretches))
                place = next_place(here)
        except ModelError as error:  # it cannot be read, or not to its end
            yield SegmentTask(replace(place, error=error))

    def _content_key(self, audio: Audio) -> str:
        """Tell notes on a recording from its transcript; a transcript replaces an older one."""
        return f"{audio.digest} {self.prompt}" if isinstance(self.prompt, str) else audio.digest

    @property
    def _bridge_s(self) -> float:
        """Seconds to repeat where there is no pause; only of transcripts is it known what to do."""
        is_transcript = not isinstance(self.prompt, str) and not self.overlap_s
        return min(BRIDGE_S, self.limit_s / 4) if is_transcript else 0.0

    def _describe(self) -> str:
        prompt = self.prompt.text if isinstance(self.prompt, SystemMessage) else self.prompt
        hot_words = [self.hot_words] if self.hot_words else []
        settings = self.llm._identifying_params  # noqa: SLF001
        return describe_settings(settings, type(self.prompt).__name__, prompt, *hot_words)

    # --- requests ---

    def transcribe(self, task: SegmentTask, _store: Checkpoint, ended: threading.Event) -> Answer:
        """Request the transcript of a segment, or of shorter parts of it."""
        return self._request(_segment_of(task), ended)

    async def atranscribe(self, task: SegmentTask, _store: Checkpoint) -> Answer:
        """Request the transcript of a segment; see `transcribe`."""
        return await self._arequest(_segment_of(task))

    def _request(self, segment: Segment, ended: threading.Event) -> Answer:
        audio, messages, attempts = self._begin(segment)
        if ended.is_set():  # while it was encoded, or between the parts of a segment
            raise CancelledError
        with self._made(segment, audio):
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

    async def _arequest(self, segment: Segment) -> Answer:
        audio, messages, attempts = await asyncio.to_thread(self._begin, segment)
        with self._made(segment, audio):
            while True:
                try:
                    answer = read_answer(await self.llm.ainvoke(messages, max_retries=0))
                    break
                except ModelError as error:
                    await asyncio.sleep(attempts.wait_s(error))
        shorter = await asyncio.to_thread(self._shorter, audio, answer)
        return join_answers(answer, [await self._arequest(it) for it in shorter])

    def _begin(self, segment: Segment) -> tuple[Audio, list[BaseMessage], Attempts]:
        """Wait until a segment is encoded; make what is sent, and what decides about retries."""
        audio = segment.encode()
        if segment.is_made:
            audio.hold_base64()
        return audio, self._messages(audio), Attempts(self.llm.model, self.llm.max_retries)

    def _made(self, segment: Segment, audio: Audio) -> AbstractContextManager[None]:
        """Send a segment as it is, if it was made for the model."""
        return made_clip(audio, self._profile) if segment.is_made else nullcontext()

    def _shorter(self, audio: Audio, answer: Answer) -> list[Segment]:
        """Split a segment whose answer was cut off; a short one stays as it is."""
        if answer.finish_reason is None:
            return []
        is_splittable = answer.finish_reason == "length" and audio.duration_s > SHORTEST_S
        effect = "shorter parts of it are requested" if is_splittable else "it is not whole"
        cause = f"finish_reason={answer.finish_reason}"
        logger.warning("%s: the answer was cut off (%s): %s", audio.name, cause, effect)
        if not is_splittable:
            return []
        return [*split_recording(audio, self._profile, SHORTER * audio.duration_s)]

    def _messages(self, audio: Audio) -> list[BaseMessage]:
        content: list[Any] = [audio.to_block()]
        prompt = self.prompt
        if isinstance(prompt, SystemMessage):
            text, system = None, "\n".join(it for it in (prompt.text, self.context) if it)
        else:
            system = self.context
            text = TRANSCRIBE if prompt is None and self.llm.route().profile.text else prompt
        request = HumanMessage([*content, {"type": "text", "text": text}] if text else content)
        return [SystemMessage(system), request] if system else [request]


def _segment_of(task: SegmentTask) -> Segment:
    assert isinstance(task.audio, Segment)  # noqa: S101  # `tasks` makes no others
    return task.audio
