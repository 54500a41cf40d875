"""Which model is served by which protocol, with which facts."""

import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply
from langchain_qwen_audio.local._models.table import serve_models
from tests.unit_tests.local._client import (
    OMNI_TURBO,
    assert_chat_refused,
    assert_chunks,
    assert_refused,
    chat,
    clip,
    data_uri,
    generate,
    message_of,
    text,
    text_of,
    user,
    wav,
)

QWEN_AUDIO = ["qwen-audio-turbo", "qwen-audio-turbo-latest"]
BOTH = [
    *("qwen3-asr-flash", "qwen3-asr-flash-2025-09-08", "qwen3-asr-flash-2026-02-10"),
    "qwen3-omni-30b-a3b-captioner",
]
US = ["qwen3-asr-flash-us", "qwen3-asr-flash-2025-09-08-us"]
TURBO = [
    *("qwen-omni-turbo", "qwen-omni-turbo-latest", "qwen-omni-turbo-2025-01-19"),
    *("qwen-omni-turbo-2025-03-26", "qwen2.5-omni-7b"),
]
OMNI = [
    *("qwen3-omni-flash", "qwen3-omni-flash-2025-12-01", "qwen3.5-omni-plus"),
    *("qwen3.5-omni-flash", "qwen3.5-omni-plus-2026-03-15", "qwen3.5-omni-flash-2026-03-15"),
    "qwen3.8-omni-flash",
]
NATIVE = [*QWEN_AUDIO, *US, *BOTH]
AUDIO = data_uri(wav(0.1))


def test_every_model_is_in_the_table() -> None:
    models = serve_models()
    assert {name for name in models if "native" in models[name]} == {*NATIVE, *TURBO}
    assert {name for name in models if "openai" in models[name]} == {*BOTH, *TURBO, *OMNI}


def test_a_model_answers_on_its_path_alone() -> None:
    with LocalDashScope(reply="ok") as server:
        for name in NATIVE:
            assert text_of(generate(server, user({"audio": AUDIO}), model=name)) == "ok"
        for name in [*BOTH, *TURBO, *OMNI]:
            chunks = assert_chunks(chat(server, user(clip(AUDIO)), model=name, stream=True))
            assert chunks[1]["choices"][0]["delta"]["content"] == "ok"
        for name in OMNI:
            refused = generate(server, user({"audio": AUDIO}), model=name)
            assert_refused(refused, 400, "InvalidParameter", "url error, please check url!")
        for name in [*QWEN_AUDIO, *US]:
            message = f"Unsupported model `{name}` for OpenAI compatibility mode."
            refused = chat(server, user(clip(AUDIO)), model=name)
            assert_chat_refused(refused, 404, "model_not_supported", message)


def test_a_name_of_ones_own_is_qwen_audio_natively_and_an_omni_that_may_do_everything() -> None:
    with LocalDashScope(models=["mine"], reply="ok") as server:
        assert text_of(generate(server, model="mine")) == "ok"
        assert message_of(chat(server, model="mine"))["content"] == "ok"
        tools = [{"type": "function", "function": {"name": "f"}}]
        assert message_of(chat(server, model="mine", tools=tools))["content"] == "ok"
        speech = {"modalities": ["text", "audio"], "audio": {"voice": "Mine", "format": "wav"}}
        clips = user(clip(AUDIO), clip(AUDIO), text("?"))
        assert_chunks(chat(server, clips, model="mine", stream=True, **speech))


def test_a_known_name_keeps_its_facts() -> None:
    with LocalDashScope(models=[OMNI_TURBO], reply="ok") as server:
        assert generate(server, model=OMNI_TURBO).status_code == 400


def test_turbo_streams_natively(server: LocalDashScope) -> None:
    server.script("ok")
    streamed = generate(server, user({"audio": AUDIO}), model=OMNI_TURBO, stream=True)
    assert streamed.status_code == 200
    assert '"text":"ok"' in streamed.text
    whole = generate(server, user({"audio": AUDIO}), model=OMNI_TURBO)
    assert whole.json()["message"].startswith("This model only support stream mode")
    server.script(Reply("ok", audio=b"RIFF"))
    speech = {"modalities": ["text", "audio"], "stream": True}
    spoken = generate(server, user({"audio": AUDIO}), model=OMNI_TURBO, **speech)
    assert '"content":[{"audio":{"data":"UklGRg=="}}]' in spoken.text


RECOGNITION = ["qwen-audio-3.0-asr-flash", "qwen-audio-3.1-asr-flash", "fun-asr-flash-2026-06-15"]


@pytest.mark.parametrize("model", ["qwen-audio-chat", "qwen-audio-turbo-2024-12-04", "gpt-4o"])
def test_retired_and_unknown_names_are_not_found_natively(
    server: LocalDashScope, model: str
) -> None:
    served = ", ".join(sorted([*NATIVE, *TURBO, *RECOGNITION]))
    message = (
        f"Model can not be found. The model `{model}` does not exist or you do not have access to "
        f"it. (This local test server serves: {served}.)"
    )
    assert_refused(generate(server, model=model), 404, "ModelNotFound", message)


def test_unknown_names_are_not_found_on_the_compatible_path(server: LocalDashScope) -> None:
    response = chat(server, model="gpt-4o")
    served = ", ".join(sorted([*BOTH, *TURBO, *OMNI]))
    message = (
        "Model can not be found. The model `gpt-4o` does not exist or you do not have access to "
        f"it. (This local test server serves: {served}.)"
    )
    assert_chat_refused(response, 404, "model_not_found", message)
