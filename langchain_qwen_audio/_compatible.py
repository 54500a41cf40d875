"""Prepared messages → what the OpenAI-compatible protocol takes. Pure.

The SDK writes messages in that protocol itself, but for parts of type "audio_url", which servers of
one's own take (vLLM, SGLang) and which it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio._blocks import Element
    from langchain_qwen_audio._encode import WireMessage


def compatible(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Write what only holds text as a string, as every such server takes it.

    What an answer in the history said goes back as its text: the compatible protocol takes no
    audio there, and a spoken answer's text says the same.
    https://help.aliyun.com/zh/model-studio/qwen-omni

    Raises:
        MessageError: An answer in the history has audio and no text.
    """
    return [
        {**message, "content": _content(message, f"messages[{index}]")}
        for index, message in enumerate(messages)
    ]


def _content(message: WireMessage, where: str) -> str | list[Element]:
    content: list[Element] = message["content"]
    texts = [element["text"] for element in content if "text" in element]
    if message["role"] == "assistant" and len(texts) < len(content):
        if not any(texts) or any("image" in element for element in content):
            from langchain_qwen_audio.errors import MessageError

            raise MessageError(
                f"{where}: an answer came that has audio and no text, or an image; this model "
                "takes the answers of a conversation as text"
            )
        return "".join(texts)
    if len(texts) == len(content) and (len(texts) < 2 or message["role"] != "user"):
        return "".join(texts)
    return content


def audio_url_messages(messages: Sequence[WireMessage]) -> list[dict[str, Any]]:
    """Write messages whole, with clips as parts of type "audio_url"."""
    return [
        {
            **message,
            "content": message["content"]
            if isinstance(message["content"], str)
            else [_part(element) for element in message["content"]],
        }
        for message in messages
    ]


def _part(element: Element) -> dict[str, Any]:
    match element:
        case {"text": text}:
            return {"type": "text", "text": text}
        case {"image": url}:
            return {"type": "image_url", "image_url": {"url": url}}
    audio = element["audio"]
    return {"type": "audio_url", "audio_url": {"url": audio.get("url") or audio["data"]}}
