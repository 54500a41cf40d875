"""Timestamps of sound → the silence that belongs between. Pure.

What bounds it: no more silence than `MAX_SILENCE_S` in a file, nor than its header says that it is
long. A longer gap is closed up, and counted. Where timestamps go back, or jump back and forth, the
sound goes on without a gap, and none of it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_SILENCE_S = 12 * 3600.0
# Clocks of recorders and rounded timestamps differ from the count of samples by less than this.
TOLERANCE_S = 0.1
# Sound that is later than its timestamps by more than this is counted anew from there on.
MAX_LATE_S = 1.0


@dataclass
class Timeline:
    """Where the next sound of a track belongs.

    Attributes:
        start_s: The timestamp at which the recording begins.
        max_silence_s: Seconds of silence that may still be put in.
        position_s: Seconds of sound and silence so far.
        closed_s: Seconds of gaps that were closed up, since they were too long.
    """

    start_s: float = 0.0
    max_silence_s: float = MAX_SILENCE_S
    position_s: float = 0.0
    closed_s: float = 0.0

    def __post_init__(self) -> None:
        self._latest_s = float("-inf")
        self._offset_s = -self.start_s

    def place(self, timestamp_s: float | None, length_s: float) -> float:
        """Place the next sound.

        Args:
            timestamp_s: Its timestamp, if it has one.
            length_s: How long it sounds.

        Returns:
            Seconds of silence before it.
        """
        gap_s = 0.0 if timestamp_s is None else self._gap_before(timestamp_s)
        self.max_silence_s -= gap_s
        self.position_s += gap_s + length_s
        return gap_s

    def _gap_before(self, timestamp_s: float) -> float:
        goes_back = timestamp_s < self._latest_s - TOLERANCE_S
        self._latest_s = timestamp_s
        gap_s = timestamp_s + self._offset_s - self.position_s
        if goes_back or gap_s < -MAX_LATE_S:
            self._offset_s = self.position_s - timestamp_s
            return 0.0
        if gap_s > self.max_silence_s:
            self._offset_s -= gap_s
            self.closed_s += gap_s
            return 0.0
        return gap_s if gap_s > TOLERANCE_S else 0.0
