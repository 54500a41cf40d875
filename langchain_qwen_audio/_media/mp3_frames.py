"""An MP3 file, frame by frame → where one file ends in it, and the next that was joined begins.

Reads headers only; knows nothing of FFmpeg.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

from langchain_qwen_audio._media.file_parts import FilePart, find_pattern, tag_size

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bit rates in kbit/s by the index in a header, for MPEG-1 and for MPEG-2 and 2.5, by layer.
_BIT_RATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_VERSIONS = {0: 4, 2: 2, 3: 1}  # by their bits: what divides the sample rate
_HEAD_BYTES = 56  # of a frame: what says how many frames follow is in these
_COUNT_AT = {(True, False): 36, (True, True): 21, (False, False): 21, (False, True): 13}
# A header as far as its bit rate; runs of ones, as erased memory has them, are none.
_SYNC, _SYNC_BYTES = re.compile(rb"\xff(?=[\xe2-\xff][\x10-\xef])"), 3
_SLACK = 10  # frames by which counts of honest files are off, and one in a hundred


_Shape: TypeAlias = tuple[int, int, int, bool]


class Frame(NamedTuple):
    """What a header says: the bytes of the frame, and what does not change within a file."""

    size: int
    shape: _Shape  # what divides the rate, layer, sample rate, mono


@dataclass(slots=True)
class _Span:
    """Frames that follow each other.

    Attributes:
        start: Where the first one begins.
        end: Where the last one ends.
        frames: How many there are.
        claimed: How many follow the first one, as that says.
        claimed_end: Where the last of those ends.
    """

    start: int
    end: int
    frames: int = 0
    claimed: int | None = None
    claimed_end: int = 0

    def add(self, end: int) -> None:
        """Count one more frame, which ends at `end`."""
        if self.frames == self.claimed:
            self.claimed_end = end
        self.frames += 1
        self.end = end


@lru_cache(maxsize=512)  # frames of a file differ little
def read_frame(head: bytes) -> Frame | None:
    """Read the header of a frame; None if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    divisor, layer = _VERSIONS.get(head[1] >> 3 & 3), 4 - (head[1] >> 1 & 3)
    index, rate = head[2] >> 4, head[2] >> 2 & 3
    if divisor is None or layer == 4 or not 0 < index < 15 or rate == 3:
        return None
    bits_per_s = 1000 * _BIT_RATES[min(divisor, 2), layer][index - 1]
    sample_rate = _SAMPLE_RATES[rate] // divisor
    padding = head[2] >> 1 & 1
    if layer == 1:
        size = (12 * bits_per_s // sample_rate + padding) * 4
    else:
        factor = 72 if layer == 3 and divisor > 1 else 144
        size = factor * bits_per_s // sample_rate + padding
    return Frame(size, (divisor, layer, sample_rate, head[3] >> 6 == 3))


def split_mp3(file: BinaryIO, start: int, end: int, tries: Iterator[int]) -> list[FilePart]:
    """Split an MP3 file where another one begins: after its count, at tags, and at other rates."""
    spans = [part for span in _spans(file, start, end, tries) for part in _by_claim(span)]
    return [FilePart(((span.start, span.end),)) for span in spans if span.frames]


def _by_claim(span: _Span) -> list[_Span]:
    """Split frames of which the first says that there are fewer."""
    if not span.claimed or span.frames - span.claimed <= _SLACK + span.claimed // 100:
        return [span]
    middle = span.claimed_end
    return [
        _Span(span.start, middle, span.claimed),
        _Span(middle, span.end, span.frames - span.claimed),
    ]


def _spans(file: BinaryIO, start: int, end: int, tries: Iterator[int]) -> Iterator[_Span]:
    span, shape = _Span(start, start), None
    position: int | None = start
    while position is not None and position < end:
        file.seek(position)
        head = file.read(_HEAD_BYTES)
        frame = read_frame(head[:4])
        if frame is None:
            skipped = _tag_bytes(head)
            if skipped and span.frames:
                yield span
                span = _Span(position, position)
            if skipped and next(tries, None) is not None:
                position += skipped
            else:
                position = _next_frame(file, position + 1, end, shape, tries)
            continue
        count = _frame_count(head, frame)
        if span.frames and (count is not None or _changes(file, position, frame, shape)):
            yield span
            span = _Span(position, position)
        if not span.frames:
            span.start, span.claimed = position, count
        shape = frame.shape
        position += frame.size
        span.add(min(position, end))
    yield span


def _changes(file: BinaryIO, position: int, frame: Frame, shape: _Shape | None) -> bool:
    return frame.shape != shape and _is_followed(file, position, frame)


def _frame_count(head: bytes, frame: Frame) -> int | None:
    """Read how many frames follow, as Xing's, LAME's and Fraunhofer's encoders write it.

    Returns:
        The count, 0 if it is left open, and None for a frame of sound.
    """
    divisor, _, _, is_mono = frame.shape
    at = _COUNT_AT[divisor == 1, is_mono]
    if head[at : at + 4] in {b"Xing", b"Info"} and not any(head[4:at]):
        has_count = head[at + 7] & 1
        return int.from_bytes(head[at + 8 : at + 12]) if has_count else 0
    if head[36:40] == b"VBRI":
        return int.from_bytes(head[50:54])
    return None


def _tag_bytes(head: bytes) -> int:
    """Count the bytes of a tag that is between frames."""
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX":
        is_header = head[23] & 0x20  # and not a footer, which is all that is left of the tag
        return 32 + (int.from_bytes(head[12:16], "little") if is_header else 0)
    return tag_size(head[:10])


def _is_followed(file: BinaryIO, position: int, frame: Frame) -> bool:
    """Tell a frame from bytes that only look like one: by the next frame, which is alike."""
    file.seek(position + frame.size)
    head = file.read(4)
    following = read_frame(head)
    return following is not None and following.shape == frame.shape


def _next_frame(
    file: BinaryIO, start: int, end: int, shape: _Shape | None, tries: Iterator[int]
) -> int | None:
    """Find the next frame, or tag, after bytes that are none."""
    syncs = find_pattern(file, _SYNC, _SYNC_BYTES, start, end)
    for (at, _), _ in zip(syncs, tries, strict=False):
        file.seek(at)
        frame = read_frame(file.read(4))
        if frame and (frame.shape == shape or _is_followed(file, at, frame)):
            return at
    return None
