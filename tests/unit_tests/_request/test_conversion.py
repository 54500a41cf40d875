"""Clips longer than the model takes: how many parts, cut where, and nothing lost or sent twice."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._models.profiles import QWEN_AUDIO
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio.errors import AudioError, ContextOverflowError
from tests.unit_tests._media.file_builders import nodata_amr
from tests.unit_tests.calling_modes import astream, invoke
from tests.unit_tests.programs import PEAK_MB, needs_proc, run_forked
from tests.unit_tests.recordings import (
    TWO_WAYS,
    amr,
    decode_all,
    encode,
    question_about,
    sent_clips,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel
    from tests.unit_tests.recordings import Samples

RATE = 16_000
HOUR_S = 3600
LONG_S = 1200
BLOCK_S = 10


def speech_like(seconds: float) -> Samples:
    """Make a tone with 0.4 s of silence after every 7 s."""
    samples = tone(seconds)
    for pause in range(7 * RATE, len(samples), 7 * RATE):
        samples[pause : pause + 2 * RATE // 5] = 0
    return samples


def model_of(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, api_key="local", **fields)


# --- split ------------------------------------------------------------------------------------


def test_where_nothing_is_quieter_the_cut_is_at_the_limit(
    server: LocalDashScope, model: ChatQwenAudio, subtests: pytest.Subtests
) -> None:
    for parts_s in ([29.9], [30.0], [30.0, 0.1], [30.0, 30.0, 1.0]):
        original = tone(sum(parts_s))
        model.invoke(question_about(Audio.from_array(original, RATE)))
        parts = [decode_all(data) for data in sent_clips(server)]
        with subtests.test(parts_s=parts_s):
            assert [part.seconds for part in parts] == pytest.approx(parts_s, abs=1e-9)
            sent = np.concatenate([part.samples for part in parts])
            np.testing.assert_array_equal(sent, original)
            assert {part.codec for part in parts} == {"pcm_s16le"}


def test_every_calling_mode_sends_all_parts(call_model: CallModel, server: LocalDashScope) -> None:
    original = tone(31)
    call_model(model_of(server), question_about(Audio.from_array(original, RATE)))
    parts = [decode_all(data).samples for data in sent_clips(server)]
    assert list(map(len, parts)) == [30 * RATE, RATE]
    np.testing.assert_array_equal(np.concatenate(parts), original)


def test_cuts_fall_into_the_middle_of_the_last_silence(
    server: LocalDashScope, model: ChatQwenAudio, subtests: pytest.Subtests
) -> None:
    for parts_s in ([29.9], [30.0], [28.2, 1.9], [28.2, 28.0, 4.8]):
        original = speech_like(sum(parts_s))
        model.invoke(question_about(Audio.from_array(original, RATE)))
        parts = [decode_all(data) for data in sent_clips(server)]
        with subtests.test(parts_s=parts_s):
            assert [part.seconds for part in parts] == pytest.approx(parts_s, abs=0.1)
            sent = np.concatenate([part.samples for part in parts])
            np.testing.assert_array_equal(sent, original)
            for end in itertools.accumulate(len(part.samples) for part in parts[:-1]):
                assert not original[end - RATE // 20 : end + RATE // 20].any()


@pytest.mark.parametrize(
    ("make", "max_growth"),
    [
        (lambda: encode(tone(31, 44_100), "flac", "flac", 44_100), 1),
        (lambda: encode(tone(31, 48_000), "webm", "libopus", 48_000), 1),
        (lambda: amr(31), 1.6),  # 5.2 kbit/s; MP3 begins at 8
    ],
    ids=["flac", "webm", "amr"],
)
def test_parts_of_any_format_add_up_to_the_clip(
    server: LocalDashScope, model: ChatQwenAudio, make: Callable[[], bytes], max_growth: float
) -> None:
    data = make()
    model.invoke(question_about(Audio.from_bytes(data)))
    sent = sent_clips(server)
    parts = [decode_all(part) for part in sent]
    assert sum(part.seconds for part in parts) == pytest.approx(31, abs=0.05)
    assert max(part.seconds for part in parts) <= 30
    assert len(parts) == 2
    assert sum(map(len, sent)) <= len(data) * max_growth


def test_parts_are_sent_in_order_and_named_by_their_time() -> None:
    parts = convert(Audio.from_array(tone(61), RATE, name="call"), QWEN_AUDIO)
    assert [part.name for part in parts] == [
        "call (0.0 to 30.0 s)",
        "call (30.0 to 60.0 s)",
        "call (60.0 to 61.0 s)",
    ]
    assert [part.duration_s for part in parts] == [30.0, 30.0, 1.0]


# --- truncate, error --------------------------------------------------------------------------


@TWO_WAYS
def test_truncate_keeps_the_first_30_s_and_warns_each_time(
    call_model: CallModel, server: LocalDashScope
) -> None:
    model = model_of(server, long_audio="truncate")
    for seconds in (30.1, 250.0):  # also of what exceeds the context
        original = tone(seconds, 8_000)
        messages = question_about(Audio.from_array(original, 8_000))
        for _ in range(2):
            with pytest.warns(UserWarning, match="longer than the 30 s that the model takes; the"):
                call_model(model, messages)
            (data,) = sent_clips(server)
            np.testing.assert_array_equal(decode_all(data).samples, original[: 30 * 8_000])


def test_error_refuses_before_any_request(call_model: CallModel, server: LocalDashScope) -> None:
    with pytest.raises(AudioError, match=r"longer than the 30 s.*long_audio='split'"):
        call_model(
            model_of(server, long_audio="error"),
            question_about(Audio.from_array(tone(30.1), RATE)),
        )
    assert server.requests == []


def test_what_fits_travels_as_it_came(server: LocalDashScope) -> None:
    for seconds in (29.9, 30.0):
        data = wav(tone(seconds))
        for long_audio in ("split", "truncate", "error"):
            model_of(server, long_audio=long_audio).invoke(question_about(Audio.from_bytes(data)))
            assert sent_clips(server) == [data], long_audio


# --- beyond the context -----------------------------------------------------------------------


def too_long(codec: str) -> bytes:
    return encode(tone(250, 8_000), "flac" if codec == "flac" else "wav", codec, 8_000)


@pytest.mark.parametrize(
    ("call_model", "codec"), [(invoke, "flac"), (astream, "pcm_s16le")], indirect=["call_model"]
)
def test_beyond_the_context_the_error_says_how_long_and_what_to_do(
    call_model: CallModel, server: LocalDashScope, codec: str
) -> None:
    with pytest.raises(ContextOverflowError) as caught:
        call_model(model_of(server), question_about(Audio.from_bytes(too_long(codec))))
    message = str(caught.value)
    assert "messages[0].content[0] is 250.0 s long" in message
    assert "at most 245.8 s of audio (6,144 tokens, 25 a second)" in message
    larger = "qwen3.8-omni-flash or qwen3.5-omni-plus or qwen3.5-omni-flash"
    assert f"use a model with a larger context ({larger}), or send one part at a time" in message
    assert "QwenAudioLoader" in message
    assert server.requests == []


def test_the_context_is_used_to_its_end(server: LocalDashScope, model: ChatQwenAudio) -> None:
    model.invoke(question_about(Audio.from_array(tone(245.5), RATE)))
    assert len(sent_clips(server)) == 9


# --- an hour ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twenty minutes of WAV, an hour of MP3, which is too large to be sent, and hours of AMR."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "long.amr").write_bytes(nodata_amr(2))
    return {
        "wav": write_long(folder, "wav", LONG_S),
        "mp3": write_long(folder, "mp3", HOUR_S),
        "amr": folder / "long.amr",
    }


def write_long(folder: Path, name: str, seconds: int) -> Path:
    """Write a block of sound again and again."""
    block = tone(BLOCK_S)
    size = seconds * RATE * 2
    head = wav(block[:0])
    head = head[:4] + (size + 36).to_bytes(4, "little") + head[8:40] + size.to_bytes(4, "little")
    body = block.tobytes()
    if name == "mp3":
        head, mp3 = b"", encode(block, "mp3", "libmp3lame")
        # Frames stand by themselves; the first one is LAME's, which tells of ten seconds only.
        body = mp3[mp3.index(mp3[-432:][:2], 500) :]
    path = folder / f"{seconds}.{name}"
    with path.open("wb") as file:
        file.write(head)
        file.writelines([body] * (seconds // BLOCK_S))
    return path


@pytest.mark.parametrize("name", ["wav", pytest.param("mp3", marks=pytest.mark.slow)])
def test_an_hour_is_refused_without_an_hour_in_memory(
    server: LocalDashScope, model: ChatQwenAudio, tmp_path: Path, name: str
) -> None:
    hour = write_long(tmp_path, name, HOUR_S)
    tracemalloc.start()
    try:
        with pytest.raises(ContextOverflowError, match="QwenAudioLoader"):
            model.invoke(question_about(hour.as_uri()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert server.requests == []
    assert peak < 40e6  # an hour of samples is 115 MB


# How much is decoded before it is refused: what the headers say costs nothing to read.
DECODED_S = {
    ("wav", "split"): 0.0,
    ("wav", "error"): 30.0,
    ("mp3", "split"): 0.0,  # its packets are counted
    ("mp3", "error"): 30.0,
    ("amr", "split"): 300.0,  # it might be sent as it came
    ("amr", "error"): 60.0,
}
# Of a model that takes one clip of so many seconds, and of one whose clips are shorter.
LIMITS = {"split": ("qwen3-asr-flash", 300), "error": ("qwen-audio-turbo-latest", 30)}


@pytest.mark.parametrize(("name", "long_audio"), DECODED_S)
def test_a_limit_is_looked_at_before_the_work(
    server: LocalDashScope,
    long_clips: dict[str, Path],
    name: str,
    long_audio: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode, decoded = Audio.decode, []

    def counted(self: Audio, sample_rate: int) -> Iterator[bytes]:
        for block in decode(self, sample_rate):
            decoded.append(len(block) / 2 / sample_rate)
            yield block

    monkeypatch.setattr(Audio, "decode", counted)
    model, limit_s = LIMITS[long_audio]
    fields = {"model": model, "long_audio": long_audio, "local_files": True}
    clip = {"type": "audio", "url": long_clips[name].as_uri()}
    longer = f"longer than (the )?{limit_s} s"
    length = "1200.0 s long" if (name, long_audio) == ("wav", "split") else longer
    with pytest.raises(AudioError, match=f"it is {length}"):
        model_of(server, **fields).invoke([HumanMessage([clip])])
    assert sum(decoded) == pytest.approx(DECODED_S[name, long_audio], abs=10)
    assert server.requests == []


MEASURE = """
import sys
from langchain_qwen_audio import Audio
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio._models.profiles import QWEN_AUDIO
from langchain_qwen_audio.errors import ContextOverflowError
import av
audio = Audio.from_path(sys.argv[1])
before = peak_mb()
if sys.argv[2] == "fit":
    try:
        convert(audio, QWEN_AUDIO)
    except ContextOverflowError:
        seconds = 0
else:
    seconds = sum(map(len, audio.decode(16000))) / 32000
print(seconds, peak_mb() - before)
"""


@needs_proc
@pytest.mark.parametrize("name", ["wav", "mp3"])
@pytest.mark.parametrize(("what", "decoded_s"), [("fit", 0), ("decode", LONG_S)])
def test_a_long_clip_is_decoded_in_bounded_memory(
    tmp_path: Path, name: str, what: str, decoded_s: int
) -> None:
    path = write_long(tmp_path, name, LONG_S)
    seconds, peak_mb = map(float, run_forked(PEAK_MB + MEASURE, str(path), what).split())
    assert seconds == pytest.approx(decoded_s, rel=0.02)
    assert peak_mb < 25  # all samples are 38 MB
