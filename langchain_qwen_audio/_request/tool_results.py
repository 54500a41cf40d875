"""Tool results: audio and videos that a tool returned, and where they go. Pure.

LangChain core writes a tool's blocks of audio and video as JSON text, and LangGraph lists in which
texts are not blocks. They are read back here.
"""

from __future__ import annotations

import json
import re
from typing import Any, assert_never

from langchain_qwen_audio._media.url_schemes import FETCHED_BY_SERVICE, url_scheme
from langchain_qwen_audio._request.content_blocks import find_audio
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    FramesPart,
    ImagePart,
    Part,
    TextPart,
    VideoPart,
)
from langchain_qwen_audio._request.videos import find_video
from langchain_qwen_audio.errors import MessageError

_AUDIO_IN_LIST = re.compile(r"[\[({].*<Audio '.*': [\d,]+ bytes.*>.*[\])}]\Z", re.DOTALL)
_IN_REQUEST = {"http", "https", "data"}  # URLs that name no file of this machine


def blocks_in_json(text: str, *, video_inputs: bool = False) -> list[dict[str, Any]] | None:
    """Read back content blocks that LangChain core turned into JSON text.

    Args:
        text: What a tool returned.
        video_inputs: Whether the model takes videos; if not, they stay text.

    Returns:
        The blocks; None for anything but a whole list of text, audio and videos, and for any
        mention of a local file, which stay text.
    """
    if text[:1] not in {"[", "{"}:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    items = found if isinstance(found, list) else [found]
    blocks = [{"type": "text", "text": it} if isinstance(it, str) else it for it in items]
    if not all(isinstance(block, dict) for block in blocks):
        return None
    texts = [block for block in blocks if block.get("type") == "text"]
    media = [block for block in blocks if _is_media(block, video_inputs=video_inputs)]
    return blocks if media and len(media) + len(texts) == len(blocks) else None


def check_result(text: str, where: str) -> None:
    """Require that LangChain core has not written an `Audio` as text, as it does in lists.

    Raises:
        MessageError: It has.
    """
    if "<Audio " in text and _AUDIO_IN_LIST.match(text):
        raise MessageError(
            f"{where}: a tool returned an Audio within something else, which LangChain turned into "
            f"text: {text[:100]!r}; return the Audio alone, or a list with audio.to_tool_block(), "
            "or use AudioMiddleware, which takes lists with an Audio"
        )


def _is_media(block: dict[str, Any], *, video_inputs: bool) -> bool:
    """Tell audio, and videos that the model takes, whose bytes are here or at a public URL."""
    if video := find_video(block) if video_inputs else None:
        is_public = bool(video.values) and {*map(url_scheme, video.values)} <= _IN_REQUEST
        return video.is_base64_field or is_public
    audio = find_audio(block)
    if audio is None:
        return False
    return audio.is_base64_field or url_scheme(audio.value) in FETCHED_BY_SERVICE


def split_media(content: list[Part]) -> tuple[list[Part], list[Part]]:
    """Split the content of a tool's message into what it keeps, and media for a user's message.

    Only users' audio, images and videos are documented to be taken. A tool's message keeps a text.
    """
    media: list[Part] = [part for part in content if not isinstance(part, TextPart)]
    texts: list[Part] = [part for part in content if isinstance(part, TextPart)]
    if media and not texts:
        texts = [TextPart(f"[{_kind(media[0])}: see the next message]")]
    return texts, media


def _kind(part: Part) -> str:
    match part:
        case TextPart():
            return "text"
        case ImagePart():
            return "image"
        case VideoPart() | FramesPart():
            return "video"
        case AudioPart() | AudioUrlPart():
            return "audio"
        case _:
            assert_never(part)
