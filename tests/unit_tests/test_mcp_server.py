"""The toolkit as an MCP server, for a client in the same process; over stdio: `test_cli_mcp`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, MCPError
from mcp.types import AudioContent, CallToolResult, TextContent

from langchain_qwen_audio import Audio, ChatQwenAudio, QwenAudioToolkit
from langchain_qwen_audio.local import LocalDashScope, error_reply
from langchain_qwen_audio.mcp_server import create_mcp_server

from .models import ASR, model_at
from .recordings import read, sent_clips, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

TONE = wav(tone(2.0))


@pytest.fixture
def toolkit(server: LocalDashScope, model: ChatQwenAudio, tmp_path: Path) -> QwenAudioToolkit:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tone.wav").write_bytes(TONE)
    (folder / "speech.mp3").write_bytes(read("speech.mp3"))
    (folder / "notes.wav").write_text("No recording at all.")
    (tmp_path / "secret.wav").write_bytes(TONE)
    (folder / "out.wav").symlink_to(tmp_path / "secret.wav")
    return QwenAudioToolkit(root_dir=folder, llm=model, transcriber=model_at(server, ASR))


async def call(toolkit: QwenAudioToolkit, tool: str, **arguments: Any) -> CallToolResult:
    async with Client(create_mcp_server(toolkit)) as client:
        return await client.call_tool(tool, arguments)


def text_of(result: CallToolResult) -> str:
    (text,) = result.content
    assert isinstance(text, TextContent)
    return text.text


async def test_the_tools_are_those_of_the_toolkit(toolkit: QwenAudioToolkit) -> None:
    async with Client(create_mcp_server(toolkit)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    arguments = {name: [*it.input_schema["properties"]] for name, it in tools.items()}
    assert arguments == {
        "list_audio": [],
        "load_audio": ["audio", "start_s", "end_s"],
        "ask_audio": ["audio", "question"],
        "transcribe_audio": ["audio"],
    }
    assert tools["load_audio"].input_schema["required"] == ["audio"]
    assert all(it.description and it.annotations for it in tools.values())
    networked = {name for name, it in tools.items() if it.annotations.open_world_hint}  # type: ignore[union-attr]
    assert networked == {"ask_audio", "transcribe_audio"}


async def test_without_models_there_are_no_tools_that_need_one(tmp_path: Path) -> None:
    async with Client(create_mcp_server(QwenAudioToolkit(root_dir=tmp_path))) as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == ["list_audio", "load_audio"]


@pytest.mark.parametrize(
    ("name", "kind"), [("tone.wav", "audio/wav"), ("speech.mp3", "audio/mpeg")]
)
async def test_a_recording_is_audio_content(
    toolkit: QwenAudioToolkit, name: str, kind: str
) -> None:
    result = await call(toolkit, "load_audio", audio=name)
    assert not result.is_error
    text, audio = result.content
    assert isinstance(text, TextContent)
    assert isinstance(audio, AudioContent)
    assert text.text.startswith(f"{name}: ")
    assert audio.mime_type == kind
    assert base64.b64decode(audio.data) == (toolkit.root_dir / name).read_bytes()


async def test_a_part_of_a_recording(toolkit: QwenAudioToolkit) -> None:
    _, audio = (await call(toolkit, "load_audio", audio="tone.wav", start_s=0.5, end_s=1)).content
    assert isinstance(audio, AudioContent)
    assert Audio.from_base64(audio.data).duration_s == 0.5


async def test_the_model_answers_about_a_recording(
    toolkit: QwenAudioToolkit, server: LocalDashScope
) -> None:
    result = await call(toolkit, "ask_audio", audio="tone.wav", question="What is it?")
    assert (text_of(result), result.is_error) == ("ok", False)
    assert sent_clips(server) == [TONE]


REFUSED = {
    "a link out of the folder": ("out.wav", "no such recording"),
    "a path out of the folder": ("../secret.wav", "no such recording"),
    "a whole path": ("/etc/passwd", "no such recording"),
    "a URL": ("http://127.0.0.1/a.wav", "URLs are not allowed here"),
    "what is no recording": ("notes.wav", "not usable audio"),
    "no text": (5, "audio: Input should be a valid string"),
}


@pytest.mark.parametrize("tool", ["load_audio", "ask_audio", "transcribe_audio"])
@pytest.mark.parametrize(("name", "words"), REFUSED.values(), ids=REFUSED)
async def test_what_may_not_be_used_is_an_error_of_the_tool(
    toolkit: QwenAudioToolkit, server: LocalDashScope, tool: str, name: Any, words: str
) -> None:
    question = {"question": "?"} if tool == "ask_audio" else {}
    result = await call(toolkit, tool, audio=name, **question)
    assert result.is_error
    assert words in text_of(result)
    assert server.requests == []


@pytest.mark.parametrize("tool", ["ask_audio", "transcribe_audio"])
async def test_an_error_of_the_service_is_one_of_the_tool(
    toolkit: QwenAudioToolkit, server: LocalDashScope, tool: str
) -> None:
    server.script(error_reply(401, "InvalidApiKey", "Invalid API-key provided."))
    question = {"question": "?"} if tool == "ask_audio" else {}
    result = await call(toolkit, tool, audio="tone.wav", **question)
    assert result.is_error
    assert text_of(result).startswith("AuthenticationError: ")


async def test_a_tool_that_is_none_is_an_error_of_the_protocol(toolkit: QwenAudioToolkit) -> None:
    async with Client(create_mcp_server(toolkit)) as client:
        with pytest.raises(MCPError, match="read_file: there is no such tool; there are list_aud"):
            await client.call_tool("read_file", {"path": "/etc/passwd"})
