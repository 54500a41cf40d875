"""An image of a live session → its base64, or the refusal of it. Pure.

https://help.aliyun.com/zh/model-studio/client-events has the limits, and not the texts of refusals.
"""

import re

from langchain_qwen_audio.local._refusal import Refusal

_MAX_BYTES = 256 * 1024  # in base64
_JPEG = re.compile(r"/9j/[A-Za-z0-9+/]+={0,2}")


def check_image(text: object) -> str:
    """Check an image, and return it; how many pixels it has is not looked at.

    Raises:
        Refusal: It is no JPEG file in base64, or too large.
    """
    if not isinstance(text, str) or not _JPEG.fullmatch(text) or len(text) % 4:
        raise Refusal(400, "invalid_value", "Invalid image: expected a JPG or JPEG in base64.")
    if len(text) > _MAX_BYTES:
        raise Refusal(
            400, "invalid_value", f"The image has {len(text)} bytes, more than {_MAX_BYTES}."
        )
    return text
