"""The usage of a live transcription: what the service said last, and what it has not said. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._plurals import counted
from langchain_qwen_audio._response.usage import billed_seconds, finite_or_none, to_usage_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages.ai import UsageMetadata

_TOKENS = ("input_tokens", "output_tokens")


class CountedUsage:
    """What is billed so far. What the service says last is that of the whole transcription.

    Attributes:
        uncounted: How many sentences have come since then, whose usage is not known.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._numbers: dict[str, Any] = {}
        self.uncounted = 0

    def add_sentence(self) -> None:
        """Note that a sentence is over."""
        self.uncounted += 1

    def add_usage(self, usage: Mapping[str, Any]) -> None:
        """Note what the service says is billed for all so far; null is not a number."""
        numbers = {name: it for name, it in usage.items() if finite_or_none(it) is not None}
        if numbers:
            self._numbers, self.uncounted = numbers, 0

    @property
    def tokens(self) -> UsageMetadata | None:
        """The tokens; None where one of the counts has not come, which is not 0."""
        is_counted = all(isinstance(self._numbers.get(name), int) for name in _TOKENS)
        return to_usage_metadata(self._numbers) if is_counted else None

    @property
    def seconds(self) -> float | None:
        """The seconds; None where they have not come, or not of all sentences."""
        return None if self.uncounted else billed_seconds(self._numbers)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is billed, and not counted."""
        if not self.uncounted:
            return ()
        return (f"the usage of {counted(self.uncounted, 'sentence')} is not known",)
