"""A stream of samples → the same stream, with marks of where in it is speech. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.samples import byte_count
from langchain_qwen_audio._media.speech_detection import ONSET_FRAMES, frame_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._media.speech_detection import SpeechDetector
    from langchain_qwen_audio._media.splitting import Piece

MARGIN_S = 0.2  # of the silence around speech is kept, since words begin and end softly
SHORT_S = 0.2  # silence beyond the margins that is shorter is kept too: it costs next to nothing


@dataclass
class _Mark:
    """Speech with its margins: where it starts and ends, in bytes."""

    start: int
    end: int


class SpeechMarker:
    """Marks speech in mono, signed 16-bit samples, in bounded memory.

    Attributes:
        size: Bytes that have passed.
        is_ended: Whether all have.
    """

    def __init__(self, detector: SpeechDetector, sample_rate: int) -> None:
        """Take samples at `sample_rate` hertz."""
        self.size = 0
        self.is_ended = False
        self._detector = detector
        self._frame = frame_bytes(sample_rate)
        self._margin = byte_count(MARGIN_S, sample_rate)
        self._short = byte_count(SHORT_S, sample_rate)
        self._marks: deque[_Mark] = deque()

    def watch(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass samples on as soon as it is certain which of them belong to speech."""
        held, seen = bytearray(), 0  # what has not passed, and how much of it the detector has had
        ahead = self._margin + self._short + ONSET_FRAMES * self._frame
        for block in blocks:
            held += block
            while len(held) - seen >= self._frame:
                self._detect(bytes(held[seen : seen + self._frame]), self.size + seen)
                seen += self._frame
            if (certain := seen - ahead) > 0:
                passing = bytes(held[:certain])
                del held[:certain]
                self.size, seen = self.size + certain, ahead
                yield passing
        if rest := bytes(held[seen:]):
            self._detect(rest.ljust(self._frame, b"\0"), self.size + seen)
        self.size += len(held)
        self.is_ended = True
        if self._marks and self.size - self._marks[-1].end < self._short:
            self._marks[-1].end = self.size
        if held:
            yield bytes(held)

    def _detect(self, frame: bytes, at: int) -> None:
        """Mark a frame that starts at byte `at`, if it is speech, and what belongs to it."""
        if not (count := self._detector.count_speech(frame)):
            return
        end = at + len(frame)
        start, end = end - count * len(frame) - self._margin, end + self._margin
        while self._marks and start - self._marks[-1].end < self._short:
            start = min(start, self._marks.pop().start)
        self._marks.append(_Mark(0 if start < self._short else start, end))

    def keep_speech(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Leave out of pieces of the stream what is not marked; marks are needed once."""
        for piece in pieces:
            end = piece.start + len(piece.samples)
            while self._marks and self._marks[0].end <= piece.start:
                self._marks.popleft()
            for mark in self._marks:
                if mark.start >= end:
                    break
                start, last = max(mark.start, piece.start), min(mark.end, end)
                samples = piece.samples[start - piece.start : last - piece.start]
                yield piece._replace(
                    start=start, samples=samples, in_sound=piece.in_sound and last == end
                )
