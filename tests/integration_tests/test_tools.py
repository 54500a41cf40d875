"""LangChain's own tests of tools, for each tool; `ask_audio` calls the local test server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

import langchain_qwen_audio
from langchain_qwen_audio import (
    AskAudio,
    ChatQwenAudio,
    ListAudio,
    LoadAudio,
    TranscribeAudio,
)
from langchain_qwen_audio.local import LocalDashScope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.tools import BaseTool

SAMPLES = Path(langchain_qwen_audio.__file__).parent / "samples"


class LoadAudioTests:
    tool_constructor: type[BaseTool] = LoadAudio
    tool_constructor_params: dict[str, Any] = {"root_dir": SAMPLES}  # noqa: RUF012
    tool_invoke_params_example: dict[str, Any] = {  # noqa: RUF012
        "audio": "welcome.wav",
        "start_s": 1.0,
        "end_s": 2.5,
    }


class TestLoadAudioUnit(LoadAudioTests, ToolsUnitTests):
    """`load_audio` as LangChain expects of a tool."""


class TestLoadAudioIntegration(LoadAudioTests, ToolsIntegrationTests):
    """`load_audio` at work."""


class ListAudioTests:
    tool_constructor: type[BaseTool] = ListAudio
    tool_constructor_params: dict[str, Any] = {"root_dir": SAMPLES}  # noqa: RUF012
    tool_invoke_params_example: dict[str, Any] = {}  # noqa: RUF012


class TestListAudioUnit(ListAudioTests, ToolsUnitTests):
    """`list_audio` as LangChain expects of a tool."""


class TestListAudioIntegration(ListAudioTests, ToolsIntegrationTests):
    """`list_audio` at work."""


class AskAudioTests:
    @pytest.fixture(autouse=True)
    def _whisper_server(self) -> Iterator[None]:
        with LocalDashScope() as server:
            self.llm = ChatQwenAudio(base_url=server.base_url, api_key="local")
            yield

    tool_constructor: type[BaseTool] = AskAudio

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"llm": self.llm, "root_dir": SAMPLES}

    tool_invoke_params_example: dict[str, Any] = {  # noqa: RUF012
        "audio": "welcome.wav",
        "question": "What is said?",
    }


class TestAskAudioUnit(AskAudioTests, ToolsUnitTests):
    """`ask_audio` as LangChain expects of a tool."""


class TestAskAudioIntegration(AskAudioTests, ToolsIntegrationTests):
    """`ask_audio` at work."""

    def test_the_answer_is_what_the_recording_says(self, tool: BaseTool) -> None:
        assert "Welcome to the recording studio" in tool.invoke(self.tool_invoke_params_example)


class TranscribeAudioTests:
    @pytest.fixture(autouse=True)
    def _whisper_server(self) -> Iterator[None]:
        with LocalDashScope() as server:
            self.llm = ChatQwenAudio(
                model="qwen3-asr-flash", base_url=server.base_url, api_key="local"
            )
            yield

    tool_constructor: type[BaseTool] = TranscribeAudio

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"llm": self.llm, "root_dir": SAMPLES}

    tool_invoke_params_example: dict[str, Any] = {"audio": "welcome.wav"}  # noqa: RUF012


class TestTranscribeAudioUnit(TranscribeAudioTests, ToolsUnitTests):
    """`transcribe_audio` as LangChain expects of a tool."""


class TestTranscribeAudioIntegration(TranscribeAudioTests, ToolsIntegrationTests):
    """`transcribe_audio` at work."""

    def test_the_transcript_is_what_the_recording_says(self, tool: BaseTool) -> None:
        text = tool.invoke(self.tool_invoke_params_example)
        assert text.startswith("Welcome to the recording studio")
