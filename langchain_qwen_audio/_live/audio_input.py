"""Recordings, and samples of any rate → pieces of samples as live sessions take them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.resampling import Resampler
from langchain_qwen_audio._media.samples import SAMPLE_RATE, byte_count
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PIECE_BYTES = byte_count(0.5)  # far below what an event may have; a task advises 16 KB at most


class AudioInput:
    """What of a stream was sent so far, as far as the next piece depends on it."""

    def __init__(self, to_rate: int = SAMPLE_RATE) -> None:
        """Take the samples per second of what is sent."""
        self._to_rate = to_rate
        self._resampler: Resampler | None = None

    async def pieces(self, audio: Audio | bytes, sample_rate: int) -> AsyncIterator[bytes]:
        """Convert what the user sends; yield it in pieces (16-bit, mono).

        Args:
            audio: A recording, or samples (16-bit, little endian, mono) that go on from those
                before.
            sample_rate: Samples per second of samples; a recording knows its own.

        Raises:
            AudioError: It is neither, or cannot be decoded.
        """
        if isinstance(audio, Audio):
            if held := self.flush():
                yield held
            async for block in _decode(audio, self._to_rate):
                for piece in _split(block):
                    yield piece
        elif isinstance(audio, bytes | bytearray | memoryview):
            for piece in _split(self._convert(bytes(audio), sample_rate)):
                yield piece
        else:
            raise AudioError(
                f"{type(audio).__name__} came, expected an Audio, or bytes of 16-bit mono samples"
            )

    def flush(self) -> bytes:
        """Return what the conversion of samples has held back, where they end."""
        held = b"" if self._resampler is None else self._resampler.flush()
        self._resampler = None
        return held

    def _convert(self, pcm: bytes, sample_rate: int) -> bytes:
        is_new = self._resampler is not None and self._resampler.from_rate != sample_rate
        held = self.flush() if is_new else b""
        if self._resampler is None:
            self._resampler = Resampler(sample_rate, self._to_rate)
        return held + self._resampler.feed(pcm)


def _split(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + _PIECE_BYTES] for at in range(0, len(pcm), _PIECE_BYTES)]


async def _decode(audio: Audio, sample_rate: int) -> AsyncIterator[bytes]:
    """Decode block by block, in threads."""
    blocks = audio.decode(sample_rate)
    decoding: asyncio.Future[bytes] | None = None
    try:
        while True:
            decoding = asyncio.ensure_future(asyncio.to_thread(next, blocks, b""))
            if not (block := await asyncio.shield(decoding)):
                return
            yield block
    finally:
        if decoding is not None:  # a generator cannot be closed while a thread runs it
            await asyncio.wait([decoding])
        await asyncio.to_thread(blocks.close)
