"""The parts of a recording, in pieces → each encoded, and where in the recording it is from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._media.bounded import bounded_encode
from langchain_qwen_audio._media.samples import length_of
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio._media.wav import encode_wav
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_qwen_audio._media.splitting import Piece


class Stretch(NamedTuple):
    """Consecutive sound of a recording, and where in a part of it that is; all in seconds.

    Attributes:
        sent_s: Where in the part it starts.
        start_s: Where in the recording it starts.
        length_s: How long it is.
    """

    sent_s: float
    start_s: float
    length_s: float


@dataclass(frozen=True)
class Segment:
    """A part of a recording.

    Attributes:
        encode: Makes the audio of the part, in whatever thread.
        start_s: Where in the recording it starts, in seconds.
        end_s: Where it ends.
        stretches: What of the recording is in it; more than one where silence is left out.
        continues: Whether it ends within sound, so that the next one repeats its end.
        is_made: Whether its audio is made for the model; if not, it is the recording as it came.
    """

    encode: Callable[[], Audio]
    start_s: float
    end_s: float
    stretches: tuple[Stretch, ...]
    continues: bool = False
    is_made: bool = False


def encode_segments(
    pieces: Iterable[Piece], audio: Audio, bit_rate: float | None, sample_rate: int
) -> Iterator[Audio]:
    """Encode the parts that `split_at_pauses` yields, in memory of what comes out.

    Args:
        pieces: The parts, in pieces.
        audio: What they are of.
        bit_rate: That of MP3, in bits a second; None is WAV.
        sample_rate: Samples per second.
    """
    for part in _parts(pieces, sample_rate):
        if bit_rate is None:
            yield part.audio_of(audio, encode_wav(part, sample_rate))
        else:
            yield part.audio_of(audio, _encode_mp3(part, audio, bit_rate, sample_rate))


def hold_segments(
    pieces: Iterable[Piece],
    audio: Audio,
    bit_rate: float | None,
    sample_rate: int,
    *,
    overlap: int = 0,
    bridge: int = 0,
) -> Iterator[Segment]:
    """Hold the parts that `split_at_pauses` yields as samples, so that several are encoded at once.

    Args:
        pieces: The parts, in pieces.
        audio: What they are of.
        bit_rate: That of MP3, in bits a second; None is WAV.
        sample_rate: Samples per second.
        overlap: Bytes of the end of each part that the next one repeats.
        bridge: Bytes that the next one repeats where a part ends within sound.
    """
    for part in _parts(pieces, sample_rate, overlap, bridge):
        encode = _later(part, audio, bit_rate, sample_rate)
        continues = bool(bridge and part.in_sound)
        stretches = tuple(part.stretches)
        yield Segment(encode, part.start_s, part.end_s, stretches, continues, is_made=True)


def _later(
    part: _Part, audio: Audio, bit_rate: float | None, sample_rate: int
) -> Callable[[], Audio]:
    """Make what encodes a part; WAV is made at once, so that no second copy of it is."""
    if bit_rate is None:
        wav = part.audio_of(audio, encode_wav(part, sample_rate))
        return lambda: wav
    blocks = [*part]
    return lambda: part.audio_of(audio, _encode_mp3(blocks, audio, bit_rate, sample_rate))


def _encode_mp3(blocks: Iterable[bytes], audio: Audio, bit_rate: float, sample_rate: int) -> bytes:
    try:
        return bounded_encode(blocks, sample_rate, bit_rate)
    except (CodecError, OSError) as error:
        raise AudioError(f"{audio.name}: it cannot be encoded as MP3 ({error})") from error


def _parts(
    pieces: Iterable[Piece], sample_rate: int, overlap: int = 0, bridge: int = 0
) -> Iterator[_Part]:
    """Yield the parts, each of which is to be read to its end before the next one."""
    before: list[_Chunk] = []
    for _, group in groupby(pieces, key=attrgetter("part")):
        part = _Part(group, before, sample_rate, max(overlap, bridge))
        yield part
        before = part.tail if overlap or part.in_sound else []


class _Chunk(NamedTuple):
    """Samples, and where in the recording they are, in bytes."""

    start: int
    samples: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class _Part:
    """The blocks of a part as they pass by: how many bytes, from where, and the last of them."""

    def __init__(
        self, pieces: Iterable[Piece], before: Iterable[_Chunk], sample_rate: int, keep: int
    ) -> None:
        self._pieces, self._before = pieces, before
        self._rate, self._keep = sample_rate, keep
        self._starts: list[tuple[int, int]] = []  # where a stretch starts in the part, and how far
        self._next = -1
        self.size = 0
        self.in_sound = False
        self.tail: list[_Chunk] = []

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._before:
            yield self._pass(chunk)
        for piece in self._pieces:
            self.in_sound = piece.in_sound
            if piece.samples:
                yield self._pass(_Chunk(piece.start, piece.samples))

    def _pass(self, chunk: _Chunk) -> bytes:
        if chunk.start != self._next:
            self._starts.append((self.size, chunk.start))
        self._next = chunk.end
        self.size += len(chunk.samples)
        self.tail = _last([*self.tail, chunk], self._keep)
        return chunk.samples

    @property
    def start_s(self) -> float:
        """Where in the recording it starts."""
        return length_of(self._starts[0][1], self._rate)

    @property
    def end_s(self) -> float:
        """Where in the recording it ends."""
        return length_of(self._next, self._rate)

    def audio_of(self, audio: Audio, data: bytes) -> Audio:
        """Take the encoded part of a recording, named after it."""
        name = f"{audio.name} ({self.start_s:.1f} to {self.end_s:.1f} s)"
        made = Audio(data, name=name, duration_s=length_of(self.size, self._rate))
        made.mime_type = "audio/wav" if data.startswith(b"RIFF") else "audio/mpeg"  # not probed
        return made

    @property
    def stretches(self) -> Iterator[Stretch]:
        """Where in the recording the part is from."""
        ends = [sent for sent, _ in self._starts[1:]] + [self.size]
        for (sent, start), end in zip(self._starts, ends, strict=True):
            yield Stretch(*(length_of(it, self._rate) for it in (sent, start, end - sent)))


def _last(chunks: list[_Chunk], size: int) -> list[_Chunk]:
    """Keep the last bytes of chunks."""
    kept: list[_Chunk] = []
    for chunk in reversed(chunks):
        if size <= 0:
            break
        samples = chunk.samples[-size:]
        kept.insert(0, _Chunk(chunk.end - len(samples), samples))
        size -= len(samples)
    return kept
