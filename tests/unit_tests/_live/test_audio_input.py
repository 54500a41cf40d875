"""Recordings and samples → the pieces that are sent."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._live.audio_input import AudioInput
from langchain_qwen_audio._media.resampling import Resampler
from tests.unit_tests.test_docs import SAMPLE

from .conversations import tone

if TYPE_CHECKING:
    from collections.abc import Iterator


async def pieces_of(audio: AudioInput, given: Any, sample_rate: int = 16_000) -> bytes:
    return b"".join([piece async for piece in audio.pieces(given, sample_rate)])


async def test_what_is_held_back_of_samples_comes_before_a_recording() -> None:
    audio, conversion = AudioInput(), Resampler(44_100, 16_000)
    samples, recording = tone(0.5, 44_100), Audio.from_path(SAMPLE)
    sent = await pieces_of(audio, samples, 44_100) + await pieces_of(audio, recording)
    whole = conversion.feed(samples) + conversion.flush()
    assert sent == whole + b"".join(recording.decode(16_000))
    assert audio.flush() == b""


async def test_what_is_held_back_comes_before_samples_of_another_rate() -> None:
    audio, conversion = AudioInput(), Resampler(44_100, 16_000)
    samples = tone(0.5, 44_100)
    sent = await pieces_of(audio, samples, 44_100) + await pieces_of(audio, tone(0.5))
    assert sent == conversion.feed(samples) + conversion.flush() + tone(0.5)


async def test_sending_a_recording_can_be_cancelled_while_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def decode(_: Audio, __: int) -> Iterator[bytes]:
        try:
            begun.set()
            go_on.wait()
            yield b"late"
        finally:
            closed.set()

    monkeypatch.setattr(Audio, "decode", decode)
    sending = asyncio.create_task(pieces_of(AudioInput(), Audio.from_path(SAMPLE)))
    await asyncio.to_thread(begun.wait)
    sending.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert closed.is_set()
