"""WAV headers as the standard library writes them, also where the length was not known before."""

from __future__ import annotations

import io
import tracemalloc
import wave

import pytest

from langchain_qwen_audio._media.wav import close_wav, encode_wav, wav_header
from tests.unit_tests.recordings import noise, tone, wav

PCM = noise(0.1, 24_000).tobytes()


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (8_000, 1), (48_000, 2), (16_000, 6)])
def test_a_file_is_the_one_that_the_standard_library_writes(rate: int, channels: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, 2, rate, 0, "NONE", ""))
        writer.writeframes(PCM)
    assert encode_wav([PCM[:100], PCM[100:]], rate, channels) == file.getvalue()


def test_samples_are_held_once() -> None:
    size, block = 2_000_000, 10_000
    tracemalloc.start()
    try:
        made = encode_wav((bytes(block) for _ in range(size // block)), 16_000)
        assert tracemalloc.get_traced_memory()[1] < 1.3 * size
    finally:
        tracemalloc.stop()
    assert len(made) == size + 44


@pytest.mark.parametrize("size", [0, 2, 4_800, 2**31])
def test_a_header_holds_the_size(size: int) -> None:
    header = wav_header(size, 24_000)
    assert (len(header), header[4:8]) == (44, (size + 36).to_bytes(4, "little"))
    assert header[40:44] == size.to_bytes(4, "little")


def test_only_a_header_without_sizes_is_filled_in() -> None:
    for rate in (16_000, 24_000):
        assert close_wav(wav_header(None, rate) + PCM) == wav_header(len(PCM), rate) + PCM
    for other in (wav_header(4, 24_000) + PCM, wav(tone(0.1)), b"RIFF", b""):
        assert close_wav(other) == other
