"""A video block, in any format that LangChain's users have → a `VideoPart` or `FramesPart`. Pure.

https://help.aliyun.com/zh/model-studio/qwen-omni
"""

from __future__ import annotations

import binascii
import re
import reprlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pybase64

from langchain_qwen_audio._media.url_schemes import check_address, url_scheme
from langchain_qwen_audio._request.images import image_url
from langchain_qwen_audio._request.named_files import require_user
from langchain_qwen_audio._request.parts import FramesPart, VideoPart
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# How files begin, as regular expressions.
_SIGNATURES = {
    rb".{4}ftypqt": "video/quicktime",
    rb".{4}ftyp": "video/mp4",
    rb"RIFF.{4}AVI ": "video/x-msvideo",
    rb"\x1a\x45\xdf\xa3": "video/x-matroska",
    rb"FLV": "video/x-flv",
    rb"\x30\x26\xb2\x75": "video/x-ms-wmv",
}
_DATA_URI = re.compile(r"data:(video/[^,]*)?;base64,", re.IGNORECASE)
_SAMPLING = ("fps", "min_pixels", "max_pixels", "total_pixels")


class FoundVideo(NamedTuple):
    """The video of a block.

    Attributes:
        values: A URL, base64 text or bytes; of frames, one for each.
        is_frames: Whether it came as a list of images.
        is_base64_field: Whether its field is one for base64 text, where people put URLs too.
        mime_type: What the block says that it is.
    """

    values: tuple[Any, ...]
    is_frames: bool = False
    is_base64_field: bool = False
    mime_type: str = ""


def find_video(block: Mapping[str, Any]) -> FoundVideo | None:
    """Find the video in a block of any format; None if it is not a video block."""
    claimed = block.get("mime_type")
    mime_type = claimed if isinstance(claimed, str) else ""
    match block:
        case {"type": "video_url", "video_url": {"url": value} | str(value)}:  # OpenAI's servers
            return FoundVideo((value,))
        case {"video": list(frames)} if block.get("type") in {"video", None}:  # DashScope's own
            return FoundVideo(tuple(frames), is_frames=True)
        case {"video": value} if block.get("type") in {"video", None}:
            return FoundVideo((value,), mime_type=mime_type)
        case {"type": "video"}:
            keys = ("url", "base64", "data")
            key = next((key for key in keys if block.get(key)), "url")
            is_base64 = key != "url"
            return FoundVideo((block.get(key),), is_base64_field=is_base64, mime_type=mime_type)
    return None


def read_video(block: Mapping[str, Any], role: str, where: str) -> VideoPart | FramesPart | None:
    """Read a video block; None if the block is not one.

    Raises:
        MessageError: It is one, and malformed.
    """
    found = find_video(block)
    if found is None:
        return None
    sampling = _read_sampling(block, where)
    if not found.is_frames:
        return VideoPart(_video_url(found, block, role, where), sampling)
    if not found.values:
        raise MessageError(f"{where}: a video without frames came; expected a list of images")
    frames = enumerate(found.values)
    urls = tuple(image_url(it, "", role, f"{where}.video[{index}]") for index, it in frames)
    return FramesPart(urls, sampling)


def _read_sampling(block: Mapping[str, Any], where: str) -> dict[str, float]:
    """Read how the service is to take frames from a video, as its own format says it."""
    sampling = {name: block[name] for name in _SAMPLING if block.get(name) is not None}
    for name, value in sampling.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e12:
            raise MessageError(
                f"{where}: {name} is {reprlib.repr(value)}, expected a number above 0"
            )
    return sampling


def _video_url(found: FoundVideo, block: Mapping[str, Any], role: str, where: str) -> str:
    (value,) = found.values
    if isinstance(value, bytes | bytearray):
        value = pybase64.b64encode_as_string(value)
    scheme = url_scheme(value)
    if scheme == "file":
        require_user(role, where)
        return str(value)
    check_address(value, where)
    if scheme in {"http", "https"} or (scheme == "data" and _DATA_URI.match(value[:200])):
        return str(value)
    if scheme or not isinstance(value, str) or not value:
        raise MessageError(
            f"{where}: {_describe(value, block)} came as a video; expected an http(s) URL, base64 "
            "with a mime_type, or a list of images"
        )
    claimed = found.mime_type if found.mime_type.startswith("video/") else ""
    kind = claimed or video_type(value)
    if not kind:
        raise MessageError(
            f"{where}: a video block came, but {value[:16]!r} is not the beginning of a known "
            "video format; give its mime_type"
        )
    return f"data:{kind};base64,{value}"


def _describe(value: Any, block: Mapping[str, Any]) -> str:
    if not value and block.get("file_id"):
        return f"the file_id {reprlib.repr(block['file_id'])}, which the service does not know,"
    return repr(value[:60]) if isinstance(value, str) else type(value).__name__


def video_type(base64: str) -> str:
    """Tell the MIME type of a video by how its base64 begins; "" if that is not known."""
    try:
        head = pybase64.b64decode(base64[:16], validate=True)
    except (binascii.Error, ValueError):
        return ""
    starts = _SIGNATURES.items()
    return next((kind for start, kind in starts if re.match(start, head, re.DOTALL)), "")
