"""Sentences joined into windows of about so many seconds, with no long silence in them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._transcription.windows import join_window, split_windows
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from langchain_qwen_audio.transcripts import Sentence, Word
from tests.unit_tests.loading import asynchronous, loader_of, sync
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.recordings import tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit_tests.loading import Load


def at(start_s: float | None, end_s: float | None, **facts: Any) -> Sentence:
    return Sentence(**{"text": f"{start_s}.", **facts}, start_s=start_s, end_s=end_s)


# The sentences' times → how many sentences each window has, of 10 s and gaps of 2 s at most.
TABLE: dict[str, tuple[list[tuple[float | None, float | None]], list[int]]] = {
    "none": ([], []),
    "one": ([(0, 3)], [1]),
    "as many as fit": ([(0, 5), (5, 10), (10, 15)], [2, 1]),
    "counted from the first": ([(100, 105), (105, 110), (110, 111)], [2, 1]),
    "one that is too long": ([(0, 25)], [1]),
    "one that is too long, between others": ([(0, 1), (1, 26), (26, 27)], [1, 1, 1]),
    "a silence": ([(0, 1), (3, 4), (6.5, 7)], [2, 1]),
    "a silence that is as long as may be": ([(0, 1), (3, 4)], [2]),
    "two that overlap": ([(0, 4), (3, 6)], [2]),
    "one within another, and then silence": ([(0, 6), (1, 2), (7, 8)], [3]),
    "times that are not known": ([(None, None), (None, None)], [2]),
    "one whose time is not known": ([(0, 9), (None, None), (9, 12)], [2, 1]),
}


def test_windows() -> None:
    for name, (times, sizes) in TABLE.items():
        windows = split_windows([at(*it) for it in times], 10.0, 2.0)
        assert [len(it) for it in windows] == sizes, name


lengths = st.floats(0, 30, allow_nan=False)


@given(
    st.lists(st.tuples(lengths, lengths), max_size=30),
    st.floats(1, 60),
    st.floats(0, 10),
    st.integers(0, 30),
)
def test_no_sentence_is_lost_or_doubled_and_no_window_is_too_long(
    steps: list[tuple[float, float]], window_s: float, max_gap_s: float, cut: int
) -> None:
    now_s, sentences = 0.0, []
    for number, (gap_s, length_s) in enumerate(steps):
        sentences.append(at(now_s + gap_s, now_s + gap_s + length_s, text=str(number)))
        now_s += gap_s + length_s
    windows = split_windows(sentences, window_s, max_gap_s)
    assert [it for window in windows for it in window] == sentences
    for window in windows:
        spans = [(it.start_s or 0.0, it.end_s or 0.0) for it in window]
        assert len(window) == 1 or spans[-1][1] - spans[0][0] <= window_s
        assert all(after - before <= max_gap_s for (_, before), (after, _) in pairwise(spans))
    # What comes later changes none but the last window: a stream can go on from it.
    *whole, last = split_windows(sentences[:cut], window_s, max_gap_s) or [[]]
    rest = split_windows([*last, *sentences[cut:]], window_s, max_gap_s)
    assert [*whole, *rest] == windows


def test_a_window_has_what_its_sentences_have_in_common() -> None:
    words = [Word(text=it, start_s=0.0, end_s=0.5) for it in ("A", "B", "C")]
    joined = join_window(
        [
            at(0, 1, text="A.", speaker=0, language="en", emotion="neutral", words=words[:1]),
            at(1, 2, text=" B.", speaker=0, language="en", emotion="happy", words=words[1:2]),
            at(2, 3, text="C.", speaker=1, language="en", emotion="happy", words=words[2:]),
        ]
    )
    assert joined == Sentence(
        text="Speaker 0: A. B.\n\nSpeaker 1: C.",
        start_s=0,
        end_s=3,
        language="en",
        words=words,
    )
    assert join_window([at(0, 1, text="A.", speaker=1), at(1, 2, text="B.", speaker=1)]) == (
        at(0, 2, text="A. B.", speaker=1)
    )


# --- documents --------------------------------------------------------------------------------


def sentence(start_ms: int, end_ms: int, text: str, speaker: int | None = None) -> dict[str, Any]:
    return {
        "sentence_end": True,
        "begin_time": start_ms,
        "end_time": end_ms,
        "text": text,
        "speaker_id": speaker,
    }


def answer(*sentences: dict[str, Any]) -> Reply:
    return Reply("".join(it["text"] for it in sentences), sentences=list(sentences))


FIRST = answer(sentence(0, 1_000, "One."), sentence(3_000, 3_900, "Two."))
SECOND = answer(sentence(100, 900, "Three."), sentence(2_000, 2_500, "Four."))


def eight(tmp_path: Path, channels: int = 1) -> Path:
    """Eight seconds, which are two segments of four."""
    path = tmp_path / "eight.wav"
    path.write_bytes(wav(tone(8 * channels), channels=channels))
    return path


def windows_of(load: Load, path: Path, *replies: Any, **options: Any) -> list[tuple[Any, ...]]:
    """Load windows of segments of four seconds: their texts, their times, their metadata."""
    options = {"segment_s": 4, "max_concurrency": 1, **options}
    with LocalDashScope(replies=replies, reply="no more") as server:
        fields = {"model": RECOGNITION, "max_retries": 0}
        documents = load(loader_of(server, path, fields, transcript_format="windows", **options))
    return [
        (it.page_content, it.metadata.pop("start_s"), it.metadata.pop("end_s"), it.metadata)
        for it in documents
    ]


def test_windows_go_on_from_segment_to_segment(load: Load, tmp_path: Path) -> None:
    path = eight(tmp_path)
    about = {"source": str(path), "model": RECOGNITION, "channel": 0}
    assert windows_of(load, path, FIRST, SECOND, max_gap_s=1.5) == [
        ("One.", 0.0, 1.0, about),
        ("Two. Three. Four.", 3.0, 6.5, about),
    ]
    assert windows_of(load, path, FIRST, SECOND) == [
        ("One. Two. Three. Four.", 0.0, 6.5, about),
    ]
    short = windows_of(load, path, FIRST, SECOND, window_s=2)
    assert [it[0] for it in short] == ["One.", "Two. Three.", "Four."]


def test_a_window_ends_with_its_recording(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(wav(tone(2, hertz=ord(name[0]))))
    found = windows_of(sync, tmp_path, FIRST, FIRST)
    assert [it[0] for it in found] == ["One. Two."] * 2
    assert [it[3]["source"][-5:] for it in found] == ["a.wav", "b.wav"]


def test_a_window_ends_with_its_channel(tmp_path: Path) -> None:
    found = windows_of(sync, eight(tmp_path, 2), FIRST, FIRST, channel="each", segment_s=None)
    assert [(it[0], it[3]["channel"]) for it in found] == [("One. Two.", 0), ("One. Two.", 1)]


def test_what_is_wrong_with_a_segment_is_in_a_window_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "twelve.wav"
    path.write_bytes(wav(tone(12)))
    broken = error_reply(400, "InvalidParameter", "no")
    found = windows_of(asynchronous, path, FIRST, broken, SECOND, on_error="document")
    assert [it[0] for it in found[::2]] == ["One. Two.", "Three. Four."]
    assert "could not be transcribed" in found[1][0]
    assert ["error" in it[3] for it in found] == [False, True, False]


def test_words_of_a_window_have_their_times(tmp_path: Path) -> None:
    spoken = sentence(0, 500, "One.") | {
        "words": [{"text": "One", "begin_time": 0, "end_time": 500, "punctuation": "."}]
    }
    ((*_, metadata),) = windows_of(sync, eight(tmp_path), answer(spoken), answer(), words=True)[:1]
    assert [it["text"] for it in metadata["words"]] == ["One"]


def test_segments_of_a_model_that_tells_no_times_are_no_longer_than_a_window(
    tmp_path: Path,
) -> None:
    path = eight(tmp_path)
    with LocalDashScope(reply="a text") as server:
        documents = sync(loader_of(server, path, transcript_format="windows", window_s=4))
    times = [(it.metadata["start_s"], it.metadata["end_s"]) for it in documents]
    assert times == [(0.0, 4.0), (4.0, 8.0)]


def test_options_of_windows_are_checked() -> None:
    rows: list[tuple[dict[str, Any], str]] = [
        ({"window_s": 30}, "window_s came with transcript_format='segments'"),
        ({"max_gap_s": 1, "transcript_format": "speakers"}, "max_gap_s came with"),
        ({"window_s": 0.5, "transcript_format": "windows"}, "window_s is 0.5; expected 1 second"),
        ({"max_gap_s": -1, "transcript_format": "windows"}, "max_gap_s is -1; expected 0"),
    ]
    for options, message in rows:
        with pytest.raises(ValueError, match=message):
            QwenAudioLoader("a.wav", llm=ChatQwenAudio(api_key="x"), **options)
