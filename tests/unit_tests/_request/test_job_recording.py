"""What a job is given of a recording: its URL, its bytes, or all of it as WAV."""

from __future__ import annotations

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._request import job_recording
from langchain_qwen_audio._request.job_recording import prepare_recording
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests.recordings import decode_all, encode, read, tone, wav

LISTED = ["speech.mp3", "speech.m4a", "speech.flac", "opus.ogg", "live.webm", "speech.wma"]
LISTED += ["speech.aac", "sox.amr", "video.mp4", "video.mkv", "video.avi", "stereo48k.wav"]
OTHERS = ["speech.aiff", "speech.au", "speech.caf", "speech.3gp", "surround.wav"]


def test_a_url_is_taken_as_it_is() -> None:
    for url in ("https://example.com/a.mp3?b=c", "http://example.com/a"):
        assert prepare_recording(url) == url


def test_a_clip_of_a_listed_format_is_uploaded_as_it_came() -> None:
    for name in LISTED:
        clip = Audio.from_bytes(read(name))
        assert prepare_recording(clip) is clip, name


def test_any_other_clip_is_uploaded_as_wav(subtests: pytest.Subtests) -> None:
    for name in OTHERS:
        clip = Audio.from_bytes(read(name))
        taken = prepare_recording(clip)
        with subtests.test(name):
            assert isinstance(taken, Audio)
            assert (taken.mime_type, taken.channels, taken.sample_rate) == ("audio/wav", 1, 16_000)
            assert taken.duration_s == pytest.approx(clip.duration_s, abs=0.1)


def test_a_channel_that_is_chosen_is_uploaded_alone() -> None:
    stereo = Audio.from_bytes(wav(tone(0.5), channels=2), channel=1)
    taken = prepare_recording(stereo)
    assert isinstance(taken, Audio)
    assert taken.channels == 1


def test_files_that_were_joined_are_uploaded_whole() -> None:
    joined = Audio.from_bytes(wav(tone(0.5)) + wav(tone(0.25)))
    taken = prepare_recording(joined)
    assert isinstance(taken, Audio)
    assert decode_all(taken.data).seconds == pytest.approx(0.75, abs=0.01)


def test_a_clip_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_recording, "MAX_UPLOAD_BYTES", 1000)
    with pytest.raises(AudioError, match="at most 1,000 are taken; pass the http"):
        prepare_recording(Audio.from_bytes(wav(tone(0.5))))


CUT = {
    "WAV": lambda: wav(tone(2)),
    "MP3": lambda: encode(tone(2), "mp3", "libmp3lame"),
    "FLAC": lambda: encode(tone(2), "flac", "flac"),
    "M4A": lambda: read("faststart.m4a"),
    "Ogg": lambda: read("opus.ogg"),
    "WebM": lambda: read("speech.webm"),
}


def cut(kind: str) -> bytes:
    whole = CUT[kind]()
    return whole[: len(whole) * 3 // 5]


def test_a_clip_that_is_truncated_is_refused(subtests: pytest.Subtests) -> None:
    for kind in CUT:
        with subtests.test(kind), pytest.raises(AudioError, match="truncated"):
            prepare_recording(Audio.from_bytes(cut(kind)))


def test_what_is_there_of_it_is_uploaded_if_that_is_allowed() -> None:
    for kind in [kind for kind in CUT if kind != "Ogg"]:  # it is one page
        taken = prepare_recording(Audio.from_bytes(cut(kind), allow_truncated=True))
        assert isinstance(taken, Audio), kind
        assert taken.mime_type == "audio/wav", kind


def test_what_is_no_audio_is_refused() -> None:
    with pytest.raises(AudioError):
        prepare_recording(Audio.from_bytes(b"<html>"))
