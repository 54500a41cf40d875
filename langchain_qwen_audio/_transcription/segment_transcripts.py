"""The transcript of one segment, and the sentences in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.durations import format_time
from langchain_qwen_audio.transcripts import Sentence

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata


@dataclass(frozen=True)
class SegmentTranscript:
    """The transcript of one segment, or why there is none.

    Attributes:
        source: The recording.
        segment: The number of the segment in it, from 0; in its channel, if each is transcribed.
        start_s: Where the segment begins, in seconds.
        end_s: Where it ends.
        new_s: Seconds that were sent of it, and that the one before did not have.
        skipped_s: Seconds of silence, since the end of the one before, that were not sent.
        continues: Whether it ends within sound, so that the next one repeats its end.
        is_silent: Whether it is silence that was not sent: the end of a recording, or all of it.
        length_s: Seconds of the whole recording, if its headers say.
        track: The sound track, if the recording has several.
        channel: The channel, if one was chosen.
        is_first: Whether a recording begins with this segment.
        content_key: What tells the recording, and what the prompt wants of it, from others of the
            same name, for the ids of documents; "" if it could not be read.
        text: What the model wrote.
        sentences: Its sentences, with times in seconds of the recording, if the model tells them.
        model: The model that wrote it.
        language: The language of the speech, if the model tells.
        emotion: The emotion of the speech, if the model tells.
        usage: The tokens used.
        billed_s: The seconds that the service bills, if it reports them.
        gaps: What the service bills, and does not count.
        finish_reason: Why the text is not whole ("length"); None if it is.
        from_checkpoint: An earlier run paid for it; it costs nothing now.
        error: What went wrong, if something did.
    """

    source: str
    segment: int
    start_s: float
    end_s: float
    new_s: float = 0.0
    skipped_s: float = 0.0
    continues: bool = False
    is_silent: bool = False
    length_s: float | None = None
    track: int | None = None
    channel: int | None = None
    is_first: bool = False
    content_key: str = ""
    text: str = ""
    sentences: tuple[Sentence, ...] = ()
    model: str | None = None
    language: str | None = None
    emotion: str | None = None
    usage: UsageMetadata | None = None
    billed_s: float | None = None
    gaps: tuple[str, ...] = ()
    finish_reason: str | None = None
    from_checkpoint: bool = False
    error: Exception | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether it is no document of its own: silence behind the last word of a recording."""
        return self.is_silent and not self.is_first

    @property
    def note(self) -> str:
        """What is wrong with it, for whoever reads the transcript; "" if nothing is."""
        place = f"{format_time(self.start_s)} to {format_time(self.end_s)}"
        if self.error is not None:
            error = f"{type(self.error).__name__}: {self.error}"
            return f"[{place} could not be transcribed: {error}]"
        if self.finish_reason is not None:
            return f"[the model did not finish {place}: finish_reason={self.finish_reason}]"
        return ""

    @property
    def noted_text(self) -> str:
        """The text, and what is wrong with it."""
        text = "" if self.error is not None else self.text
        return f"{text}\n{self.note}" if text and self.note else text or self.note

    @property
    def noted_sentences(self) -> list[Sentence]:
        """The sentences, or the whole text as one; and what is wrong with them."""
        if not self.sentences or self.error is not None:
            return [self._sentence(self.noted_text, self.start_s)]
        noted = [self._sentence(self.note, self.sentences[-1].end_s)] if self.note else []
        channel = self.channel
        if channel is None:
            return [*self.sentences, *noted]
        return [it.model_copy(update={"channel": channel}) for it in [*self.sentences, *noted]]

    def _sentence(self, text: str, start_s: float | None) -> Sentence:
        return Sentence(
            text=text,
            start_s=self.start_s if start_s is None else start_s,
            end_s=self.end_s,
            channel=self.channel,
            language=self.language,
            emotion=self.emotion,
        )


class SpeakerNumbers:
    """Keeps speakers of different segments apart, which the service numbers anew in each."""

    def __init__(self) -> None:
        self._taken = 0

    def apply(self, segment: SegmentTranscript) -> SegmentTranscript:
        """Number the speakers of the next segment on from those of its recording so far."""
        if segment.is_first:
            self._taken = 0
        speakers = [it.speaker for it in segment.sentences if it.speaker is not None]
        if not speakers:
            return segment
        before, self._taken = self._taken, self._taken + max(speakers) + 1
        moved = tuple(it.moved(0.0, speakers=before) for it in segment.sentences)
        return replace(segment, sentences=moved)
