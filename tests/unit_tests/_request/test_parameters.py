"""Parameters: what of them is sent, what is added, and what is refused."""

from __future__ import annotations

import functools
import json
from operator import add
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from langchain_qwen_audio import Cost, errors
from langchain_qwen_audio.local import LocalDashScope, RawReply, sse_event
from tests.unit_tests.models import (
    ADD,
    BLOCK,
    OMNI_3,
    OMNI_3_5,
    OMNI_3_8,
    QWEN_AUDIO,
    RECOGNITION,
    SPEECH,
    model_at,
    user,
)
from tests.unit_tests.recordings import TWO_WAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from tests.unit_tests.conftest import CallModel

OMNI_3_5_PLUS = "qwen3.5-omni-plus"
AGENT = {"search_strategy": "agent"}
JSON = {"content-type": "application/json"}
JSON_MODE = {"type": "json_object"}
NOT_THINKING = {"reasoning_effort": "none"}


class Note(BaseModel):
    """What to remember."""

    text: str


# --- search ---


@pytest.mark.parametrize(
    ("name", "options", "sent"),
    [
        (OMNI_3_5, None, None),
        (OMNI_3_5, {"forced_search": True}, {"forced_search": True}),
        (OMNI_3_8, None, AGENT),
        (OMNI_3_8, {"forced_search": True}, {**AGENT, "forced_search": True}),
    ],
)
def test_a_search_is_requested_as_the_service_names_it(
    call_model: CallModel, server: LocalDashScope, name: str, options: Any, sent: Any
) -> None:
    model = model_at(server, name, enable_search=True, search_options=options)
    answer = call_model(model, "What is new?")
    body = server.requests[0].json
    assert body["enable_search"] is True
    assert body.get("search_options") == sent
    assert body["stream"] is True  # without which a model that thinks does not search
    assert answer.response_metadata["enable_search"] is True


@pytest.mark.parametrize("where", ["fields", "call"])
def test_a_search_is_streamed_however_it_is_requested(
    call_model: CallModel, server: LocalDashScope, where: str
) -> None:
    kwargs = {"model_kwargs": {"enable_search": True}}
    fields, options = (kwargs, {}) if where == "fields" else ({}, kwargs)
    call_model(model_at(server, OMNI_3_8, **fields), "What is new?", **options)
    body = server.requests[0].json
    assert (body["enable_search"], body["stream"]) == (True, True)


def test_searches_are_an_unknown_part_of_the_cost(server: LocalDashScope) -> None:
    model = model_at(server, OMNI_3_8, enable_search=True, region="cn-beijing")
    assert "searches of the web" in str(Cost.of(model.invoke("What is new?")))
    assert Cost.of(model.invoke("What is new?", enable_search=False)).amount


SOURCES = [{"index": 1, "title": "A", "url": "https://a.example"}, {"index": 2, "title": "B"}]


def event(*sources: Any, **rest: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None, **rest}
    return sse_event({"choices": [choice], "search_info": {"search_results": [*sources]}}, 1)


@TWO_WAYS
def test_the_sources_of_a_stream_are_collected(
    call_model: CallModel, server: LocalDashScope
) -> None:
    first, second = SOURCES
    events = [event(first), event(first, second), event(finish_reason="stop")]
    server.script(RawReply(200, {"content-type": "text/event-stream"}, events))
    answer = call_model(model_at(server, OMNI_3_8, enable_search=True), "?")
    assert answer.response_metadata["search_results"] == SOURCES


def test_the_sources_of_a_native_answer_are_kept(server: LocalDashScope) -> None:
    choice = {"message": {"content": [{"text": "a"}]}, "finish_reason": "stop"}
    output = {"choices": [choice], "search_info": {"search_results": SOURCES}}
    body = json.dumps({"output": output, "request_id": "r"}).encode()
    server.script(RawReply(200, JSON, [body]))
    answer = model_at(server, QWEN_AUDIO).invoke("?")
    assert answer.response_metadata["search_results"] == SOURCES


CITED = [
    {"type": "citation", "url": "https://a.example", "title": "A"},
    {"type": "citation", "url": "https://b.example"},
]
FOUND = [SOURCES[0], {"url": "https://b.example"}, {"title": "without a URL"}, "odd"]


def test_sources_are_citations_of_the_text(server: LocalDashScope) -> None:
    choice = {"message": {"content": [{"text": "a"}]}, "finish_reason": "stop"}
    output = {"choices": [choice], "search_info": {"search_results": FOUND}}
    server.script(RawReply(200, JSON, [json.dumps({"output": output}).encode()]))
    answer = model_at(server, QWEN_AUDIO).invoke("?")
    assert answer.content_blocks == [{"type": "text", "text": "a", "annotations": CITED}]
    assert answer.text == "a"


