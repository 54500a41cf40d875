"""A VOC file, block by block → the last of its blocks of sound. Knows nothing of FFmpeg."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from langchain_qwen_audio._media.file_parts import PartReader

_SOUND, _LAST_KIND = {1, 2, 9}, 9
_MAX_BLOCKS = 200_000
_UNKNOWN_SIZE = 0xFF_FFFF


class Block(NamedTuple):
    """A block: where its body begins, and the bytes of it; 0 for all that follow."""

    body: int
    size: int


def last_sound_block(file: BinaryIO | PartReader, start: int, end: int) -> Block | None:
    """Find the last block of sound in a range; None if there is none."""
    file.seek(start + 20)
    position = start + int.from_bytes(file.read(2), "little")
    last = None
    for _ in range(_MAX_BLOCKS):
        file.seek(position)
        head = file.read(4)
        if position + 4 > end or len(head) < 4 or not 0 < head[0] <= _LAST_KIND:
            break
        size = int.from_bytes(head[1:], "little")
        if head[0] in _SOUND:
            last = Block(position + 4, 0 if size == _UNKNOWN_SIZE else size)
            if not last.size:
                break
        position += 4 + size
    return last
