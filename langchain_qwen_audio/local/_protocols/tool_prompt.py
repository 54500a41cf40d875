"""Tools, calls and results in the compatible protocol's own form → text in the Hermes form. Pure.

Shapes: https://help.aliyun.com/zh/model-studio/qwen-function-calling
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from langchain_qwen_audio.local._refusal import invalid_parameter

Message: TypeAlias = Mapping[str, Any]

_ANY = "You must call at least one function now; do not answer in words."
_NONE = "Do not call any function now; answer in words."
_ONE = "Call at most one function in one answer."


def write_tools(fields: Mapping[str, Any]) -> str:
    """Write the tools of a request, and the rules for calling them, as a system text.

    Returns:
        The text; empty when no tools are offered.

    Raises:
        Refusal: They are not tools, or the choice is none of them.
    """
    tools = fields.get("tools")
    if tools is None:
        return ""
    if not isinstance(tools, list):
        raise invalid_parameter("Input should be a valid list: parameters.tools")
    if not tools:
        raise invalid_parameter("[] is too short - 'tools'")
    functions = [_read_function(tool) for tool in tools]
    rules = [_read_choice(fields.get("tool_choice"), [it["name"] for it in functions])]
    if fields.get("parallel_tool_calls") is not True:  # unlike OpenAI's, off by default
        rules.append(_ONE)
    lines = (json.dumps({"function": it}, ensure_ascii=False) for it in functions)
    return "\n\n".join(["<tools>\n" + "\n".join(lines) + "\n</tools>", *filter(None, rules)])


def read_calls(calls: object) -> list[dict[str, str]]:
    """Read the tool calls of an assistant's message.

    Raises:
        Refusal: They are not tool calls.
    """
    read = []
    for call in calls if isinstance(calls, list) else [calls]:
        match call:
            case {"id": str(call_id), "function": {"name": str(name), "arguments": str(text)}}:
                read.append({"id": call_id, "name": name, "arguments": text})
            case _:
                raise invalid_parameter("Input should be a valid tool call: messages.tool_calls")
    return read


def write_messages(messages: Sequence[Message], offer: str) -> list[dict[str, Any]]:
    """Write a conversation with its tools, calls and results as text.

    A recording right after results belongs to them: results are text on the wire, so a client
    sends what else a tool returned in a message of its own.
    """
    # In front, so that the text of a system message counts among the rules.
    written = [_message("system", {"text": offer})] if offer else []
    results = False
    for message in messages:
        if message["role"] == "tool":
            text = "".join(part["text"] for part in message["content"])
            parts = [{"text": f"<tool_response>\n{text}\n</tool_response>"}]
        else:
            calls = [{"text": _write_call(call)} for call in message["tool_calls"]]
            parts = [*message["content"], *calls]
        is_of_a_tool = message["role"] == "user" and any("audio" in part for part in parts)
        if results and (message["role"] == "tool" or is_of_a_tool):
            written[-1]["content"] += parts
            continue
        results = message["role"] == "tool"
        written.append(_message("user" if results else message["role"], *parts))
    return written


def _read_function(tool: object) -> dict[str, Any]:
    match tool:
        case {"type": "function", "function": {"name": str(name), **more}} if name:
            schema, description = more.get("parameters") or {}, more.get("description") or ""
            if isinstance(schema, dict) and isinstance(description, str):
                return {"name": name, "description": description, "parameters": schema}
    raise invalid_parameter("Input should be a valid function: parameters.tools")


def _read_choice(choice: object, names: Sequence[str]) -> str:
    match choice:
        case None | "auto":
            return ""
        case "none":
            return _NONE
        case "required":
            return _ANY
        case {"type": "function", "function": {"name": name}} if name in names:
            return f"You must call the function {name} now; do not answer in words."
    raise invalid_parameter(
        "Input should be 'auto', 'none', 'required' or one of the tools: parameters.tool_choice"
    )


def _write_call(call: Mapping[str, str]) -> str:
    name = json.dumps(call["name"], ensure_ascii=False)
    return f'<tool_call>\n{{"name": {name}, "arguments": {call["arguments"]}}}\n</tool_call>\n'


def _message(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(parts)}
