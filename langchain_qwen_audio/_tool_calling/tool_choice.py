"""Which tool is to be called: the ways that users say it → one form → what an endpoint takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FREE = {None, "auto", "none"}


def normalize_choice(choice: Any, names: Sequence[str]) -> str | None:
    """Reduce the ways to say which tool is to be called to "auto", "none", "any" or a name.

    Args:
        choice: A word, a name, True, or an object in the form of OpenAI or of Anthropic.
        names: The tools that there are.

    Raises:
        ValueError: It names none of `names`.
    """
    if choice is None or choice is False:
        return None
    name = choice if isinstance(choice, str) else _read_choice(choice)
    if name is True or name == "required":
        return "any"
    if not isinstance(name, str) or name not in {"auto", "none", "any", *names}:
        raise ValueError(
            f"tool_choice is {choice!r}; expected auto, none, any or one of {list(names)}"
        )
    return name


def _read_choice(choice: Any) -> Any:
    """Find the name, or the word, in an object."""
    if not isinstance(choice, Mapping):
        return choice
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, Mapping) else None
    return choice.get("type") if name is None else name


def settle_tools(parameters: dict[str, Any]) -> None:
    """Write `tool_choice` in one form, and leave out an empty list of tools.

    The service refuses such a list, and `create_agent` without tools binds one.

    Raises:
        InvalidRequestError: The choice names no tool that is there.
    """
    tools = parameters.get("tools") or ()
    try:
        choice = normalize_choice(parameters.pop("tool_choice", None), [*map(_name_of, tools)])
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
    if tools:
        parameters |= {} if choice is None else {"tool_choice": choice}
        return
    if choice not in _FREE:
        raise InvalidRequestError(f"tool_choice is {choice!r}, and no tools came: pass some")
    for name in ("tools", "parallel_tool_calls"):
        parameters.pop(name, None)


def _name_of(tool: Any) -> str:
    """Name a tool; "" for one that is in another form than OpenAI's, for the service to judge."""
    function = tool.get("function") if isinstance(tool, Mapping) else None
    return str(function.get("name", "")) if isinstance(function, Mapping) else ""


def forces(choice: object) -> bool:
    """Tell a choice by which a tool must be called, from one that leaves it to the model."""
    return choice not in _FREE if isinstance(choice, str | None) else True


def native_choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """Write a choice that `normalize_choice` has made for an endpoint with function calling.

    DashScope documents "auto", "none" and a function's name; "required" is for several tools of
    which one must be called.
    https://help.aliyun.com/zh/model-studio/qwen-function-calling
    """
    if choice == "any":
        if len(tools) != 1:
            return "required"
        choice = tools[0]["function"]["name"]
    if not isinstance(choice, str) or choice in {"auto", "none"}:
        return choice
    return {"type": "function", "function": {"name": choice}}
