"""A transcript and the text that is right → what is wrong, counted. jiwer aligns."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, computed_field

Unit: TypeAlias = Literal["word", "character"]
Normalize: TypeAlias = Callable[[str], str]

DEFAULT_NORMALIZATION = (
    "Unicode NFKC, lower case, dashes and slashes as spaces, other punctuation removed"
)


class ErrorCounts(BaseModel):
    """How a transcript differs from the text that is right; counts can be added, also with `sum`.

    Attributes:
        hits: Words, or characters, that are right.
        substitutions: Those with others in their place.
        deletions: Those that are missing.
        insertions: Those that are there and should not be.

    Example:
        ```python
        from langchain_qwen_audio.evaluation import ErrorCounts

        counts = ErrorCounts(hits=9, substitutions=1) + ErrorCounts(hits=10)
        print(counts.errors, counts.length, counts.rate)  # 1 20 0.05
        ```
    """

    model_config = ConfigDict(frozen=True)

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def length(self) -> int:
        """Words, or characters, of the text that is right."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """All that is wrong."""
        return self.substitutions + self.deletions + self.insertions

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate(self) -> float | None:
        """Errors by length, which can be above 1; None if there is nothing to get right."""
        return self.errors / self.length if self.length else None

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        """Add the counts of two transcripts."""
        if not isinstance(other, ErrorCounts):
            return NotImplemented
        counts = ErrorCounts.model_fields
        return ErrorCounts(**{it: getattr(self, it) + getattr(other, it) for it in counts})

    def __radd__(self, other: int) -> ErrorCounts:
        """Begin a `sum`, which begins with 0."""
        return self if other == 0 else NotImplemented


def require_jiwer() -> None:
    """Require what counts.

    Raises:
        ImportError: jiwer is not installed.
    """
    if importlib.util.find_spec("jiwer") is None:
        raise ImportError(
            "evaluating transcripts needs jiwer, which is not installed: "
            'pip install "langchain-qwen-audio[evaluate]"'
        )


def normalize_text(text: str) -> str:
    """Make texts comparable: NFKC, lower case, dashes and slashes as spaces, no punctuation.

    Numbers stay as they are written: "ten" is not "10".

    Raises:
        ImportError: jiwer is not installed.

    Example:
        ```python
        from langchain_qwen_audio.evaluation import normalize_text

        print(normalize_text("Don't, well-known!"))  # dont well known
        ```
    """
    require_jiwer()
    import jiwer

    steps = [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[-‐-―/]": " "}),  # noqa: RUF001  # dashes
        jiwer.RemovePunctuation(),
        jiwer.SubstituteRegexes({r"\s+": " "}),
        jiwer.Strip(),
    ]
    normalized: str = jiwer.Compose(steps)(unicodedata.normalize("NFKC", text))
    return normalized


def count_errors(reference: str, hypothesis: str, unit: Unit, normalize: Normalize) -> ErrorCounts:
    """Count what is wrong in a transcript.

    Args:
        reference: The text that is right.
        hypothesis: The transcript.
        unit: What is counted; spaces are no characters.
        normalize: Makes texts comparable.

    Raises:
        TypeError: `normalize` returns something else than a text.
    """
    import jiwer

    texts = [_normalized(text, normalize) for text in (reference, hypothesis)]
    split = _splitter(unit)
    found = jiwer.process_words(*texts, reference_transform=split, hypothesis_transform=split)
    return ErrorCounts(**{name: getattr(found, name) for name in ErrorCounts.model_fields})


def _normalized(text: str, normalize: Normalize) -> str:
    normalized: object = normalize(text)
    if not isinstance(normalized, str):
        raise TypeError(
            f"normalize returned {type(normalized).__name__}, expected str; leave out jiwer's "
            "ReduceToListOfListOfWords and its like"
        )
    return normalized


def _splitter(unit: Unit) -> Any:
    import jiwer

    if unit == "character":
        return jiwer.Compose([jiwer.RemoveWhiteSpace(), jiwer.ReduceToListOfListOfChars()])
    spaces = jiwer.RemoveWhiteSpace(replace_by_space=True)
    return jiwer.Compose([spaces, jiwer.ReduceToListOfListOfWords()])
