"""Which model is served by which path, and how much of a clip each one takes."""

import pytest

from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._audio import decode_audio
from langchain_qwen_audio.local._models import Model, serve
from langchain_qwen_audio.local._wire import Refusal

from ._client import (
    ASR,
    CAPTIONER,
    MODEL,
    OMNI_3,
    OMNI_35,
    OMNI_38,
    OMNI_TURBO,
    ask,
    assert_chat_refused,
    assert_refused,
    chat,
    chunks_of,
    clip,
    data_uri,
    make_wav,
    message_of,
    text,
    text_of,
    user,
    wav,
)

QWEN_AUDIO = ["qwen-audio-turbo", "qwen-audio-turbo-latest"]
BOTH = [
    *("qwen3-asr-flash", "qwen3-asr-flash-2025-09-08", "qwen3-asr-flash-2026-02-10"),
    *("qwen3-asr-flash-us", "qwen3-asr-flash-2025-09-08-us", "qwen3-omni-30b-a3b-captioner"),
]
OMNI = [
    *("qwen-omni-turbo", "qwen-omni-turbo-latest", "qwen-omni-turbo-2025-01-19"),
    *("qwen-omni-turbo-2025-03-26", "qwen2.5-omni-7b", "qwen3-omni-flash"),
    *("qwen3-omni-flash-2025-09-15", "qwen3-omni-flash-2025-12-01", "qwen3.5-omni-plus"),
    *("qwen3.5-omni-flash", "qwen3.5-omni-plus-2026-03-15", "qwen3.5-omni-flash-2026-03-15"),
    "qwen3.8-omni-flash",
]
AUDIO = data_uri(wav(0.1))


def silence(seconds: float, rate: int = 1_000) -> bytes:
    return make_wav(bytes(2 * round(seconds * rate)), rate)


def facts(name: str) -> Model:
    models = serve()
    return {**models.native, **models.compatible}[name]


def test_every_model_is_in_the_tables() -> None:
    models = serve()
    assert set(models.native) == {*QWEN_AUDIO, *BOTH}
    assert set(models.compatible) == {*BOTH, *OMNI}


def test_a_model_answers_on_its_path_alone() -> None:
    with LocalDashScope(reply="ok") as server:
        for name in [*QWEN_AUDIO, *BOTH]:
            assert text_of(ask(server, user({"audio": AUDIO}), model=name)) == "ok"
        for name in [*BOTH, *OMNI]:
            chunks = chunks_of(chat(server, user(clip(AUDIO)), model=name, stream=True))
            assert chunks[1]["choices"][0]["delta"]["content"] == "ok"
        for name in OMNI:
            refused = ask(server, user({"audio": AUDIO}), model=name)
            assert_refused(refused, 400, "InvalidParameter", "url error, please check url!")
        for name in QWEN_AUDIO:
            message = f"Unsupported model `{name}` for OpenAI compatibility mode."
            refused = chat(server, user(clip(AUDIO)), model=name)
            assert_chat_refused(refused, 404, "model_not_supported", message)


def test_a_name_of_its_own_is_qwen_audio_natively_and_an_omni_that_may_do_everything() -> None:
    with LocalDashScope(models=["mine"], reply="ok") as server:
        assert text_of(ask(server, model="mine")) == "ok"
        assert message_of(chat(server, model="mine"))["content"] == "ok"
        tools = [{"type": "function", "function": {"name": "f"}}]
        assert message_of(chat(server, model="mine", tools=tools))["content"] == "ok"
        speech = {"modalities": ["text", "audio"], "audio": {"voice": "Mine", "format": "wav"}}
        clips = user(clip(AUDIO), clip(AUDIO), text("?"))
        chunks_of(chat(server, clips, model="mine", stream=True, **speech))


def test_a_known_name_keeps_its_facts() -> None:
    with LocalDashScope(models=[OMNI_TURBO], reply="ok") as server:
        assert ask(server, model=OMNI_TURBO).status_code == 400


def test_unknown_names_are_told_what_is_served(server: LocalDashScope) -> None:
    response = chat(server, model="gpt-4o")
    served = ", ".join(sorted([*BOTH, *OMNI]))
    message = (
        "Model can not be found. The model `gpt-4o` does not exist or you do not have access to "
        f"it. (This local stand-in serves: {served}.)"
    )
    assert_chat_refused(response, 404, "model_not_found", message)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        (OMNI_TURBO, 180),
        (ASR, 300),
        pytest.param(OMNI_3, 1200, marks=pytest.mark.slow),
        pytest.param(CAPTIONER, 2400, marks=pytest.mark.slow),
    ],
)
def test_a_longer_clip_is_refused(name: str, seconds: int) -> None:
    heard = decode_audio(silence(seconds), facts(name))
    assert len(heard) == pytest.approx(seconds * 16_000, abs=50)
    with pytest.raises(Refusal, match="The audio is too long"):
        decode_audio(silence(seconds + 1), facts(name))


@pytest.mark.parametrize("name", [OMNI_35, OMNI_38])
def test_the_latest_hear_three_hours(name: str) -> None:
    assert facts(name).max_clip_s == 3 * 3600
    assert facts(name).max_file_bytes == 2 * 1024**3


def test_qwen_audio_alone_cuts_a_longer_clip() -> None:
    assert len(decode_audio(silence(40), facts(MODEL))) == 30 * 16_000
    models = serve()
    cutting = {name for name in models.names if facts(name).cuts}
    assert cutting == set(QWEN_AUDIO)


def test_a_clip_that_is_too_long_is_refused_on_both_paths(server: LocalDashScope) -> None:
    long = data_uri(silence(301))
    message = "The audio is too long"
    refused = ask(server, user({"audio": long}), model=ASR)
    assert_refused(refused, 400, "InvalidParameter", message)
    chat_refused = chat(server, user(clip(long)), model=ASR)
    assert_chat_refused(chat_refused, 400, "invalid_parameter_error", message)


@pytest.mark.parametrize(
    ("name", "seconds", "tokens"),
    [
        (OMNI_TURBO, 0.2, 25),
        (OMNI_TURBO, 60, 1500),
        (OMNI_3, 0.2, 12),
        (OMNI_3, 60, 750),
        (OMNI_35, 0.2, 7),
        (OMNI_35, 60, 420),
        (OMNI_38, 60, 420),
        (CAPTIONER, 60, 750),
        (ASR, 60, 1500),
    ],
)
def test_audio_tokens_of_each_family(
    server: LocalDashScope, name: str, seconds: float, tokens: int
) -> None:
    asked = user(clip(data_uri(silence(seconds))))
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *_, last = chunks_of(chat(server, asked, model=name, **options))
    assert last["usage"]["prompt_tokens_details"] == {"audio_tokens": tokens, "text_tokens": 0}
    assert last["usage"]["prompt_tokens"] == tokens
