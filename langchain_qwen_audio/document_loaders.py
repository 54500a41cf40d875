"""Recordings of any length → LangChain documents that say from which second they are.

sources ─ recordings ─► Transcriber: segments, asked about ─► Said ─ documents ─► Document
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.document_loaders import BaseBlobParser, BaseLoader, Blob
from langchain_core.documents import Document
from langchain_core.messages.ai import UsageMetadata, add_usage

from langchain_qwen_audio._checkpoints import store_of
from langchain_qwen_audio._sources import recording_of, recordings
from langchain_qwen_audio._subtitles import (
    TranscriptFormat,
    clock,
    encode_srt,
    encode_text,
    encode_vtt,
)
from langchain_qwen_audio._transcribe import OnError, Said, Transcriber

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from langchain_core.messages import SystemMessage

    from langchain_qwen_audio._checkpoints import ByteStore
    from langchain_qwen_audio._sources import Recording, Source
    from langchain_qwen_audio.chat_models import ChatQwenAudio

__all__ = ["LoadSummary", "QwenAudioLoader", "QwenAudioParser", "TranscriptFormat"]

logger = logging.getLogger(__name__)

SUBTITLE_S = 10.0  # subtitles that stand for longer cannot be read along


@dataclass
class LoadSummary:
    """What a run has heard, and what it cost.

    Attributes:
        recordings: How many recordings there were.
        segments: How many segments they had.
        failed: How many of those the model said nothing of.
        remembered: How many an earlier run had asked about.
        audio_s: Seconds of audio in all of them.
        usage: Tokens that this run used.
    """

    recordings: int = 0
    segments: int = 0
    failed: int = 0
    remembered: int = 0
    audio_s: float = 0.0
    usage: UsageMetadata = field(
        default_factory=lambda: UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)
    )

    def add(self, said: Said) -> None:
        """Count one more segment."""
        self.recordings += said.segment == 0
        self.segments += 1
        self.failed += said.error is not None
        self.remembered += said.remembered
        self.audio_s += said.new_s
        if said.usage and not said.remembered:
            self.usage = add_usage(self.usage, said.usage)

    def __str__(self) -> str:
        return (
            f"{self.recordings} recordings, {clock(self.audio_s)} in {self.segments} segments "
            f"({self.failed} failed, {self.remembered} from the checkpoint): "
            f"{self.usage['input_tokens']} tokens in, {self.usage['output_tokens']} out"
        )


class QwenAudioParser(BaseBlobParser):
    """Make documents of recordings, for LangChain's own blob loaders.

    Example:
        ```python
        parser = QwenAudioParser(segment_s=30)
        documents = parser.parse(Blob.from_path("meeting.mp3"))
        ```
    """

    def __init__(
        self,
        llm: ChatQwenAudio | None = None,
        *,
        prompt: str | SystemMessage | None = None,
        transcript_format: TranscriptFormat = TranscriptFormat.SEGMENTS,
        segment_s: float | None = None,
        overlap_s: float = 0.0,
        max_concurrency: int = 4,
        on_error: OnError = "raise",
        checkpoint: ByteStore | str | os.PathLike[str] | None = None,
        show_progress: bool = False,
    ) -> None:
        """Say how recordings are listened to.

        Args:
            llm: The model that listens; by default qwen3-asr-flash, or with a prompt the default
                `ChatQwenAudio`.
            prompt: What the model is asked about each segment ("list every decision"); by default,
                to write down what is said. A `SystemMessage` tells qwen3-asr-flash what helps it.
            transcript_format: A document per segment, or one with all of a recording.
            segment_s: Seconds of the longest segment. By default near the model's limit, and at
                most four minutes; for subtitles ten seconds.
            overlap_s: Seconds of the end of each segment that the next one repeats.
            max_concurrency: Segments in flight at once. A `rate_limiter` of `llm` is kept to.
            on_error: What becomes of a segment that failed three times: its error is raised
                ("raise"), or a document in its place says so, with the error in its metadata
                ("document"). Wrong keys, missing rights and unknown models are always raised.
            checkpoint: A directory, or a LangChain store of bytes, that keeps what the model has
                said, by the recording's content, the segment, the model and the prompt: a job that
                was killed goes on where it was, and asks for nothing twice.
            show_progress: Whether to draw a progress bar, with tqdm.

        Raises:
            ValueError: A value is out of its range.
        """
        if llm is None:
            from langchain_qwen_audio.chat_models import ChatQwenAudio

            transcribes = prompt is None or not isinstance(prompt, str)
            llm = ChatQwenAudio(model="qwen3-asr-flash") if transcribes else ChatQwenAudio()
        self.transcript_format = TranscriptFormat(transcript_format)
        is_subtitle = self.transcript_format in {TranscriptFormat.SRT, TranscriptFormat.VTT}
        if segment_s is None and is_subtitle:
            segment_s = SUBTITLE_S
        self.summary = LoadSummary()
        """What the last run has heard so far."""
        self.show_progress = show_progress
        self._transcriber = Transcriber(
            llm=llm,
            prompt=prompt,
            segment_s=segment_s,
            overlap_s=overlap_s,
            max_concurrency=max_concurrency,
            on_error=on_error,
            checkpoint=None if checkpoint is None else store_of(checkpoint),
        )

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """Listen to a recording, and yield its documents as they come.

        Raises:
            AudioError: It is not a recording, or not whole, and errors are raised.
            QwenAudioError: A segment failed, and errors are raised.
        """
        return self.documents([recording_of(blob)])

    def alazy_parse(self, blob: Blob) -> AsyncIterator[Document]:
        """Listen to a recording without blocking the event loop; see `lazy_parse`."""
        return self.adocuments([recording_of(blob)])

    def documents(self, found: Iterable[Recording]) -> Iterator[Document]:
        """Listen to recordings, one after the other."""
        run = _Run(self)
        with contextlib.closing(run), contextlib.closing(self._transcriber.run(found)) as heard:
            for said in heard:
                yield from run.take(said)
            yield from run.end()

    async def adocuments(self, found: Iterable[Recording]) -> AsyncIterator[Document]:
        """Listen to recordings, one after the other; see `documents`."""
        run = _Run(self)
        with contextlib.closing(run):
            async with contextlib.aclosing(self._transcriber.arun(found)) as heard:
                async for said in heard:
                    for document in run.take(said):
                        yield document
            for document in run.end():
                yield document


class QwenAudioLoader(BaseLoader):
    """Load recordings of any length as documents, which say from which second they are.

    Each segment, cut at a silence, is one `Document`: `page_content` is what the model says of it,
    and `metadata` has `source`, `segment`, `start_s`, `end_s`, `model` and, where the model tells,
    `language` and `emotion`.

    Example:
        ```python
        from langchain_qwen_audio import QwenAudioLoader

        loader = QwenAudioLoader("meetings/", checkpoint="meetings/.heard")
        for document in loader.lazy_load():
            print(document.metadata["start_s"], document.page_content)
        print(loader.summary)
        ```
    """

    def __init__(
        self,
        paths: Source | Iterable[Source],
        *,
        llm: ChatQwenAudio | None = None,
        prompt: str | SystemMessage | None = None,
        transcript_format: TranscriptFormat = TranscriptFormat.SEGMENTS,
        segment_s: float | None = None,
        overlap_s: float = 0.0,
        max_concurrency: int = 4,
        on_error: OnError = "raise",
        checkpoint: ByteStore | str | os.PathLike[str] | None = None,
        show_progress: bool = False,
    ) -> None:
        """Say which recordings are listened to, and how.

        Args:
            paths: A file, a directory, a pattern (`calls/**/*.mp3`), a public http(s) URL, which is
                downloaded here, a LangChain `Blob`, or several of these.
            llm: As for `QwenAudioParser`, and so are all others.
            prompt: What the model is asked about each segment.
            transcript_format: A document per segment, or one with all of a recording.
            segment_s: Seconds of the longest segment.
            overlap_s: Seconds of the end of each segment that the next one repeats.
            max_concurrency: Segments in flight at once.
            on_error: What becomes of a segment that failed.
            checkpoint: What keeps what the model has said.
            show_progress: Whether to draw a progress bar.

        Raises:
            ValueError: A value is out of its range.
        """
        single = isinstance(paths, str | os.PathLike | Blob)
        self.paths: Source | list[Source] = paths if single else list(paths)  # type: ignore[assignment, arg-type]
        self.parser = QwenAudioParser(
            llm,
            prompt=prompt,
            transcript_format=transcript_format,
            segment_s=segment_s,
            overlap_s=overlap_s,
            max_concurrency=max_concurrency,
            on_error=on_error,
            checkpoint=checkpoint,
            show_progress=show_progress,
        )

    @property
    def summary(self) -> LoadSummary:
        """What the last run has heard so far, and what it cost."""
        return self.parser.summary

    def lazy_load(self) -> Iterator[Document]:
        """Listen, and yield documents as they come, in order.

        Raises:
            AudioError: There is no such recording, or it is not one, and errors are raised.
            QwenAudioError: A segment failed, and errors are raised.
        """
        return self.parser.documents(recordings(self.paths))

    def alazy_load(self) -> AsyncIterator[Document]:
        """Listen without blocking the event loop; see `lazy_load`."""
        return self.parser.adocuments(recordings(self.paths))


class _Run:
    """One run over recordings: what was said in, documents out, and counts kept."""

    def __init__(self, parser: QwenAudioParser) -> None:
        self._write = _WRITERS.get(parser.transcript_format)
        self._held: list[Document] = []  # of the recording that is being heard
        self.summary = parser.summary = LoadSummary()
        self._bar = _bar() if parser.show_progress else None

    def take(self, said: Said) -> list[Document]:
        self.summary.add(said)
        if self._bar is not None:
            if said.segment == 0 and said.length_s:
                self._bar.total = (self._bar.total or 0) + said.length_s
            self._bar.set_postfix(tokens=self.summary.usage["total_tokens"], refresh=False)
            self._bar.update(said.new_s)
        document = _document(said)
        if self._write is None:
            return [document]
        before = self._whole() if said.segment == 0 else []
        self._held.append(document)
        return before

    def end(self) -> list[Document]:
        logger.info("%s", self.summary)
        return self._whole()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _whole(self) -> list[Document]:
        """Make the document of the recording that has been heard to its end."""
        held, self._held = self._held, []
        if not held or self._write is None:
            return []
        metadata = {**held[0].metadata, "end_s": held[-1].metadata["end_s"], "segments": len(held)}
        metadata = {name: metadata[name] for name in _OF_A_RECORDING if name in metadata}
        if failed := sum("error" in document.metadata for document in held):
            metadata["failed"] = failed
        return [Document(self._write(held), metadata=metadata)]


_WRITERS = {
    TranscriptFormat.TEXT: encode_text,
    TranscriptFormat.SRT: encode_srt,
    TranscriptFormat.VTT: encode_vtt,
}
_OF_A_SEGMENT = ("source", "segment", "start_s", "end_s", "model", "language", "emotion")
_OF_A_RECORDING = ("source", "start_s", "end_s", "segments", "model", "language")


def _document(said: Said) -> Document:
    known = ((name, getattr(said, name)) for name in _OF_A_SEGMENT)
    metadata: dict[str, Any] = {name: value for name, value in known if value is not None}
    if said.error is None:
        return Document(said.text, metadata=metadata)
    error = f"{type(said.error).__name__}: {said.error}"
    place = f"{clock(said.start_s)} to {clock(said.end_s)}"
    return Document(f"[{place} was not heard: {error}]", metadata={**metadata, "error": error})


def _bar() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("a progress bar needs tqdm: pip install tqdm") from error
    return tqdm(desc="listening", unit="s", unit_scale=True)
