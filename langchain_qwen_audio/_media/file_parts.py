"""Pieces of a file → a file of its own: what FFmpeg is shown of a recording. Knows no FFmpeg."""

from __future__ import annotations

import io
import sys
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

_FIRST_BLOCK, _MAX_BLOCK = 1 << 12, 1 << 20


@dataclass(frozen=True)
class FilePart:
    """Ranges of a file, one after the other, that are one recording.

    Attributes:
        ranges: Where each range starts, and where it ends.
        head: What is put before them: a header in place of the file's own.
        container: FFmpeg's name of its format, where it is not that of the whole file.
    """

    ranges: tuple[tuple[int, int], ...]
    head: bytes = b""
    container: str = ""

    def open(self, file: BinaryIO) -> PartReader:
        """Read the part as a file."""
        return PartReader(file, self)


class PartReader:
    """A part of a file, to be read as if it were all."""

    def __init__(self, file: BinaryIO, part: FilePart) -> None:
        """Take a file, and what of it is read."""
        self._file, self._part, self._head = file, part, part.head
        self._starts = [start for start, _ in part.ranges]
        lengths = (end - start for start, end in part.ranges)
        # Where each range begins in what is read, and the end of all.
        self._places = list(accumulate(lengths, initial=len(part.head)))
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes of the part."""
        return self._places[-1]

    def again(self) -> PartReader:
        """Read the same from its beginning, while this goes on where it is."""
        return PartReader(self._file, self._part)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; all that follow by default."""
        wanted = self.size - self._at if size < 0 else size
        data = self._read_once(wanted)
        while 0 < len(data) < wanted and (more := self._read_once(wanted - len(data))):
            data += more
        return data

    def _read_once(self, size: int) -> bytes:
        if self._at < len(self._head):
            data = self._head[self._at : self._at + size]
        else:
            index = bisect_right(self._places, self._at) - 1
            if index >= len(self._starts):
                return b""
            self._file.seek(self._starts[index] + self._at - self._places[index])
            data = self._file.read(min(size, self._places[index + 1] - self._at))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, as files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Tell the position."""
        return self._at


def find_all(
    file: BinaryIO, wanted: bytes, start: int = 0, end: int | None = None
) -> Iterator[int]:
    """Find where `wanted` begins in a file, before `end`, in memory of one block."""
    width = len(wanted)
    for position, data in _blocks(file, width, start, end):
        at = data.find(wanted)
        while at >= 0:
            yield position + at
            at = data.find(wanted, at + 1)


def find_pattern(
    file: BinaryIO, form: re.Pattern[bytes], width: int, start: int, end: int
) -> Iterator[tuple[int, bytes]]:
    """Find where a form of `width` bytes begins in a file, before `end`, and what is there."""
    for position, data in _blocks(file, width, start, end):
        for match in form.finditer(data):
            yield position + match.start(), match.group()


def _blocks(file: BinaryIO, width: int, start: int, end: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield where a block begins, and its bytes; what begins in one is whole in it."""
    rest, position, size = b"", start, _FIRST_BLOCK  # what is wanted may be near
    stop = sys.maxsize if end is None else end + width - 1
    while True:
        file.seek(position + len(rest))
        block = file.read(max(0, min(size, stop - position - len(rest))))
        size = min(4 * size, _MAX_BLOCK)
        data = rest + block
        yield position, data
        if not block:
            return
        keep = min(len(data), width - 1)
        position += len(data) - keep
        rest = data[len(data) - keep :]


def file_size(file: BinaryIO | PartReader) -> int:
    """Count the bytes of a file."""
    return file.seek(0, io.SEEK_END)


def tag_size(head: bytes) -> int:
    """Count the bytes of the ID3v2 tag that begins with these ten bytes; 0 if none does."""
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:10]:  # seven bits of each
        size = size << 7 | byte & 0x7F
    footer = 10 if head[5] & 0x10 else 0
    return 10 + size + footer


def whole_file(file: BinaryIO) -> FilePart:
    """Take a file from where its ID3v2 tags end: FFmpeg would unpack them, however large."""
    start = 0
    while True:
        file.seek(start)
        size = tag_size(file.read(10))
        if not size:
            end = file_size(file)
            return FilePart(((min(start, end), end),))
        start += size