def test_a_stream_of_blocks_ends_with_its_citations(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    events = [event(), event(*FOUND, finish_reason="stop")]
    server.script(RawReply(200, {"content-type": "text/event-stream"}, events))
    model = model_at(server, OMNI_3_8, enable_search=True, output_version="v1")
    whole = functools.reduce(add, chunks_of(model, "?"))
    (block,) = whole.content_blocks
    assert (block["text"], block["annotations"]) == ("aa", CITED)  # type: ignore[typeddict-item]


# --- JSON ---


ENFORCED: list[tuple[str, dict[str, Any], Any]] = [
    (OMNI_3_5_PLUS, {}, JSON_MODE),
    (OMNI_3_5_PLUS, SPEECH, None),
    (OMNI_3_8, NOT_THINKING, JSON_MODE),
    (OMNI_3_8, {"enable_thinking": False}, JSON_MODE),
    (OMNI_3_8, {}, None),
    (OMNI_3_8, {"reasoning_effort": "low"}, None),
    (OMNI_3_5, {}, None),
    (OMNI_3, {}, None),
    (QWEN_AUDIO, {}, None),
]


@pytest.mark.parametrize("method", ["json_mode", "json_schema"])
def test_the_service_enforces_json_where_its_pages_say_so(
    server: LocalDashScope, method: Any
) -> None:
    for name, fields, sent in ENFORCED:
        chain = model_at(server, name, **fields).with_structured_output(Note, method=method)
        server.script('{"text": "a"}')
        assert chain.invoke("Answer with JSON that has a text.") == Note(text="a")
        request = server.requests[-1]
        assert request.json.get("response_format") == sent, (name, fields)
        assert "one JSON object" in str(request.messages[0]["content"]), (name, fields)


def test_the_local_test_server_refuses_json_as_the_service_does(server: LocalDashScope) -> None:
    model = model_at(server, OMNI_3_5_PLUS)
    with pytest.raises(errors.InvalidRequestError, match="must contain the word 'json'"):
        model.invoke("Hi", response_format=JSON_MODE)


def test_a_schema_is_refused_where_no_model_has_it(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    match = r"pass ToolStrategy\(…\) to create_agent"
    for name in ("qwen-audio-turbo-latest", "qwen3.5-omni-flash", "qwen3.8-omni-flash"):
        with subtests.test(name), pytest.raises(errors.InvalidRequestError, match=match):
            model_at(server, name).invoke("Hi", response_format={"type": "json_schema"})
    assert server.requests == []


def test_the_local_test_server_answers_with_json_where_that_is_requested() -> None:
    with LocalDashScope() as server:
        model = model_at(server, OMNI_3_5_PLUS)
        answer = model.invoke('JSON with the key "text"', response_format=JSON_MODE)
    assert json.loads(answer.text).keys() == {"text"}


# --- the rest ---


def test_a_whole_temperature_is_sent_as_a_fraction(
    call_model: CallModel, server: LocalDashScope
) -> None:
    call_model(model_at(server, OMNI_3_8).bind(temperature=2), "?")
    assert b'"temperature":2.0' in server.requests[0].body


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a search, Qwen-Audio": (QWEN_AUDIO, {"enable_search": True}, "has no web search"),
    "a search, 3-flash": (OMNI_3, {"enable_search": True}, "has no web search"),
    "another strategy": (
        OMNI_3_8,
        {"enable_search": True, "search_options": {"search_strategy": "max"}},
        "'agent' alone, and 'max' came",
    ),
    "tools and a search": (OMNI_3_5, {"enable_search": True, "tools": [ADD]}, "calls no tools in"),
    "several channels": (OMNI_3_5, {"use_multichannel": True}, "takes one channel"),
    "JSON while it thinks": (OMNI_3_8, {"response_format": JSON_MODE}, "while it thinks"),
    "an effort and speech": (OMNI_3, {**SPEECH, "enable_thinking": True}, "with speech output"),
}


def test_what_a_model_does_not_have_is_not_sent(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for case, (name, parameters, why) in REFUSED.items():
        with subtests.test(case), pytest.raises(errors.InvalidRequestError, match=why):
            model_at(server, name).invoke("?", **parameters)
    assert server.requests == []


SHAPES: dict[str, Any] = {
    "search_options": "agent",
    "asr_options": ["zh"],
    "audio": "wav",
    "response_format": "json",
    "modalities": 5,
    "enable_thinking": [1],
    "enable_search": "yes",
    "use_multichannel": 1,
    "reasoning_effort": {"effort": "low"},
    "voice": 5,
    "n": [1],
    "thinking_budget": "few",
}


@TWO_WAYS
@pytest.mark.parametrize("given", ["call", "model_kwargs"])
def test_a_parameter_of_another_shape_is_refused(
    call_model: CallModel, server: LocalDashScope, given: str, subtests: pytest.Subtests
) -> None:
    for name, value in SHAPES.items():
        options = {name: value} if given == "call" else {"model_kwargs": {name: value}}
        match = f"{name} is .*, expected a|True or False"
        with subtests.test(name), pytest.raises(errors.InvalidRequestError, match=match):
            call_model(model_at(server, OMNI_3_8), "?", **options)
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [
        (OMNI_3_8, {"enable_search": True, "search_options": {"search_strategy": ["a"]}}, "alone"),
        (RECOGNITION, {"asr_options": {"language_hints": "zh"}}, "as a list, and 'zh' came"),
    ],
)
def test_what_is_in_a_parameter_is_refused_too(
    server: LocalDashScope, name: str, parameters: dict[str, Any], why: str
) -> None:
    with pytest.raises(errors.InvalidRequestError, match=why):
        model_at(server, name).invoke([user(BLOCK)], **parameters)
    assert server.requests == []


def test_false_is_no_request() -> None:
    names = ["enable_search", "use_multichannel"]
    with LocalDashScope(reply="a", parameters=names) as server:
        model_at(server, QWEN_AUDIO, **dict.fromkeys(names, False)).invoke("?")
    assert server.requests[0].json["parameters"]["enable_search"] is False
