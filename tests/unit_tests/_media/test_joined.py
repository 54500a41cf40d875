"""Files that were joined byte by byte: whichever they are, all of each is there, in its place."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media import joined
from langchain_qwen_audio._media.file_parts import whole_file
from langchain_qwen_audio._media.joined import split_joined
from tests.unit_tests import made_files as made
from tests.unit_tests.recordings import encode, read, tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 16_000
ONSET_S, LENGTH_S = 0.4, 0.8


@functools.cache
def piece(container: str, codec: str, rate: int = RATE) -> bytes:
    """Make 0.8 s of a recording whose second half is a tone."""
    return encode(beep(rate), container, codec, rate)


def beep(rate: int = RATE) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    samples = tone(LENGTH_S, rate)
    samples[: round(ONSET_S * rate)] = 0
    return samples


def stereo(rate: int) -> bytes:
    return wav(np.repeat(beep(rate), 2), rate, 2)


# Kinds of one format that follow each other.
FORMATS: dict[str, list[Callable[[], bytes]]] = {
    "WAV": [
        lambda: wav(beep()),
        lambda: wav(beep(8_000), 8_000),
        lambda: stereo(44_100),
        lambda: made.rf64(beep()),
        lambda: piece("wav", "pcm_mulaw", 8_000),
        lambda: piece("wav", "pcm_f32le", 48_000),
    ],
    "MP3": [
        lambda: piece("mp3", "libmp3lame"),
        lambda: piece("mp3", "libmp3lame", 44_100),
        lambda: made.id3() + piece("mp3", "libmp3lame", 24_000) + made.id3v1(),
    ],
    "FLAC": [lambda: piece("flac", "flac"), lambda: piece("flac", "flac", 48_000)],
    "Ogg": [lambda: piece("ogg", "libopus", 48_000), lambda: piece("ogg", "libopus", 24_000)],
    "WebM": [lambda: piece("webm", "libopus", 48_000)],
    "MP4": [lambda: piece("ipod", "aac", 48_000), lambda: piece("ipod", "alac")],
    "CAF": [lambda: piece("caf", "pcm_s16le"), lambda: piece("caf", "alac", 44_100)],
    "AIFF, AU, Wave64, VOC": [
        lambda: piece("aiff", "pcm_s16be"),
        lambda: piece("au", "pcm_s16be"),
        lambda: piece("w64", "pcm_s16le"),
        lambda: piece("voc", "pcm_s16le"),
    ],
    "WavPack": [lambda: piece("wv", "wavpack"), lambda: piece("wv", "wavpack", 44_100)],
}
FORMATS["any of them"] = [make for kinds in FORMATS.values() for make in kinds]


def onsets(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> list[float]:
    """Find where sound begins after silence, in seconds."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 2_000) / RATE
    return [float(it) for it in loud[np.diff(loud, prepend=-1) > 0.2]]


