"""A stream of samples → consecutive parts, split at the quietest points. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio._media.samples import SAMPLE_BYTES, byte_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEARCH_S = 5.0  # the last seconds of a part are searched, and never its first fifth,
PAUSE_S = 0.2  # for the quietest stretch of this length, which is split in its middle
FRAME_S = 0.02  # loudness is measured in steps of this length
LOUDER = 1.4  # stretches up to 3 dB louder than the quietest are as good; the last of them wins
INAUDIBLE = 8  # mean amplitude (of 32,768) below which stretches do not differ


def split_at_pauses(
    blocks: Iterable[bytes], limit: int, sample_rate: int
) -> Iterator[tuple[int, bytes]]:
    """Split a stream of samples into parts of at most `limit` bytes, at the quietest points.

    Memory is bounded by the seconds that are searched, however long the parts.

    Args:
        blocks: Mono, signed 16-bit samples.
        limit: Bytes of the longest part.
        sample_rate: Samples per second.

    Yields:
        The number of a part, from 0, and the next samples of it.
    """
    ahead = min(byte_count(SEARCH_S, sample_rate), limit // 5 * 4 // SAMPLE_BYTES * SAMPLE_BYTES)
    buffer = bytearray()
    number = passed = 0  # the part, and the bytes of it that are out of the buffer
    for block in blocks:
        buffer += block
        while passed + len(buffer) > limit:
            window = bytes(buffer[: limit - passed])
            end = _quietest(window, ahead, sample_rate)
            yield number, window[:end]
            del buffer[:end]
            number, passed = number + 1, 0
        if len(buffer) > 2 * ahead:
            certain = len(buffer) - ahead
            yield number, bytes(buffer[:certain])
            del buffer[:certain]
            passed += certain
    if buffer:
        yield number, bytes(buffer)


def _quietest(samples: bytes, ahead: int, sample_rate: int) -> int:
    """Find the byte to split at: the middle of the quietest stretch in the last `ahead` bytes.

    Where no stretch is quieter than the others, that is the end.
    """
    step = int(FRAME_S * sample_rate)
    steps = int(PAUSE_S / FRAME_S)
    frames = min(ahead, len(samples)) // SAMPLE_BYTES // step
    start = len(samples) - frames * step * SAMPLE_BYTES
    values = memoryview(samples)[start:].cast("h")
    loudness = [sum(map(abs, values[i * step : (i + 1) * step])) for i in range(frames)]
    stretches = [sum(loudness[i : i + steps]) for i in range(frames - steps + 1)]
    if not stretches:
        return len(samples)
    quiet = max(min(stretches) * LOUDER, INAUDIBLE * steps * step)
    if max(stretches) <= quiet:
        return len(samples)
    last = max(i for i, stretch in enumerate(stretches) if stretch <= quiet)
    return start + (last + steps // 2) * step * SAMPLE_BYTES
