"""Tools, calls and results → text, for models whose endpoint has no function calling. Pure.

The format is the one that the Qwen team's own agent framework uses for such models (Hermes style):
`<tools>`, `<tool_call>`, `<tool_response>`. Whether a model keeps to it is up to the model.
https://github.com/QwenLM/Qwen-Agent/tree/main/qwen_agent/llm/fncall_prompts
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OPEN, CLOSE = "<tool_call>", "</tool_call>"

_TOOLS = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def write_tool_prompt(
    tools: Sequence[Mapping[str, Any]], choice: str = "auto", *, parallel: bool = True
) -> str:
    """Write the part of the system message that offers tools.

    Args:
        tools: In OpenAI's form, `{"type": "function", "function": {…}}`.
        choice: "auto", "none", "any", or the name of the tool that must be called.
        parallel: Whether one answer may hold several calls.
    """
    text = _TOOLS.format(tools="\n".join(to_json_text(tool) for tool in tools))
    if choice == "none":
        text += "\n\nDo not call any function now; answer in words."
    elif choice == "any":
        text += "\n\nYou must call at least one function now; do not answer in words."
    elif choice != "auto":
        text += f"\n\nYou must call the function {choice} now; do not answer in words."
    if not parallel:
        text += "\n\nCall at most one function in one answer."
    return text


def write_call(name: str | None, arguments: str) -> str:
    """Write a call of the history, with its arguments as the JSON text that they were."""
    return f'{OPEN}\n{{"name": {to_json_text(name)}, "arguments": {arguments or "{}"}}}\n{CLOSE}'


def write_result(texts: Iterable[str], *, failed: bool) -> str:
    """Write a tool's result."""
    text = "\n".join(texts)
    if failed and not text.startswith("Error"):
        text = f"Error: {text}"
    return f"<tool_response>\n{text}\n</tool_response>"


def to_json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
