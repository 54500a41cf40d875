"""Images of a live session: what is sent, and what is refused before it is."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pybase64
import pytest
from PIL import Image

from langchain_qwen_audio._live.image_input import MAX_BASE64_BYTES, find_sides, read_jpeg
from langchain_qwen_audio.errors import InvalidRequestError, MessageError
from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.rows import each_row

from .conversations import live_model, read_answer, received, tone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def picture(width: int = 64, height: int = 48, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind, **options)
    return file.getvalue()


def noise(width: int, height: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


JPEG = picture()
BASE64 = pybase64.b64encode_as_string(JPEG)


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


async def test_an_image_is_sent_as_its_base64_after_the_first_sound(
    server: LocalDashScope, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG)
    blocks: list[dict[str, Any]] = [
        {"type": "image", "base64": BASE64, "mime_type": "image/jpeg"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{BASE64}"}},
    ]
    images: list[Any] = [JPEG, path, *blocks]
    server.script(Reply("I see.", input_transcript="Look."))
    async with live_model(server).session(turn_detection=None) as session:
        with pytest.raises(InvalidRequestError, match="call send_audio first"):
            await session.send_image(JPEG)
        await session.send_audio(tone(0.1))
        for image in images:
            await session.send_image(image)
        await session.commit()
        await read_answer(session)
        with pytest.raises(InvalidRequestError, match="call send_audio first"):  # of this turn
            await session.send_image(JPEG)
    (record,) = server.live_sessions
    assert received(record)[2:-2] == [{"type": "input_image_buffer.append", "image": BASE64}] * 4
    assert "error" not in [event["type"] for event in record.sent]  # type: ignore[index]
    assert [it.text for it in session.messages] == ["Look.", "I see."]


async def test_a_model_without_images_says_so(server: LocalDashScope) -> None:
    async with live_model(server, model="qwen-audio-3.0-realtime-plus").session() as session:
        await session.send_audio(tone(0.1))
        with pytest.raises(InvalidRequestError, match="takes none; Omni models do"):
            await session.send_image(JPEG)


TRUNCATED = JPEG[:4]
REFUSED: dict[str, tuple[Any, str]] = {
    "PNG": (picture(kind="PNG"), r"image/png came; send a JPEG file, for example of Pillow"),
    "text": (b"hello there", "no image that is known came; send a JPEG"),
    "nothing": (b"", "no image that is known came"),
    "cut off": (TRUNCATED, r"cannot be read \(it has no frame\)"),
    "bad base64": ({"type": "image", "base64": "/9j/!"}, "cannot be read"),
    "large": (noise(640, 480), "more than 196,608 bytes came"),
    "wide": (picture(1921, 100), "1921 x 100 pixels came, and a live session takes 1920 x 1080"),
    "square": (picture(1200, 1200), "1200 x 1200 pixels"),
    "tall": (picture(1090, 1920), "1090 x 1920 pixels"),
    "a URL": (
        {"type": "image", "url": "https://example.com/a.jpg"},
        "fetches no images; read the file",
    ),
    "a file URL": ({"type": "image", "url": "file:///tmp/a.jpg"}, "fetches no images"),
    "sound": ({"type": "audio", "base64": "AAAA"}, "a block of type 'audio' came, not an image"),
    "a string": ("photo.jpg", "str came as an image; expected the bytes"),
}


@each_row("image, match", REFUSED)
def test_what_is_no_jpeg_that_a_session_takes_is_refused(image: Any, match: str) -> None:
    with pytest.raises(MessageError, match=match):
        read_jpeg(image)


def test_a_file_that_is_not_there_or_is_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MessageError, match=r"gone\.jpg: it cannot be read"):
        read_jpeg(tmp_path / "gone.jpg")
    large = tmp_path / "large.jpg"
    large.write_bytes(JPEG + bytes(MAX_BASE64_BYTES))
    with pytest.raises(MessageError, match="more than 196,608 bytes"):
        read_jpeg(large)


@each_row(
    "width, height, options",
    [
        (1, 1, {}),
        (1920, 1080, {"quality": 10}),
        (1080, 1920, {"progressive": True}),
        (640, 480, {"comment": b"\xff\xc0" * 40, "dpi": (72, 72)}),
    ],
)
def test_the_size_is_read_from_the_file(width: int, height: int, options: dict[str, Any]) -> None:
    jpeg = picture(width, height, **options)
    assert find_sides(jpeg) == (width, height)
    filled = jpeg[:2] + b"\xff" * 3 + jpeg[2:]  # bytes that fill up
    assert find_sides(filled) == (width, height)
    assert pybase64.b64decode(read_jpeg(jpeg)) == jpeg


def test_a_file_that_is_cut_off_anywhere_is_read_or_refused() -> None:
    for size in range(len(JPEG)):
        with contextlib.suppress(ValueError):
            assert find_sides(JPEG[:size]) == (64, 48)
