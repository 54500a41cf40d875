"""LangChain's own integration tests of a chat model, against the local test server."""

from __future__ import annotations

import base64
import functools
import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as suite

import langchain_qwen_audio
from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(langchain_qwen_audio.__file__).parent / "samples"
WELCOME = base64.b64encode((SAMPLES / "welcome.wav").read_bytes()).decode()
QUESTION = {"type": "text", "text": "Describe this audio:"}
AUDIO = {"type": "audio", "mime_type": "audio/wav", "base64": WELCOME}
OPENAI_AUDIO = {"type": "input_audio", "input_audio": {"data": WELCOME, "format": "wav"}}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

Detail = Literal[
    "audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"
]
Details = dict[Literal["invoke", "stream"], list[Detail]]


@pytest.fixture(scope="session")
def whisper_server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


class EveryModel(ChatModelIntegrationTests):
    """What is the same for all models that answer questions."""

    @property
    def chat_model_class(self) -> type[ChatQwenAudio]:
        return ChatQwenAudio

    @pytest.fixture(autouse=True)
    def _whisper_server(
        self, monkeypatch: pytest.MonkeyPatch, whisper_server: LocalDashScope
    ) -> None:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", whisper_server.base_url)

    @pytest.fixture(autouse=True)
    def _local_samples(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give the suite a recording and an image that are here; its own are downloaded."""
        monkeypatch.setattr(suite, "_get_base64_from_url", lambda _: WELCOME)
        monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=PIXEL))

    @pytest.fixture
    def vcr(self) -> None:
        """Be there for a test that is skipped, since nothing is recorded."""

    @property
    def has_tool_calling(self) -> bool:
        return True

    @property
    def has_tool_choice(self) -> bool:
        return True

    @property
    def has_structured_output(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> Details:
        return {"invoke": ["audio_input"], "stream": ["audio_input"]}

    def call_model(
        self, model: str, content: list[Any], *, stream: bool, **fields: Any
    ) -> AIMessage:
        chat_model = ChatQwenAudio(model=model, **fields)
        if not stream:
            return chat_model.invoke([HumanMessage(content)])
        return functools.reduce(operator.add, chat_model.stream([HumanMessage(content)]))


class TestChatQwenAudio(EveryModel):
    """Qwen-Audio, by the native protocol, with tools in the prompt."""

    @property
    def model_override_value(self) -> str:
        return "qwen-audio-turbo"

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        return self.call_model("qwen-audio-turbo-latest", [QUESTION, AUDIO], stream=stream)


class Omni(EveryModel):
    """Qwen-Omni, by the OpenAI-compatible protocol, with tools of its own and images."""

    model_name: str

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.model_name}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        return self.call_model(self.model_name, [QUESTION, AUDIO], stream=stream)


class TestQwenOmniThatThinks(Omni):
    model_name = "qwen3.8-omni-flash"

    @property
    def model_override_value(self) -> str:
        return "qwen3.5-omni-flash"

    @property
    def supported_usage_metadata_details(self) -> Details:
        return {
            "invoke": ["audio_input", "reasoning_output"],
            "stream": ["audio_input", "reasoning_output"],
        }

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self.call_model(
            self.model_name, [QUESTION, AUDIO], stream=stream, enable_thinking=True
        )


class TestQwenOmniThatSpeaks(Omni):
    model_name = "qwen3.5-omni-flash"

    @property
    def model_override_value(self) -> str:
        return "qwen3.8-omni-flash"

    @property
    def supported_usage_metadata_details(self) -> Details:
        return {
            "invoke": ["audio_input", "audio_output"],
            "stream": ["audio_input", "audio_output"],
        }

    def invoke_with_audio_output(self, *, stream: bool = False) -> AIMessage:
        speech: dict[str, Any] = {"modalities": ["text", "audio"], "voice": "Tina"}
        return self.call_model(self.model_name, [QUESTION, AUDIO], stream=stream, **speech)


@pytest.mark.parametrize("model", ["qwen-audio-turbo-latest", "qwen3.8-omni-flash"])
@pytest.mark.parametrize("block", [AUDIO, OPENAI_AUDIO], ids=["LangChain", "OpenAI"])
def test_the_answer_is_what_the_recording_says(
    whisper_server: LocalDashScope, block: dict[str, Any], model: str
) -> None:
    chat_model = ChatQwenAudio(model=model, base_url=whisper_server.base_url, api_key="local")
    answer = chat_model.invoke([HumanMessage([QUESTION, block])]).text.lower()
    spoken = (SAMPLES / "welcome.txt").read_text(encoding="utf-8").lower()
    for word in ("welcome", "studio", "microphone", "computer"):
        assert word in spoken
        assert word in answer


@pytest.mark.parametrize("protocol", ["native", "openai"])
def test_a_transcript_is_what_the_recording_says(
    whisper_server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    model = ChatQwenAudio(
        model="qwen3-asr-flash",
        protocol=protocol,
        base_url=whisper_server.base_url,
        api_key="local",
    )
    transcript = model.invoke([HumanMessage([AUDIO])]).text.lower()
    for word in ("welcome", "studio", "microphone", "computer"):
        assert word in transcript


def test_speech_output_names_the_local_test_server(whisper_server: LocalDashScope) -> None:
    where: dict[str, Any] = {"base_url": whisper_server.base_url, "api_key": "local"}
    speaker = ChatQwenAudio(model="qwen3.5-omni-flash", modalities=["text", "audio"], **where)
    speech = Audio.from_message(speaker.invoke("Who are you?"))
    transcript = ChatQwenAudio(model="qwen3-asr-flash", **where).invoke(
        [HumanMessage([speech.to_block()])]
    )
    assert "this is the local test server" in transcript.text.lower()
