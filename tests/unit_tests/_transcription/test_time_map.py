"""Times in what was sent → times in the recording."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._request.encoded_segments import Stretch
from langchain_qwen_audio._transcription.time_map import TimeMap
from langchain_qwen_audio.transcripts import Sentence, Word

# Two seconds of a recording, from its fifth on, and three, from its minute on.
TIMES = TimeMap((Stretch(0.0, 5.0, 2.0), Stretch(2.0, 60.0, 3.0)))


def test_a_time_in_what_was_sent_is_one_in_the_recording() -> None:
    rows: list[tuple[float, float, float]] = [
        (0.0, 5.0, 5.0),
        (1.5, 6.5, 6.5),
        (2.0, 60.0, 7.0),  # the second begins here, and the first ends
        (4.0, 62.0, 62.0),
        (5.0, 63.0, 63.0),
        (5.5, 63.5, 63.5),  # a model may say more than it was sent
        (-0.5, 4.5, 4.5),
    ]
    for sent_s, start_s, end_s in rows:
        assert (TIMES.start_of(sent_s), TIMES.end_of(sent_s)) == (start_s, end_s), sent_s


def test_a_sentence_is_placed_with_its_words() -> None:
    words = [Word(text="a", start_s=1.0, end_s=2.0), Word(text="b", start_s=2.0, end_s=2.5)]
    sentence = Sentence(text="a b", start_s=1.0, end_s=2.5, words=words)
    placed = TIMES.place(sentence)
    assert (placed.start_s, placed.end_s) == (6.0, 60.5)
    assert [(it.start_s, it.end_s) for it in placed.words] == [(6.0, 7.0), (60.0, 60.5)]
    assert TIMES.place(Sentence(text="when?")) == Sentence(text="when?")
    at_once = TIMES.place(Sentence(text="a", start_s=2.0, end_s=2.0))
    assert (at_once.start_s, at_once.end_s) == (60.0, 60.0), "no end before the start"


@given(
    pairs=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=9),
    tenths=st.lists(st.integers(0, 400), min_size=2, max_size=9),
)
def test_times_keep_their_order_and_fall_into_what_was_sent(
    pairs: list[tuple[int, int]], tenths: list[int]
) -> None:
    stretches, sent_s, at_s = [], 0.0, 0.0
    for silence, speech in pairs:  # seconds
        at_s += silence
        stretches.append(Stretch(sent_s, at_s, speech))
        sent_s, at_s = sent_s + speech, at_s + speech
    times = TimeMap(tuple(stretches))
    sent = sorted(min(it / 10, sent_s) for it in tenths)
    for place in (times.start_of, times.end_of):
        found = [place(it) for it in sent]
        assert found == sorted(found)
        assert all(any(s <= it <= s + n for _, s, n in stretches) for it in found)
