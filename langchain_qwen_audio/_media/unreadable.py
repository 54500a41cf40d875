"""A file that cannot be read as audio → what it is, and what to do about it. Knows no FFmpeg."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

import pybase64

from langchain_qwen_audio._media.beginnings import begins
from langchain_qwen_audio._media.container_headers import lacks_index
from langchain_qwen_audio._media.file_parts import PartReader
from langchain_qwen_audio._media.shortages import shortage

_LATER_PIECE = (
    "it is a later piece of a recording, such as browsers' MediaRecorder gives one by one; the "
    "beginning, which says how to decode it, is missing: join all pieces in order, from the first"
)
_SILK = (
    "it is a SILK voice message, as WeChat and QQ write, which FFmpeg does not decode; convert it "
    "to WAV first, for example with the Python package silk-python"
)
_NO_INDEX = (
    "it is an MP4 recording that was never finished: its index (the moov box) is missing, so that "
    "the sound in it cannot be found; record again, or repair it with a tool such as untrunc and a "
    "whole recording of the same device"
)
_ARCHIVE = "it is an archive ({}); unpack it, and pass the recordings in it"
_PICTURE = "it is a picture ({}), not a recording"
_DOCUMENT = "it is a document ({}), not a recording"

# Beginnings of files, as regular expressions; what they are; and whether they are recordings.
_SIGNATURES: tuple[tuple[bytes, str, bool], ...] = (
    (rb"\x02?#!SILK", _SILK, True),
    (rb"\x1f\x43\xb6\x75", _LATER_PIECE, True),  # Matroska: a cluster, or a block of one
    (
        rb"\xa3(?:[\x81-\xff]|[\x40-\x7f].|[\x20-\x3f]..)[\x81-\x84]..[\x00-\x8f]",
        _LATER_PIECE,
        True,
    ),
    (rb"....(?:moof|sidx)|....styp.{4,64}(?:moof|sidx)", _LATER_PIECE, True),  # MP4
    (rb"OggS\0[\x00\x01\x04\x05]", _LATER_PIECE, True),
    (rb"PK(?:\x03\x04|\x05\x06)", _ARCHIVE.format("zip"), False),
    (rb"\x1f\x8b\x08", _ARCHIVE.format("gzip"), False),
    (rb"7z\xbc\xaf\x27\x1c", _ARCHIVE.format("7z"), False),
    (rb"Rar!\x1a\x07", _ARCHIVE.format("rar"), False),
    (rb"BZh[1-9]1AY&SY", _ARCHIVE.format("bzip2"), False),
    (rb"\xfd7zXZ\0", _ARCHIVE.format("xz"), False),
    (rb"\x28\xb5\x2f\xfd", _ARCHIVE.format("zstd"), False),
    (rb".{257}ustar", _ARCHIVE.format("tar"), False),
    (rb"\x89PNG", _PICTURE.format("PNG"), False),
    (rb"\xff\xd8\xff", _PICTURE.format("JPEG"), False),
    (rb"GIF8", _PICTURE.format("GIF"), False),
    (rb"RIFF....WEBP", _PICTURE.format("WebP"), False),
    (rb"BM.{4}\0{4}", _PICTURE.format("BMP"), False),
    (rb"II\*\0|MM\0\*", _PICTURE.format("TIFF"), False),
    (rb"....ftyp(?:heic|heix|hevc|mif1|msf1|avif)", _PICTURE.format("HEIF"), False),
    (rb"%PDF-", _DOCUMENT.format("PDF"), False),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _DOCUMENT.format("Office"), False),
    (rb"MThd\0\0\0\x06", "it is MIDI: notes, and no sound; render it to WAV first", False),
)
_TABLE = [(re.compile(form, re.DOTALL), text, sound) for form, text, sound in _SIGNATURES]

# Beginnings of texts; {} is the text itself.
_TEXTS = (
    (r"\{|\[(?!playlist)", "it is JSON, perhaps an error that a server answered with: {}"),
    (
        r"#EXTM3U|ffconcat |\[playlist\]|<\?xml[^>]*>\s*<MPD|<asx",
        "it is a playlist, and none is opened; pass the recording that it names: {}",
    ),
    (r"<", "it is a web page or XML, perhaps an error that a server answered with: {}"),
    (r"version https://git-lfs", "it is a Git LFS pointer, not the file; run `git lfs pull`"),
    (
        r"(?:https?|oss)://\S+\s*$",
        (
            "it is a URL, not what is there; use Audio.from_url, or a block "
            "{{'type': 'audio', 'url': …}}: {}"
        ),
    ),
    (
        r"data:",
        "it is a data URI, not bytes; decode what follows its comma with Audio.from_base64: {}",
    ),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{24,}={0,2}\s*")
_SHOWN = 60
_HEAD = 4096
_ASCII = bytes(range(0x20, 0x7F)) + b"\t\r\n"
# Bytes that no text has: control characters but for white space and escape.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")

# How files with sound begin, in any container that is common in messages.
_SOUND = re.compile(
    rb"RIFF....WAVE|RF64....WAVE|ID3[\x02-\x04]|fLaC|OggS\0|....ftyp(?!heic|heix|hevc|mif1|msf1|avif)"
    rb"|\x1a\x45\xdf\xa3|#!AMR|FORM....AIF[FC]|caff\0\x01|\.snd\0\0"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11|FLV\x01|riff\x2e\x91|RIFF....AVI |\xff[\xf0-\xf1\xf8-\xf9]"
    rb"|\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd][\x10-\xef]",
    re.DOTALL,
)


class CodecError(Exception):
    """The bytes are not usable audio; the message says why, in words that can follow a colon.

    Attributes:
        is_recording: Whether it is a recording all the same, though none that can be read.
        is_silent: Whether it can be read, and has no sound track.
        is_choice: Whether it can be read, and has no such track or channel as was chosen.
    """

    def __init__(
        self,
        message: str,
        *,
        is_recording: bool = True,
        is_silent: bool = False,
        is_choice: bool = False,
    ) -> None:
        """Take the message."""
        super().__init__(message)
        self.is_recording = is_recording
        self.is_silent = is_silent
        self.is_choice = is_choice


def no_such(what: str, number: int, there: int) -> CodecError:
    """Make the error of a track or a channel that was chosen, and that there is not."""
    has = f"one {what}, 0" if there == 1 else f"{there} {what}s, 0 to {there - 1}"
    return CodecError(
        f"{what} {number} was requested, and the recording has {has}; choose one of these, or "
        f"leave {what}= (--{what} in the command) out",
        is_choice=True,
    )


class Finding(NamedTuple):
    """What a file is, with what to do about it, and whether it is a recording."""

    text: str
    is_recording: bool


def looks_like_sound(head: bytes) -> bool:
    """Tell from its first bytes (12 are enough) whether a file probably holds sound."""
    return _SOUND.match(head) is not None


def diagnose(file: PartReader) -> Finding | None:
    """Say what a file is that cannot be read as audio; None if that is not known."""
    file.seek(0)
    head = file.read(_HEAD)
    if not head:
        return Finding("it is empty", is_recording=False)
    for form, text, is_recording in _TABLE:
        if form.match(head):
            return Finding(text, is_recording)
    if head[4:8] == b"ftyp" and lacks_index(file):
        return Finding(_NO_INDEX, is_recording=True)
    for container in ("ogg", "caf"):
        if begins(file, 0, container) and (missing := shortage(file, container)):
            text = f"it is truncated: {missing}, and nothing of it can be decoded"
            return Finding(text, is_recording=True)
    text = _diagnose_text(head)
    return Finding(text, is_recording=False) if text else None


def _diagnose_text(head: bytes) -> str:
    text = _read_text(head).strip("\ufeff \t\r\n")
    if not text:
        return ""
    shown = repr(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")
    for form, words in _TEXTS:
        if re.match(form, text, re.IGNORECASE):
            return words.format(shown)
    if _BASE64.fullmatch(text) and _is_encoded_sound(text):
        return "it is base64 text, not the bytes that it stands for; use Audio.from_base64"
    return f"it is text, not a recording: {shown}"


def _read_text(head: bytes) -> str:
    """Read text in UTF-8 or UTF-16, or that is mostly ASCII; "" for anything else."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head.decode("utf-16", "ignore")
    else:
        try:
            text = head.decode()
        except UnicodeDecodeError as error:
            # It may be cut off in the middle of a character, or be in another encoding.
            is_cut = error.start >= len(head) - 3
            is_text = is_cut or len(head.translate(None, _ASCII)) < len(head) / 4
            text = head.decode("utf-8", "ignore" if is_cut else "replace") if is_text else ""
    return "" if _CONTROL.search(text) else text


def _is_encoded_sound(text: str) -> bool:
    bare = "".join(text.split()).translate(str.maketrans("-_", "+/"))[:64]
    return looks_like_sound(pybase64.b64decode(bare[: len(bare) // 4 * 4]))
