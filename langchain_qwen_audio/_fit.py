"""One clip → the parts that a model hears: as it came, converted, or cut at the quietest points.

Nothing is lost and nothing is sent twice: the parts of a clip add up to the clip.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

from langchain_qwen_audio import _codec
from langchain_qwen_audio._codec import SAMPLE_BYTES, SAMPLE_RATE
from langchain_qwen_audio._files import audio_error
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._profiles import Profile

LongAudio = Literal["split", "truncate", "error"]

SEARCH_S = 5.0  # a cut is looked for in the last seconds before the limit,
PAUSE_S = 0.2  # in the middle of the quietest stretch of this length,
FRAME_S = 0.02  # measured in steps of this length
LOUDER = 1.4  # stretches up to 3 dB louder than the quietest are as good; the last of them wins
INAUDIBLE = 8  # mean amplitude (of 32,768) below which stretches do not differ


def fit(audio: Audio, profile: Profile, long_audio: LongAudio = "split") -> list[Audio]:
    """Make a clip into what the model hears, never larger than it came.

    What the model documents passes untouched where that is the smallest form. Anything else is
    converted to mono at 16 kHz (telephone sound stays at 8 kHz): to WAV, which loses nothing of
    PCM, or, where WAV is larger than what came, to MP3 at no more than its bit rate.

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
    sample_rate = 8000 if audio.sample_rate == 8000 else SAMPLE_RATE
    limit = int(profile.max_clip_s * sample_rate) * SAMPLE_BYTES
    samples = audio.decode(sample_rate)
    if long_audio == "split":
        stream = cut(samples, limit, sample_rate)
        pieces = list(_within_context(stream, audio, profile, sample_rate))
        whole = len(pieces) == 1
    else:
        head, whole = _head(samples, limit, audio, profile, long_audio)
        pieces = [head]
    if whole and _passes(audio, profile, len(pieces[0])):
        return [audio]
    parts = list(_encode(pieces, audio, sample_rate))
    if whole and parts[0].mime_type == "audio/mpeg" and parts[0].size > audio.size:
        return [audio]  # a codec that no documented one matches; the service hears "most" codecs
    return parts


def cut(blocks: Iterable[bytes], limit: int, sample_rate: int) -> Iterator[bytes]:
    """Cut a stream of samples into pieces of at most `limit` bytes, in bounded memory.

    Args:
        blocks: Mono, signed 16-bit samples.
        limit: Bytes of the longest piece.
        sample_rate: Samples per second.
    """
    buffer = bytearray()
    for block in blocks:
        buffer += block
        while len(buffer) > limit:
            end = _quietest(bytes(buffer[:limit]), sample_rate)
            yield bytes(buffer[:end])
            del buffer[:end]
    if buffer:
        yield bytes(buffer)


def _quietest(samples: bytes, sample_rate: int) -> int:
    """Find the byte to cut at: the middle of the quietest stretch near the end.

    Where no stretch is quieter than the others, that is the end.
    """
    step = int(FRAME_S * sample_rate)
    steps = int(PAUSE_S / FRAME_S)
    frames = min(int(SEARCH_S / FRAME_S), len(samples) // SAMPLE_BYTES // step)
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
    pieces: Iterable[bytes], audio: Audio, profile: Profile, sample_rate: int
) -> Iterator[bytes]:
    if (declared_s := audio.probe.declared_s or 0.0) > profile.max_input_s:
        raise context_overflow(f"{audio.name} is", f"{declared_s:.1f} s long", profile)
    heard = 0
    for piece in pieces:
        heard += len(piece)
        if (heard_s := _seconds(heard, sample_rate)) > profile.max_input_s:
            raise context_overflow(f"{audio.name} is", f"more than {heard_s:.1f} s long", profile)
        yield piece


def context_overflow(what: str, length: str, profile: Profile) -> Exception:
    """Make the error of more audio than one request holds."""
    from langchain_qwen_audio.errors import ContextOverflowError

    return ContextOverflowError(
        f"{what} {length}; one request holds at most {profile.max_input_s:.1f} s of audio "
        f"({profile.max_input_tokens:,} tokens, {profile.tokens_per_s:g} a second); ask about one "
        "part at a time, as QwenAudioLoader does for long recordings"
    )


def _head(
    blocks: Iterable[bytes], limit: int, audio: Audio, profile: Profile, long_audio: LongAudio
) -> tuple[bytes, bool]:
    """Take what fits, and say whether that is all; warn of the rest, or refuse it."""
    head = bytearray()
    for block in blocks:
        head += block
        if len(head) > limit:
            break
    whole = len(head) <= limit
    if not whole:
        longer = (
            f"{audio.name}: it is longer than the {profile.max_clip_s:g} s that the model hears"
        )
        if long_audio == "error":
            raise audio_error(f"{longer}; shorten it, or use long_audio='split'")
        warnings.warn(f"{longer}; the rest is left out", UserWarning, stacklevel=2)
    return bytes(head[:limit]), whole


def _passes(audio: Audio, profile: Profile, samples_size: int) -> bool:
    """Tell a clip that is heard as it came, and is smaller so than as WAV."""
    documented = any(
        audio.mime_type == mime_type and audio.codec.startswith(codec)
        for mime_type, codec in profile.hears
    )
    return documented and audio.size <= min(samples_size + 44, profile.max_clip_bytes)


def _encode(pieces: list[bytes], audio: Audio, sample_rate: int) -> Iterator[Audio]:
    """Encode the pieces of a clip, as WAV unless that makes them larger than the clip."""
    total = sum(map(len, pieces))
    lossless = total <= audio.size  # headers aside
    # An MP3 has a header, and some frames more than the sound needs.
    max_bits_per_s = 8 * (audio.size - 1000) / (_seconds(total, sample_rate) + 0.15)
    start_s = 0.0
    for piece in pieces:
        data = (
            _codec.encode_wav(piece, sample_rate)
            if lossless
            else _codec.encode_mp3(piece, sample_rate, max_bits_per_s)
        )
        end_s = start_s + _seconds(len(piece), sample_rate)
        name = audio.name if len(pieces) == 1 else f"{audio.name} ({start_s:.1f} to {end_s:.1f} s)"
        yield Audio(data, name=name, duration_s=end_s - start_s)
        start_s = end_s


def _seconds(size: int, sample_rate: int) -> float:
    return size / SAMPLE_BYTES / sample_rate
