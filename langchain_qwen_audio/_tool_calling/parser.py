"""An answer that a model wrote → its text, and the tool calls in it, piece by piece. Pure.

See `prompt.py` for the format. Every character is looked at once, however the answer is cut.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk

from langchain_qwen_audio._tool_calling.prompt import CLOSE, OPEN, to_json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

Piece: TypeAlias = str | ToolCallChunk

_SYMBOL = re.compile(r'</?tool_call>|\n|[^\S\n]+|["\\{}<]|[^\s"\\{}<]+')
# A call in the usual order, whose arguments can be passed on as they are written.
_USUAL = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)+")\s*,\s*"arguments"\s*:\s*')
_FENCE = re.compile(r"\s*(`{3,}(?!.*`)|~{3,})(.*)")
_MAX_INDENT = 3  # spaces; more of them are a code block in Markdown
_LINE_CHARS = 200  # of each line, to know a fence by
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?P<end>"|\\?\Z)', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings


class ToolCallParser:
    """A state machine: pieces of an answer in, text and pieces of tool calls out.

    A call begins where Qwen's chat template has models write one: with a tag at the beginning of a
    line, or behind another call, and a brace after it. A tag in prose or in a code block is text.
    A call ends with a tag that is not in a string, or is at the beginning of a line; or with the
    next call. White space beside a call belongs to it, and a tag that is not yet whole is never
    shown. A call that is not well-formed comes out with arguments that cannot be parsed, which
    LangChain makes an invalid tool call of.

    https://huggingface.co/Qwen/Qwen2.5-7B-Instruct/blob/main/tokenizer_config.json
    """

    def __init__(self) -> None:
        self._pieces: list[Piece] = []  # what is certain, and not yet returned
        self._shown: list[str] = []  # the text at the end of that
        self._rest = ""  # what may be the beginning of a tag
        self._tag: list[str] = []  # a tag that a call may follow, and the white space behind it
        self._space: list[str] = []  # not yet known to be text
        self._line = _Line()
        self._call: _Call | None = None
        self._count = 0
        self._has_text = self._is_behind_call = False

    def feed(self, text: str) -> list[Piece]:
        """Take the next piece of the answer, and return what is certain of it."""
        text = self._rest + text
        end = len(text) - max(_begun(OPEN, text), _begun(CLOSE, text))
        self._rest = text[end:]
        return self._read(text[:end])

    def finish(self) -> list[Piece]:
        """Return what is left when the answer ends."""
        pieces = self._read(self._rest)
        for symbol in self._tag:
            self._add(symbol)
        self._break_off()
        if self._space:
            self._show("")
        return pieces + self._take_pieces()

    def _read(self, text: str) -> list[Piece]:
        for symbol in _SYMBOL.findall(text):
            self._add_or_hold(symbol)
        return self._take_pieces()

    def _take_pieces(self) -> list[Piece]:
        if self._call is not None:
            self._pieces += self._call.progress()
        self._flush_text()
        pieces, self._pieces = self._pieces, []
        return pieces

    def _add_or_hold(self, symbol: str) -> None:
        """Hold a tag that may begin a call until it is known whether it does."""
        if self._tag:
            if symbol.isspace():
                self._tag.append(symbol)
                return
            tag, self._tag = self._tag, []
            if symbol == "{":
                self._break_off()
                self._begin_call()
            else:
                for held in tag:
                    self._add(held)
        if symbol == OPEN and self._line.may_begin_call:
            self._tag = [symbol]
        else:
            self._add(symbol)

    def _add(self, symbol: str) -> None:
        if self._call is None:
            self._line.add(symbol)
            self._add_text(symbol)
        elif symbol == CLOSE and (not self._call.in_string or self._line.is_blank):
            self._end_call(self._call.end())
        else:
            self._line.add_unread(symbol)
            self._call.add(symbol)

    # --- calls ---

    def _begin_call(self) -> None:
        self._flush_text()
        self._space = []
        self._call = _Call(self._count)
        self._count += 1

    def _end_call(self, pieces: Iterator[Piece]) -> None:
        self._pieces += pieces
        self._call, self._is_behind_call = None, True
        self._line.text = ""

    def _break_off(self) -> None:
        """End a call that has no end: where a string seems to hide one, or here."""
        if self._call is None:
            return
        behind = self._call.cut()
        self._end_call(self._call.end())
        for symbol in _SYMBOL.findall(behind):
            self._add_text(symbol)

    # --- text ---

    def _add_text(self, symbol: str) -> None:
        if not symbol.isspace():
            self._show(symbol)
        elif not self._is_behind_call:
            self._space.append(symbol)

    def _show(self, text: str) -> None:
        if self._is_behind_call and self._has_text:
            self._shown.append("\n")  # the texts before and after a call are not one word
        self._shown += [*self._space, text]
        self._has_text, self._is_behind_call, self._space = True, False, []

    def _flush_text(self) -> None:
        if self._shown:
            self._pieces.append("".join(self._shown))
            self._shown = []


def _begun(tag: str, text: str) -> int:
    """Count the characters at the end of a text that a tag may begin with."""
    at = text.rfind("<", -len(tag) + 1)
    return len(text) - at if at >= 0 and tag.startswith(text[at:]) else 0


class _Line:
    """The line that is being written, and whether it is in a code block of Markdown."""

    def __init__(self) -> None:
        self.text = ""
        self._fence = ""

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    @property
    def may_begin_call(self) -> bool:
        indent = len(self.text.expandtabs())
        return self.is_blank and indent <= _MAX_INDENT and not self._fence

    def add(self, symbol: str) -> None:
        if symbol == "\n":
            self._follow_fence()
        self.add_unread(symbol)

    def add_unread(self, symbol: str) -> None:
        """Take a part of a call, in which no code block begins."""
        if symbol == "\n":
            self.text = ""
        elif len(self.text) < _LINE_CHARS:
            self.text += symbol[:_LINE_CHARS]

    def _follow_fence(self) -> None:
        found = _FENCE.match(self.text)
        if found is None:
            return
        if not self._fence:
            self._fence = found[1]
        elif found[1].startswith(self._fence) and not found[2].strip():
            self._fence = ""


class _Call:
    """One call, as it is written: its text, and what of its arguments has been passed on."""

    def __init__(self, index: int) -> None:
        self.in_string = False
        self._index = index
        self._id = f"call_{uuid.uuid4().hex}"
        self._body: list[str] = []
        self._is_escaped = False
        self._depth = 0
        self._name = ""  # known once the arguments begin, if the call is in the usual order
        self._begin = self._end = -1  # of the arguments, in the body
        self._hidden = -1  # the first closing tag in a string, which may be the end of the call
        self._sent = 0  # tokens of the arguments that are passed on
        self._is_named = False  # whether the name is

    def add(self, symbol: str) -> None:
        self._body.append(symbol)
        if self.in_string:
            self._add_to_string(symbol)
        elif symbol == '"':
            self.in_string = True
        elif symbol == "{":
            self._depth += 1
            if self._depth == 2 and self._begin < 0:
                self._begin_arguments()
        elif symbol == "}":
            self._depth -= 1
            if self._depth == 1 and self._end < 0:
                self._end = len(self._body)

    def _add_to_string(self, symbol: str) -> None:
        if symbol == CLOSE and self._hidden < 0:
            self._hidden = len(self._body) - 1
        self.in_string = self._is_escaped or symbol != '"'
        self._is_escaped = symbol == "\\" and not self._is_escaped

    def _begin_arguments(self) -> None:
        self._begin = len(self._body) - 1
        usual = _USUAL.fullmatch("".join(self._body[:-1]))
        with contextlib.suppress(ValueError):  # an escape that JSON does not have
            self._name = _DECODER.decode(usual[1]) if usual else ""

    def progress(self) -> Iterator[Piece]:
        """Pass on what is new of the arguments; nothing behind a tag that may be the call's end."""
        if not self._name:
            return
        if not self._is_named:
            self._is_named = True
            yield self._piece(self._name, "", self._id)
        ends = (end for end in (self._end, self._hidden) if end >= 0)
        yield from self._pass_on(min(ends, default=len(self._body)))

    def end(self) -> Iterator[Piece]:
        """Pass on what is left of the call, whose body is whole now."""
        body = "".join(self._body)
        name, arguments = _read(body)
        if not self._name:
            arguments = arguments if name else _keep_invalid(body)
            yield self._piece(name or None, arguments, self._id)
            return
        yield from self.progress()
        yield from self._pass_on(self._end if self._end >= 0 else len(self._body))
        if not name:
            suffix = invalid_suffix("".join(self._body[self._begin : self._sent]))
            yield self._piece(None, suffix, None)

    def cut(self) -> str:
        """Give back what is behind a closing tag that a string seems to hide."""
        if self._hidden < 0:
            return ""
        behind = self._body[self._hidden + 1 :]
        del self._body[self._hidden :]
        self._end = min(self._end, len(self._body))
        return "".join(behind)

    def _pass_on(self, end: int) -> Iterator[Piece]:
        begin, self._sent = max(self._begin, self._sent), max(self._sent, end)
        if begin < end:
            yield self._piece(None, "".join(self._body[begin:end]), None)

    def _piece(self, name: str | None, arguments: str, call_id: str | None) -> ToolCallChunk:
        return tool_call_chunk(name=name, args=arguments, id=call_id, index=self._index)


