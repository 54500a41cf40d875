"""An image block, in any format that LangChain's users have → an `ImagePart`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pybase64

from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio._request.parts import ImagePart
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# How files begin, in base64, as regular expressions.
_SIGNATURES = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR.{7}RUJQ": "image/webp",  # RIFF….EBP; other RIFF files are audio
    "Qk": "image/bmp",
}


def read_image(block: Mapping[str, Any], where: str) -> ImagePart | None:
    """Read an image block; None if the block is not one.

    Raises:
        MessageError: It is one, and malformed.
    """
    found = _find_image(block)
    return ImagePart(_image_url(*found, where)) if found else None


def _find_image(block: Mapping[str, Any]) -> tuple[Any, str] | None:
    """Find the image in a block, as URL, base64 text or bytes, and its claimed MIME type."""
    claimed = block.get("mime_type")
    mime_type = claimed if isinstance(claimed, str) else ""
    match block:
        case {"type": "image_url", "image_url": {"url": value} | str(value)}:  # OpenAI
            return value, mime_type
        case {"image": value} if block.get("type") in {"image", None}:  # DashScope's own
            return value, mime_type
        case {"type": "image"}:
            keys = ("url", "base64", "data")
            return next((block[key] for key in keys if block.get(key)), ""), mime_type
    return None


def _image_url(value: Any, mime_type: str, where: str) -> str:
    if isinstance(value, bytes | bytearray):
        value = pybase64.b64encode_as_string(value)
    scheme = url_scheme(value)
    if scheme in {"http", "https"} or (scheme == "data" and value[5:11].lower() == "image/"):
        return str(value)
    if scheme or not isinstance(value, str) or not value:
        came = repr(value[:60]) if isinstance(value, str) else type(value).__name__
        raise MessageError(
            f"{where}: {came} came as an image; expected an http(s) URL, or base64 with a mime_type"
        )
    claimed = mime_type if mime_type.startswith("image/") else ""
    kinds = (kind for signature, kind in _SIGNATURES.items() if re.match(signature, value))
    found = next(kinds, claimed)
    if not found:
        raise MessageError(
            f"{where}: an image block came, but {value[:16]!r} is not the beginning of a known "
            "image format; give its mime_type"
        )
    return f"data:{found};base64,{value}"
