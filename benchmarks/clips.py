"""Recordings to measure with, made on the spot: a voice-like tone with pauses, and some noise."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def samples(seconds: float, sample_rate: int, channels: int, *, seed: int = 0) -> bytes:
    """Make signed 16-bit samples."""
    at = np.arange(int(seconds * sample_rate)) / sample_rate
    loud = np.sin(2 * np.pi * 0.4 * at) > -0.5  # pauses, as between sentences
    noise = np.random.default_rng(seed).normal(0, 60, len(at))
    mono = 8000 * np.sin(2 * np.pi * 180 * at) * np.sin(2 * np.pi * 3 * at) * loud + noise
    return np.repeat(mono.astype("<i2")[:, None], channels, axis=1).tobytes()


def wav(seconds: float, sample_rate: int, channels: int, *, seed: int = 0) -> bytes:
    """Make a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(samples(seconds, sample_rate, channels, seed=seed))
    return file.getvalue()


def write_hours(path: Path, hours: int) -> None:
    """Write a WAV file of so many hours, 16 kHz and mono."""
    minutes = [samples(60, 16_000, 1, seed=minute) for minute in range(60)]
    with wave.open(str(path), "wb") as writer:
        writer.setparams((1, 2, 16_000, 0, "NONE", ""))
        for minute in minutes * hours:
            writer.writeframesraw(minute)
