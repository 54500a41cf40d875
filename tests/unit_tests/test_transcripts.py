"""Transcripts, as text and as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_qwen_audio.errors import APIError
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
    "with times": (SPOKEN, "[00:00.0 - 01:00.0] Speaker 0: Hi.\n[01:01.5 - ?] Channel 1: Oh!"),
    "without times": (Transcript(text="a", sentences=[Sentence(text="a")]), "a"),
    "text alone": (Transcript(text="Hi."), "Hi."),
    "nothing": (Transcript(), ""),
}


@pytest.mark.parametrize(("transcript", "text"), WRITTEN.values(), ids=WRITTEN)
def test_a_transcript_is_written_a_sentence_a_line(transcript: Transcript, text: str) -> None:
    assert str(transcript) == text


def test_a_transcript_is_stored_and_loaded() -> None:
    assert Transcript.model_validate_json(SPOKEN.model_dump_json()) == SPOKEN


ODD_SENTENCES = [
    {"text": 5, "begin_time": "1", "speaker_id": True, "words": {"text": "a"}},
    {"begin_time": float("inf"), "end_time": float("nan")},
    {"begin_time": 10**400, "end_time": -(10**400)},
]
ODD = [5, [5, None], *([sentence] for sentence in ODD_SENTENCES)]
ODD_SECONDS = [True, "1", [], float("inf"), float("nan"), 10**400]


@pytest.mark.parametrize("sentences", ODD, ids=range(len(ODD)))
def test_sentences_that_cannot_be_read_are_not_known(sentences: object) -> None:
    message = AIMessage("a", response_metadata={"sentences": sentences})
    is_sentence = isinstance(sentences, list) and sentences[0] in ODD_SENTENCES
    known = [Sentence(text="")] if is_sentence else []
    assert Transcript.from_message(message) == Transcript(text="a", sentences=known)


@pytest.mark.parametrize("seconds", ODD_SECONDS, ids=range(len(ODD_SECONDS)))
def test_seconds_that_are_no_number_are_not_known(seconds: object) -> None:
    message = AIMessage("a", response_metadata={"seconds": seconds})
    assert Transcript.from_message(message) == Transcript(text="a")


RESULT = {
    "file_url": "https://example.com/a.wav",
    "transcripts": [
        {
            "channel_id": 0,
            "text": "Hi.",
            "sentences": [
                {
                    "sentence_id": 0,
                    "begin_time": 40,
                    "end_time": 500,
                    "text": "Hi.",
                    "language": "en",
                    "emotion": "happy",
                    "words": [
                        {"begin_time": 40, "end_time": 500, "text": "Hi", "punctuation": "."}
                    ],
                }
            ],
        }
    ],
}


def test_a_transcript_is_read_from_the_result_of_a_job() -> None:
    word = Word(text="Hi", punctuation=".", start_s=0.04, end_s=0.5)
    assert Transcript.from_job_result(RESULT, seconds=1.0) == Transcript(
        text="Hi.",
        seconds=1.0,
        sentences=[
            Sentence(
                text="Hi.",
                start_s=0.04,
                end_s=0.5,
                channel=0,
                language="en",
                emotion="happy",
                words=[word],
            )
        ],
    )


def test_the_sentences_of_channels_are_merged_by_time() -> None:
    first, second = (
        {"channel_id": n, "text": "?", "sentences": [{"text": f"{n}{at}", "begin_time": at}]}
        for n, at in ((0, 20), (1, 10))
    )
    merged = Transcript.from_job_result({"transcripts": [first, second]})
    assert merged.text == "110\n020"
    assert [it.channel for it in merged.sentences] == [1, 0]


def sentence(text: str, begin: object = None, end: object = None, **more: object) -> dict[str, Any]:
    return {"text": text, "begin_time": begin, "end_time": end, **more}


ODD_RESULTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no text of the channel": (
        [{"sentences": [sentence("Hi.", 0, 500), sentence("Oh.", 500, 900)]}],
        "[00:00.0 - 00:00.5] Hi.\n[00:00.5 - 00:00.9] Oh.",
    ),
    "times before the recording": (
        [{"sentences": [sentence("Hi.", -90_000, -10)]}],
        "[00:00.0 - 00:00.0] Hi.",
    ),
    "an end before the start": (
        [{"sentences": [sentence("Hi.", 900, 500)]}],
        "[00:00.9 - 00:00.9] Hi.",
    ),
    "a channel that its sentences do not know": (
        [
            {"channel_id": 1, "sentences": [sentence("Hi.", 0, 500, channel_id=None)]},
            {"channel_id": 0, "sentences": [sentence("Oh.", 100, 500, channel_id=None)]},
        ],
        "[00:00.0 - 00:00.5] Channel 1: Hi.\n[00:00.1 - 00:00.5] Channel 0: Oh.",
    ),
    "a time that is not known, in one of two channels": (
        [
            {"channel_id": 0, "sentences": [sentence("A.", 1000, 2000), sentence("B.")]},
            {"channel_id": 1, "sentences": [sentence("C.", 500, 900), sentence("D.", 1500, 1600)]},
        ],
        (
            "[00:00.5 - 00:00.9] Channel 1: C.\n[00:01.0 - 00:02.0] Channel 0: A.\n"
            "Channel 0: B.\n[00:01.5 - 00:01.6] Channel 1: D."
        ),
    ),
    "a channel in which nobody speaks": (
        [{"channel_id": 0, "text": ""}, {"channel_id": 1, "text": "Hi."}],
        "Hi.",
    ),
}


@pytest.mark.parametrize(("channels", "text"), ODD_RESULTS.values(), ids=ODD_RESULTS)
def test_odd_results_are_read_as_far_as_they_go(channels: list[dict[str, Any]], text: str) -> None:
    transcript = Transcript.from_job_result({"transcripts": channels})
    assert str(transcript) == text
    assert transcript.text.split() == [
        it for line in transcript.sentences for it in line.text.split()
    ]


def test_a_result_without_transcripts_is_an_error() -> None:
    with pytest.raises(APIError, match="no transcripts in it, only file_url"):
        Transcript.from_job_result({"file_url": "x"})


TURNS = Transcript(
    text="Hi. How are you? Fine.",
    sentences=[
        Sentence(text="Hi.", start_s=0, end_s=1, speaker=0, words=[Word(text="Hi")]),
        Sentence(text="How are you?", start_s=1, end_s=2, speaker=0),
        Sentence(text="Fine.", start_s=2, end_s=3, speaker=1),
    ],
)


def test_turns_join_what_one_speaker_says() -> None:
    assert TURNS.to_text() == "Speaker 0: Hi. How are you?\n\nSpeaker 1: Fine."
    first, second = TURNS.turns()
    assert first == Sentence(
        text="Hi. How are you?", start_s=0, end_s=2, speaker=0, words=[Word(text="Hi")]
    )
    assert second == TURNS.sentences[2]


def test_a_turn_has_what_its_sentences_have_in_common() -> None:
    said = [
        Sentence(text="早。", start_s=1, end_s=4, speaker=0, language="zh", emotion="happy"),
        Sentence(text="你好。", start_s=3, end_s=3.5, speaker=0, language="zh", emotion="sad"),
    ]
    (turn,) = Transcript(sentences=said).turns()
    assert turn == Sentence(text="早。你好。", start_s=1, end_s=4, speaker=0, language="zh")


def test_a_text_of_one_speaker_is_the_text() -> None:
    assert TURNS.model_copy(update={"sentences": TURNS.sentences[:2]}).to_text() == TURNS.text
    assert Transcript(text="a").to_text() == "a"


def test_json_lines_have_a_sentence_each() -> None:
    rows = TURNS.to_jsonl().splitlines()
    assert rows[2] == '{"text":"Fine.","start_s":2.0,"end_s":3.0,"speaker":1,"words":[]}'
    assert len(rows) == 3


def test_a_sentence_can_be_moved() -> None:
    word = Word(text="a", start_s=1.0, speaker=0)
    moved = Sentence(text="a", start_s=1, end_s=2, speaker=0, words=[word]).moved(9.5, speakers=2)
    expected = Word(text="a", start_s=10.5, speaker=2)
    assert moved == Sentence(text="a", start_s=10.5, end_s=11.5, speaker=2, words=[expected])
