"""One content block, in any format that LangChain's users have → one part. Pure."""

from __future__ import annotations

import binascii
import mimetypes
from typing import TYPE_CHECKING, Any, NamedTuple

import pybase64

from langchain_qwen_audio._media.mime_types import normalize_mime_type
from langchain_qwen_audio._media.unreadable import looks_like_sound
from langchain_qwen_audio._media.url_schemes import FETCHED_BY_SERVICE, check_address, url_scheme
from langchain_qwen_audio._models.profiles import UNDERSTANDING
from langchain_qwen_audio._request.images import read_image
from langchain_qwen_audio._request.made_clips import find_made_clip
from langchain_qwen_audio._request.named_files import require_user
from langchain_qwen_audio._request.other_formats import to_langchain_form
from langchain_qwen_audio._request.parts import AudioPart, AudioUrlPart, Part, TextPart
from langchain_qwen_audio._request.videos import find_video, read_video
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPECTED = (
    "this model takes text and audio; audio as {'type': 'audio', 'base64': …, 'mime_type': …} "
    "or {'type': 'audio', 'url': …}"
)

_FOR_VIDEOS = (
    f"; {UNDERSTANDING} takes videos, and Audio.from_path(video).to_block() is the sound of one"
)
_ANYTHING = {"application/octet-stream", "binary/octet-stream"}  # labels that say nothing
_SNIFFED = 32  # characters or bytes
_MAX_HEADER = 200  # of a data URI
_STANDARD_BASE64 = str.maketrans("-_", "+/")


class FoundAudio(NamedTuple):
    """The audio of a block.

    Attributes:
        value: A URL, base64 text, or bytes.
        is_base64_field: Whether its field is one for base64 text, where people put URLs too.
        mime_type: What the block says that it is.
    """

    value: Any
    is_base64_field: bool
    mime_type: str


