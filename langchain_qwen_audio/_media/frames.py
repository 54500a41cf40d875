"""Samples in memory → FFmpeg's frames, and samples of other kinds → signed 16-bit ones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.mixing import Mixer
from langchain_qwen_audio._media.samples import SAMPLE_RATE

if TYPE_CHECKING:
    import av

# Kinds of samples, by their letter in Python's buffer protocol, and FFmpeg's names of them.
SAMPLE_FORMATS = {"h": "s16", "i": "s32", "B": "u8", "f": "flt", "d": "dbl"}


def to_s16(samples: bytes, kind: str) -> bytes:
    """Make signed 16-bit samples of others, whose kind is one of `SAMPLE_FORMATS`."""
    if kind == "h":
        return samples
    # Samples are scaled one by one, so that channels do not matter here.
    mixer = Mixer(SAMPLE_RATE)
    return b"".join([*mixer.mix(make_frame(samples, kind, SAMPLE_RATE)), *mixer.flush()])


def make_frame(samples: bytes, kind: str, sample_rate: int) -> av.AudioFrame:
    """Make a mono frame of samples whose kind is one of `SAMPLE_FORMATS`."""
    import av

    frame = av.AudioFrame(SAMPLE_FORMATS[kind], "mono", len(samples) // struct.calcsize(kind))
    frame.sample_rate = sample_rate
    frame.planes[0].update(samples + bytes(frame.planes[0].buffer_size - len(samples)))
    return frame
