"""Which tool is to be called: the ways that users say it → one form → what an endpoint takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def normalize_choice(
    choice: str | bool | Mapping[str, Any] | None, names: Sequence[str]
) -> str | None:
    """Reduce the ways to say which tool is to be called to "auto", "none", "any" or a name.

    Raises:
        ValueError: It names none of `names`.
    """
    if choice is None or choice is False:
        return None
    if choice is True or choice == "required":
        return "any"
    name = choice if isinstance(choice, str) else str(choice.get("function", choice).get("name"))
    if name not in {"auto", "none", "any", *names}:
        raise ValueError(
            f"tool_choice is {name!r}; expected auto, none, any or one of {list(names)}"
        )
    return name


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
