"""A stream of samples → consecutive parts, split in pauses, the longer the better. Pure."""

from __future__ import annotations

from itertools import accumulate, groupby
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._media.samples import SAMPLE_BYTES, byte_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEARCH_S = 5.0  # the last seconds of a part are searched, but never its first third
FRAME_S = 0.02  # loudness is measured in frames of this length
PAUSE_S = 0.2  # quiet for less is no pause: so are many consonants
LONG_PAUSE_S = 0.6  # longer pauses are no better; the last of them wins
STEP_S = 0.1  # pauses whose lengths differ by less are as good as each other; the last wins
INAUDIBLE = 8  # mean amplitude (of 32,768) that is quiet beside anything
# Quiet is what is up to 6 dB louder than the quietest stretch, or 30 dB below what is loud.
LOUDER, BELOW = 2.0, 0.03
CLEAR = 0.25  # quiet is at least 12 dB below what is loud, or it may be soft speech, or in noise
STEADY = 1.5  # a hum or noise is nowhere louder by more than 3.5 dB; no voice is like that


class Piece(NamedTuple):
    """Samples of a part.

    Attributes:
        part: The number of the part, from 0.
        start: Where in the stream they are, in bytes.
        samples: The next samples of the part.
        in_sound: Whether the part ends here within sound, since there was no clear pause: the next
            part should repeat its end.
    """

    part: int
    start: int
    samples: bytes
    in_sound: bool = False


class _Cut(NamedTuple):
    """Where a part ends, in bytes, and whether that is within sound."""

    end: int
    in_sound: bool = False


def split_at_pauses(
    blocks: Iterable[bytes],
    limit: int,
    sample_rate: int,
    *,
    search_s: float = SEARCH_S,
    overlap: int = 0,
) -> Iterator[Piece]:
    """Split a stream of samples into parts of at most `limit` bytes, in pauses.

    Of the pauses near the end of a part the longest is taken; where there is none, the quietest
    point. Memory is bounded by the seconds that are searched, however long the parts.

    Args:
        blocks: Mono, signed 16-bit samples.
        limit: Bytes of the longest part.
        sample_rate: Samples per second.
        search_s: Seconds at the end of a part that are searched.
        overlap: Bytes that a part will repeat of the one before if that ends within sound. Such a
            part is so much shorter.

    Yields:
        The parts in pieces: together they are the samples, each once.
    """
    ahead = min(byte_count(search_s, sample_rate), limit // 3 * 2 // SAMPLE_BYTES * SAMPLE_BYTES)
    buffer = bytearray()
    number = start = passed = 0  # of the part, bytes that are out of the buffer or repeated
    for block in blocks:
        buffer += block
        while passed + len(buffer) > limit:
            window = bytes(memoryview(buffer)[: limit - passed])
            cut = _find_cut(window, ahead, sample_rate)
            yield Piece(number, start, window[: cut.end], cut.in_sound)
            del buffer[: cut.end]
            number, start = number + 1, start + cut.end
            passed = overlap if cut.in_sound else 0
        if (certain := len(buffer) - ahead) > ahead:
            yield Piece(number, start, bytes(memoryview(buffer)[:certain]))
            del buffer[:certain]
            start, passed = start + certain, passed + certain
    if buffer:
        yield Piece(number, start, bytes(buffer))


def one_part(blocks: Iterable[bytes]) -> Iterator[Piece]:
    """Yield a stream of samples as the pieces of a single part."""
    start = 0
    for block in blocks:
        yield Piece(0, start, block)
        start += len(block)


def _find_cut(samples: bytes, ahead: int, sample_rate: int) -> _Cut:
    """Find where to split, in the last `ahead` bytes."""
    step = int(FRAME_S * sample_rate)
    count = min(ahead, len(samples)) // SAMPLE_BYTES // step
    start = len(samples) - count * step * SAMPLE_BYTES
    values = memoryview(samples)[start:].cast("h")
    frames = [sum(map(abs, values[i * step : (i + 1) * step])) / step for i in range(count)]
    stretches = _stretches(frames)
    if not stretches:
        return _Cut(len(samples))
    soft, loud = (sorted(frames)[len(frames) * tenths // 10] for tenths in (1, 9))
    quietest = min(stretches)
    quiet = max(quietest * LOUDER, loud * BELOW, INAUDIBLE)
    is_clear = quiet <= max(loud * CLEAR, INAUDIBLE) or loud <= soft * STEADY
    if max(stretches) <= quiet:
        return _Cut(len(samples), not is_clear)
    pause = _find_pause(frames, quiet)
    if pause is None:
        last = max(at for at, stretch in enumerate(stretches) if stretch <= quietest)
        return _Cut(start + (last + _frames(PAUSE_S) // 2) * step * SAMPLE_BYTES, in_sound=True)
    return _Cut(start + pause * step * SAMPLE_BYTES, not is_clear)


def _frames(length_s: float) -> int:
    return round(length_s / FRAME_S)


def _stretches(frames: Sequence[float]) -> list[float]:
    """List how loud each stretch of the length of a pause is."""
    sums, width = list(accumulate(frames, initial=0.0)), _frames(PAUSE_S)
    return [(end - begin) / width for begin, end in zip(sums, sums[width:], strict=False)]


def _find_pause(frames: Sequence[float], quiet: float) -> int | None:
    """Find the middle of the best pause, no louder than `quiet`: of the longest, the last."""
    best, middle, at = 0, None, 0
    for is_quiet, run in groupby(frames, lambda it: it <= quiet):
        length = len(list(run))
        score = min(length, _frames(LONG_PAUSE_S)) // _frames(STEP_S)
        if is_quiet and length >= _frames(PAUSE_S) and score >= best:
            best, middle = score, at + length // 2
        at += length
    return middle
