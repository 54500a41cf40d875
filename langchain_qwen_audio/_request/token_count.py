"""Text and messages → how many tokens they are, with no request and no download."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, assert_never

from langchain_qwen_audio._request.clips import read_local_file
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    ImagePart,
    Part,
    RequestMessage,
    TextPart,
)

if TYPE_CHECKING:
    from langchain_qwen_audio._request.clips import ClipOptions
    from langchain_qwen_audio.audio import Audio


@functools.cache
def _tokenizer() -> Any:
    from dashscope import get_tokenizer

    return get_tokenizer("qwen-turbo")  # a file within the SDK


def token_ids(text: str) -> list[int]:
    """Make the tokens of a text, as Qwen's tokenizer does."""
    tokens: list[int] = _tokenizer().encode(text)
    return tokens


def count_tokens(messages: list[RequestMessage[Part]], options: ClipOptions) -> int:
    """Count the tokens of messages: text by Qwen's tokenizer, audio by its length.

    A clip at a URL, whose length is not known here, counts as the longest that the model takes.
    """
    return sum(_count_message(message, options) for message in messages)


def _count_message(message: RequestMessage[Part], options: ClipOptions) -> int:
    calls = json.dumps(message.tool_calls, ensure_ascii=False) if message.tool_calls else ""
    texts = [text for text in (message.reasoning, calls) if text]
    tokens = sum(len(token_ids(text)) for text in texts)
    return tokens + sum(_count_part(part, options) for part in message.content)


def _count_part(part: Part, options: ClipOptions) -> int:
    match part:
        case TextPart(text):
            return len(token_ids(text))
        case AudioPart(audio):
            return _count_clip(audio, options)
        case AudioUrlPart(url):
            return _count_clip(read_local_file(url, options), options)
        case ImagePart():
            return 0
        case _:
            assert_never(part)


def _count_clip(clip: Audio | None, options: ClipOptions) -> int:
    profile = options.profile
    length_s = clip.duration_s if clip else profile.max_clip_s
    if options.long_audio == "truncate":
        length_s = min(length_s, profile.max_clip_s)
    return profile.clip_tokens(length_s)
