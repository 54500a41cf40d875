"""How loud samples are: level, peak and silence, measured as they pass by. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.samples import SAMPLE_BYTES, byte_count, length_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SILENCE_DBFS = -50.0  # quieter steps count as silence,
STEP_S = 0.1  # measured in steps of this length
FULL_SCALE = 32_768


class LoudnessMeter:
    """Measures mono, signed 16-bit samples, in bounded memory.

    Attributes:
        peak: The largest amplitude, of 32,768.
        silent_s: Seconds of silence.
    """

    def __init__(self, sample_rate: int) -> None:
        """Take samples at `sample_rate` hertz."""
        self.peak = 0
        self.silent_s = 0.0
        self._size = self._total = 0  # bytes, and the sum of their amplitudes
        self._rate = sample_rate
        self._step = byte_count(STEP_S, sample_rate)

    @property
    def length_s(self) -> float:
        """Seconds measured."""
        return length_of(self._size, self._rate)

    @property
    def mean(self) -> float:
        """The mean amplitude, of 32,768."""
        return self._total / max(1, self._size // SAMPLE_BYTES)

    @property
    def silent_percent(self) -> float:
        """How much of it is silence, from 0 to 100."""
        return 100 * self.silent_s / self.length_s if self._size else 0.0

    def watch(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Measure samples as they pass by; the last step may be shorter."""
        rest = b""
        for block in blocks:
            rest += block
            whole = len(rest) // self._step * self._step
            for at in range(0, whole, self._step):
                self._measure(memoryview(rest)[at : at + self._step].cast("h"))
            rest = rest[whole:]
            yield block
        if rest:
            self._measure(memoryview(rest).cast("h"))

    def _measure(self, step: memoryview[int]) -> bool:
        """Measure a step, and say whether it is silent."""
        amplitudes = sum(map(abs, step))
        silent = dbfs(amplitudes / len(step)) < SILENCE_DBFS
        self.peak = max(self.peak, *step, -min(step))
        self._size += step.nbytes
        self._total += amplitudes
        self.silent_s += silent * len(step) / self._rate
        return silent


def dbfs(amplitude: float) -> float:
    """Express an amplitude of 16-bit samples in decibels relative to full scale."""
    return 20 * math.log10(max(amplitude, 0.1) / FULL_SCALE)