@pytest.mark.parametrize("kinds", FORMATS.values(), ids=FORMATS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_all_of_each_part_is_there(kinds: list[Callable[[], bytes]], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    audio = Audio.from_bytes(b"".join(make() for make in parts))
    before_s = audio.duration_s
    samples = np.frombuffer(b"".join(audio.decode(RATE)), np.int16)
    allowed_s = 0.08 * len(parts)  # some codecs have no place for what their encoder padded
    assert len(samples) / RATE == pytest.approx(LENGTH_S * len(parts), abs=allowed_s)
    assert before_s == pytest.approx(LENGTH_S * len(parts), abs=allowed_s)
    expected = [ONSET_S + LENGTH_S * number for number in range(len(parts))]
    assert onsets(samples) == pytest.approx(expected, abs=allowed_s)


class _CountingFile(io.BytesIO):
    """A file that counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


MANY = {
    "WAV and MP3": ("wav", lambda: wav(tone(0.05)) + piece("mp3", "libmp3lame")),
    "FLAC and MP3": ("flac", lambda: piece("flac", "flac") + made.bare_mp3()),
    "headers of WAV and True Audio": ("flac", lambda: b"fLaC\0\0\0\x22RIFF....WAVETTA1\1\0" * 9),
    "tags": ("flac", lambda: b"fLaC\0\0\0\x22" + made.id3(0) * 99),
}


REGULAR = {
    "silence": np.zeros(10 * RATE, np.int16),
    "a square wave": np.repeat(np.tile(np.array([999, -999], np.int16), 10 * RATE // 80), 40),
}


@pytest.mark.parametrize("samples", REGULAR.values(), ids=REGULAR)
@pytest.mark.parametrize(
    ("container", "codec", "demuxer"),
    [
        ("flac", "flac", "flac"),
        ("mp3", "libmp3lame", "mp3"),
        ("adts", "aac", "aac"),
        ("ogg", "libopus", "ogg"),
    ],
)
def test_frames_that_are_all_alike_are_no_other_format(
    container: str, codec: str, demuxer: str, samples: np.ndarray[tuple[int], np.dtype[np.int16]]
) -> None:
    data = encode(samples, container, codec)
    assert len(split_joined(io.BytesIO(data), demuxer)) == 1


def test_long_silence_in_flac_is_no_aac() -> None:
    data = encode(np.zeros(1_200 * 8_000, np.int16), "flac", "flac", 8_000)
    assert len(split_joined(io.BytesIO(data), "flac")) == 1


@pytest.mark.parametrize(("container", "make"), MANY.values(), ids=MANY)
def test_what_is_read_to_find_parts_grows_no_faster_than_the_file(
    container: str, make: Callable[[], bytes]
) -> None:
    counts = []
    for times in (25, 100):
        file = _CountingFile(make() * times)
        split_joined(file, container)
        counts.append(file.count)
    assert counts[1] < 5 * counts[0]


SEARCHED = {
    "WAV": ("wav", lambda: wav(beep()) + wav(beep(8_000), 8_000)),
    "MP3 with tags": ("mp3", lambda: (piece("mp3", "libmp3lame") + made.id3()) * 2),
    "FLAC and bare MP3": ("flac", lambda: piece("flac", "flac") + made.bare_mp3()),
}


@pytest.mark.parametrize(("container", "make"), SEARCHED.values(), ids=SEARCHED)
def test_after_too_many_tries_a_file_is_read_as_one(
    container: str,
    make: Callable[[], bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = io.BytesIO(make())
    assert len(split_joined(file, container)) > 1
    assert caplog.messages == []
    monkeypatch.setattr(joined, "MAX_TRIES", 0)
    assert split_joined(file, container) == [whole_file(file)]
    (logged,) = caplog.messages
    assert "it is read as one" in logged


def test_erased_memory_between_mp3_files_is_no_search_without_end() -> None:
    part = piece("mp3", "libmp3lame")
    erased = b"\xff" * (2 * joined.MAX_TRIES)
    assert len(split_joined(io.BytesIO(part + erased + part), "mp3")) == 2


@settings(max_examples=15, deadline=None)
@given(
    gaps=st.lists(st.floats(0.3, 40.0), min_size=1, max_size=3),
    begin_s=st.floats(0.0, 1_000.0),
    times=st.integers(1, 3),
)
def test_gaps_in_each_part_are_silence(gaps: list[float], begin_s: float, times: int) -> None:
    def moved(time_s: float, _: str) -> float:
        before = (gap for number, gap in enumerate(gaps) if time_s > 0.3 * (number + 1))
        return begin_s + time_s + sum(before)

    data = made.with_times(read("speech.webm"), "webm", moved, live="1")
    audio = Audio.from_bytes(data * times)
    length_s = 1.15 + sum(gaps)
    assert audio.duration_s == pytest.approx(times * length_s, abs=0.1 * times)
    samples = np.frombuffer(b"".join(audio.decode(RATE)), np.int16)
    for number in range(times):
        start = round((number * length_s + 0.45) * RATE)  # in the first gap, or in the next ones
        silence = samples[start : start + round((gaps[0] - 0.25) * RATE)]
        assert np.abs(silence.astype(int)).max(initial=0) < 30
