"""Where calls are read, where tags are text, and what hostile answers cost."""

from __future__ import annotations

import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from langchain_qwen_audio._tool_calling.parser import (
    ToolCallParser,
    invalid_suffix,
    read_arguments,
)
from langchain_qwen_audio._tool_calling.prompt import CLOSE, OPEN
from tests.unit_tests._tool_calling.test_prompt import (
    WROTE_F,
    F,
    assert_cuts_change_nothing,
    feed,
    invalid,
    read,
    valid,
    wrap,
)
from tests.unit_tests.rows import each_row

ON_ONE_LINE = WROTE_F.replace("\n", "")
FENCED = f"So:\n```xml\n{WROTE_F}\n```\nDone."

# name: the answer, its text, and how many calls there are
PLACES: dict[str, tuple[str, str, int]] = {
    "the answer": (WROTE_F, "", 1),
    "on a line of its own": (f"Yes.\n{WROTE_F}\n", "Yes.", 1),
    "indented a little": (f"Yes.\n   {WROTE_F}", "Yes.", 1),
    "behind another call": (f"{WROTE_F} {WROTE_F}", "", 2),
    "behind another call on its line": (ON_ONE_LINE * 2, "", 2),
    "after a code block": (f"```\nx\n```\n{WROTE_F}", "```\nx\n```", 1),
    "after a code block within it": (f"~~~\n```\n~~~\n{WROTE_F}", "~~~\n```\n~~~", 1),
    "after code in a line": (f"```x```\n{WROTE_F}", "```x```", 1),
    "a word": ("Write <tool_call> first.", "Write <tool_call> first.", 0),
    "a word at the beginning of a line": (
        f"{OPEN} is a tag.\nSo is {CLOSE}, and more.",
        f"{OPEN} is a tag.\nSo is {CLOSE}, and more.",
        0,
    ),
    "a pair of tags": (f"{OPEN}…{CLOSE} is used.", f"{OPEN}…{CLOSE} is used.", 0),
    "a tag at the end": (f"Yes.\n{OPEN}\n ", f"Yes.\n{OPEN}\n ", 0),
    "a tag before a call": (f"Yes.\n{OPEN}\n{WROTE_F}", f"Yes.\n{OPEN}", 1),
    "in a line": (f"Yes. {ON_ONE_LINE} No.", f"Yes. {ON_ONE_LINE} No.", 0),
    "quoted": (f"> {ON_ONE_LINE}", f"> {ON_ONE_LINE}", 0),
    "in a code span": (f"`{ON_ONE_LINE}`", f"`{ON_ONE_LINE}`", 0),
    "in a code block": (FENCED, FENCED, 0),
    "in a code block of four": (f"````\n```\n{WROTE_F}\n```\n````\n", "", 0),
    "in a code block of tildes": (f"~~~\n```\n{WROTE_F}\n~~~", f"~~~\n```\n{WROTE_F}\n~~~", 0),
    "in a code block without an end": (f"```\n{WROTE_F}", f"```\n{WROTE_F}", 0),
    "in an indented code block": (f"So:\n\n    {ON_ONE_LINE}", f"So:\n\n    {ON_ONE_LINE}", 0),
    "behind a tab": (f"\t{ON_ONE_LINE}", f"\t{ON_ONE_LINE}", 0),
    "no object": (wrap("f(a=1)"), wrap("f(a=1)"), 0),
    "a list": (wrap("[]"), wrap("[]"), 0),
    "nothing": (wrap(""), wrap(""), 0),
}


@each_row("answer, text, calls", PLACES)
def test_calls_are_read_where_a_model_writes_calls(answer: str, text: str, calls: int) -> None:
    message = read(answer)
    assert message.text == (text or ("" if calls else answer))
    assert valid(message) == [F] * calls
    assert invalid(message) == []
    assert_cuts_change_nothing(answer)


