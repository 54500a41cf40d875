"""Messages with audio → messages that name stored recordings, and back. Pure.

A stored recording is two blocks: a text that names it, and a standard audio block whose `file_id`
is its id (of a tool's result a file block, since LangChain core takes no audio there). The text
stays, so that summaries of a conversation keep the name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_qwen_audio._agent_memory.recordings import is_recording_id
from langchain_qwen_audio._request.content_blocks import find_audio, read_block, unwrap
from langchain_qwen_audio._request.parts import AudioPart
from langchain_qwen_audio._request.tool_results import blocks_in_json
from langchain_qwen_audio.errors import QwenAudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from langchain_qwen_audio.audio import Audio

_Block = str | dict[str, Any]


def stored_blocks(recording_id: str, duration_s: float, mime_type: str) -> list[dict[str, Any]]:
    """Write the blocks of a stored recording."""
    return [
        {"type": "text", "text": f"[{recording_id}: {duration_s:.1f} s]"},
        stored_block(recording_id, duration_s, mime_type),
    ]


def stored_block(recording_id: str, duration_s: float, mime_type: str) -> dict[str, Any]:
    """Write the audio block of a stored recording."""
    extras = {"duration_s": round(duration_s, 3)}
    return {"type": "audio", "file_id": recording_id, "mime_type": mime_type, "extras": extras}


def recording_in(block: object) -> str | None:
    """Find the id of the stored recording that a block names; None if it names none."""
    match block:
        case {"type": "audio" | "file", "file_id": str(found)} if is_recording_id(found):
            return found
    return None


def recordings_in(messages: Iterable[BaseMessage]) -> list[str]:
    """List the stored recordings that messages name, each once."""
    found = (recording_in(block) for message in messages for block in _blocks(message))
    return list(dict.fromkeys(it for it in found if it))


def audio_in(block: object) -> Audio | None:
    """Take the sound that is in a block; None where there is none, or none that can be read.

    What cannot be read is left for the model, whose error says what is wrong.
    """
    if not isinstance(block, dict) or find_audio(unwrap(block)) is None:
        return None
    try:
        part = read_block(block, "user", "audio")
        if not isinstance(part, AudioPart):
            return None
        _ = part.audio.duration_s
    except QwenAudioError:
        return None
    return part.audio


def with_blocks(
    message: BaseMessage, replace: Callable[[Any], list[dict[str, Any]] | None]
) -> BaseMessage:
    """Replace blocks of a message; the same message if none is replaced.

    Args:
        message: The message.
        replace: Gives what stands in place of a block; None for a block that stays.
    """
    replaced = [(block, replace(block)) for block in _blocks(message)]
    if all(new is None for _, new in replaced):
        return message
    content: list[_Block] = []
    for block, new in replaced:
        content += [block] if new is None else new
    return message.model_copy(update={"content": content})


def with_sound(messages: Sequence[BaseMessage], sounds: Mapping[str, Audio]) -> list[BaseMessage]:
    """Put the sound of stored recordings into messages, as standard blocks.

    Of what the model itself has spoken, the words go back to it, and the sound only where there are
    none.
    """

    def sound_of(block: Any) -> list[dict[str, Any]] | None:
        recording_id = recording_in(block)
        return [sounds[recording_id].to_block()] if recording_id else None

    def leave_out(block: Any) -> list[dict[str, Any]] | None:
        return [] if recording_in(block) else None

    return [with_blocks(it, leave_out if is_answer_in_words(it) else sound_of) for it in messages]


def is_answer_in_words(message: BaseMessage) -> bool:
    """Tell an answer of a model that has words, beside its sound if it was spoken."""
    return isinstance(message, AIMessage) and bool(message.text.strip())


def with_transcripts(message: BaseMessage, transcripts: Mapping[str, str]) -> BaseMessage:
    """Put transcripts in the place of stored recordings."""

    def transcript_of(block: Any) -> list[dict[str, Any]] | None:
        recording_id = recording_in(block)
        if recording_id is None or recording_id not in transcripts:
            return None
        text = transcripts[recording_id] or "(nobody speaks)"
        return [{"type": "text", "text": f"[Transcript of {recording_id}: {text}]"}]

    return with_blocks(message, transcript_of)


def older_than(messages: Sequence[BaseMessage], turns: int) -> Sequence[BaseMessage]:
    """Take the messages before the last `turns` turns; a turn begins with a message of the user."""
    starts = [at for at, it in enumerate(messages) if isinstance(it, HumanMessage)]
    if turns == 0:
        return messages
    return messages[: starts[-turns]] if len(starts) >= turns else []


def seconds_in(messages: Iterable[BaseMessage]) -> list[float]:
    """List how long the recordings of messages are, stored or not."""
    lengths = (_length_in(block) for message in messages for block in _blocks(message))
    return [it for it in lengths if it is not None]


def _length_in(block: object) -> float | None:
    if isinstance(block, dict) and recording_in(block):
        return _stored_length(block)
    audio = audio_in(block)
    return None if audio is None else audio.duration_s


def _stored_length(block: dict[str, Any]) -> float:
    """Read the length that `stored_block` has written, in a block that anybody may have."""
    match block:
        case {"extras": {"duration_s": int() | float() as length_s}} if math.isfinite(length_s):
            return float(length_s)
    return 0.0


def without_sound(message: BaseMessage) -> BaseMessage:
    """Leave out the blocks of recordings, stored or not; what names them stays."""
    return with_blocks(message, lambda block: [] if _length_in(block) is not None else None)


def _blocks(message: BaseMessage) -> list[Any]:
    """List the blocks of a message, also of a tool's, which LangChain core writes as JSON text."""
    content = message.content
    if isinstance(message, ToolMessage) and isinstance(content, str):
        return blocks_in_json(content) or []
    return content if isinstance(content, list) else []
