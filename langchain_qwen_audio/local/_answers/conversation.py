"""Messages → the last question, the tools offered for it, and what has been called since. Pure.

Tools, calls and results are text in the Hermes form, as Qwen-Agent writes it:
https://github.com/QwenLM/Qwen-Agent/tree/main/qwen_agent/llm/fncall_prompts
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOOLS = re.compile(r"<tools>\n(.*?)\n</tools>", re.DOTALL)
_CALL = re.compile(r'<tool_call>\s*\{"name": ("(?:[^"\\]|\\.)*")')
_RESULT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)


@dataclass(frozen=True)
class OpenQuestion:
    """The last question of a conversation, and what the rules need to know about it.

    Attributes:
        text: The last user message that holds no tool results; empty if there is none.
        audios: How many recordings came with it and since.
        tools: The tools offered: name, description and parameters of each.
        rules: The system text after the tools, or all of it where there are none.
        answers: What the model has written since.
        called: The tools that it has called since.
    """

    text: str
    audios: int
    tools: Sequence[Mapping[str, Any]]
    rules: str
    answers: str
    called: frozenset[str]


def read_question(messages: Sequence[Mapping[str, Any]]) -> OpenQuestion:
    """Read what a conversation asks for."""
    system, *offered = _TOOLS.split("\n\n".join(_texts(messages, "system")))
    last = [i for i, it in enumerate(messages) if it["role"] == "user" and not read_results(it)]
    since = messages[last[-1] if last else 0 :]
    answers = "\n".join(_texts(since, "assistant"))
    return OpenQuestion(
        text=_text(since[0]).strip() if last else "",
        audios=sum(map(count_audios, since)),
        tools=[json.loads(line)["function"] for line in offered[-2].split("\n")] if offered else [],
        rules=offered[-1] if offered else system,
        answers=answers,
        called=frozenset(json.loads(name) for name in _CALL.findall(answers)),
    )


def read_results(message: Mapping[str, Any]) -> list[str]:
    """Read the tool results in a user's message."""
    return _RESULT.findall(_text(message)) if message["role"] == "user" else []


def count_audios(message: Mapping[str, Any]) -> int:
    """Count the recordings in a message."""
    return sum("audio" in part for part in message["content"])


def _texts(messages: Sequence[Mapping[str, Any]], role: str) -> list[str]:
    return [_text(message) for message in messages if message["role"] == role]


def _text(message: Mapping[str, Any]) -> str:
    return "".join(part.get("text", "") for part in message["content"])
