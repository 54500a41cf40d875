"""Sentences → windows of about so many seconds, which no long silence is within. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio.transcripts import Sentence, Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW_S = 60.0
MAX_GAP_S = 5.0


def split_windows(
    sentences: Sequence[Sentence], window_s: float = WINDOW_S, max_gap_s: float = MAX_GAP_S
) -> list[list[Sentence]]:
    """Put sentences into windows, in their order.

    A sentence whose time is not known begins where the one before it ends.

    Args:
        sentences: The sentences of a recording.
        window_s: Seconds of the longest window; a longer sentence is one by itself.
        max_gap_s: Seconds of the longest silence within a window.
    """
    windows: list[list[Sentence]] = []
    first_s = last_s = 0.0
    for sentence in sentences:
        start_s = last_s if sentence.start_s is None else sentence.start_s
        end_s = start_s if sentence.end_s is None else sentence.end_s
        is_near = start_s - last_s <= max_gap_s and end_s - first_s <= window_s
        if windows and is_near:
            windows[-1].append(sentence)
            last_s = max(last_s, end_s)
        else:
            windows.append([sentence])
            first_s, last_s = start_s, end_s
    return windows


def join_window(sentences: Sequence[Sentence]) -> Sentence:
    """Join the sentences of a window into one; what they do not have in common is None.

    Where several speak, its text has a paragraph for each turn, with its speaker.
    """
    joined = Sentence.joined(sentences)
    text = Transcript(text=joined.text, sentences=[*sentences]).to_text()
    return joined.model_copy(update={"text": text})
