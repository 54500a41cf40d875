"""Frames of any number of channels → mono samples in which no channel is lost.

All channels weigh the same, whatever the file calls them: FFmpeg's own mix leaves out what it takes
for the subwoofer. A channel that is the inverse of the others, which would cancel them out, is
turned around first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._media.samples import SAMPLE_BYTES
from langchain_qwen_audio._media.unreadable import CodecError, no_such

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import av
    from av.filter import Graph

MAX_CHANNELS = 64  # FFmpeg cannot mix more into one
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000

# FFmpeg's names of kinds of samples, and their letters in Python's buffer protocol.
_KINDS: dict[str, Any] = {"u8": "B", "s16": "h", "s32": "i", "s64": "q", "flt": "f", "dbl": "d"}
_WINDOW_S = 1.0  # channels are compared in steps of this length,
_MAX_WINDOW_BYTES = 1 << 22
_COMPARED = 240  # by about so many samples of each
_PULLED_AT_ONCE = 8  # frames: to find out that none is ready takes as long as to convert one
_INVERSE = -0.8  # correlation below which two channels would cancel each other out


@dataclass
class Mixer:
    """Mixes frames into mono, signed 16-bit samples, in bounded memory.

    Attributes:
        sample_rate: Samples per second of what comes out.
        channel: The channel that is taken alone, from 0; None mixes all.
        inverted: The channels that were turned around so far.
        changes: How often frames were of another kind than those before.
    """

    sample_rate: int
    channel: int | None = None
    inverted: set[int] = field(default_factory=set)
    changes: int = 0

    def __post_init__(self) -> None:
        self._shape: tuple[str, str, int] | None = None
        self._held: list[av.AudioFrame] = []  # of the window that is compared next
        self._held_s = 0.0
        self._held_bytes = 0
        self._weights: tuple[float, ...] = ()
        self._graph: Graph | None = None
        self._pushed = 0

    def mix(self, frame: av.AudioFrame) -> Iterator[bytes]:
        """Yield the samples that are ready, which may be of earlier frames."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:  # some streams change in the middle
            yield from self.flush()
            require_sane(frame.sample_rate, frame.layout.nb_channels)
            self.changes += self._shape is not None
            self._shape, self._weights = shape, self._first_weights(frame.layout.nb_channels)
        frame.pts = None  # it has its place already
        if not self._compares:
            yield from self._push(frame)
            return
        self._held.append(frame)
        self._held_s += frame.samples / frame.sample_rate
        self._held_bytes += sum(plane.buffer_size for plane in frame.planes)
        if self._held_s >= _WINDOW_S or self._held_bytes >= _MAX_WINDOW_BYTES:
            yield from self._release()

    def flush(self) -> Iterator[bytes]:
        """Yield all that was held back; what comes next has nothing to do with it."""
        yield from self._release()
        if self._graph is not None:
            self._graph.push(None)
            yield from _pull(self._graph)
            self._graph = None

    @property
    def _compares(self) -> bool:
        return self.channel is None and len(self._weights) > 1

    def _first_weights(self, channels: int) -> tuple[float, ...]:
        if self.channel is None:
            return (1 / channels,) * channels
        if not 0 <= self.channel < channels:
            raise no_such("channel", self.channel, channels)
        return tuple(float(number == self.channel) for number in range(channels))

    def _release(self) -> Iterator[bytes]:
        """Yield the samples of the frames that are held."""
        held, self._held, self._held_s, self._held_bytes = self._held, [], 0.0, 0
        if held:
            weights = _without_cancellation(_columns(held), self._weights)
            if weights != self._weights:
                yield from self.flush()
                self._weights = weights
                self.inverted |= {number for number, it in enumerate(weights) if it < 0}
        for frame in held:
            yield from self._push(frame)

    def _push(self, frame: av.AudioFrame) -> Iterator[bytes]:
        if self._is_ready(frame):
            yield bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])
            return
        if self._graph is None:
            self._graph = _mixing_graph(frame, self._weights, self.sample_rate)
        self._graph.push(frame)
        self._pushed += 1
        if self._pushed % _PULLED_AT_ONCE == 0:
            yield from _pull(self._graph)

    def _is_ready(self, frame: av.AudioFrame) -> bool:
        return (
            len(self._weights) == 1
            and frame.format.packed.name == "s16"
            and frame.sample_rate == self.sample_rate
        )


