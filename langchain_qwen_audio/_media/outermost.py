"""MP4 and Matroska files → where they end, as their outermost boxes and elements say.

Knows nothing of FFmpeg.
"""

from __future__ import annotations

import re
from typing import BinaryIO

_MAX_ELEMENTS = 100_000
_BOX = re.compile(rb"[A-Za-z0-9 ]{4}")
_ELEMENTS = (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67")  # a header, and a segment


def end_of_boxes(file: BinaryIO, start: int, end: int) -> int:
    """Find where the boxes of MP4 files end that follow each other."""
    position = start
    for _ in range(_MAX_ELEMENTS):
        if position >= end:
            break
        file.seek(position)
        head = file.read(16)
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:])
        if len(head) >= 8 and size == 0 and _BOX.fullmatch(head[4:8]):
            return end
        if len(head) < 8 or size < 8 or not _BOX.fullmatch(head[4:8]):
            return position
        position += size
    return position


def end_of_elements(file: BinaryIO, start: int, end: int) -> int | None:
    """Find where Matroska files end that follow each other; None if the last leaves it open."""
    position = start
    for _ in range(_MAX_ELEMENTS):
        if position >= end:
            break
        file.seek(position)
        head = file.read(12)
        if head[:4] not in _ELEMENTS or len(head) < 5 or not head[4]:
            return position
        length = 9 - head[4].bit_length()
        value = int.from_bytes(head[4 : 4 + length])
        size = value & (1 << 7 * length) - 1
        if size == (1 << 7 * length) - 1:
            return None
        position += 4 + length + size
    return position
