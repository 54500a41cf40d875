"""What the stand-in answers by itself: the words it heard, under a marker that it is not Qwen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_qwen_audio.local._replies import Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio import Samples
    from langchain_qwen_audio.local._listen import Ear


def answer(recordings: "Sequence[Samples]", ear: "Ear") -> Reply:
    """Tell what is said in every recording of the conversation, in order. Blocks."""
    marker = f"[local stand-in: Whisper {ear.name}, not Qwen-Audio]"
    if not recordings:
        return Reply(f"{marker} I only transcribe audio, and this conversation has none.")
    heard = [_describe(ear.transcribe(samples)) for samples in recordings]
    if len(heard) > 1:
        heard = [f"Audio {number}: {words}" for number, words in enumerate(heard, 1)]
    return Reply(f"{marker} {' '.join(heard)}")


def _describe(transcript: str) -> str:
    return f'I heard: "{transcript}"' if transcript else "I heard nothing."
