"""Samples → a picture of them: peaks and silence, measured as they pass by, and drawn as SVG.

Pure, and of bounded memory: the longer the sound, the more of it one point stands for.
"""

from __future__ import annotations

import math
import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._codec import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SILENCE_DBFS = -50.0  # quieter stretches count as silence,
STEP_S = 0.1  # measured in steps of this length,
_POINTS_A_STEP = 10  # of which each is drawn as so many points
MAX_POINTS = 600
FULL_SCALE = 32_768

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


class Meter:
    """What has passed by of a sound.

    Attributes:
        points: Its shape, in at most `MAX_POINTS` points.
        silent_s: Seconds of it that are silent.
    """

    def __init__(self, sample_rate: int) -> None:
        """Take mono, signed 16-bit samples at `sample_rate` hertz."""
        self.points: list[Point] = []
        self.silent_s = 0.0
        self._size = 0
        self._bytes_per_s = sample_rate * SAMPLE_BYTES
        self._step = int(STEP_S * sample_rate) * SAMPLE_BYTES
        self._fine = self._step // SAMPLE_BYTES // _POINTS_A_STEP
        self._fine_per_point = self._left = 1

    @property
    def length_s(self) -> float:
        """Seconds that have passed by."""
        return self._size / self._bytes_per_s

    @property
    def point_s(self) -> float:
        """Seconds of each point; the last may be shorter."""
        return self._fine_per_point * self._fine * SAMPLE_BYTES / self._bytes_per_s

    @property
    def peak(self) -> int:
        """The loudest sample."""
        return max((max(point.high, -point.low) for point in self.points), default=0)

    def watch(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Measure samples as they pass by; what is less than a step, at the end."""
        rest = b""
        for block in blocks:
            self._size += len(block)
            rest += block
            whole = len(rest) // self._step * self._step
            for at in range(0, whole, self._step):
                self._measure(rest[at : at + self._step])
            rest = rest[whole:]
            yield block
        if rest:
            self._measure(rest)

    def _measure(self, step: bytes) -> None:
        samples = memoryview(step).cast("h")
        silent = dbfs(sum(map(abs, samples)) / len(samples)) < SILENCE_DBFS
        if silent:
            self.silent_s += len(step) / self._bytes_per_s
        for at in range(0, len(samples), self._fine):
            stretch = samples[at : at + self._fine]
            self._add(Point(min(stretch), max(stretch), silent))

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


def dbfs(amplitude: float) -> float:
    """Express an amplitude of 16-bit samples in decibels below the loudest."""
    return 20 * math.log10(max(amplitude, 0.1) / FULL_SCALE)


def to_markup(text: object) -> str:
    """Escape any text for HTML and XML, elements and attributes alike."""
    return escape(_NO_XML.sub("\ufffd", str(text)))


def clock(seconds: float) -> str:
    """Write a time as people do: `4.2 s`, `1:05`, `1:01:05`."""
    if seconds < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, rest = divmod(int(seconds), 60)  # as players count
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def draw(meter: Meter, cuts: Sequence[float], title: str) -> str:
    """Draw a sound as SVG that needs nothing else and takes the colour of the text around it.

    Args:
        meter: The sound, all of which has passed by.
        cuts: Seconds at which it is cut.
        title: What it is, for who does not see it.
    """
    scale = _WIDTH / max(meter.length_s, meter.point_s)
    silences = [
        f'<rect x="{start * scale:.1f}" y="0" width="{(end - start) * scale:.1f}" '
        f'height="{_WAVE_HEIGHT}" fill="currentColor" fill-opacity=".12"/>'
        for start, end in meter.silences()
    ]
    lines = [
        f'<path d="M{at * scale:.1f} 0V{_WAVE_HEIGHT}" stroke="#e5484d" stroke-width="1.5" '
        f'stroke-dasharray="4 3"><title>cut at {clock(at)}</title></path>'
        for at in (cuts if len(cuts) <= MAX_CUTS else ())
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'style="display:block;width:100%;height:auto">'
        f"<title>{to_markup(title)}</title>{''.join(silences)}"
        f'<path d="{_outline(meter, scale)}" fill="currentColor" stroke="currentColor" '
        f'stroke-width=".5" stroke-linejoin="round" opacity=".75"/>{"".join(lines)}'
        f"{''.join(_axis(meter.length_s, scale))}</svg>"
    )


def _outline(meter: Meter, scale: float) -> str:
    """Draw the highs from left to right and the lows back; the loudest fills the height."""
    half = _WAVE_HEIGHT / 2
    # Noise that nobody hears is not blown up.
    per_sample = (half - 1) / max(meter.peak, FULL_SCALE // 100)
    last_s = meter.length_s
    times = [min((i + 0.5) * meter.point_s, last_s) * scale for i in range(len(meter.points))]
    highs = [half - point.high * per_sample for point in meter.points]
    lows = [half - point.low * per_sample for point in meter.points]
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
            f"{clock(i * step_s)}</text>"
        )
    yield "</g>"