def require_sane(sample_rate: int, channels: int) -> None:
    """Require a sample rate and a number of channels that real recordings have.

    Raises:
        CodecError: They are absurd.
    """
    if MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE and 1 <= channels <= MAX_CHANNELS:
        return
    raise CodecError(
        f"it says {sample_rate} Hz and {channels} channels; {MIN_SAMPLE_RATE} to "
        f"{MAX_SAMPLE_RATE} Hz and at most {MAX_CHANNELS} channels are taken"
    )


def _mixing_graph(frame: av.AudioFrame, weights: Sequence[float], sample_rate: int) -> Graph:
    """Make the filters from frames like this one to mono, signed 16-bit samples."""
    from av.filter import Graph

    graph = Graph()
    if hasattr(graph, "threads"):  # PyAV 16 does not have it
        graph.threads = 1  # the stack of each counts as memory of a worker
    mix = "+".join(f"{weight}*c{number}" for number, weight in enumerate(weights))
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate,
        format=frame.format,
        layout=frame.layout,
        time_base=Fraction(1, frame.sample_rate),
    )
    target = f"sample_fmts=s16:sample_rates={sample_rate}:channel_layouts=mono"
    nodes = [
        source,
        graph.add("pan", f"mono|c0={mix}"),
        graph.add("aformat", target),
        graph.add("abuffersink"),
    ]
    for before, after in pairwise(nodes):
        before.link_to(after)
    graph.configure()
    return graph


def _pull(graph: Graph) -> Iterator[bytes]:
    """Yield the samples that are ready."""
    from av.error import BlockingIOError as NothingReady
    from av.error import EOFError as EndOfStream

    while True:
        try:
            frame: Any = graph.pull()
        except (NothingReady, EndOfStream):
            return
        yield bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


# --- channels that cancel each other out ---


def _columns(frames: Sequence[av.AudioFrame]) -> list[list[float]]:
    """Read some samples of each channel, as many of one as of the other."""
    channels = frames[0].layout.nb_channels
    step = max(1, sum(frame.samples for frame in frames) // _COMPARED)
    columns: list[list[float]] = [[] for _ in range(channels)]
    for frame in frames:
        kind = _KINDS[frame.format.packed.name]
        zero = 128 if kind == "B" else 0
        views = [memoryview(plane).cast("B") for plane in frame.planes]
        for number, column in enumerate(columns):
            if frame.format.is_planar:
                samples = views[number].cast(kind)[: frame.samples : step]
            else:
                samples = views[0].cast(kind)[: frame.samples * channels][number :: channels * step]
            column.extend(sample - zero for sample in samples)
    return columns


def _without_cancellation(
    columns: Sequence[Sequence[float]], weights: Sequence[float]
) -> tuple[float, ...]:
    """Turn around the weight of each channel that would cancel out those before it."""
    total = [0.0] * len(columns[0])
    chosen = []
    for samples, before in zip(columns, weights, strict=True):
        sign = math.copysign(1.0, before)
        if _correlation(total, samples) * sign < _INVERSE:
            sign = -sign
        total = [a + sign * b for a, b in zip(total, samples, strict=True)]
        chosen.append(sign * abs(before))
    return tuple(chosen)


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Compare two signals: 1.0 if they are alike, -1.0 if one is the inverse of the other."""
    product = sum(map(mul, first, second))
    energy = sum(map(mul, first, first)) * sum(map(mul, second, second))
    return product / math.sqrt(energy) if 0 < energy < math.inf else 0.0
