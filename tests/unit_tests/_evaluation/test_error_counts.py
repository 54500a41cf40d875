"""What is wrong in a transcript, counted."""

from __future__ import annotations

from typing import Any

import jiwer
import pytest

from langchain_qwen_audio._evaluation.error_counts import (
    ErrorCounts,
    Unit,
    count_errors,
    normalize_text,
)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("Hello, World!", "hello world"),
        (
            "Don't  go\n to the well-known and/or old—house.",
            "dont go to the well known and or old house",
        ),
        ("ＡＢＣ　１２。", "abc 12"),  # noqa: RUF001
        ("Cafe\u0301", "caf\u00e9"),
        ("…", ""),
        ("10 $", "10 $"),
    ],
)
def test_texts_are_made_comparable(text: str, normalized: str) -> None:
    assert normalize_text(text) == normalized


@pytest.mark.parametrize(
    ("reference", "hypothesis", "unit", "expected"),
    [
        ("one two three", "One, two three!", "word", (3, 0, 0, 0)),
        ("one two three", "one too", "word", (1, 1, 1, 0)),
        ("one two", "one two two three", "word", (2, 0, 0, 2)),
        ("one two", "", "word", (0, 0, 2, 0)),
        ("", "", "word", (0, 0, 0, 0)),
        ("", "thanks for watching", "word", (0, 0, 0, 3)),
        ("今天天气很好。", "今天 天汽好", "character", (4, 1, 1, 0)),
        ("今天天气很好。", "今天天气很好", "word", (1, 0, 0, 0)),
    ],
)
def test_hits_substitutions_deletions_and_insertions(
    reference: str, hypothesis: str, unit: Unit, expected: tuple[int, ...]
) -> None:
    counts = count_errors(reference, hypothesis, unit, normalize_text)
    found = (counts.hits, counts.substitutions, counts.deletions, counts.insertions)
    assert found == expected


def test_the_rate_is_that_of_jiwer() -> None:
    texts = ("the quick brown fox jumps", "a quick fox jumps over it")
    counts = count_errors(*texts, "word", str)
    assert counts.rate == jiwer.wer(*texts)


def test_counts_add_up_and_have_no_rate_without_a_reference() -> None:
    total = sum([ErrorCounts(hits=3, deletions=1), ErrorCounts(insertions=2)], ErrorCounts())
    assert (total.length, total.errors, total.rate) == (4, 3, 0.75)
    assert ErrorCounts(insertions=2).rate is None
    with pytest.raises(TypeError):
        _ = ErrorCounts() + 1  # type: ignore[operator]


def test_a_transform_of_jiwer_is_taken_as_long_as_it_makes_texts() -> None:
    lower = jiwer.ToLowerCase()
    assert count_errors("A b", "a B", "word", lower).errors == 0
    split: Any = jiwer.ReduceToListOfListOfWords()
    with pytest.raises(TypeError, match="normalize returned list, expected str; leave out"):
        count_errors("a", "a", "word", split)
