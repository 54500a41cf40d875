"""A part of a file → what is missing at its end, where FFmpeg reads what is there and says nothing.

Knows nothing of FFmpeg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio._media.container_headers import is_large_wave
from langchain_qwen_audio._media.file_parts import file_size
from langchain_qwen_audio._media.ogg_pages import last_page
from langchain_qwen_audio._media.sound_sizes import size_of_sound

if TYPE_CHECKING:
    from langchain_qwen_audio._media.file_parts import PartReader

# Of others the length in seconds tells.
_COUNTED = {"aiff", "dsf", "ogg", "voc"}
# Sizes in headers of honest files are off by no more than this, or this part of them.
_DIFFERENCE_BYTES, _DIFFERENCE = 512, 0.02


def shortage(file: PartReader, container: str) -> str:
    """Say what is missing of a recording, in words that can follow a colon; "" if nothing is."""
    end = file_size(file)
    if container == "ogg":
        page = last_page(file, 0, end)
        if page and page.end > end:
            return "its last page is cut in the middle"
        is_continued = page and page.end == end and page.is_continued
        return "its last packet goes on in a page that is missing" if is_continued else ""
    size = size_of_sound(file, 0, end, container)
    there = max(0, end - size.at) if size else 0
    if not size or size.claimed - there <= _allowed(size.claimed, container):
        return ""
    return f"its header says {size.claimed:,} bytes of sound, and only {there:,} are there"


def untimed_shortage(file: PartReader, container: str) -> str:
    """Say what is missing where a length in seconds does not tell."""
    is_counted = container in _COUNTED or (container == "wav" and is_large_wave(file))
    return shortage(file, container) if is_counted else ""


def _allowed(claimed: int, container: str) -> float:
    """Count the bytes that may be missing; none of a VOC file, which has a size in each block."""
    return 0 if container == "voc" else max(_DIFFERENCE_BYTES, _DIFFERENCE * claimed)
