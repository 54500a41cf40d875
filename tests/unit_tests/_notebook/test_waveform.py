"""Samples as a picture: no peak is lost, wherever blocks end and however long the sound."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_qwen_audio._notebook import waveform
from langchain_qwen_audio._notebook.waveform import MAX_POINTS, Waveform, draw
from tests.unit_tests._notebook.pages import SVG
from tests.unit_tests.recordings import tone


def test_a_long_recording_has_few_points_and_no_peak_is_lost() -> None:
    samples = np.zeros(200 * 500, "h")
    samples[200 * 123] = 20_000
    samples[200 * 345] = -30_000
    wave = Waveform(200)
    for block in wave.watch(samples[at : at + 4_099].tobytes() for at in range(0, 100_000, 4_099)):
        assert block
    assert MAX_POINTS // 2 < len(wave.points) <= MAX_POINTS
    assert wave.length_s == pytest.approx(500)
    assert wave.peak == 30_000
    highs = [i for i, point in enumerate(wave.points) if point.high]
    lows = [i for i, point in enumerate(wave.points) if point.low]
    assert highs == [int(123 / wave.point_s)]
    assert lows == [int(345 / wave.point_s)]
    assert wave.silences()[-1][1] == wave.length_s


@given(st.lists(st.integers(0, 3_000), max_size=6), st.integers(1, 40))
def test_blocks_may_be_cut_anywhere(sizes: list[int], hertz: int) -> None:
    samples = (tone(0.4, 8_000, hertz) // 3).tobytes()
    whole, pieces = Waveform(8_000), Waveform(8_000)
    list(whole.watch([samples]))
    bounds = [0, *sorted(2 * size for size in sizes), len(samples)]
    list(pieces.watch(samples[a:b] for a, b in pairwise(bounds)))
    assert pieces.points == whole.points
    assert pieces.silences() == whole.silences()


def test_the_axis_has_few_labels_within_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (0.001, 0.05, 0.3, 1, 7.2, 59, 61, 600, 3_601):
        rate = 1_000 if seconds < 60 else 100
        if seconds > 60:
            monkeypatch.setattr(waveform, "_POINTS_A_STEP", 1)
        wave = Waveform(rate)
        list(wave.watch([bytes(2 * max(1, int(seconds * rate)))]))
        svg = ET.fromstring(draw(wave, [], "A & B"))  # noqa: S314
        labels = list(svg.iter(f"{SVG}text"))
        assert labels[0].text == "0 s"
        assert 1 <= len(labels) <= 9, seconds
        assert all(0 <= float(label.attrib["x"]) <= 640 for label in labels), seconds
        for path in svg.iter(f"{SVG}path"):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
            assert all(0 <= number <= 641 for number in numbers), seconds
