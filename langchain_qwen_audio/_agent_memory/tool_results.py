"""A tool → the same tool, whose results have blocks in place of each `Audio` in a list.

LangChain core writes a list as text if it holds anything but texts and blocks.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool


def returning_blocks(tool: BaseTool) -> BaseTool:
    """Make a copy of a tool that returns blocks where the tool returns recordings in a list."""
    copy = tool.model_copy()
    has_artifact = tool.response_format == "content_and_artifact"

    def written(result: Any) -> Any:
        if has_artifact and isinstance(result, tuple) and len(result) == 2:
            return _as_blocks(result[0]), result[1]
        return _as_blocks(result)

    @functools.wraps(tool._run)  # noqa: SLF001  # core reads its signature
    def run(*args: Any, **kwargs: Any) -> Any:
        return written(tool._run(*args, **kwargs))  # noqa: SLF001

    @functools.wraps(tool._arun)  # noqa: SLF001
    async def arun(*args: Any, **kwargs: Any) -> Any:
        return written(await tool._arun(*args, **kwargs))  # noqa: SLF001

    vars(copy).update(_run=run, _arun=arun)
    return copy


def _as_blocks(content: Any) -> Any:
    """Write recordings as blocks in a list of nothing but them, texts and blocks."""
    if not isinstance(content, list | tuple) or not all(map(_is_content, content)):
        return content
    return [it.to_tool_block() if isinstance(it, Audio) else it for it in content]


def _is_content(item: Any) -> bool:
    return isinstance(item, str | Audio) or (isinstance(item, dict) and "type" in item)
