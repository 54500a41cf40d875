"""Tool calls for models that have none: tools → prompt, and an answer → text and tool calls.

The format is the one that the Qwen team's own agent framework uses where a model has no native
calling (Hermes style): `<tools>`, `<tool_call>`, `<tool_response>`.
https://github.com/QwenLM/Qwen-Agent/tree/main/qwen_agent/llm/fncall_prompts

Pure: no I/O. Whether a model keeps to the format is up to the model.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.utils.json import parse_partial_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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

Piece: TypeAlias = str | ToolCallChunk


# --- in ---


def encode_tools(
    tools: Sequence[Mapping[str, Any]], choice: str = "auto", *, parallel: bool = True
) -> str:
    """Write the part of the system message that offers tools.

    Args:
        tools: In OpenAI's form, `{"type": "function", "function": {…}}`.
        choice: "auto", "none", "any", or the name of the tool that must be called.
        parallel: Whether one answer may hold several calls.
    """
    text = _TOOLS.format(tools="\n".join(_json(tool) for tool in tools))
    if choice == "none":
        text += "\n\nDo not call any function now; answer in words."
    elif choice == "any":
        text += "\n\nYou must call at least one function now; do not answer in words."
    elif choice != "auto":
        text += f"\n\nYou must call the function {choice} now; do not answer in words."
    if not parallel:
        text += "\n\nCall at most one function in one answer."
    return text


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


def encode_call(name: str | None, arguments: str) -> str:
    """Write a call of the history, with its arguments as the JSON text that they were."""
    return f'{OPEN}\n{{"name": {_json(name)}, "arguments": {arguments or "{}"}}}\n{CLOSE}'


def encode_response(texts: Iterable[str], *, failed: bool) -> str:
    """Write a tool's result."""
    text = "\n".join(texts)
    if failed and not text.startswith("Error"):
        text = f"Error: {text}"
    return f"<tool_response>\n{text}\n</tool_response>"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# --- out ---

# A call in the usual order, whose arguments can be passed on as they are written.
_USUAL = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)+")\s*,\s*"arguments"\s*:\s*(?=\{)')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings


class ToolCallParser:
    """A state machine: pieces of an answer in, text and pieces of tool calls out.

    A tag that is not yet whole is never shown as text. White space beside a call belongs to it. A
    call that is not well-formed comes out with arguments that cannot be parsed, which LangChain
    makes an invalid tool call of.
    """

    def __init__(self) -> None:
        self._held = ""  # not yet known to be text or tag, or the body of the call so far
        self._call: _Call | None = None
        self._count = 0
        self._beside_call = False
        self._shown = self._resumed = False

    def feed(self, text: str) -> list[Piece]:
        """Take the next piece of the answer, and return what can be said of it."""
        self._held += text
        pieces: list[Piece] = []
        while True:
            if self._call is None:
                pieces += self._text()
                if self._call is None:
                    return pieces
            end = _end_of_call(self._held)
            if end < 0:
                return [*pieces, *self._call.progress(self._held)]
            pieces += self._call.end(self._held[:end])
            self._call, self._held = None, self._held[end + len(CLOSE) :]
            self._beside_call = self._resumed = True

    def finish(self) -> list[Piece]:
        """Return what is left when the answer ends."""
        pieces: list[Piece] = []
        while self._call is not None:
            # A call that never ended, or whose closing tag an unclosed string has hidden.
            body, _, self._held = self._held.partition(CLOSE)
            pieces += self._call.end(body)
            self._call, self._beside_call, self._resumed = None, True, True
            pieces += self.feed("")
        held, self._held = self._held, ""
        return [*pieces, *self._show(held)]

    def _text(self) -> list[Piece]:
        """Pass on text up to a call, and hold back what may be the beginning of one."""
        if self._beside_call:
            self._held = self._held.lstrip()
            self._beside_call = not self._held
        text, tag, rest = self._held.partition(OPEN)
        shown = text if tag else text[: len(text) - _begun(OPEN, text)]
        shown = shown.rstrip()
        if tag:
            self._held, self._call = rest, _Call(self._count)
            self._count += 1
        else:
            self._held = text[len(shown) :]
        return self._show(shown)

    def _show(self, text: str) -> list[Piece]:
        if not text:
            return []
        # The texts before and after a call are not one word.
        between = "\n" if self._resumed and self._shown else ""
        self._shown, self._resumed = True, False
        return [between + text]


def _begun(tag: str, text: str) -> int:
    """Count the characters at the end of a text that a tag may begin with."""
    lengths = range(min(len(tag) - 1, len(text)), 0, -1)
    return next((length for length in lengths if tag.startswith(text[-length:])), 0)


def _end_of_call(body: str) -> int:
    """Find the closing tag, which within a string is only text; -1 if it is not there yet."""
    end = body.find(CLOSE)
    while end >= 0 and '"' in _STRING.sub("", body[:end]):
        end = body.find(CLOSE, end + 1)
    return end


class _Call:
    """One call, as it is written."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._id = f"call_{uuid.uuid4().hex}"
        self._sent: str | None = None  # of the arguments; None while they are not passed on

    def progress(self, body: str) -> Iterator[Piece]:
        """Pass on what is new of the arguments, as soon as the name of the tool is known."""
        usual = _USUAL.match(body)
        if usual is None:
            return
        if self._sent is None:
            self._sent = ""
            yield self._piece(_DECODER.decode(usual[1]), "", self._id)
        try:
            end = _DECODER.raw_decode(body, usual.end())[1]
        except ValueError:
            # What follows a closing tag is not of this call, unless the tag is in a string.
            end = body.find(CLOSE)
            end = len(body) - _begun(CLOSE, body) if end < 0 else end
        yield from self._rest(body[usual.end() : end])

    def end(self, body: str) -> Iterator[Piece]:
        """Pass on what is left of the call, whose body is whole now."""
        yield from self.progress(body)
        name, arguments = _read(body)
        if self._sent is None:
            yield self._piece(name or None, arguments if name else _spoil(body), self._id)
        elif not name:
            yield from self._rest(_spoil(self._sent))

    def _rest(self, arguments: str) -> Iterator[Piece]:
        new = arguments[len(self._sent or "") :]
        if new:
            self._sent = arguments
            yield self._piece(None, new, None)

    def _piece(self, name: str | None, arguments: str, call_id: str | None) -> ToolCallChunk:
        return tool_call_chunk(name=name, args=arguments, id=call_id, index=self._index)


def _read(body: str) -> tuple[str, str]:
    """Read the name and the arguments of a call; no name if it is not well-formed."""
    try:
        call = _DECODER.decode(body.strip())
    except ValueError:
        return "", ""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return "", ""
    arguments = call.get("arguments")
    if arguments is None:
        return call["name"], "{}"
    return call["name"], arguments if isinstance(arguments, str) else _json(arguments)


def _spoil(text: str) -> str:
    """Make sure that LangChain, which mends JSON that was cut off, does not mend a broken call."""
    for suffix in ("" if text.strip() else "]", "]", "}", '"]', '"}', '\\"]'):
        try:
            if not isinstance(parse_partial_json(text + suffix), dict):
                return text + suffix
        except ValueError:
            return text + suffix
    return _json(text)
