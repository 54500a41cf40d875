"""Audio: what it is made of, what is known of it, and what it becomes in a message."""

from __future__ import annotations

import array
import asyncio
import base64
import copy
import functools
import inspect
import io
import math
import os
import pickle
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langchain_core.messages.block_translators.openai import (
    convert_to_openai_data_block,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import langchain_qwen_audio
from langchain_qwen_audio import Audio
from langchain_qwen_audio._media import worker_pool
from langchain_qwen_audio._media.base64_text import MAX_BASE64_CHARS
from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._media.samples import length_of
from langchain_qwen_audio._media.worker_messages import BLOCK
from langchain_qwen_audio._media.worker_pool import POOL
from langchain_qwen_audio.errors import AudioError, QwenAudioError
from langchain_qwen_audio.local._audio_input import decode_samples
from tests.unit_tests._media.file_builders import nodata_amr, patched, without_length

from .recordings import (
    DATA,
    RECORDINGS,
    decode_all,
    encode,
    noise,
    read,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SPEECH = DATA / "speech.wav"


def afrom_path(path: Any) -> Audio:
    return asyncio.run(Audio.afrom_path(path))


FROM_PATH = pytest.mark.parametrize(
    "from_path", [Audio.from_path, afrom_path], ids=["sync", "async"]
)


# --- where it comes from ----------------------------------------------------------------------


def from_open_file(path: Path) -> Audio:
    with path.open("rb") as file:
        return Audio.from_file(file)


def afrom_open_file(path: Path) -> Audio:
    return asyncio.run(Audio.afrom_file(io.BytesIO(path.read_bytes())))


FORMS: dict[str, Callable[[Path], Audio]] = {
    "Path": Audio.from_path,
    "path as str": lambda path: Audio.from_path(str(path)),
    "relative path": lambda path: Audio.from_path(os.path.relpath(path)),
    "async path": afrom_path,
    "bytes": lambda path: Audio.from_bytes(path.read_bytes()),
    "bytearray": lambda path: Audio.from_bytes(bytearray(path.read_bytes())),
    "memoryview": lambda path: Audio.from_bytes(memoryview(path.read_bytes())),
    "open file": from_open_file,
    "open file, async": afrom_open_file,
    "BytesIO": lambda path: Audio.from_file(io.BytesIO(path.read_bytes())),
    "base64": lambda path: Audio.from_base64(base64.b64encode(path.read_bytes()).decode()),
    "base64 in lines": lambda path: Audio.from_base64(
        base64.encodebytes(path.read_bytes()).decode()
    ),
    "URL-safe base64": lambda path: Audio.from_base64(
        base64.urlsafe_b64encode(path.read_bytes()).decode().rstrip("=")
    ),
}


def test_every_form_holds_the_same_recording(subtests: pytest.Subtests) -> None:
    digest = Audio.from_path(SPEECH).digest
    for name, make in FORMS.items():
        audio = make(SPEECH)
        with subtests.test(name):
            assert audio.data == SPEECH.read_bytes()
            assert audio.size == len(audio.data)
            assert audio.base64 == base64.b64encode(audio.data).decode()
            assert audio.digest == digest
            with audio.open() as file:
                assert file.read(4) == b"RIFF"
            assert audio.duration_s == pytest.approx(1.149125)


def test_bytes_that_change_afterwards_do_not_change_the_clip() -> None:
    data = bytearray(SPEECH.read_bytes())
    audio = Audio.from_bytes(data)
    data[:] = bytes(len(data))
    assert audio.data == SPEECH.read_bytes()


def test_a_file_like_object_is_read_from_where_it_stands() -> None:
    file = io.BytesIO(b"before" + SPEECH.read_bytes())
    file.seek(6)
    assert Audio.from_file(file).data == SPEECH.read_bytes()


def test_a_file_of_text_is_refused() -> None:
    with pytest.raises(AudioError, match="binary mode"):
        Audio.from_file(io.StringIO("text"))  # type: ignore[arg-type]


def test_the_home_directory_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(SPEECH.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Audio.from_path("~/a.wav").data == SPEECH.read_bytes()


@FROM_PATH
def test_a_path_to_nothing_is_refused(from_path: Callable[[Any], Audio], tmp_path: Path) -> None:
    for name in ("missing.wav", "", "a\0b.wav", "x" * 5_000):
        with pytest.raises(AudioError, match=r"it cannot be read|not a regular file"):
            from_path(tmp_path / name)


def test_what_is_not_base64_is_refused(subtests: pytest.Subtests) -> None:
    for text in ("", "   ", "====", "not base64!", "AAA*", "data:audio/wav;base64,UklG", "é"):
        with subtests.test(text), pytest.raises(AudioError, match="base64"):
            Audio.from_base64(text)


def test_too_much_base64_is_refused_before_it_is_decoded() -> None:
    class Endless(str):
        """A text that says it is too long, and cannot be looked into."""

        __slots__ = ()

        def __len__(self) -> int:
            return MAX_BASE64_CHARS + 1

        def __getitem__(self, key: Any) -> str:
            raise AssertionError("it was looked into")

        def split(self, *args: Any) -> list[str]:
            raise AssertionError("it was decoded")

    with pytest.raises(
        AudioError, match=rf"{MAX_BASE64_CHARS + 1:,} characters.*{MAX_BASE64_CHARS:,}"
    ):
        Audio.from_base64(Endless("AAAA"))


# --- arrays -----------------------------------------------------------------------------------

MONO = np.array([0, 1, -1, 32767, -32768, 12345], np.int16)
STEREO = np.stack([MONO, MONO[::-1]], axis=1)
FLOATS = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0])
AS_INT16 = np.array([0, 16384, -16384, 32767, -32768, 32767, -32768], np.int16)

ARRAYS: dict[str, tuple[Any, Any]] = {
    "int16": (MONO, MONO),
    "int16 in one column": (MONO.reshape(-1, 1), MONO),
    "stereo": (STEREO, STEREO.ravel()),
    "stereo, column by column": (np.asfortranarray(STEREO), STEREO.ravel()),
    "every other sample": (MONO[::2], MONO[::2]),
    "backwards": (MONO[::-1], MONO[::-1]),
    "transposed": (np.stack([MONO, MONO]).T, np.repeat(MONO, 2)),
    "not to be written to": (np.frombuffer(MONO.tobytes(), np.int16), MONO),
    "array.array": (array.array("h", MONO.tolist()), MONO),
    "memoryview": (MONO.data, MONO),
    "float32": (FLOATS.astype(np.float32), AS_INT16),
    "float64": (FLOATS, AS_INT16),
    "array of float": (array.array("f", FLOATS.tolist()), AS_INT16),
    "int32": (MONO.astype(np.int32) << 16, MONO),
    "24 bits in int32, as soundfile reads them": ((MONO.astype(np.int32) << 8) << 8, MONO),
    "int32, silent": (np.zeros(9, np.int32), np.zeros(9, np.int16)),
    "int32, very quiet": (np.array([0, 1 << 16, -1 << 16], "i"), np.array([0, 1, -1], "h")),
    "stereo int32": (STEREO.astype(np.int32) << 16, STEREO.ravel()),
    "uint8": (np.array([0, 128, 255], np.uint8), np.array([-32768, 0, 32512], np.int16)),
    "stereo float32": (np.stack([FLOATS, FLOATS], axis=1).astype("f"), np.repeat(AS_INT16, 2)),
}


def test_an_array_becomes_a_wav_of_its_samples(subtests: pytest.Subtests) -> None:
    for name, (samples, expected) in ARRAYS.items():
        with subtests.test(name):
            audio = Audio.from_array(samples, 22_050)
            shape = np.shape(samples)
            channels = shape[1] if len(shape) == 2 else 1
            assert audio.data == wav(expected, 22_050, channels)
            assert (audio.sample_rate, audio.channels) == (22_050, channels)
            assert audio.codec == "pcm_s16le"
            assert audio.duration_s == shape[0] / 22_050


@settings(deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=500))
def test_every_int16_survives(samples: list[int]) -> None:
    data = Audio.from_array(np.array(samples, np.int16), 16_000).data
    assert np.frombuffer(data[44:], np.int16).tolist() == samples


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=500), st.sampled_from("fd"))
def test_every_float_is_off_by_one_step_at_most(samples: list[float], kind: str) -> None:
    data = Audio.from_array(np.array(samples, kind), 16_000).data
    steps = np.frombuffer(data[44:], np.int16)
    assert np.abs(steps / 32768 - np.array(samples)).max() <= 1 / 32768


