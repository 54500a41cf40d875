"""Mono, signed 16-bit samples: how many bytes are how many seconds. Pure."""

from __future__ import annotations

SAMPLE_RATE = 16_000  # of what speech models take, in hertz
SAMPLE_BYTES = 2


def byte_count(length_s: float, sample_rate: int = SAMPLE_RATE) -> int:
    """Count the bytes of `length_s` seconds, in whole samples."""
    return int(length_s * sample_rate) * SAMPLE_BYTES


def length_of(size: int, sample_rate: int = SAMPLE_RATE) -> float:
    """Count the seconds of `size` bytes."""
    return size / SAMPLE_BYTES / sample_rate
