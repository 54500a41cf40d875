"""Tool results: audio that a tool returned, and where it goes. Pure.

LangChain core writes a tool's audio blocks as JSON text, from which they are read back here.
"""

from __future__ import annotations

import json
from typing import Any

from langchain_qwen_audio._media.url_schemes import FETCHED_BY_SERVICE, url_scheme
from langchain_qwen_audio._request.content_blocks import find_audio
from langchain_qwen_audio._request.parts import ImagePart, Part, TextPart


def blocks_in_json(text: str) -> list[dict[str, Any]] | None:
    """Read back content blocks that LangChain core turned into JSON text.

    Returns:
        The blocks; None for anything but a whole list of text and audio, and for any mention of a
        local file, which stay text.
    """
    if text[:1] not in {"[", "{"}:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    blocks = found if isinstance(found, list) else [found]
    if not all(isinstance(block, dict) for block in blocks):
        return None
    audios = [audio for block in blocks if (audio := find_audio(block))]
    texts = [block for block in blocks if block.get("type") == "text"]
    if not audios or len(audios) + len(texts) != len(blocks):
        return None
    if not all(it.is_base64_field or url_scheme(it.value) in FETCHED_BY_SERVICE for it in audios):
        return None
    return blocks


def split_media(content: list[Part]) -> tuple[list[Part], list[Part]]:
    """Split the content of a tool's message into what it keeps, and media for a user's message.

    Only users' audio and images are documented to be taken. A tool's message keeps some text.
    """
    media: list[Part] = [part for part in content if not isinstance(part, TextPart)]
    texts: list[Part] = [part for part in content if isinstance(part, TextPart)]
    if media and not texts:
        kind = "image" if isinstance(media[0], ImagePart) else "audio"
        texts = [TextPart(f"[{kind}: see the next message]")]
    return texts, media
