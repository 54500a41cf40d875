"""What the stand-in answers by itself: the words it heard, under a marker that it is not Qwen.

Offered tools, or asked for JSON, it acts by the rules in `_tools`, and then answers in words again.
Asked for speech recognition, it gives the words alone, and tells in `model` who heard them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from langchain_qwen_audio.local import _tools, _voice
from langchain_qwen_audio.local._question import Question
from langchain_qwen_audio.local._replies import Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio import Samples
    from langchain_qwen_audio.local._listen import Ear

_THOUGHTS = "[local stand-in: no thoughts, only Whisper]"


def answer(question: Question, recordings: "Sequence[Samples]", ear: "Ear") -> Reply:
    """Call tools, write JSON, or tell what tools returned and what is said in recordings. Blocks.

    Args:
        question: What is asked, of whom.
        recordings: Every recording of the conversation, in order.
        ear: What to listen with.
    """
    if question.model.family == "asr":
        # It judges no feelings, so the annotation has no emotion. The .en models know one language.
        return Reply(
            ear.transcribe(recordings[0]),
            annotations=[{"type": "audio_info", "language": "en"}],
            model=f"local-stand-in/whisper-{ear.name}",
        )
    reply = _act(question, recordings, ear) or _tell(question, recordings, ear)
    return replace(
        reply,
        reasoning=_THOUGHTS if question.thinking else "",
        audio=_voice.speak() if question.speech else b"",
    )


def _act(question: Question, recordings: "Sequence[Samples]", ear: "Ear") -> Reply | None:
    """Call tools or write JSON, if that is to be done."""

    def hear(count: int) -> list[str]:
        return [ear.transcribe(samples) for samples in _last(recordings, count)]

    if question.tools and (calls := _tools.choose_calls(question.messages, hear)):
        return Reply(tool_calls=calls)
    act = _tools.write_json if question.tools else _tools.act
    written = act(question.messages, hear)
    return None if written is None else Reply(written)


def _tell(question: Question, recordings: "Sequence[Samples]", ear: "Ear") -> Reply:
    """Answer in words."""
    name = "Qwen-Audio" if question.model.family == "qwen-audio" else question.name
    marker = f"[local stand-in: Whisper {ear.name}, not {name}]"
    last = question.messages[-1:]
    told = [f'A tool said: "{text}"' for text in _tools.responses(last[0])]
    if told:
        recordings = _last(recordings, _tools.count_audio(last))
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
