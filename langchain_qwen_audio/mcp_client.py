"""Audio of MCP tools for `langchain.mcp`: a connection → the same, with results it converts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._mcp_content import without_audio_content

try:
    from fastmcp.client.transports.base import ClientTransport, TransportOptions
    from mcp import ClientSession
except ImportError as error:
    raise ImportError(
        'langchain_qwen_audio.mcp_client needs FastMCP 4: pip install "langchain[mcp]"'
    ) from error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastmcp.client.transports.base import SessionKwargs
    from typing_extensions import Unpack

__all__ = ["AudioTransport"]


class AudioTransport(ClientTransport):
    """Connect to an MCP server, so that the audio of its tools is taken.

    Without it `langchain.mcp` raises `NotImplementedError` for audio. With it the recording is a
    block of the tool's message, which a `ChatQwenAudio` takes as audio input.

    Example:
        ```python
        from fastmcp.client.transports import StreamableHttpTransport
        from langchain.mcp import MCPAdapter
        from langchain_qwen_audio.mcp_client import AudioTransport

        transport = AudioTransport(StreamableHttpTransport("http://127.0.0.1:8000/mcp"))
        async with MCPAdapter(transport) as adapter:
            agent = create_agent(model, await adapter.list_tools())
        ```
    """

    def __init__(self, transport: ClientTransport) -> None:
        """Say how the server is reached.

        Args:
            transport: One of FastMCP's, such as `StreamableHttpTransport` or `StdioTransport`.
        """
        self._transport = transport
        self.legacy_only = transport.legacy_only

    @asynccontextmanager
    async def connect_session(
        self,
        *,
        transport_options: TransportOptions | None = None,
        **session_kwargs: Unpack[SessionKwargs],
    ) -> AsyncGenerator[ClientSession]:
        """Connect, as FastMCP's client does."""
        options = replace(transport_options or TransportOptions(), session_class=_AudioSession)
        async with self._transport.connect_session(
            transport_options=options, **session_kwargs
        ) as session:
            yield session

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()  # type: ignore[no-untyped-call]

    def get_session_id(self) -> str | None:
        """Return the id that the server gave the session, if it did."""
        return self._transport.get_session_id()


class _AudioSession(ClientSession):
    async def call_tool(self, *args: Any, **kwargs: Any) -> Any:
        return without_audio_content(await super().call_tool(*args, **kwargs))
