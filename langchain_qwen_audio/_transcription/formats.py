"""Transcribed segments → text, SRT, WebVTT or JSON lines. All formats are in one table. Pure."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.documents import Document

# Players take a line with two times in it for the beginning of a cue, so a text has one per line.
_TIME = re.compile(r"(\d:\d{1,2}[.,]\d+)[ \t]*")
SUBTITLE_S = 10.0  # nobody can read a subtitle along that is shown for longer


class TranscriptFormat(Enum):
    """What a loader makes of a recording."""

    TEXT = "text"
    """One document with the whole text."""
    SEGMENTS = "segments"
    """One document per segment, with its start and end in seconds."""
    SRT = "srt"
    """One document in SubRip format."""
    VTT = "vtt"
    """One document in WebVTT format."""


class FormatSpec(NamedTuple):
    """How a transcript is written.

    Attributes:
        write: Makes the text of a file from the segments of one recording.
        suffix: What the file's name ends in, without the dot.
        segment_s: Seconds of the longest segment, if the format needs short ones.
    """

    write: Callable[[Iterable[Document]], str]
    suffix: str
    segment_s: float | None = None


def write_text(segments: Iterable[Document]) -> str:
    """Write the text alone, one paragraph per segment."""
    return "\n\n".join(text for text in (_text(segment) for segment in segments) if text)


def write_srt(segments: Iterable[Document]) -> str:
    """Write SubRip subtitles; a segment without text gets none.

    SubRip has no way to quote: `-->`, which begins a cue wherever players find it, is written "→".
    """
    return "\n".join(
        f"{number}\n{start} --> {end}\n{text.replace('-->', '→')}\n"
        for number, (start, end, text) in enumerate(_cues(segments, ","), 1)
    )


def write_vtt(segments: Iterable[Document]) -> str:
    """Write WebVTT subtitles; https://www.w3.org/TR/webvtt1/ ."""
    cues = [f"{start} --> {end}\n{_escaped(text)}\n" for start, end, text in _cues(segments, ".")]
    return "\n".join(["WEBVTT\n", *cues])


def write_jsonl(segments: Iterable[Document]) -> str:
    """Write one JSON object per segment and line: its metadata and its text."""
    rows = ({**segment.metadata, "text": segment.page_content} for segment in segments)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


FORMATS = {
    TranscriptFormat.TEXT: FormatSpec(write_text, "txt"),
    TranscriptFormat.SEGMENTS: FormatSpec(write_jsonl, "jsonl"),
    TranscriptFormat.SRT: FormatSpec(write_srt, "srt", SUBTITLE_S),
    TranscriptFormat.VTT: FormatSpec(write_vtt, "vtt", SUBTITLE_S),
}
FORMATS_BY_SUFFIX = {spec.suffix: spec for spec in FORMATS.values()}


def _cues(segments: Iterable[Document], decimal: str) -> Iterator[tuple[str, str, str]]:
    for segment in segments:
        if text := _without_empty_lines(_TIME.sub(r"\1\n", segment.page_content)):
            times = (segment.metadata.get(name, 0.0) for name in ("start_s", "end_s"))
            start, end = (_timestamp(seconds, decimal) for seconds in times)
            yield start, end, text


def _text(segment: Document) -> str:
    return _without_empty_lines(segment.page_content)


def _without_empty_lines(text: str) -> str:
    """Leave out empty lines, which end a cue."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def _timestamp(seconds: float, decimal: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}{decimal}{milliseconds:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
