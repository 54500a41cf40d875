"""Recordings to measure with, made on the spot: a voice-like tone with pauses, and some noise."""

from __future__ import annotations

import contextlib
import io
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@contextlib.contextmanager
def hour_long() -> Iterator[dict[str, str]]:
    """Write an hour as 44.1 kHz stereo WAV and MP3, in a directory that goes away again."""
    rate, channels = 44_100, 2
    minute = samples(60, rate, channels)
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: str(Path(folder) / f"hour.{kind.lower()}") for kind in ("WAV", "MP3")}
        with wave.open(paths["WAV"], "wb") as writer:
            writer.setnchannels(channels)
            writer.setsampwidth(2)
            writer.setframerate(rate)
            for _ in range(60):
                writer.writeframes(minute)
        with (
            av.open(paths["WAV"]) as source,
            av.open(paths["MP3"], "w", format="mp3") as target,
        ):
            stream = target.add_stream("libmp3lame", rate=rate, layout="stereo")
            stream.bit_rate = 128_000
            stream.codec_context.options = {"compression_level": "9"}
            for frame in source.decode(audio=0):
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        yield paths
