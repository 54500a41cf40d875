"""Images and videos in messages → what travels: files that messages name become data URIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import pybase64

from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio._request.images import image_type
from langchain_qwen_audio._request.named_files import MAX_FILE_BYTES, find_named_file
from langchain_qwen_audio._request.parts import FramesPart, ImagePart, VideoPart, VisualPart
from langchain_qwen_audio._request.videos import video_type
from langchain_qwen_audio.errors import AudioError, MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._request.named_files import LocalFiles


def with_files_inline(part: VisualPart, profile: Profile, allowed: LocalFiles) -> VisualPart:
    """Read the local files that an image or a video names; other URLs stay as they are.

    Raises:
        MessageError: A file may not be read, cannot be, is too large, or is of an unknown kind.
    """
    image_bytes = profile.max_image_data_uri_bytes
    match part:
        case ImagePart(url):
            return ImagePart(_inline(url, "image", image_bytes, allowed))
        case VideoPart(url, sampling):
            return VideoPart(_inline(url, "video", profile.max_data_uri_bytes, allowed), sampling)
        case FramesPart(urls, sampling):
            frames = tuple(_inline(url, "image", image_bytes, allowed) for url in urls)
            return FramesPart(frames, sampling)
        case _:
            assert_never(part)


def _inline(url: str, medium: str, max_bytes: int | None, allowed: LocalFiles) -> str:
    if url_scheme(url) != "file":
        return url
    instead = f"send it as {{'type': {medium!r}, 'base64': …, 'mime_type': …}}"
    try:
        file = find_named_file(url, allowed, instead)
        size = len(f"data:{medium}/x-matroska;base64,") + (file.size + 2) // 3 * 4
        limit = MAX_FILE_BYTES if max_bytes is None else max_bytes
        if size > limit:
            raise MessageError(f"{file.path}: this model {too_large(medium, size, limit)}")
        with file.open() as opened:
            text = pybase64.b64encode_as_string(opened.read(file.size))
    except AudioError as error:
        raise MessageError(error.message) from error
    except OSError as error:
        raise MessageError(f"{url[:200]}: it cannot be read ({error})") from error
    kind = _TYPES[medium](text)
    if not kind:
        raise MessageError(f"{file.path}: its beginning is not that of a known {medium} format")
    return f"data:{kind};base64,{text}"


def too_large(medium: str, size: int, max_bytes: int) -> str:
    """Say that an image or a video is too large to travel within the request."""
    return (
        f"takes {max_bytes:,} bytes of base64 for the {medium}, and {size:,} came: make it "
        "smaller, or send its http(s) URL"
    )


_TYPES: dict[str, Callable[[str], str]] = {"image": image_type, "video": video_type}
