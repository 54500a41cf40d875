"""Files whose header says too little, or nothing, of how much sound there is → headers that say it.

FFmpeg reads as much as a header says, and refuses some that leave it open. AIFF, AU, CAF, DSF, VOC
and Wave64 are here, `wav_chunks.py` has WAV. Knows nothing of FFmpeg.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from langchain_qwen_audio._media.chunks import (
    LAYOUTS,
    UNKNOWN_SIZE,
    ChunkLayout,
    end_of_chunks,
    large_size,
    read_chunks,
    sound_follows,
)
from langchain_qwen_audio._media.file_parts import FilePart, PartReader, file_size
from langchain_qwen_audio._media.voc_blocks import last_sound_block

if TYPE_CHECKING:
    from collections.abc import Callable

_CAF_PACKET = slice(36, 40)  # bytes of each packet, if all are alike
_MAX_HEAD = 1 << 20  # bytes before the sound; pictures in them are no larger
_DSF_BLOCK = 4096  # bytes of each channel
_AU_HEAD = 24
# FFmpeg counts what follows the sound of these as sound, or reads it as such.
_READ_TO_THE_END = {"au", "caf", "w64"}


class SoundSize(NamedTuple):
    """What a header says of the sound.

    Attributes:
        at: Where the sound begins.
        size: Bytes of it; 0 if that is not known.
        following: Where the next chunk begins, if the size is right.
        claimed: Bytes of it in the place of the header that says most; 0 if that is not known.
        layout: How chunks are written, if there are any.
    """

    at: int
    size: int
    following: int
    claimed: int
    layout: ChunkLayout | None = None


def size_of_sound(
    file: BinaryIO | PartReader, start: int, end: int, container: str
) -> SoundSize | None:
    """Read what the header of a file says of its sound; None if it says nothing of the kind."""
    match container:
        case "au":
            return _size_in_au(file, start)
        case "dsf":
            return _size_in_dsf(file, start)
        case "voc":
            return _size_in_voc(file, start, end)
        case _ if container in LAYOUTS:
            return _size_in_chunks(file, start, end, LAYOUTS[container])
        case _:
            return None


def promised(file: PartReader, container: str) -> float:
    """Compare the sound that a header promises with what is there: 2.0 if half is."""
    end = file_size(file)
    size = size_of_sound(file, 0, end, container)
    return max(1.0, size.size / (end - size.at)) if size and size.at < end else 1.0


def with_right_size(file: BinaryIO, part: FilePart, container: str) -> FilePart:
    """Give a file a header that says how much sound there is, if its own says less.

    Returns:
        The part as it came if its header is right, or says more than is there.
    """
    ((start, end),) = part.ranges
    if container not in _WRITERS or not (size := size_of_sound(file, start, end, container)):
        return part
    head_size = size.at - start
    if not 0 < head_size <= min(_MAX_HEAD, end - start - 1):
        return part
    file.seek(start)
    before = file.read(head_size)
    if container == "caf" and not any(before[_CAF_PACKET]):  # a table says how large each is
        return part
    stop = _end_of_sound(file, size, end)
    if size.size and stop <= size.at + size.size and _reaches_sound(before, container):
        own_end = end_of_chunks(file, min(size.following, end), end, size.layout)
        is_trimmed = container in _READ_TO_THE_END and own_end < end
        return FilePart(((start, own_end),)) if is_trimmed else part
    head = bytearray(before)
    _WRITERS[container](head, max(size.size, stop - size.at))
    return FilePart(((size.at, stop),), bytes(head)) if head != before else part


def _end_of_sound(file: BinaryIO, size: SoundSize, end: int) -> int:
    """Find where the sound ends: where the header says so, or where the file ends."""
    if not size.size:
        return end
    goes_on = size.following < end and sound_follows(file, size.following, end, size.layout)
    return end if goes_on else min(end, size.at + size.size)


def _reaches_sound(head: bytes, container: str) -> bool:
    """Tell whether the file is as long, as it says itself, that there can be sound in it."""
    match container:
        case "aiff":
            return int.from_bytes(head[4:8]) + 8 >= len(head)
        case "w64":
            return int.from_bytes(head[16:24], "little") >= len(head)
        case _:
            return True


def _size_in_voc(file: BinaryIO | PartReader, start: int, end: int) -> SoundSize | None:
    block = last_sound_block(file, start, end)
    if not block:
        return None
    following = sum(block)
    file.seek(following)
    following += file.read(1) == b"\0"  # the end of all blocks
    return SoundSize(*block, following, block.size)


def _size_in_chunks(
    file: BinaryIO | PartReader, start: int, end: int, layout: ChunkLayout
) -> SoundSize | None:
    size_of_large = 0
    for name, _, body, size in read_chunks(file, layout, start + layout.first, end):
        if name == b"ds64":
            file.seek(body)
            size_of_large = large_size(file.read(16))
        if name == layout.sound:
            there = size if size < layout.unknown else size_of_large
            known = max(0, there - layout.before_sound)
            following = body + there + -there % layout.padded_to
            return SoundSize(body + layout.before_sound, known, following, known, layout)
    return None


def _size_in_au(file: BinaryIO | PartReader, start: int) -> SoundSize | None:
    file.seek(start)
    head = file.read(12)
    if len(head) < 12:
        return None
    offset, size = struct.unpack(">II", head[4:])
    if offset < _AU_HEAD:
        return None
    known = size if size < UNKNOWN_SIZE else 0
    return SoundSize(start + offset, known, start + offset + known, known)


def _size_in_dsf(file: BinaryIO | PartReader, start: int) -> SoundSize | None:
    """Read the size of DSF; less is said where its count of samples is too small."""
    file.seek(start)
    head = file.read(92)
    if len(head) < 92 or head[28:32] != b"fmt " or head[80:84] != b"data":
        return None
    channels, count, size = (
        *struct.unpack("<I8xQ", head[52:72]),
        int.from_bytes(head[84:], "little"),
    )
    counted = -(-count // (8 * _DSF_BLOCK)) * _DSF_BLOCK * channels
    known = min(max(0, size - 12), counted)
    return SoundSize(start + 92, known, start + 92 + known, max(size - 12, counted))


# --- headers with another size, which are changed in place ---


def _write_aiff(head: bytearray, size: int) -> None:
    at = head.find(b"COMM", 0, -16) + 8
    if at < 8:  # it comes after the sound, which then does not go on to the end
        return
    head[4:8] = struct.pack(">I", min(len(head) + size - 8, 0xFFFF_FFFF))
    head[-12:-8] = struct.pack(">I", min(size + 8, 0xFFFF_FFFF))
    channels, frames, bits = struct.unpack(">HIH", head[at : at + 8])
    if frames * channels * bits // 8 >= LAYOUTS["aiff"].unknown:
        head[at + 2 : at + 6] = bytes(4)


def _write_au(head: bytearray, size: int) -> None:  # noqa: ARG001
    head[8:12] = b"\xff" * 4  # as programs write it that do not know


def _write_caf(head: bytearray, size: int) -> None:
    head[-12:-4] = struct.pack(">Q", size + 4)


def _write_w64(head: bytearray, size: int) -> None:
    head[-8:] = struct.pack("<Q", size + 24)
    head[16:24] = struct.pack("<Q", len(head) + size)


def _write_dsf(head: bytearray, size: int) -> None:
    channels = max(1, int.from_bytes(head[52:56], "little"))
    head[64:72] = struct.pack("<Q", size * 8 // channels)
    head[84:92] = struct.pack("<Q", size + 12)


def _write_voc(head: bytearray, size: int) -> None:  # noqa: ARG001
    head[-3:] = bytes(3)  # to the end: blocks are no larger than 16 MB


_WRITERS: dict[str, Callable[[bytearray, int], None]] = {
    "aiff": _write_aiff,
    "au": _write_au,
    "caf": _write_caf,
    "dsf": _write_dsf,
    "voc": _write_voc,
    "w64": _write_w64,
}
SIZED = tuple(_WRITERS)
