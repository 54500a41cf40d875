"""Texts of a stream's events → what is new in each; the machine alone, without a service."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._deltas import CERTAIN, Deltas
from langchain_qwen_audio.errors import APIError


def shown(texts: list[str], last: str = "") -> list[str]:
    """Feed the texts of events and that of the final one; collect the fragments."""
    deltas = Deltas()
    fragments = [fragment for text in texts for fragment in deltas.take(text, final=False)]
    return [*fragments, *deltas.take(last, final=True), *deltas.rest()]


INCREMENTS: dict[str, list[str]] = {
    "nothing": [],
    "one": ["a"],
    "repeated": ["ha"] * 20,
    "each in the next": ["a", "ab", "abc"],
    "as many as may be chance": ["x" * n for n in range(1, CERTAIN)],
    "the first in all others": ["a", "ab", "ac", "ad", "ae", "af", "ag", "ah", "ai"],
    "shrinking": ["abc", "ab", "a"],
    "growing after a repetition": ["a", "a", *("a" * n for n in range(2, 20))],
    "spaces": [" ", "  ", "\n", " "],
}
SNAPSHOTS: dict[str, tuple[list[str], str]] = {
    "two and the whole": (["a", "ab"], "ab"),
    "two and a longer whole": (["a", "ab"], "abc"),
    "many and the whole": (["x" * n for n in range(1, 30)], "x" * 29),
    "many and nothing": (["x" * n for n in range(1, 30)], ""),
    "one of them twice": ([*("x" * n for n in range(1, 12)), "x" * 11], "x" * 11),
    "one of them late": ([*("x" * n for n in range(1, 12)), "x" * 5], "x" * 11),
}


@pytest.mark.parametrize("texts", INCREMENTS.values(), ids=INCREMENTS)
def test_increments_come_back_as_they_are(texts: list[str]) -> None:
    assert shown(texts) == texts


@pytest.mark.parametrize(("texts", "last"), SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_snapshots_give_the_text_once(texts: list[str], last: str) -> None:
    assert "".join(shown(texts, last)) == max([*texts, last], key=len)


def test_a_first_fragment_is_never_held_back() -> None:
    assert Deltas().take("a", final=False) == ["a"]


def test_fragments_flow_again_once_the_kind_is_known() -> None:
    increments, snapshots = Deltas(), Deltas()
    for text in ("a", "b"):
        assert increments.take(text, final=False) == [text]
    for count in range(1, CERTAIN):
        snapshots.take("x" * count, final=False)
    assert snapshots.take("x" * CERTAIN, final=False) == ["x" * (CERTAIN - 1)]
    assert snapshots.take("x" * CERTAIN + "y", final=False) == ["y"]


def test_nothing_comes_twice_when_the_end_comes_twice() -> None:
    deltas = Deltas()
    deltas.take("a", final=False)
    deltas.take("ab", final=False)
    assert deltas.rest() == ["ab"]
    assert deltas.rest() == []


def test_text_that_is_changed_afterwards_is_an_error() -> None:
    with pytest.raises(APIError, match="changed text"):
        shown([*("x" * n for n in range(1, 12)), "y" * 12])


# Few letters, so that texts often begin with one another.
TEXTS = st.lists(st.text("ab ", min_size=1, max_size=4), max_size=20)


def grow_long(texts: list[str]) -> bool:
    """Tell whether texts begin as only snapshots do: many, each beginning with the one before."""
    begun = texts[:CERTAIN]
    return len(begun) == CERTAIN and all(
        b.startswith(a) and len(b) > len(a) for a, b in pairwise(begun)
    )


@given(TEXTS)
def test_any_increments_come_back_as_they_are(texts: list[str]) -> None:
    assert grow_long(texts) or shown(texts) == texts


@given(TEXTS, st.integers(0, 20))
def test_empty_events_change_nothing(texts: list[str], place: int) -> None:
    assert shown([*texts[:place], "", *texts[place:]]) == shown(texts)


@given(st.lists(st.text(min_size=1, max_size=4), min_size=2, max_size=20), st.booleans())
def test_any_snapshots_give_the_text(pieces: list[str], whole_at_the_end: bool) -> None:
    snapshots = list(accumulate(pieces))
    if not whole_at_the_end and len(snapshots) < CERTAIN:
        snapshots += [snapshots[-1] + "!" * n for n in range(1, CERTAIN)]
    text = snapshots[-1]
    assert "".join(shown(snapshots, text if whole_at_the_end else "")) == text
