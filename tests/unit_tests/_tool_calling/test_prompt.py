"""Tool calls in text: the exact prompt and history, and every way that an answer may be cut."""

from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._tool_calling.parser import ToolCallParser
from langchain_qwen_audio._tool_calling.prompt import (
    CLOSE,
    OPEN,
    write_tool_prompt,
)
from langchain_qwen_audio._tool_calling.tool_choice import normalize_choice
from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.conftest import ainvoke, astream_chunks, invoke, stream_chunks
from tests.unit_tests.recordings import fresh_tone, wav
from tests.unit_tests.rows import each_row, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.unit_tests.conftest import CallModel

# --- in: the prompt ---------------------------------------------------------------------------


def schema(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}}
    function = {"name": name, "description": "Das ist schön.", "parameters": parameters}
    return {"type": "function", "function": function}


SCHEMA_LINE = (
    '{"type": "function", "function": {"name": "%s", "description": "Das ist schön.", '
    '"parameters": {"type": "object", "properties": {}}}}'
)
PROMPT = f"""\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{SCHEMA_LINE % "f"}
{SCHEMA_LINE % "g"}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""
ANY = "\n\nYou must call at least one function now; do not answer in words."
NONE = "\n\nDo not call any function now; answer in words."
NAMED = "\n\nYou must call the function g now; do not answer in words."
ONE = "\n\nCall at most one function in one answer."

CHOICES = [("auto", ""), ("any", ANY), ("none", NONE), ("g", NAMED)]


@each_row("parallel", [True, False])
@each_row("choice, rule", CHOICES)
def test_the_prompt_is_exactly_this(choice: str, rule: str, parallel: bool) -> None:
    text = write_tool_prompt([schema("f"), schema("g")], choice, parallel=parallel)
    assert text == PROMPT + rule + ("" if parallel else ONE)


@each_row(
    "choice, meant",
    [
        (None, None),
        (False, None),
        (True, "any"),
        ("required", "any"),
        ("any", "any"),
        ("auto", "auto"),
        ("none", "none"),
        ("g", "g"),
        ({"type": "function", "function": {"name": "g"}}, "g"),
        ({"name": "g"}, "g"),
    ],
)
def test_a_choice_may_be_written_in_every_usual_way(choice: Any, meant: str | None) -> None:
    assert normalize_choice(choice, ["f", "g"]) == meant


@each_row("choice", ["h", "", {"name": "h"}, {"type": "function"}])
def test_a_choice_of_what_is_not_there_is_refused(model: ChatQwenAudio, choice: Any) -> None:
    with pytest.raises(ValueError, match=r"expected auto, none, any or one of \['f'\]"):
        model.bind_tools([schema("f")], tool_choice=choice)


# --- in: through the model, on the wire -------------------------------------------------------


@tool
def add(a: int, b: Annotated[int, "the second"]) -> int:
    """Add two numbers."""
    return a + b


def add_plainly(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class AddModel(BaseModel):
    """Add two numbers."""

    a: int
    b: int = Field(description="the second")


class AddDict(TypedDict):
    """Add two numbers."""

    a: int
    b: Annotated[int, ..., "the second"]


def system_texts(server: LocalDashScope) -> list[str]:
    (message,) = (it for it in server.requests[-1].messages if it["role"] == "system")
    return [part["text"] for part in message["content"]]


TOOL = {"name": "add", "description": "Add two numbers."}


@each_row("given_as", [add, AddModel, AddDict, add_plainly, AddModel.model_json_schema()])
def test_every_kind_of_tool_is_described(
    server: LocalDashScope, model: ChatQwenAudio, given_as: Any
) -> None:
    model.bind_tools([given_as]).invoke("?")
    (text,) = system_texts(server)
    (line,) = (line for line in text.split("\n") if line.startswith('{"type": "function"'))
    function = json.loads(line)["function"]
    assert function["name"].lower().startswith("add")
    assert function["description"] == "Add two numbers."
    assert function["parameters"]["required"] == ["a", "b"]
    assert function["parameters"]["properties"]["b"]["type"] == "integer"


SYSTEM = SystemMessage("Be kind.")


@two_modes
@each_row("choice, rule", CHOICES)
def test_the_prompt_follows_the_system_message_if_there_is_one(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, choice: str, rule: str
) -> None:
    bound = model.bind_tools([schema("f"), schema("g")], tool_choice=choice)
    call_model(bound, [SYSTEM, HumanMessage("?")])
    assert system_texts(server) == ["Be kind.", "\n\n" + PROMPT + rule]
    call_model(bound, "?")
    assert system_texts(server) == [PROMPT + rule]
    assert server.requests[-1].messages[0]["role"] == "system"
    sent = set(server.requests[-1].parameters)
    assert sent <= {"result_format", "incremental_output"}  # nothing of tools


@each_row("parallel, rule", [(True, ""), (None, ""), (False, ONE)])
def test_at_most_one_call_can_be_requested(
    server: LocalDashScope, model: ChatQwenAudio, parallel: bool | None, rule: str
) -> None:
    model.bind_tools([schema("f"), schema("g")], parallel_tool_calls=parallel).invoke("?")
    assert system_texts(server) == [PROMPT + rule]


@two_modes
def test_what_is_bound_stays_bound(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    bound = model.bind_tools([schema("f"), schema("g")], tool_choice="any")
    for _ in range(2):
        call_model(bound, "?")
        assert system_texts(server) == [PROMPT + ANY]


def call(name: str, args: Any, call_id: str) -> dict[str, Any]:
    return {"type": "tool_call", "name": name, "args": args, "id": call_id}


CLIP = wav(fresh_tone())
CLIP_BLOCK = Audio.from_bytes(CLIP).to_block()
HISTORY = [
    HumanMessage("Load both, and add 1."),
    AIMessage("Yes.", tool_calls=[call("f", {"a": {"ü": [1, None]}}, "1"), call("g", {}, "2")]),
    ToolMessage(
        [{"type": "text", "text": "Loaded:"}, {**CLIP_BLOCK, "type": "file"}], tool_call_id="1"
    ),
    ToolMessage("no such file", tool_call_id="2", status="error"),
    AIMessage("", tool_calls=[call("g", {"q": '"'}, "3")]),
    ToolMessage("Error: worse", tool_call_id="3", status="error", name="g"),
    AIMessage(
        "",
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "name": "f", "args": "{nonsense", "id": "4", "error": "x"}
        ],
    ),
    ToolMessage([{"type": "text", "text": "a"}, "b"], tool_call_id="4"),
    AIMessage("Done."),
    HumanMessage("Thanks"),
]


def response(text: str) -> str:
    return f"<tool_response>\n{text}\n</tool_response>"


WIRE = [
    {"role": "user", "content": [{"text": "Load both, and add 1."}]},
    {
        "role": "assistant",
        "content": [
            {"text": "Yes."},
            {
                "text": '\n<tool_call>\n{"name": "f", "arguments": {"a": {"ü": [1, null]}}}\n'
                '</tool_call>\n<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>'
            },
        ],
    },
    {
        "role": "user",
        "content": [
            {"text": response("Loaded:")},
            {"audio": CLIP_BLOCK["base64"]},
            {"text": "\n" + response("Error: no such file")},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"text": '<tool_call>\n{"name": "g", "arguments": {"q": "\\""}}\n</tool_call>'}
        ],
    },
    {"role": "user", "content": [{"text": response("Error: worse")}]},
    {
        "role": "assistant",
        "content": [{"text": '<tool_call>\n{"name": "f", "arguments": {nonsense}\n</tool_call>'}],
    },
    {"role": "user", "content": [{"text": response("a\nb")}]},
    {"role": "assistant", "content": [{"text": "Done."}]},
    {"role": "user", "content": [{"text": "Thanks"}]},
]


def wire_of(server: LocalDashScope) -> list[dict[str, Any]]:
    """Take the conversation off the wire, with audio as bare base64."""
    messages: list[dict[str, Any]] = server.requests[-1].messages
    for message in messages:
        for part in message["content"]:
            if "audio" in part:
                part["audio"] = part["audio"].partition(";base64,")[2]
    return messages


@two_modes
def test_calls_and_results_in_the_history_become_text(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    bound = model.bind_tools([schema("f"), schema("g")])
    call_model(bound, [SYSTEM, *HISTORY])
    system, *rest = wire_of(server)
    assert system["content"] == [{"text": "Be kind."}, {"text": "\n\n" + PROMPT}]
    assert rest == WIRE
    call_model(bound, HISTORY)
    assert wire_of(server) == [{"role": "system", "content": [{"text": PROMPT}]}, *WIRE]


@each_row("length", [4, 6, 8])
def test_results_at_the_end_are_sent(
    server: LocalDashScope, model: ChatQwenAudio, length: int
) -> None:
    model.bind_tools([schema("f"), schema("g")]).invoke(HISTORY[:length])
    _, *rest = wire_of(server)
    assert rest == WIRE[: {4: 3, 6: 5, 8: 7}[length]]


@two_modes
def test_without_tools_the_history_keeps_its_roles(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    call_model(model, HISTORY)
    wire = wire_of(server)
    assert [message["role"] for message in wire] == [
        *("user", "assistant", "tool", "tool", "user"),
        *("assistant", "tool", "assistant", "tool", "assistant", "user"),
    ]
    assert [call["id"] for call in wire[1]["tool_calls"]] == ["1", "2"]
    assert wire[2] == {"role": "tool", "content": [{"text": "Loaded:"}], "tool_call_id": "1"}
    assert wire[4] == {"role": "user", "content": [{"audio": CLIP_BLOCK["base64"]}]}


def test_json_mode_without_tools_also_writes_the_history_as_text(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script("{}")
    model.with_structured_output(None, method="json_mode").invoke(HISTORY)
    system, *rest = wire_of(server)
    instruction = "Answer with one JSON object and nothing else, in no code block."
    assert system == {"role": "system", "content": [{"text": instruction}]}
    assert rest == WIRE


# --- out: whole answers -----------------------------------------------------------------------

Calls = list[tuple[str | None, str]]


def feed(fragments: Iterable[str]) -> tuple[str, Calls]:
    """Read an answer in fragments: its text, and its calls as they were written."""
    parser = ToolCallParser()
    pieces = [piece for fragment in fragments for piece in parser.feed(fragment)]
    return add_up([*pieces, *parser.finish()])


def add_up(pieces: Iterable[str | ToolCallChunk]) -> tuple[str, Calls]:
    text, calls = "", dict[int | None, tuple[str | None, str]]()
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        else:
            name, args = calls.get(piece["index"], (None, ""))
            calls[piece["index"]] = name or piece["name"], args + (piece["args"] or "")
    assert list(calls) == list(range(len(calls)))
    return text, list(calls.values())


def read(answer: str) -> AIMessageChunk:
    """Read an answer as LangChain does."""
    text, calls = feed([answer])
    chunks = [
        tool_call_chunk(name=name, args=args, id=str(index), index=index)
        for index, (name, args) in enumerate(calls)
    ]
    return AIMessageChunk(content=text, tool_call_chunks=chunks, chunk_position="last")


def assert_cuts_change_nothing(answer: str) -> None:
    whole = feed([answer])
    for cut in range(len(answer)):
        assert feed([answer[:cut], answer[cut:]]) == whole
    assert feed(answer) == whole


def valid(message: AIMessage) -> list[tuple[str, Any]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


def invalid(message: AIMessage) -> Calls:
    return [(call["name"], call["args"] or "") for call in message.invalid_tool_calls]


def seen(message: AIMessage) -> tuple[str, list[tuple[str, Any]], Calls]:
    """What of an answer does not depend on chance."""
    return message.text, valid(message), invalid(message)


def wrap(body: str) -> str:
    return f"{OPEN}\n{body}\n{CLOSE}"


def written(name: str, args: Any) -> str:
    return wrap(json.dumps({"name": name, "arguments": args}, ensure_ascii=False))


F = ("f", {"a": 1})
WROTE_F = written(*F)

# name: the answer, its text, its calls
GOOD: dict[str, tuple[str, str, list[tuple[str, Any]]]] = {
    "nothing": ("", "", []),
    "only words": ("  Hello, world. \n", "  Hello, world. \n", []),
    "one call": (WROTE_F, "", [F]),
    "on one line": ('<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>', "", [F]),
    "white space around": (f"\n {WROTE_F}\n\n", "", [F]),
    "words before": (f"Let me see.\n\n{WROTE_F}", "Let me see.", [F]),
    "words after": (f"{WROTE_F}\n\nDone. ", "Done. ", [F]),
    "words everywhere": (
        f"One.\n{WROTE_F}\nTwo.\n {written('g', {})} Three.",
        "One.\nTwo.\nThree.",
        [F, ("g", {})],
    ),
    "several": (f"{WROTE_F}\n{WROTE_F}\n{written('g', {})}", "", [F, F, ("g", {})]),
    "several with nothing between": (WROTE_F + written("g", {}), "", [F, ("g", {})]),
    "nested": (
        written("f", {"a": [{"b": {"c": [[], {}, None, -1.5e3, True]}}]}),
        "",
        [("f", {"a": [{"b": {"c": [[], {}, None, -1500.0, True]}}]})],
    ),
    "unicode": (written("f", {"é": "你好 \U0001f3a7"}), "", [("f", {"é": "你好 \U0001f3a7"})]),
    "escapes": (
        wrap(r'{"name": "\u0066", "arguments": {"a": "\u4f60\n\"\\", "b": "\\"}}'),
        "",
        [("f", {"a": '你\n"\\', "b": "\\"})],
    ),
    "a line break in a string": (
        wrap('{"name": "f", "arguments": {"a": "x\ny"}}'), "", [("f", {"a": "x\ny"})]
    ),
    "tags in a string": (
        written("f", {"a": f"{CLOSE} {OPEN}", "b": f'"{CLOSE}'}),
        "",
        [("f", {"a": f"{CLOSE} {OPEN}", "b": f'"{CLOSE}'})],
    ),
    "another order": (wrap('{"arguments": {"a": 1}, "name": "f"}'), "", [F]),
    "more keys": (wrap('{"name": "f", "arguments": {"a": 1}, "id": "{x}"}'), "", [F]),
    "more keys first": (wrap('{"id": 5, "name": "f", "arguments": {"a": 1}}'), "", [F]),
    "no arguments": (wrap('{"name": "f"}'), "", [("f", {})]),
    "empty arguments": (wrap('{"name": "f", "arguments": {}}'), "", [("f", {})]),
    "null arguments": (wrap('{"name": "f", "arguments": null}'), "", [("f", {})]),
    "arguments in a string": (wrap(r'{"name": "f", "arguments": "{\"a\": 1}"}'), "", [F]),
    "wide": (wrap('\n{\n  "name" : "f" ,\n  "arguments" : {\n "a" : 1 }\n}\n\n'), "", [F]),
    "an unfinished tag is text": ("a <tool_cal", "a <tool_cal", []),
    "a tag that was none": ("a <tool_calls> <b", "a <tool_calls> <b", []),
    "a stray closing tag": (f"a {CLOSE} b", f"a {CLOSE} b", []),
    "less than": ("1 < 2 <\t", "1 < 2 <\t", []),
    "twice begun": (f"<tool_c\n{WROTE_F}", "<tool_c", [F]),
    "other tags": ("<tools> <tool_response> </tool", "<tools> <tool_response> </tool", []),
}  # fmt: skip

# name: the body of the call, and the name of the tool if it can be known
BAD: dict[str, tuple[str, str | None]] = {
    "no name": ('{"arguments": {"a": 1}}', None),
    "a name that is none": ('{"name": 5, "arguments": {"a": 1}}', None),
    "an empty name": ('{"name": "", "arguments": {"a": 1}}', None),
    "single quotes": ("{'name': 'f', 'arguments': {'a': 1}}", None),
    "a list of arguments": ('{"name": "f", "arguments": [1]}', "f"),
    "a number of arguments": ('{"name": "f", "arguments": 5}', "f"),
    "words as arguments": ('{"name": "f", "arguments": "a is 1"}', "f"),
    "a list in a string": ('{"name": "f", "arguments": "[1]"}', "f"),
    "a brace too few": ('{"name": "f", "arguments": {"a": 1}', "f"),
    "two braces too few": ('{"name": "f", "arguments": {"a": 1', "f"),
    "a brace too many": ('{"name": "f", "arguments": {"a": 1}}}', "f"),
    "a comma too many": ('{"name": "f", "arguments": {"a": 1,}}', "f"),
    "no comma": ('{"name": "f", "arguments": {"a": 1 "b": 2}}', "f"),
    "no value": ('{"name": "f", "arguments": {"a": }}', "f"),
    "words behind": ('{"name": "f", "arguments": {"a": 1}} please', "f"),
    "a call within": (f'{{"name": "f", "arguments": {{"a": {OPEN}}}}}', "f"),
    "two in one": ('{"name": "f", "arguments": {}}\n{"name": "g", "arguments": {}}', "f"),
}  # fmt: skip


@each_row("answer, text, calls", GOOD)
def test_a_good_answer(answer: str, text: str, calls: list[tuple[str, Any]]) -> None:
    assert seen(read(answer)) == (text, calls, [])
    assert_cuts_change_nothing(answer)


@each_row("body, name", BAD)
def test_a_malformed_call_is_an_invalid_one(body: str, name: str | None) -> None:
    answer = f"Before.\n{wrap(body)} Between.\n{WROTE_F} After."
    whole = read(answer)
    assert whole.text == "Before.\nBetween.\nAfter."
    assert valid(whole) == [F]
    ((invalid_name, _),) = invalid(whole)
    assert invalid_name == name
    assert_cuts_change_nothing(answer)


@each_row(
    "body", ['{"name": "f", "arguments": {"a": "x}}', '{"name": "f, "arguments": {}}', '{say "f"!"']
)
def test_a_quote_that_never_ends_swallows_no_other_call(body: str) -> None:
    answer = f"Before.\n{wrap(body)} Between.\n{WROTE_F} After."
    whole = read(answer)
    assert whole.text == "Before.\nBetween.\nAfter."
    assert valid(whole) == [F]
    assert len(invalid(whole)) == 1
    assert_cuts_change_nothing(answer)


@each_row("length", range(1, len(WROTE_F) - len(OPEN)))
def test_a_call_that_breaks_off_is_invalid(length: int) -> None:
    body = WROTE_F[len(OPEN) : len(OPEN) + length]
    message = read(f"Before.\n{OPEN}{body}")
    if body == "\n":  # a call has a brace
        assert (message.text, valid(message), invalid(message)) == (f"Before.\n{OPEN}\n", [], [])
        return
    assert message.text == "Before."
    whole_body = body.startswith("\n" + json.dumps({"name": "f", "arguments": {"a": 1}}))
    if whole_body:  # only the closing tag, or a part of it, is not there
        assert (valid(message) == [F]) != (len(invalid(message)) == 1)
    else:
        assert valid(message) == []
        assert len(invalid(message)) == 1


def test_every_call_has_an_id_of_its_own() -> None:
    pieces = [piece for _ in range(2) for piece in ToolCallParser().feed(WROTE_F * 3)]
    ids = [piece["id"] for piece in pieces if not isinstance(piece, str) and piece["id"]]
    assert len(set(ids)) == len(ids) == 6


# --- out: streams -----------------------------------------------------------------------------

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TAGGISH = st.sampled_from(
    ["<", ">", "</", OPEN[:6], "tool_call", CLOSE, "\n", " ", '"', "{", "}", "\\", "a", "é", "你"]
)
PROSE = st.lists(TAGGISH | st.characters(exclude_categories=["Cs"]), max_size=12).map("".join)
PROSE = PROSE.filter(lambda text: OPEN not in text and "```" not in text and "~~~" not in text)
NAMES = st.text(min_size=1, max_size=8)
ARGUMENTS = st.dictionaries(TEXT | TAGGISH, JSON | TAGGISH, max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, Any]]]:
    """Make an answer, the text in it, and the calls in it."""
    calls = draw(st.lists(st.tuples(NAMES, ARGUMENTS), max_size=3))
    texts = [draw(PROSE) for _ in range(len(calls) + 1)]
    texts = [*(text and f"{text}\n" for text in texts[:-1]), texts[-1]]
    ascii_only = draw(st.booleans())
    indent = draw(st.sampled_from([None, 1]))
    answer = texts[0]
    for (name, args), text in zip(calls, texts[1:], strict=True):
        body = {"name": name, "arguments": args}
        answer += wrap(json.dumps(body, ensure_ascii=ascii_only, indent=indent)) + text
    shown = [
        text.strip() if 0 < index < len(calls) else text.lstrip() if index else text.rstrip()
        for index, text in enumerate(texts)
    ]
    text = "\n".join(filter(None, shown)) if calls else texts[0]
    return answer, text, calls


@settings(max_examples=20)
@given(answers(), st.data())
def test_a_stream_may_be_cut_anywhere(
    made: tuple[str, str, list[tuple[str, Any]]], data: st.DataObject
) -> None:
    answer, text, calls = made
    assert seen(read(answer)) == (text, calls, [])
    assert feed(answer) == feed([answer])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    fragments = [
        answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)
    ]
    assert feed(fragments) == feed([answer])


@settings(max_examples=50)
@given(PROSE, st.lists(TAGGISH | st.characters(exclude_categories=["Cs"]), max_size=30))
def test_broken_calls_come_out_the_same_however_they_are_cut(before: str, body: list[str]) -> None:
    answer = f'{before}\n{OPEN}{{"name": "f", "arguments": {"".join(body)}}}{CLOSE} After.'
    assert_cuts_change_nothing(answer)


@settings(max_examples=25)
@given(answers())
def test_a_partial_tag_is_never_shown(made: tuple[str, str, list[tuple[str, Any]]]) -> None:
    answer, text, _ = made
    parser = ToolCallParser()
    shown = ""
    for index, character in enumerate(answer):
        shown += "".join(piece for piece in parser.feed(character) if isinstance(piece, str))
        assert text.startswith(shown)
        written_so_far = answer[: index + 1]
        if OPEN not in written_so_far:
            begun = max(n for n in range(len(OPEN)) if written_so_far.endswith(OPEN[:n]))
            assert written_so_far[: len(written_so_far) - begun].startswith(shown)


def test_text_is_shown_as_soon_as_it_can_be_no_tag() -> None:
    parser = ToolCallParser()
    shown = [parser.feed(fragment) for fragment in ("a ", "<", "tool", " b", " <", "b", ">")]
    assert shown == [["a"], [], [], [" <tool b"], [], [" <b"], [">"]]


def test_a_call_is_passed_on_while_it_is_written() -> None:
    answer = written("f", {"text": "one two three", "list": [1, 2, 3]})
    parser = ToolCallParser()
    before_the_end = answer[: answer.index(CLOSE)]
    pieces = [piece for character in before_the_end for piece in parser.feed(character)]
    assert all(isinstance(piece, dict) for piece in pieces)
    first, *rest = (piece for piece in pieces if isinstance(piece, dict))
    assert (first["name"], first["args"], first["index"]) == ("f", "", 0)
    assert first["id"]
    assert len(rest) > 20
    assert {(piece["name"], piece["id"], piece["index"]) for piece in rest} == {(None, None, 0)}
    whole = "".join(piece["args"] or "" for piece in rest)
    assert json.loads(whole) == {"text": "one two three", "list": [1, 2, 3]}


# --- out: through the model -------------------------------------------------------------------


def cut_reply(answer: str, cut: str) -> Reply:
    return {
        "words": lambda: Reply(answer),
        "characters": lambda: Reply(fragments=tuple(answer)),
        "whole": lambda: Reply(fragments=(answer,)),
    }[cut]()


ANSWERS = {
    **{name: GOOD[name][0] for name in ("words everywhere", "tags in a string", "another order")},
    **{name: GOOD[name][0] for name in ("several", "unicode", "an unfinished tag is text")},
    **{name: wrap(BAD[name][0]) for name in ("no name", "a brace too few", "a list of arguments")},
}


CUT_ANSWERS = [
    *((answer, "characters") for answer in ANSWERS.values()),
    *((ANSWERS["words everywhere"], cut) for cut in ("words", "whole")),
    *((ANSWERS["no name"], cut) for cut in ("words", "whole")),
]


@each_row("answer, cut", CUT_ANSWERS)
def test_a_stream_adds_up_to_the_whole_answer(
    server: LocalDashScope, model: ChatQwenAudio, answer: str, cut: str
) -> None:
    bound = model.bind_tools([schema("f"), schema("g")])
    server.script(*[cut_reply(answer, cut)] * 4)
    first, *others = [
        invoke(bound, "?"),
        ainvoke(bound, "?"),
        functools.reduce(operator.add, stream_chunks(bound, "?")),
        functools.reduce(operator.add, astream_chunks(bound, "?")),
    ]
    assert seen(first) == seen(read(answer))
    for other in others:
        assert seen(other) == seen(first)
        assert other.usage_metadata == first.usage_metadata
        assert other.response_metadata.keys() == first.response_metadata.keys()
    kinds = [block["type"] for block in first.content_blocks if "tool" in block["type"]]
    assert kinds == ["tool_call"] * len(first.tool_calls)


@two_streams
def test_chunks_of_calls_come_while_the_stream_is_open(
    server: LocalDashScope,
    model: ChatQwenAudio,
    chunks_of: Callable[..., list[AIMessageChunk]],
) -> None:
    answer = f"Yes.\n{written('f', {'text': 'one two three'})}{WROTE_F} Done."
    server.script(Reply(fragments=tuple(answer)))
    chunks = chunks_of(model.bind_tools([schema("f")]), "?")
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert [piece["name"] for piece in pieces if piece["name"]] == ["f", "f"]
    assert [piece["id"] for piece in pieces].count(None) == len(pieces) - 2
    for index in (0, 1):
        assert len([piece for piece in pieces if piece["index"] == index and piece["args"]]) > 3
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(texts) == "Yes.\nDone."
    assert not any("<" in text for text in texts)


@two_modes
def test_without_tools_tags_are_text(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(WROTE_F)
    message = call_model(model, "?")
    assert message.text == WROTE_F
    assert message.tool_calls == []


@two_modes
def test_calls_that_were_forbidden_are_still_read(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(WROTE_F)
    assert valid(call_model(model.bind_tools([schema("f")], tool_choice="none"), "?")) == [F]


@two_modes
def test_a_round_trip_through_the_local_test_server_which_reads_the_prompt_itself(
    call_model: CallModel,
) -> None:
    with LocalDashScope() as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local").bind_tools([add])
        question = HumanMessage("What do you get if you add 2 and 40?")
        message = call_model(model, [question])
        assert valid(message) == [("add", {"a": 2, "b": 40})]
        result = add.invoke(message.tool_calls[0])
        assert 'Tool result: "42"' in call_model(model, [question, message, result]).text


# --- models with native tools -----------------------------------------------------------------


@two_modes
def test_native_tools_travel_as_parameters(call_model: CallModel) -> None:
    with LocalDashScope(reply="ok", parameters=["tools", "tool_choice"]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", tool_calling="native")
        call_model(model.bind_tools([schema("f")], tool_choice="f"), HISTORY)
    sent = server.requests[-1].parameters
    assert sent["tools"] == [schema("f")]
    assert [message["role"] for message in server.requests[-1].messages][:3] == [
        *("user", "assistant", "tool")
    ]
    # https://help.aliyun.com/zh/model-studio/qwen-function-calling
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_native_calls_in_the_history_stay_calls_in_json_mode(
    server: LocalDashScope,
) -> None:
    server.script("{}")
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", tool_calling="native")
    model.with_structured_output(None, method="json_mode").invoke(HISTORY)
    system, _, called, result, *_ = server.requests[-1].messages
    assert system["role"] == "system"
    assert [call["id"] for call in called["tool_calls"]] == ["1", "2"]
    assert result["role"] == "tool"
