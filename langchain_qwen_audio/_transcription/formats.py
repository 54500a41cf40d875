"""The segments of a recording → text, JSON, SRT, WebVTT or LRC; one table of formats. Pure."""

from __future__ import annotations

import json
from enum import Enum
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_qwen_audio._transcription.spoken import sort_by_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio.transcripts import Transcript

SUBTITLE_S = 10.0  # where only segments have times, so that those of their words can be estimated


class TranscriptFormat(Enum):
    """What a loader makes of a recording.

    Example:
        ```python
        QwenAudioLoader("meeting.mp3", transcript_format=TranscriptFormat.VTT)
        QwenAudioLoader("meeting.mp3", transcript_format="vtt")  # the same
        ```
    """

    TEXT = "text"
    """One document with the whole text; if the model tells speakers, a paragraph for each turn."""
    SEGMENTS = "segments"
    """One document per segment, with its start and end in seconds."""
    SENTENCES = "sentences"
    """One document per sentence, with its times and its speaker, if the model tells them; of other
    models, a segment is a sentence."""
    SPEAKERS = "speakers"
    """One document for all that a speaker says until another one speaks; without speakers, as
    SENTENCES."""
    WINDOWS = "windows"
    """One document for sentences of at most `window_s` seconds together, with no silence longer
    than `max_gap_s` in it; where several speak, its text says who."""
    JSON = "json"
    """One document with the `Transcript` as JSON."""
    SRT = "srt"
    """One document in SubRip format."""
    VTT = "vtt"
    """One document in WebVTT format, with a voice tag for each speaker."""
    LRC = "lrc"
    """One document in LRC format, a sentence a line, with times of words, if the model tells
    them."""


class FormatSpec(NamedTuple):
    """How a transcript is written.

    Attributes:
        write: Makes the text of a file from the segments of one recording.
        suffix: What the file's name ends in, without the dot.
        segment_s: Seconds of the longest segment, if the format needs short ones where the model
            tells no times.
    """

    write: Callable[[Sequence[SegmentTranscript]], str]
    suffix: str
    segment_s: float | None = None


def join_segments(segments: Sequence[SegmentTranscript]) -> Transcript:
    """Join the segments of a recording; those of several channels by time."""
    from langchain_qwen_audio.transcripts import (
        Transcript,
    )  # which the command's --help does without

    sentences = [it for segment in segments for it in segment.noted_sentences if it.text.strip()]
    return Transcript(
        text="\n\n".join(text for it in segments if (text := _paragraph(it.noted_text))),
        sentences=sort_by_time(sentences),
        language=language_of(segments),
    )


def language_of(segments: Iterable[SegmentTranscript]) -> str | None:
    """Take the language of a recording; None if it has several, or none is known."""
    known = {it.language for it in segments if it.language}
    return known.pop() if len(known) == 1 else None


def _paragraph(text: str) -> str:
    """Leave out empty lines, which stand between paragraphs."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def write_jsonl(segments: Sequence[SegmentTranscript]) -> str:
    """Write one JSON object per segment and line: its metadata, its text and its sentences."""
    rows = (_row(it) for it in segments if not it.is_left_out)
    return "".join(json.dumps(it, ensure_ascii=False) + "\n" for it in rows)


OF_A_SEGMENT = (
    *("source", "track", "channel", "segment", "start_s", "end_s"),
    *("model", "language", "emotion", "finish_reason"),
)


def describe_segment(segment: SegmentTranscript) -> dict[str, Any]:
    """Say what is known of a segment besides its text."""
    known = {name: getattr(segment, name) for name in OF_A_SEGMENT}
    metadata = {name: value for name, value in known.items() if value is not None}
    if segment.error is not None:
        metadata["error"] = f"{type(segment.error).__name__}: {segment.error}"
    return metadata


def _row(segment: SegmentTranscript) -> dict[str, Any]:
    sentences = [it.model_dump(exclude_none=True) for it in segment.sentences]
    more = {"sentences": sentences} if sentences else {}
    return {**describe_segment(segment), "text": segment.noted_text, **more}


def _of_all(
    write: Callable[[Transcript], str],
) -> Callable[[Sequence[SegmentTranscript]], str]:
    return lambda segments: write(join_segments(segments))


_TEXT, _SRT, _VTT, _LRC = (
    _of_all(methodcaller(name)) for name in ("to_text", "to_srt", "to_vtt", "to_lrc")
)
_JSON = _of_all(methodcaller("model_dump_json", indent=2))
FORMATS = {
    TranscriptFormat.TEXT: FormatSpec(_TEXT, "txt"),
    TranscriptFormat.SEGMENTS: FormatSpec(write_jsonl, "jsonl"),
    TranscriptFormat.SENTENCES: FormatSpec(write_jsonl, "jsonl"),
    TranscriptFormat.SPEAKERS: FormatSpec(_TEXT, "txt"),
    TranscriptFormat.WINDOWS: FormatSpec(write_jsonl, "jsonl"),
    TranscriptFormat.JSON: FormatSpec(_JSON, "json"),
    TranscriptFormat.SRT: FormatSpec(_SRT, "srt", SUBTITLE_S),
    TranscriptFormat.VTT: FormatSpec(_VTT, "vtt", SUBTITLE_S),
    TranscriptFormat.LRC: FormatSpec(_LRC, "lrc", SUBTITLE_S),
}
# What the command writes: of two formats of one suffix, the first.
FORMATS_BY_SUFFIX: dict[str, TranscriptFormat] = {}
for format_, spec in FORMATS.items():
    FORMATS_BY_SUFFIX.setdefault(spec.suffix, format_)
