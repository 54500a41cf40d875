"""What of a sentence can be removed by itself, and what of it matches."""

from __future__ import annotations

import re

import pytest

from langchain_qwen_audio._redaction.spans import Matches, find_matches, split_sentence
from langchain_qwen_audio.transcripts import Sentence, Word


def sentence(text: str, *words: str, start_s: float = 0.0) -> Sentence:
    """Make a sentence of which each word takes a second."""
    timed = [
        Word(text=word, start_s=start_s + number, end_s=start_s + number + 1)
        for number, word in enumerate(words)
    ]
    return Sentence(text=text, start_s=start_s, end_s=start_s + len(words), words=timed)


WHOLE = [None]


@pytest.mark.parametrize(
    ("it", "numbers"),
    [
        (sentence("Hi, Ada!", "Hi", "Ada"), [0, 1]),
        (sentence("Hi, Ada!", " Hi", "Ada "), [0, 1]),
        (sentence("你好。", "你", "好"), [0, 1]),
        (sentence("Hi, Ada!"), WHOLE),
        (sentence("Hi, Ada!", "Hi"), WHOLE),
        (sentence("Hi, Ada!", "Ada"), WHOLE),
        (sentence("Call 555 now", "Call", "now"), WHOLE),
        (sentence("I have 5", "I", "have", "five"), WHOLE),
        (sentence("in", "in", "in"), WHOLE),
        (Sentence(text="Ada", words=[Word(text="Ada")]), WHOLE),
        (Sentence(text="Ada", words=[Word(text="Ada", start_s=1, end_s=1)]), WHOLE),
        (Sentence(text="Ada", words=[Word(text="Ada", start_s=-1, end_s=1)]), WHOLE),
    ],
)
def test_a_sentence_is_split_if_each_word_has_a_time_and_a_place(
    it: Sentence, numbers: list[int | None]
) -> None:
    assert [span.word for span in split_sentence(it)] == numbers


def test_a_word_that_takes_no_time_has_that_of_its_neighbours() -> None:
    times = [("Hi", 0, 1), ("Ada", 1, 1), ("Byron", 1, 2)]
    words = [Word(text=text, start_s=start_s, end_s=end_s) for text, start_s, end_s in times]
    spans = split_sentence(Sentence(text="Hi Ada Byron", words=words))
    assert [(it.word, it.start_s, it.end_s) for it in spans] == [(0, 0, 1), (1, 0, 2), (2, 1, 2)]


HI = sentence("Hi, I am Ada Byron.", "Hi", "I", "am", "Ada", "Byron")
NUMBER = [sentence("It is 555.", "It", "is", "555"), sentence("1234, yes.", "1234", "yes")]
YES = sentence("Yes.", "Yes").model_copy(update={"speaker": 1})
BETWEEN = [NUMBER[0], YES, NUMBER[1]]  # somebody else says yes
CHINESE = [sentence("我叫张", "我", "叫", "张"), sentence("伟。", "伟")]
NO_WORDS = Sentence(text="Ada, are you there?", start_s=1, end_s=2)


@pytest.mark.parametrize(
    ("sentences", "matches", "found"),
    [
        ([HI], re.compile("Ada Byron"), [[3, 4]]),
        ([HI], re.compile("a B"), [[3, 4]]),
        ([HI], re.compile("^Hi"), [[0]]),
        ([HI], re.compile(", "), [[]]),
        ([HI], re.compile(""), [[]]),
        ([HI], re.compile("Grace"), [[]]),
        (NUMBER, re.compile(r"\d{3}\W+\d{4}"), [[2], [0]]),
        (NUMBER, re.compile(r"^\d+"), [[], [0]]),
        (BETWEEN, re.compile(r"\d{3}\W+\d{4}"), [[2], [], [0]]),
        (CHINESE, re.compile("张伟"), [[2], [0]]),
        ([NO_WORDS], re.compile("Ada"), [[None]]),
        ([HI, NO_WORDS], str.istitle, [[0, 1, 3, 4], [None]]),
        ([sentence("Ada's, ok", "Ada's,", "ok")], lambda word: word == "Ada's", [[0]]),
        ([NO_WORDS], lambda word: word == "Ada,", [[]]),
        ([sentence("你好。", "你", "好")], lambda word: word == "好", [[1]]),
    ],
)
def test_patterns_find_texts_and_functions_find_words(
    sentences: list[Sentence], matches: Matches, found: list[list[int | None]]
) -> None:
    spans = find_matches(sentences, matches)
    assert [[it.word for it in parts] for parts in spans] == found


def test_a_function_cannot_be_called_with_words_that_are_not_known() -> None:
    whole = Sentence(text="我叫张伟。", start_s=3, end_s=4)
    with pytest.raises(ValueError, match=r"the sentence at 3 s are not known.*pass a pattern"):
        find_matches([whole], lambda word: word == "张伟")
    assert find_matches([whole], re.compile("张伟"))[0][0].word is None
