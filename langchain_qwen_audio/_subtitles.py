"""Transcribed segments → text, SRT, WebVTT or JSON lines. Pure."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_core.documents import Document


class TranscriptFormat(Enum):
    """What a loader makes of a recording."""

    TEXT = "text"
    """One document with the whole text."""
    SEGMENTS = "segments"
    """One document per segment, with the seconds it is from."""
    SRT = "srt"
    """One document in SubRip format."""
    VTT = "vtt"
    """One document in WebVTT format."""


def encode_text(segments: Iterable[Document]) -> str:
    """Write the text alone, a paragraph per segment."""
    return "\n\n".join(text for text in (_text(segment) for segment in segments) if text)


def encode_srt(segments: Iterable[Document]) -> str:
    """Write SubRip subtitles; a segment in which nothing is said has none."""
    return "\n".join(
        f"{number}\n{start} --> {end}\n{text}\n"
        for number, (start, end, text) in enumerate(_cues(segments, ","), 1)
    )


def encode_vtt(segments: Iterable[Document]) -> str:
    """Write WebVTT subtitles; https://www.w3.org/TR/webvtt1/ ."""
    cues = [f"{start} --> {end}\n{_escaped(text)}\n" for start, end, text in _cues(segments, ".")]
    return "\n".join(["WEBVTT\n", *cues])


def encode_jsonl(segments: Iterable[Document]) -> str:
    """Write a JSON object per segment and line: its text and all that is known of it."""
    rows: Iterator[dict[str, Any]] = (
        {**segment.metadata, "text": segment.page_content} for segment in segments
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def clock(seconds: float) -> str:
    """Write a time for people: `mm:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _cues(segments: Iterable[Document], decimal: str) -> Iterator[tuple[str, str, str]]:
    for segment in segments:
        if text := _text(segment):
            times = (segment.metadata.get(name, 0.0) for name in ("start_s", "end_s"))
            start, end = (_timestamp(seconds, decimal) for seconds in times)
            yield start, end, text


def _text(segment: Document) -> str:
    """Take the text without empty lines, which end a cue."""
    return "\n".join(line for line in segment.page_content.splitlines() if line.strip())


def _timestamp(seconds: float, decimal: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}{decimal}{milliseconds:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
