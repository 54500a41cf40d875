"""An image that a user shows → a JPEG file in base64, as live sessions take it.

https://help.aliyun.com/zh/model-studio/client-events
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pybase64

from langchain_qwen_audio._request.images import image_type, read_image
from langchain_qwen_audio.errors import MessageError

MAX_BASE64_BYTES = 256 * 1024
MAX_SIDES = (1920, 1080)  # of 1080p, in either direction
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_INSTEAD = "send a JPEG file, for example of Pillow: image.convert('RGB').save(path, 'JPEG')"


def read_jpeg(image: bytes | Path | Mapping[str, Any]) -> str:
    """Read an image, and return it in base64.

    Raises:
        MessageError: It is no JPEG file that a live session takes.
    """
    text = _read_base64(image)
    if (kind := image_type(text)) != "image/jpeg":
        raise MessageError(f"{kind or 'no image that is known'} came; {_INSTEAD}")
    if len(text) > MAX_BASE64_BYTES:
        raise MessageError(
            f"an image of more than {MAX_BASE64_BYTES // 4 * 3:,} bytes came, which a live session "
            "does not take: make it smaller, or save it with a lower quality"
        )
    _check_size(text)
    return text


def _read_base64(image: object) -> str:
    match image:
        case bytes() | bytearray() | memoryview():
            return pybase64.b64encode_as_string(image)
        case Path():
            return pybase64.b64encode_as_string(_read_file(image))
        case Mapping():
            return _read_block(image)
        case _:
            raise MessageError(
                f"{type(image).__name__} came as an image; expected the bytes of a JPEG file, its "
                "path (pathlib.Path), or an image block of LangChain"
            )


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BASE64_BYTES + 1)  # more is too large, however large it is
    except OSError as error:
        raise MessageError(f"{path}: it cannot be read ({error})") from error


def _read_block(block: Mapping[str, Any]) -> str:
    found = read_image(block, "user", "send_image")
    if found is None:
        raise MessageError(f"send_image: a block of type {block.get('type')!r} came, not an image")
    head, _, text = found.url.partition(",")
    if not head.startswith("data:"):
        raise MessageError(
            f"{found.url[:200]}: a live session fetches no images; read the file, and send its "
            "bytes or its path"
        )
    return text


def _check_size(text: str) -> None:
    """Refuse an image with too many pixels, and a file that does not say how many it has."""
    try:
        sides = find_sides(pybase64.b64decode(text, validate=True))
    except ValueError as error:
        raise MessageError(f"the JPEG file cannot be read ({error}); {_INSTEAD}") from error
    if any(side > most for side, most in zip(sorted(sides, reverse=True), MAX_SIDES, strict=True)):
        raise MessageError(
            f"an image of {sides[0]} x {sides[1]} pixels came, and a live session takes "
            f"{MAX_SIDES[0]} x {MAX_SIDES[1]}: make it smaller; 720p is best"
        )


def find_sides(jpeg: bytes) -> tuple[int, int]:
    """Find the width and the height of a JPEG file.

    Raises:
        ValueError: It does not say them.
    """
    for marker, segment in _segments(jpeg):
        if marker in _FRAME_HEADERS and len(segment) >= 5:
            height, width = (int.from_bytes(segment[at : at + 2]) for at in (1, 3))
            return width, height
    raise ValueError("it has no frame")


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments before the image itself: each marker, and what follows its length."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        size = int.from_bytes(jpeg[at + 2 : at + 4])
        yield marker, jpeg[at + 4 : at + 2 + size]
        at += 2 + max(size, 2)
