"""Containers of chunks, each with its name and its size → where their sound is, and what follows.

Reads a few bytes here and there; knows nothing of FFmpeg.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio._media.file_parts import PartReader

UNKNOWN_SIZE = 0x7FFF_0000  # programs that write to a pipe promise at least this many bytes
PADDING = 4096  # so many bytes after the last chunk, or fewer, are no sound
_UNKNOWN_SIZE_OF_AIFF = 0x7F00_0000  # SoX
UNKNOWN_LARGE_SIZE = 1 << 62  # where sizes have 64 bits
_MAX_CHUNKS = 64
_BLOCK = 1 << 20
_TAGS = (b"ID3", b"APETAGEX")
# Names of chunks, which no file begins with.
_NAME = re.compile(rb"(?!RIFF|RF64|BW64|FORM|OggS|caff|fLaC)[A-Za-z(][A-Za-z0-9) _-]{3}")
_GUID = re.compile(rb".{10}\x00\xc0\x4f\x8e\xdb\x8a", re.DOTALL)


class Chunk(NamedTuple):
    """A chunk: its name, where its header is, where its body is, and the bytes of that."""

    name: bytes
    at: int
    body: int
    size: int


class ChunkLayout(NamedTuple):
    """How the chunks of a container are written.

    Attributes:
        first: Where they begin.
        header: How their headers are read.
        counted: How much of the header their size counts.
        padded_to: What they are padded to a multiple of.
        name: What names look like.
        sound: The name of the one with the sound.
        before_sound: Bytes in it before the sound.
        unknown: Sizes from here on say that the size is not known.
    """

    first: int
    header: struct.Struct
    counted: int
    padded_to: int
    name: re.Pattern[bytes]
    sound: bytes
    before_sound: int
    unknown: int


LAYOUTS = {
    "wav": ChunkLayout(12, struct.Struct("<4sI"), 0, 2, _NAME, b"data", 0, UNKNOWN_SIZE),
    "aiff": ChunkLayout(12, struct.Struct(">4sI"), 0, 2, _NAME, b"SSND", 8, _UNKNOWN_SIZE_OF_AIFF),
    "caf": ChunkLayout(8, struct.Struct(">4sQ"), 0, 1, _NAME, b"data", 4, UNKNOWN_LARGE_SIZE),
    "w64": ChunkLayout(
        40,
        struct.Struct("<16sQ"),
        24,
        8,
        _GUID,
        b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a",
        0,
        UNKNOWN_LARGE_SIZE,
    ),
}


def large_size(ds64: bytes) -> int:
    """Read the size of the sound from the chunk where an RF64 or BW64 file has it; 0 if unknown."""
    size = int.from_bytes(ds64[8:16], "little")
    return size if size < UNKNOWN_LARGE_SIZE else 0


def read_chunks(
    file: BinaryIO | PartReader, layout: ChunkLayout, position: int, end: int
) -> Iterator[Chunk]:
    """Yield chunks, the last of which may say that it goes on beyond the end."""
    for _ in range(_MAX_CHUNKS):
        if position + layout.header.size > end:
            return
        file.seek(position)
        head = file.read(layout.header.size)
        if len(head) < layout.header.size:
            return
        name, size = layout.header.unpack(head)
        body = position + layout.header.size
        size = max(0, size - layout.counted)
        yield Chunk(name, position, body, size)
        position = body + size + -size % layout.padded_to


def end_of_chunks(
    file: BinaryIO, position: int, stop: int, layout: ChunkLayout | None = None
) -> int:
    """Find where the chunks end that begin at a position."""
    for name, at, body, size in read_chunks(file, layout, position, stop) if layout else ():
        if not layout or not layout.name.fullmatch(name) or body + size > stop:
            return at
        position = min(body + size + -size % layout.padded_to, stop)
    return position


def sound_follows(
    file: BinaryIO, position: int, stop: int, layout: ChunkLayout | None = None
) -> bool:
    """Tell sound that follows what a header says from other chunks, tags and padding.

    Args:
        file: The file.
        position: Where the next chunk would begin.
        stop: Where the file ends.
        layout: How its chunks are written, if it has any.
    """
    position = end_of_chunks(file, position, stop, layout)
    file.seek(position)
    if stop - position <= PADDING or file.read(8).startswith(_TAGS):
        return False
    file.seek(position)
    while position < stop and (block := file.read(min(_BLOCK, stop - position))):
        if any(block):
            return True
        position += len(block)
    return False
