"""The answer of a model of speech recognition → a typed transcript: sentences, words and times."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from langchain_qwen_audio._response.usage import finite_or_none
from langchain_qwen_audio._transcription.spoken import common_value, join_spoken, sort_by_time
from langchain_qwen_audio._transcription.subtitles import write_lrc, write_srt, write_vtt
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

_FROZEN = ConfigDict(frozen=True, extra="forbid")
_IN_COMMON = ("speaker", "channel", "language", "emotion")


class Word(BaseModel):
    """A word of a sentence, and when it is spoken.

    Attributes:
        text: The word, without its punctuation.
        punctuation: The mark that follows it, or "".
        start_s: Where it starts, in seconds of the recording; None if not known.
        end_s: Where it ends.
        speaker: The number of the speaker, where speakers were requested.

    Example:
        ```python
        from langchain_qwen_audio.transcripts import Word

        word = Word(text="Hello", punctuation="!", start_s=0.2, end_s=0.7)
        print(word.text + word.punctuation, word.end_s - word.start_s)
        ```
    """

    model_config = _FROZEN

    text: str
    punctuation: str = ""
    start_s: float | None = None
    end_s: float | None = None
    speaker: int | None = None


class Sentence(BaseModel):
    """A sentence of a transcript; what the service does not say is None.

    Attributes:
        text: The sentence.
        start_s: Where it starts, in seconds of the recording.
        end_s: Where it ends.
        speaker: The number of the speaker, where speakers were requested.
        channel: The number of the channel.
        language: The language of the speech, as "zh" or "en".
        emotion: One of surprised, neutral, happy, sad, disgusted, angry, fearful.
        words: Its words, in order.

    Example:
        ```python
        from langchain_qwen_audio.transcripts import Sentence

        print(Sentence(text="Hello!", start_s=0.2, end_s=0.7, speaker=1))
        ```
    """

    model_config = _FROZEN

    text: str
    start_s: float | None = None
    end_s: float | None = None
    speaker: int | None = None
    channel: int | None = None
    language: str | None = None
    emotion: str | None = None
    words: list[Word] = []

    @classmethod
    def from_service(cls, raw: dict[str, Any]) -> Sentence:
        """Read it from a sentence as the service writes it, in jobs, replies and live events."""
        return cls(
            text=_string_or_none(raw.get("text")) or "",
            **_times(raw),
            speaker=_int_or_none(raw.get("speaker_id")),
            channel=_int_or_none(raw.get("channel_id")),
            language=_string_or_none(raw.get("language")),
            emotion=_string_or_none(raw.get("emotion")),
            words=[_word(it) for it in _dicts(raw.get("words"))],
        )

    @property
    def label(self) -> str:
        """Who speaks: "Speaker 0", or "Channel 0" where the channel alone is known; or ""."""
        if self.speaker is not None:
            return f"Speaker {self.speaker}"
        return "" if self.channel is None else f"Channel {self.channel}"

    @classmethod
    def joined(cls, sentences: Sequence[Sentence]) -> Sentence:
        """Join sentences into one; what they do not have in common is None."""
        starts = [it.start_s for it in sentences if it.start_s is not None]
        ends = [it.end_s for it in sentences if it.end_s is not None]
        return cls(
            text=join_spoken(it.text for it in sentences),
            start_s=min(starts, default=None),
            end_s=max(ends, default=None),
            words=[word for it in sentences for word in it.words],
            **{name: common_value(sentences, name) for name in _IN_COMMON},
        )

    def moved(self, seconds: float, *, speakers: int = 0) -> Sentence:
        """Move it in time, as from a segment into its recording.

        Args:
            seconds: Seconds to add to all times.
            speakers: What to add to the numbers of speakers.
        """
        words = [
            it.model_copy(update=_moved(it, seconds) | _renumbered(it, speakers))
            for it in self.words
        ]
        changes = _moved(self, seconds) | _renumbered(self, speakers)
        return self.model_copy(update={**changes, "words": words})

    def __str__(self) -> str:
        """Write it on a line, behind its times and its speaker."""
        return _line(self, "" if self.speaker is None else self.label)


class Transcript(BaseModel):
    """What a model of speech recognition says of a recording; what it does not say is None.

    `str()` writes a sentence a line. `model_dump_json` and `model_validate_json` store and load it.

    https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
    https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference (language and emotion)

    Attributes:
        text: The whole text.
        sentences: Its sentences, with times in seconds. qwen3-asr-flash tells none.
        language: The language of the whole recording; qwen3-asr-flash alone tells it.
        emotion: The emotion of the whole recording; qwen3-asr-flash alone tells it.
        seconds: The length of the recording that is billed.

    Example:
        ```python
        asr = ChatQwenAudio(model="qwen-audio-3.1-asr-flash")
        recording = Audio.from_path("welcome.wav").to_block()
        transcript = Transcript.from_message(asr.invoke([{"role": "user", "content": [recording]}]))
        print(transcript.sentences[0].start_s, transcript.to_srt())
        ```
    """

    model_config = _FROZEN

    text: str = ""
    sentences: list[Sentence] = []
    language: str | None = None
    emotion: str | None = None
    seconds: float | None = None

    @classmethod
    def from_message(cls, message: BaseMessage) -> Transcript:
        """Read it from an answer of `invoke`, or from the sum of the chunks of a stream."""
        metadata = message.response_metadata
        annotations = _dicts(metadata.get("annotations"))
        info = next((it for it in annotations if it.get("type") == "audio_info"), {})
        return cls(
            text=message.text,
            sentences=[Sentence.from_service(it) for it in _dicts(metadata.get("sentences"))],
            language=_string_or_none(info.get("language")),
            emotion=_string_or_none(info.get("emotion")),
            seconds=finite_or_none(metadata.get("seconds")),
        )

    @classmethod
    def from_job_result(
        cls, result: Mapping[str, Any], *, seconds: float | None = None
    ) -> Transcript:
        """Read it from the JSON that lies at the `transcription_url` of a job.

        The sentences of several channels are merged by the time when they start, each with its
        `channel`; `text` then has a line for each.

        https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api

        Args:
            result: The JSON, of whichever model.
            seconds: The length that is billed, which the job says and its result does not.

        Raises:
            APIError: There are no transcripts in it.
        """
        channels = result.get("transcripts")
        if not isinstance(channels, list):
            raise APIError(
                f"the result of the job has no transcripts in it, only {', '.join(result)[:200]}"
            )
        sentences = [it for channel in _dicts(channels) for it in _sentences_of(channel)]
        if len(channels) == 1:
            text = "".join(_string_or_none(it.get("text")) or "" for it in _dicts(channels))
            text = text or join_spoken(it.text for it in sentences)
            return cls(text=text, sentences=sentences, seconds=seconds)
        sentences = sort_by_time(sentences)
        text = "\n".join(it.text for it in sentences)
        return cls(text=text, sentences=sentences, seconds=seconds)

    def to_text(self) -> str:
        """Write the text alone; where several speak, a paragraph for each turn, with its speaker.

        Example:
            ```python
            print(transcript.to_text())  # Speaker 0: Hello.
            ```
        """
        turns = self.turns()
        if len({turn.label for turn in turns}) < 2:
            return self.text
        return "\n\n".join(f"{turn.label}: {turn.text}".removeprefix(": ") for turn in turns)

    def turns(self) -> list[Sentence]:
        """Join the sentences that one speaker says until another one speaks."""
        groups = (list(group) for _, group in groupby(self.sentences, lambda it: it.label))
        return [Sentence.joined(group) for group in groups]

    def to_srt(self) -> str:
        """Write SubRip subtitles that can be read along.

        A cue has at most two lines of 42 characters (20 in Chinese, Japanese and Korean), and is
        shown for 7 s at most. It ends with a sentence, or between words. Where words have no times,
        theirs are estimated by their length.

        Raises:
            ValueError: A sentence has no times.

        Example:
            `Path("call.srt").write_text(transcript.to_srt())`
        """
        return write_srt(self._timed())

    def to_vtt(self) -> str:
        """Write WebVTT subtitles, with a voice tag where it is known who speaks; see `to_srt`.

        Raises:
            ValueError: A sentence has no times.
        """
        return write_vtt(self._timed())

    def to_lrc(self) -> str:
        """Write lyrics (LRC): a sentence a line, with the times of words, if they are known.

        Raises:
            ValueError: A sentence has no times.
        """
        return write_lrc(self._timed())

    def to_jsonl(self) -> str:
        """Write a sentence a line, as JSON; what is not known is left out."""
        rows = (it.model_dump_json(exclude_none=True) for it in self.sentences)
        return "".join(f"{row}\n" for row in rows)

    def _timed(self) -> list[Sentence]:
        if not self.sentences and self.text.strip():
            return [Sentence(text=self.text)]  # which has no times
        return self.sentences

    def __str__(self) -> str:
        """Write a sentence a line, behind its times and who speaks; or the text, without any."""
        several = len({it.label for it in self.sentences}) > 1
        lines = (_line(it, it.label) if several else str(it) for it in self.sentences)
        return "\n".join(lines) or self.text


def _sentences_of(channel: dict[str, Any]) -> list[Sentence]:
    """Read the sentences of one channel of a job's result; a text without any is one."""
    whole = [{"text": channel["text"]}] if channel.get("text") else []
    sentences = [Sentence.from_service(it) for it in _dicts(channel.get("sentences")) or whole]
    if (number := _int_or_none(channel.get("channel_id"))) is None:
        return sentences
    return [it.model_copy(update={"channel": number}) for it in sentences]


