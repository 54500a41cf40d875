"""Samples → a picture of them: peaks and silence, measured as they pass by, and drawn as SVG.

Pure, and of bounded memory: the longer the sound, the more of it one point stands for.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._media.durations import format_length
from langchain_qwen_audio._media.loudness import FULL_SCALE, LoudnessMeter
from langchain_qwen_audio._media.samples import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_POINTS_A_STEP = 10  # for each step in which loudness is measured
MAX_POINTS = 600

_WIDTH, _WAVE_HEIGHT, _HEIGHT = 640, 80, 98
MAX_CUTS = 100  # more lines than that are no picture, and none is drawn
_MAX_TICKS = 8
_TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
# What neither XML nor a notebook's UTF-8 can hold: control characters and lone surrogates.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Point(NamedTuple):
    """A stretch of sound: its lowest and its highest sample, and whether all of it is silent."""

    low: int
    high: int
    silent: bool

    def with_next(self, other: Point) -> Point:
        """Make one point of two that follow each other."""
        return Point(
            min(self.low, other.low), max(self.high, other.high), self.silent and other.silent
        )


class Waveform(LoudnessMeter):
    """The shape of a sound, measured as its samples pass by.

    Attributes:
        points: The shape, in at most `MAX_POINTS` points.
    """

    def __init__(self, sample_rate: int) -> None:
        """Take mono, signed 16-bit samples at `sample_rate` hertz."""
        super().__init__(sample_rate)
        self.points: list[Point] = []
        self._fine = self._step // SAMPLE_BYTES // _POINTS_A_STEP
        self._fine_per_point = self._left = 1

    @property
    def point_s(self) -> float:
        """Seconds of each point; the last may be shorter."""
        return self._fine_per_point * self._fine / self._rate

    def _measure(self, step: memoryview[int]) -> bool:
        silent = super()._measure(step)
        for at in range(0, len(step), self._fine):
            stretch = step[at : at + self._fine]
            self._add(Point(min(stretch), max(stretch), silent))
        return silent

    def _add(self, point: Point) -> None:
        """Add a finest point to the last one; when there are too many, halve their number."""
        self._left -= 1
        if self._left:
            self.points[-1] = self.points[-1].with_next(point)
            return
        self._left = self._fine_per_point
        if len(self.points) == MAX_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [first.with_next(second) for first, second in pairs]
            self._fine_per_point *= 2
            self._left = self._fine_per_point
        self.points.append(point)

    def silences(self) -> list[tuple[float, float]]:
        """List where it is silent, from second to second, as finely as the points tell."""
        found, at = [], 0
        for silent, run in groupby(self.points, key=lambda point: point.silent):
            end = at + len(list(run))
            if silent:
                found.append((at * self.point_s, min(end * self.point_s, self.length_s)))
            at = end
        return found


def to_markup(text: object) -> str:
    """Escape any text for HTML and XML, elements and attributes alike."""
    return escape(_NO_XML.sub("\ufffd", str(text)))


def draw(wave: Waveform, cuts: Sequence[float], title: str) -> str:
    """Draw a sound as SVG that needs nothing else and takes the colour of the text around it.

    Args:
        wave: The sound, all of which has passed by.
        cuts: Seconds at which it is split.
        title: What it is, for screen readers.
    """
    scale = _WIDTH / max(wave.length_s, wave.point_s)
    silences = [
        f'<rect x="{start * scale:.1f}" y="0" width="{(end - start) * scale:.1f}" '
        f'height="{_WAVE_HEIGHT}" fill="currentColor" fill-opacity=".12"/>'
        for start, end in wave.silences()
    ]
    lines = [
        f'<path d="M{at * scale:.1f} 0V{_WAVE_HEIGHT}" stroke="#e5484d" stroke-width="1.5" '
        f'stroke-dasharray="4 3"><title>split at {format_length(at)}</title></path>'
        for at in (cuts if len(cuts) <= MAX_CUTS else ())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'style="display:block;width:100%;height:auto">'
        f"<title>{to_markup(title)}</title>{''.join(silences)}"
        f'<path d="{_outline(wave, scale)}" fill="currentColor" stroke="currentColor" '
        f'stroke-width=".5" stroke-linejoin="round" opacity=".75"/>{"".join(lines)}'
        f"{''.join(_axis(wave.length_s, scale))}</svg>"
    )


def _outline(wave: Waveform, scale: float) -> str:
    """Draw the highs from left to right and the lows back; the loudest fills the height."""
    half = _WAVE_HEIGHT / 2
    # Inaudible noise is not drawn large.
    per_sample = (half - 1) / max(wave.peak, FULL_SCALE // 100)
    last_s = wave.length_s
    times = [min((i + 0.5) * wave.point_s, last_s) * scale for i in range(len(wave.points))]
    highs = [half - point.high * per_sample for point in wave.points]
    lows = [half - point.low * per_sample for point in wave.points]
    there = zip(times, highs, strict=True)
    back = zip(reversed(times), reversed(lows), strict=True)
    edge = [f"{x:.1f} {y:.1f}" for x, y in (*there, *back)]
    return f"M0 {half:g}L{'L'.join(edge)}Z"


def _axis(length_s: float, scale: float) -> Iterator[str]:
    step_s = next((s for s in _TICKS_S if length_s / s <= _MAX_TICKS), length_s / _MAX_TICKS)
    yield '<g fill="currentColor" font-size="11" font-family="sans-serif" opacity=".8">'
    for i in range(int(length_s / step_s) + 1):
        x = i * step_s * scale
        # The first and the last label would reach out of the picture.
        anchor = "start" if i == 0 else "end" if x > _WIDTH - 20 else "middle"
        yield (
            f'<path d="M{x:.1f} {_WAVE_HEIGHT}v4" stroke="currentColor"/>'
            f'<text x="{x:.1f}" y="{_HEIGHT - 3}" text-anchor="{anchor}">'
            f"{format_length(i * step_s)}</text>"
        )
    yield "</g>"
