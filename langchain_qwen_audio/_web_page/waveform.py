"""A recording → its length and its shape, as the page draws it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._media.durations import format_length
from langchain_qwen_audio._media.loudness import FULL_SCALE
from langchain_qwen_audio._notebook.waveform import Waveform

if TYPE_CHECKING:
    from langchain_qwen_audio.audio import Audio

_RATE = 4_000  # enough for a picture of speech, and four times as fast as that of the models


def measure_waveform(audio: Audio) -> dict[str, Any]:
    """Decode a recording, whatever its format, and measure it.

    Returns:
        `length`, for people, and `points`: the lowest and the highest sample of each stretch, from
        -1 to 1.

    Raises:
        AudioError: It is no recording, or cannot be decoded.
    """
    wave = Waveform(_RATE)
    deque(wave.watch(audio.decode(_RATE)), maxlen=0)
    points = [(round(it.low / FULL_SCALE, 3), round(it.high / FULL_SCALE, 3)) for it in wave.points]
    return {"length": format_length(wave.length_s), "points": points}
