"""Audio of MCP tools in LangChain, from a real MCP server: `langchain.mcp`, and the adapters."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp.client.transports import FastMCPTransport
from langchain.agents import create_agent
from langchain_core._api import suppress_langchain_beta_warning
from langchain_core.messages import HumanMessage, ToolMessage
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextContent,
)

from langchain_qwen_audio import Audio
from langchain_qwen_audio.local import Reply
from langchain_qwen_audio.mcp_adapters import keep_audio
from langchain_qwen_audio.mcp_client import AudioTransport

from .models import OMNI_3_5, model_at
from .recordings import read, tone, wav

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from langchain_qwen_audio.local import LocalDashScope

with suppress_langchain_beta_warning():
    from langchain.mcp import MCPAdapter

TONE, SPEECH = wav(tone(0.5)), read("speech.mp3")
PIXEL = ImageContent(data="iVBORw0KGgo=", mime_type="image/png")
CALLS = [{"id": "1", "name": "record", "arguments": "{}"}]


def audio_content(data: bytes, mime_type: str) -> AudioContent:
    return AudioContent(data=base64.b64encode(data).decode(), mime_type=mime_type)


@pytest.fixture
def recorder() -> MCPServer:
    """Make an MCP server whose tools return audio."""
    server: MCPServer = MCPServer("recorder")

    @server.tool()
    def record() -> CallToolResult:
        """Record with two microphones."""
        first, second = audio_content(TONE, "audio/wav"), audio_content(SPEECH, "audio/mpeg")
        return CallToolResult(content=[TextContent(text="Two:"), first, second])

    @server.tool()
    def fail() -> CallToolResult:
        """Record with a broken microphone."""
        content = [TextContent(text="broken"), audio_content(TONE, "audio/wav")]
        return CallToolResult(content=content, is_error=True)

    @server.tool()
    def photograph() -> CallToolResult:
        """Take a photograph."""
        return CallToolResult(content=[PIXEL])

    return server


async def tools_of(server: MCPServer) -> dict[str, BaseTool]:
    async with MCPAdapter(AudioTransport(FastMCPTransport(server))) as adapter:
        return {tool.name: tool for tool in await adapter.list_tools()}


async def message_of(tool: BaseTool) -> ToolMessage:
    call = {"type": "tool_call", "id": "1", "name": tool.name, "args": {}}
    message = await tool.ainvoke(call)
    assert isinstance(message, ToolMessage)
    return message


def without_ids(message: ToolMessage) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in block.items() if name != "id"}
        for block in message.content
        if isinstance(block, dict)
    ]


async def test_without_the_transport_langchain_takes_no_audio(recorder: MCPServer) -> None:
    """When this fails, LangChain takes audio, and the transport may go."""
    async with MCPAdapter(FastMCPTransport(recorder)) as adapter:
        record, *_ = await adapter.list_tools()
        with pytest.raises(NotImplementedError, match="audio content"):
            await message_of(record)


async def test_audio_of_a_tool_is_the_block_that_our_own_tools_return(recorder: MCPServer) -> None:
    message = await message_of((await tools_of(recorder))["record"])
    assert without_ids(message) == [
        {"type": "text", "text": "Two:"},
        Audio.from_bytes(TONE).to_tool_block(),
        Audio.from_bytes(SPEECH).to_tool_block(),
    ]
    assert Audio.from_message(message).data == TONE


async def test_an_agent_sends_the_audio_of_an_mcp_tool(
    recorder: MCPServer, server: LocalDashScope
) -> None:
    server.script(Reply("", tool_calls=CALLS), "A tone, and speech.")
    agent = create_agent(model_at(server, OMNI_3_5), [*(await tools_of(recorder)).values()])
    done = await agent.ainvoke({"messages": [HumanMessage("What do you hear?")]})
    assert done["messages"][-1].text == "A tone, and speech."
    sent = [it["input_audio"]["data"] for it in server.requests[-1].messages[-1]["content"]]
    assert [base64.b64decode(it.partition(";base64,")[2]) for it in sent] == [TONE, SPEECH]


async def test_audio_of_an_error_is_kept_too(recorder: MCPServer) -> None:
    message = await message_of((await tools_of(recorder))["fail"])
    assert message.status == "error"
    assert without_ids(message)[0] == {"type": "text", "text": "broken"}
    assert Audio.from_message(message).data == TONE


async def test_what_is_no_audio_is_left_as_it_is(recorder: MCPServer) -> None:
    message = await message_of((await tools_of(recorder))["photograph"])
    image = {"type": "image", "base64": PIXEL.data, "mime_type": "image/png"}
    assert without_ids(message) == [image]


async def test_the_interceptor_writes_audio_as_resources(recorder: MCPServer) -> None:
    """That langchain-mcp-adapters makes a block of type "file" of them; it needs an older SDK."""

    async def call(name: str) -> CallToolResult:
        async with Client(recorder) as client:
            return await client.call_tool(name, {})

    text, first, second = (await keep_audio("record", call)).content
    assert isinstance(text, TextContent)
    for resource, data, kind in ((first, TONE, "audio/wav"), (second, SPEECH, "audio/mpeg")):
        assert isinstance(resource, EmbeddedResource)
        assert isinstance(resource.resource, BlobResourceContents)
        assert resource.resource.mime_type == kind
        assert base64.b64decode(resource.resource.blob) == data
    assert (await keep_audio("photograph", call)).content == [PIXEL]


async def test_the_interceptor_passes_on_what_other_interceptors_return() -> None:
    message = ToolMessage("a text", tool_call_id="1")

    async def answer(_: str) -> ToolMessage:
        return message

    assert await keep_audio("record", answer) is message
