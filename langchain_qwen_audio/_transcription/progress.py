"""Recordings, and the transcripts of their segments as they come → a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording


class ProgressBar:
    """A bar of the seconds that are transcribed, with the number of recordings and the time left.

    How long all recordings are is estimated from those that have begun.
    """

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        # The time left follows from the speed of the whole run, not of its last segments.
        self._bar = tqdm(desc="transcribing", unit="s", unit_scale=True, smoothing=0, miniters=0)
        self._count = self._begun = 0
        self._known_s = 0.0

    def watch(self, found: Iterable[Recording]) -> Iterator[Recording]:
        """Find all recordings before the first one is yielded, so that their number is known."""
        recordings = [*found]
        self._count = len(recordings)
        yield from recordings

    def add(self, transcript: SegmentTranscript, tokens: int) -> None:
        """Show one more segment.

        Args:
            transcript: The segment.
            tokens: Tokens that the run has used so far.
        """
        done_s = transcript.new_s + transcript.skipped_s
        self._begun += transcript.is_first
        if transcript.segment == 0:
            self._known_s += transcript.length_s or 0.0
        self._bar.total = self._known_s * self._count / self._begun or None
        if transcript.from_checkpoint:  # it took no time, so it says nothing of the time left
            self._bar.initial += done_s
        self._bar.set_description(f"transcribing {self._begun} of {self._count}", refresh=False)
        self._bar.set_postfix(tokens=tokens, refresh=False)
        self._bar.update(done_s)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