def unwrap(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take out of its wrapper what LangChain core wrapped because it does not know it."""
    if block.get("type") == "non_standard" and isinstance(block.get("value"), dict):
        value: Mapping[str, Any] = block["value"]
        return value
    return block


def read_block(
    block: Mapping[str, Any],
    role: str,
    where: str,
    *,
    image_inputs: bool = False,
    video_inputs: bool = False,
) -> Part:
    """Make a part of a block.

    Args:
        block: In any format.
        role: Whose message it is in, since only users may name local files.
        where: What to call it in errors.
        image_inputs: Whether the model takes images.
        video_inputs: Whether the model takes videos.

    Raises:
        MessageError: It is of a kind that the model does not take, or malformed.
        AudioError: Its base64 cannot be decoded.
    """
    block = unwrap(block)
    check_kind(block, where)
    if block.get("type") in {"text", "text-plain", None} and isinstance(block.get("text"), str):
        return TextPart(block["text"])
    if image_inputs and (image := read_image(block, role, where)):
        return image
    if video_inputs and (video := read_video(block, role, where)):
        return video
    found = find_audio(block)
    if found is None:
        kind = block.get("type") or "/".join(map(str, block))
        more = _FOR_VIDEOS if find_video(block) and not video_inputs else ""
        raise MessageError(f"{where}: a block of type {kind!r} came; {_EXPECTED}{more}")
    return _read_audio(found, role, where)


def check_kind(block: Mapping[str, Any], where: str) -> None:
    """Require that the type of a block is a string, if it has one.

    Raises:
        MessageError: It is something else.
    """
    for name in ("type", "source_type"):
        value = block.get(name)
        if not isinstance(value, str | None):
            raise MessageError(
                f"{where}: a block whose {name} is a {type(value).__name__} came, expected a string"
            )


def find_audio(block: Mapping[str, Any]) -> FoundAudio | None:
    """Find the audio in a block of any format; None if it is not an audio block."""
    block = to_langchain_form(block)
    mime_type = _text_or_nothing(block.get("mime_type"))
    kind = block.get("type")
    if not isinstance(kind, str | None):
        return None
    match block:
        case {"type": "input_audio", "input_audio": {"data": value, **rest}}:  # OpenAI
            format_name = _text_or_nothing(rest.get("format"))
            claimed = f"audio/{format_name}" if format_name else ""
            return FoundAudio(value, is_base64_field=True, mime_type=claimed)
        case {"type": "audio_url", "audio_url": {"url": value} | str(value)}:  # vLLM and others
            return FoundAudio(value, is_base64_field=False, mime_type="")
        case {"audio": value} if kind in {"audio", None}:  # DashScope's own
            return FoundAudio(value, is_base64_field=False, mime_type=mime_type)
        case {"type": "file", "file": {"file_data": str(value), **rest}}:  # OpenAI
            named = mimetypes.guess_type(_text_or_nothing(rest.get("filename")))[0] or ""
            is_audio = _is_audio(value[5:80]) or _is_audio(named) or _is_sound(value)
            return FoundAudio(value, is_base64_field=True, mime_type="") if is_audio else None
        case {"type": "file", "mime_type": "application/pdf", "base64": str(value)}:
            # LangChain core calls every file in OpenAI's format a PDF; PDFs begin "%PDF-".
            is_pdf = value.startswith("JVBERi")
            return None if is_pdf else FoundAudio(value, is_base64_field=True, mime_type="")
    if kind != "audio" and not (kind in {"media", "file"} and _may_be_audio(block, mime_type)):
        return None
    for key in ("base64", "data", "url", "file_uri", "file_id", "id"):
        # `id` names the audio only in LangChain v0's source_type "id".
        if block.get(key) and (key != "id" or block.get("source_type") == "id"):
            return FoundAudio(block[key], key in {"base64", "data"}, mime_type)
    return FoundAudio(None, is_base64_field=False, mime_type=mime_type)


def _text_or_nothing(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _may_be_audio(block: Mapping[str, Any], mime_type: str) -> bool:
    """Judge a file by its content, and by its label only where that is not here."""
    if _is_audio(mime_type) or mime_type in _ANYTHING:
        return True
    return any(_is_sound(block.get(key)) for key in ("base64", "data", "url"))


def _is_sound(value: Any) -> bool:
    """Tell bytes, base64 and data URIs that begin as files with sound do."""
    if isinstance(value, bytes | bytearray):
        return looks_like_sound(bytes(value[:_SNIFFED]))
    if not isinstance(value, str):
        return False
    scheme = url_scheme(value)
    if scheme:
        header, _, value = value[:_MAX_HEADER].partition(",")
        if scheme != "data" or not header.lower().endswith(";base64"):
            return False
    head = value[:_SNIFFED].translate(_STANDARD_BASE64)
    try:
        return looks_like_sound(pybase64.b64decode(head[: len(head) // 4 * 4], validate=True))
    except (binascii.Error, ValueError):
        return False


def _is_audio(mime_type: str) -> bool:
    return normalize_mime_type(mime_type).startswith("audio/")


def _read_audio(found: FoundAudio, role: str, where: str) -> Part:
    value = found.value
    if not value:
        raise MessageError(f"{where}: an audio block without audio came; {_EXPECTED}")
    if isinstance(value, bytes | bytearray):
        return AudioPart(Audio.from_bytes(value, mime_type=found.mime_type, name=where))
    if not isinstance(value, str):
        raise MessageError(f"{where}: audio came as {type(value).__name__}, expected str or bytes")
    if made := find_made_clip(value):
        return made
    if found.is_base64_field and not url_scheme(value):
        return AudioPart(Audio.from_base64(value, mime_type=found.mime_type, name=where))
    return _read_url(value, role, where)


def _read_url(url: str, role: str, where: str) -> Part:
    scheme = url_scheme(url)
    check_address(url, where)
    if scheme in FETCHED_BY_SERVICE:
        return AudioUrlPart(scheme + url[len(scheme) :])
    if scheme == "data":
        return AudioPart(_decode_data_uri(url, where))
    if scheme == "file":
        require_user(role, where)
        return AudioUrlPart(url)
    stored = "; for what an AudioMiddleware has stored use its get_recording(file_id).to_block()"
    raise MessageError(
        f"{where}: {url[:200]!r} came where a URL is expected (http://, https://, oss://, data: "
        "or file://); for a local file use Audio.from_path(path).to_block()"
        f"{stored if url.startswith('audio-') else ''}"
    )


def _decode_data_uri(uri: str, where: str) -> Audio:
    header, comma, text = uri.partition(",")
    if not comma or not header.lower().endswith(";base64"):
        raise MessageError(
            f"{where}: the data URI begins {uri[:40]!r}, expected 'data:<type>;base64,…'"
        )
    return Audio.from_base64(text, mime_type=header[5:-7], name=where)
