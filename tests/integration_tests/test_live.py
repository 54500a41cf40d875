"""The five documented uses, against the real service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

import langchain_qwen_audio
from langchain_qwen_audio import Audio, ChatQwenAudio

pytestmark = [
    pytest.mark.live,
    pytest.mark.enable_socket,
    pytest.mark.skipif(
        "DASHSCOPE_API_KEY" not in os.environ, reason="the service needs DASHSCOPE_API_KEY"
    ),
]

# The recording of https://help.aliyun.com/zh/model-studio/audio-language-model
URL = "https://dashscope.oss-cn-beijing.aliyuncs.com/audios/welcome.mp3"
WELCOME: dict[str, Any] = {"type": "audio", "url": URL}
SAMPLE = Path(langchain_qwen_audio.__file__).parent / "samples" / "welcome.wav"


def call_model(*messages: Any) -> AIMessage:
    return ChatQwenAudio().invoke(list(messages))


def test_an_audio_url_with_a_question() -> None:
    answer = call_model(HumanMessage([WELCOME, "这段音频在说什么?"]))
    assert "欢迎使用阿里云" in answer.text
    assert answer.usage_metadata
    assert answer.usage_metadata["input_token_details"]["audio"] > 0


def test_a_local_file_with_a_system_message() -> None:
    block = Audio.from_path(SAMPLE).to_block()
    question = HumanMessage([block, "What is said, word for word?"])
    assert "microphone" in call_model(SystemMessage("You are a helpful assistant."), question).text


def test_a_conversation_of_two_turns() -> None:
    first = HumanMessage([WELCOME, "这段音频在说什么?"])
    answer = call_model(first, call_model(first), HumanMessage("介绍一下这家公司"))
    assert "阿里" in answer.text


def test_streaming() -> None:
    chunks = list(ChatQwenAudio().stream([HumanMessage([WELCOME, "这段音频在说什么?"])]))
    assert len(chunks) > 1
    assert "欢迎使用阿里云" in "".join(chunk.text for chunk in chunks)
    assert [bool(chunk.usage_metadata) for chunk in chunks].count(True) == 1


def test_a_voice_chat_without_text() -> None:
    assert call_model(HumanMessage([WELCOME])).text
