"""Blocks of samples → the same with silence or a beep in ranges of them. Pure."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from langchain_qwen_audio._media.samples import SAMPLE_BYTES

Sound: TypeAlias = Literal["silence", "beep"]

_BEEP_HZ, _BEEP_LEVEL = 1_000, 3_000  # of a sine, in 16 bits: -21 dB of full scale


def make_second(sound: Sound, sample_rate: int) -> bytes:
    """Make a second of what stands where sound was removed; it can be repeated without a click."""
    if sound == "silence":
        return bytes(sample_rate * SAMPLE_BYTES)
    step = 2 * math.pi * _BEEP_HZ / sample_rate
    return array(
        "h", (round(_BEEP_LEVEL * math.sin(step * n)) for n in range(sample_rate))
    ).tobytes()


def cover_ranges(
    blocks: Iterable[bytes], ranges: Sequence[tuple[int, int]], second: bytes
) -> Iterator[bytes]:
    """Put something else in the place of ranges of a recording, block by block.

    Args:
        blocks: Its samples.
        ranges: Where each range begins and ends, in bytes, in order, none in another one.
        second: What is put there, repeated.
    """
    left, position = deque(ranges), 0
    for block in blocks:
        covered, end = bytearray(block), position + len(block)
        while left and left[0][0] < end:
            first, last = max(left[0][0], position), min(left[0][1], end)
            covered[first - position : last - position] = _cut(second, first, last)
            if left[0][1] > end:
                break
            left.popleft()
        yield bytes(covered)
        position = end


def _cut(second: bytes, first: int, last: int) -> bytes:
    """Take what a repeated second has from one byte to another."""
    offset = first % len(second)
    count = (offset + last - first) // len(second) + 1
    return (second * count)[offset : offset + last - first]
