"""Subtitles as another program reads them: times, order, lines, marks, alphabets."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._transcription.formats import (
    FORMATS,
    FORMATS_BY_SUFFIX,
    TranscriptFormat,
    write_jsonl,
)
from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
from langchain_qwen_audio.errors import APIError
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.loading import loader_of, sync
from tests.unit_tests.recordings import tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Write = Callable[[Sequence[SegmentTranscript]], str]

write_text, write_srt, write_vtt = (
    FORMATS[TranscriptFormat(it)].write for it in ("text", "srt", "vtt")
)
WRITERS: dict[str, Write] = {"srt": write_srt, "vtt": write_vtt}
MAX_CUE_MS = 7_000
both_formats = pytest.mark.parametrize("kind", list(WRITERS))


def segment(text: str, start_s: float = 0.0, end_s: float = 1.0) -> SegmentTranscript:
    return SegmentTranscript("a.wav", 0, start_s, end_s, text=text)


def read(kind: str, text: str) -> list[tuple[int, int, str]]:
    """Read subtitles: milliseconds from, milliseconds to, and the text."""
    cues = pysubs2.SSAFile.from_string(text, format_=kind, keep_html_tags=True)
    texts = [cue.text.replace("\\N", "\n") for cue in cues]
    if kind == "vtt":
        texts = [html.unescape(it) for it in texts]
    return [(cue.start, cue.end, text) for cue, text in zip(cues, texts, strict=True)]


def written_and_read(kind: str, segments: list[SegmentTranscript]) -> list[tuple[int, int, str]]:
    return read(kind, WRITERS[kind](segments))


# --- times ------------------------------------------------------------------------------------

TIMES = [
    (0.0, 0.001),
    (0.0, 10.0),
    (59.9994, 59.9996),
    (59.9996, 60.0),
    (3599.5, 3600.5),
    (3661.25, 7322.5),
    (35_999.999, 36_000.0),
    (359_999.0, 359_999.999),
]


@both_formats
def test_times_are_kept_to_the_millisecond_also_beyond_an_hour(kind: str) -> None:
    cues = written_and_read(kind, [segment("x", *times) for times in TIMES])
    assert [(start, end) for start, end, _ in cues] == [
        (round(start * 1000), min(round(end * 1000), round(start * 1000) + MAX_CUE_MS))
        for start, end in TIMES
    ]


A_TIME = st.integers(0, 359_990_000)  # a cue may end some seconds later, and before 100 hours


@both_formats
@given(times=st.lists(st.tuples(A_TIME, A_TIME).map(sorted), max_size=8))
def test_any_times_are_read_as_they_were_written(kind: str, times: list[list[int]]) -> None:
    segments = [segment("x", start / 1000, end / 1000) for start, end in times]
    assert [(start, end) for start, end, _ in written_and_read(kind, segments)] == [
        (start, min(end if end > start else start + 1000, start + MAX_CUE_MS))
        for start, end in sorted(times, key=lambda it: it[0])
    ]


@both_formats
def test_cues_come_in_order_also_where_they_overlap(kind: str) -> None:
    segments = [segment(f"part {i}", i * 9.0, i * 9.0 + 10.0) for i in range(20)]
    cues = written_and_read(kind, segments)
    assert cues == [(i * 9000, i * 9000 + MAX_CUE_MS, f"part {i}") for i in range(20)]


def test_srt_cues_are_numbered_from_one_without_gaps() -> None:
    segments = [segment("one"), segment(""), segment(" \n "), segment("two", 1, 2)]
    blocks = write_srt(segments).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["1", "2"]


# --- texts ------------------------------------------------------------------------------------

TEXTS: dict[str, tuple[str, str]] = {
    "one line": ("Hello.", "Hello."),
    "several": ("First\nsecond\r\nthird", "First second third"),
    "empty lines, which would end a cue": ("First\n\n \nsecond\n", "First second"),
    "Chinese": ("欢迎来到录音室。", "欢迎来到录音室。"),
    "Arabic and emoji": ("مرحبا 👋🏽", "مرحبا 👋🏽"),
    "marks": ("AT&T: 1 < 2 > 0 & <i>so</i> &amp;", "AT&T: 1 < 2 > 0 & <i>so</i> &amp;"),
    "what looks like a number": ("7\nand more", "7 and more"),
    "what looks like a header": ("WEBVTT", "WEBVTT"),
    "what looks like a note": ("NOTE this", "NOTE this"),
}


@both_formats
def test_texts_are_read_as_they_were_written(kind: str) -> None:
    for name, (text, shown) in TEXTS.items():
        segments = [segment("before"), segment(text, 1, 2), segment("after", 2, 3)]
        assert written_and_read(kind, segments) == [
            (0, 1000, "before"),
            (1000, 2000, shown),
            (2000, 3000, "after"),
        ], name


INJECTED = {
    "a cue": "Yes.\n\n7\n00:00:05,000 --> 00:00:07,000\nNo.",
    "a cue, in WebVTT": "Yes.\r\n\r\n00:05.000 --> 00:07.000\r\nNo.",
    "a cue without an empty line": "Yes.\n7\n00:00:05,000 --> 00:00:07,000\nNo.",
    "a cue on one line": "00:00:05,000 --> 00:00:07,000",
    "separators of other kinds": "Yes.\x0b\x0c\x85\u2028\u2029\x1c7\n00:05.000 --> 00:07.000\nNo.",
    "arrows": "--> ---> -->--> this --> that",
}


# pysubs2 warns where a text looks like the start of a cue: that is what these texts are.
@pytest.mark.filterwarnings("ignore:Possible missed subtitle")
@both_formats
def test_no_text_begins_a_cue_of_its_own(kind: str) -> None:
    for name, text in INJECTED.items():
        # So short that it stays in one cue.
        written = WRITERS[kind]([segment(text, 0.0, 0.9), segment("after", 1, 2)])
        assert written.count("-->") == 2, name
        (first, _, shown), after = read(kind, written)
        assert (first, after) == (0, (1000, 2000, "after")), name
        words = text.replace("-->", "→" if kind == "srt" else "-->").split()
        assert shown.split() == words, name


def test_vtt_holds_no_mark_up_and_no_arrow_in_its_texts() -> None:
    for name, (text, _) in TEXTS.items():
        written = write_vtt([segment(text)])
        assert written.count("-->") == 1, name
        assert "<" not in written, name
        assert written.startswith("WEBVTT\n\n"), name


@both_formats
def test_a_segment_without_text_has_no_cue(kind: str) -> None:
    empty: list[list[SegmentTranscript]] = [[], [segment("")], [segment("\n"), segment("  ")]]
    for segments in empty:
        written = WRITERS[kind](segments)
        assert "-->" not in written
        assert written == {"srt": "", "vtt": "WEBVTT\n"}[kind]


def test_text_is_a_paragraph_for_each_segment_with_text() -> None:
    segments = [segment("One.\n\nStill one."), segment(" "), segment("两。")]
    assert write_text(segments) == "One.\nStill one.\n\n两。"


def test_json_lines_hold_all_that_is_known() -> None:
    segments = [
        SegmentTranscript("录音.wav", 0, 0.0, 9.0, text="一\n二", language="zh"),
        SegmentTranscript("录音.wav", 1, 9.0, 10.0, error=APIError("no")),
    ]
    rows = write_jsonl(segments).splitlines()
    place = {"source": "录音.wav", "start_s": 0.0, "end_s": 9.0, "segment": 0}
    note = "[00:09 to 00:10 could not be transcribed: APIError: no]"
    assert [json.loads(row) for row in rows] == [
        {**place, "language": "zh", "text": "一\n二"},
        {
            **place,
            "start_s": 9.0,
            "end_s": 10.0,
            "segment": 1,
            "error": "APIError: no",
            "text": note,
        },
    ]
    assert "录音" in rows[0]


# --- the table --------------------------------------------------------------------------------


def test_every_format_is_in_the_table_under_its_own_suffix() -> None:
    assert set(FORMATS) == set(TranscriptFormat)
    assert FORMATS_BY_SUFFIX == {
        "txt": TranscriptFormat.TEXT,
        "jsonl": TranscriptFormat.SEGMENTS,
        "json": TranscriptFormat.JSON,
        "srt": TranscriptFormat.SRT,
        "vtt": TranscriptFormat.VTT,
        "lrc": TranscriptFormat.LRC,
    }
    assert [format_ for format_, spec in FORMATS.items() if spec.segment_s] == [
        TranscriptFormat.SRT,
        TranscriptFormat.VTT,
        TranscriptFormat.LRC,
    ]


# --- from a recording -------------------------------------------------------------------------


@both_formats
def test_the_subtitles_of_a_recording_stand_while_it_is_played(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.wav").write_bytes(wav(tone(25)))
    with LocalDashScope(replies=["第一句。\n\n第二句。", "", "a < b & c"]) as server:
        (document,) = sync(
            loader_of(server, tmp_path, transcript_format=TranscriptFormat(kind), max_concurrency=1)
        )
    assert read(kind, document.page_content) == [
        (0, 5_000, "第一句。"),
        (5_000, 10_000, "第二句。"),
        (20_000, 25_000, "a < b & c"),
    ]
