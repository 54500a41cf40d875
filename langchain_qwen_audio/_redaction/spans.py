"""Sentences → the smallest parts that can be removed, and which of them match. Pure.

A sentence is removed word by word if each of its words has its times and its place in the text.
Otherwise a match removes all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from langchain_qwen_audio._transcription.scripts import has_no_spaces
from langchain_qwen_audio.transcripts import Sentence, Word

Matches: TypeAlias = re.Pattern[str] | Callable[[str], bool]

_PIECE = re.compile(r"[^\W_](?:\S*[^\W_])?")  # between spaces, without marks around it
_BETWEEN = " "  # sentences, so that a pattern can go from one to the next


class Span(NamedTuple):
    """A part of a sentence that can be removed.

    Attributes:
        first: Where its text begins in the sentence.
        last: Where its text ends.
        start_s: Where its sound begins, in seconds; None if not known.
        end_s: Where its sound ends.
        word: The number of the word; None if it is the whole sentence.
    """

    first: int
    last: int
    start_s: float | None
    end_s: float | None
    word: int | None = None


def split_sentence(sentence: Sentence) -> list[Span]:
    """Split a sentence into its words if that is safe; otherwise it is one span."""
    spans: list[Span] = []
    position = 0
    for number, word in enumerate(sentence.words):
        text = word.text.strip()
        first = sentence.text.find(text, position)
        if first < 0 or (text and not is_timed(word)):
            break
        if any(map(str.isalnum, sentence.text[position:first])):
            break
        position = first + len(text)
        spans.append(Span(first, position, word.start_s, word.end_s, number))
    else:
        if not any(map(str.isalnum, sentence.text[position:])):
            return spans
    return [Span(0, len(sentence.text), sentence.start_s, sentence.end_s)]


def is_timed(spoken: Word | Sentence | Span) -> bool:
    """Tell whether it is known when something is spoken."""
    start_s, end_s = spoken.start_s, spoken.end_s
    return start_s is not None and end_s is not None and 0 <= start_s < end_s


def find_matches(sentences: Sequence[Sentence], matches: Matches) -> list[list[Span]]:
    """Find the parts of each sentence that match, in order.

    A pattern is searched in each sentence, and in all of them, joined by spaces. A function is
    called with each word.

    Raises:
        ValueError: A function came, and a sentence whose words are not known.
    """
    spans = [split_sentence(it) for it in sentences]
    if not isinstance(matches, re.Pattern):
        pairs = zip(sentences, spans, strict=True)
        return [[it for it in parts if _is_match(it, of, matches)] for of, parts in pairs]
    texts = [it.text for it in sentences]
    is_covered = _cover_matches(texts, matches)
    return [
        [it for it in parts if any(is_covered[at + it.first : at + it.last])]
        for parts, at in zip(spans, _offsets(texts), strict=True)
    ]


def _cover_matches(texts: list[str], pattern: re.Pattern[str]) -> bytearray:
    """Say of each character whether a match has it, in all texts joined."""
    joined = _BETWEEN.join(texts)
    is_covered = bytearray(len(joined))
    for text, at in [*zip(texts, _offsets(texts), strict=True), (joined, 0)]:
        for match in pattern.finditer(text):
            first, last = match.span()
            is_covered[at + first : at + last] = b"\1" * (last - first)
    return is_covered


def _offsets(texts: list[str]) -> list[int]:
    """Say where each text begins when all are joined."""
    lengths = (len(text) + len(_BETWEEN) for text in texts)
    return [*accumulate(lengths, initial=0)][: len(texts)]


def _is_match(span: Span, sentence: Sentence, matches: Callable[[str], bool]) -> bool:
    text = sentence.text[span.first : span.last]
    if span.word is None and has_no_spaces(text):
        at = "" if span.start_s is None else f" at {span.start_s:g} s"
        raise ValueError(
            f"the words of the sentence{at} are not known, so that no function can be called with "
            "them; pass a pattern (re.compile), which is searched in the whole sentence"
        )
    return any(matches(piece) for piece in pieces(text))


def pieces(text: str) -> list[str]:
    """Split a text at spaces, and leave out the marks around words."""
    return _PIECE.findall(text)


def texts_that_match(texts: Sequence[str], matches: Matches) -> set[str]:
    """Collect what matches in texts, without its spaces."""
    if isinstance(matches, re.Pattern):
        found = (match.group() for text in texts for match in matches.finditer(text))
    else:
        found = (it for text in texts for it in pieces(text) if matches(it))
    return {"".join(it.split()) for it in found} - {""}
