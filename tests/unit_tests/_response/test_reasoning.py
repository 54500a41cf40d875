"""Thoughts: requested, read, streamed, sent back; and what else an answer holds, as blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage

from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.models import OMNI_3, OMNI_3_5, OMNI_3_8, add, model_at, now
from tests.unit_tests.rows import each_row, every_mode, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from tests.unit_tests.calling_modes import CallModel

THOUGHTS = "Let me think"


@two_modes
@each_row("name", [OMNI_3, OMNI_3_8])
@each_row("thinks", [True, False, None])
def test_a_model_is_told_whether_to_think(
    call_model: CallModel, server: LocalDashScope, name: str, thinks: bool | None
) -> None:
    call_model(model_at(server, name, enable_thinking=thinks), "?")
    assert server.requests[0].parameters.get("enable_thinking") is thinks
    call_model(model_at(server, name), "?", enable_thinking=thinks)
    assert server.requests[1].parameters.get("enable_thinking") is thinks


@two_modes
@each_row("name", [OMNI_3, OMNI_3_8])
@each_row("version", ["v0", "v1"])
def test_thoughts_are_reasoning_blocks_whole_and_streamed(
    call_model: CallModel, server: LocalDashScope, name: str, version: str
) -> None:
    server.script(Reply("Four", reasoning=THOUGHTS))
    answer = call_model(
        model_at(server, name, enable_thinking=True, output_version=version), "2 + 2?"
    )
    blocks = [{k: v for k, v in it.items() if k != "index"} for it in answer.content_blocks]
    assert blocks == [
        {"type": "reasoning", "reasoning": THOUGHTS},
        {"type": "text", "text": "Four"},
    ]
    assert answer.text == "Four"
    if version == "v0":
        assert answer.content == "Four"
        assert answer.additional_kwargs == {"reasoning_content": THOUGHTS}


@two_streams
def test_thoughts_stream_before_the_answer(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply("Four it is", reasoning=THOUGHTS))
    chunks = chunks_of(model_at(server, OMNI_3_8), "?")
    thoughts = [chunk.additional_kwargs.get("reasoning_content") for chunk in chunks]
    assert thoughts == ["Let", " me", " think", None, None, None, None]
    assert [chunk.content for chunk in chunks] == ["", "", "", "Four", " it", " is", ""]


@every_mode
def test_thoughts_alone_are_an_answer(call_model: CallModel, server: LocalDashScope) -> None:
    server.script(Reply("", reasoning=THOUGHTS, finish_reason="length"))
    answer = call_model(model_at(server, OMNI_3_8), "?")
    assert answer.content == ""
    assert answer.additional_kwargs["reasoning_content"] == THOUGHTS
    assert answer.response_metadata["finish_reason"] == "length"


THOUGHT_OF = {
    "ours": AIMessage("Four", additional_kwargs={"reasoning_content": THOUGHTS}),
    "LangChain's": AIMessage(
        [{"type": "reasoning", "reasoning": THOUGHTS}, {"type": "text", "text": "Four"}]
    ),
    "another provider's": AIMessage(
        [{"type": "thinking", "thinking": THOUGHTS}, {"type": "text", "text": "Four"}]
    ),
}


@each_row("answer", THOUGHT_OF)
def test_thoughts_go_back_beside_the_text(server: LocalDashScope, answer: AIMessage) -> None:
    model_at(server, OMNI_3_8).invoke([HumanMessage("2 + 2?"), answer, HumanMessage("Sure?")])
    assert server.requests[0].messages[1] == {
        "role": "assistant",
        "content": "Four",
        "reasoning_content": THOUGHTS,
    }


# --- content as blocks ------------------------------------------------------------------------

CALLS: list[dict[str, Any]] = [
    {"id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'},
    {"id": "c2", "name": "now", "arguments": "{}"},
]
PROMPTED = 'I add\n<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>'
BLOCKS: dict[str, tuple[str, Reply, list[str]]] = {
    "text and a call": (OMNI_3_5, Reply("I add", tool_calls=CALLS[:1]), ["text", "tool_call"]),
    "thoughts and a call": (
        OMNI_3_8,
        Reply(reasoning=THOUGHTS, tool_calls=CALLS[:1]),
        ["reasoning", "tool_call"],
    ),
    "thoughts, text and calls": (
        OMNI_3_8,
        Reply("I add", reasoning=THOUGHTS, tool_calls=CALLS),
        ["reasoning", "text", "tool_call", "tool_call"],
    ),
    "text and a call of a prompt": (
        "qwen-audio-turbo",
        Reply(PROMPTED),
        ["text", "tool_call"],
    ),
}


@two_modes
@each_row("case", BLOCKS)
@each_row("version", ["v0", "v1"])
def test_each_thought_text_and_call_is_a_block_of_its_own(
    call_model: CallModel, server: LocalDashScope, case: tuple[str, Reply, list[str]], version: str
) -> None:
    name, reply, found = case
    server.script(reply)
    answer = call_model(model_at(server, name, output_version=version).bind_tools([add, now]), "?")
    assert [block["type"] for block in answer.content_blocks] == found
    by_kind: dict[str, Any] = {block["type"]: block for block in answer.content_blocks}
    assert by_kind["tool_call"]["name"] in {"add", "now"}
    assert by_kind.get("reasoning", {}).get("reasoning", THOUGHTS) == THOUGHTS
    assert answer.text.startswith("I add" if "text" in found else "")
    assert by_kind.get("text", {}).get("text", "") == answer.text
