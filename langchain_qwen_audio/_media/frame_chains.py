"""MP3 and AAC without a header → where they begin: at frames that follow each other.

Reads headers only; knows nothing of FFmpeg.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from langchain_qwen_audio._media.file_parts import find_all, find_pattern, tag_size
from langchain_qwen_audio._media.mp3_frames import read_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHAIN = 4  # so many frames that are alike are no coincidence
_MAX_TAGS = 4
_MAX_PLACES = 200_000  # more than by chance, in files that can be kept in memory
_NAMES = dict.fromkeys((0xF0, 0xF1, 0xF8, 0xF9), "aac") | dict.fromkeys(
    (0xE2, 0xE3, 0xF2, 0xF3, 0xF4, 0xF5, 0xFA, 0xFB, 0xFC, 0xFD), "mp3"
)
_SYNC_BYTES = 2
_LIKE_AAC = {"flac", "ogg"}  # FLAC's frames, in Ogg too, begin with the bytes of AAC's


def frames_at(file: BinaryIO, at: int) -> str:
    """Name the format whose frames begin at a position: `mp3`, `aac`, or "" for none of them."""
    for _ in range(_MAX_TAGS):
        file.seek(at)
        at += tag_size(file.read(10))
    shapes: set[object] = set()
    for _ in range(_CHAIN):
        file.seek(at)
        name, size, shape = _frame(file.read(7))
        shapes.add((name, shape))
        if not size or len(shapes) > 1:
            return ""
        at += size
    return name


def find_tagged_frames(file: BinaryIO, start: int, end: int, name: str) -> Iterator[int]:
    """Find where frames of a format begin after a tag, after `start`."""
    tags = islice(find_all(file, b"ID3", start + 1, end), _MAX_PLACES)
    return (at for at in tags if frames_at(file, at) == name)


def find_frames(
    file: BinaryIO, start: int, end: int, name: str, tries: Iterator[int]
) -> Iterator[tuple[int, str]]:
    """Find where frames of MP3 and AAC take turns in a stretch that begins with format `name`."""
    found: tuple[int, str] | None = start, name
    while found and (found := _find_others(file, *found, end, tries)):
        yield found


def _find_others(
    file: BinaryIO, start: int, name: str, end: int, tries: Iterator[int]
) -> tuple[int, str] | None:
    """Find the first frames after `start` that are not of the format `name`."""
    syncs = find_pattern(file, _sync_of_others(name), _SYNC_BYTES, start + 1, end)
    for (at, sync), _ in zip(syncs, tries, strict=False):
        kind = _NAMES[sync[1]]
        if frames_at(file, at) == kind:
            return at, kind
    return None


@lru_cache
def _sync_of_others(name: str) -> re.Pattern[bytes]:
    left_out = {name, "aac"} if name in _LIKE_AAC else {name}
    others = bytes(byte for byte, kind in _NAMES.items() if kind not in left_out)
    return re.compile(rb"\xff[%b]" % re.escape(others))


def _frame(head: bytes) -> tuple[str, int, object]:
    """Read the format of a frame, its size, and what is alike in all frames of a file."""
    if frame := read_frame(head[:4]):
        return "mp3", frame.size, frame.shape
    if len(head) == 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # ADTS
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return "aac", size if size > 7 else 0, (head[1], head[2], head[3] >> 6)
    return "", 0, None
