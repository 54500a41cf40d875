"""Tool calls of the model → LangChain tools run → results that the model is sent."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from langchain_core.messages import InvalidToolCall, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as make_tool

from langchain_qwen_audio._live.cancellation import is_being_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)


class ToolRunner:
    """The tools of a session."""

    def __init__(self, tools: Sequence[BaseTool | Callable[..., Any]]) -> None:
        """Take LangChain tools, and functions, which become such.

        Raises:
            TypeError: One of them is neither.
        """
        self.tools = {tool.name: tool for tool in map(_to_tool, tools)}

    async def run(self, call: ToolCall) -> ToolMessage:
        """Run a tool; what it raises becomes a result that says so, for the model to go on."""
        tool = self.tools.get(call["name"])
        if tool is None:
            return _failed(call, f"there is no tool {call['name']!r}, only {', '.join(self.tools)}")
        try:
            message: ToolMessage = await tool.ainvoke({**call, "type": "tool_call"})
        except (Exception, asyncio.CancelledError) as error:  # of the user's own code
            if is_being_cancelled():
                raise
            logger.warning("the tool %s failed", tool.name, exc_info=True)
            return _failed(call, f"{type(error).__name__}: {error}")
        if others := sorted({block["type"] for block in message.content_blocks} - {"text"}):
            reason = f"it returned {', '.join(others)}, and a live session sends text alone"
            logger.warning("the tool %s failed: %s", tool.name, reason)
            return _failed(call, reason)
        return message

    def refuse(self, call: InvalidToolCall) -> ToolMessage:
        """Say that the arguments of a call cannot be read."""
        return _failed(call, f"the arguments are not a JSON object: {call['error']}")


def _to_tool(tool: BaseTool | Callable[..., Any]) -> BaseTool:
    if isinstance(tool, BaseTool):
        return tool
    if not callable(tool) or isinstance(tool, type):
        raise TypeError(f"tools: {tool!r:.80} came, expected a LangChain tool or a function")
    return make_tool(tool)


def _failed(call: ToolCall | InvalidToolCall, reason: str) -> ToolMessage:
    return ToolMessage(
        f"Error: {reason}", tool_call_id=call["id"], name=call["name"], status="error"
    )
