"""One clip → the parts that a model hears: as it came, converted, or cut at the quietest points.

Nothing is lost and nothing is sent twice: the parts of a clip add up to the clip.
"""

from __future__ import annotations

import warnings
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from langchain_core.exceptions import ModelError

from langchain_qwen_audio import _codec
from langchain_qwen_audio._codec import SAMPLE_BYTES, SAMPLE_RATE, WAV_HEADER_BYTES
from langchain_qwen_audio._files import audio_error
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._profiles import Profile
    from langchain_qwen_audio._routes import LongAudio

SEARCH_S = 5.0  # a cut is looked for in the last seconds of a part, and never in its first fifth,
PAUSE_S = 0.2  # in the middle of the quietest stretch of this length,
FRAME_S = 0.02  # measured in steps of this length
LOUDER = 1.4  # stretches up to 3 dB louder than the quietest are as good; the last of them wins
INAUDIBLE = 8  # mean amplitude (of 32,768) below which stretches do not differ


def fit(audio: Audio, profile: Profile, long_audio: LongAudio = "split") -> list[Audio]:
    """Make a clip into what the model hears, never larger than it came.

    What the model documents passes untouched where that is the smallest form. Anything else is
    converted to mono at 16 kHz (telephone sound stays at 8 kHz): to WAV, which loses nothing of
    PCM, or, where WAV is larger than what came or than what can be sent, to MP3 at no more than its
    bit rate. Memory is bounded by what comes out, however long the clip.

    Args:
        audio: The clip.
        profile: What the model hears.
        long_audio: What to do with a clip longer than the model hears: "split" it into
            consecutive parts, "truncate" it with a warning, or refuse it as an "error".

    Returns:
        The parts, in order, each at most `profile.max_clip_s` seconds long.

    Raises:
        AudioError: It is not audio, empty, truncated, or too long where that is an error.
        ContextOverflowError: It is longer than the model's whole context.
    """
    sample_rate = _sample_rate(audio)
    if long_audio == "split":  # nothing is decoded to no end
        _require_context(audio, audio.probe.declared_s or 0.0, profile)
    if _may_pass(audio, profile, sample_rate) and _passes(audio, profile, sample_rate):
        return [audio]
    samples = audio.decode(sample_rate)
    if long_audio == "split":
        limit_s, kept_s = profile.max_part_s, audio.duration_s
        heard = _within_context(samples, audio, profile, sample_rate)
        pieces = cut(heard, _size(limit_s, sample_rate), sample_rate)
    else:
        limit_s, kept_s = profile.max_clip_s, min(audio.duration_s, profile.max_clip_s)
        limit = _size(limit_s, sample_rate)
        pieces = ((0, block) for block in _head(samples, limit, audio, profile, long_audio))
    bit_rate = _plan(audio, kept_s, min(limit_s, kept_s), profile, sample_rate)
    parts = [part.audio for part in _encode(pieces, audio, bit_rate, sample_rate)]
    if len(parts) > 1:
        return parts
    parts[0].name = audio.name
    grew = bit_rate and audio.size < parts[0].size  # from a codec that none of them matches
    if grew and profile.hears_more and audio.size <= profile.max_sent_bytes:
        return [audio]
    return parts


class Part(NamedTuple):
    """A part of a clip, and the seconds of the clip that it is."""

    audio: Audio
    start_s: float
    end_s: float


def segments(
    audio: Audio, profile: Profile, limit_s: float, *, overlap_s: float = 0.0
) -> Iterator[Part]:
    """Cut a recording of any length into parts, at the quietest points, as it is decoded.

    Args:
        audio: The recording.
        profile: What the model hears.
        limit_s: Seconds of the longest part; the model's limit if that is shorter.
        overlap_s: Seconds of the end of each part that the next one repeats.

    Yields:
        The parts, in order; a recording that is no longer than one part, as it came.

    Raises:
        AudioError: It is not audio, empty, or, after its last part, truncated.
    """
    limit_s = min(limit_s, profile.max_part_s)
    sample_rate = _sample_rate(audio)
    if audio.duration_s <= limit_s and _is_whole(audio, sample_rate):
        yield Part(audio, 0.0, audio.duration_s)
        return
    overlap = _size(overlap_s, sample_rate)
    failures: list[ModelError] = []
    blocks = _up_to_failure(audio.decode(sample_rate), failures)
    pieces = cut(blocks, _size(limit_s, sample_rate) - overlap, sample_rate)
    bit_rate = _plan(audio, audio.duration_s, limit_s, profile, sample_rate)
    yield from _encode(pieces, audio, bit_rate, sample_rate, overlap)
    if failures:
        raise failures[0]


