"""What the stand-in answers by itself: the words it heard, under a marker that it is not Qwen.

Offered tools, or asked for JSON, it acts by the rules in `_tools`, and then answers in words again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_qwen_audio.local import _tools
from langchain_qwen_audio.local._replies import Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio import Samples
    from langchain_qwen_audio.local._listen import Ear


def answer(
    messages: "Sequence[_tools.Message]", recordings: "Sequence[Samples]", ear: "Ear"
) -> Reply:
    """Call tools, write JSON, or tell what tools returned and what is said in recordings. Blocks.

    Args:
        messages: The conversation, as on the wire.
        recordings: Every recording of it, in order.
        ear: What to listen with.
    """

    def hear(count: int) -> list[str]:
        return [ear.transcribe(samples) for samples in _last(recordings, count)]

    written = _tools.act(messages, hear)
    if written is not None:
        return Reply(written)
    marker = f"[local stand-in: Whisper {ear.name}, not Qwen-Audio]"
    told = [f'A tool said: "{text}"' for text in _tools.responses(messages[-1])]
    if told:
        recordings = _last(recordings, _tools.count_audio(messages[-1:]))
    elif not recordings:
        return Reply(f"{marker} I only transcribe audio, and this conversation has none.")
    heard = [_describe(ear.transcribe(samples)) for samples in recordings]
    if len(heard) > 1:
        heard = [f"Audio {number}: {words}" for number, words in enumerate(heard, 1)]
    return Reply(f"{marker} {' '.join([*told, *heard])}")


def _last(recordings: "Sequence[Samples]", count: int) -> "Sequence[Samples]":
    return recordings[len(recordings) - count :]


def _describe(transcript: str) -> str:
    return f'I heard: "{transcript}"' if transcript else "I heard nothing."
