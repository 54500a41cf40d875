"""LangChain's own unit tests of a chat model, for each way that tools are offered."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.load import load
from langchain_tests.unit_tests import ChatModelUnitTests
from langchain_tests.unit_tests import chat_models as suite

from langchain_qwen_audio import ChatQwenAudio


# The suite itself calls `load`, which is in beta, and `dict`, which is deprecated.
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainDeprecationWarning")
class EveryModel(ChatModelUnitTests):
    """What is the same for all models that answer questions."""

    @property
    def chat_model_class(self) -> type[ChatQwenAudio]:
        return ChatQwenAudio

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"api_key": "key", "base_url": "http://127.0.0.1:9/api/v1"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        env = {"DASHSCOPE_API_KEY": "key", "DASHSCOPE_BASE_URL": "http://127.0.0.1:9/api/v1"}
        attributes = {"api_key": "key", "base_url": "http://127.0.0.1:9/api/v1"}
        return env, {"model": self.model_override_value}, attributes

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

    @pytest.fixture(autouse=True)
    def _trust_this_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the suite load our class: its "all" means the packages that LangChain lists."""

        def load_ours(serialized: Any, **options: Any) -> Any:
            return load(serialized, **{**options, "allowed_objects": [ChatQwenAudio]})

        monkeypatch.setattr(suite, "load", load_ours)


class TestChatQwenAudio(EveryModel):
    """Qwen-Audio, by the native protocol, with tools in the prompt."""

    @property
    def model_override_value(self) -> str:
        return "qwen-audio-turbo"


class TestQwenOmni(EveryModel):
    """Qwen-Omni, by the OpenAI-compatible protocol, with tools of its own."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "model": "qwen3.8-omni-flash"}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "qwen3.5-omni-flash"
