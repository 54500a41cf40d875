"""Transcripts, as text and as JSON."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage

from langchain_qwen_audio.transcripts import Sentence, Transcript, Word

SPOKEN = Transcript(
    text="Hi. Oh!",
    seconds=63.0,
    language="en",
    sentences=[
        Sentence(text="Hi.", start_s=0.04, end_s=59.96, speaker=0, words=[Word(text="Hi")]),
        Sentence(text="Oh!", start_s=61.5, channel=1, emotion="surprised"),
    ],
)
WRITTEN = {
    "with times": (SPOKEN, "[00:00.0 - 01:00.0] Speaker 0: Hi.\n[01:01.5 - ?] Oh!"),
    "without times": (Transcript(text="a", sentences=[Sentence(text="a")]), "a"),
    "text alone": (Transcript(text="Hi."), "Hi."),
    "nothing": (Transcript(), ""),
}


@pytest.mark.parametrize(("transcript", "text"), WRITTEN.values(), ids=WRITTEN)
def test_a_transcript_is_written_a_sentence_a_line(transcript: Transcript, text: str) -> None:
    assert str(transcript) == text


def test_a_transcript_is_stored_and_loaded() -> None:
    assert Transcript.model_validate_json(SPOKEN.model_dump_json()) == SPOKEN


ODD = [5, [5, None], [{"text": 5, "begin_time": "1", "speaker_id": True, "words": {"text": "a"}}]]


@pytest.mark.parametrize("sentences", ODD)
def test_what_cannot_be_read_is_not_known(sentences: object) -> None:
    message = AIMessage("a", response_metadata={"sentences": sentences, "seconds": True})
    known = [Sentence(text="")] if sentences == ODD[2] else []
    assert Transcript.from_message(message) == Transcript(text="a", sentences=known)
