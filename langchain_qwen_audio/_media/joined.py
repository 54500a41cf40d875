"""Files that were joined byte by byte → the parts that they were. Knows nothing of FFmpeg.

FFmpeg reads the first part and leaves out the others, or takes the header of the next one for
sound. Where a file begins anew is found here, by how files of its kind begin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from langchain_qwen_audio._media.beginnings import begins, find_beginnings
from langchain_qwen_audio._media.file_parts import FilePart, whole_file
from langchain_qwen_audio._media.joined_formats import (
    MAX_PARTS,
    Run,
    split_formats,
    warn_of_too_many,
)
from langchain_qwen_audio._media.mp3_frames import split_mp3
from langchain_qwen_audio._media.ogg_pages import read_page
from langchain_qwen_audio._media.sound_sizes import SIZED, with_right_size
from langchain_qwen_audio._media.wav_chunks import split_wav

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = 512  # bytes after the sound that are left where they are
# Chunks, frames and tags that are looked at where a file may begin, and none does; in all searches
# of a file. More than honest files have; a few seconds of work.
MAX_TRIES = 200_000


def split_joined(file: BinaryIO, container: str) -> list[FilePart]:
    """Split a file into the parts that it was joined of; most files are one part.

    Args:
        file: The file.
        container: FFmpeg's name of what it begins with.

    Returns:
        The parts in order; the whole file if it is one, or if there are absurdly many,
        or absurdly many places that look like beginnings.
    """
    whole = whole_file(file)
    ((start, end),) = whole.ranges
    tries = iter(range(MAX_TRIES))
    runs = split_formats(file, container, start, end, tries)
    parts = [
        replace(part, container=run.container) if len(runs) > 1 else part
        for run in runs
        for part in _split(file, run, tries)
    ]
    if len(parts) > MAX_PARTS or next(tries, None) is None:
        warn_of_too_many()
        return [whole]
    return parts if len(parts) > 1 or _is_rewritten(parts, whole) else [whole]


def readable_file(file: BinaryIO) -> FilePart:
    """Take a file as it is, or with a header that FFmpeg reads, if its own leaves the size open."""
    whole = whole_file(file)
    ((start, end),) = whole.ranges
    if begins(file, start, "wav"):
        file.seek(start)
        is_large = file.read(4) != b"RIFF"
        tries = iter(range(MAX_TRIES))
        return split_wav(file, start, end, tries)[0] if is_large else whole
    for container in SIZED:
        if begins(file, start, container):
            return with_right_size(file, whole, container)
    return whole


def _split(file: BinaryIO, run: Run, tries: Iterator[int]) -> list[FilePart]:
    """Split a run into the files of one format that it was joined of."""
    container, start, end = run
    match container:
        case "mp3":
            return split_mp3(file, start, end, tries)
        case "wav":
            return split_wav(file, start, end, tries)
        case _:
            starts = [start, *_later_beginnings(file, run)]
            ends = [*starts[1:], end]
            parts = (FilePart((span,)) for span in zip(starts, ends, strict=True))
            return [with_right_size(file, part, container) for part in parts]


def _is_rewritten(parts: list[FilePart], whole: FilePart) -> bool:
    """Tell a file with another header, or without what follows its sound."""
    if len(parts) != 1:
        return False
    (*_, (_, stop)), ((_, end),) = parts[0].ranges, whole.ranges
    return bool(parts[0].head) or stop < end - _TAG


def _later_beginnings(file: BinaryIO, run: Run) -> Iterator[int]:
    """Find the later files; of Ogg, a file of several streams begins with a page for each."""
    container, start, end = run
    page_end = read_page(file, start).end
    for at in find_beginnings(file, start, end, container):
        if container == "ogg":
            is_next_page, page_end = at == page_end, read_page(file, at).end
            if is_next_page:
                continue
        yield at
