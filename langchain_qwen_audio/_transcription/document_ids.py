"""What a document is of → its id, which is the same in every run. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from langchain_qwen_audio._transcription.formats import TranscriptFormat
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript

_NAMESPACE = UUID("5f6e1b0e-6a0b-4f0c-9c53-0c1f4d0d9a1e")


def document_id(
    segment: SegmentTranscript, transcript_format: TranscriptFormat, *place: int
) -> str:
    """Make the id of a document: a UUID, since some vector stores take no other ids.

    The text is not in it: a segment that failed has the same id as its transcript of a later run.

    Args:
        segment: The segment, or the first one, that the document is of.
        transcript_format: What documents are.
        *place: The numbers that tell it from the other documents of its recording.
    """
    parts = [segment.source, segment.content_key, transcript_format.value, *place]
    return str(uuid5(_NAMESPACE, json.dumps(parts)))
