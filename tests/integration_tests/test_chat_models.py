"""LangChain's own integration tests of a chat model, against the local stand-in."""

from __future__ import annotations

import base64
import functools
import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as suite

import langchain_qwen_audio
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(langchain_qwen_audio.__file__).parent / "samples"
WELCOME = base64.b64encode((SAMPLES / "welcome.wav").read_bytes()).decode()
QUESTION = {"type": "text", "text": "Describe this audio:"}
AUDIO = {"type": "audio", "mime_type": "audio/wav", "base64": WELCOME}
OPENAI_AUDIO = {"type": "input_audio", "input_audio": {"data": WELCOME, "format": "wav"}}

Detail = Literal[
    "audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"
]


@pytest.fixture(scope="session")
def stand_in() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


class TestChatQwenAudio(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatQwenAudio]:
        return ChatQwenAudio

    @pytest.fixture(autouse=True)
    def _stand_in(self, monkeypatch: pytest.MonkeyPatch, stand_in: LocalDashScope) -> None:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", stand_in.base_url)

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
    def model_override_value(self) -> str:
        return "qwen-audio-turbo"

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Detail]]:
        return {"invoke": ["audio_input"], "stream": ["audio_input"]}

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        messages = [HumanMessage([QUESTION, AUDIO])]
        if not stream:
            return ChatQwenAudio().invoke(messages)
        return functools.reduce(operator.add, ChatQwenAudio().stream(messages))

    @pytest.fixture(autouse=True)
    def _local_sample(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give the suite a recording that is here; its own is downloaded from Wikimedia."""
        monkeypatch.setattr(suite, "_get_base64_from_url", lambda _: WELCOME)


@pytest.mark.parametrize("block", [AUDIO, OPENAI_AUDIO], ids=["LangChain", "OpenAI"])
def test_the_answer_is_what_the_recording_says(
    stand_in: LocalDashScope, block: dict[str, Any]
) -> None:
    model = ChatQwenAudio(base_url=stand_in.base_url, api_key="local")
    answer = model.invoke([HumanMessage([QUESTION, block])]).text.lower()
    spoken = (SAMPLES / "welcome.txt").read_text(encoding="utf-8").lower()
    for word in ("welcome", "studio", "microphone", "computer"):
        assert word in spoken
        assert word in answer
