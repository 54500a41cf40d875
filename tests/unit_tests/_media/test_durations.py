"""Seconds as people read them."""

from __future__ import annotations

from langchain_qwen_audio._media.durations import format_length, format_time


def test_lengths_below_a_minute_are_written_in_seconds() -> None:
    texts = {
        0: "0 s",
        0.25: "0.25 s",
        4.2: "4.2 s",
        30: "30 s",
        59.99: "59.99 s",
        60: "01:00",
        65.9: "01:05",
        3_599: "59:59",
        3_600: "1:00:00",
    }
    assert {seconds: format_length(seconds) for seconds in texts} == texts


def test_times_are_written_in_minutes_and_hours() -> None:
    texts = {
        0.0: "00:00",
        59.999: "00:59",
        61.0: "01:01",
        3599.0: "59:59",
        3600.0: "1:00:00",
        36_061.5: "10:01:01",
    }
    assert {seconds: format_time(seconds) for seconds in texts} == texts
