"""Sentences → the smallest parts that can be removed, and which of them match. Pure.

A sentence is removed word by word if each of its words has its times and its place in the text.
Otherwise a match removes all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import or_
from typing import NamedTuple, TypeAlias

from langchain_qwen_audio._transcription.scripts import has_no_spaces
from langchain_qwen_audio._transcription.spoken import separator_between
from langchain_qwen_audio.transcripts import Sentence, Word

Matches: TypeAlias = re.Pattern[str] | Callable[[str], bool]

_PIECE = re.compile(r"[^\W_](?:\S*[^\W_])?")  # between spaces, without marks around it


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
        span = Span(first, first + len(text), *_times_of(sentence.words, number), number)
        if first < 0 or (text and not is_timed(span)):
            break
        if any(map(str.isalnum, sentence.text[position:first])):
            break
        position = span.last
        spans.append(span)
    else:
        if not any(map(str.isalnum, sentence.text[position:])):
            return spans
    return [Span(0, len(sentence.text), sentence.start_s, sentence.end_s)]


def _times_of(words: Sequence[Word], number: int) -> tuple[float | None, float | None]:
    """Take the times of a word; of one that takes no time, with those of its neighbours."""
    word = words[number]
    if word.start_s is None or word.start_s != word.end_s:
        return word.start_s, word.end_s
    return words[max(0, number - 1)].start_s, words[min(number + 1, len(words) - 1)].end_s


def is_timed(spoken: Word | Sentence | Span) -> bool:
    """Tell whether it is known when something is spoken."""
    start_s, end_s = spoken.start_s, spoken.end_s
    return start_s is not None and end_s is not None and 0 <= start_s < end_s


def find_matches(sentences: Sequence[Sentence], matches: Matches) -> list[list[Span]]:
    """Find the parts of each sentence that match, in order.

    A pattern is searched in each sentence, in all of them joined, and in all of each speaker or
    channel, since others may speak in between. A function is called with each word.

    Raises:
        ValueError: A function came, and a sentence whose words are not known.
    """
    spans = [split_sentence(it) for it in sentences]
    if not isinstance(matches, re.Pattern):
        pairs = zip(sentences, spans, strict=True)
        return [[it for it in parts if _is_match(it, of, matches)] for of, parts in pairs]
    covered = zip(spans, _cover_matches(sentences, matches), strict=True)
    return [[it for it in parts if any(marks[it.first : it.last])] for parts, marks in covered]


def _cover_matches(sentences: Sequence[Sentence], pattern: re.Pattern[str]) -> list[bytes]:
    """Say of each character of each sentence whether a match has it."""
    covered = [bytes(len(it.text)) for it in sentences]
    for row in _rows(sentences):
        text, places = _join([sentences[number].text for number in row])
        marks = bytearray(len(text))
        for match in pattern.finditer(text):
            first, last = match.span()
            marks[first:last] = b"\1" * (last - first)
        for number, place in zip(row, places, strict=True):
            found = marks[place : place + len(covered[number])]
            covered[number] = bytes(map(or_, covered[number], found))
    return covered


def _rows(sentences: Sequence[Sentence]) -> list[list[int]]:
    """List the numbers of sentences that are searched together."""
    labels: dict[str, list[int]] = {}
    for number, sentence in enumerate(sentences):
        labels.setdefault(sentence.label, []).append(number)
    everything = [*range(len(sentences))]
    return [*([it] for it in everything), everything, *labels.values()]


def _join(texts: Sequence[str]) -> tuple[str, list[int]]:
    """Join texts, and say where each begins."""
    pieces, places, size = [""], [], 0
    for text in texts:
        separator = separator_between(pieces[-1], text)
        places.append(size + len(separator))
        pieces += [separator, text]
        size = places[-1] + len(text)
    return "".join(pieces), places


def searched_texts(sentences: Sequence[Sentence]) -> list[str]:
    """List the texts that a pattern is searched in."""
    return [_join([sentences[number].text for number in row])[0] for row in _rows(sentences)]


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
