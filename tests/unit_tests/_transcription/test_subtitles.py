"""Subtitles that can be read along: cues, lines, times and speakers."""

from __future__ import annotations

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._transcription.columns import (
    LINE_COLUMNS,
    columns,
    split_characters,
)
from langchain_qwen_audio._transcription.subtitles import MAX_CUE_S, MAX_LINES, Cue, cues_of
from langchain_qwen_audio.transcripts import Sentence, Transcript, Word

LONG = (
    "Welcome to the recording studio. Please speak clearly into the microphone, and wait until "
    "the red light has gone out before you say anything else."
)
CHINESE = "今天天气很好，我们去公园玩吧。那里有很多花，还有一个湖，可以划船，也可以钓鱼。"  # noqa: RUF001


def timed(text: str, *words: tuple[str, float, float], **fields: object) -> Sentence:
    """A sentence of words with times."""
    made = [Word(text=word, start_s=start_s, end_s=end_s) for word, start_s, end_s in words]
    times = {"start_s": words[0][1], "end_s": words[-1][2]}
    return Sentence.model_validate({"text": text, "words": made, **times, **fields})


def of(text: str, length_s: float = 12.0, **fields: object) -> Sentence:
    """A sentence whose words have no times."""
    return Sentence.model_validate({"text": text, "start_s": 0, "end_s": length_s, **fields})


WAITING = "All of us had been waiting for that train since five in the morning,"
CUES: dict[str, tuple[list[Sentence], list[Cue]]] = {
    "a sentence that fits is one cue": ([of("Hello there.", 3)], [Cue(0, 3, ["Hello there."])]),
    "none is shown for more than 7 s": ([of("Hello there.", 60)], [Cue(0, 7, ["Hello there."])]),
    "a cue ends with a sentence": (
        [of("One two three. Four five six.", 6)],
        [Cue(0, 3, ["One two three."]), Cue(3, 6, ["Four five six."])],
    ),
    "a very short sentence stays with the next one": (
        [of("No. Yes.", 1)],
        [Cue(0, 1, ["No. Yes."])],
    ),
    "two lines are about equally long": (
        [of("Please speak clearly into the microphone here.", 5)],
        [Cue(0, 5, ["Please speak clearly into", "the microphone here."])],
    ),
    "a long sentence is cut at a comma of its second half": (
        [of(f"{WAITING} and the one behind it was late", 9.9)],
        [
            Cue(
                0,
                6.892,
                ["All of us had been waiting for that", "train since five in the morning,"],
            ),
            Cue(6.892, 9.9, ["and the one behind it was late"]),
        ],
    ),
    "words with times begin and end cues": (
        [timed("Hi, Ada! Bye.", ("Hi", 1, 2), ("Ada", 2, 4), ("Bye", 9, 9.5))],
        [Cue(1, 4, ["Hi, Ada!"]), Cue(9, 9.5, ["Bye."])],
    ),
    "words that are not in the text are not used": (
        [timed("Hello.", ("Bye", 1, 2))],
        [Cue(1, 2, ["Hello."])],
    ),
    "words whose times are out of order": (
        [timed("One two.", ("One", 5, 6), ("two", 3, 4))],
        [Cue(3, 6, ["One two."])],
    ),
    "what takes no time is shown for a second": ([of("Hi.", 0)], [Cue(0, 1, ["Hi."])]),
    "what ends before it starts, too": ([of("Hi, Ada.", -5)], [Cue(0, 1, ["Hi, Ada."])]),
    "a text of white space has none": ([of(" \n "), of("")], []),
    "one speaker has no label": ([of("Hi.", 1, speaker=0)], [Cue(0, 1, ["Hi."])]),
    "several speakers have one": (
        [of("Hi.", 1, speaker=0), of("Oh.", 1, channel=1)],
        [Cue(0, 1, ["Hi."], "Speaker 0"), Cue(0, 1, ["Oh."], "Channel 1")],
    ),
}


def test_sentences_become_cues() -> None:
    for what, (sentences, cues) in CUES.items():
        found = [it._replace(start_s=round(it.start_s, 3)) for it in cues_of(sentences)]
        assert [it._replace(end_s=round(it.end_s, 3)) for it in found] == cues, what


