"""An image block, in any format that LangChain's users have → an `ImagePart`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pybase64

from langchain_qwen_audio._media.url_schemes import check_address, url_scheme
from langchain_qwen_audio._request.named_files import require_user
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


def read_image(block: Mapping[str, Any], role: str, where: str) -> ImagePart | None:
    """Read an image block; None if the block is not one.

    Raises:
        MessageError: It is one, and malformed.
    """
    found = _find_image(block)
    return ImagePart(image_url(*found, role, where)) if found else None


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


def image_url(value: Any, mime_type: str, role: str, where: str) -> str:
    """Make the URL of an image: http(s), data, or file if it is a user's.

    Args:
        value: A URL, base64 text, or bytes.
        mime_type: What it is said to be.
        role: Whose message it is in, since only users may name local files.
        where: What to call it in errors.

    Raises:
        MessageError: It is no image, or at a URL that is not fetched.
    """
    if isinstance(value, bytes | bytearray):
        value = pybase64.b64encode_as_string(value)
    scheme = url_scheme(value)
    if scheme == "file":
        require_user(role, where)
        return str(value)
    check_address(value, where)
    if scheme in {"http", "https"} or (scheme == "data" and value[5:11].lower() == "image/"):
        return str(value)
    if scheme or not isinstance(value, str) or not value:
        came = repr(value[:60]) if isinstance(value, str) else type(value).__name__
        raise MessageError(
            f"{where}: {came} came as an image; expected an http(s) URL, or base64 with a mime_type"
        )
    claimed = mime_type if mime_type.startswith("image/") else ""
    found = image_type(value) or claimed
    if not found:
        raise MessageError(
            f"{where}: an image block came, but {value[:16]!r} is not the beginning of a known "
            "image format; give its mime_type"
        )
    return f"data:{found};base64,{value}"


def image_type(base64: str) -> str:
    """Tell the MIME type of an image by how its base64 begins; "" if that is not known."""
    return next((kind for start, kind in _SIGNATURES.items() if re.match(start, base64)), "")
