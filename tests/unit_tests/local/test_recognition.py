"""The two that take one clip and nothing else: speech recognition and the captioner."""

import re
from pathlib import Path
from typing import Any

import pytest

import langchain_qwen_audio.local
from langchain_qwen_audio.local import LocalDashScope, Reply

from ._client import (
    ASR,
    CAPTIONER,
    OMNI_38,
    ask,
    assert_chat_refused,
    assert_refused,
    assistant,
    chat,
    chunks_of,
    clip,
    data_uri,
    events_of,
    message_of,
    text,
    text_of,
    user,
    wav,
)

SAMPLES = Path(langchain_qwen_audio.local.__file__).parents[1] / "samples"
WELCOME = re.findall(r"[a-z]+", (SAMPLES / "welcome.txt").read_text().lower())
SPEECH = data_uri((SAMPLES / "welcome.wav").read_bytes())
SILENCE = data_uri(wav(2, amplitude=0))
WHISPER = "local-stand-in/whisper-tiny.en"
ENGLISH = [{"type": "audio_info", "language": "en"}]
ANNOTATIONS = [{"type": "audio_info", "language": "zh", "emotion": "neutral"}]
NOT_THIS = "The dedicated task `asr` does not support this input."
ONE_CLIP = f"The model `{CAPTIONER}` takes one audio, no text and no history."

CONTEXT = {"role": "system", "content": [{"text": "Hot words: studio"}]}


def words(written: str) -> list[str]:
    return re.findall(r"[a-z]+", written.lower())


# --- natively ---


def test_recognition_has_the_documented_shape(server: LocalDashScope) -> None:
    server.script(Reply("欢迎使用阿里云", annotations=ANNOTATIONS, request_id="r"))
    options = {"asr_options": {"language": "zh", "enable_itn": False}}
    response = ask(server, CONTEXT, user({"audio": SILENCE}), model=ASR, **options)
    assert response.json() == {
        "output": {
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {
                        "role": "assistant",
                        "content": [{"text": "欢迎使用阿里云"}],
                        "annotations": ANNOTATIONS,
                    },
                }
            ]
        },
        "usage": {
            "input_tokens_details": {"text_tokens": 4},
            "output_tokens_details": {"text_tokens": 7},
            "seconds": 1,
        },
        "request_id": "r",
    }


def test_captions_have_the_documented_usage(server: LocalDashScope) -> None:
    server.script("A tone.")
    response = ask(server, user({"audio": SILENCE}), model=CAPTIONER)
    assert response.json()["usage"] == {
        "input_tokens": 12,
        "output_tokens": 3,
        "total_tokens": 15,
        "input_tokens_details": {"audio_tokens": 12, "text_tokens": 0},
        "output_tokens_details": {"text_tokens": 3},
    }


def test_what_is_heard_is_the_whole_text_and_the_model_says_who_heard_it(
    server: LocalDashScope,
) -> None:
    response = ask(server, user({"audio": SPEECH}), model=ASR)
    assert words(text_of(response)) == WELCOME
    assert response.json()["model"] == WHISPER
    assert response.json()["output"]["choices"][0]["message"]["annotations"] == ENGLISH
    assert response.json()["usage"]["seconds"] == 7


def test_recognition_streams_its_annotations_and_its_model_in_every_chunk(
    server: LocalDashScope,
) -> None:
    asked = user({"audio": SPEECH})
    events = events_of(ask(server, asked, model=ASR, stream=True, incremental_output=True))
    messages = [event["output"]["choices"][0]["message"] for event in events]
    assert all(message["annotations"] == ENGLISH for message in messages)
    assert {event["model"] for event in events} == {WHISPER}
    pieces = [part["text"] for message in messages for part in message["content"]]
    assert words("".join(pieces)) == WELCOME
    assert len(pieces) == len(events) - 1 > 20
    assert events[-1]["usage"]["output_tokens_details"] == {"text_tokens": len(pieces)}


def test_silence_is_an_empty_text(server: LocalDashScope) -> None:
    response = ask(server, user({"audio": SILENCE}), model=ASR)
    assert response.json()["output"]["choices"][0]["message"]["content"] == []
    assert message_of(chat(server, user(clip(SILENCE)), model=ASR))["content"] == ""


def test_captions_are_marked(server: LocalDashScope) -> None:
    marker = f"[local stand-in: Whisper tiny.en, not {CAPTIONER}]"
    response = ask(server, user({"audio": SILENCE}), model=CAPTIONER)
    assert text_of(response) == f"{marker} I heard nothing."
    assert "model" not in response.json()
    said = message_of(chat(server, user(clip(SPEECH)), model=CAPTIONER))["content"]
    marked, _, heard = said.partition(" I heard: ")
    assert marked == marker
    assert words(heard) == WELCOME


