"""A question with tools → the tools to call. By rules: nothing is understood. Pure.

- Where the system text says that a certain function must be called, or none, that is done.
- Each tool that the question names and that was not called since is called; where none is named and
  none was called, the first one whose name shares a word with the question.
- Where the system text says that some function must be called, the next that was not called is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from langchain_qwen_audio.local._answers.conversation import OpenQuestion

_FORCED = re.compile(r"You must call the function (\S+) now")

_Tools: TypeAlias = Sequence[Mapping[str, Any]]


def choose_tools(question: OpenQuestion) -> _Tools:
    """Choose the tools to call, in the order to call them."""
    tools, rules = question.tools, question.rules
    if not tools or "Do not call any function now" in rules:
        return []
    if forced := _FORCED.search(rules):
        return [tool for tool in tools if tool["name"] == forced[1]]
    left = [tool for tool in tools if tool["name"] not in question.called]
    chosen = _find_named(left, question.text)
    if not chosen and not question.called:
        chosen = _find_similar(left, question.text)[:1]
    if not chosen and "You must call at least one function now" in rules:
        chosen = [*left, *tools][:1]
    return chosen[:1] if "Call at most one function" in rules else chosen


def is_call_forced(question: OpenQuestion) -> bool:
    """Say whether a certain function must be called: so is structured output requested."""
    return _FORCED.search(question.rules) is not None


def _find_named(tools: _Tools, text: str) -> _Tools:
    """Find the tools that a text names, in its order."""
    places = {tool["name"]: re.search(rf"\b{re.escape(tool['name'])}\b", text) for tool in tools}
    starts = {name: match.start() for name, match in places.items() if match}
    named = [tool for tool in tools if tool["name"] in starts]
    return sorted(named, key=lambda tool: starts[tool["name"]])


def _find_similar(tools: _Tools, text: str) -> _Tools:
    words = set(re.findall(r"[a-z]{4,}", text.lower()))
    return [tool for tool in tools if words & set(tool["name"].lower().split("_"))]
