"""What differs on a server of one's own: JSON Schemas, thinking, names, and what errors advise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tracers.context import collect_runs
from pydantic import BaseModel

from langchain_qwen_audio import ChatQwenAudio, Cost, errors
from langchain_qwen_audio.local import LocalDashScope, compatible_error_reply
from tests.unit_tests.models import ADD, OMNI_3_5, OMNI_3_8, add
from tests.unit_tests.own_server import JSON, OwnServer, events, model_at, serve, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit_tests.conftest import CallModel

MINE = "my-omni"
QUESTION = HumanMessage("?")


class Topic(BaseModel):
    """What a recording is about."""

    topic: str


SCHEMA: dict[str, Any] = {
    "name": "Topic",
    "schema": {
        "properties": {"topic": {"type": "string"}},
        "required": ["topic"],
        "type": "object",
    },
}
ENFORCED = {"type": "json_schema", "json_schema": SCHEMA}


@pytest.fixture
def own() -> Iterator[OwnServer]:
    with serve(OwnServer()) as server:
        yield server


def requests_sent(own: OwnServer) -> list[dict[str, Any]]:
    return [request.json for request in own.requests]


# --- JSON -----------------------------------------------------------------------------------------


def test_a_schema_is_enforced_and_is_in_the_prompt(own: OwnServer) -> None:
    own.replies.append(whole('{"topic": "tea"}'))
    found = model_at(own, MINE).with_structured_output(Topic, method="json_schema").invoke("?")
    assert found == Topic(topic="tea")
    (sent,) = requests_sent(own)
    assert sent["response_format"] == ENFORCED
    assert "json_schema" not in sent
    assert json.dumps(SCHEMA["schema"]["properties"]) in sent["messages"][0]["content"]


def test_an_object_is_enforced_where_there_is_no_schema(own: OwnServer) -> None:
    own.replies.append(whole('{"topic": "tea"}'))
    model_at(own, MINE).with_structured_output(method="json_mode").invoke("?")
    assert requests_sent(own)[0]["response_format"] == {"type": "json_object"}


IN_THE_PROMPT_ALONE: dict[str, dict[str, Any]] = {
    "thinking": {"enable_thinking": True},
    "a gateway to DashScope": {"audio_encoding": "data_uri"},
}


@pytest.mark.parametrize("fields", IN_THE_PROMPT_ALONE.values(), ids=IN_THE_PROMPT_ALONE)
def test_a_schema_is_in_the_prompt_alone_where_nothing_enforces_it(
    own: OwnServer, fields: dict[str, Any]
) -> None:
    own.replies.append(whole('{"topic": "tea"}'))
    model = model_at(own, MINE, **fields)
    assert model.with_structured_output(Topic, method="json_schema").invoke("?").topic == "tea"
    assert "response_format" not in requests_sent(own)[0]


def test_a_model_of_the_service_is_sent_no_schema(server: LocalDashScope) -> None:
    model = ChatQwenAudio(
        model=OMNI_3_8, base_url=server.base_url, api_key="local", reasoning_effort="none"
    )
    server.script('{"topic": "tea"}')
    model.with_structured_output(Topic, method="json_schema").invoke("?")
    assert server.requests[0].json["response_format"] == {"type": "json_object"}
    assert "json_schema" not in server.requests[0].json


def test_an_agent_gets_data_by_the_schema(own: OwnServer) -> None:
    own.replies.append(whole('{"topic": "tea"}'))
    agent = create_agent(model_at(own, MINE), response_format=Topic)
    assert agent.invoke({"messages": [QUESTION]})["structured_response"] == Topic(topic="tea")
    enforced = requests_sent(own)[0]["response_format"]
    assert (enforced["type"], enforced["json_schema"]["name"]) == ("json_schema", "Topic")


def test_an_agent_may_still_call_tools_where_it_is_to_answer_with_data(own: OwnServer) -> None:
    call = {"id": "c", "type": "function"}
    calls = [{**call, "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}]
    own.replies.extend([whole("", tool_calls=calls), whole('{"topic": "3"}')])
    agent = create_agent(model_at(own, MINE), [add], response_format=Topic)
    done: Any = agent.invoke({"messages": [QUESTION]})
    assert done["structured_response"] == Topic(topic="3")
    assert [it.text for it in done["messages"] if isinstance(it, ToolMessage)] == ["3"]
    for sent in requests_sent(own):
        assert sent["tools"] == [ADD]
        assert "response_format" not in sent
        assert '"title": "Topic"' in sent["messages"][0]["content"]


# --- thinking -------------------------------------------------------------------------------------

TEMPLATE = {"chat_template_kwargs": {"enable_thinking": False}}
THINKING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "by default": ({}, TEMPLATE),
    "audio_url": ({"audio_encoding": "audio_url"}, TEMPLATE),
    "beside another argument": (
        {"model_kwargs": {"chat_template_kwargs": {"other": 1}}},
        {"chat_template_kwargs": {"enable_thinking": False, "other": 1}},
    ),
    "a gateway to DashScope": ({"audio_encoding": "data_uri"}, {"enable_thinking": False}),
}


@pytest.mark.parametrize(("fields", "expected"), THINKING.values(), ids=THINKING)
def test_whether_to_think_is_written_as_the_server_takes_it(
    call_model: CallModel, own: OwnServer, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    call_model(model_at(own, MINE, enable_thinking=False, **fields), "?")
    (sent,) = requests_sent(own)
    names = ("enable_thinking", "chat_template_kwargs")
    assert {name: sent[name] for name in names if name in sent} == expected


def test_a_budget_of_thoughts_is_refused_for_every_server_has_its_own_name(
    call_model: CallModel, own: OwnServer
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="another name for thinking_budget"):
        call_model(model_at(own, MINE, thinking_budget=100), "?")
    assert own.requests == []
    model = model_at(own, MINE, thinking_budget=100, audio_encoding="data_uri")
    call_model(model, "?")
    assert requests_sent(own)[0]["thinking_budget"] == 100


# --- who answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "provider"),
    [
        (MINE, {}, "openai-compatible"),
        (OMNI_3_5, {"protocol": "openai"}, "openai-compatible"),
        (OMNI_3_8, {}, "dashscope"),  # behind a gateway
    ],
)
def test_answers_and_traces_name_who_answers(
    call_model: CallModel, own: OwnServer, name: str, fields: dict[str, Any], provider: str
) -> None:
    with collect_runs() as runs:
        answer = call_model(model_at(own, name, region="cn-beijing", **fields), "?")
    assert answer.response_metadata["model_provider"] == provider
    assert runs.traced_runs[0].metadata["ls_provider"] == provider
    assert answer.response_metadata.get("region") == (
        "cn-beijing" if provider == "dashscope" else None
    )


def test_an_answer_of_ones_own_server_is_not_booked_to_the_service(own: OwnServer) -> None:
    model = model_at(own, OMNI_3_5, protocol="openai", region="cn-beijing")
    answer = model.invoke("?")
    cost = Cost.of(answer, model=OMNI_3_5, region="cn-beijing")
    assert cost.amount is None
    assert "a server of your own answered" in cost.unknown[0]
    assert model.estimate_cost("?").at_least == 0


# --- what errors advise ---------------------------------------------------------------------------

REFUSALS = [
    "This model only support stream mode, please enable the stream parameter to access the model.",
    "litellm.BadRequestError: OpenAIException - The provided URL does not appear to be valid.",
]
BOTH = "needs both streaming=True and audio_encoding='data_uri'"


@pytest.mark.parametrize("message", REFUSALS)
def test_an_alias_of_a_gateway_is_told_both_settings_that_qwen_omni_needs(
    call_model: CallModel, own: OwnServer, message: str
) -> None:
    refusal = {"error": {"message": message, "type": "invalid_request_error", "code": "400"}}
    own.replies.append((400, JSON, json.dumps(refusal).encode()))
    with pytest.raises(errors.InvalidRequestError) as caught:
        call_model(model_at(own, "alias"), "?")
    assert BOTH in caught.value.message


@pytest.mark.parametrize("message", REFUSALS)
def test_a_known_name_is_told_no_such_thing(server: LocalDashScope, message: str) -> None:
    server.script(compatible_error_reply(400, "invalid_parameter_error", message))
    model = ChatQwenAudio(model=OMNI_3_8, base_url=server.base_url, api_key="local")
    with pytest.raises(errors.InvalidRequestError) as caught:
        model.invoke("?")
    assert BOTH not in caught.value.message


def test_with_both_settings_an_alias_works(own: OwnServer) -> None:
    own.replies.append(events({"content": "It is a tone."}))
    model = model_at(own, "alias", streaming=True, audio_encoding="data_uri")
    assert model.invoke("?").text == "It is a tone."
    assert requests_sent(own)[0]["stream"] is True
