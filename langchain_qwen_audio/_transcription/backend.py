"""What transcribes: a recording → segments, and a segment → its answer; two ways of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from langchain_qwen_audio._media.url_schemes import split_url

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Mapping, Sequence

    from langchain_qwen_audio._request.encoded_segments import Segment, Stretch
    from langchain_qwen_audio._transcription.answers import Answer
    from langchain_qwen_audio._transcription.checkpoints import Checkpoint
    from langchain_qwen_audio._transcription.options import Channel
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio._transcription.time_map import TimeMap
    from langchain_qwen_audio.audio import Audio


class SegmentTask(NamedTuple):
    """A segment to transcribe.

    Attributes:
        place: Where it is in its recording, without a text yet; or why there is none.
        audio: Its audio, encoded or not yet, or its URL; None where there is an error, or silence.
        key: The key of its transcript in the checkpoint.
        times: Where in the recording its audio is from; None if that is the whole recording.
    """

    place: SegmentTranscript
    audio: Segment | Audio | str | None = None
    key: str = ""
    times: TimeMap | None = None


class Backend(Protocol):
    """What transcribes recordings: a chat model segment by segment, or jobs."""

    @property
    def model(self) -> str:
        """The name of the model."""

    @property
    def region(self) -> str | None:
        """The region that bills, if it is known."""

    def tasks(self, recording: Recording, place: SegmentTranscript) -> Generator[SegmentTask]:
        """Make the segments of a recording; an error within one is a task that has it.

        Args:
            recording: The recording, which is opened here.
            place: Where its first segment begins.

        Raises:
            ModelError: The recording cannot be opened.
        """

    def transcribe(self, task: SegmentTask, store: Checkpoint, ended: threading.Event) -> Answer:
        """Request the transcript of a segment.

        Args:
            task: The segment.
            store: Where what an interrupted request goes on with is kept.
            ended: Set when nobody waits for the transcript any more.

        Raises:
            CancelledError: Nobody waits any more.
            ModelError: There is no transcript.
        """

    async def atranscribe(self, task: SegmentTask, store: Checkpoint) -> Answer:
        """Request the transcript of a segment; see `transcribe`."""


@dataclass(frozen=True)
class AudioChoice:
    """What of each recording is transcribed.

    Attributes:
        track: The sound track; None is the default one.
        channel: The channel, or "each"; None mixes all.
        allow_truncated: Whether what is there of a truncated recording is transcribed.
    """

    track: int | None = None
    channel: Channel | None = None
    allow_truncated: bool = False

    def __post_init__(self) -> None:
        is_number = isinstance(self.channel, int) and self.channel >= 0
        if not (is_number or self.channel in {None, "each"}):
            raise ValueError(f"channel is {self.channel!r}; expected a number from 0, or 'each'")

    def apply(self, audio: Audio) -> list[Audio]:
        """Take of a recording what is transcribed: one, or each of its channels."""
        chosen = audio.choose(track=self.track, allow_truncated=self.allow_truncated)
        if self.channel == "each":
            return chosen.split_channels()
        return [chosen.choose(channel=self.channel)]


def describe_settings(settings: Mapping[str, Any], *more: object) -> str:
    """Write down all that a transcript depends on, apart from the recording.

    Args:
        settings: What the model is told, with its `base_url`.
        *more: The rest.
    """
    # Another server is another model, on whatever port.
    parts = split_url(str(settings["base_url"]))
    host = parts.hostname if parts else settings["base_url"]
    return json.dumps([{**settings, "base_url": host}, *more], default=str, sort_keys=True)


def segment_key(digest: str, stretches: Sequence[Stretch], settings: str) -> str:
    """Make the key of a transcript in the checkpoint: 64 hexadecimal digits.

    Args:
        digest: The recording.
        stretches: What of it was sent, one at least.
        settings: All else that the transcript depends on.
    """
    first, last = stretches[0], stretches[-1]
    place = f"{first.start_s:.3f} {last.start_s + last.length_s:.3f}"
    if len(stretches) > 1:  # silence is left out
        place += "".join(f" {it.start_s:.3f}+{it.length_s:.3f}" for it in stretches)
    return hashlib.sha256(f"{digest}\n{place}\n{settings}".encode()).hexdigest()
