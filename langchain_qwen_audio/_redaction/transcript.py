"""A transcript and the parts of it that match → what is left, and the times of the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeAlias

from langchain_qwen_audio._redaction.spans import Span, is_timed
from langchain_qwen_audio.transcripts import Sentence, Transcript, Word

Range: TypeAlias = tuple[float, float]  # seconds

_SEPARATORS = ("", " ", "\n", "\n\n")  # of sentences in the text of a transcript


def find_ranges(sentences: Iterable[list[Span]], margin_s: float) -> list[Range]:
    """Find what is to be removed of the sound; the pause between two words that go is too.

    Args:
        sentences: What matches of each sentence.
        margin_s: Seconds to add at both ends.

    Raises:
        ValueError: It is not known when something is spoken.
    """
    found: list[Range] = []
    for spans in sentences:
        for run in _runs(spans):
            if not all(map(is_timed, run)):
                raise ValueError(
                    "a sentence matches, and it is not known when it is spoken; expected a "
                    "transcript with times of sentences, as of qwen-audio-3.1-asr-flash or of "
                    "TranscriptionJobs"
                )
            starts, ends = [it.start_s or 0.0 for it in run], [it.end_s or 0.0 for it in run]
            found.append((max(0.0, min(starts) - margin_s), max(ends) + margin_s))
    return _merged(sorted(found))


def _merged(ranges: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for start_s, end_s in ranges:
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_s, merged[-1][1]))
        else:
            merged.append((start_s, end_s))
    return merged


def _runs(spans: list[Span]) -> Iterator[list[Span]]:
    """Put together words that follow each other."""
    if not spans:
        return
    run = [spans[0]]
    for before, span in pairwise(spans):
        if before.word is not None and span.word == before.word + 1:
            run.append(span)
        else:
            yield run
            run = [span]
    yield run


def rewrite_transcript(
    transcript: Transcript,
    sentences: list[Sentence],
    found: list[list[Span]],
    replacement: str,
) -> Transcript:
    """Put a text in the place of what matches; several words of a row get one.

    Args:
        transcript: The transcript.
        sentences: Its sentences.
        found: What matches of each.
        replacement: The text.
    """
    if not any(found):
        return transcript
    pairs = zip(sentences, found, strict=True)
    redacted = [_rewrite_sentence(it, spans, replacement) for it, spans in pairs]
    before = [it.text for it in sentences]
    separator = next((it for it in _SEPARATORS if it.join(before) == transcript.text), "\n")
    text = separator.join(it.text for it in redacted)
    return transcript.model_copy(update={"text": text, "sentences": redacted})


def _rewrite_sentence(sentence: Sentence, spans: list[Span], replacement: str) -> Sentence:
    if not spans:
        return sentence
    if spans[0].word is None:
        return sentence.model_copy(update={"text": replacement, "words": []})
    text, words = sentence.text, [*sentence.words]
    for run in reversed([*_runs(spans)]):
        text = text[: run[0].first] + replacement + text[run[-1].last :]
        first, last = run[0].word or 0, run[-1].word or 0
        words[first : last + 1] = [_replace_words(words[first : last + 1], replacement)]
    return sentence.model_copy(update={"text": text, "words": words})


def _replace_words(words: list[Word], replacement: str) -> Word:
    """Put one word in the place of several, from when the first begins until the last has ended."""
    ends = [it.end_s for it in words if it.end_s is not None]
    known = {"end_s": max(ends, default=None), "punctuation": words[-1].punctuation}
    return words[0].model_copy(update={"text": replacement, **known})
