"""MCP content with audio → MCP content without it, which LangChain's adapters convert. Pure.

LangChain has no audio in results of tools, and so its adapters raise `NotImplementedError` for
MCP's audio content. Of an embedded resource they make a block of the type "file", which a
`ChatQwenAudio` takes as audio input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from mcp import types

_Result = TypeVar("_Result")


def without_audio_content(result: _Result) -> _Result:
    """Write the audio content of a result as embedded resources; other results are returned as is.

    Args:
        result: What a tool call returns, of version 1 or 2 of the MCP SDK.
    """
    from mcp import types

    if not isinstance(result, types.CallToolResult):
        return result
    content = [_embed(it) if isinstance(it, types.AudioContent) else it for it in result.content]
    return result.model_copy(update={"content": content})


def _embed(audio: types.AudioContent) -> types.EmbeddedResource:
    from mcp import types

    # The names of the wire, since those in Python differ between the versions.
    written: dict[str, Any] = audio.model_dump(by_alias=True)
    blob = {"uri": "audio://content", "mimeType": written["mimeType"], "blob": written["data"]}
    return types.EmbeddedResource.model_validate({"type": "resource", "resource": blob})
