"""A recording's packets → how long it sounds, without decoding, where frames say that themselves.

FFmpeg demuxes here. Lengths that only a container writes down are not believed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, BinaryIO

from langchain_qwen_audio._media import amr_frames
from langchain_qwen_audio._media.adts_frames import HEAD_BYTES, adts_length
from langchain_qwen_audio._media.choices import Choices
from langchain_qwen_audio._media.declared_length import TIMED
from langchain_qwen_audio._media.file_parts import whole_file
from langchain_qwen_audio._media.open_parts import open_part, up_to_failure
from langchain_qwen_audio._media.packets import require_undamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import av

    from langchain_qwen_audio._media.container import Sound
    from langchain_qwen_audio._media.file_parts import FilePart
    from langchain_qwen_audio._media.open_parts import OpenPart

# Containers and codecs of which FFmpeg reads the length of each packet in the packet.
_COUNTED = {("aac", "aac"), ("flac", "flac"), ("mp3", "mp3"), ("mp3", "mp2"), ("ogg", "opus")}
_AMR = {"amr", "amrnb", "amrwb"}
_DIGITS = 6  # of seconds: sums of floats are off by less, and limits are compared with them
_STEP_S = 10.0  # what is counted is told in steps of this length
_PRE_SKIP = slice(10, 12)  # in the header of Opus, in samples at 48 kHz


def counted_length(
    file: BinaryIO,
    parts: Sequence[FilePart] = (),
    *,
    container: str | None = None,
    choices: Choices | None = None,
    limit_s: float = math.inf,
    on_sound: Callable[[float], None] = lambda _: None,
) -> float | None:
    """Count how long a recording sounds; nothing is decoded.

    Args:
        file: The file.
        parts: The parts that are counted, as `decode` takes them.
        container: FFmpeg's name of their container; by default it is found out.
        choices: What of the recording is taken.
        limit_s: Where to stop counting.
        on_sound: Is told, now and then, how many seconds were counted.

    Returns:
        Seconds; if more than `limit_s`, as many as were counted. None where only decoding tells.

    Raises:
        CodecError: It cannot be decoded, or is truncated.
    """
    counter = _Counter(choices or Choices())
    try:
        for counted_s in counter.count(file, parts or [whole_file(file)], container):
            on_sound(counted_s - counter.silence_s)
            if counted_s > limit_s:
                return counted_s
    except _NotCountedError:
        return None
    return counter.before_s


class _NotCountedError(Exception):
    """Only decoding tells how long it is."""


class _Counter:
    """Counts parts of a file, one after the other.

    Attributes:
        silence_s: Seconds of gaps in timestamps.
        before_s: Seconds of the parts that are counted to their ends, with gaps.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self.silence_s = 0.0
        self.before_s = 0.0

    def count(
        self, file: BinaryIO, parts: Sequence[FilePart], container: str | None
    ) -> Iterator[float]:
        """Yield, now and then, how many seconds there are so far."""
        for number in range(len(parts)):
            with open_part(file, parts, number, container, self._choices) as part:
                if part:
                    yield from self._count_part(part)

    def _count_part(self, part: OpenPart) -> Iterator[float]:
        timeline = part.timeline(self.silence_s)
        lengths = _lengths_of_amr(part) if part.sound.format_name in _AMR else _lengths(part)
        told_s = 0.0
        for timestamp_s, length_s in up_to_failure(lengths, self._choices):
            self.silence_s += timeline.place(timestamp_s, length_s)
            if timeline.position_s > told_s + _STEP_S:
                told_s = timeline.position_s
                yield round(self.before_s + told_s, _DIGITS)
        if not self._choices.allow_truncated:
            part.require_whole(timeline.position_s, timeline.closed_s)
        self.before_s = round(self.before_s + timeline.position_s, _DIGITS)
        yield self.before_s


def _lengths(part: OpenPart) -> Iterator[tuple[float | None, float]]:
    """Yield when each packet sounds, if it says so, and for how many seconds."""
    name, stream = part.sound.format_name, part.sound.stream
    if (name, stream.codec_context.codec.canonical_name) not in _COUNTED:
        raise _NotCountedError
    left_out_s, packets, unknown = _left_out_s(part.sound), 0, 0
    time_base = float(stream.time_base or 0)
    for packet, length_s in _packets(part.sound, time_base):
        packets += 1
        unknown += not length_s
        now_s = min(left_out_s, length_s)
        left_out_s -= now_s
        if length_s > now_s:
            start = packet.pts if name in TIMED else None
            yield None if start is None else start * time_base + now_s, length_s - now_s
    if unknown > 1 + packets // 20:
        raise _NotCountedError


def _packets(sound: Sound, time_base: float) -> Iterator[tuple[av.Packet[Any], float]]:
    """Yield packets, and how many seconds each sounds; 0 where that is not known."""
    context = sound.stream.codec_context
    is_aac, is_flac, is_mp3 = (sound.format_name == it for it in ("aac", "flac", "mp3"))
    last: av.Packet[Any] | None = None
    for packet in sound.container.demux(sound.stream):
        if packet.size and is_aac:
            yield packet, adts_length(bytes(memoryview(packet)[:HEAD_BYTES]), packet.size)
        elif packet.has_sidedata("skip_samples") and is_mp3:  # what an encoder added is left out
            raise _NotCountedError
        elif packet.size:
            if last:
                yield last, (last.duration or 0) * time_base
            last = packet
    if last and (not is_flac or _is_whole(context, last)):
        yield last, (last.duration or 0) * time_base


def _is_whole(context: av.AudioCodecContext, packet: av.Packet[Any]) -> bool:
    """Tell a packet that can be decoded by itself."""
    from av.error import InvalidDataError

    try:
        return bool(context.decode(packet))
    except InvalidDataError:
        return False


def _left_out_s(sound: Sound) -> float:
    """Read how many seconds at the beginning are left out, as the header of Opus says."""
    if sound.format_name != "ogg":
        return 0.0
    return (
        int.from_bytes((sound.stream.codec_context.extradata or b"")[_PRE_SKIP], "little") / 48_000
    )


def _lengths_of_amr(part: OpenPart) -> Iterator[tuple[None, float]]:
    codec = part.sound.stream.codec_context.codec.canonical_name
    packets = damaged = 0
    for counted in amr_frames.count_frames(part.reader.again(), codec):
        packets += counted.whole + counted.damaged
        damaged += counted.damaged
        yield None, counted.whole / amr_frames.FRAMES_PER_S
    require_undamaged(packets, damaged)