def test_captions_are_cumulative_by_default(server: LocalDashScope) -> None:
    server.script("A tone")
    events = events_of(ask(server, user({"audio": SILENCE}), model=CAPTIONER, stream=True))
    contents = [event["output"]["choices"][0]["message"]["content"] for event in events]
    assert contents == [[{"text": "A"}], [{"text": "A tone"}], [{"text": "A tone"}]]


AUDIO = {"audio": SILENCE}
# name: the messages
TOO_MUCH: dict[str, list[dict[str, Any]]] = {
    "text": [user(AUDIO, {"text": "What is said?"})],
    "text alone": [user({"text": "What is said?"})],
    "two clips": [user(AUDIO), user(AUDIO)],
    "history": [user(AUDIO), assistant("Hello"), user(AUDIO)],
    "an image": [user(AUDIO, {"image": "https://example.com/a.png"})],
    "nothing": [user()],
    "audio in the context": [{"role": "system", "content": [AUDIO]}, user(AUDIO)],
    "a context that comes after": [user(AUDIO), CONTEXT, user(AUDIO)],
}


@pytest.mark.parametrize("messages", TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize(("model", "message"), [(ASR, NOT_THIS), (CAPTIONER, ONE_CLIP)])
def test_they_take_one_clip_alone(
    server: LocalDashScope, messages: list[dict[str, Any]], model: str, message: str
) -> None:
    refused = ask(server, *messages, model=model)
    assert_refused(refused, 400, "InvalidParameter", message)


@pytest.mark.parametrize("model", [ASR, CAPTIONER])
def test_they_take_one_clip_a_message(server: LocalDashScope, model: str) -> None:
    refused = ask(server, user(AUDIO, AUDIO), model=model)
    message = f"The model `{model}` takes 1 audio per message."
    assert_refused(refused, 400, "InvalidParameter", message)


def test_a_system_message_is_taken(server: LocalDashScope) -> None:
    for model in (ASR, CAPTIONER):
        server.script("ok", "ok")
        assert text_of(ask(server, CONTEXT, user(AUDIO), model=model)) == "ok"
        system = {"role": "system", "content": "Hot words: studio"}
        assert message_of(chat(server, system, user(clip(SILENCE)), model=model))["content"] == "ok"


OPTIONS: list[tuple[Any, str]] = [
    ([1], "asr_options should be an object of language, enable_itn, enable_lid"),
    ({"lang": "en"}, "asr_options should be an object of language, enable_itn, enable_lid"),
    ({"language": "tlh"}, "Unsupported language: tlh: asr_options.language"),
    ({"language": ["en"]}, "Input should be a valid str: asr_options.language"),
    ({"enable_itn": "yes"}, "Input should be a valid bool: asr_options.enable_itn"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_are_checked(server: LocalDashScope, options: Any, message: str) -> None:
    refused = ask(server, user(AUDIO), model=ASR, asr_options=options)
    assert_refused(refused, 400, "InvalidParameter", message)
    refused = chat(server, user(clip(SILENCE)), model=ASR, asr_options=options)
    assert_chat_refused(refused, 400, "invalid_parameter_error", message)


# --- on the compatible path ---


def test_recognition_by_the_compatible_path(server: LocalDashScope) -> None:
    server.script(Reply("One two", annotations=ANNOTATIONS))
    body = chat(server, user(clip(SILENCE)), model=ASR).json()
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "One two",
        "annotations": ANNOTATIONS,
    }
    assert body["model"] == ASR
    assert body["usage"] == {
        "prompt_tokens": 25,
        "completion_tokens": 2,
        "total_tokens": 27,
        "completion_tokens_details": {"text_tokens": 2},
        "prompt_tokens_details": {"audio_tokens": 25, "text_tokens": 0},
        "seconds": 1,
    }


def test_recognition_streams_by_the_compatible_path(server: LocalDashScope) -> None:
    chunks = chunks_of(chat(server, user(clip(SPEECH)), model=ASR, stream=True))
    assert {chunk["model"] for chunk in chunks} == {WHISPER}
    first, *deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert first == {"content": "", "role": "assistant", "annotations": ENGLISH}
    assert all((it["role"], it["annotations"]) == (None, ENGLISH) for it in deltas)
    assert words("".join(it["content"] for it in deltas)) == WELCOME
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]


def test_recognition_takes_no_text_by_the_compatible_path(server: LocalDashScope) -> None:
    refused = chat(server, user(clip(SILENCE), text("What is said?")), model=ASR)
    assert_chat_refused(refused, 400, "invalid_parameter_error", NOT_THIS)


def test_options_of_recognition_mean_nothing_to_others(server: LocalDashScope) -> None:
    server.script("ok")
    assert message_of(chat(server, model=OMNI_38, asr_options=[1]))["content"] == "ok"
