"""A conversation with tools → the tools to call. The rules, as one table each."""

import json
from typing import Any

from langchain_qwen_audio.local._answers.conversation import read_question
from langchain_qwen_audio.local._answers.tool_calls import choose_tools
from tests.unit_tests.local._client import assistant, user

ANY = "You must call at least one function now; do not answer in words."
NONE = "Do not call any function now; answer in words."
ONE = "Call at most one function in one answer."
WEATHER, ADD, LOAD, LIST = "get_weather", "add", "load_audio", "list_audio"


def force(name: str) -> str:
    return f"You must call the function {name} now; do not answer in words."


def offer(*names: str, rules: str = "") -> dict[str, Any]:
    """Write a system message that offers tools."""
    tools = "\n".join(json.dumps({"type": "function", "function": {"name": it}}) for it in names)
    text = f"Be kind.\n\n# Tools\n<tools>\n{tools}\n</tools>\n\nFor each <tool_call>:\n\n{rules}"
    return {"role": "system", "content": [{"text": text if names else rules}]}


def called(name: str, arguments: str = "{}") -> dict[str, Any]:
    call = f'{{"name": {json.dumps(name)}, "arguments": {arguments}}}'
    return assistant(f"<tool_call>\n{call}\n</tool_call>")


def result(text: str = "ok") -> dict[str, Any]:
    return user({"text": f"<tool_response>\n{text}\n</tool_response>"})


def choose(*messages: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in choose_tools(read_question(messages))]


# name: the tools, the question, the rules, and the tools that are called
FIRST: dict[str, tuple[list[str], str, str, list[str]]] = {
    "nothing in common": ([WEATHER, ADD], "Hello!", "", []),
    "by name": ([WEATHER, ADD], "Use add for 2 and 40.", "", [ADD]),
    "a part of a word is no name": ([ADD], "Address book, addition and add_up", "", []),
    "a word of its name": ([ADD, WEATHER], "What is the weather?", "", [WEATHER]),
    "several by name, in their order": ([ADD, LOAD], "load_audio, then add", "", [LOAD, ADD]),
    "at most one": ([ADD, LOAD], "load_audio, then add", ONE, [LOAD]),
    "must call any": ([WEATHER, ADD], "Hello!", ANY, [WEATHER]),
    "must call any, one is named": ([WEATHER, ADD], "add", ANY, [ADD]),
    "must call one": ([WEATHER, ADD], "The weather?", force(ADD), [ADD]),
    "must not call": ([WEATHER, ADD], "get_weather", NONE, []),
    "no tool there": ([], "get_weather", "", []),
}


def test_first_calls() -> None:
    for what, (tools, question, rules, calls) in FIRST.items():
        assert choose(offer(*tools, rules=rules), user({"text": question})) == calls, what


# name: the rules, the messages, and the tools that are called, of load_audio and list_audio
LATER: dict[str, tuple[str, list[Any], list[str]]] = {
    "what was called is not called again": (
        "",
        [user({"text": "Load it"}), called(LOAD), result()],
        [],
    ),
    "also with arguments that are no JSON": (
        "",
        [user({"text": "load_audio"}), called(LOAD, "{]"), result("Error")],
        [],
    ),
    "but for the next question it is": (
        "",
        [user({"text": LOAD}), called(LOAD), result(), assistant("Done."), user({"text": LOAD})],
        [LOAD],
    ),
    "the other one that the question names": (
        ONE,
        [user({"text": "list_audio, then load_audio"}), called(LIST), result()],
        [LOAD],
    ),
    "must call: the next that was not": (
        ANY,
        [user({"text": LOAD}), called(LOAD), result()],
        [LIST],
    ),
    "must call: again, for want of another": (
        ANY,
        [user({"text": "?"}), called(LOAD), called(LIST), result()],
        [LOAD],
    ),
}


def test_later_calls() -> None:
    for what, (rules, messages, calls) in LATER.items():
        assert choose(offer(LOAD, LIST, rules=rules), *messages) == calls, what
