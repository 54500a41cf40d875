"""Function calling of the endpoint, for models that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import errors
from langchain_qwen_audio.local import LocalDashScope, Reply, compatible_error_reply
from tests.unit_tests.models import (
    ADD,
    BLOCK,
    INPUT_AUDIO,
    OMNI_3_5,
    OMNI_3_8,
    STREAMED,
    SYSTEM,
    TURBO,
    add,
    chosen,
    model_at,
    now,
    user,
)
from tests.unit_tests.recordings import QUESTION
from tests.unit_tests.rows import each_row, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from tests.unit_tests.calling_modes import CallModel


@two_modes
@each_row("name", [OMNI_3_5, OMNI_3_8])
def test_tools_are_offered_as_the_endpoint_takes_them(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    model = model_at(server, name).bind_tools([add], parallel_tool_calls=False)
    call_model(model, [SYSTEM, user(BLOCK, QUESTION)])
    streamed = STREAMED if name != OMNI_3_8 or "stream" in call_model.__name__ else {}
    assert server.requests[0].json == {
        "model": name,
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [INPUT_AUDIO, QUESTION]},
        ],
        "tools": [ADD],
        "parallel_tool_calls": False,
        **streamed,
    }


CHOICES: dict[str, tuple[list[Any], Any, Any]] = {
    "not set": ([add], None, None),
    "auto": ([add], "auto", "auto"),
    "none": ([add], "none", "none"),
    "any of one": ([add], "any", chosen("add")),
    "any of two": ([add, now], "any", "required"),
    "required": ([add, now], "required", "required"),
    "true": ([add, now], True, "required"),
    "false": ([add, now], False, None),
    "a name": ([add, now], "now", chosen("now")),
    "OpenAI's form": ([add, now], chosen("now"), chosen("now")),
}


@each_row("tools, choice, sent", CHOICES)
def test_a_choice_of_tools_is_written_as_the_endpoint_takes_it(
    server: LocalDashScope, tools: list[Any], choice: Any, sent: Any
) -> None:
    model_at(server, OMNI_3_8).bind_tools(tools, tool_choice=choice).invoke("?")
    assert server.requests[0].parameters.get("tool_choice") == sent
    assert len(server.requests[0].parameters["tools"]) == len(tools)


def test_a_choice_that_is_not_there_is_refused(server: LocalDashScope) -> None:
    with pytest.raises(ValueError, match="tool_choice is 'subtract'"):
        model_at(server, OMNI_3_5).bind_tools([add], tool_choice="subtract")


CALLS: list[dict[str, Any]] = [
    {"id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'},
    {"id": "c2", "name": "now", "arguments": "{}"},
]
FOUND: list[Any] = [
    {"type": "tool_call", "id": "c1", "name": "add", "args": {"a": 1, "b": 2}},
    {"type": "tool_call", "id": "c2", "name": "now", "args": {}},
]


@two_modes
@each_row("text", ["", "I add"])
@each_row("name", [OMNI_3_5, OMNI_3_8])
def test_calls_are_found_whole_and_in_pieces(
    call_model: CallModel, server: LocalDashScope, name: str, text: str
) -> None:
    server.script(Reply(text, tool_calls=CALLS))
    answer = call_model(model_at(server, name).bind_tools([add, now]), "?")
    assert answer.tool_calls == FOUND
    assert answer.invalid_tool_calls == []
    assert answer.content == text
    assert answer.response_metadata["finish_reason"] == "tool_calls"


@two_streams
def test_the_pieces_of_a_call_come_as_they_are_written(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply(tool_calls=CALLS[:1]))
    chunks = chunks_of(model_at(server, OMNI_3_5).bind_tools([add]), "?")
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert [(it["name"], it["id"], it["index"]) for it in pieces[:2]] == [
        ("add", "c1", pieces[0]["index"]),
        (None, None, pieces[0]["index"]),
    ]
    assert len(pieces) > 5
    assert "".join(piece["args"] or "" for piece in pieces) == CALLS[0]["arguments"]


@two_modes
def test_a_call_that_is_no_json_is_an_invalid_one(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(Reply(tool_calls=[{"id": "c1", "name": "add", "arguments": "one and two"}]))
    answer = call_model(model_at(server, OMNI_3_5).bind_tools([add]), "?")
    assert answer.tool_calls == []
    assert [(it["name"], it["args"]) for it in answer.invalid_tool_calls] == [
        ("add", "one and two")
    ]


@two_modes
def test_tags_in_an_answer_of_such_a_model_are_text(
    call_model: CallModel, server: LocalDashScope
) -> None:
    text = '<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'
    server.script(text)
    answer = call_model(model_at(server, OMNI_3_5).bind_tools([add]), "?")
    assert (answer.content, answer.tool_calls) == (text, [])


def as_called(*calls: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]


INVALID: Any = {
    "type": "invalid_tool_call", "id": "c1", "name": "add", "args": "{a", "error": "no JSON"
}  # fmt: skip
HISTORIES: dict[str, tuple[list[BaseMessage], list[dict[str, Any]]]] = {
    "calls and results": (
        [
            AIMessage("I add", tool_calls=FOUND),
            ToolMessage("3", tool_call_id="c1"),
            ToolMessage([{"type": "text", "text": "12"}], tool_call_id="c2", name="now"),
        ],
        [
            {
                "role": "assistant",
                "content": "I add",
                "tool_calls": as_called(("c1", "add", '{"a": 1, "b": 2}'), ("c2", "now", "{}")),
            },
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
            {"role": "tool", "content": "12", "tool_call_id": "c2", "name": "now"},
        ],
    ),
    "a call as a block": (
        [
            AIMessage([{"type": "text", "text": "I add"}, *FOUND[:1]], tool_calls=FOUND[:1]),
            ToolMessage("3", tool_call_id="c1"),
        ],
        [
            {
                "role": "assistant",
                "content": "I add",
                "tool_calls": as_called(("c1", "add", '{"a": 1, "b": 2}')),
            },
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
        ],
    ),
    "a call in other letters": (
        [
            AIMessage("", tool_calls=[{**FOUND[0], "args": {"a": "é", "b": None}}]),
            ToolMessage("no such number", tool_call_id="c1", status="error"),
        ],
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": as_called(("c1", "add", '{"a": "é", "b": null}')),
            },
            {"role": "tool", "content": "no such number", "tool_call_id": "c1"},
        ],
    ),
    "an invalid call": (
        [
            AIMessage("", invalid_tool_calls=[INVALID]),
            ToolMessage("no JSON", tool_call_id="c1"),
        ],
        [
            {"role": "assistant", "content": "", "tool_calls": as_called(("c1", "add", "{a"))},
            {"role": "tool", "content": "no JSON", "tool_call_id": "c1"},
        ],
    ),
}


@two_modes
@each_row("history, sent", HISTORIES)
def test_calls_and_results_go_back_as_the_endpoint_takes_them(
    call_model: CallModel, server: LocalDashScope, history: list[Any], sent: list[Any]
) -> None:
    call_model(model_at(server, OMNI_3_8).bind_tools([add, now]), [HumanMessage("Go"), *history])
    assert server.requests[0].messages == [{"role": "user", "content": "Go"}, *sent]


@two_modes
def test_an_answer_with_calls_goes_back_as_it_came(
    call_model: CallModel, server: LocalDashScope
) -> None:
    model = model_at(server, OMNI_3_8).bind_tools([add, now])
    server.script(Reply("I add", tool_calls=CALLS, reasoning="Hm"))
    answer = call_model(model, "Go")
    results = [ToolMessage(id_, tool_call_id=id_) for id_ in ("c1", "c2")]
    call_model(model, [HumanMessage("Go"), answer, *results])
    assert server.requests[1].messages[1] == {
        "role": "assistant",
        "content": "I add",
        "reasoning_content": "Hm",
        "tool_calls": as_called(("c1", "add", '{"a": 1, "b": 2}'), ("c2", "now", "{}")),
    }


TOLD: dict[str, tuple[str, str, bool]] = {
    "Omni, by itself": (OMNI_3_5, "auto", True),
    "Omni, told so": (OMNI_3_5, "native", True),
    "Omni, told to use the prompt": (OMNI_3_5, "prompt", False),
    "turbo, which has none": (TURBO, "auto", False),
    "turbo, told so": (TURBO, "native", True),
    "Qwen-Audio, which has none": ("qwen-audio-turbo", "auto", False),
    "Qwen-Audio, told so": ("qwen-audio-turbo", "native", True),
}


@each_row("name, calling, native", TOLD)
def test_tools_are_in_the_prompt_where_the_endpoint_has_none_unless_told(
    name: str, calling: Any, *, native: bool
) -> None:
    refused = compatible_error_reply(400, "invalid_parameter_error", "no tools")
    with LocalDashScope(reply=refused) as server:
        model = model_at(server, name, tool_calling=calling).bind_tools([add], tool_choice="add")
        with pytest.raises(errors.InvalidRequestError):
            model.invoke("?")
        (request,) = server.requests
    parameters = request.parameters
    assert (parameters.get("tools") == [ADD]) is native
    assert (parameters.get("tool_choice") == chosen("add")) is native
    assert ("<tools>" in str(request.messages[0]["content"])) is not native


SCHEMA = {
    "title": "Call",
    "description": "A call.",
    "type": "object",
    "properties": {"who": {"type": "string"}},
}


@each_row("method", ["function_calling", "json_schema", "json_mode"])
def test_structured_output_comes_by_a_call_or_by_the_prompt(
    server: LocalDashScope, method: Any
) -> None:
    by_call = method == "function_calling"
    call = {"id": "c1", "name": "Call", "arguments": '{"who": "Zoë"}'}
    server.script(Reply(tool_calls=[call]) if by_call else '{"who": "Zoë"}')
    chain = model_at(server, OMNI_3_8).with_structured_output(SCHEMA, method=method)
    assert chain.invoke("Who calls? Answer in JSON.") == {"who": "Zoë"}
    parameters = server.requests[0].parameters
    assert parameters.get("tool_choice") == (chosen("Call") if by_call else None)
    assert "response_format" not in parameters
