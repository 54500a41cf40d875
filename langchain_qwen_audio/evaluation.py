"""Recordings and the texts that are right → error rates of a model, and what it cost.

references ─ loader ─► transcripts ─ jiwer ─► TranscriptEvaluation
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, computed_field

from langchain_qwen_audio._evaluation.error_counts import (
    DEFAULT_NORMALIZATION,
    ErrorCounts,
    Normalize,
    Unit,
    count_errors,
    normalize_text,
    require_jiwer,
)
from langchain_qwen_audio._evaluation.references import (
    Name,
    choose_unit,
    match_references,
    read_references,
)
from langchain_qwen_audio._evaluation.table import write_table
from langchain_qwen_audio._plurals import counted
from langchain_qwen_audio._transcription.formats import join_segments
from langchain_qwen_audio._transcription.sources import recordings
from langchain_qwen_audio.chat_models import ChatQwenAudio
from langchain_qwen_audio.costs import Cost
from langchain_qwen_audio.document_loaders import QwenAudioLoader, QwenAudioParser
from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

if TYPE_CHECKING:
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording

__all__ = [
    "ErrorCounts",
    "RecordingScore",
    "TranscriptEvaluation",
    "aevaluate_transcripts",
    "evaluate_transcripts",
    "normalize_text",
]

_METRICS: dict[Unit, str] = {"word": "WER", "character": "CER"}


class RecordingScore(BaseModel):
    """What a transcript of one recording gets wrong.

    Attributes:
        source: The recording.
        reference: The text that is right, as it came.
        hypothesis: The transcript, as the model wrote it.
        counts: What is right and wrong; None if the recording failed.
        error: Why it failed; None if it did not.

    Example:
        ```python
        evaluation = evaluate_transcripts({"welcome.wav": "Welcome."}, model)
        for score in evaluation.recordings:
            print(score.source, score.counts or score.error, score.hypothesis)
        ```
    """

    model_config = ConfigDict(frozen=True)

    source: str
    reference: str
    hypothesis: str = ""
    counts: ErrorCounts | None = None
    error: str | None = None


class TranscriptEvaluation(BaseModel):
    """How well a model transcribes, and what it cost.

    `str()` writes a table. `model_dump_json` and `model_validate_json` store and load it.

    Attributes:
        model: The model.
        unit: What is counted: "word" (WER) or "character" (CER).
        normalization: What is done to both texts before they are compared.
        recordings: The recordings, those that failed too.
        cost: What the run cost, by the service's price list.
        from_checkpoint: How many segments an earlier run had paid for.
        left_out: Files of the folder that belong to nothing, and why.

    Example:
        ```python
        evaluation = evaluate_transcripts({"welcome.wav": "Welcome."}, model)
        print(evaluation.total.rate, evaluation.cost, len(evaluation.failed))
        ```
    """

    model_config = ConfigDict(frozen=True)

    model: str
    unit: Unit
    normalization: str
    recordings: list[RecordingScore]
    cost: Cost
    from_checkpoint: int = 0
    left_out: list[str] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> ErrorCounts:
        """The counts of all recordings that did not fail, so that long ones weigh more."""
        return sum((it.counts for it in self.recordings if it.counts), ErrorCounts())

    @property
    def failed(self) -> list[RecordingScore]:
        """The recordings that have no transcript, or not a whole one; `total` is without them."""
        return [it for it in self.recordings if it.counts is None]

    @property
    def summary(self) -> str:
        """The total and the cost, on a line."""
        total = self.total
        rate = "none" if total.rate is None else f"{total.rate:.1%}"
        failed = f", {len(self.failed)} failed" if self.failed else ""
        stored = counted(self.from_checkpoint, "segment")
        free = f", {stored} from the checkpoint" * bool(self.from_checkpoint)
        return (
            f"{self.model}: {_METRICS[self.unit]} {rate}, {counted(total.errors, 'error')} in "
            f"{counted(total.length, self.unit)} of {counted(len(self.recordings), 'recording')}"
            f"{failed}; cost {self.cost}{free}"
        )

    def __str__(self) -> str:
        """Write a table of all recordings, what failed, how texts were compared, and the total."""
        counts = {it.source: it.counts for it in self.recordings}
        return "\n".join(
            [
                write_table(_METRICS[self.unit], f"{self.unit}s", counts, self.total),
                *(f"failed, and not in the total: {it.source}: {it.error}" for it in self.failed),
                *(f"left out: {it}" for it in self.left_out),
                f"compared after: {self.normalization}",
                self.summary,
            ]
        )


def evaluate_transcripts(
    references: Mapping[str, str] | Mapping[Path, str] | str | os.PathLike[str],
    loader_or_model: QwenAudioLoader | ChatQwenAudio | TranscriptionJobs,
    *,
    unit: Unit | None = None,
    normalize: Normalize | None = None,
) -> TranscriptEvaluation:
    """Transcribe recordings, and count what is wrong in the transcripts.

    A recording of which a segment failed, or was not finished, counts as failed: it is in
    `failed`, and not in the total. Wrong keys and unknown models are always raised.

    Example:
        ```python
        from langchain_qwen_audio import ChatQwenAudio, evaluate_transcripts

        references = {"welcome.wav": "Welcome to the recording studio."}
        evaluation = evaluate_transcripts(references, ChatQwenAudio(model="qwen3-asr-flash"))
        print(evaluation)
        print(evaluation.total.rate, evaluation.cost)
        ```

    Args:
        references: The text that is right for each recording, by its path or URL; or a folder,
            with a `.txt` file (UTF-8) beside each recording.
        loader_or_model: The model, or `TranscriptionJobs`; or a loader of the same recordings,
            whose options, such as `checkpoint` and `on_error`, are then kept.
        unit: What is counted; by default characters (CER) if the references are in a script
            without spaces between words, such as Chinese, Japanese or Thai, and words (WER) if not.
        normalize: Makes a text comparable; by default `normalize_text`.

    Raises:
        ImportError: jiwer is not installed.
        TypeError: `references` or `loader_or_model` is something else.
        ValueError: There are no references; those of a loader are of other recordings; or they are
            in scripts of both kinds, and there is no `unit`. Nothing is sent then.
        QwenAudioError: A segment failed, and the loader raises errors.
    """
    run = _prepare(references, loader_or_model, unit, normalize)
    return run.score([*run.parser.segments(run.found)])


async def aevaluate_transcripts(
    references: Mapping[str, str] | Mapping[Path, str] | str | os.PathLike[str],
    loader_or_model: QwenAudioLoader | ChatQwenAudio | TranscriptionJobs,
    *,
    unit: Unit | None = None,
    normalize: Normalize | None = None,
) -> TranscriptEvaluation:
    """Evaluate transcripts without blocking the event loop; see `evaluate_transcripts`.

    Example:
        ```python
        import asyncio

        asr = ChatQwenAudio(model="qwen3-asr-flash")
        print(asyncio.run(aevaluate_transcripts({"welcome.wav": "Welcome."}, asr)))
        ```
    """
    run = await asyncio.to_thread(_prepare, references, loader_or_model, unit, normalize)
    segments = [it async for it in run.parser.asegments(run.found)]
    return await asyncio.to_thread(run.score, segments)


@dataclass(frozen=True)
class _Run:
    """One evaluation.

    Attributes:
        parser: What transcribes.
        found: The recordings.
        texts: The text that is right for each, by its source.
        left_out: What of a folder belongs to nothing.
        unit: What is counted.
        normalize: Makes a text comparable; None is the default way.
    """

    parser: QwenAudioParser
    found: list[Recording]
    texts: dict[str, str]
    left_out: list[str]
    unit: Unit
    normalize: Normalize | None

    def score(self, segments: Iterable[SegmentTranscript]) -> TranscriptEvaluation:
        parts: dict[str, list[SegmentTranscript]] = {source: [] for source in self.texts}
        for segment in segments:
            parts[segment.source].append(segment)
        summary = self.parser.summary
        return TranscriptEvaluation(
            model=summary.model,
            unit=self.unit,
            normalization=_name_of(self.normalize),
            recordings=[self._score_one(source, it) for source, it in parts.items()],
            cost=summary.cost,
            from_checkpoint=summary.from_checkpoint,
            left_out=self.left_out,
        )

    def _score_one(self, source: str, segments: list[SegmentTranscript]) -> RecordingScore:
        reference = self.texts[source]
        if error := " ".join(it.note for it in segments if it.note):
            partial = " ".join(it.text for it in segments if it.text)
            return RecordingScore(
                source=source, reference=reference, hypothesis=partial, error=error
            )
        hypothesis = " ".join(it.text for it in join_segments(segments).sentences)
        normalize = self.normalize or normalize_text
        counts = count_errors(reference, hypothesis, self.unit, normalize)
        return RecordingScore(
            source=source, reference=reference, hypothesis=hypothesis, counts=counts
        )


def _prepare(
    references: Mapping[str, str] | Mapping[Path, str] | Name,
    loader_or_model: QwenAudioLoader | ChatQwenAudio | TranscriptionJobs,
    unit: Unit | None,
    normalize: Normalize | None,
) -> _Run:
    """Find recordings and their texts; all that can be wrong with them is an error here."""
    require_jiwer()
    if unit not in {None, "word", "character"}:
        raise ValueError(f"unit is {unit!r}; expected 'word' or 'character'")
    texts, left_out = read_references(references)
    match loader_or_model:
        case ChatQwenAudio() | TranscriptionJobs():
            parser = QwenAudioParser(loader_or_model, on_error="document")
            found = [*recordings(texts)]
        case QwenAudioLoader():
            parser = loader_or_model.parser
            found = [*recordings(loader_or_model.paths)]
        case _:
            raise TypeError(
                f"{type(loader_or_model).__name__} came; expected ChatQwenAudio, TranscriptionJobs "
                "or QwenAudioLoader"
            )
    matched = match_references(found, texts)
    return _Run(parser, found, matched, left_out, unit or choose_unit(matched), normalize)


def _name_of(normalize: Normalize | None) -> str:
    if normalize is None:
        return DEFAULT_NORMALIZATION
    return getattr(normalize, "__qualname__", type(normalize).__qualname__)