def _word(raw: dict[str, Any]) -> Word:
    return Word(
        text=_string_or_none(raw.get("text")) or "",
        punctuation=_string_or_none(raw.get("punctuation")) or "",
        **_times(raw),
        speaker=_int_or_none(raw.get("speaker_id")),
    )


def _dicts(value: object) -> list[dict[str, Any]]:
    return [it for it in value if isinstance(it, dict)] if isinstance(value, list) else []


def _string_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _times(raw: dict[str, Any]) -> dict[str, Any]:
    """Read the times; nothing starts before the recording, or ends before it starts."""
    start_s, end_s = _seconds(raw.get("begin_time")), _seconds(raw.get("end_time"))
    if start_s is not None and end_s is not None:
        end_s = max(start_s, end_s)
    return {"start_s": start_s, "end_s": end_s}


def _seconds(milliseconds: object) -> float | None:
    number = finite_or_none(milliseconds)
    return None if number is None else max(0.0, number / 1000)


def _moved(timed: Word | Sentence, seconds: float) -> dict[str, float | None]:
    times = {"start_s": timed.start_s, "end_s": timed.end_s}
    return {name: None if it is None else round(it + seconds, 3) for name, it in times.items()}


def _renumbered(spoken: Word | Sentence, by: int) -> dict[str, int | None]:
    return {"speaker": None if spoken.speaker is None else spoken.speaker + by}


def _line(sentence: Sentence, label: str) -> str:
    start_s, end_s = sentence.start_s, sentence.end_s
    times = "" if start_s is None else f"[{_clock(start_s)} - {_clock(end_s)}] "
    return f"{times}{label}: {sentence.text}" if label else f"{times}{sentence.text}"


def _clock(seconds: float | None) -> str:
    """Write a time as minutes and seconds: 01:02.5."""
    if seconds is None:
        return "?"
    tenths = round(seconds * 10)
    return f"{tenths // 600:02}:{tenths % 600 // 10:02}.{tenths % 10}"
