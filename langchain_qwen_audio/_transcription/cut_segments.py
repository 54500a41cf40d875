"""Transcripts of segments → the same, where one repeats the end of the one before, once. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_qwen_audio._transcription.cut_texts import join_sentences, join_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript


class CutMerger:
    """Merges the transcripts at each cut that is not in a pause; the others pass at once."""

    def __init__(self) -> None:
        self._held: SegmentTranscript | None = None
        self._whole: SegmentTranscript | None = None  # as it came

    def take(self, segment: SegmentTranscript) -> list[SegmentTranscript]:
        """Take the next transcript, and return those that are finished."""
        finished, whole = [], segment
        if self._held is not None and self._whole is not None:
            before, segment = merge_at_cut(self._held, segment, self._whole)
            finished.append(before)
        self._held = segment if segment.continues and segment.error is None else None
        self._whole = whole
        return finished if self._held is not None else [*finished, segment]

    def end(self) -> list[SegmentTranscript]:
        """Return the transcript that nothing came after."""
        held, self._held = self._held, None
        return [] if held is None else [held]


def merge_cuts(segments: Iterable[SegmentTranscript]) -> Iterator[SegmentTranscript]:
    """Merge the transcripts at each cut that is not in a pause."""
    merger = CutMerger()
    for segment in segments:
        yield from merger.take(segment)
    yield from merger.end()


def merge_at_cut(
    before: SegmentTranscript, after: SegmentTranscript, whole: SegmentTranscript
) -> tuple[SegmentTranscript, SegmentTranscript]:
    """Leave out what the second transcript repeats, and let it start where the first one ends.

    One that failed leaves the other as it is.

    Args:
        before: The first transcript, without what it repeats of the one before it.
        after: The second one.
        whole: The first one with it: of a short segment, the second may repeat that too.
    """
    if after.error is not None or after.is_first or before.finish_reason is not None:
        return before, after
    text, rest = join_texts(before.text, after.text, whole=whole.text)
    sentences, others = join_sentences(before.sentences, after.sentences, whole=whole.sentences)
    return (
        replace(before, text=text, sentences=tuple(sentences)),
        replace(after, text=rest, sentences=tuple(others), start_s=before.end_s),
    )