@pytest.mark.parametrize(("bits", "shift"), [(24, 8), (16, 0)])
def test_fewer_bits_in_the_low_bytes_of_int32_are_taken_with_a_warning(
    bits: int, shift: int
) -> None:
    samples = MONO.astype(np.int32) << shift
    with pytest.warns(UserWarning, match=f"taken as {bits}-bit samples"):
        audio = Audio.from_array(samples | (samples != 0), 16_000)
    steps = np.frombuffer(audio.data[44:], np.int16)
    assert np.abs(steps - MONO.astype(int)).max() <= 1


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "int64": (MONO.astype(np.int64), 16_000, "int16, int32"),
    "uint16": (MONO.astype(np.uint16), 16_000, "int16, int32"),
    "NaN": (np.array([0, np.nan]), 16_000, "NaN or infinite came.*nan_to_num"),
    "NaN, float32": (np.array([0, np.nan], "f"), 16_000, "NaN or infinite came"),
    "infinity": (np.array([np.inf, 0]), 16_000, "NaN or infinite came"),
    "infinities": (np.array([np.inf, -np.inf]), 16_000, "NaN or infinite came"),
    "floats that were not scaled": (MONO.astype("f"), 16_000, r"floats up to 32768.*/ 32768"),
    "negative floats, not scaled": (np.full(9, -900.0), 16_000, "floats up to 900 came"),
    "float16": (FLOATS.astype(np.float16), 16_000, "int16, int32"),
    "bool": (np.ones(9, bool), 16_000, "int16, int32"),
    "complex": (FLOATS.astype(complex), 16_000, "int16, int32"),
    "big-endian": (MONO.astype(">i2"), 16_000, "int16, int32"),
    "text": (np.array(["a", "b"]), 16_000, "int16, int32"),
    "objects": (np.array([1, None]), 16_000, "int16, int32"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), 16_000, "array"),
    "bytes": (b"abc", 16_000, "Audio.from_bytes"),
    "list": ([0, 1], 16_000, "list came"),
    "None": (None, 16_000, "NoneType came"),
    "no samples": (MONO[:0], 16_000, "empty"),
    "no frames": (STEREO[:0], 16_000, "empty"),
    "no channels": (STEREO[:, :0], 16_000, "shape"),
    "no dimension": (np.int16(1), 16_000, "shape|int16 came"),
    "three dimensions": (MONO.reshape(1, 2, 3), 16_000, r"shape \(1, 2, 3\)"),
    "channels first": (tone(1).reshape(2, -1), 16_000, "transpose"),
    "rate 0": (MONO, 0, "0 Hz"),
    "negative rate": (MONO, -16_000, "-16000 Hz"),
    "absurd rate": (MONO, 2**31, "2147483648 Hz"),
    "rate NaN": (MONO, float("nan"), "nan Hz"),
}


