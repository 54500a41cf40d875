"""Counting packets: as long as it sounds, without decoding, and no further than necessary."""

from __future__ import annotations

import functools
import io
import math
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.choices import Choices
from langchain_qwen_audio._media.counted_length import counted_length
from langchain_qwen_audio._media.decoding import decode, probe
from langchain_qwen_audio._media.joined import split_joined
from langchain_qwen_audio._media.samples import length_of
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests.recordings import RECORDINGS, amr, encode, noise, read, tone

from .file_builders import nodata_amr, patched, without_length

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTED = {
    *("speech.flac", "bare.mp3", "speech.aac", "opus.ogg"),
    *("sox.amr", "pyav.amr", "wide.amr"),
}


@functools.cache
def opus(**options: str) -> bytes:
    return encode(noise(3.123, 48_000), "ogg", "libopus", 48_000, **options)


def opus_that_skips(samples: int) -> bytes:
    """Make an Opus file that leaves out so many samples at its beginning; pages have a checksum."""
    data = opus()
    at = data.index(b"OpusHead") + 10
    changed = patched(data, at, samples.to_bytes(2, "little"))
    end = 28 + changed[27]
    return patched(changed, 22, page_checksum(changed[:22] + bytes(4) + changed[26:end]))


def page_checksum(page: bytes) -> bytes:
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C1_1DB7 if value >> 31 else 0)) & 0xFFFF_FFFF
    return value.to_bytes(4, "little")


@functools.cache
def flac(rate: int = 16_000) -> bytes:
    return without_length(encode(noise(3.123, rate), "flac", "flac", rate))


def cut(data: bytes, size: int = 31) -> bytes:
    return data[:-size]


MADE: dict[str, Callable[[], bytes]] = {
    "FLAC without a length": flac,
    "FLAC without a length, cut": lambda: cut(flac()),
    "FLAC, two": lambda: flac() + flac(24_000),
    "ADTS, 16 kHz": lambda: encode(noise(2), "adts", "aac"),
    "ADTS, cut": lambda: cut(read("speech.aac")),
    "ADTS, two rates": lambda: read("speech.aac") + encode(tone(1), "adts", "aac"),
    "MP3, cut": lambda: cut(read("bare.mp3")),
    "MP3, from the middle on": lambda: read("bare.mp3")[1_000:],
    "MP3 and AMR": lambda: read("bare.mp3") + amr(1),
    "MP2": lambda: encode(noise(2, 32_000), "mp2", "mp2", 32_000),
    "Opus, 2.5 ms": functools.partial(opus, frame_duration="2.5"),
    "Opus, 60 ms": functools.partial(opus, frame_duration="60"),
    "Opus, pauses": functools.partial(opus, application="voip", dtx="1"),
    "Opus, nothing left out": functools.partial(opus_that_skips, 0),
    "Opus, several packets left out": functools.partial(opus_that_skips, 4_000),
    "Opus, two": lambda: opus() * 2,
    "AMR, cut": lambda: cut(read("pyav.amr"), 5),
    "AMR, two": lambda: read("pyav.amr") * 2,
    "AMR, wide, cut": lambda: cut(read("wide.amr"), 5),
    "AMR, nobody speaks": lambda: nodata_amr(0.01),
}
FILES: dict[str, Callable[[], bytes]] = MADE | {
    it.name: functools.partial(read, it.name) for it in RECORDINGS
}


def arguments_of(data: bytes) -> dict[str, Any]:
    file = io.BytesIO(data)
    container = probe(file).container
    return {"file": file, "parts": split_joined(file, container), "container": container}


def test_it_is_as_long_as_it_sounds(subtests: pytest.Subtests) -> None:
    for name, make in FILES.items():
        arguments = arguments_of(make())
        length_s = counted_length(**arguments)
        with subtests.test(name):
            if name in MADE or name in COUNTED:
                decoded_s = length_of(sum(map(len, decode(**arguments))))
                assert length_s == pytest.approx(decoded_s, abs=0.0005)
            else:
                assert length_s is None


def test_nothing_is_decoded_for_it(
    monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    files = {name: FILES[name]() for name in (*MADE, *sorted(COUNTED))}
    decoded_s = {
        name: Audio.from_bytes(data)._decoded_length(math.inf) for name, data in files.items()
    }
    monkeypatch.setattr(Audio, "decode", None)
    for name, data in files.items():
        with subtests.test(name):
            duration_s = Audio.from_bytes(data).duration_s
            assert duration_s == pytest.approx(decoded_s[name], abs=0.02)


def test_it_is_decoded_where_nothing_else_tells() -> None:
    audio = Audio.from_bytes(read("vorbis.ogg"))
    assert audio._undecoded_length(math.inf) is None
    assert audio.duration_s == pytest.approx(1.149, abs=0.001)


class CountingFile(io.BytesIO):
    """A file that counts what is read of it."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


LONG: dict[str, Callable[[], bytes]] = {
    "AMR": lambda: nodata_amr(10),
    "Opus": lambda: encode(noise(60, 48_000), "ogg", "libopus", 48_000, compression_level="0"),
    "MP3": lambda: read("bare.mp3") * 500,
    "FLAC": lambda: without_length(encode(noise(30), "flac", "flac")),
}


def test_no_more_is_read_than_shows_that_it_is_too_long() -> None:
    for name, make in LONG.items():
        data = make()
        file = CountingFile(data)
        length_s = counted_length(file, limit_s=10)
        assert length_s is not None, name
        assert 10 < length_s < 100, name
        assert file.bytes_read < 200_000 + len(data) / 4, name


def test_what_is_counted_is_told_now_and_then() -> None:
    told: list[float] = []
    counted_length(io.BytesIO(amr(300)), on_sound=told.append)
    assert told == sorted(told)
    assert 2 < len(told) < 40
    assert told[-1] == pytest.approx(300)


def test_damage_is_an_error_as_it_is_where_it_is_decoded() -> None:
    reserved = b"\x4c" * 20
    arguments = arguments_of(read("pyav.amr") + reserved)
    with pytest.raises(CodecError, match="20 of its 78 packets are damaged"):
        counted_length(**arguments)
    with pytest.raises(CodecError, match="20 of its 78 packets are damaged"):
        list(decode(**arguments))


def test_what_is_truncated_is_an_error_unless_it_is_taken() -> None:
    data = opus()
    half = data[: data.rindex(b"OggS") + 1_000]
    with pytest.raises(AudioError, match="it is truncated: its last page is cut"):
        _ = Audio.from_bytes(half).duration_s
    there = counted_length(**arguments_of(half), choices=Choices(allow_truncated=True))
    assert there
    assert there < 3.1


def test_a_part_that_cannot_be_read_is_named() -> None:
    data = encode(tone(1, 48_000), "ogg", "libopus", 48_000)
    arguments = arguments_of(data + data[:-100])
    with pytest.raises(CodecError, match="part 2 of 2: it is truncated"):
        counted_length(**arguments)
