"""Parts of a file → what they are, and how they sound. FFmpeg decodes here.

frames ─ Timeline ─► frames and silence ─ Mixer ─► mono samples
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from langchain_qwen_audio._media.choices import Choices
from langchain_qwen_audio._media.container import open_sound
from langchain_qwen_audio._media.declared_length import TIMED, declared_length
from langchain_qwen_audio._media.durations import format_length
from langchain_qwen_audio._media.file_parts import whole_file
from langchain_qwen_audio._media.joined import readable_file
from langchain_qwen_audio._media.mixing import Mixer, require_sane
from langchain_qwen_audio._media.open_parts import open_part, up_to_failure
from langchain_qwen_audio._media.packets import decode_packets
from langchain_qwen_audio._media.samples import SAMPLE_RATE, byte_count, length_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import av

    from langchain_qwen_audio._media.container import Sound
    from langchain_qwen_audio._media.file_parts import FilePart
    from langchain_qwen_audio._media.open_parts import OpenPart
    from langchain_qwen_audio._media.timeline import Timeline

_SILENCE_BLOCK_S = 1.0


@dataclass(frozen=True)
class Probe:
    """What a clip is, as its bytes say.

    Attributes:
        container: FFmpeg's name of the container (`wav`, `mp3`, `mov,mp4,m4a,3gp,3g2,mj2`).
        codec: FFmpeg's name of the codec (`pcm_s16le`, `opus`).
        sample_rate: Samples per second and channel.
        channels: Number of channels.
        declared_s: Seconds, as the first header declares; None where it does not.
        brand: The MP4 family's own name of the file's kind (`3gp4`, `M4A `), or "".
        track: The number of the sound track that is taken, from 0.
        tracks: How many sound tracks there are.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared_s: float | None
    brand: str = ""
    track: int = 0
    tracks: int = 1


@dataclass
class Report:
    """What decoding found out beside the samples.

    Attributes:
        silence_s: Seconds of silence that were put in where timestamps have gaps.
        closed_s: Seconds of gaps that were too long to be silence.
        changes: How often the sample rate or the channels changed within a part.
        inverted: Channels that were turned around, since they would cancel out others.
    """

    silence_s: float = 0.0
    closed_s: float = 0.0
    changes: int = 0
    inverted: set[int] = field(default_factory=set)

    def warnings(self) -> Iterator[str]:
        """Say what the user should know of it."""
        if self.inverted:
            channels = ", ".join(map(str, sorted(self.inverted)))
            yield (
                f"channel {channels} is the inverse of another one, which would cancel out both; "
                "it was turned around before mixing"
            )
        if self.closed_s:
            yield (
                f"gaps of {format_length(self.closed_s)} in its timestamps are longer than can be; "
                "they were closed up, so that times may be wrong"
            )


def probe(file: BinaryIO, track: int | None = None) -> Probe:
    """Read what a clip is from its headers; nothing is decoded.

    Raises:
        CodecError: It is not audio, has no such track, or its headers are absurd.
    """
    part = readable_file(file).open(file)
    with open_sound(part, track) as sound:
        container, stream = sound.container, sound.stream
        require_sane(stream.sample_rate, stream.channels)
        return Probe(
            container=sound.format_name,
            codec=stream.codec_context.codec.canonical_name,
            sample_rate=stream.sample_rate,
            channels=stream.channels,
            declared_s=declared_length(part.again(), sound),
            brand=container.metadata.get("major_brand", ""),
            track=sound.track,
            tracks=sound.tracks,
        )


def decode(
    file: BinaryIO,
    parts: Sequence[FilePart] = (),
    *,
    container: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    choices: Choices | None = None,
    report: Report | None = None,
) -> Iterator[bytes]:
    """Yield a clip's sound as mono, signed 16-bit, native-endian samples at `sample_rate` hertz.

    Memory is bounded by one packet and half a second, however long the clip.

    Args:
        file: The file.
        parts: The parts that are decoded, one after the other; by default the file is one.
        container: FFmpeg's name of their container; by default it is found out.
        sample_rate: Samples per second of what is yielded.
        choices: What of the clip is taken.
        report: Where to note what is found out.

    Raises:
        CodecError: It cannot be decoded, or is truncated.
    """
    decoder = _Decoder(file, sample_rate, choices or Choices(), report or Report())
    with contextlib.closing(decoder.blocks(parts or [whole_file(file)], container)) as blocks:
        yield from blocks


@dataclass
class _Decoder:
    """Decodes parts of a file, one after the other."""

    file: BinaryIO
    sample_rate: int
    choices: Choices
    report: Report

    def blocks(self, parts: Sequence[FilePart], container: str | None) -> Generator[bytes]:
        for number in range(len(parts)):
            with open_part(self.file, parts, number, container, self.choices) as part:
                if part:
                    yield from self._decode_part(part)

    def _decode_part(self, part: OpenPart) -> Iterator[bytes]:
        timeline, size = part.timeline(self.report.silence_s), 0
        for block in self._placed(part.sound, timeline):
            size += len(block)
            yield block
        self.report.closed_s += timeline.closed_s
        if not self.choices.allow_truncated:
            part.require_whole(length_of(size, self.sample_rate), timeline.closed_s)

    def _placed(self, sound: Sound, timeline: Timeline) -> Iterator[bytes]:
        """Yield the samples of a part, with silence where nothing was recorded."""
        mixer = Mixer(self.sample_rate, self.choices.channel, self.report.inverted)
        is_timed = sound.format_name in TIMED
        for frame in up_to_failure(decode_packets(sound), self.choices):
            if is_timed and (gap_s := timeline.place(frame.time, _length_s(frame))):
                yield from mixer.flush()
                yield from self._silence(gap_s)
            yield from mixer.mix(frame)
        yield from mixer.flush()
        self.report.changes += mixer.changes

    def _silence(self, length_s: float) -> Iterator[bytes]:
        """Yield silence in blocks, however long."""
        block = bytes(byte_count(_SILENCE_BLOCK_S, self.sample_rate))
        whole, rest = divmod(byte_count(length_s, self.sample_rate), len(block))
        for _ in range(whole):
            self.report.silence_s += _SILENCE_BLOCK_S
            yield block
        self.report.silence_s += length_of(rest, self.sample_rate)
        yield block[:rest]


def _length_s(frame: av.AudioFrame) -> float:
    return frame.samples / frame.sample_rate if frame.sample_rate else 0.0
