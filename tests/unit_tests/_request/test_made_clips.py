"""Segments that were made for a model are sent as they are, and nothing else is taken for one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._models.profiles import ASR as ASR_PROFILE
from langchain_qwen_audio._models.profiles import QWEN_AUDIO as QWEN_AUDIO_PROFILE
from langchain_qwen_audio._request import clips
from langchain_qwen_audio._request.made_clips import find_made_clip, made_clip
from langchain_qwen_audio.local import LocalDashScope, error_reply
from tests.unit_tests.loading import ASR, QWEN_AUDIO, clip_in, loader_of, numbered, texts
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.recordings import audio_urls, encode, fresh_tone, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit_tests.loading import Load

SOUND = tone(15)
OMNI = "qwen3.8-omni-flash"


@functools.cache
def recording(name: str) -> bytes:
    return wav(SOUND) if name == "wav" else encode(SOUND, "mp3", "libmp3lame")


@pytest.mark.parametrize(
    ("model", "name"),
    [(ASR, "wav"), (QWEN_AUDIO, "mp3"), (OMNI, "mp3"), (RECOGNITION, "wav")],
)
def test_a_segment_is_neither_measured_nor_converted_nor_cached(
    load: Load, tmp_path: Path, jobs: list[str], model: str, name: str
) -> None:
    (tmp_path / f"call.{name}").write_bytes(recording(name))
    cached = list(clips._cache)
    with LocalDashScope(reply="ok") as server:
        options: dict[str, Any] = {"segment_s": 6}
        documents = load(loader_of(server, tmp_path / f"call.{name}", {"model": model}, **options))
        assert len(documents) == len(server.requests) == 3
    encoded = ["encode"] * 3 if name == "mp3" else []
    assert sorted(jobs) == ["decode", *encoded, "probe"]
    assert list(clips._cache) == cached


def test_a_segment_is_sent_whole(load: Load, tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(recording("wav"))
    with LocalDashScope(reply="ok") as server:
        load(loader_of(server, tmp_path / "call.wav", segment_s=6, max_concurrency=1))
        sent = [clip_in(request) for request in server.requests]
    assert b"".join(clip[44:] for clip in sent) == SOUND.tobytes()
    assert {clip[:4] for clip in sent} == {b"RIFF"}


def test_a_segment_is_uploaded_as_it_is(tmp_path: Path, jobs: list[str]) -> None:
    (tmp_path / "call.wav").write_bytes(wav(numbered(15)))
    with LocalDashScope(reply="ok") as server:
        fields = {"audio_transport": "upload"}
        loader_of(server, tmp_path / "call.wav", fields, segment_s=6).load()
        (url,) = audio_urls(server)
        uploads = [request for request in server.requests if request.kind == "upload"]
    assert url.startswith("oss://")
    assert len(uploads) == 3
    assert jobs == ["probe", "decode"]


def test_a_segment_that_is_sent_again_is_sent_as_it_is(
    load: Load, tmp_path: Path, jobs: list[str]
) -> None:
    (tmp_path / "call.mp3").write_bytes(recording("mp3"))
    oops = error_reply(500, "InternalError", "oops")
    with LocalDashScope(replies=[oops, oops], reply="ok") as server:
        documents = load(loader_of(server, tmp_path / "call.mp3", segment_s=6))
        assert len(server.requests) == 5
    assert texts(documents) == ["ok"] * 3
    assert sorted(jobs) == ["decode", "encode", "encode", "encode", "probe"]


# --- what is taken for one --------------------------------------------------------------------


def made() -> Audio:
    """Make a clip that nobody has seen yet, and that is known to be an MP3."""
    audio = Audio.from_bytes(encode(fresh_tone(1.0), "mp3", "libmp3lame"))
    assert audio.mime_type == "audio/mpeg"
    assert audio.duration_s == pytest.approx(1.0, abs=0.1)
    audio.hold_base64()
    return audio


def ask(model: ChatQwenAudio, audio: Audio, text: str = "") -> None:
    block = audio.to_block()
    model.invoke([HumanMessage([{**block, "base64": text or block["base64"]}])])


def test_only_the_very_text_is_known_again(
    model: ChatQwenAudio, server: LocalDashScope, jobs: list[str]
) -> None:
    audio = made()
    jobs.clear()
    with made_clip(audio, model.route().profile):
        ask(model, audio)
        assert jobs == []
        ask(model, audio, audio.base64.encode().decode())  # equal, and not the same
        assert "probe" in jobs
    assert len(server.requests) == 2


def test_a_clip_is_made_for_one_model(model: ChatQwenAudio, jobs: list[str]) -> None:
    audio = made()
    jobs.clear()
    with made_clip(audio, ASR_PROFILE):
        assert model.route().profile == QWEN_AUDIO_PROFILE
        ask(model, audio)
    assert "decode" in jobs


def test_a_clip_is_known_again_only_within() -> None:
    audio = made()
    assert find_made_clip(audio.base64) is None
    with made_clip(audio, ASR_PROFILE):
        assert find_made_clip(audio.base64) is not None
        assert find_made_clip(made().base64) is None
    assert find_made_clip(audio.base64) is None


def test_base64_is_held_only_where_that_is_wanted() -> None:
    audio = Audio.from_bytes(recording("wav"))
    assert audio.base64 is not audio.base64
    audio.hold_base64()
    assert audio.to_block()["base64"] is audio.base64
