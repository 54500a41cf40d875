"""Audio of MCP tools for langchain-mcp-adapters: results of calls → results that it converts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from langchain_qwen_audio._mcp_content import without_audio_content

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["keep_audio"]

_Request = TypeVar("_Request")
_Result = TypeVar("_Result")


async def keep_audio(
    request: _Request, handler: Callable[[_Request], Awaitable[_Result]]
) -> _Result:
    """Intercept the calls of MCP tools, so that their audio is taken.

    Without it langchain-mcp-adapters raises `NotImplementedError` for audio. With it the recording
    is a block of the tool's message, which a `ChatQwenAudio` takes as audio input.

    Example:
        ```python
        from langchain_mcp_adapters.client import MultiServerMCPClient
        from langchain_qwen_audio.mcp_adapters import keep_audio

        servers = {"calls": {"transport": "http", "url": "http://127.0.0.1:8000/mcp"}}
        client = MultiServerMCPClient(servers, tool_interceptors=[keep_audio])
        ```
    """
    return without_audio_content(await handler(request))
