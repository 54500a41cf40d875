"""AMR → its frames, as FFmpeg's own decoders take them, or their number; knows nothing of FFmpeg.

FFmpeg's decoders are the same in every version of PyAV, but they refuse what encoders write while
nobody speaks (discontinuous transmission), and silence wide-band frames without the quality bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio._media.file_parts import PartReader

FRAMES_PER_S = 50

# The bytes of a frame by its type, header included: those with speech in order, then those of
# pauses (comfort noise, no data, speech lost). RFC 4867, sections 3.6 and 5.3.
_SPEECH_BYTES = {
    "amr_nb": (13, 14, 16, 18, 20, 21, 27, 32),
    "amr_wb": (18, 24, 33, 37, 41, 47, 51, 59, 61),
}
_PAUSE_BYTES = {"amr_nb": {8: 6, 15: 1}, "amr_wb": {9: 6, 14: 1, 15: 1}}
_GOOD_QUALITY = 0b100
_MAGIC = {"amr_nb": b"#!AMR\n", "amr_wb": b"#!AMR-WB\n"}
_BLOCK = 1 << 12

CODECS = frozenset(_SPEECH_BYTES)


def split_frames(packet: bytes, codec: str) -> Iterator[bytes | None]:
    """Yield the frames of a packet, marked as good; None is a pause of a frame's length.

    After a frame of a reserved type the next one cannot be found; all the rest is yielded.
    """
    bytes_of = dict(enumerate(_SPEECH_BYTES[codec])) | _PAUSE_BYTES[codec]
    while packet:
        kind = packet[0] >> 3 & 0xF
        size = bytes_of.get(kind, len(packet))
        is_pause = kind in _PAUSE_BYTES[codec]
        yield None if is_pause else bytes([packet[0] | _GOOD_QUALITY]) + packet[1:size]
        packet = packet[size:]


class Counted(NamedTuple):
    """Frames of a stretch of a file: those that are whole, and those that no decoder takes."""

    whole: int
    damaged: int


def count_frames(file: BinaryIO | PartReader, codec: str) -> Iterator[Counted]:
    """Count the frames of an AMR file, block by block, by their first bytes."""
    start = len(_MAGIC[codec])
    file.seek(0)
    at = start if file.read(start) == _MAGIC[codec] else 0  # in the block that is read next
    file.seek(0)
    sizes, reserved = _sizes(codec), _reserved(codec)
    first = 0
    while block := file.read(_BLOCK):
        whole = damaged = 0
        while at < len(block):
            first = block[at]
            at += sizes[first]
            if first in reserved:
                damaged += 1
            else:
                whole += 1
        at -= len(block)
        yield Counted(whole, damaged)
    if at and first >> 3 & 0xF not in _PAUSE_BYTES[codec]:
        yield Counted(-1, 1)  # the last one is cut


def _sizes(codec: str) -> list[int]:
    """List the bytes of frames by their first byte; those of reserved types are one byte long."""
    known = dict(enumerate(_SPEECH_BYTES[codec])) | _PAUSE_BYTES[codec]
    return [known.get(first >> 3 & 0xF, 1) for first in range(256)]


def _reserved(codec: str) -> frozenset[int]:
    known = dict(enumerate(_SPEECH_BYTES[codec])) | _PAUSE_BYTES[codec]
    return frozenset(first for first in range(256) if first >> 3 & 0xF not in known)
