"""A recording of any length → segments that a model takes, as it is decoded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from langchain_core.exceptions import ModelError

from langchain_qwen_audio._media.samples import byte_count
from langchain_qwen_audio._media.splitting import split_at_pauses
from langchain_qwen_audio._request.conversion import (
    Segment,
    choose_bit_rate,
    encode_segments,
    target_sample_rate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio.audio import Audio


def split_recording(
    audio: Audio, profile: Profile, limit_s: float, *, overlap_s: float = 0.0
) -> Iterator[Segment]:
    """Split a recording of any length into segments, at the quietest points, as it is decoded.

    Args:
        audio: The recording.
        profile: What the model takes.
        limit_s: Seconds of the longest segment; the model's limit if that is shorter.
        overlap_s: Seconds of the end of each segment that the next one repeats.

    Yields:
        The segments, in order; a recording that fits into one segment, as it came.

    Raises:
        AudioError: It is not audio, empty, or, after its last segment, truncated.
    """
    limit_s = min(limit_s, profile.max_part_s)
    sample_rate = target_sample_rate(audio)
    length_s = _whole_length(audio, limit_s, sample_rate)
    if length_s is not None and length_s <= limit_s:
        yield Segment(audio, 0.0, length_s)
        return
    overlap = byte_count(overlap_s, sample_rate)
    failures: list[ModelError] = []
    blocks = _until_failure(audio.decode(sample_rate), failures)
    pieces = split_at_pauses(blocks, byte_count(limit_s, sample_rate) - overlap, sample_rate)
    bit_rate = choose_bit_rate(audio, length_s or limit_s, limit_s, profile, sample_rate)
    yield from encode_segments(pieces, audio, bit_rate, sample_rate, overlap)
    if failures:
        raise failures[0]


def _whole_length(audio: Audio, limit_s: float, sample_rate: int) -> float | None:
    """Measure a recording, a short one to its end; None if it cannot be decoded so far."""
    try:
        if audio.duration_s <= limit_s:
            deque(audio.decode(sample_rate), maxlen=0)  # then it is as it sounds
        return audio.duration_s
    except ModelError:
        return None


def _until_failure(blocks: Iterable[bytes], failures: list[ModelError]) -> Iterator[bytes]:
    """Yield what can be decoded, and keep the error that ended it for later."""
    try:
        yield from blocks
    except ModelError as error:
        failures.append(error)