def read_arguments(text: str) -> dict[str, Any] | None:
    """Read the arguments of a call; None if they are not a whole JSON object."""
    try:
        arguments = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def invalid_suffix(arguments: str) -> str:
    """Write what keeps LangChain, which completes JSON that was cut off, from completing this.

    It takes a bracket that closes nothing for malformed, wherever it is.
    """
    if arguments.strip() and not arguments.lstrip().startswith("{"):
        return ""  # no object is made of it anyway
    open_string = ""

    def without_string(found: re.Match[str]) -> str:
        nonlocal open_string
        open_string = {"": '"', "\\": '\\"'}.get(found["end"], "")
        return ""

    brackets = re.findall(r"[\[\]{}]", _STRING.sub(without_string, arguments))
    opened: list[str] = []
    for bracket in brackets:
        if bracket in "[{":
            opened.append(bracket)
        elif not opened or opened.pop() + bracket not in {"[]", "{}"}:
            return ""
    return open_string + ("}" if opened and opened[-1] == "[" else "]")


def _read(body: str) -> tuple[str, str]:
    """Read the name and the arguments of a call; no name if it is not well-formed."""
    call = read_arguments(body.strip())
    if call is None or not isinstance(call.get("name"), str):
        return "", ""
    arguments = call.get("arguments")
    if arguments is None:
        return call["name"], "{}"
    return call["name"], arguments if isinstance(arguments, str) else to_json_text(arguments)


def _keep_invalid(text: str) -> str:
    return text + invalid_suffix(text)
