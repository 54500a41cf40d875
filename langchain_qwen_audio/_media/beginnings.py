"""How files of each format begin → where in a file others begin. Knows nothing of FFmpeg."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from langchain_qwen_audio._media.file_parts import find_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio._media.file_parts import PartReader


class _Beginning(NamedTuple):
    """Bytes to look for, how far into a file they are, and how a file begins."""

    wanted: bytes
    offset: int
    form: bytes


_WITH_BIT_3 = re.escape(bytes(byte for byte in range(256) if byte & 8))
_PICTURES = b"heic|heix|hevc|mif1|msf1|avif"
# By FFmpeg's name of the container.
_BEGINNINGS = {
    name: _Beginning(*row)
    for name, row in {
        "wav": (b"WAVE", 8, rb"(?:RIFF|RF64|BW64)....WAVE"),
        "flac": (b"fLaC\0\0\0\x22", 0, b""),
        "ogg": (b"OggS\0\2\0\0\0\0\0\0\0\0", 0, b""),
        "matroska,webm": (b"\x1a\x45\xdf\xa3", 0, rb".{5,60}\x42\x82.(?:webm|matroska)"),
        "mov,mp4,m4a,3gp,3g2,mj2": (b"ftyp", 4, rb"\0\0\0.ftyp(?!%b)[ -~]{4}" % _PICTURES),
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
    }.items()
}
FORMATS = tuple(_BEGINNINGS)
_HEAD = 80
_MAX_PLACES = 100_000  # more than by chance, and than files that can be joined
# FLAC within Ogg and within Matroska begins as a file does, after these.
_WITHIN = re.compile(rb"\x7fFLAC....\Z|\x63\xa2.{1,8}\Z", re.DOTALL)
_LONGEST_WITHIN = 10


def begins(file: BinaryIO | PartReader, at: int, container: str) -> bool:
    """Tell whether a file of a format begins at a position."""
    wanted, offset, form = _BEGINNINGS[container]
    file.seek(at)
    head = file.read(_HEAD)
    return head[offset:].startswith(wanted) and bool(re.match(form, head, re.DOTALL))


def find_beginnings(file: BinaryIO, start: int, end: int, container: str) -> Iterator[int]:
    """Find where files of a format begin, after `start`; not where one is within another format."""
    if container not in _BEGINNINGS:
        return
    wanted, offset, _ = _BEGINNINGS[container]
    for found in islice(find_all(file, wanted, start + 1, end + offset), _MAX_PLACES):
        at = found - offset
        if at > start and begins(file, at, container) and not _is_within(file, at, container):
            yield at


def _is_within(file: BinaryIO, at: int, container: str) -> bool:
    if container != "flac":
        return False
    file.seek(max(0, at - _LONGEST_WITHIN))
    return bool(_WITHIN.search(file.read(min(at, _LONGEST_WITHIN))))
