"""A text → its characters as people see them, and how many columns of a line they take. Pure."""

from __future__ import annotations

import unicodedata

LINE_COLUMNS = 42.0
WIDE_COLUMNS = 2.1  # of a character of Chinese, Japanese or Korean, so that 20 fill a line
_JOINER = "\u200d"  # makes one emoji of two
# Vowels of Thai and Lao behind their consonant, and the colours of skin of emoji.
_MORE_MARKS = frozenset("\u0e33\u0eb3\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


def split_characters(text: str) -> list[str]:
    """Split a text into characters, each with the accents, vowel signs and joiners it has.

    Example:
        `split_characters("ที่👍🏽")` has two characters.
    """
    characters: list[str] = []
    for sign in text:
        if characters and (_is_mark(sign) or characters[-1].endswith(_JOINER)):
            characters[-1] += sign
        else:
            characters.append(sign)
    return characters


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign) in {"Mn", "Mc", "Me", "Cf"} or sign in _MORE_MARKS


def columns(text: str) -> float:
    """Measure a text in columns; white space at its end takes none."""
    text = text.rstrip()
    if text.isascii():
        return float(len(text))
    widths = (unicodedata.east_asian_width(it[0]) for it in split_characters(text))
    return round(sum(WIDE_COLUMNS if it in {"W", "F"} else 1.0 for it in widths), 1)


def split_word(word: str, longest: float) -> list[str]:
    """Split a word between characters, into pieces of so many columns at most."""
    pieces = [""]
    for character in split_characters(word):
        if pieces[-1] and columns(pieces[-1] + character) > longest:
            pieces.append("")
        pieces[-1] += character
    return pieces
