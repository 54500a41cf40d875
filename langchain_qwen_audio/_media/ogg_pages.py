"""An Ogg file → its last page, which tells whether the file ends where it says.

Knows nothing of FFmpeg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from langchain_qwen_audio._media.file_parts import PartReader

_HEAD = 27
_MAX_PAGE = _HEAD + 255 + 255 * 255


class Page(NamedTuple):
    """A page: where it ends, as its header says, and whether its last packet does not."""

    end: int
    is_continued: bool


def read_page(file: BinaryIO | PartReader, at: int) -> Page:
    """Read the header of a page; one that is cut in the header ends after any file."""
    file.seek(at)
    head = file.read(_HEAD)
    segments = head[26] if len(head) == _HEAD else 255
    sizes = file.read(segments)
    if len(sizes) < segments:
        return Page(at + _MAX_PAGE, is_continued=False)
    return Page(at + _HEAD + segments + sum(sizes), sizes[-1:] == b"\xff")


def last_page(file: BinaryIO | PartReader, start: int, end: int) -> Page | None:
    """Read the header of the last page of a range; None if there is none near its end."""
    first = max(start, end - _MAX_PAGE)
    file.seek(first)
    at = file.read(end - first).rfind(b"OggS\0")
    return read_page(file, first + at) if at >= 0 else None