def assert_can_be_read(cues: list[Cue]) -> None:
    for cue in cues:
        assert 1 <= len(cue.lines) <= MAX_LINES
        assert cue.end_s - cue.start_s <= MAX_CUE_S + 1e-6
        for line in cue.lines:
            assert line == line.strip()
            assert 0 < columns(line) <= LINE_COLUMNS


texts = st.text(
    st.sampled_from("abc .,!?一二。，\n😀-\u200d\u0301ที่ำ🏽مר"),  # noqa: RUF001
    max_size=400,
)


@given(texts, st.floats(0.0, 100.0))
def test_any_text_can_be_read_and_nothing_of_it_is_lost(text: str, length_s: float) -> None:
    cues = list(cues_of([of(text, length_s)]))
    assert_can_be_read(cues)
    assert "".join("".join(cue.lines) for cue in cues).replace(" ", "") == "".join(text.split())
    assert [it.start_s for it in cues] == sorted(it.start_s for it in cues)


THAI = "ที่นี่มีน้ำที่ดีที่สุดในโลกและผู้คนก็ใจดีมากที่สุดเท่าที่เคยพบมาในชีวิตนี้"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize("text", [THAI * 3, FAMILY * 50, "e\u0301" * 100])
def test_no_character_is_divided(text: str) -> None:
    cues = list(cues_of([of(text, 30.0)]))
    assert_can_be_read(cues)
    lines = [line for cue in cues for line in cue.lines]
    shown = [character for line in lines for character in split_characters(line)]
    assert shown == split_characters(text)


@pytest.mark.parametrize("text", [LONG, CHINESE, "x" * 300, "한국어 " * 40])
def test_long_texts_can_be_read(text: str) -> None:
    assert_can_be_read(list(cues_of([of(text, 30.0)])))


def test_a_line_of_chinese_has_twenty_characters() -> None:
    (cue,) = cues_of([of("一" * 40, 5.0)])
    assert [len(line) for line in cue.lines] == [20, 20]


def test_srt_says_who_speaks_where_that_changes() -> None:
    spoken = [
        Sentence(text="Hi.", start_s=0, end_s=1, speaker=0),
        Sentence(text="How are you?", start_s=1, end_s=2, speaker=0),
        Sentence(text="Fine.", start_s=2, end_s=3, speaker=1),
    ]
    cues = pysubs2.SSAFile.from_string(Transcript(sentences=spoken).to_srt(), format_="srt")
    assert [cue.plaintext for cue in cues] == [
        "[Speaker 0] Hi.",
        "How are you?",
        "[Speaker 1] Fine.",
    ]


def test_vtt_has_a_voice_for_each_cue() -> None:
    spoken = [
        Sentence(text="1 < 2.", start_s=0, end_s=1, speaker=0),
        Sentence(text="Fine.", start_s=2, end_s=3, speaker=1),
    ]
    assert Transcript(sentences=spoken).to_vtt() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v Speaker 0>1 &lt; 2.\n\n"
        "00:00:02.000 --> 00:00:03.000\n<v Speaker 1>Fine.\n"
    )


def test_lrc_has_the_times_of_words() -> None:
    spoken = [timed("Hi, Ada!", ("Hi", 61.5, 62), ("Ada", 62.25, 63)), of("La la.")]
    assert Transcript(sentences=spoken).to_lrc() == (
        "[01:01.50]<01:01.50>Hi, <01:02.25>Ada!\n[00:00.00]La la.\n"
    )


def test_nothing_is_shown_before_the_recording() -> None:
    early = Transcript(sentences=[Sentence(text="Hi.", start_s=-1.5, end_s=1)])
    assert early.to_vtt() == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHi.\n"
    assert early.to_lrc() == "[00:00.00]Hi.\n"


@pytest.mark.parametrize("write", [Transcript.to_srt, Transcript.to_vtt, Transcript.to_lrc])
def test_a_transcript_without_times_has_no_subtitles(write: object) -> None:
    for transcript in (Transcript(text="Hi."), Transcript(sentences=[Sentence(text="Hi.")])):
        with pytest.raises(ValueError, match=r"'Hi\.' has no times"):
            write(transcript)  # type: ignore[operator]
    assert Transcript().to_lrc() == ""
