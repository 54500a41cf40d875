"""A model's answer about a segment, or a job's transcript → what is stored of it."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from langchain_core.messages.ai import UsageMetadata, add_usage
from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from langchain_qwen_audio.costs import gaps_of, is_from_cache
from langchain_qwen_audio.transcripts import Sentence, Transcript

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


@with_config(ConfigDict(extra="forbid", strict=True))
class StoredAnswer(TypedDict):
    """What a checkpoint keeps of a segment."""

    text: str
    model: str | None
    language: str | None
    emotion: str | None
    usage: UsageMetadata | None
    sentences: list[Sentence]


STORED = TypeAdapter(StoredAnswer)


class Answer(NamedTuple):
    """What a model wrote about a segment, and why it stopped before the end, if it did."""

    values: StoredAnswer
    finish_reason: str | None
    seconds: float | None = None  # what the service bills, if it reports that
    gaps: tuple[str, ...] = ()  # what it bills, and does not count


# What LangChain's own cache had, nobody bills.
_NOTHING = UsageMetadata(
    input_tokens=0, output_tokens=0, total_tokens=0, input_token_details={"audio": 0}
)


def read_answer(message: AIMessage) -> Answer:
    """Take from a message what is kept of it."""
    is_free = is_from_cache(message)
    info = Transcript.from_message(message)
    values: StoredAnswer = {
        "text": message.text.strip(),
        "model": message.response_metadata.get("model_name"),
        "language": info.language,
        "emotion": info.emotion,
        "usage": _NOTHING if is_free else message.usage_metadata,
        "sentences": info.sentences,
    }
    reason = message.response_metadata.get("finish_reason")
    seconds = 0.0 if is_free else message.response_metadata.get("seconds")
    gaps = () if is_free else gaps_of(message)
    return Answer(values, None if reason == "stop" else reason, seconds, gaps)


def read_transcript(transcript: Transcript, model: str, usage: UsageMetadata | None) -> Answer:
    """Take from the transcript of a job what is kept of it.

    Args:
        transcript: The transcript of a whole recording.
        model: The model of the job.
        usage: The tokens that are billed, if the job says so.
    """
    languages = {it.language for it in transcript.sentences}
    values: StoredAnswer = {
        "text": transcript.text.strip(),
        "model": model,
        "language": languages.pop() if len(languages) == 1 else None,
        "emotion": None,
        "usage": usage,
        "sentences": transcript.sentences,
    }
    return Answer(values, None, transcript.seconds)


def join_answers(cut: Answer, parts: list[Answer]) -> Answer:
    """Join the answers about the parts of a segment, in place of the one that was cut off."""
    if not parts:
        return cut
    values: StoredAnswer = {
        **parts[0].values,
        "text": "\n".join(text for it in parts if (text := it.values["text"])),
        "usage": reduce(add_usage, (it.values["usage"] for it in [cut, *parts])),
        "sentences": [],  # models that tell times do not say that they were cut off
    }
    reasons = (it.finish_reason for it in parts if it.finish_reason)
    seconds = [it.seconds for it in [cut, *parts]]
    known = [it for it in seconds if it is not None]
    billed_s = sum(known) if len(known) == len(seconds) else None
    return Answer(values, next(reasons, None), billed_s, cut.gaps)