BROKEN = {
    "an unclosed string": (f'{OPEN}{{"a": "b}}{CLOSE} After.', " After."),
    "and more strings": (f'{OPEN}{{"a": "b}}{CLOSE} "Af"ter".', ' "Af"ter".'),
    "and a call on the next line": (f'{OPEN}{{"a": "b}}{CLOSE} After.\n{WROTE_F}', "After."),
    "and a closing tag on the next line": (f'{OPEN}{{"a": "b}}\n{CLOSE} After.', "After."),
    "an escape that is none": (wrap(r'{"name": "\x", "arguments": {}}') + " After.", "After."),
    "nested too deep": (wrap('{"name": "f", "arguments": ' + "[" * 20_000) + "After.", "After."),
    "objects nested too deep": (
        wrap('{"name": "f", "arguments": ' + '{"a":' * 20_000) + "After.",
        "After.",
    ),
}


@each_row("answer, text", BROKEN)
def test_a_broken_call_is_invalid_and_the_text_behind_it_is_text(answer: str, text: str) -> None:
    message = read(answer)
    assert message.text.strip() == text.strip()
    assert len(invalid(message)) == 1
    assert valid(message) == [F] * answer.count(WROTE_F)
    if len(answer) < 1000:
        assert_cuts_change_nothing(answer)


PARTS = [
    *(OPEN, CLOSE, OPEN[:6], CLOSE[:7], "<", "\n", " ", "    ", "\t", "```", "~~~", "`", "a"),
    *('"', "\\", "{", "}", "[", "]", ":", ",", '{"name": "f", "arguments": {', '"a": "', "</"),
]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join), st.data())
def test_an_answer_may_be_cut_anywhere(answer: str, data: st.DataObject) -> None:
    whole = feed([answer])
    assert feed(answer) == whole
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6))), len(answer)]
    assert feed(answer[a:b] for a, b in itertools.pairwise(cuts)) == whole


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
def test_nothing_but_white_space_is_lost(answer: str) -> None:
    """Every other character is in the text, in a call, or one of the tags around a call."""
    text, calls = feed([answer])
    out = len("".join(text.split())) + sum(len("".join(args.split())) for _, args in calls)
    around = len(calls) * len(OPEN + CLOSE + '{"name":"f","arguments":}')
    assert out >= len("".join(answer.split())) - around


N = 5_000  # where a parser that looks back takes an hour
HOSTILE = {
    "closing tags in an unclosed string": f'{OPEN}{{"name": "f", "arguments": {{"a": "{CLOSE * N}',
    "strings that hide closing tags": f'{OPEN}{{"{CLOSE}"\n' * N,
    "opening tags": OPEN * N,
    "opening tags on lines": f"{OPEN}\n" * N,
    "white space": " " * N,
    "white space behind a tag": OPEN + "\n" * N,
    "a long name": f'{OPEN}{{"name": "' + "a" * N,
    "escaped quotes": f'{OPEN}{{"name": "f", "arguments": {{"a": "' + '\\"' * N,
    "backslashes": f'{OPEN}{{"name": "f", "arguments": {{"a": "' + "\\" * N,
    "braces": f'{OPEN}{{"name": "f", "arguments": ' + "{" * N,
    "fences": "```\n" * N,
    "backticks": "`" * N,
    "tags begun": "<" * N,
}


@each_row("size", [7, 10**9])
@each_row("answer", HOSTILE)
def test_a_hostile_answer_is_read_in_linear_time(answer: str, size: int) -> None:
    parser = ToolCallParser()
    for start in range(0, len(answer), size):
        parser.feed(answer[start : start + size])
    parser.finish()


# --- arguments --------------------------------------------------------------------------------

FRAGMENTS = st.lists(
    st.sampled_from(['{"a": ', '"', "\\", "{", "}", "[", "]", "1", ",", ":", "\n", "x", "\\u12"]),
    max_size=12,
).map("".join)


@settings(deadline=None, max_examples=100)
@given(FRAGMENTS)
def test_arguments_with_the_suffix_are_never_mended(arguments: str) -> None:
    chunk = tool_call_chunk(name="f", args=arguments + invalid_suffix(arguments), id="1", index=0)
    assert AIMessageChunk(content="", tool_call_chunks=[chunk]).tool_calls == []


@each_row(
    "text, arguments",
    [
        ("{}", {}),
        ('{"a": "x\ny"}', {"a": "x\ny"}),
        ('{"a": 1', None),
        ("[]", None),
        ("5", None),
        ("", None),
        ("[" * 10**5, None),
        (json.dumps("{}"), None),
    ],
)
def test_arguments_are_a_whole_object_or_none(text: str, arguments: object) -> None:
    assert read_arguments(text) == arguments
