"""What converting a clip takes: jobs of workers, and when a segment is encoded."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio._models.profiles import ASR, QWEN_AUDIO
from langchain_qwen_audio._request import encoded_segments
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio._transcription.segments import split_recording
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests.recordings import encode, tone


@functools.cache
def minute() -> bytes:
    return encode(tone(60), "mp3", "libmp3lame")


def test_a_clip_that_is_too_long_is_decoded_once_and_its_parts_are_not_probed(
    jobs: list[str],
) -> None:
    parts = convert(Audio.from_bytes(minute()), QWEN_AUDIO)
    assert [part.mime_type for part in parts] == ["audio/mpeg"] * len(parts)
    assert jobs == ["probe", "decode", *["encode"] * len(parts)]


def test_a_segment_is_encoded_when_it_is_wanted(jobs: list[str]) -> None:
    segments = list(split_recording(Audio.from_bytes(minute()), ASR, 25.0))
    assert len(segments) == 3
    assert "encode" not in jobs
    assert segments[0].encode().mime_type == "audio/mpeg"
    assert jobs.count("encode") == 1


def test_parts_are_of_the_kind_that_they_say() -> None:
    (part, *_) = convert(Audio.from_bytes(minute()), QWEN_AUDIO)
    assert part.mime_type == Audio.from_bytes(part.data).mime_type
    (segment, *_) = split_recording(Audio.from_array(tone(60), 16_000), ASR, 25.0)
    audio = segment.encode()
    assert audio.mime_type == Audio.from_bytes(audio.data).mime_type == "audio/wav"


@pytest.mark.parametrize("error", [CodecError("it ended"), OSError("too busy")])
def test_what_stops_an_encoder_is_an_error_about_the_recording(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> bytes:
        raise error

    monkeypatch.setattr(encoded_segments, "bounded_encode", fail)
    with pytest.raises(AudioError, match=rf"call\.mp3: it cannot be encoded as MP3 \({error}\)"):
        convert(Audio.from_bytes(minute(), name="call.mp3"), QWEN_AUDIO)
