"""Timestamps of every kind, honest or not: where the sound goes, and what bounds the silence."""

from __future__ import annotations

import pytest

from langchain_qwen_audio._media.timeline import MAX_SILENCE_S, Timeline

FRAME_S = 0.5
DAY_S = 24 * 3600.0

# Timestamps of frames of half a second; seconds of silence before each; and what was closed up.
TIMELINES: dict[str, tuple[list[float | None], list[float], float]] = {
    "one after the other": ([0, 0.5, 1.0], [0, 0, 0], 0),
    "late": ([5, 5.5], [5, 0], 0),
    "a gap": ([0, 0.5, 11.0], [0, 0, 10], 0),
    "two gaps": ([0, 2.5, 5.0], [0, 2, 2], 0),
    "before the beginning": ([-0.02, 0.48], [0, 0], 0),
    "rounded": ([0, 0.501, 0.999, 1.502], [0, 0, 0, 0], 0),
    "unset": ([None, None, None], [0, 0, 0], 0),
    "unset, then set": ([0, None, 11.0], [0, 0, 10], 0),
    "a clock that is too fast": ([0, 0.56, 1.12, 1.68], [0, 0, 0.12, 0], 0),
    "a clock that is too slow": ([0, 0.4, 0.8, 1.2], [0, 0, 0, 0], 0),
    "as they arrive": ([0, 0.8, 1.0, 1.8, 2.0], [0, 0.3, 0, 0, 0], 0),
    "all the same": ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], 0),
    "from the beginning again": ([0, 0.5, 0, 0.5, 11.0], [0, 0, 0, 0, 10], 0),
    "back, and on": ([100, 0, 0.5], [100, 0, 0], 0),
    "wild": ([0, 0.5, 2 * DAY_S, 2 * DAY_S + 0.5], [0, 0, 0, 0], 2 * DAY_S - 1),
    "wild, and back": ([0, 2 * DAY_S, 1.0], [0, 0, 0], 2 * DAY_S - 0.5),
    "negative and wild": ([0, -2 * DAY_S, -2 * DAY_S + 0.5], [0, 0, 0], 0),
}


def test_sound_goes_where_it_belongs(subtests: pytest.Subtests) -> None:
    for name, (times, silence, closed) in TIMELINES.items():
        timeline = Timeline()
        with subtests.test(name):
            assert [timeline.place(at, FRAME_S) for at in times] == pytest.approx(silence)
            assert timeline.closed_s == pytest.approx(closed)
            assert timeline.position_s == pytest.approx(sum(silence) + FRAME_S * len(times))


def test_the_recording_begins_when_it_says() -> None:
    timeline = Timeline(start_s=1_000)
    assert [timeline.place(at, FRAME_S) for at in (1_002, 1_002.5)] == [2, 0]


def test_all_gaps_together_are_no_longer_than_is_allowed() -> None:
    timeline, hour = Timeline(), 3_600.0
    for number in range(100):
        timeline.place(number % 2 * hour, FRAME_S)
    assert MAX_SILENCE_S - hour < timeline.position_s - 100 * FRAME_S <= MAX_SILENCE_S
    assert timeline.closed_s > 0


def test_no_gap_is_longer_than_the_header_says() -> None:
    timeline = Timeline(max_silence_s=10)
    assert [timeline.place(at, FRAME_S) for at in (0, 8.5, 12.0)] == [0, 8, 0]
    assert timeline.closed_s == 3
