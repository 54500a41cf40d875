"""Base64 as people and programs write it → the bytes. Pure."""

from __future__ import annotations

import binascii

import pybase64

from langchain_qwen_audio.errors import AudioError

MAX_BASE64_CHARS = 256 * 1024 * 1024  # more than this is not a clip in a message but an accident


def decode_base64(text: str, name: str) -> tuple[bytes, bool]:
    """Decode base64, standard or URL-safe, padded or not, in lines or not.

    Args:
        text: The base64.
        name: What to call it in errors.

    Returns:
        The bytes, and whether the text is the standard form of them.

    Raises:
        AudioError: The text is not base64, empty, or longer than any clip.
    """
    if len(text) > MAX_BASE64_CHARS:
        raise AudioError(
            f"{name}: {len(text):,} characters of base64 came, at most {MAX_BASE64_CHARS:,} "
            "are taken; pass a file:// or https:// URL instead"
        )
    is_standard = True
    try:
        data = pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data, is_standard = _decode_loosely(text, name), False
    if not data:
        raise AudioError(f"{name}: the base64 text is empty, expected a recording")
    return data, is_standard


def _decode_loosely(text: str, name: str) -> bytes:
    """Decode base64 with line breaks, in the URL-safe alphabet, or without its padding."""
    bare = "".join(text.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return pybase64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise AudioError(
            f"{name}: {text[:40]!r}… came where base64 is expected ({error}); for a local file "
            "use Audio.from_path(path).to_block()"
        ) from error