def test_other_arrays_are_refused_with_the_cure(subtests: pytest.Subtests) -> None:
    for name, (samples, sample_rate, message) in REFUSED.items():
        with subtests.test(name):
            with pytest.raises(AudioError, match=message) as caught:
                Audio.from_array(samples, sample_rate)
            assert "expected" in str(caught.value)


def test_a_rate_may_be_numpys_own() -> None:
    assert Audio.from_array(MONO, np.int64(8_000)).sample_rate == 8_000  # type: ignore[arg-type]


# --- what is known of it -----------------------------------------------------------------------


def test_the_bytes_say_what_it_is(subtests: pytest.Subtests) -> None:
    for recording in RECORDINGS:
        audio = Audio.from_bytes(recording.data, name="misleading.txt")
        with subtests.test(recording.name):
            assert audio.mime_type == recording.mime_type
            assert audio.codec == recording.codec
            assert audio.sample_rate == recording.sample_rate
            assert audio.channels == recording.channels
            assert audio.duration_s == pytest.approx(recording.seconds, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_decoding_yields_all_of_it_at_any_rate(rate: int, subtests: pytest.Subtests) -> None:
    for recording in RECORDINGS:
        samples = np.frombuffer(b"".join(Audio.from_path(recording.path).decode(rate)), np.int16)
        decoded = decode_all(recording.data)
        with subtests.test(recording.name):
            assert len(samples) / rate == pytest.approx(decoded.seconds, abs=0.002)
            assert abs(samples).max() == pytest.approx(abs(decoded.samples).max(), rel=0.25)


def chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def test_metadata_need_not_be_utf_8() -> None:
    plain = wav(tone(0.5))
    for title in ("Café".encode("latin-1"), "你好".encode("gbk"), b"\xff\xfe\x80"):
        tags = chunk(b"LIST", b"INFO" + chunk(b"INAM", title))
        riff = b"RIFF" + struct.pack("<I", len(plain) - 8 + len(tags))
        data = riff + plain[8:36] + tags + plain[36:]
        assert Audio.from_bytes(data).duration_s == 0.5, title
        assert b"".join(Audio.from_bytes(data).decode(16_000)) == tone(0.5).tobytes(), title
        assert len(decode_samples(data)) == 8_000, title


def test_a_repr_never_shows_or_decodes_the_bytes() -> None:
    data = b"swordfish" * 1_000_000
    audio = Audio.from_bytes(data, name="clip")
    assert repr(audio) == "<Audio 'clip': 9,000,000 bytes>"
    text = base64.b64encode(data).decode()
    assert len(repr(Audio.from_base64(text))) < 200
    assert len(repr(Audio.from_bytes(data, name="x" * 10_000))) < 400
    assert "probe" not in vars(audio)


def test_a_repr_tells_what_is_known() -> None:
    audio = Audio.from_path(SPEECH)
    assert repr(audio) == "<Audio 'speech.wav': 36,816 bytes>"
    assert audio.duration_s
    assert repr(audio) == "<Audio 'speech.wav': 36,816 bytes, audio/wav, 16000 Hz, 1 ch, 1.15 s>"


def test_what_is_no_audio_can_still_be_shown() -> None:
    audio = Audio.from_bytes(b"no audio")
    with pytest.raises(AudioError, match="8 bytes came that are not usable audio"):
        _ = audio.mime_type
    assert repr(audio) == "<Audio 'audio': 8 bytes>"


def test_all_properties_of_what_is_no_audio_end_in_one_error() -> None:
    for name in ("mime_type", "codec", "sample_rate", "channels", "duration_s"):
        with pytest.raises(AudioError):
            getattr(Audio.from_bytes(b"no audio"), name)


def acheck(audio: Audio) -> None:
    asyncio.run(audio.acheck())


@pytest.mark.parametrize("check", [Audio.check, acheck], ids=["sync", "async"])
def test_a_check_refuses_what_could_not_be_sent(check: Callable[[Audio], None]) -> None:
    whole = SPEECH.read_bytes()
    for data, words in {
        b"": "0 bytes came that are not usable audio",
        b"No recording at all.": "20 bytes came that are not usable audio",
        whole[: len(whole) // 2]: "it is truncated",
        wav(tone(0.0)): "there is no sound in it",
    }.items():
        upload = Audio.from_file(io.BytesIO(data), name="upload")
        with pytest.raises(AudioError, match=f"upload: .*{words}"):
            check(upload)
    good = Audio.from_path(SPEECH)
    check(good)
    assert repr(good).endswith("1.15 s>")


def test_the_error_is_langchains_and_pythons_too() -> None:
    assert issubclass(AudioError, QwenAudioError)
    assert issubclass(AudioError, ValueError)
    with pytest.raises(AudioError) as caught:
        _ = Audio.from_bytes(b"").probe
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


# --- a file that changes ----------------------------------------------------------------------


@pytest.mark.parametrize("change", ["replaced", "rewritten", "longer", "gone", "a link", "a FIFO"])
@FROM_PATH
def test_a_file_that_is_not_the_one_it_was_is_refused(
    from_path: Callable[[Any], Audio], tmp_path: Path, change: str
) -> None:
    path, other = tmp_path / "a.wav", tmp_path / "b.wav"
    for file in (path, other):
        file.write_bytes(SPEECH.read_bytes())
    audio = from_path(path)
    if change == "rewritten":
        path.write_bytes(bytes(reversed(SPEECH.read_bytes())))
        os.utime(path, ns=(1, 1))
    elif change == "longer":
        with path.open("ab") as end:
            end.write(b"more")
    else:
        path.unlink()
    if change == "replaced":
        other.rename(path)
    elif change == "a link":
        path.symlink_to(other)
    elif change == "a FIFO":
        os.mkfifo(path)
    for look in (lambda: audio.data, lambda: audio.digest, lambda: audio.probe):
        with pytest.raises(AudioError, match=r"it changed since|it cannot be read"):
            look()


def test_a_link_is_followed_once(tmp_path: Path) -> None:
    link = tmp_path / "link.wav"
    link.symlink_to(SPEECH)
    audio = Audio.from_path(link)
    link.unlink()
    link.symlink_to("/dev/zero")
    assert audio.data == SPEECH.read_bytes()


# --- a part of it ---------------------------------------------------------------------------------


def test_an_excerpt_holds_those_samples_and_no_others(subtests: pytest.Subtests) -> None:
    samples = noise(2)
    audio = Audio.from_array(samples, 16_000, name="call")
    cuts: list[tuple[float, float | None]] = [(0, None), (0, 1), (0.5, 1.5), (1, 2), (1.25, 99)]
    for start_s, end_s in [*cuts, (0, 99), (-1, 1), (1.9999, 2)]:
        with subtests.test(start_s=start_s, end_s=end_s):
            part = audio.excerpt(start_s, end_s)
            expected = samples[round(max(0.0, start_s) * 16_000) : at_16_khz(end_s)]
            np.testing.assert_array_equal(decode_all(part.data).samples, expected)
            assert part.duration_s == len(expected) / 16_000
            assert part.name.startswith("call from ")


def at_16_khz(time_s: float | None) -> int | None:
    return None if time_s is None else round(time_s * 16_000)


def test_an_excerpt_of_nothing_is_refused() -> None:
    audio = Audio.from_array(tone(2), 16_000)
    for start_s, end_s in ((2, None), (5, 6), (1, 1), (1.5, 0.5), (0, 0)):
        with pytest.raises(AudioError, match="there is nothing from"):
            audio.excerpt(start_s, end_s)


class CountingFile(io.BytesIO):
    """A file that counts what is read of all of its kind."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        CountingFile.bytes_read += len(data)
        return data


LENGTHLESS: dict[str, Callable[[], bytes]] = {
    "AMR": lambda: nodata_amr(2),
    "Opus": lambda: encode(noise(60, 48_000), "ogg", "libopus", 48_000),
    "FLAC": lambda: without_length(encode(noise(60), "flac", "flac")),
    "AC-3": lambda: encode(noise(60, 48_000), "ac3", "ac3", 48_000),
}
LENGTHLESS = {name: functools.cache(make) for name, make in LENGTHLESS.items()}
LENGTHLESS_FILES = pytest.mark.parametrize("make", LENGTHLESS.values(), ids=LENGTHLESS)


@LENGTHLESS_FILES
def test_an_excerpt_reads_no_further_than_its_end(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make()
    monkeypatch.setattr(POOL, "is_available", lambda: False)  # so that it is read here
    monkeypatch.setattr(Audio, "open", lambda self: CountingFile(self.data))
    audio = Audio.from_bytes(data)
    _ = audio._parts  # all of a file is searched for others that were joined to it
    CountingFile.bytes_read = 0
    part = audio.excerpt(1, 3)
    assert part.duration_s == 2
    assert CountingFile.bytes_read < len(data) / 3 + 200_000
    assert audio._duration_s is None


@LENGTHLESS_FILES
def test_a_worker_sends_little_more_than_the_excerpt(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = sent_by_workers(monkeypatch)
    part = Audio.from_bytes(make()).excerpt(2, 12)
    assert part.duration_s == 10
    assert 12 <= length_of(sum(sent)) < 12 + 3


def sent_by_workers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes of sound that workers send, also what is not waited for."""
    sent: list[int] = []

    def counted(worker: Any) -> tuple[bytes, bytes]:
        kind, body = receive(worker)
        sent.append(len(body) if kind == BLOCK else 0)
        return kind, body

    receive = worker_pool._Worker.receive
    monkeypatch.setattr(worker_pool._Worker, "receive", counted)
    return sent


@pytest.mark.parametrize("name", ["bare.mp3", "pyav.amr", "opus.ogg", "speech.wav", "vorbis.ogg"])
def test_an_excerpt_is_the_same_whether_the_length_is_known(name: str) -> None:
    measured = Audio.from_bytes(read(name))
    samples = np.frombuffer(b"".join(measured.decode(16_000)), np.int16)
    for start_s, end_s in ((0, 0.5), (0.25, 1), (0.5, None), (0.5, 99)):
        expected = samples[round(start_s * 16_000) : at_16_khz(end_s)]
        for audio in (measured, Audio.from_bytes(read(name))):
            excerpt = audio.excerpt(start_s, end_s)
            np.testing.assert_array_equal(decode_all(excerpt.data).samples, expected)


def test_a_start_beyond_the_end_is_refused_without_decoding(
    monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setattr(Audio, "decode", None)
    match = r"there is nothing from 5 s to the end; it is 1\.\d s long"
    for name in ("bare.mp3", "pyav.amr", "opus.ogg", "speech.wav", "speech.m4a"):
        with subtests.test(name), pytest.raises(AudioError, match=match):
            Audio.from_bytes(read(name)).excerpt(5, 7)


def test_a_start_beyond_the_end_is_refused_where_only_decoding_tells() -> None:
    with pytest.raises(AudioError, match=r"nothing from 5 s to the end; it is 1\.1 s long"):
        Audio.from_bytes(read("vorbis.ogg")).excerpt(5, 7)


def test_an_excerpt_before_the_place_where_a_recording_is_truncated_is_whole() -> None:
    data = encode(noise(20, 48_000), "ogg", "libopus", 48_000)
    cut = Audio.from_bytes(data[: data.rindex(b"OggS") + 100])
    assert cut.excerpt(1, 3).duration_s == 2
    for part in (lambda: cut.excerpt(1), lambda: cut.excerpt(1, 30), lambda: cut.duration_s):
        with pytest.raises(AudioError, match="it is truncated"):
            part()


def test_an_excerpt_is_no_longer_than_requested_whatever_the_header_says() -> None:
    flac = encode(noise(20), "flac", "flac")
    short = Audio.from_bytes(patched(flac, 21, bytes([flac[21] & 0xF0]) + (16_000).to_bytes(4)))
    assert short.excerpt(0, 1).duration_s == 1  # as long as the header says, and no longer
    assert short.excerpt(0, 2).duration_s == 2
    assert short.excerpt(15, 16).duration_s == 1


def test_an_excerpt_of_joined_files_holds_those_samples_and_no_others() -> None:
    samples = noise(2)
    for start_s, end_s in ((0, 1), (0, 1.9), (0.5, 2), (0, None), (1.9, 9)):
        joined = Audio.from_bytes(wav(samples[:16_000]) + wav(samples[16_000:]))
        expected = samples[round(start_s * 16_000) : at_16_khz(end_s)]
        excerpt = joined.excerpt(start_s, end_s)
        np.testing.assert_array_equal(decode_all(excerpt.data).samples, expected)


def test_a_length_is_found_no_further_than_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = Audio.from_bytes(LENGTHLESS["AC-3"]())
    sent = sent_by_workers(monkeypatch)
    assert audio.length_up_to(5) == math.inf
    assert length_of(sum(sent)) < 5 + 6
    assert audio.length_up_to(60) == audio.duration_s == pytest.approx(60, abs=0.1)
    counted = Audio.from_bytes(nodata_amr(1))
    assert counted.length_up_to(5) == math.inf
    assert counted.length_up_to(3_600) == 3_600
    assert counted.length_up_to(5) == 3_600  # since it is known
    assert Audio.from_bytes(wav(tone(2))).length_up_to(1) == 2


# --- what it becomes --------------------------------------------------------------------------


def test_a_block_is_langchains_own() -> None:
    block = Audio.from_path(DATA / "speech.mp3").to_block()
    data = base64.b64encode(read("speech.mp3")).decode()
    assert block == {"type": "audio", "base64": data, "mime_type": "audio/mpeg"}
    message = HumanMessage(content_blocks=[block])  # type: ignore[list-item]
    assert message.content_blocks == [block]


def test_an_async_block_is_the_same() -> None:
    audio = Audio.from_path(DATA / "live.webm")
    assert asyncio.run(audio.ato_block()) == audio.to_block()


TWINS = [name for name in vars(Audio) if f"a{name}" in vars(Audio)]


def test_twins_take_the_same_arguments() -> None:
    assert {"from_path", "from_url", "from_file", "to_block"} <= set(TWINS)
    for name in TWINS:
        one, other = (inspect.signature(getattr(Audio, twin)) for twin in (name, f"a{name}"))
        assert one == other, name


def test_a_block_is_taken_by_other_providers() -> None:
    block = Audio.from_path(DATA / "speech.wav").to_block()
    assert convert_to_openai_data_block(block) == {
        "type": "input_audio",
        "input_audio": {"data": block["base64"], "format": "wav"},
    }


def test_a_block_comes_back_as_the_same_recording() -> None:
    audio = Audio.from_path(DATA / "live.webm")
    block = audio.to_block()
    back = Audio.from_base64(block["base64"], mime_type=block["mime_type"])
    assert back.data == audio.data
    assert back.to_block() == block


COPIES: dict[str, Callable[[Audio], Audio]] = {
    "pickle": lambda audio: pickle.loads(pickle.dumps(audio)),  # noqa: S301
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("looked_at", [False, True], ids=["unread", "read"])
@pytest.mark.parametrize("make", [Audio.from_path, from_open_file], ids=["path", "bytes"])
def test_a_copy_is_the_same_recording(make: Callable[[Path], Audio], looked_at: bool) -> None:
    for way, copied in COPIES.items():
        audio = make(SPEECH)
        assert not looked_at or audio.duration_s
        again = copied(audio)
        assert again is not audio, way
        assert (again.name, again.data) == (audio.name, audio.data), way
        assert (again.probe, again.duration_s) == (audio.probe, audio.duration_s), way
        assert repr(again) == repr(audio), way


def test_it_is_exported() -> None:
    assert "Audio" in langchain_qwen_audio.__all__


# --- in messages --------------------------------------------------------------------------------


def test_it_is_one_block_of_what_a_tool_returns() -> None:
    audio = Audio.from_array(np.zeros(1_600, np.int16), 16_000)
    assert list(audio) == [audio.to_tool_block()] == [{**audio.to_block(), "type": "file"}]


def test_a_message_with_its_block_gives_it_back() -> None:
    audio = Audio.from_array(np.zeros(1_600, np.int16), 16_000)
    for block in (audio.to_block(), audio.to_tool_block()):
        message = HumanMessage([{"type": "text", "text": "?"}, block])
        assert Audio.from_message(message).data == audio.data


def test_a_file_that_is_not_audio_is_none() -> None:
    pdf = {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf"}
    with pytest.raises(AudioError, match="no audio in it"):
        Audio.from_message(HumanMessage([pdf]))


def test_a_checkpoint_of_a_state_that_has_one_needs_its_types_registered() -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=[Audio, LocalFile])
    audio = Audio.from_path(SPEECH)
    kept = serde.dumps_typed(audio)
    assert len(kept[1]) < 1_000 < audio.size  # the name of the file, and not its bytes
    assert serde.loads_typed(kept).data == audio.data
