"""Headers of ADTS frames: how long they sound, and which are none."""

from __future__ import annotations

import pytest

from langchain_qwen_audio._media.adts_frames import adts_length

from .file_builders import adts_head

HEADS = {
    "48 kHz": (adts_head(rate=3, size=100), 100, 1024 / 48_000),
    "16 kHz": (adts_head(rate=8, size=100), 100, 0.064),
    "more bytes than it needs": (adts_head(rate=8, size=100), 101, 0.064),
    "cut": (adts_head(rate=8, size=100), 99, 0.0),
    "cut in the header": (adts_head(rate=8, size=100)[:6], 6, 0.0),
    "a rate that there is not": (adts_head(rate=13, size=100), 100, 0.0),
    "a frame of MP3": (b"\xff\xfb\x90\x00" + bytes(4), 100, 0.0),
    "nothing": (b"", 0, 0.0),
}


@pytest.mark.parametrize(("head", "size", "length_s"), HEADS.values(), ids=HEADS)
def test_a_header_says_how_long_its_frame_sounds(head: bytes, size: int, length_s: float) -> None:
    assert adts_length(head, size) == length_s
