"""Two transcripts of which the second repeats the end of the first → both, with it once. Pure.

Words at the cut may be wrong in either: the last ones of the first transcript, and the first ones
of the second. What both have between these is where one goes over into the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._transcription.subtitles import UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio.transcripts import Sentence

REACH = 20  # words at the cut that are compared: more than can be said in what is repeated
MAX_WRONG = 2  # words at the very cut that may be wrong, on each side
_NO_MARKS = re.compile(r"[^\w']+")


class Seam(NamedTuple):
    """Where one transcript goes over into the next: words to leave out.

    Attributes:
        dropped: Words at the end of the first.
        skipped: Words at the start of the second.
    """

    dropped: int = 0
    skipped: int = 0


def find_seam(before: Sequence[str], after: Sequence[str]) -> Seam:
    """Find the words that are both at the end of one list and at the start of another.

    Args:
        before: Words; case and punctuation do not count.
        after: The words that follow, of which the first ones may repeat the last ones of `before`.

    Returns:
        What to leave out, so that no word is there twice; nothing where they share no words.

    Example:
        `find_seam(["we", "met", "in", "Par"], ["et", "in", "Paris"])` is `Seam(1, 2)`.
    """
    ends = [_key(it) for it in before[-REACH:]]
    starts = [_key(it) for it in after[:REACH]]
    best, found = (0, 0), Seam()
    for dropped in range(min(MAX_WRONG + 1, len(ends))):
        for wrong in range(min(MAX_WRONG + 1, len(starts))):
            kept = ends[: len(ends) - dropped]
            count = _shared(kept, starts[wrong:])
            score = (count, -dropped - wrong)
            if dropped + wrong <= 2 * count and score > best:
                best, found = score, Seam(dropped, wrong + count)
    return found


def _shared(before: list[str], after: list[str]) -> int:
    """Count the most words that `before` ends and `after` starts with."""
    for count in range(min(len(before), len(after)), 0, -1):
        if before[-count:] == after[:count]:
            return count
    return 0


def _key(word: str) -> str:
    return (_NO_MARKS.sub("", word) or word).casefold()


def join_texts(before: str, after: str) -> tuple[str, str]:
    """Leave out of two texts what the second repeats; Chinese, Japanese, Korean by character.

    Example:
        `join_texts("We met in Par", "et in Paris.")` is `("We met in", "Paris.")`.
    """
    first, second = UNITS.findall(before), UNITS.findall(after)
    seam = find_seam(first, second)
    kept = "".join(first[: len(first) - seam.dropped]) if seam.dropped else before
    rest = "".join(second[seam.skipped :]) if seam.skipped else after
    return kept.rstrip() if seam.dropped else kept, rest


def join_sentences(
    before: Sequence[Sentence], after: Sequence[Sentence]
) -> tuple[list[Sentence], list[Sentence]]:
    """Leave out of two lists of sentences the words that the second repeats.

    Where words of a sentence are not known, all stay as they are.
    """
    if not all(it.words for it in (*before, *after)):
        return list(before), list(after)
    first = [word.text for it in before for word in it.words]
    second = [word.text for it in after for word in it.words]
    seam = find_seam(first, second)
    kept, rest = list(before), list(after)
    for _ in range(seam.dropped):
        kept = _without_word(kept, -1)
    for _ in range(seam.skipped):
        rest = _without_word(rest, 0)
    return kept, rest


def _without_word(sentences: list[Sentence], at: int) -> list[Sentence]:
    """Take away the first word (0) or the last one (-1); a sentence goes with its last word."""
    sentence = sentences[at]
    others = sentences[1:] if at == 0 else sentences[:-1]
    words = sentence.words[1:] if at == 0 else sentence.words[:-1]
    if not words:
        return others
    shorter = sentence.model_copy(
        update={
            "text": _without_text(sentence.text, sentence.words[at].text, at),
            "words": words,
            "start_s": words[0].start_s if at == 0 else sentence.start_s,
            "end_s": words[-1].end_s if at == -1 else sentence.end_s,
        }
    )
    return [shorter, *others] if at == 0 else [*others, shorter]


def _without_text(text: str, word: str, at: int) -> str:
    """Take a word away from the start of a text, or from its end, with the marks beside it."""
    pattern = rf"\W*{re.escape(word)}\W*" if at == 0 else rf"{re.escape(word)}\W*$"
    found = re.match(pattern, text) if at == 0 else re.search(pattern, text)
    if found is None:  # the text has it in another form: then it is there twice
        return text
    return text[found.end() :] if at == 0 else text[: found.start()].rstrip()
