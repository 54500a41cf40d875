"""Seconds as people read them."""

from __future__ import annotations

import pytest

from langchain_qwen_audio._media.durations import format_length, format_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (0.25, "0.25 s"), (4.2, "4.2 s"), (30, "30 s"), (59.99, "59.99 s")),
        *((60, "01:00"), (65.9, "01:05"), (3_599, "59:59"), (3_600, "1:00:00")),
    ],
)
def test_lengths_below_a_minute_are_written_in_seconds(seconds: float, text: str) -> None:
    assert format_length(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "00:00"),
        (59.999, "00:59"),
        (61.0, "01:01"),
        (3599.0, "59:59"),
        (3600.0, "1:00:00"),
        (36_061.5, "10:01:01"),
    ],
)
def test_times_are_written_in_minutes_and_hours(seconds: float, text: str) -> None:
    assert format_time(seconds) == text
