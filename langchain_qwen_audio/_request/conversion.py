"""One clip → the parts that a model takes: as it came, converted, or split at pauses.

Nothing is lost and nothing is sent twice: the parts of a clip add up to the clip.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.samples import SAMPLE_BYTES, SAMPLE_RATE, byte_count, length_of
from langchain_qwen_audio._media.splitting import one_part, split_at_pauses
from langchain_qwen_audio._media.wav import WAV_HEADER_BYTES
from langchain_qwen_audio._models.long_contexts import models_for_length
from langchain_qwen_audio._request.encoded_segments import encode_segments
from langchain_qwen_audio.errors import AudioError, ContextOverflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._models.routes import LongAudio
    from langchain_qwen_audio.audio import Audio


def convert(audio: Audio, profile: Profile, long_audio: LongAudio = "split") -> list[Audio]:
    """Convert a clip into what the model takes, never larger than it came.

    What the model documents passes untouched where that is the smallest form. Anything else is
    converted to mono at 16 kHz (telephone sound stays at 8 kHz): to WAV, which loses nothing of
    PCM, or, where WAV is larger than what came or than what can be sent, to MP3 at no more than its
    bit rate. Memory is bounded by what comes out, however long the clip.

    Args:
        audio: The clip.
        profile: What the model takes.
        long_audio: What to do with a clip longer than the model takes: "split" it into
            consecutive parts, "truncate" it with a warning, or refuse it as an "error".

    Returns:
        The parts, in order, each at most `profile.max_clip_s` seconds long.

    Raises:
        AudioError: It is not audio, empty, truncated, or too long where that is an error, or
            where one message may not hold all its parts.
        ContextOverflowError: It is longer than the model's whole context.
    """
    sample_rate = target_sample_rate(audio)
    if long_audio == "split":  # nothing is decoded to no end
        _require_length(audio, audio.declared_s or 0.0, profile)
    if _may_pass(audio, profile, sample_rate) and _passes(audio, profile, sample_rate):
        return [audio]
    samples = audio.decode(sample_rate)
    if long_audio == "split":
        limit_s = profile.max_part_s
        kept_s = audio.length_up_to(_most_s(profile))
        _require_length(audio, kept_s, profile)
        checked = _within_limits(samples, audio, profile, sample_rate)
        pieces = split_at_pauses(checked, byte_count(limit_s, sample_rate), sample_rate)
    else:
        limit_s = profile.max_clip_s
        kept_s = min(audio.length_up_to(limit_s), limit_s)
        limit = byte_count(limit_s, sample_rate)
        pieces = one_part(_head(samples, limit, audio, profile, long_audio))
    bit_rate = choose_bit_rate(audio, kept_s, min(limit_s, kept_s), profile, sample_rate)
    parts = list(encode_segments(pieces, audio, bit_rate, sample_rate))
    if len(parts) > 1:
        return parts
    parts[0].name = audio.name
    grew = bit_rate and audio.size < parts[0].size  # from a codec that none of them matches
    fits = profile.takes_other_formats and audio.size <= profile.max_sent_bytes
    if grew and fits and audio.is_plain:
        return [audio]
    return parts


def target_sample_rate(audio: Audio) -> int:
    """Choose the sample rate of what is converted: telephone sound keeps its own."""
    return 8000 if audio.sample_rate == 8000 else SAMPLE_RATE


def _may_pass(audio: Audio, profile: Profile, sample_rate: int) -> bool:
    """Tell a clip that is of a kind and a size that the model takes as it came.

    One that its headers say is larger than as WAV is not; nor one that others would decode into
    something else.
    """
    if not audio.is_plain:
        return False
    declared_s = audio.declared_s
    if declared_s and declared_s > profile.max_clip_s:  # or it is truncated, which is an error
        return False
    if declared_s and audio.size > byte_count(declared_s, sample_rate) + WAV_HEADER_BYTES:
        return False
    documented = any(
        audio.mime_type == mime_type and audio.codec.startswith(codec)
        for mime_type, codec in profile.formats
    )
    return documented and audio.size <= profile.max_sent_bytes


def needs_no_conversion(audio: Audio, profile: Profile) -> bool:
    """Tell, from its headers alone, a clip that is taken and that converting would not change."""
    sound = round((audio.probe.declared_s or 0.0) * audio.sample_rate) * SAMPLE_BYTES
    return (
        (audio.codec, audio.channels) == ("pcm_s16le", 1)
        and audio.sample_rate in {8000, SAMPLE_RATE}
        and 0 < sound == audio.size - WAV_HEADER_BYTES
        and audio.duration_s <= profile.max_clip_s
        and _may_pass(audio, profile, audio.sample_rate)
    )


def _passes(audio: Audio, profile: Profile, sample_rate: int) -> bool:
    """Decode a clip to its end: is it plain, within the limit, and smaller so than as WAV?"""
    limit = byte_count(profile.max_clip_s, sample_rate)
    size = 0
    for block in audio.decode(sample_rate):
        size += len(block)
        if size > limit:
            return False
    return audio.is_plain and audio.size <= size + WAV_HEADER_BYTES


def _within_limits(
    blocks: Iterable[bytes], audio: Audio, profile: Profile, sample_rate: int
) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if length_of(size, sample_rate) > _most_s(profile):
            _require_length(audio, math.inf, profile)
        yield block


def _most_s(profile: Profile) -> float:
    """Say how many seconds one message may hold, in however many parts."""
    parts = float("inf") if profile.max_clips is None else profile.max_clips
    return min(profile.max_input_s, parts * profile.max_part_s)


def _require_length(audio: Audio, length_s: float, profile: Profile) -> None:
    """Require that one message may hold a clip of this length; infinity is more than that."""
    most_s = _most_s(profile)
    if length_s <= most_s:
        return
    is_known = length_s < math.inf
    length = f"{length_s:.1f} s long" if is_known else f"longer than {most_s:g} s"
    if length_s > profile.max_input_s if is_known else most_s == profile.max_input_s:
        raise context_overflow(f"{audio.name} is", length, length_s, profile)
    raise AudioError(
        f"{audio.name}: it is {length}, and the model takes {profile.max_clips} recording of at "
        f"most {profile.max_part_s:g} s a message: send one part at a time, as QwenAudioLoader "
        "does, or use long_audio='truncate'"
    )


def context_overflow(what: str, length: str, length_s: float, profile: Profile) -> Exception:
    """Make the error of more audio than one request holds.

    Args:
        what: What came.
        length: How much that is, in words.
        length_s: The same in seconds; infinity if it is not known.
        profile: What the model takes.
    """
    needed_s = length_s if length_s < math.inf else profile.max_input_s + 1
    models = " or ".join(models_for_length(needed_s))
    larger = f"use a model with a larger context ({models}), or " if models else ""
    return ContextOverflowError(
        f"{what} {length}; one request holds at most {profile.max_input_s:.1f} s of audio "
        f"({profile.max_input_tokens or 0:,} tokens, {profile.tokens_per_s or 0:g} a second): "
        f"{larger}send one part at a time, as QwenAudioLoader does for recordings of any length"
    )


def _head(
    blocks: Iterable[bytes], limit: int, audio: Audio, profile: Profile, long_audio: LongAudio
) -> Iterator[bytes]:
    """Yield what the model takes; warn of the rest, or refuse it."""
    size = 0
    for block in blocks:
        yield block[: limit - size]
        size += len(block)
        if size > limit:
            break
    if size > limit:
        longer = (
            f"{audio.name}: it is longer than the {profile.max_clip_s:g} s that the model takes"
        )
        if long_audio == "error":
            raise AudioError(f"{longer}; shorten it, or use long_audio='split'")
        warnings.warn(f"{longer}; the rest is left out", UserWarning, stacklevel=2)


def choose_bit_rate(
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
    fits = byte_count(longest_s, sample_rate) + WAV_HEADER_BYTES <= profile.max_sent_bytes
    if fits and byte_count(kept_s, sample_rate) <= audio.size:
        return None
    # An MP3 has a header, and some frames more than the sound needs.
    allowed = (
        8 * (size - 1000) / (length_s + 0.15)
        for size, length_s in ((audio.size, kept_s), (profile.max_sent_bytes, longest_s))
    )
    return min(allowed)
