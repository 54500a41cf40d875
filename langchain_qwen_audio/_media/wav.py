"""WAV files: headers, also of files whose length is not known yet. Pure."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.samples import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

WAV_HEADER_BYTES = 44
_UNKNOWN = 0xFFFF_FFFF  # what programs that write to a pipe put where a size belongs


def wav_header(size: int | None, sample_rate: int, channels: int = 1) -> bytes:
    """Make the header of a WAV file of 16-bit samples.

    Args:
        size: Bytes of samples that follow; None if that is not known yet.
        sample_rate: Frames per second.
        channels: Samples per frame.
    """
    riff, data = (_UNKNOWN, _UNKNOWN) if size is None else (size + WAV_HEADER_BYTES - 8, size)
    frame = SAMPLE_BYTES * channels
    form = (16, 1, channels, sample_rate, sample_rate * frame, frame, 8 * SAMPLE_BYTES)
    return struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", riff, b"WAVEfmt ", *form, b"data", data)


def lacks_sizes(head: bytes) -> bool:
    """Tell the beginning of a WAV file that was begun when its length was not known."""
    unknown = struct.pack("<I", _UNKNOWN)
    return head[:8] == b"RIFF" + unknown and head[36:44] == b"data" + unknown


def close_wav(data: bytes) -> bytes:
    """Fill in the sizes of a WAV file that was begun when its length was not known."""
    if lacks_sizes(data):
        riff, size = (struct.pack("<I", len(data) - at) for at in (8, WAV_HEADER_BYTES))
        return data[:4] + riff + data[8:40] + size + data[44:]
    return data


def encode_wav(
    blocks: Iterable[bytes | bytearray | memoryview], sample_rate: int, channels: int = 1
) -> bytes:
    """Make a WAV file of blocks of signed 16-bit samples, losslessly."""
    file = BytesIO(wav_header(0, sample_rate, channels))
    file.seek(WAV_HEADER_BYTES)
    file.writelines(blocks)
    size = file.tell() - WAV_HEADER_BYTES
    file.seek(0)
    file.write(wav_header(size, sample_rate, channels))
    return file.getvalue()
