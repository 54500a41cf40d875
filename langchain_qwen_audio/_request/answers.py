"""Answers of the history, of any provider → content: a text, or content blocks. Pure.

What an answer says may be outside of its content. ChatOpenAI puts the transcript of speech into
`additional_kwargs["audio"]`, and a refusal beside it; what else there is, LangChain core finds
(`content_blocks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import AIMessage

_BESIDE_CONTENT = {"refusal", "audio"}


def content_of_answer(message: AIMessage, where: str) -> str | Sequence[Mapping[str, Any]]:
    """Take the content of an answer apart.

    Raises:
        MessageError: LangChain cannot read its blocks.
    """
    is_string = isinstance(message.content, str)
    if is_string and message.text:
        return message.text
    blocks = standard_blocks(message, where)
    if message.text:
        return blocks
    is_beside = any(block["type"] in _BESIDE_CONTENT for block in blocks)
    more = [*_speech(message), *(() if is_beside else _refusal(message))]
    return [*blocks, *more] if more or is_beside or not is_string else ""


def standard_blocks(message: AIMessage, where: str) -> Sequence[Mapping[str, Any]]:
    """Read other providers' answers, in whatever format, by LangChain's own translators.

    Raises:
        MessageError: LangChain cannot read them.
    """
    try:
        return message.content_blocks
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise MessageError(
            f"{where}: an answer came whose content LangChain cannot read: "
            f"{type(error).__name__}: {error}"
        ) from error


def _speech(message: AIMessage) -> Iterator[dict[str, Any]]:
    """Find what ChatOpenAI's answer says aloud: as words, or else as audio."""
    match message.additional_kwargs.get("audio"):
        case {"transcript": str(transcript)} if transcript:
            yield {"type": "text", "text": transcript}
        case {"data": str(data)} if data:
            yield {"type": "audio", "base64": data}


def _refusal(message: AIMessage) -> Iterator[dict[str, Any]]:
    """Find a refusal in OpenAI's form; of other providers that have it, LangChain does not."""
    match message.additional_kwargs.get("refusal"):
        case str(refusal) if refusal:
            yield {"type": "text", "text": refusal}
