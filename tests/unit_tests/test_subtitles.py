"""Subtitles as another program reads them: times, order, lines, marks, alphabets."""

from __future__ import annotations

import asyncio
import html
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._subtitles import (
    TranscriptFormat,
    clock,
    encode_jsonl,
    encode_srt,
    encode_text,
    encode_vtt,
)
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope

from .recordings import tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Encode = Callable[[Iterable[Document]], str]

ENCODERS: dict[str, Encode] = {"srt": encode_srt, "vtt": encode_vtt}
both_formats = pytest.mark.parametrize("kind", list(ENCODERS))


def segment(text: str, start_s: float = 0.0, end_s: float = 1.0) -> Document:
    return Document(text, metadata={"start_s": start_s, "end_s": end_s})


def read(kind: str, text: str) -> list[tuple[int, int, str]]:
    """Read subtitles: milliseconds from, milliseconds to, and the text."""
    cues = pysubs2.SSAFile.from_string(text, format_=kind, keep_html_tags=True)
    texts = [cue.text.replace("\\N", "\n") for cue in cues]
    if kind == "vtt":
        texts = [html.unescape(it) for it in texts]
    return [(cue.start, cue.end, text) for cue, text in zip(cues, texts, strict=True)]


def written_and_read(kind: str, segments: list[Document]) -> list[tuple[int, int, str]]:
    return read(kind, ENCODERS[kind](segments))


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
        (round(start * 1000), round(end * 1000)) for start, end in TIMES
    ]


@both_formats
@given(
    times=st.lists(
        st.tuples(st.integers(0, 359_999_000), st.integers(0, 359_999_000)).map(sorted), max_size=8
    )
)
def test_any_times_are_read_as_they_were_written(kind: str, times: list[list[int]]) -> None:
    segments = [segment("x", start / 1000, end / 1000) for start, end in times]
    assert [[start, end] for start, end, _ in written_and_read(kind, segments)] == times


@both_formats
def test_cues_come_in_order_also_where_they_overlap(kind: str) -> None:
    segments = [segment(f"part {i}", i * 9.0, i * 9.0 + 10.0) for i in range(20)]
    cues = written_and_read(kind, segments)
    assert cues == [(i * 9000, i * 9000 + 10_000, f"part {i}") for i in range(20)]


def test_srt_cues_are_numbered_from_one_without_gaps() -> None:
    segments = [segment("one"), segment(""), segment(" \n "), segment("two", 1, 2)]
    blocks = encode_srt(segments).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["1", "2"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "00:00"),
        (59.999, "00:59"),
        (61.0, "01:01"),
        (3599.0, "59:59"),
        (3600.0, "1:00:00"),
        (36_061.5, "10:01:01"),
    ],
)
def test_people_read_minutes_and_hours(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# --- texts ------------------------------------------------------------------------------------

TEXTS: dict[str, tuple[str, str]] = {
    "one line": ("Hello.", "Hello."),
    "several": ("First.\nSecond.\r\nThird.", "First.\nSecond.\nThird."),
    "empty lines, which would end a cue": ("First.\n\n \nSecond.\n", "First.\nSecond."),
    "Chinese": ("欢迎来到录音室。\n请对着麦克风说话。", "欢迎来到录音室。\n请对着麦克风说话。"),
    "Arabic and emoji": ("مرحبا 👋🏽", "مرحبا 👋🏽"),
    "marks": ("AT&T: 1 < 2 > 0 & <i>so</i> &amp;", "AT&T: 1 < 2 > 0 & <i>so</i> &amp;"),
    "an arrow": ("this --> that", "this --> that"),
    "what looks like a number": ("7\nand more", "7\nand more"),
    "what looks like a header": ("WEBVTT", "WEBVTT"),
    "what looks like a note": ("NOTE this", "NOTE this"),
}


@both_formats
@pytest.mark.parametrize(("text", "shown"), TEXTS.values(), ids=TEXTS)
def test_texts_are_read_as_they_were_said(kind: str, text: str, shown: str) -> None:
    segments = [segment("before"), segment(text, 1, 2), segment("after", 2, 3)]
    assert written_and_read(kind, segments) == [
        (0, 1000, "before"),
        (1000, 2000, shown),
        (2000, 3000, "after"),
    ]


@pytest.mark.parametrize("text", [text for text, _ in TEXTS.values()])
def test_vtt_holds_no_mark_up_and_no_arrow_in_its_texts(text: str) -> None:
    written = encode_vtt([segment(text)])
    assert written.count("-->") == 1
    assert "<" not in written
    assert written.startswith("WEBVTT\n\n")


@both_formats
@pytest.mark.parametrize("segments", [[], [segment("")], [segment("\n"), segment("  ")]])
def test_where_nothing_is_said_there_is_no_cue(kind: str, segments: list[Document]) -> None:
    written = ENCODERS[kind](segments)
    assert "-->" not in written
    assert written == {"srt": "", "vtt": "WEBVTT\n"}[kind]


def test_text_is_a_paragraph_for_each_segment_in_which_something_is_said() -> None:
    segments = [segment("One.\n\nStill one."), segment(" "), segment("两。")]
    assert encode_text(segments) == "One.\nStill one.\n\n两。"


def test_json_lines_hold_all_that_is_known() -> None:
    segments = [
        Document("一\n二", metadata={"source": "录音.wav", "start_s": 0.0, "language": "zh"}),
        Document("", metadata={"error": "no"}),
    ]
    rows = encode_jsonl(segments).splitlines()
    assert [json.loads(row) for row in rows] == [
        {"source": "录音.wav", "start_s": 0.0, "language": "zh", "text": "一\n二"},
        {"error": "no", "text": ""},
    ]
    assert "录音" in rows[0]


# --- from a recording -------------------------------------------------------------------------


def sync(loader: QwenAudioLoader) -> list[Document]:
    return list(loader.lazy_load())


def asynchronous(loader: QwenAudioLoader) -> list[Document]:
    return asyncio.run(loader.aload())


@pytest.mark.parametrize("load", [sync, asynchronous], ids=["sync", "async"])
@both_formats
def test_a_recordings_subtitles_stand_while_it_is_heard(
    load: Callable[[QwenAudioLoader], list[Document]], tmp_path: Path, kind: str
) -> None:
    samples = tone(25)
    samples[10 * 16_000 :] = np.roll(samples[10 * 16_000 :], 5)
    (tmp_path / "a.wav").write_bytes(wav(samples))
    said = ["第一句。\n\n第二句。", "", "a < b & c"]
    with LocalDashScope(replies=said) as server:
        fields: dict[str, Any] = {"base_url": server.base_url, "api_key": "local"}
        llm = ChatQwenAudio(model="qwen3-asr-flash", **fields)
        transcript_format = TranscriptFormat(kind)
        (document,) = load(
            QwenAudioLoader(
                tmp_path, llm=llm, transcript_format=transcript_format, max_concurrency=1
            )
        )
    assert read(kind, document.page_content) == [
        (0, 10_000, "第一句。\n第二句。"),
        (20_000, 25_000, "a < b & c"),
    ]
