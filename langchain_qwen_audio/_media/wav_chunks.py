"""WAV files that were joined, or that go on after what their header says → the sound in them.

Knows nothing of FFmpeg.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from langchain_qwen_audio._media.beginnings import begins, find_beginnings
from langchain_qwen_audio._media.chunks import (
    LAYOUTS,
    UNKNOWN_SIZE,
    large_size,
    read_chunks,
    sound_follows,
)
from langchain_qwen_audio._media.file_parts import FilePart

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAYOUT = LAYOUTS["wav"]
_MAX_FMT = 4096
_UNKNOWN = b"\xff\xff\xff\xff"


class _Header(NamedTuple):
    """The header of a WAV file within a file.

    Attributes:
        start: Where it begins.
        fmt: The chunk that says how the sound is stored.
        data: Where the sound begins.
        size: Bytes of sound, as it says; 0 if it does not, as programs that were killed leave it.
        read: Bytes of sound that FFmpeg reads, whatever else the header says; None for all.
    """

    start: int
    fmt: bytes
    data: int
    size: int
    read: int | None = None


class _Blob(NamedTuple):
    """A WAV file within a file: its header, where its sound ends, and whether some is missing."""

    header: _Header
    end: int
    is_truncated: bool


def split_wav(file: BinaryIO, start: int, end: int, tries: Iterator[int]) -> list[FilePart]:
    """Find the sound of WAV files in one file; those of one format become one part.

    Returns:
        The parts; a single one without a head is the file as it came.
    """
    blobs = list(_blobs(file, start, end, tries))
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
    """Tell a file with more sound in it than its header says, or than FFmpeg would read."""
    header, there = blob.header, blob.end - blob.header.data
    if header.read is not None and not blob.is_truncated and header.read != there:
        return True
    return 0 < header.size < there and blob.end == end


def _part_of(file: BinaryIO, blobs: list[_Blob]) -> FilePart:
    """Put the sound of blobs behind the header of the first, with no size in it."""
    first = blobs[0].header
    file.seek(first.start)
    head = file.read(first.data - first.start - 4)
    head = b"RIFF" + _UNKNOWN + head[8:] + _UNKNOWN
    return FilePart(tuple((it.header.data, it.end) for it in blobs), head)


def _blobs(file: BinaryIO, start: int, end: int, tries: Iterator[int]) -> Iterator[_Blob]:
    header = _read_header(file, start, end, tries)
    starts = find_beginnings(file, start, end, "wav")
    for at, _ in zip(starts, tries, strict=False):
        following = _read_header(file, at, end, tries)
        if header and following:
            yield _measure(file, header, at, end)
        header = following or header
    if header:
        yield _measure(file, header, end, end)


def _read_header(file: BinaryIO, start: int, end: int, tries: Iterator[int]) -> _Header | None:
    file.seek(start)
    head = file.read(4)
    if not begins(file, start, "wav"):
        return None
    fmt, size_of_large = b"", 0
    chunks = read_chunks(file, _LAYOUT, start + _LAYOUT.first, end)
    for (name, _, body, size), _ in zip(chunks, tries, strict=False):
        file.seek(body)
        if name == b"data":
            known = size if size < UNKNOWN_SIZE else size_of_large
            read = None if head == b"RIFF" else size_of_large
            return _Header(start, fmt, body, known, read) if fmt else None
        if name == b"fmt ":
            fmt = file.read(min(size, _MAX_FMT))
        if name == b"ds64":
            size_of_large = large_size(file.read(16))
    return None


def _measure(file: BinaryIO, header: _Header, stop: int, end: int) -> _Blob:
    """Find where the sound of a WAV file ends: before `stop`, where the next one begins."""
    declared = header.data + header.size
    if not header.size or stop < declared <= end:
        return _Blob(header, stop, is_truncated=False)
    if declared > end:
        return _Blob(header, stop, is_truncated=True)
    is_sound = sound_follows(file, declared + declared % 2, stop, _LAYOUT)
    return _Blob(header, stop if is_sound else declared, is_truncated=False)
