"""A file → what its headers claim, against what is there: FFmpeg believes them, or says nothing.

Reads a few bytes here and there; knows nothing of FFmpeg.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._media.file_parts import PartReader, file_size

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_BOXES = {b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot"}
_BOXES_OF_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_MAX_BOXES = 1_000_000
_MATROSKA_CODEC = re.compile(rb"\x86[\x82-\xbf](A_[A-Z0-9/_]+)")


def is_pcm_wave(file: PartReader) -> bool:
    """Tell a WAV file of plain samples, whole numbers or floats, that begins as nearly all do."""
    file.seek(0)
    head = file.read(22)
    return (head[:4], head[8:16]) == (b"RIFF", b"WAVEfmt ") and head[20:] in {b"\1\0", b"\3\0"}


def is_large_wave(file: PartReader) -> bool:
    """Tell a WAV file whose sizes have 64 bits, in a chunk of their own: RF64 or BW64."""
    file.seek(0)
    return file.read(4) in {b"RF64", b"BW64"}


def has_xing_header(file: PartReader) -> bool:
    """Tell an MP3 whose first frame says how long it is."""
    file.seek(0)
    head = file.read(1 << 16)
    return bool(re.search(rb"\xff[\xe2-\xff]..\x00{9,32}(Xing|Info)", head, re.DOTALL))


class _Box(NamedTuple):
    """A box of an MP4 file: its kind, where it is, and its first bytes, header included."""

    kind: bytes
    position: int
    header: bytes


def _boxes(file: PartReader) -> Iterator[_Box]:
    """Yield the boxes of an MP4 file, those within boxes after those that hold them."""
    end = file_size(file)
    todo = [(0, end)]
    for _ in range(_MAX_BOXES):
        if not todo:
            return
        position, stop = todo.pop()
        file.seek(position)
        header = file.read(28)
        if len(header) < 16 or position + 8 > stop:
            continue
        size, kind = struct.unpack(">I4s", header[:8])
        if position == 0 and kind not in _FIRST_BOXES:
            return
        if size == 1:
            size = struct.unpack(">Q", header[8:16])[0]
        size = size or stop - position
        yield _Box(kind, position, header)
        todo.append((position + max(size, 8), stop))
        if kind in _BOXES_OF_BOXES:
            todo.append((position + 8, min(stop, position + size)))


def lacks_index(file: PartReader) -> bool:
    """Tell an MP4 file without the index that says where its sound is."""
    kinds = {box.kind for box in _boxes(file)}
    return bool(kinds) and b"moov" not in kinds


def codec_codes(file: PartReader) -> list[str]:
    """List what an MP4, Matroska or WAV file calls the codecs of its sound, track by track."""
    file.seek(0)
    head = file.read(1 << 16)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return [code.decode() for code in _MATROSKA_CODEC.findall(head)]
    if head[:4] == b"RIFF":
        return [f"WAV format 0x{int.from_bytes(head[20:22], 'little'):04x}"]
    codes, is_sound = [], False
    for kind, position, header in _boxes(file):
        if kind == b"hdlr":
            is_sound = header[16:20] == b"soun"
        elif kind == b"stsd" and is_sound:
            file.seek(position + 20)
            codes.append(file.read(4).decode("latin-1"))
    return codes
