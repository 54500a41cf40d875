"""Two transcripts of which the second repeats the end of the first → both, with it once. Pure.

Words at the cut may be wrong in either: the last ones of the first transcript, and the first ones
of the second. What both have between these is where one goes over into the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio._transcription.subtitles import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        What to leave out, so that no word is there twice; nothing where they share no words. Of
        words at the cut, at most half as many are left out as are shared, and pieces of words.

    Example:
        `find_seam(["we", "met", "in", "Par"], ["et", "in", "Paris"])` is `Seam(1, 2)`.
    """
    ends = [_key(it) for it in before[-REACH:]]
    starts = [_key(it) for it in after[:REACH]]
    best, found = (0, 0), Seam()
    for dropped in range(min(MAX_WRONG + 1, len(ends))):
        for wrong in range(min(MAX_WRONG + 1, len(starts))):
            kept, rest = ends[: len(ends) - dropped], starts[wrong:]
            length, alike = _shared(kept, rest)
            score = (alike, -dropped - wrong)
            cut_end = _is_piece(ends[len(kept) :], rest[length : length + 1], str.startswith)
            cut_start = _is_piece(starts[:wrong], kept[: len(kept) - length][-1:], str.endswith)
            others = max(dropped - cut_end, wrong - cut_start)  # which are just not the same
            if others <= alike // 2 and score > best:
                best, found = score, Seam(dropped, wrong + length)
    return found


def _is_piece(words: list[str], whole: list[str], has: Callable[[str, str], bool]) -> bool:
    """Tell whether one word is there, and is a piece of the word that is in its place."""
    return len(words) == len(whole) == 1 and has(whole[0], words[0])


def _shared(before: list[str], after: list[str]) -> tuple[int, int]:
    """Find the most words that `before` ends and `after` starts with.

    Of those within, one in four may be written in another way.

    Returns:
        How many they are, and how many of them are alike.
    """
    best = (0, 0)
    for length in range(min(len(before), len(after)), 0, -1):
        pairs = list(zip(before[-length:], after[:length], strict=True))
        alike = sum(one == other for one, other in pairs)
        is_shared = all(one == other for one, other in (pairs[0], pairs[-1]))
        if is_shared and 4 * (length - alike) <= length and alike > best[1]:
            best = length, alike
    return best


def _key(word: str) -> str:
    return (_NO_MARKS.sub("", word) or word).casefold()


def join_texts(before: str, after: str, *, whole: str | None = None) -> tuple[str, str]:
    """Leave out of two texts what the second repeats; Chinese, Japanese, Korean by character.

    Args:
        before: The first text.
        after: The second one.
        whole: The first text as it came, if what it repeats itself was left out of it.

    Example:
        `join_texts("We met in Par", "et in Paris.")` is `("We met in", "Paris.")`.
    """
    first, second = UNITS.findall(before), UNITS.findall(after)
    seam = find_seam(first if whole is None else UNITS.findall(whole), second)
    kept = "".join(first[: max(0, len(first) - seam.dropped)]) if seam.dropped else before
    rest = "".join(second[seam.skipped :]) if seam.skipped else after
    return kept.rstrip() if seam.dropped else kept, rest


def join_sentences(
    before: Sequence[Sentence],
    after: Sequence[Sentence],
    *,
    whole: Sequence[Sentence] | None = None,
) -> tuple[list[Sentence], list[Sentence]]:
    """Leave out of two lists of sentences the words that the second repeats; see `join_texts`.

    Where words of a sentence are not known, all stay as they are.
    """
    compared = before if whole is None else whole
    if not all(it.words for it in (*compared, *after)):
        return list(before), list(after)
    first = [word.text for it in compared for word in it.words]
    second = [word.text for it in after for word in it.words]
    seam = find_seam(first, second)
    kept, rest = list(before), list(after)
    for _ in range(min(seam.dropped, sum(len(it.words) for it in before))):
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
