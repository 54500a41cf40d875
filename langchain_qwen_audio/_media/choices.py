"""What of a recording is taken: which track, which channel, and whether a part of it is enough."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import TypedDict


class AudioOptions(TypedDict, total=False):
    """What of a recording is taken.

    Example:
        ```python
        audio = Audio.from_path("welcome.wav", channel=0, allow_truncated=True)
        ```
    """

    track: int | None
    """Which sound track of a film or a container with several, from 0. By default the one that is
    marked as default, and one that can be decoded before one that cannot."""

    channel: int | None
    """Which channel of the track, from 0. By default all are mixed, with equal weights. Calls and
    meetings often have one speaker on each; see `split_channels`."""

    allow_truncated: bool
    """Whether what is there of a truncated recording is taken; by default it is an error."""


@dataclass(frozen=True)
class Choices:
    """What of a recording is taken.

    Attributes:
        track: Which of its sound tracks, from 0; None is the default one.
        channel: Which of the track's channels, from 0; None mixes all.
        allow_truncated: Whether what is there of a truncated recording is taken.
    """

    track: int | None = None
    channel: int | None = None
    allow_truncated: bool = False

    def __post_init__(self) -> None:
        for what, number in (("track", self.track), ("channel", self.channel)):
            if number is not None and not isinstance(number, int):
                raise TypeError(
                    f"{what} is {number!r}, expected a number; Audio.split_channels() takes each "
                    "channel by itself"
                )
