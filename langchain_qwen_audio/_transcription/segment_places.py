"""The parts of a recording, one after the other → the place of each, without a text yet. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_qwen_audio._request.encoded_segments import Segment
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.segments import Silence


def spoken_place(after: SegmentTranscript, segment: Segment) -> SegmentTranscript:
    """Place a segment.

    Args:
        after: Where the recording has been transcribed up to: `next_place` of the segment before.
        segment: The segment.
    """
    new_s = sum(
        max(0.0, min(it.length_s, it.start_s + it.length_s - after.end_s))
        for it in segment.stretches
    )
    return replace(
        after,
        start_s=round(segment.start_s, 3),
        end_s=round(segment.end_s, 3),
        new_s=new_s,
        skipped_s=round(segment.end_s - after.end_s - new_s, 3),
        continues=segment.continues,
    )


def silent_place(after: SegmentTranscript, silence: Silence) -> SegmentTranscript:
    """Place the silence at the end of a recording; see `spoken_place`."""
    return replace(
        after,
        start_s=round(silence.start_s, 3),
        end_s=round(silence.end_s, 3),
        skipped_s=silence.end_s - silence.start_s,
        is_silent=True,
    )


def next_place(here: SegmentTranscript) -> SegmentTranscript:
    """Go on behind a segment."""
    return replace(
        here,
        segment=here.segment + 1,
        start_s=here.end_s,
        new_s=0.0,
        skipped_s=0.0,
        continues=False,
        is_first=False,
    )
