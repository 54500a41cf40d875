"""A recording of any length → segments that a model takes, as it is decoded."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from langchain_core.exceptions import ModelError

from langchain_qwen_audio._media.samples import byte_count, length_of
from langchain_qwen_audio._media.speech_detection import make_detector
from langchain_qwen_audio._media.speech_marks import SpeechMarker
from langchain_qwen_audio._media.splitting import split_at_pauses
from langchain_qwen_audio._request.conversion import choose_bit_rate, target_sample_rate
from langchain_qwen_audio._request.encoded_segments import Segment, Stretch, hold_segments

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from langchain_qwen_audio._media.splitting import Piece
    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio.audio import Audio

MAX_LOADED_BYTES = 8_000_000  # no more than a segment that is encoded here
SEARCH_S = 30.0  # the last seconds of a segment are searched for a pause


class Silence(NamedTuple):
    """The end of a recording in which nobody speaks; all of it, if nobody does.

    Attributes:
        start_s: Where it starts, in seconds.
        end_s: Where the recording ends.
    """

    start_s: float
    end_s: float


def split_recording(
    audio: Audio,
    profile: Profile,
    limit_s: float,
    *,
    overlap_s: float = 0.0,
    bridge_s: float = 0.0,
) -> Generator[Segment]:
    """Split a recording of any length into segments, in pauses, as it is decoded.

    Args:
        audio: The recording.
        profile: What the model takes.
        limit_s: Seconds of the longest segment; the model's limit if that is shorter.
        overlap_s: Seconds of the end of each segment that the next one repeats.
        bridge_s: Seconds that the next one repeats where there was no pause to split in.

    Yields:
        The segments, in order; a recording that fits into one segment, as it came.

    Raises:
        AudioError: It is not audio, empty, or, after its last segment, truncated.
    """
    splitter = _Splitter(audio, profile, limit_s, overlap_s, bridge_s)
    length_s = _whole_length(audio, splitter.limit_s, splitter.sample_rate)
    if length_s is not None and length_s <= splitter.limit_s:
        yield _whole(audio, length_s)
        return
    with contextlib.closing(splitter.blocks()) as blocks:  # also while its segments are held
        yield from splitter.hold(splitter.split(blocks), length_s)
    splitter.raise_failure()


def split_speech(
    audio: Audio,
    profile: Profile,
    limit_s: float,
    *,
    overlap_s: float = 0.0,
    bridge_s: float = 0.0,
) -> Generator[Segment | Silence]:
    """Split what is spoken in a recording into segments; see `split_recording`.

    A segment is at most `limit_s` long in the recording, its silence included, and without the
    silence in what is sent. Where nobody speaks, there is none.

    Yields:
        The segments, in order, and then the silence at the end, if there is some.
    """
    splitter = _Splitter(audio, profile, limit_s, overlap_s, bridge_s)
    rate = splitter.sample_rate
    marker = SpeechMarker(make_detector(rate), rate)
    end_s = 0.0
    with contextlib.closing(splitter.blocks()) as blocks:
        pieces = marker.keep_speech(splitter.split(marker.watch(blocks)))
        for segment in splitter.hold(pieces, audio.declared_s):
            end_s, length_s = segment.end_s, length_of(marker.size, rate)
            is_whole = marker.is_ended and not splitter.failures and _covers(segment, length_s)
            yield _whole(audio, length_s) if is_whole else segment
    if end_s < length_of(marker.size, rate):
        yield Silence(end_s, length_of(marker.size, rate))
    splitter.raise_failure()


class _Splitter:
    """What splitting a recording needs to know."""

    def __init__(
        self, audio: Audio, profile: Profile, limit_s: float, overlap_s: float, bridge_s: float
    ) -> None:
        self.limit_s = min(limit_s, profile.max_part_s)
        self.sample_rate = target_sample_rate(audio)
        self.failures: list[ModelError] = []
        self._audio, self._profile = audio, profile
        self._overlap = byte_count(overlap_s, self.sample_rate)
        self._bridge = byte_count(bridge_s, self.sample_rate)

    def blocks(self) -> Generator[bytes]:
        """Yield what can be decoded, and keep the error that ended it for later."""
        try:
            yield from self._audio.decode(self.sample_rate)
        except ModelError as error:
            self.failures.append(error)

    def split(self, blocks: Iterable[bytes]) -> Iterator[Piece]:
        limit = byte_count(self.limit_s, self.sample_rate) - self._overlap
        return split_at_pauses(
            blocks, limit, self.sample_rate, search_s=SEARCH_S, overlap=self._bridge
        )

    def hold(self, pieces: Iterable[Piece], length_s: float | None) -> Iterator[Segment]:
        """Make segments of their pieces; `length_s` is of the whole recording, if it is known."""
        audio, rate, limit_s = self._audio, self.sample_rate, self.limit_s
        bit_rate = choose_bit_rate(audio, length_s or limit_s, limit_s, self._profile, rate)
        return hold_segments(
            pieces, audio, bit_rate, rate, overlap=self._overlap, bridge=self._bridge
        )

    def raise_failure(self) -> None:
        if self.failures:
            raise self.failures[0]


def _whole(audio: Audio, length_s: float) -> Segment:
    """Take a recording as it came; a small one is read now, while its file is open."""
    whole = audio.loaded() if audio.size <= MAX_LOADED_BYTES else audio
    return Segment(lambda: whole, 0.0, length_s, (Stretch(0.0, 0.0, length_s),))


def _covers(segment: Segment, length_s: float) -> bool:
    return segment.stretches == (Stretch(0.0, 0.0, length_s),)


def _whole_length(audio: Audio, limit_s: float, sample_rate: int) -> float | None:
    """Measure a recording, a short one to its end; None if it cannot be decoded so far."""
    try:
        if audio.duration_s <= limit_s:
            deque(audio.decode(sample_rate), maxlen=0)  # then it is as it sounds
        return audio.duration_s
    except ModelError:
        return None
