"""Recordings of any length → LangChain documents with their start and end in seconds.

sources ─ recordings ─► Transcriber ─► SegmentTranscript ─ documents ─► Document
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.document_loaders import BaseBlobParser, BaseLoader, Blob
from langchain_core.messages.ai import UsageMetadata, add_usage
from typing_extensions import Unpack

from langchain_qwen_audio._media.durations import format_time
from langchain_qwen_audio._models.prices import PRICES, SecondPrice
from langchain_qwen_audio._plurals import counted
from langchain_qwen_audio._transcription.choose_backend import make_transcriber
from langchain_qwen_audio._transcription.cut_segments import CutMerger
from langchain_qwen_audio._transcription.documents import DocumentWriter
from langchain_qwen_audio._transcription.formats import FORMATS, TranscriptFormat
from langchain_qwen_audio._transcription.options import LoadOptions, TranscribeOptions
from langchain_qwen_audio._transcription.progress import ProgressBar
from langchain_qwen_audio._transcription.segment_transcripts import SpeakerNumbers
from langchain_qwen_audio._transcription.sources import KeptSources, recording_of, recordings
from langchain_qwen_audio._transcription.windows import WINDOW_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator

    from langchain_core.documents import Document

    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording, Source
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.costs import Cost
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

__all__ = [
    "LoadOptions",
    "LoadSummary",
    "QwenAudioLoader",
    "QwenAudioParser",
    "TranscribeOptions",
    "TranscriptFormat",
]

logger = logging.getLogger(__name__)

_NO_TOKENS = "an answer does not say how many tokens it used"


@dataclass
class LoadSummary:
    """What a run has transcribed, and what it cost.

    Attributes:
        recordings: How many recordings there were.
        segments: How many segments they had.
        failed: How many segments have no transcript.
        incomplete: How many transcripts the model did not finish, also of shorter parts.
        from_checkpoint: How many transcripts an earlier run had paid for.
        audio_s: Seconds of audio in all segments, also of those from the checkpoint.
        skipped_s: Seconds of silence that were not sent, with `skip_silence`.
        usage: Tokens that this run used.
        left_out: Files of directories that are no recordings, and why.
        model: The model.
        region: The region that bills, if it is known.
        billed_s: Seconds that the service bills for this run; None if it did not report them.
        uncounted: How many answers came without a count of audio tokens.
        gaps: What the service bills of them, and does not count, as searches of the web.

    Example:
        ```python
        loader = QwenAudioLoader("welcome.wav")
        loader.load()
        print(loader.summary.audio_s, loader.summary.failed, loader.summary.cost)
        ```
    """

    recordings: int = 0
    segments: int = 0
    failed: int = 0
    incomplete: int = 0
    from_checkpoint: int = 0
    audio_s: float = 0.0
    skipped_s: float = 0.0
    usage: UsageMetadata = field(
        default_factory=lambda: UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)
    )
    left_out: list[str] = field(default_factory=list)
    model: str = ""
    region: str | None = None
    billed_s: float | None = 0.0
    uncounted: int = 0
    gaps: tuple[str, ...] = ()

    @property
    def cost(self) -> Cost:
        """What this run cost, by the service's price list; `Cost.of` takes your own prices."""
        from langchain_qwen_audio.costs import Cost

        return Cost.of(self)

    def add(self, transcript: SegmentTranscript) -> None:
        """Count one more segment."""
        self.recordings += transcript.is_first
        self.skipped_s += transcript.skipped_s
        if transcript.is_silent:
            return
        self.segments += 1
        self.failed += transcript.error is not None
        self.incomplete += transcript.finish_reason is not None
        self.from_checkpoint += transcript.from_checkpoint
        self.audio_s += transcript.new_s
        if transcript.error is None and not transcript.from_checkpoint:
            self.gaps = tuple(dict.fromkeys([*self.gaps, *transcript.gaps]))
            self._add_billed(transcript.usage, transcript.billed_s)

    def _add_billed(self, usage: UsageMetadata | None, billed_s: float | None) -> None:
        self.usage = add_usage(self.usage, usage)
        if usage is None:
            self.gaps = tuple(dict.fromkeys([*self.gaps, _NO_TOKENS]))
        details = usage.get("input_token_details", {}) if usage else {}
        self.uncounted += "audio" not in details
        unknown = self.billed_s is None or billed_s is None
        self.billed_s = None if unknown else self.billed_s + billed_s  # type: ignore[operator]

    def __str__(self) -> str:
        length = format_time(self.audio_s)
        skipped = f", {format_time(self.skipped_s)} of silence skipped"
        silence = skipped if self.skipped_s >= 0.5 else ""
        stored = f"{self.from_checkpoint} from the checkpoint"
        incomplete = f", {self.incomplete} incomplete" if self.incomplete else ""
        others = f"; {counted(len(self.left_out), 'other file')} left out" if self.left_out else ""
        return (
            f"{counted(self.recordings, 'recording')}, "
            f"{length} in {counted(self.segments, 'segment')} "
            f"({self.failed} failed{incomplete}, {stored}){silence}: "
            f"{self._billed}{self.usage['input_tokens']} tokens in, "
            f"{self.usage['output_tokens']} out{others}"
        )

    @property
    def _billed(self) -> str:
        """The seconds that are billed, where the price is one for seconds."""
        by_second = any(isinstance(it, SecondPrice) for it in PRICES.get(self.model, {}).values())
        if not by_second:
            return ""
        return (
            "unknown seconds billed, " if self.billed_s is None else f"{self.billed_s:g} s billed, "
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
        llm: ChatQwenAudio | TranscriptionJobs | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        """Say how recordings are transcribed.

        Args:
            llm: The model, or `TranscriptionJobs`; by default qwen3-asr-flash, or, with a prompt,
                the default `ChatQwenAudio`.
            **options: See `LoadOptions`.

        Raises:
            InvalidRequestError: The jobs are told what their model does not have.
            TypeError: There is no such option.
            ValueError: A value is out of its range, or does not go with the model.
        """
        if llm is None:
            from langchain_qwen_audio.chat_models import ChatQwenAudio

            transcribes = not isinstance(options.get("prompt"), str)
            llm = ChatQwenAudio(model="qwen3-asr-flash") if transcribes else ChatQwenAudio()
        settings: dict[str, Any] = {**options}
        self.transcript_format = TranscriptFormat(
            settings.pop("transcript_format", TranscriptFormat.SEGMENTS)
        )
        self.show_progress: bool = settings.pop("show_progress", False)
        self.words: bool = settings.pop("words", False)
        self._windows = _window_options(settings, self.transcript_format)
        untimed_s = FORMATS[self.transcript_format].segment_s
        if self.transcript_format is TranscriptFormat.WINDOWS:
            untimed_s = self._windows.get("window_s", WINDOW_S)
        self._transcriber = make_transcriber(llm, untimed_s=untimed_s, **settings)
        self.summary = self.new_summary([])
        """What the last run has transcribed so far."""

    def new_summary(self, left_out: list[str]) -> LoadSummary:
        """Begin the summary of a run.

        Args:
            left_out: Where whoever finds recordings notes what is none.
        """
        backend = self._transcriber.backend
        return LoadSummary(left_out=left_out, model=backend.model, region=backend.region)

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """Transcribe a recording, and yield its documents as they come.

        Raises:
            AudioError: It is not a recording, or not whole, and errors are raised.
            QwenAudioError: A segment failed, and errors are raised.
        """
        return self.documents([recording_of(blob)])

    def alazy_parse(self, blob: Blob) -> AsyncIterator[Document]:
        """Transcribe a recording without blocking the event loop; see `lazy_parse`."""
        return self.adocuments([recording_of(blob)])

    def documents(
        self, found: Iterable[Recording], left_out: list[str] | None = None
    ) -> Iterator[Document]:
        """Transcribe recordings, one after the other.

        Args:
            found: The recordings.
            left_out: Where whoever finds them notes what is none, for the summary.
        """
        writer = self._writer()
        with contextlib.closing(self.segments(found, left_out)) as transcripts:
            for transcript in transcripts:
                yield from writer.take(transcript)
        yield from writer.end()

    async def adocuments(
        self, found: Iterable[Recording], left_out: list[str] | None = None
    ) -> AsyncIterator[Document]:
        """Transcribe recordings, one after the other; see `documents`."""
        writer = self._writer()
        async with contextlib.aclosing(self.asegments(found, left_out)) as transcripts:
            async for transcript in transcripts:
                for document in writer.take(transcript):
                    yield document
        for document in writer.end():
            yield document

    def _writer(self) -> DocumentWriter:
        return DocumentWriter(self.transcript_format, words=self.words, **self._windows)

    def segments(
        self, found: Iterable[Recording], left_out: list[str] | None = None
    ) -> Generator[SegmentTranscript]:
        """Transcribe recordings, and yield the transcripts of their segments; see `documents`."""
        run = _Run(self, left_out)
        with (
            contextlib.closing(run),
            contextlib.closing(self._transcriber.run(run.watch(found))) as transcripts,
        ):
            for transcript in transcripts:
                yield from run.take(transcript)
            yield from run.end()

    async def asegments(
        self, found: Iterable[Recording], left_out: list[str] | None = None
    ) -> AsyncGenerator[SegmentTranscript]:
        """Transcribe recordings, and yield the transcripts of their segments; see `segments`."""
        run = _Run(self, left_out)
        with contextlib.closing(run):
            async with contextlib.aclosing(self._transcriber.arun(run.watch(found))) as transcripts:
                async for transcript in transcripts:
                    for merged in run.take(transcript):
                        yield merged
            for merged in run.end():
                yield merged


def _window_options(
    settings: dict[str, Any], transcript_format: TranscriptFormat
) -> dict[str, float]:
    """Take the options of windows out of the others.

    Raises:
        ValueError: They are out of range, or the documents are no windows.
    """
    names = [it for it in ("window_s", "max_gap_s") if it in settings]
    found: dict[str, float] = {it: settings.pop(it) for it in names}
    if found and transcript_format is not TranscriptFormat.WINDOWS:
        raise ValueError(
            f"{', '.join(found)} came with transcript_format={transcript_format.value!r}; expected "
            "transcript_format='windows', whose documents are so long"
        )
    if found.get("window_s", 1.0) < 1.0:
        raise ValueError(f"window_s is {found['window_s']}; expected 1 second or more")
    if found.get("max_gap_s", 0.0) < 0.0:
        raise ValueError(f"max_gap_s is {found['max_gap_s']}; expected 0 or more")
    return found


class QwenAudioLoader(BaseLoader):
    """Load recordings of any length as documents, with their start and end in seconds.

    Recordings are split in pauses. Each segment is one `Document`: `page_content` is its
    transcript, or what the prompt asks for, and `metadata` has `source`, `segment`, `start_s`,
    `end_s`, `model` and, where the model tells, `language` and `emotion`; `track` if the recording
    has several, and `channel` if one was chosen. `id` is the same whenever the same file is loaded
    in the same way, so that a vector store replaces a document in place of adding it again. In a
    directory, what is a recording is decided by the content of files; `summary.left_out` names the
    others.

    With `TranscriptionJobs` as the model, each recording is one job, and one segment with the times
    of its sentences.

    Example:
        ```python
        from langchain_qwen_audio import QwenAudioLoader

        loader = QwenAudioLoader("meetings/", checkpoint="meetings/.transcripts")
        for document in loader.lazy_load():
            print(document.metadata["start_s"], document.page_content)
        print(loader.summary)
        ```
    """

    def __init__(
        self,
        paths: Source | Iterable[Source],
        *,
        llm: ChatQwenAudio | TranscriptionJobs | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        """Say which recordings are transcribed, and how.

        Args:
            paths: A file, a directory, a pattern (`calls/**/*.mp3`), a public http(s) URL, a
                LangChain `Blob`, or several of these. A URL is downloaded here, since it has to be
                split; with `TranscriptionJobs` the service fetches it, and nothing is downloaded.
                From a generator, also one without an end, sources are taken when they are needed,
                and kept, so that the loader can load again.
            llm: The model, or `TranscriptionJobs`; by default qwen3-asr-flash, or, with a prompt,
                the default `ChatQwenAudio`.
            **options: See `LoadOptions`.

        Raises:
            InvalidRequestError: The jobs are told what their model does not have.
            TypeError: There is no such option.
            ValueError: A value is out of its range, or does not go with the model.
        """
        self.paths: Source | Iterable[Source] = _keep(paths)
        self.parser = QwenAudioParser(llm, **options)

    @property
    def summary(self) -> LoadSummary:
        """What the last run has transcribed so far, and what it cost."""
        return self.parser.summary

    def lazy_load(self) -> Iterator[Document]:
        """Transcribe, and yield documents as they come, in order.

        Raises:
            AudioError: There is no such recording, or it is not one, and errors are raised.
            QwenAudioError: A segment failed, and errors are raised.
        """
        left_out: list[str] = []
        return self.parser.documents(recordings(self.paths, left_out), left_out)

    def alazy_load(self) -> AsyncIterator[Document]:
        """Transcribe without blocking the event loop; see `lazy_load`."""
        left_out: list[str] = []
        return self.parser.adocuments(recordings(self.paths, left_out), left_out)


def _keep(paths: Source | Iterable[Source]) -> Source | Iterable[Source]:
    """Keep sources as they are now, but take none of a generator yet."""
    if isinstance(paths, str | os.PathLike | Blob):
        return paths
    return list(paths) if isinstance(paths, Collection) else KeptSources(paths)


class _Run:
    """One run over recordings: what is counted, and how far it is."""

    def __init__(self, parser: QwenAudioParser, left_out: list[str] | None) -> None:
        noted = [] if left_out is None else left_out
        self.summary = parser.summary = parser.new_summary(noted)
        self._speakers, self._merger = SpeakerNumbers(), CutMerger()
        self._bar = ProgressBar() if parser.show_progress else None

    def watch(self, found: Iterable[Recording]) -> Iterable[Recording]:
        return found if self._bar is None else self._bar.watch(found)

    def take(self, transcript: SegmentTranscript) -> list[SegmentTranscript]:
        self.summary.add(transcript)
        if self._bar is not None:
            self._bar.add(transcript, self.summary.usage["total_tokens"])
        return self._merger.take(self._speakers.apply(transcript))

    def end(self) -> list[SegmentTranscript]:
        logger.info("%s", self.summary)
        return self._merger.end()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
