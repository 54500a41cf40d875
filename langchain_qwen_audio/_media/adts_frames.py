"""The header of an ADTS frame, as AAC without a container has them → how long the frame sounds.

FFmpeg counts all frames at the sample rate of the first one. Knows nothing of FFmpeg.
"""

from __future__ import annotations

HEAD_BYTES = 7
_SAMPLES = 1024
_SAMPLE_RATES = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000),
    *(22_050, 16_000, 12_000, 11_025, 8_000, 7_350),
)


def adts_length(head: bytes, size: int) -> float:
    """Read how many seconds a frame of `size` bytes sounds; 0 if it is cut, or none."""
    if len(head) < HEAD_BYTES or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0.0
    rate, own_size = head[2] >> 2 & 0xF, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate >= len(_SAMPLE_RATES) or own_size > size:
        return 0.0
    return _SAMPLES / _SAMPLE_RATES[rate]
