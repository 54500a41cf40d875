"""Recordings with a model that tells the times of words: documents of sentences and speakers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply
from langchain_qwen_audio.transcripts import Sentence, Transcript, Word
from tests.unit_tests.loading import asynchronous, loader_of, sync
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.recordings import tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sentence(number: int, start_ms: int, text: str, speaker: int | None = None) -> dict[str, Any]:
    words = [{"text": text.rstrip("."), "begin_time": start_ms, "end_time": start_ms + 500}]
    return {
        "sentence_id": number,
        "sentence_end": True,
        "begin_time": start_ms,
        "end_time": start_ms + 1_000,
        "text": text,
        "speaker_id": speaker,
        "words": words,
    }


def answer(*sentences: dict[str, Any]) -> Reply:
    return Reply("".join(it["text"] for it in sentences), sentences=list(sentences))


FIRST = answer(
    sentence(1, 0, "One.", 0), sentence(2, 1_000, "Two.", 0), sentence(3, 2_000, "Three.", 1)
)
SECOND = answer(sentence(1, 500, "Four.", 0))


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(replies=[FIRST, SECOND], reply="no more") as server:
        yield server


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "a.wav").write_bytes(wav(tone(8)))
    return {
        "paths": tmp_path / "a.wav",
        "fields": {"model": RECOGNITION},
        "segment_s": 4,
        "max_concurrency": 1,
    }


def facts(document: Any, *names: str) -> tuple[Any, ...]:
    return document.page_content, *(document.metadata.get(name) for name in names)


def test_a_document_per_sentence(server: LocalDashScope, options: dict[str, Any]) -> None:
    documents = sync(loader_of(server, **options, transcript_format="sentences"))
    assert [facts(it, "segment", "start_s", "end_s", "speaker") for it in documents] == [
        ("One.", 0, 0.0, 1.0, 0),
        ("Two.", 0, 1.0, 2.0, 0),
        ("Three.", 0, 2.0, 3.0, 1),
        ("Four.", 1, 4.5, 5.5, 2),  # who that is, the service does not say
    ]
    assert "words" not in documents[0].metadata
    assert documents[0].metadata["source"].endswith("a.wav")


def test_a_document_per_turn_with_its_words(
    server: LocalDashScope, options: dict[str, Any]
) -> None:
    documents = sync(loader_of(server, **options, transcript_format="speakers", words=True))
    assert [facts(it, "start_s", "end_s", "speaker") for it in documents] == [
        ("One. Two.", 0.0, 2.0, 0),
        ("Three.", 2.0, 3.0, 1),
        ("Four.", 4.5, 5.5, 2),
    ]
    word = {"text": "Four", "punctuation": "", "start_s": 4.5, "end_s": 5.0}
    assert documents[2].metadata["words"] == [word]
    assert json.dumps(documents[0].metadata)


def test_the_whole_transcript_as_json(server: LocalDashScope, options: dict[str, Any]) -> None:
    (document,) = asynchronous(loader_of(server, **options, transcript_format="json"))
    transcript = Transcript.model_validate_json(document.page_content)
    assert transcript.text == "One.Two.Three.\n\nFour."
    assert transcript.sentences[3].model_copy(update={"channel": None}) == Sentence(
        text="Four.",
        start_s=4.5,
        end_s=5.5,
        speaker=2,
        words=[Word(text="Four", start_s=4.5, end_s=5.0)],
    )


def test_subtitles_have_the_times_of_words(server: LocalDashScope, options: dict[str, Any]) -> None:
    (document,) = sync(loader_of(server, **options, transcript_format="vtt"))
    assert document.page_content.splitlines()[2:4] == [
        "00:00:00.000 --> 00:00:00.500",
        "<v Speaker 0>One.",
    ]
    assert "00:00:04.500 --> 00:00:05.000\n<v Speaker 2>Four." in document.page_content


def test_segments_for_subtitles_are_as_long_as_the_model_takes(
    server: LocalDashScope, options: dict[str, Any]
) -> None:
    options["paths"].write_bytes(wav(tone(25)))  # with another model, three segments
    sync(loader_of(server, **{**options, "segment_s": None}, transcript_format="srt"))
    assert len(server.requests) == 1


def test_speakers_are_numbered_anew_in_each_recording(
    options: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "b.wav").write_bytes(wav(tone(8, hertz=300.0)))
    with LocalDashScope(reply=FIRST) as server:
        options = {**options, "paths": tmp_path}
        documents = asynchronous(loader_of(server, **options, transcript_format="speakers"))
    assert [it.metadata["speaker"] for it in documents] == [0, 1, 2, 3] * 2


def test_sentences_are_kept_in_the_checkpoint(
    server: LocalDashScope, options: dict[str, Any], tmp_path: Path
) -> None:
    options = {**options, "checkpoint": tmp_path / "kept", "transcript_format": "sentences"}
    first = sync(loader_of(server, **options))
    again = sync(loader_of(server, **options))
    assert first == again
    assert len(server.requests) == 2


def test_a_segment_of_another_model_is_a_sentence(options: dict[str, Any]) -> None:
    with LocalDashScope(reply="A text.") as server:
        options = {**options, "fields": {}}
        documents = asynchronous(loader_of(server, **options, transcript_format="sentences"))
    assert [facts(it, "start_s", "end_s", "speaker") for it in documents] == [
        ("A text.", 0.0, 4.0, None),
        ("A text.", 4.0, 8.0, None),
    ]
