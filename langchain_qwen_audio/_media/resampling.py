"""Samples of a stream → the same at another rate, piece by piece and without delay (FFmpeg)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio._media.frames import make_frame
from langchain_qwen_audio._media.mixing import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from langchain_qwen_audio._media.samples import SAMPLE_BYTES
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    import av


class Resampler:
    """A state machine: mono, signed 16-bit samples in and out.

    Attributes:
        from_rate: Samples per second of what comes in.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        """Take both rates, in samples per second.

        Raises:
            AudioError: Nobody records at such a rate.
        """
        if not MIN_SAMPLE_RATE <= from_rate <= MAX_SAMPLE_RATE:
            raise AudioError(f"a sample rate of {from_rate} Hz came, expected e.g. 16000")
        self.from_rate = from_rate
        self._to_rate = to_rate
        self._rest = b""  # half a sample
        self._resampler: av.AudioResampler | None = None

    def feed(self, pcm: bytes) -> bytes:
        """Take more samples; return what is ready, cut anywhere between two samples."""
        data = self._rest + pcm
        size = len(data) // SAMPLE_BYTES * SAMPLE_BYTES
        whole, self._rest = data[:size], data[size:]
        if self.from_rate == self._to_rate or not whole:
            return whole
        frame = make_frame(whole, "h", self.from_rate)
        return b"".join(_samples(it) for it in self._converter().resample(frame))

    def flush(self) -> bytes:
        """Return what was held back, where the stream ends; half a sample is forgotten."""
        self._rest = b""
        if self._resampler is None:
            return b""
        frames, self._resampler = self._resampler.resample(None), None
        return b"".join(map(_samples, frames))

    def _converter(self) -> av.AudioResampler:
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=self._to_rate)
        return self._resampler


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])
