"""Samples → an MP3 file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.frames import make_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

# LAME's fast setting: twice as fast as its default, and speech is no further from what came.
_MP3_OPTIONS = {"compression_level": "7"}
# What MPEG-2 and 2.5 allow, in bits per second.
_MP3_BIT_RATES = [1000 * k for k in (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)]


def encode_mp3(blocks: Iterable[bytes], sample_rate: int, max_bits_per_s: float) -> bytes:
    """Make an MP3 file of blocks of mono, signed 16-bit samples.

    At the best bit rate below `max_bits_per_s`, or the lowest that there is.
    """
    import av

    rates = [rate for rate in _MP3_BIT_RATES if rate < max_bits_per_s]
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=sample_rate, layout="mono")
        stream.bit_rate = rates[-1] if rates else _MP3_BIT_RATES[0]
        stream.codec_context.options = _MP3_OPTIONS
        fifo = av.AudioFifo()
        for samples in blocks:
            fifo.write(make_frame(samples, "h", sample_rate))
            for piece in fifo.read_many(stream.codec_context.frame_size):
                container.mux(stream.encode(piece))
        if (rest := fifo.read(0, partial=True)) is not None:
            container.mux(stream.encode(rest))
        container.mux(stream.encode(None))
    return file.getvalue()
