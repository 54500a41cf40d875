"""Where there is no pause to split in, the next segment repeats some words, and none is doubled."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio._transcription.cut_segments import CutMerger
from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
from langchain_qwen_audio.local import LocalDashScope, RawReply, ReceivedRequest, Reply, error_reply
from tests.unit_tests.loading import RATE, asynchronous, clip_in, loader_of, sync, texts, times
from tests.unit_tests.models import OMNI_3_5, RECOGNITION
from tests.unit_tests.recordings import decode_all, wav

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit_tests.loading import Load
    from tests.unit_tests.recordings import Samples

LOUD, SOFT = 9_000, 1_000  # of the first word, and between words
WORD, DIP = round(0.35 * RATE), round(0.15 * RATE)  # no word ends in a pause


def spoken(words: int) -> Samples:
    """Make a sound of words of half a second, each of a level of its own."""
    pieces = [np.concatenate([np.full(WORD, LOUD + it), np.full(DIP, SOFT)]) for it in range(words)]
    return np.concatenate(pieces).astype(np.int16)


def words_in(request: ReceivedRequest) -> list[str]:
    """Tell the words that are sent; one that is sent in part is understood wrong."""
    samples = decode_all(clip_in(request)).samples
    numbers, counts = np.unique(samples[samples >= LOUD] - LOUD, return_counts=True)
    return [
        f"w{number}" if count >= WORD - 1 else f"part{number}"
        for number, count in zip(numbers, counts, strict=True)
    ]


def transcribe(request: ReceivedRequest) -> str:
    return " ".join(words_in(request))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "talk.wav").write_bytes(wav(spoken(40)))
    return tmp_path / "talk.wav"


def test_no_word_is_lost_or_doubled(load: Load, path: Path) -> None:
    with LocalDashScope(reply=transcribe) as server:
        loader = loader_of(server, path, segment_s=8)
        documents = load(loader)
        sent_s = sum(decode_all(clip_in(it)).seconds for it in server.requests)
    assert " ".join(texts(documents)).split() == [f"w{number}" for number in range(40)]
    assert all(before[1] == after[0] for before, after in pairwise(times(documents)))
    assert loader.summary.audio_s == pytest.approx(20)
    assert sent_s == pytest.approx(20 + 2 * (len(documents) - 1), abs=0.01)


def test_no_timed_word_is_lost_or_doubled(path: Path) -> None:
    def reply(request: ReceivedRequest) -> Reply:
        samples = decode_all(clip_in(request)).samples
        words: list[dict[str, Any]] = []
        for text in words_in(request):
            number = int(text.removeprefix("part").removeprefix("w"))
            begins = int(np.argmax(samples == LOUD + number)) * 1000 // RATE
            words.append({"text": text, "begin_time": begins, "end_time": begins + 350})
        text = " ".join(it["text"] for it in words)
        sentence: dict[str, Any] = {"text": text, "begin_time": words[0]["begin_time"]}
        sentence |= {"sentence_id": 1, "sentence_end": True, "end_time": words[-1]["end_time"]}
        sentence["words"] = words
        return Reply(text, sentences=[sentence])

    with LocalDashScope(reply=reply) as server:
        options: dict[str, Any] = {"transcript_format": "sentences", "words": True}
        loader = loader_of(server, path, {"model": RECOGNITION}, segment_s=8, **options)
        documents = sync(loader)
    words = [word for it in documents for word in it.metadata["words"]]
    assert [it["text"] for it in words] == [f"w{number}" for number in range(40)]
    assert " ".join(texts(documents)).split() == [it["text"] for it in words]
    for number, word in enumerate(words):
        assert word["start_s"] == pytest.approx(number / 2, abs=0.01)


@pytest.mark.parametrize(
    ("model", "options"),
    [(OMNI_3_5, {"prompt": "List every decision."}), (RECOGNITION, {"overlap_s": 1.0})],
    ids=["answers to a prompt", "the user's own overlap"],
)
def test_other_answers_are_not_merged(path: Path, model: str, options: dict[str, Any]) -> None:
    with LocalDashScope(reply="the same words") as server:
        documents = asynchronous(loader_of(server, path, {"model": model}, segment_s=8, **options))
    assert set(texts(documents)) == {"the same words"}
    overlap_s = options.get("overlap_s", 0.0)
    assert all(
        after[0] == pytest.approx(before[1] - overlap_s)
        for before, after in pairwise(times(documents))
    )


def test_a_failure_beside_a_cut_leaves_the_other_transcript_whole(path: Path) -> None:
    def reply(request: ReceivedRequest) -> RawReply | Reply:
        words = words_in(request)
        bad = "w0" in words  # the first segment
        return error_reply(400, "InvalidParameter", "no") if bad else Reply(" ".join(words))

    with LocalDashScope(reply=reply) as server:
        documents = sync(loader_of(server, path, segment_s=8, on_error="document"))
    failed = [it for it in documents if "error" in it.metadata]
    assert failed == documents[:1]
    end_s = documents[0].metadata["end_s"]
    assert documents[1].metadata["start_s"] == pytest.approx(end_s - 2.0)
    written = " ".join(texts(documents[1:])).split()
    first = math.ceil((end_s - 2.0) * 2)
    assert [it for it in written if it.startswith("w")][-(40 - first) :] == [
        f"w{number}" for number in range(first, 40)
    ]


def test_a_transcript_waits_only_for_the_one_that_repeats_its_end() -> None:
    merger = CutMerger()
    first = SegmentTranscript("a", 0, 0.0, 8.0, text="one two", is_first=True)
    second = SegmentTranscript("a", 1, 8.0, 16.0, text="three fo", continues=True)
    third = SegmentTranscript("a", 2, 14.0, 22.0, text="three four five")
    assert merger.take(first) == [first]
    assert merger.take(second) == []
    assert [(it.text, it.start_s) for it in merger.take(third)] == [
        ("three", 8.0),
        ("four five", 16.0),
    ]
    assert merger.end() == []
