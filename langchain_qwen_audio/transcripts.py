"""The answer of a model of speech recognition → a typed transcript: sentences, words and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from langchain_qwen_audio._response.usage import finite_or_none
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import BaseMessage

_FROZEN = ConfigDict(frozen=True, extra="forbid")


class Word(BaseModel):
    """A word of a sentence, and when it is spoken.

    Attributes:
        text: The word, without its punctuation.
        punctuation: The mark that follows it, or "".
        start_s: Where it starts, in seconds of the recording; None if not known.
        end_s: Where it ends.
        speaker: The number of the speaker, where speakers were requested.
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

    def __str__(self) -> str:
        """Write it on a line, behind its times and its speaker."""
        times = "" if self.start_s is None else f"[{_clock(self.start_s)} - {_clock(self.end_s)}] "
        speaker = "" if self.speaker is None else f"Speaker {self.speaker}: "
        return f"{times}{speaker}{self.text}"


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
        `Transcript.from_message(model.invoke([message])).sentences[0].start_s`
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
            sentences=[_sentence(it) for it in _dicts(metadata.get("sentences"))],
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
            return cls(text=text, sentences=sentences, seconds=seconds)
        sentences.sort(key=lambda it: 0.0 if it.start_s is None else it.start_s)
        text = "\n".join(it.text for it in sentences)
        return cls(text=text, sentences=sentences, seconds=seconds)

    def __str__(self) -> str:
        """Write a sentence a line, behind its times and its speaker; or the text, without any."""
        return "\n".join(map(str, self.sentences)) or self.text


def _sentences_of(channel: dict[str, Any]) -> list[Sentence]:
    """Read the sentences of one channel of a job's result; a text without any is one."""
    number = {"channel_id": channel.get("channel_id")}
    whole = [{"text": channel["text"]}] if channel.get("text") else []
    return [_sentence(number | it) for it in _dicts(channel.get("sentences")) or whole]


def _sentence(raw: dict[str, Any]) -> Sentence:
    return Sentence(
        text=_string_or_none(raw.get("text")) or "",
        start_s=_seconds(raw.get("begin_time")),
        end_s=_seconds(raw.get("end_time")),
        speaker=_int_or_none(raw.get("speaker_id")),
        channel=_int_or_none(raw.get("channel_id")),
        language=_string_or_none(raw.get("language")),
        emotion=_string_or_none(raw.get("emotion")),
        words=[_word(it) for it in _dicts(raw.get("words"))],
    )


def _word(raw: dict[str, Any]) -> Word:
    return Word(
        text=_string_or_none(raw.get("text")) or "",
        punctuation=_string_or_none(raw.get("punctuation")) or "",
        start_s=_seconds(raw.get("begin_time")),
        end_s=_seconds(raw.get("end_time")),
        speaker=_int_or_none(raw.get("speaker_id")),
    )


def _dicts(value: object) -> list[dict[str, Any]]:
    return [it for it in value if isinstance(it, dict)] if isinstance(value, list) else []


def _string_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(milliseconds: object) -> float | None:
    number = finite_or_none(milliseconds)
    return None if number is None else number / 1000


def _clock(seconds: float | None) -> str:
    """Write a time as minutes and seconds: 01:02.5."""
    if seconds is None:
        return "?"
    tenths = round(seconds * 10)
    return f"{tenths // 600:02}:{tenths % 600 // 10:02}.{tenths % 10}"