def _is_whole(audio: Audio, sample_rate: int) -> bool:
    """Listen to the end, to find out whether all is there that should be."""
    try:
        for _ in audio.decode(sample_rate):
            pass
    except ModelError:
        return False
    return True


def _up_to_failure(blocks: Iterable[bytes], failures: list[ModelError]) -> Iterator[bytes]:
    """Yield what can be heard; what ended it too soon is for later."""
    try:
        yield from blocks
    except ModelError as error:
        failures.append(error)


def _sample_rate(audio: Audio) -> int:
    return 8000 if audio.sample_rate == 8000 else SAMPLE_RATE


def _may_pass(audio: Audio, profile: Profile, sample_rate: int) -> bool:
    """Tell a clip that is of a kind and a size that the model hears as it came.

    One that its headers say is larger than as WAV is not.
    """
    declared_s = audio.probe.declared_s
    if declared_s and audio.size > _size(declared_s, sample_rate) + WAV_HEADER_BYTES:
        return False
    documented = any(
        audio.mime_type == mime_type and audio.codec.startswith(codec)
        for mime_type, codec in profile.hears
    )
    return documented and audio.size <= profile.max_sent_bytes


def passes_at_once(audio: Audio, profile: Profile) -> bool:
    """Tell, from its headers alone, a clip that is heard and that converting would not change."""
    sound = round((audio.probe.declared_s or 0.0) * audio.sample_rate) * SAMPLE_BYTES
    return (
        (audio.codec, audio.channels) == ("pcm_s16le", 1)
        and audio.sample_rate in {8000, SAMPLE_RATE}
        and 0 < sound == audio.size - WAV_HEADER_BYTES
        and audio.duration_s <= profile.max_clip_s
        and _may_pass(audio, profile, audio.sample_rate)
    )


def _passes(audio: Audio, profile: Profile, sample_rate: int) -> bool:
    """Listen to the end of a clip: is it within the limit, and smaller so than as WAV?"""
    limit = _size(profile.max_clip_s, sample_rate)
    size = 0
    for block in audio.decode(sample_rate):
        size += len(block)
        if size > limit:
            return False
    return audio.size <= size + WAV_HEADER_BYTES


