"""How many tokens text and audio count: estimates, since Qwen's tokenizer is not here. Pure."""

import re
from dataclasses import dataclass

# A word, one Chinese or Japanese character, or one mark, with the space before it.
_TOKEN = re.compile(r"\s*(?:[\u3040-\u9fff]|[^\W\u3040-\u9fff]+|[^\w\s])|\s+$")


def split_tokens(text: str) -> list[str]:
    """Split text into words whose join is the text."""
    return _TOKEN.findall(text)


@dataclass(frozen=True)
class InputTokens:
    """The tokens of a request.

    Attributes:
        text: Of its text.
        audio: Of its audio; `None` where it has none.
    """

    text: int
    audio: int | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + (self.audio or 0)


@dataclass(frozen=True)
class OutputTokens:
    """The tokens of an answer.

    Attributes:
        text: Of its text and its tool calls.
        reasoning: Of its reasoning.
        audio: Of its speech.
    """

    text: int
    reasoning: int = 0
    audio: int = 0
