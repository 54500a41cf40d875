"""One content block, in any dialect that LangChain's users have → one element.

Pure: no I/O and no SDK. An element is exactly one of

    {"text": str}
    {"audio": Audio}    a clip that came as bytes
    {"audio": str}      a reference: http(s)://, oss://, or, from a user only, file://
    {"image": str}      an http(s) URL or a data URI
"""

from __future__ import annotations

import mimetypes
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import pybase64

from langchain_qwen_audio._media_types import normalize_mime_type
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_qwen_audio.errors import MessageError

Element: TypeAlias = dict[str, Any]

_TAKES = (
    "this model takes text and audio; audio as {'type': 'audio', 'base64': …, 'mime_type': …} "
    "or {'type': 'audio', 'url': …}"
)
REMOTE = {"http", "https", "oss"}
# How files begin, in base64, as regular expressions.
_IMAGE_SIGNS = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR.{7}RUJQ": "image/webp",  # RIFF….EBP; other RIFF files are recordings
    "Qk": "image/bmp",
}


def standard(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap what LangChain core wraps because it does not know it."""
    if block.get("type") == "non_standard" and isinstance(block.get("value"), dict):
        value: Mapping[str, Any] = block["value"]
        return value
    return block


def encode_block(
    block: Mapping[str, Any], role: str, where: str, *, images: bool = False
) -> Element:
    """Make the element of a block.

    Args:
        block: In any dialect.
        role: Whose message it is in, since only users name local files.
        where: What to call it in errors.
        images: Whether the model sees images.

    Raises:
        MessageError: It is of a kind that the model does not take, or malformed.
        AudioError: Its base64 is none.
    """
    block = standard(block)
    if block.get("type") in {"text", "text-plain", None} and isinstance(block.get("text"), str):
        return {"text": block["text"]}
    if images and (image := _find_image(block)):
        return {"image": _encode_image(*image, where)}
    found = find_audio(block)
    if found is None:
        kind = block.get("type") or "/".join(map(str, block))
        raise refusal(where, f"a block of type {kind!r} came; {_TAKES}")
    value, inline, mime_type = found
    if not value:
        raise refusal(where, f"an audio block without audio came; {_TAKES}")
    if isinstance(value, bytes | bytearray):
        return {"audio": Audio.from_bytes(value, mime_type=mime_type, name=where)}
    if not isinstance(value, str):
        raise refusal(where, f"audio came as {type(value).__name__}, expected str or bytes")
    if inline and not scheme(value):
        return {"audio": Audio.from_base64(value, mime_type=mime_type, name=where)}
    return {"audio": _encode_url(value, role, where)}


def find_audio(block: Mapping[str, Any]) -> tuple[Any, bool, str] | None:
    """Find the recording in a block of any dialect.

    Returns:
        The recording (a URL, base64 text or bytes), whether its place is one for base64 text
        (where people put URLs too), and its claimed MIME type; None if it is no block of audio.
    """
    mime_type = str(block.get("mime_type") or "")
    kind = block.get("type")
    match block:
        case {"type": "input_audio", "input_audio": {"data": value, **rest}}:  # OpenAI
            return value, True, f"audio/{rest['format']}" if rest.get("format") else ""
        case {"type": "audio_url", "audio_url": {"url": value} | str(value)}:  # vLLM and others
            return value, False, ""
        case {"audio": value} if kind in {"audio", None}:  # DashScope's own
            return value, False, mime_type
        case {"type": "file", "file": {"file_data": str(value), **rest}}:  # OpenAI
            named = mimetypes.guess_type(str(rest.get("filename")))[0] or ""
            return (value, True, "") if _is_audio(value[5:80]) or _is_audio(named) else None
        case {"type": "file", "mime_type": "application/pdf", "base64": str(value)}:
            # LangChain core calls every file in OpenAI's dialect a PDF; PDFs begin "%PDF-".
            return None if value.startswith("JVBERi") else (value, True, "")
    if kind != "audio" and not (kind in {"media", "file"} and _is_audio(mime_type)):
        return None
    for key in ("base64", "data", "url", "file_uri", "file_id", "id"):
        # `id` names the recording only in LangChain v0's source_type "id".
        if block.get(key) and (key != "id" or block.get("source_type") == "id"):
            return block[key], key in {"base64", "data"}, mime_type
    return None, False, mime_type


def _is_audio(mime_type: str) -> bool:
    return normalize_mime_type(mime_type).startswith("audio/")


def scheme(value: Any) -> str:
    """Read a URL's scheme; a Windows drive (`C:`) is none."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", value[:40]) if isinstance(value, str) else None
    return match[1].lower() if match else ""


def _encode_url(url: str, role: str, where: str) -> Audio | str:
    kind = scheme(url)
    if kind in REMOTE:
        return kind + url[len(kind) :]
    if kind == "data":
        return _decode_data_uri(url, where)
    if kind == "file" and role == "user":
        return url
    if kind == "file":
        raise refusal(
            where,
            f"a file:// URL came in a message of role {role!r}; files are read for users only, "
            "since an answer or a tool may name any path",
        )
    raise refusal(
        where,
        f"{url[:200]!r} came where a URL is expected (http://, https://, oss://, data: or "
        "file://); for a local file use Audio.from_path(path).to_block(), or "
        "Path(path).resolve().as_uri()",
    )


def _decode_data_uri(uri: str, where: str) -> Audio:
    header, comma, text = uri.partition(",")
    if not comma or not header.lower().endswith(";base64"):
        raise refusal(where, f"the data URI begins {uri[:40]!r}, expected 'data:<type>;base64,…'")
    return Audio.from_base64(text, mime_type=header[5:-7], name=where)


def _find_image(block: Mapping[str, Any]) -> tuple[Any, str] | None:
    """Find the image in a block, as URL, base64 text or bytes, and what it claims to be."""
    mime_type = str(block.get("mime_type") or "")
    match block:
        case {"type": "image_url", "image_url": {"url": value} | str(value)}:  # OpenAI
            return value, mime_type
        case {"image": value} if block.get("type") in {"image", None}:  # DashScope's own
            return value, mime_type
        case {"type": "image"}:
            keys = ("url", "base64", "data")
            return next((block[key] for key in keys if block.get(key)), ""), mime_type
    return None


def _encode_image(value: Any, mime_type: str, where: str) -> str:
    if isinstance(value, bytes | bytearray):
        value = pybase64.b64encode_as_string(value)
    kind = scheme(value)
    if kind in {"http", "https"} or (kind == "data" and value[5:11].lower() == "image/"):
        return str(value)
    if kind or not isinstance(value, str) or not value:
        raise refusal(
            where,
            f"{str(value)[:60]!r} came as an image; expected an http(s) URL, or base64 with a "
            "mime_type",
        )
    claimed = mime_type if mime_type.startswith("image/") else ""
    found = next((kind for sign, kind in _IMAGE_SIGNS.items() if re.match(sign, value)), claimed)
    if not found:
        raise refusal(where, f"an image came that is none, as far as {value[:16]!r} tells")
    return f"data:{found};base64,{value}"


def refusal(where: str, message: str) -> MessageError:
    # Imported here because the error classes import the SDK.
    from langchain_qwen_audio.errors import MessageError

    return MessageError(f"{where}: {message}")
