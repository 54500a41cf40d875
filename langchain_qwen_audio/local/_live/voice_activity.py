"""Samples → where speech begins and where it ends, by loudness. Pure.

The service detects speech with a model, at a `threshold` of its own; here that value is not used.
"""

import sys
from array import array
from collections.abc import Iterator
from typing import Literal, TypeAlias

SAMPLES_PER_MS = 16
_FRAME_MS = 20
_FRAME_BYTES = 2 * SAMPLES_PER_MS * _FRAME_MS
_LOUD = 650  # of 32,768
_LOUD_FRAMES = 3  # a click is no speech

Edge: TypeAlias = tuple[Literal["started", "stopped"], int]


class VoiceActivity:
    """A state machine: pieces of a stream in, edges of speech out."""

    def __init__(self, silence_ms: int) -> None:
        """Take how long a pause ends the speech, in milliseconds."""
        self._silence_frames = max(1, silence_ms // _FRAME_MS)
        self._rest = b""
        self._frames = self._loud = self._quiet = 0
        self.is_speaking = False

    def feed(self, pcm: bytes) -> Iterator[Edge]:
        """Take more samples (16-bit, little endian, mono, 16 kHz); yield edges with their times."""
        data = self._rest + pcm
        size = len(data) // _FRAME_BYTES * _FRAME_BYTES
        self._rest = data[size:]
        for at in range(0, size, _FRAME_BYTES):
            self._frames += 1
            yield from self._step(_is_loud(data[at : at + _FRAME_BYTES]))

    def stop(self) -> Iterator[Edge]:
        """End the speech, if there is some, where the stream ends."""
        if self.is_speaking:
            self.is_speaking, self._loud = False, 0
            yield "stopped", self._frames * _FRAME_MS

    def _step(self, is_loud: bool) -> Iterator[Edge]:
        self._loud = self._loud + 1 if is_loud else 0
        self._quiet = 0 if is_loud else self._quiet + 1
        if not self.is_speaking and self._loud == _LOUD_FRAMES:
            self.is_speaking = True
            yield "started", (self._frames - _LOUD_FRAMES) * _FRAME_MS
        elif self.is_speaking and self._quiet == self._silence_frames:
            yield from self.stop()


def _is_loud(frame: bytes) -> bool:
    samples = array("h", frame)
    if sys.byteorder == "big":
        samples.byteswap()
    return max(samples) > _LOUD or min(samples) < -_LOUD