def cut(blocks: Iterable[bytes], limit: int, sample_rate: int) -> Iterator[tuple[int, bytes]]:
    """Cut a stream of samples into parts of at most `limit` bytes, at the quietest points.

    Memory is bounded by the seconds in which a cut is looked for, however long the parts.

    Args:
        blocks: Mono, signed 16-bit samples.
        limit: Bytes of the longest part.
        sample_rate: Samples per second.

    Yields:
        The number of a part, from 0, and the next samples of it.
    """
    ahead = min(_size(SEARCH_S, sample_rate), limit // 5 * 4 // SAMPLE_BYTES * SAMPLE_BYTES)
    buffer = bytearray()
    number = passed = 0  # the part, and the bytes of it that are out of the buffer
    for block in blocks:
        buffer += block
        while passed + len(buffer) > limit:
            window = bytes(buffer[: limit - passed])
            end = _quietest(window, ahead, sample_rate)
            yield number, window[:end]
            del buffer[:end]
            number, passed = number + 1, 0
        if len(buffer) > 2 * ahead:
            certain = len(buffer) - ahead
            yield number, bytes(buffer[:certain])
            del buffer[:certain]
            passed += certain
    if buffer:
        yield number, bytes(buffer)


def _quietest(samples: bytes, ahead: int, sample_rate: int) -> int:
    """Find the byte to cut at: the middle of the quietest stretch in the last `ahead` bytes.

    Where no stretch is quieter than the others, that is the end.
    """
    step = int(FRAME_S * sample_rate)
    steps = int(PAUSE_S / FRAME_S)
    frames = min(ahead, len(samples)) // SAMPLE_BYTES // step
    start = len(samples) - frames * step * SAMPLE_BYTES
    values = memoryview(samples)[start:].cast("h")
    loudness = [sum(map(abs, values[i * step : (i + 1) * step])) for i in range(frames)]
    stretches = [sum(loudness[i : i + steps]) for i in range(frames - steps + 1)]
    if not stretches:
        return len(samples)
    quiet = max(min(stretches) * LOUDER, INAUDIBLE * steps * step)
    if max(stretches) <= quiet:
        return len(samples)
    last = max(i for i, stretch in enumerate(stretches) if stretch <= quiet)
    return start + (last + steps // 2) * step * SAMPLE_BYTES


def _within_context(
    blocks: Iterable[bytes], audio: Audio, profile: Profile, sample_rate: int
) -> Iterator[bytes]:
    heard = 0
    for block in blocks:
        heard += len(block)
        _require_context(audio, _seconds(heard, sample_rate), profile)
        yield block


def _require_context(audio: Audio, length_s: float, profile: Profile) -> None:
    if length_s > profile.max_input_s:
        raise context_overflow(f"{audio.name} is", f"{length_s:.1f} s long or more", profile)


def context_overflow(what: str, length: str, profile: Profile) -> Exception:
    """Make the error of more audio than one request holds."""
    from langchain_qwen_audio.errors import ContextOverflowError

    return ContextOverflowError(
        f"{what} {length}; one request holds at most {profile.max_input_s:.1f} s of audio "
        f"({profile.max_input_tokens or 0:,} tokens, {profile.tokens_per_s:g} a second); ask about "
        "one part at a time, as QwenAudioLoader does for long recordings"
    )


def _head(
    blocks: Iterable[bytes], limit: int, audio: Audio, profile: Profile, long_audio: LongAudio
) -> Iterator[bytes]:
    """Yield what is heard; warn of the rest, or refuse it."""
    heard = 0
    for block in blocks:
        yield block[: limit - heard]
        heard += len(block)
        if heard > limit:
            break
    if heard > limit:
        longer = (
            f"{audio.name}: it is longer than the {profile.max_clip_s:g} s that the model hears"
        )
        if long_audio == "error":
            raise audio_error(f"{longer}; shorten it, or use long_audio='split'")
        warnings.warn(f"{longer}; the rest is left out", UserWarning, stacklevel=2)


def _plan(
    audio: Audio, kept_s: float, longest_s: float, profile: Profile, sample_rate: int
) -> float | None:
    """Decide how the parts of a clip are encoded: as WAV, or as MP3 of at most so many bits/s.

    As WAV, unless that is larger than what came, or larger than what can be sent.

    Args:
        audio: The clip.
        kept_s: Seconds of all parts together.
        longest_s: Seconds of the longest part.
        profile: What the model takes.
        sample_rate: Samples per second of the parts.
    """
    fits = _size(longest_s, sample_rate) + WAV_HEADER_BYTES <= profile.max_sent_bytes
    if fits and _size(kept_s, sample_rate) <= audio.size:
        return None
    # An MP3 has a header, and some frames more than the sound needs.
    allowed = (
        8 * (size - 1000) / (length_s + 0.15)
        for size, length_s in ((audio.size, kept_s), (profile.max_sent_bytes, longest_s))
    )
    return min(allowed)


def _encode(
    pieces: Iterable[tuple[int, bytes]],
    audio: Audio,
    bit_rate: float | None,
    sample_rate: int,
    overlap: int = 0,
) -> Iterator[Part]:
    """Encode what `cut` yields, each part after the last `overlap` bytes of the one before."""
    position, before = 0, b""
    for _, group in groupby(pieces, key=itemgetter(0)):
        start = position - len(before)
        blocks = _Passing(chain([before], (block for _, block in group)), overlap)
        data = (
            _codec.encode_wav(blocks, sample_rate)
            if bit_rate is None
            else _codec.encode_mp3(blocks, sample_rate, bit_rate)
        )
        position, before = start + blocks.size, bytes(blocks.tail)
        start_s, end_s = _seconds(start, sample_rate), _seconds(position, sample_rate)
        name = f"{audio.name} ({start_s:.1f} to {end_s:.1f} s)"
        yield Part(Audio(data, name=name, duration_s=end_s - start_s), start_s, end_s)


class _Passing:
    """Blocks that pass by: how many bytes they were, and the last of them."""

    def __init__(self, blocks: Iterable[bytes], keep: int) -> None:
        self._blocks, self._keep = blocks, keep
        self.size = 0
        self.tail = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            if block:
                self.size += len(block)
                self.tail += block
                del self.tail[: max(0, len(self.tail) - self._keep)]
                yield block


def _size(length_s: float, sample_rate: int) -> int:
    return int(length_s * sample_rate) * SAMPLE_BYTES


def _seconds(size: int, sample_rate: int) -> float:
    return size / SAMPLE_BYTES / sample_rate
