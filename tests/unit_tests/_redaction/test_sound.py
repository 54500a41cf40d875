"""Ranges of a recording that get other samples, whatever its blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._redaction.sound import cover_ranges, make_second

RATE = 50


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 300), max_size=8, unique=True).map(sorted),
)
def test_what_is_in_a_range_is_covered_and_the_rest_untouched(
    sizes: list[int], cuts: list[int]
) -> None:
    samples = np.arange(1, sum(sizes) + 1, dtype=np.int16)
    second = np.arange(-RATE, 0, dtype=np.int16)
    ranges = list(zip(cuts[::2], cuts[1::2], strict=False))
    blocks = (it.tobytes() for it in np.split(samples, np.cumsum(sizes)[:-1]))
    in_bytes = [(2 * first, 2 * last) for first, last in ranges]
    covered = [*cover_ranges(blocks, in_bytes, second.tobytes())]
    expected = samples.copy()
    for first, last in ranges:
        positions = np.arange(first, min(last, len(samples)))
        expected[positions] = second[positions % RATE]
    assert [len(it) // 2 for it in covered] == sizes
    assert np.frombuffer(b"".join(covered), np.int16).tolist() == expected.tolist()


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_a_beep_is_a_tone_of_one_kilohertz_and_not_loud(rate: int) -> None:
    samples = np.frombuffer(make_second("beep", rate), np.int16)
    assert len(samples) == rate
    assert np.abs(np.fft.rfft(samples)).argmax() == 1_000
    assert abs(samples).max() <= 3_000
    assert not any(make_second("silence", rate))
