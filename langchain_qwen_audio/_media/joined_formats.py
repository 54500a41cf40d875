"""Files of several formats that were joined byte by byte → where each format begins.

A file that ends where its own header says is not searched; in all others, beginnings of files of
any format are looked for. Knows nothing of FFmpeg.
"""

from __future__ import annotations

import logging
from itertools import groupby, islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from langchain_qwen_audio._media.beginnings import FORMATS, find_beginnings
from langchain_qwen_audio._media.chunks import end_of_chunks
from langchain_qwen_audio._media.frame_chains import find_frames, find_tagged_frames, frames_at
from langchain_qwen_audio._media.outermost import end_of_boxes, end_of_elements
from langchain_qwen_audio._media.sound_sizes import size_of_sound

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_CHAINED = {"mp3", "aac"}
# In what these hold, frames that follow each other are no coincidence, and no sound of theirs.
_COMPRESSED = {"amr", "flac", "ogg", *_CHAINED}
_WITH_BOXES = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
_FILMS = {"asf", "avi", "flv", "mpeg", "mpegts", "rm", *_WITH_BOXES}
_LARGE = 1 << 28  # a film of more bytes that does not say where it ends is not searched
MAX_PARTS = 10_000  # one to two milliseconds each


class Run(NamedTuple):
    """A stretch of a file that is of one format, by FFmpeg's name of it."""

    container: str
    start: int
    end: int


def split_formats(
    file: BinaryIO, container: str, start: int, end: int, tries: Iterator[int]
) -> list[Run]:
    """Split a file where one of another format begins; most files are one run."""
    whole = Run(container, start, end)
    starts = [(start, container), *_places_of_headers(file, whole)]
    stretches = [
        Run(name, at, stop)
        for (at, name), stop in zip(starts, [*(at for at, _ in starts[1:]), end], strict=True)
    ]
    pieces = [piece for stretch in stretches for piece in _split_at_frames(file, stretch, tries)]
    runs = [
        Run(name, group[0].start, group[-1].end)
        for name, group in ((name, list(it)) for name, it in groupby(pieces, lambda it: it[0]))
    ]
    if len(runs) <= MAX_PARTS:
        return runs
    warn_of_too_many()
    return [whole]


def _places_of_headers(file: BinaryIO, run: Run) -> list[tuple[int, str]]:
    """Find where files of all formats begin that have a header or a tag; none if absurdly many."""
    first = _first_place(file, run)
    if first >= run.end:
        return []
    places = (
        (at, name)
        for name in (*FORMATS, *_CHAINED)
        for at in _places(file, Run(name, first - 1, run.end))
    )
    found = list(islice(places, MAX_PARTS + 1))
    if len(found) <= MAX_PARTS:
        return sorted(found)
    warn_of_too_many()
    return []


def warn_of_too_many() -> None:
    """Log that a search for joined files ended without a result."""
    logger.warning("too many places look like the beginning of a joined file: it is read as one")


def _places(file: BinaryIO, run: Run) -> Iterator[int]:
    """Find where files of a format begin: with their header, or with a tag."""
    name, start, end = run
    find = find_tagged_frames if name in _CHAINED else find_beginnings
    return find(file, start, end, name)


def _split_at_frames(file: BinaryIO, run: Run, tries: Iterator[int]) -> list[Run]:
    """Split a stretch where MP3 or AAC without a tag begins."""
    container, start, end = run
    if _first_place(file, run) >= end:
        return [run]
    own_end = _own_end(file, run)
    starts = [(start, container)]
    if own_end is not None and (name := frames_at(file, own_end)):
        starts += [(own_end, name), *find_frames(file, own_end, end, name, tries)]
    elif container in _COMPRESSED:
        starts += find_frames(file, start, end, container, tries)
    ends = [*(at for at, _ in starts[1:]), end]
    return [Run(name, at, stop) for (at, name), stop in zip(starts, ends, strict=True)]


def _first_place(file: BinaryIO, run: Run) -> int:
    """Find from where on a file of another format may begin; the end if there can be none."""
    container, start, end = run
    own_end = _own_end(file, run)
    if own_end is None and container in _FILMS and end - start > _LARGE:
        return end
    # Sizes of others may be too small, and too large.
    is_reliable = own_end is not None and (container in _WITH_BOXES or own_end == end)
    return own_end if own_end is not None and is_reliable else start + 1


def _own_end(file: BinaryIO, run: Run) -> int | None:
    """Find where a file ends, as it says itself; None if it does not, or beyond what is there."""
    container, start, end = run
    own_end: int | None
    match container:
        case "mov,mp4,m4a,3gp,3g2,mj2":
            own_end = end_of_boxes(file, start, end)
        case "matroska,webm":
            own_end = end_of_elements(file, start, end)
        case _:
            size = size_of_sound(file, start, end, container)
            if not size or not size.size or size.following > end:
                return None
            own_end = end_of_chunks(file, size.following, end, size.layout)
    return own_end if own_end is not None and own_end <= end else None
