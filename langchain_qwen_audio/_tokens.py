"""Text and messages → how many tokens they are, with no request and no download."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._prepare import open_clip

if TYPE_CHECKING:
    from langchain_qwen_audio._encode import WireMessage
    from langchain_qwen_audio._prepare import Rules


@functools.cache
def _tokenizer() -> Any:
    from dashscope import get_tokenizer

    return get_tokenizer("qwen-turbo")  # a file within the SDK


def encode_text(text: str) -> list[int]:
    """Make the tokens of a text, as Qwen's tokenizer does."""
    tokens: list[int] = _tokenizer().encode(text)
    return tokens


def count_tokens(messages: list[WireMessage], rules: Rules) -> int:
    """Count the tokens of encoded messages: text by Qwen's tokenizer, audio by its length.

    A recording at a URL, whose length is not known here, counts as the longest clip that is heard.
    """
    return sum(_count_message(message, rules) for message in messages)


def _count_message(message: WireMessage, rules: Rules) -> int:
    tokens = 0
    for element in message["content"]:
        if "text" in element:
            tokens += len(encode_text(element["text"]))
        elif "audio" in element:
            clip = open_clip(element["audio"], rules)
            length_s = clip.duration_s if clip else rules.profile.max_clip_s
            if rules.long_audio == "truncate":
                length_s = min(length_s, rules.profile.max_clip_s)
            tokens += rules.profile.clip_tokens(length_s)
    for key in ("reasoning_content", "tool_calls"):
        if said := message.get(key):
            text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
            tokens += len(encode_text(text))
    return tokens
