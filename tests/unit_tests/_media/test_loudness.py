"""Loudness: level, peak and silence, wherever blocks end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import pytest

from langchain_qwen_audio._media.loudness import LoudnessMeter, dbfs
from tests.unit_tests.recordings import tone

if TYPE_CHECKING:
    from tests.unit_tests.recordings import Samples

RATE = 16_000
HALF_SILENT = np.concatenate([tone(1), np.zeros(RATE, np.int16)])


def measured(samples: Samples, block: int) -> LoudnessMeter:
    data = samples.tobytes()
    meter = LoudnessMeter(RATE)
    blocks = (data[at : at + block] for at in range(0, len(data), block))
    deque(meter.watch(blocks), maxlen=0)
    return meter


@pytest.mark.parametrize("samples", [tone(0.05), tone(1), HALF_SILENT, -HALF_SILENT])
def test_all_samples_are_measured(samples: Samples) -> None:
    for block in (2, 1_000, 3_200, 7_002, 10**6):
        meter = measured(samples, block)
        assert meter.length_s == pytest.approx(len(samples) / RATE), block
        assert meter.peak == abs(samples.astype(int)).max(), block
        assert meter.mean == pytest.approx(abs(samples.astype(int)).mean()), block
        assert meter.silent_s == pytest.approx((samples[-1000:] == 0).all() * 1.0), block


def test_silence_is_measured_in_steps_and_in_percent() -> None:
    assert measured(HALF_SILENT, 1_000).silent_percent == pytest.approx(50)
    assert LoudnessMeter(RATE).silent_percent == 0


def test_decibels_are_relative_to_full_scale() -> None:
    decibels = {32_768: 0, 16_384: -6.02, 0: -110.3}
    assert {it: dbfs(it) for it in decibels} == pytest.approx(decibels, abs=0.01)
