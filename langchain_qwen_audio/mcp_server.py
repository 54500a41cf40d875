"""A toolkit → an MCP server with its tools; recordings are MCP's audio content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_qwen_audio import __version__
from langchain_qwen_audio.errors import QwenAudioError
from langchain_qwen_audio.tools import AskAudio, TranscribeAudio

try:
    from mcp import MCPError, types
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
except ImportError as error:
    raise ImportError(
        "langchain_qwen_audio.mcp_server needs the MCP SDK 2: "
        'pip install "langchain-qwen-audio[mcp]"'
    ) from error

if TYPE_CHECKING:
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import BaseTool

    from langchain_qwen_audio.tools import QwenAudioToolkit

__all__ = ["create_mcp_server"]


def create_mcp_server(toolkit: QwenAudioToolkit) -> Server[Any]:
    """Make an MCP server with the tools of a toolkit.

    `load_audio` returns a text and audio content, for clients whose model has audio input. A
    mistake that the calling model can correct, or an error of the service, is a result with
    `isError`. Run it with the MCP SDK, or with `qwen-audio mcp`.

    Example:
        ```python
        import uvicorn
        from langchain_qwen_audio import QwenAudioToolkit
        from langchain_qwen_audio.mcp_server import create_mcp_server

        server = create_mcp_server(QwenAudioToolkit(root_dir="recordings"))
        uvicorn.run(server.streamable_http_app(), port=8000)
        ```
    """
    tools = {tool.name: tool for tool in toolkit.get_tools()}

    async def list_tools(
        _: ServerRequestContext[Any, Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_describe(tool) for tool in tools.values()])

    async def call_tool(
        _: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name not in tools:
            message = f"{params.name}: there is no such tool; there are {', '.join(tools)}"
            raise MCPError(types.INVALID_PARAMS, message)
        return await _call(tools[params.name], params.arguments or {})

    return Server(
        "qwen-audio",
        version=__version__,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _describe(tool: BaseTool) -> types.Tool:
    uses_the_network = isinstance(tool, AskAudio | TranscribeAudio) or getattr(
        tool, "allow_urls", False
    )
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=convert_to_openai_tool(tool)["function"]["parameters"],
        annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=uses_the_network),
    )


async def _call(tool: BaseTool, arguments: dict[str, Any]) -> types.CallToolResult:
    call = {"type": "tool_call", "id": str(uuid4()), "name": tool.name, "args": arguments}
    try:
        message: ToolMessage = await tool.ainvoke(call)
    except QwenAudioError as error:
        text = types.TextContent(text=f"{type(error).__name__}: {error}")
        return types.CallToolResult(content=[text], is_error=True)
    return types.CallToolResult(
        content=[_content(block) for block in message.content_blocks],
        is_error=message.status == "error",
    )


def _content(block: Any) -> types.ContentBlock:
    """Write a block of a tool's result: a text, or a recording."""
    if block["type"] == "text":
        return types.TextContent(text=block["text"])
    return types.AudioContent(data=block["base64"], mime_type=block["mime_type"])
