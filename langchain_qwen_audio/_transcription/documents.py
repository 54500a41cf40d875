"""Transcripts of segments → documents: segments, sentences, turns, windows, or recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from langchain_qwen_audio._transcription.document_ids import document_id
from langchain_qwen_audio._transcription.formats import (
    FORMATS,
    TranscriptFormat,
    describe_segment,
    language_of,
)
from langchain_qwen_audio._transcription.windows import (
    MAX_GAP_S,
    WINDOW_S,
    join_window,
    split_windows,
)
from langchain_qwen_audio.transcripts import Sentence, Transcript

if TYPE_CHECKING:
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript

_OF_SEGMENTS = {
    TranscriptFormat.SEGMENTS,
    TranscriptFormat.SENTENCES,
    TranscriptFormat.SPEAKERS,
    TranscriptFormat.WINDOWS,
}
_OF_A_RECORDING = ("source", "track", "start_s", "end_s", "segments", "model")
_OF_A_WINDOW = ("source", "track", "channel", "model", "finish_reason", "error")
_OF_A_SENTENCE = ("start_s", "end_s", "speaker", "channel", "language", "emotion")


class DocumentWriter:
    """Makes documents of a format, as segments come."""

    def __init__(
        self,
        transcript_format: TranscriptFormat,
        *,
        words: bool = False,
        window_s: float = WINDOW_S,
        max_gap_s: float = MAX_GAP_S,
    ) -> None:
        """Begin with no segment.

        Args:
            transcript_format: What becomes a document.
            words: Whether documents of sentences, turns and windows have the words with their
                times.
            window_s: Seconds of the longest window.
            max_gap_s: Seconds of the longest silence within a window.
        """
        self._format = transcript_format
        self._words = words
        self._limits = window_s, max_gap_s
        self._held: list[SegmentTranscript] = []  # of the recording that is being transcribed
        self._window: list[Sentence] = []  # which may get more sentences
        self._windows = 0  # how many came before it, of its recording or channel

    def take(self, segment: SegmentTranscript) -> list[Document]:
        """Take the next segment, and return the documents that are whole."""
        if segment.is_left_out and self._format in _OF_SEGMENTS:
            return []
        match self._format:
            case TranscriptFormat.SEGMENTS:
                known, name = describe_segment(segment), self._id(segment, segment.segment)
                return [Document(segment.noted_text, id=name, metadata=known)]
            case TranscriptFormat.SENTENCES:
                return self._of_sentences(segment, segment.noted_sentences)
            case TranscriptFormat.SPEAKERS:
                sentences = segment.noted_sentences
                return self._of_sentences(segment, Transcript(sentences=sentences).turns())
            case TranscriptFormat.WINDOWS:
                return self._of_windows(segment)
            case _:
                before = self.end() if segment.is_first else []
                self._held.append(segment)
                return before

    def end(self) -> list[Document]:
        """Return the document of the recording, or the window, that has come to its end."""
        held, self._held = self._held, []
        if not held:
            return []
        if self._format is TranscriptFormat.WINDOWS:
            window, self._window = self._window, []
            return [self._of_window(held[-1], window)]
        first, segments = describe_segment(held[0]), sum(not it.is_silent for it in held)
        metadata = first | {"end_s": max(it.end_s for it in held), "segments": segments}
        metadata = {name: metadata[name] for name in _OF_A_RECORDING if name in metadata}
        if language := language_of(held):
            metadata["language"] = language
        channels = {it.channel for it in held}
        if len(channels) == 1 and held[0].channel is not None:
            metadata["channel"] = held[0].channel
        for name, of_a_segment in (("failed", "error"), ("incomplete", "finish_reason")):
            if count := sum(getattr(it, of_a_segment) is not None for it in held):
                metadata[name] = count
        text = FORMATS[self._format].write(held)
        return [Document(text, id=self._id(held[0]), metadata=metadata)]

    def _id(self, segment: SegmentTranscript, *place: int) -> str:
        return document_id(segment, self._format, *place)

    def _of_windows(self, segment: SegmentTranscript) -> list[Document]:
        """Make the windows that are whole; one goes on from segment to segment.

        What is wrong with a segment is said in windows of its own.
        """
        last = self._held[-1] if self._held else segment
        goes_on = segment.channel == last.channel and not (segment.is_first or segment.note)
        before = [] if goes_on else self.end()
        if segment.is_first or segment.channel != last.channel:
            self._windows = 0
        self._held = [segment]
        *whole, self._window = split_windows(
            [*self._window, *segment.noted_sentences], *self._limits
        )
        documents = [self._of_window(segment, it) for it in whole]
        after = self.end() if segment.note else []
        return [*before, *documents, *after]

    def _of_window(self, segment: SegmentTranscript, sentences: list[Sentence]) -> Document:
        joined, known = join_window(sentences), describe_segment(segment)
        metadata = {name: known[name] for name in _OF_A_WINDOW if name in known}
        name = self._id(segment, self._windows)
        self._windows += 1
        return Document(joined.text, id=name, metadata=metadata | self._describe(joined))

    def _of_sentences(
        self, segment: SegmentTranscript, sentences: list[Sentence]
    ) -> list[Document]:
        return [
            Document(
                it.text,
                id=self._id(segment, segment.segment, number),
                metadata=describe_segment(segment) | self._describe(it),
            )
            for number, it in enumerate(sentences)
        ]

    def _describe(self, sentence: Sentence) -> dict[str, Any]:
        known = {name: getattr(sentence, name) for name in _OF_A_SENTENCE}
        metadata = {name: value for name, value in known.items() if value is not None}
        if self._words:
            metadata["words"] = [it.model_dump(exclude_none=True) for it in sentence.words]
        return metadata
