"""WAV files that were joined, or that go on after what their header says → the sound in them.

Knows nothing of FFmpeg.
"""

from __future__ import annotations

import re
import struct
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from langchain_qwen_audio._media.container_headers import UNKNOWN_SIZE
from langchain_qwen_audio._media.file_parts import FilePart, find_all

if TYPE_CHECKING:
    from collections.abc import Iterator

_RIFF = re.compile(rb"(?:RIFF|RF64|BW64)....WAVE", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9 _-]{3}")  # of a chunk
_MAX_CHUNKS = 64
_MAX_FMT = 4096
_UNKNOWN = b"\xff\xff\xff\xff"
_BLOCK = 1 << 20
_TAGS = (b"ID3", b"APETAGEX")
_PADDING = 4096  # so many bytes after the last chunk, or fewer, are no sound


class _Header(NamedTuple):
    """The header of a WAV file within a file.

    Attributes:
        start: Where it begins.
        fmt: The chunk that says how the sound is stored.
        data: Where the sound begins.
        size: Bytes of sound, as it says; 0 if it does not, as programs that were killed leave it.
    """

    start: int
    fmt: bytes
    data: int
    size: int


class _Blob(NamedTuple):
    """A WAV file within a file: its header, where its sound ends, and whether some is missing."""

    header: _Header
    end: int
    is_truncated: bool


def split_wav(file: BinaryIO, start: int, end: int) -> list[FilePart]:
    """Find the sound of WAV files in one file; those of one format become one part.

    Returns:
        The parts; a single one without a head is the file as it came.
    """
    blobs = list(_blobs(file, start, end))
    if not blobs or (len(blobs) == 1 and not _goes_on(blobs[0], end)):
        return [FilePart(((start, end),))]
    parts: list[FilePart] = []
    for (_, is_truncated), group in groupby(blobs, lambda it: (it.header.fmt, it.is_truncated)):
        several = list(group)
        if is_truncated:  # whoever reads it will say so
            parts += (FilePart(((it.header.start, it.end),)) for it in several)
        else:
            parts.append(_part_of(file, several))
    return parts


def _goes_on(blob: _Blob, end: int) -> bool:
    """Tell a file with more sound in it than its header says."""
    return blob.header.size > 0 and blob.header.data + blob.header.size < blob.end == end


def _part_of(file: BinaryIO, blobs: list[_Blob]) -> FilePart:
    """Put the sound of blobs behind the header of the first, with no size in it."""
    first = blobs[0].header
    file.seek(first.start)
    head = file.read(first.data - first.start - 4)
    head = b"RIFF" + _UNKNOWN + head[8:] + _UNKNOWN
    return FilePart(tuple((it.header.data, it.end) for it in blobs), head)


def _blobs(file: BinaryIO, start: int, end: int) -> Iterator[_Blob]:
    header = _read_header(file, start, end)
    for at in _later_starts(file, start):
        following = _read_header(file, at, end)
        if header and following:
            yield _measure(file, header, at, end)
        header = following or header
    if header:
        yield _measure(file, header, end, end)


def _later_starts(file: BinaryIO, start: int) -> Iterator[int]:
    for found in find_all(file, b"WAVE", start + 1):
        at = found - 8
        file.seek(max(at, 0))
        if at > start and _RIFF.match(file.read(12)):
            yield at


def _read_header(file: BinaryIO, start: int, end: int) -> _Header | None:
    file.seek(start)
    if not _RIFF.match(file.read(12)):
        return None
    fmt, large_size, position = b"", 0, start + 12
    for name, size in _chunks(file, position, end):
        position += 8
        file.seek(position)
        if name == b"data":
            known = size if size < UNKNOWN_SIZE else large_size
            return _Header(start, fmt, position, known) if fmt else None
        if name == b"fmt ":
            fmt = file.read(min(size, _MAX_FMT))
        if name == b"ds64":  # the sizes of an RF64 file, which may have more than 4 GiB
            large_size = int.from_bytes(file.read(16)[8:], "little")
        position += size + size % 2
    return None


def _chunks(file: BinaryIO, position: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield the names and sizes of chunks."""
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if position + 8 > end or len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        yield name, size
        position += 8 + size + size % 2


def _measure(file: BinaryIO, header: _Header, stop: int, end: int) -> _Blob:
    """Find where the sound of a WAV file ends: before `stop`, where the next one begins."""
    declared = header.data + header.size
    if not header.size or stop < declared <= end:
        return _Blob(header, stop, is_truncated=False)
    if declared > end:
        return _Blob(header, stop, is_truncated=True)
    is_sound = _is_sound(file, declared, stop)
    return _Blob(header, stop if is_sound else declared, is_truncated=False)


def _is_sound(file: BinaryIO, position: int, stop: int) -> bool:
    """Tell sound that follows what a header says from other chunks, tags and padding."""
    position += position % 2
    for name, size in _chunks(file, position, stop):
        if not _NAME.fullmatch(name) or position + 8 + size > stop:
            break
        position += 8 + size + size % 2
    file.seek(position)
    if stop - position <= _PADDING or file.read(8).startswith(_TAGS):
        return False
    file.seek(position)
    while position < stop and (block := file.read(min(_BLOCK, stop - position))):
        if any(block):
            return True
        position += len(block)
    return False
