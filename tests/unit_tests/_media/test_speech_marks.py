"""Speech is found in a stream and kept, with a margin; and silence is not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media import speech_detection
from langchain_qwen_audio._media.speech_detection import (
    LoudnessDetector,
    SileroDetector,
    make_detector,
)
from langchain_qwen_audio._media.speech_marks import SpeechMarker
from langchain_qwen_audio._media.splitting import one_part
from tests.unit_tests.recordings import noise, tone

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from langchain_qwen_audio._media.speech_detection import SpeechDetector

RATE = 16_000
FRAME, MARGIN, SHORT = 1_024, 6_400, 6_400  # bytes of 32 ms, and of 200 ms


@dataclass
class Scripted:
    """Finds speech in the frames that it is told, and in so many frames up to these."""

    speech: dict[int, int]
    frames: int = 0
    sizes: set[int] = field(default_factory=set)

    def count_speech(self, frame: bytes) -> int:
        self.sizes.add(len(frame))
        self.frames += 1
        return self.speech.get(self.frames - 1, 0)


def kept(
    samples: bytes, detector: SpeechDetector, *, block: int = 65_536, rate: int = RATE
) -> list[tuple[int, int]]:
    """Tell what is kept of samples: from which byte to which."""
    marker = SpeechMarker(detector, rate)
    blocks = [samples[at : at + block] for at in range(0, len(samples), block)]
    found: list[tuple[int, int]] = []
    for piece in marker.keep_speech(one_part(marker.watch(blocks))):
        end = piece.start + len(piece.samples)
        assert piece.samples == samples[piece.start : end]
        if found and found[-1][1] == piece.start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((piece.start, end))
    assert (marker.size, marker.is_ended) == (len(samples), True)
    return found


def runs(values: npt.NDArray[np.bool_]) -> list[tuple[int, bool, int]]:
    """List where runs of equal values begin, what they are, and how long."""
    found, at = [], 0
    for value, run in itertools.groupby(values.tolist()):
        size = len(list(run))
        found.append((at, value, size))
        at += size
    return found


@settings(deadline=None)
@given(
    speech=st.dictionaries(st.integers(0, 80), st.integers(1, 16)),
    length=st.integers(1, 40_000),
    block=st.integers(1, 30_000),
)
def test_what_is_kept_is_speech_with_its_margin_wherever_blocks_end(
    speech: dict[int, int], length: int, block: int
) -> None:
    samples = np.arange(length, dtype=np.int16).tobytes()
    detector = Scripted(speech)
    expected = np.zeros(len(samples), bool)
    for frame, count in speech.items():
        if frame * FRAME < len(samples):
            start = (frame + 1 - count) * FRAME - MARGIN
            expected[max(0, start) : (frame + 1) * FRAME + MARGIN] = True
    for at, is_kept, size in runs(expected):
        if not is_kept and size < SHORT and expected.any():
            expected[at : at + size] = True
    found = np.zeros(len(samples), bool)
    for start, end in kept(samples, detector, block=2 * block):
        found[start:end] = True
    assert (found == expected).all()
    assert detector.sizes == {FRAME}


def test_what_passes_is_certain_and_little_is_held_back() -> None:
    marker = SpeechMarker(Scripted({}), RATE)
    passed, came = 0, 0
    blocks = [bytes(3_000)] * 100
    for block in marker.watch(blocks):
        passed += len(block)
        came = max(came, passed)
    assert (passed, came) == (300_000, 300_000)


def sample(name: str, rate: int) -> bytes:
    data = (files("langchain_qwen_audio") / "samples" / name).read_bytes()
    return b"".join(Audio.from_bytes(data).decode(rate))


DETECTORS: dict[str, Callable[[int], SpeechDetector]] = {
    "silero": SileroDetector,
    "loudness": lambda _: LoudnessDetector(),
}


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("make", DETECTORS.values(), ids=DETECTORS)
def test_between_two_sentences_silence_is_left_out(
    make: Callable[[int], SpeechDetector], rate: int
) -> None:
    said = sample("speech_output.mp3", rate)
    silence = np.random.default_rng(0).integers(-20, 20, 8 * rate, dtype=np.int16).tobytes()
    spans = kept(silence + said + silence + said + silence, make(rate), rate=rate)
    in_s = [(start / 2 / rate - 8, end / 2 / rate - 8) for start, end in spans]
    length_s = len(said) / 2 / rate
    total_s = sum(end - start for start, end in in_s)
    assert total_s <= 2 * length_s * 1.1
    assert total_s >= 2 * length_s * 0.7
    for start, end in in_s:
        is_first = start > -0.5 and end < length_s + 0.5
        is_second = length_s + 7.5 < start and end < 2 * length_s + 8.5
        assert is_first or is_second


def test_silero_tells_noise_from_speech_and_loudness_does_not() -> None:
    samples = noise(5).tobytes()
    assert kept(samples, SileroDetector(RATE)) == []
    assert kept(samples, LoudnessDetector()) == [(0, len(samples))]


@pytest.mark.parametrize("level", [30, 3_000], ids=["a soft voice", "a loud one"])
def test_loudness_is_relative_to_the_quietest_moment(level: int) -> None:
    samples = np.concatenate([np.zeros(5 * RATE), tone(1) * (level / 9_000), np.zeros(5 * RATE)])
    ((start, end),) = kept(samples.astype(np.int16).tobytes(), LoudnessDetector())
    assert 4.7 < start / 2 / RATE < 5.0
    assert 6.0 < end / 2 / RATE < 6.3


def test_without_the_extra_loudness_decides_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(make_detector(RATE), SileroDetector)
    speech_detection._kind.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda _: None)
            detectors = [make_detector(RATE), make_detector(RATE)]
    finally:
        speech_detection._kind.cache_clear()
    assert [type(it) for it in detectors] == [LoudnessDetector, LoudnessDetector]
    assert len(caplog.messages) == 1
    assert 'pip install "langchain-qwen-audio[vad]"' in caplog.text
