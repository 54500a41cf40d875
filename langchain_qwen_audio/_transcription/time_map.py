"""Times in what was sent of a recording → times in the recording. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_qwen_audio._request.encoded_segments import Stretch
    from langchain_qwen_audio.transcripts import Sentence, Word


@dataclass(frozen=True)
class TimeMap:
    """Where in a recording the stretches are that were sent of it, without the silence between.

    Attributes:
        stretches: The stretches, in order, one at least.

    Example:
        ```python
        times = TimeMap((Stretch(0.0, 5.0, 2.0), Stretch(2.0, 60.0, 3.0)))
        times.start_of(2.0)  # 60.0: something starts with the second stretch,
        times.end_of(2.0)  # 7.0: and something else ends with the first
        ```
    """

    stretches: tuple[Stretch, ...]

    def start_of(self, sent_s: float) -> float:
        """Find the time of a beginning."""
        return self._place(sent_s, bisect_right(self.stretches, sent_s, key=attrgetter("sent_s")))

    def end_of(self, sent_s: float) -> float:
        """Find the time of an end."""
        return self._place(sent_s, bisect_left(self.stretches, sent_s, key=attrgetter("sent_s")))

    def _place(self, sent_s: float, after: int) -> float:
        stretch = self.stretches[max(0, after - 1)]
        return round(stretch.start_s + sent_s - stretch.sent_s, 3)

    def place(self, sentence: Sentence) -> Sentence:
        """Move a sentence with its words to where it is in the recording."""
        words = [it.model_copy(update=self._times(it)) for it in sentence.words]
        return sentence.model_copy(update={**self._times(sentence), "words": words})

    def _times(self, timed: Word | Sentence) -> dict[str, float | None]:
        start_s = None if timed.start_s is None else self.start_of(timed.start_s)
        end_s = None if timed.end_s is None else self.end_of(timed.end_s)
        if start_s is not None and end_s is not None:
            end_s = max(start_s, end_s)  # of what takes no time, where two stretches meet
        return {"start_s": start_s, "end_s": end_s}
