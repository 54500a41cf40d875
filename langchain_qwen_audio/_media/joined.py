"""Files that were joined byte by byte → the parts that they were. Knows nothing of FFmpeg.

FFmpeg reads the first part and leaves out the others, or takes the header of the next one for
sound. Where a file begins anew is found here, by how files of its kind begin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from langchain_qwen_audio._media.file_parts import FilePart, find_all, whole_file
from langchain_qwen_audio._media.mp3_frames import split_mp3
from langchain_qwen_audio._media.wav_chunks import split_wav

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PARTS = 10_000  # one to two milliseconds each

_WITH_BIT_3 = re.escape(bytes(byte for byte in range(256) if byte & 8))
# FFmpeg's name of a container → bytes to look for, how far into a file they are, and how a file
# begins.
_BEGINNINGS: dict[str, tuple[bytes, int, bytes]] = {
    "flac": (b"fLaC\0\0\0\x22", 0, b""),
    "ogg": (b"OggS\0\2\0\0\0\0\0\0\0\0", 0, b""),
    "matroska,webm": (b"\x1a\x45\xdf\xa3", 0, rb".{5,60}\x42\x82.(?:webm|matroska)"),
    "mov,mp4,m4a,3gp,3g2,mj2": (b"ftyp", 4, rb"\0\0\0.ftyp[ -~]{4}"),
    "amr": (b"#!AMR", 0, rb"#!AMR(?:-WB)?\n"),
    "aiff": (b"FORM", 0, rb"FORM....AIF[FC][ -~]{4}"),
    "au": (b".snd\0\0", 0, b""),
    "w64": (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0", 0, b""),
    "caf": (b"caff\0\1\0\0desc", 0, b""),
    "avi": (b"RIFF", 0, rb"RIFF....AVI LIST"),
    "asf": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", 0, b""),
    "flv": (b"FLV\1", 0, rb"FLV\x01[\x01\x04\x05]\0\0\0\x09"),
    "tta": (b"TTA1", 0, rb"TTA1[\x01\x03]\0"),
    # A block that begins with the first sample, and is not of further channels.
    "wv": (b"wvpk", 0, rb"wvpk.{4}[\x02-\x10]\x04.{6}\0{4}.{5}[%b]" % _WITH_BIT_3),
    "voc": (b"Creative Voice File\x1a", 0, b""),
    "nistsphere": (b"NIST_1A\n", 0, rb"NIST_1A\n *\d+\n"),
    "dsf": (b"DSD \x1c\0\0\0\0\0\0\0", 0, b""),
    "iff": (b"FORM", 0, rb"FORM....(?:8SVX|16SV|MAUD)"),
}


def split_joined(file: BinaryIO, container: str) -> list[FilePart]:
    """Split a file into the parts that it was joined of; most files are one part.

    Args:
        file: The file.
        container: FFmpeg's name of what it begins with.

    Returns:
        The parts in order; the whole file if it is one, or if there are absurdly many.
    """
    whole = whole_file(file)
    ((start, end),) = whole.ranges
    match container:
        case "mp3":
            parts = split_mp3(file, start, end)
        case "wav":
            parts = split_wav(file, start, end)
        case _:
            starts = [start, *_later_beginnings(file, start, container)]
            ends = [*starts[1:], end]
            parts = [FilePart((span,)) for span in zip(starts, ends, strict=True)]
    return parts if 1 < len(parts) <= MAX_PARTS or _is_rewritten(parts) else [whole]


def _is_rewritten(parts: list[FilePart]) -> bool:
    return len(parts) == 1 and bool(parts[0].head)


def _later_beginnings(file: BinaryIO, start: int, container: str) -> Iterator[int]:
    if container not in _BEGINNINGS:
        return
    wanted, offset, form = _BEGINNINGS[container]
    page_end = start
    if container == "ogg":
        page_end = _page_end(file, start)
    for found in find_all(file, wanted, start + 1):
        at = found - offset
        file.seek(at)
        if at <= start or not re.match(form, file.read(80), re.DOTALL):
            continue
        if container == "ogg":  # a file of several streams begins with a page for each
            is_next_page, page_end = at == page_end, _page_end(file, at)
            if is_next_page:
                continue
        yield at


def _page_end(file: BinaryIO, position: int) -> int:
    """Find where a page of an Ogg file ends."""
    file.seek(position)
    head = file.read(27)
    if len(head) < 27:
        return position
    sizes = file.read(head[26])
    return position + 27 + head[26] + sum(sizes)
