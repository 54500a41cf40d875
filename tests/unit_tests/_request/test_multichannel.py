"""Recordings of several channels, sent with all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests.models import OMNI_3_8, model_at
from tests.unit_tests.recordings import TWO_WAYS, question_about, read, sent_clips, tone, wav

if TYPE_CHECKING:
    import numpy.typing as npt

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

RATE = 16_000


def sounds(count: int, seconds: float = 0.3, rate: int = RATE) -> npt.NDArray[np.int16]:
    """Make so many channels that differ, as rows of samples."""
    return np.stack([tone(seconds, rate, 300.0 + 50 * it) for it in range(count)], axis=1)


def sent_channels(data: bytes) -> npt.NDArray[np.int16]:
    assert data[:4] == b"RIFF"
    assert int.from_bytes(data[24:28], "little") == RATE
    channels = int.from_bytes(data[22:24], "little")
    return np.frombuffer(data[44:], np.int16).reshape(-1, channels)


@TWO_WAYS
@pytest.mark.parametrize("count", [2, 4])
def test_all_channels_of_a_wav_file_are_sent(
    call_model: CallModel, server: LocalDashScope, count: int
) -> None:
    expected = sounds(count)
    clip = Audio.from_bytes(wav(expected, channels=count))
    call_model(model_at(server, OMNI_3_8, use_multichannel=True), question_about(clip))
    (data,) = sent_clips(server)
    np.testing.assert_array_equal(sent_channels(data), expected)
    assert server.requests[0].json["use_multichannel"] is True


def test_another_rate_is_converted_channel_by_channel(server: LocalDashScope) -> None:
    clip = Audio.from_bytes(wav(sounds(2, rate=48_000), 48_000, channels=2))
    model_at(server, OMNI_3_8, use_multichannel=True).invoke(question_about(clip))
    (data,) = sent_clips(server)
    left, right = (np.frombuffer(b"".join(it.decode(RATE)), "i2") for it in clip.split_channels())
    np.testing.assert_array_equal(sent_channels(data), np.stack([left, right], axis=1))
    assert not np.array_equal(left, right)


def test_a_chosen_channel_is_sent_alone(server: LocalDashScope) -> None:
    expected = sounds(2)
    clip = Audio.from_bytes(wav(expected, channels=2), channel=1)
    model_at(server, OMNI_3_8, use_multichannel=True).invoke(question_about(clip))
    (data,) = sent_clips(server)
    np.testing.assert_array_equal(sent_channels(data), expected[:, 1:])


def test_one_clip_is_sent_both_ways_in_turn(server: LocalDashScope) -> None:
    clip = Audio.from_bytes(read("stereo48k.wav"))
    for keeps, count in ((False, 1), (True, 2), (False, 1)):
        model_at(server, OMNI_3_8, use_multichannel=keeps).invoke(question_about(clip))
        (data,) = sent_clips(server)
        assert Audio.from_bytes(data).channels == count


@pytest.mark.parametrize(
    ("clip", "why"),
    [
        (read("surround.wav"), "6 channels, and the model takes 2"),
        (wav(sounds(2, 1.0), channels=2)[:-40_000], "truncated: its header says 1.00 s"),
        (wav(sounds(2, 124.0), channels=2), "124.0 s long and 7,936,044 bytes.*split_channels"),
    ],
)
def test_what_cannot_be_sent_so_says_what_to_do(
    server: LocalDashScope, clip: bytes, why: str
) -> None:
    model = model_at(server, OMNI_3_8, use_multichannel=True)
    with pytest.raises(AudioError, match=why):
        model.invoke(question_about(Audio.from_bytes(clip)))
    assert server.requests == []
