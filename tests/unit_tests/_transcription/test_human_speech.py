"""Telephone prompts that a person speaks: none is divided that fits into a segment."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.prompts import MISSING, RATE, are_installed, join_prompts
from benchmarks.speech import divides, fits
from langchain_qwen_audio import Audio
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio._request.encoded_segments import Segment
from langchain_qwen_audio._transcription.segments import split_recording, split_speech

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not are_installed(), reason=MISSING)

ASR = PROFILES["qwen3-asr-flash"]


def test_ten_minutes_are_split_between_prompts(tmp_path: Path) -> None:
    placed = join_prompts(tmp_path / "prompts.wav", 600, (0.3, 0.6, 0.4, 0.8))
    audio = Audio.from_path(tmp_path / "prompts.wav")
    segments = list(split_recording(audio, ASR, 10.0, bridge_s=2.0))
    short = [it for it in placed if fits(it)]
    divided = [it for it in short if any(divides(one.end_s, it) for one in segments)]
    assert len(divided) <= 2, "it was 9 when the last quiet moment was taken"
    assert sum(it.continues for it in segments) <= 2
    for before, after in pairwise(segments):
        assert after.start_s == pytest.approx(before.end_s - 2.0 * before.continues)


def test_of_prompts_with_long_pauses_little_more_than_the_prompts_is_sent(tmp_path: Path) -> None:
    placed = join_prompts(tmp_path / "prompts.wav", 300, (1.0, 4.0, 12.0, 30.0))
    audio = Audio.from_path(tmp_path / "prompts.wav")
    segments = [it for it in split_speech(audio, ASR, 60.0) if isinstance(it, Segment)]
    sent_s = sum(stretch.length_s for it in segments for stretch in it.stretches)
    assert sent_s <= 1.1 * sum(it.prompt.length_s for it in placed)
    kept = np.zeros(300 * 100 + 100, bool)  # in hundredths of a second
    for stretch in (it for segment in segments for it in segment.stretches):
        end_s = stretch.start_s + stretch.length_s
        kept[math.floor(stretch.start_s * 100) : math.ceil(end_s * 100)] = True
    samples = np.frombuffer(b"".join(audio.decode(RATE)), np.int16).astype(float)
    steps = np.abs(samples[: len(samples) // 80 * 80]).reshape(-1, 80).mean(axis=1)
    lost = np.flatnonzero((steps > 300) & ~kept[: len(steps)])
    assert len(lost) < 10, "a voice, and no click"
