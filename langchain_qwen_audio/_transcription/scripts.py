"""A text → whether its script has spaces between words. Pure."""

from __future__ import annotations

import re

# Thai, Lao, Tibetan, Burmese, Khmer; Chinese characters and Japanese kana, with their extensions.
_NO_SPACES = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


def has_no_spaces(text: str) -> bool:
    """Tell whether at least half of the letters are of a script without spaces between words."""
    letters = sum(sign.isalpha() for sign in text)
    unspaced = len(_NO_SPACES.findall(text))
    return unspaced > 0 and 2 * unspaced >= letters
