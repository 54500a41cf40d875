"""A recording and a question → lines of JSON: the answer while it comes, then what it cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks

from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.costs import Cost
from langchain_qwen_audio.errors import QwenAudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.messages import AIMessageChunk

    from langchain_qwen_audio.chat_models import ChatQwenAudio


async def make_question(audio: Audio, question: str) -> HumanMessage:
    """Write the message of a question; without a text, the recording alone is one.

    Raises:
        AudioError: It is no recording.
    """
    block = await audio.ato_block()
    texts = [{"type": "text", "text": question}] if question.strip() else []
    return HumanMessage([block, *texts])


async def stream_answer(model: ChatQwenAudio, message: HumanMessage) -> AsyncIterator[str]:
    """Yield an answer line by line; an error is the last line.

    Yields:
        `{"text": …}` for more of the answer, then its facts, then `{"speech": …}` if it is
        spoken. An answer whose speech is missing was paid too, so that its facts come before that.
    """
    chunks: list[AIMessageChunk] = []
    try:
        async for chunk in model.astream([message]):
            chunks.append(chunk)
            if chunk.text:
                yield _line(text=chunk.text)
        answer = add_ai_message_chunks(*chunks)
        yield _line(**facts_of(answer))
        if model.modalities:
            yield _line(speech=Audio.from_message(answer).base64)
    except QwenAudioError as error:
        yield _line(error=str(error))


def facts_of(answer: AIMessage) -> dict[str, Any]:
    """Say how many tokens an answer took, if it says so, and what it cost."""
    facts: dict[str, Any] = {"cost": str(Cost.of(answer))}
    if usage := answer.usage_metadata:
        facts |= {
            "input_tokens": usage["input_tokens"],
            "audio_tokens": usage.get("input_token_details", {}).get("audio", 0),
            "output_tokens": usage["output_tokens"],
        }
    return facts


def _line(**fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False) + "\n"
