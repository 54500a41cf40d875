"""What two transcripts share at a cut is there once, and no word is lost."""

# ruff: noqa: RUF001  # marks of Chinese look like others

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._transcription.cut_texts import (
    Seam,
    find_seam,
    join_sentences,
    join_texts,
)
from langchain_qwen_audio.transcripts import Sentence, Word

TEXTS = {
    "words that are the same": ("We met in", "met in Paris.", "We met in", "Paris."),
    "a word that was cut, at the end": ("We met in Par", "met in Paris.", "We met in", "Paris."),
    "a word that was cut, at the start": ("We met in", "et in Paris.", "We met in", "Paris."),
    "both": ("We met in Par", "et in Paris.", "We met in", "Paris."),
    "marks and case": ("Then, we met.", "We met in Paris.", "Then, we met.", "in Paris."),
    "all of the second": ("We met in Paris.", "In Paris.", "We met in Paris.", ""),
    "nothing in common": ("We met.", "They left.", "We met.", "They left."),
    "one word in common, by chance": ("in the big house", "the garden is", None, None),
    "one in common, and one that is not": ("in the house", "the garden is", None, None),
    "two in common, by chance": ("out of the big house", "of the garden", None, None),
    "a character in common, by chance": ("这是我的大家", "的花园很好", None, None),
    "a word in between that is written in another way": (
        "and the colour of it is",
        "the color of it is red",
        "and the colour of it is",
        "red",
    ),
    "the same word elsewhere": ("The cat sat on it", "at home the cat", None, None),
    "Chinese": ("今天天气很", "天气很好。", "今天天气很", "好。"),
    "Chinese, cut": ("今天天气很号", "天气很好，走吧。", "今天天气很", "好，走吧。"),
    "Japanese and English": ("東京でmeeting", "でmeetingです", "東京でmeeting", "です"),
    "an empty text": ("We met.", "", "We met.", ""),
    "after an empty text": ("", "We met.", "", "We met."),
    "marks alone": ("—", "…", "—", "…"),
    "a phrase that is said twice": ("no no no", "no no no yes", "no no no", "yes"),
}


def test_what_both_texts_have_is_there_once() -> None:
    for what, (before, after, kept, rest) in TEXTS.items():
        expected = (before, after) if kept is None else (kept, rest)
        assert join_texts(before, after) == expected, what


SPOKEN = st.lists(st.sampled_from([f"word{i}" for i in range(40)]), min_size=8, unique=True)


@given(spoken=SPOKEN, data=st.data())
def test_no_word_is_lost_or_doubled_wherever_the_cut_is(
    spoken: list[str], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(4, len(spoken)))
    repeated = data.draw(st.integers(2, min(cut, 20)))
    before = spoken[:cut] + ["x"] * data.draw(st.integers(0, 1))
    after = ["y"] * data.draw(st.integers(0, 1)) + spoken[cut - repeated :]
    seam = find_seam(before, after)
    assert before[: len(before) - seam.dropped] + after[seam.skipped :] == spoken


WORDS = st.lists(st.text(max_size=4), max_size=8)


@given(before=WORDS, after=WORDS)
def test_no_more_than_is_shared_and_the_words_at_the_cut_is_left_out(
    before: list[str], after: list[str]
) -> None:
    seam = find_seam(before, after)
    assert seam.dropped <= min(2, len(before))
    assert seam.skipped <= len(after)
    if not {it.casefold() for it in before} & {it.casefold() for it in after}:
        assert seam.dropped == 0 or seam.skipped > 0


def test_lists_that_share_nothing_have_no_seam() -> None:
    assert find_seam(["a", "b"], ["c", "d"]) == Seam(0, 0)


def sentence(text: str, start_s: float) -> Sentence:
    """Make a sentence of which each word takes a second."""
    words = [
        Word(text=it.rstrip(".,"), start_s=start_s + number, end_s=start_s + number + 1)
        for number, it in enumerate(text.split())
    ]
    return Sentence(text=text, start_s=start_s, end_s=start_s + len(words), words=words)


def test_sentences_lose_the_words_that_are_repeated_and_keep_their_times() -> None:
    before = [sentence("Good morning.", 0), sentence("We met in Par", 2)]
    after = [sentence("met in Paris.", 3), sentence("Then we left.", 6)]
    kept, rest = join_sentences(before, after)
    assert [(it.text, it.start_s, it.end_s, len(it.words)) for it in kept] == [
        ("Good morning.", 0, 2, 2),
        ("We met in", 2, 5, 3),
    ]
    assert [(it.text, it.start_s, it.end_s, len(it.words)) for it in rest] == [
        ("Paris.", 5, 6, 1),
        ("Then we left.", 6, 9, 3),
    ]


def test_a_sentence_that_is_repeated_whole_is_gone() -> None:
    kept, rest = join_sentences([sentence("We met.", 0)], [sentence("We met.", 0)])
    assert (len(kept), rest) == (1, [])


def test_sentences_without_words_stay_as_they_are() -> None:
    before, after = [sentence("We met.", 0)], [Sentence(text="We met.")]
    assert join_sentences(before, after) == (before, after)


def test_a_text_that_writes_a_word_in_another_way_keeps_all_of_its_words() -> None:
    spoken = ["ten", "men", "all", "ten"]
    words = [Word(text=it, start_s=at, end_s=at + 1) for at, it in enumerate(spoken)]
    after = Sentence(text="10 men, all ten.", start_s=0, end_s=4, words=words)
    _, (rest,) = join_sentences([sentence("There were ten", 0)], [after])
    assert rest.text == "10 men, all ten."
    before = Sentence(text="Ten, all 10.", start_s=0, end_s=3, words=[words[3], words[2], words[3]])
    (kept, *_), _ = join_sentences([before], [sentence("all men", 3)])
    assert kept.text == "Ten, all 10."
