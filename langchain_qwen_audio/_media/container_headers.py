"""A file → what its headers claim, against what is there: FFmpeg believes them, or says nothing.

Reads a few bytes here and there; knows nothing of FFmpeg.
"""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

_UNKNOWN_SIZE = 0x7FFF_0000  # programs that write to a pipe promise at least this many bytes
_MAX_CHUNKS = 64

# Where chunks begin, how their headers are read, how much of the header their size counts, and to
# what they are padded.
_CHUNKS = {
    "wav": (12, "<4sI", 0, 2),
    "caf": (8, ">4sQ", 0, 1),
    "w64": (40, "<16sQ", 24, 8),
}
_FIRST_BOXES = {b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot"}
_BOXES_OF_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_MAX_BOXES = 1_000_000


class PastTags:
    """A file from where its ID3v2 tags end: FFmpeg would unpack them, however large."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._start = file, 0
        file.seek(0)
        while (head := file.read(10))[:3] == b"ID3" and len(head) == 10:
            size = 0
            for byte in head[6:]:  # seven bits of each
                size = size << 7 | byte & 0x7F
            footer = 10 if head[5] & 0x10 else 0
            self._start += 10 + size + footer
            file.seek(self._start)
        file.seek(self._start)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset if whence else offset + self._start, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start


def is_pcm_wave(file: BinaryIO) -> bool:
    """Tell a WAV file of plain samples, whole numbers or floats, that begins as nearly all do."""
    head = PastTags(file).read(22)
    return (head[:4], head[8:16]) == (b"RIFF", b"WAVEfmt ") and head[20:] in {b"\1\0", b"\3\0"}


def has_xing_header(file: BinaryIO) -> bool:
    """Tell an MP3 whose first frame says how long it is."""
    head = PastTags(file).read(1 << 16)
    return bool(re.search(rb"\xff[\xe2-\xff]..\x00{9,32}(Xing|Info)", head, re.DOTALL))


def promised(file: BinaryIO, container: str) -> float:
    """Compare the sound that a header promises with what is there: 2.0 if half is."""
    if container not in _CHUNKS:
        return 1.0
    position, form, own, pad = _CHUNKS[container]
    end = file.seek(0, io.SEEK_END)
    length = struct.calcsize(form)
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(length)
        if len(header) < length:
            break
        kind, size = struct.unpack(form, header)
        position += length
        size -= own
        if kind[:4] == b"data":
            known = 0 < size < _UNKNOWN_SIZE and position < end
            return max(1.0, size / (end - position)) if known else 1.0
        position += size + -size % pad
    return 1.0


def absurd_claim(file: BinaryIO) -> str:
    """Find out whether an MP4 claims more samples than it has bytes; FFmpeg gives memory to them.

    Returns:
        What it claims, in words, or "".
    """
    end = file.seek(0, io.SEEK_END)
    todo, seen, claimed = [(0, end)], 0, 0
    while todo:
        position, stop = todo.pop()
        file.seek(position)
        header = file.read(28)
        if len(header) < 16 or position + 8 > stop:
            continue
        seen += 1
        size, kind = struct.unpack(">I4s", header[:8])
        if position == 0 and kind not in _FIRST_BOXES:
            return ""
        if size == 1:
            size = struct.unpack(">Q", header[8:16])[0]
        size = size or stop - position
        if kind == b"stsz" and len(header) >= 20 and header[12:16] != bytes(4):
            claimed += struct.unpack(">I", header[16:20])[0]
        elif kind == b"trun":
            claimed += struct.unpack(">I", header[12:16])[0]
        if claimed > end or seen > _MAX_BOXES:
            return f"{claimed:,} samples in {end:,} bytes"
        todo.append((position + max(size, 8), stop))
        if kind in _BOXES_OF_BOXES:
            todo.append((position + 8, min(stop, position + size)))
    return ""
