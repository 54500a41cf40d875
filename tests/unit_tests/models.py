"""One model of each kind, and what tests send to it."""

from __future__ import annotations

import base64
from typing import Any, Literal

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.recordings import tone, wav

CLIP = wav(tone(0.5))
RAW = base64.b64encode(CLIP).decode()
URI = f"data:audio/wav;base64,{RAW}"
BLOCK = {"type": "audio", "base64": RAW, "mime_type": "audio/wav"}
INPUT_AUDIO = {"type": "input_audio", "input_audio": {"data": URI, "format": "wav"}}
SPEECH = {"modalities": ["text", "audio"]}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}

# One of each kind; the others of the table share its profile, or differ in dates and limits.
QWEN_AUDIO = "qwen-audio-turbo"
ASR, CAPTIONER = "qwen3-asr-flash", "qwen3-omni-30b-a3b-captioner"
RECOGNITION = "qwen-audio-3.1-asr-flash"
TURBO, OMNI_3 = "qwen-omni-turbo", "qwen3-omni-flash"
OMNI_3_5, OMNI_3_8 = "qwen3.5-omni-flash", "qwen3.8-omni-flash"
KINDS = [QWEN_AUDIO, ASR, RECOGNITION, CAPTIONER, TURBO, OMNI_3, OMNI_3_5, OMNI_3_8]
PROTOCOLS: list[Literal["native", "openai"]] = ["native", "openai"]
both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)
SYSTEM = SystemMessage("Be brief")


def model_at(server: LocalDashScope, name: str, **fields: Any) -> ChatQwenAudio:
    settings = {"base_url": server.base_url, "api_key": "local", "max_retries": 0, **fields}
    return ChatQwenAudio(model=name, **settings)


def user(*blocks: Any) -> HumanMessage:
    return HumanMessage(list(blocks))


def takes_text(name: str) -> bool:
    return "asr" not in name and "captioner" not in name


def is_compatible(name: str) -> bool:
    return "omni" in name and "captioner" not in name


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def now() -> str:
    """Tell the time."""
    return ""


ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


def chosen(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
