"""How a conversation ends: the service answers users and tools, and not answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import ChatQwenAudio, errors
from tests.unit_tests.models import ADD, OMNI_3_8, QWEN_AUDIO, add, model_at, now

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

ASKED = [HumanMessage("?"), AIMessage("Three.")]
every_kind = pytest.mark.parametrize("name", [OMNI_3_8, QWEN_AUDIO])


def texts_of(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@every_kind
def test_an_answer_at_the_end_is_refused(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    match = r"^messages\[-1\]: the last message is an assistant's"
    tools: list[Any]
    for tools in ([], [add]):
        with pytest.raises(errors.MessageError, match=match):
            call_model(model_at(server, name).bind_tools(tools), ASKED)
    assert server.requests == []


@every_kind
def test_where_a_tool_must_be_called_an_answer_is_followed_by_a_request(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    for choice, what in {"any": "one of the functions", "now": "the function now"}.items():
        call_model(model_at(server, name).bind_tools([add, now], tool_choice=choice), ASKED)
        last = server.requests[-1].messages[-1]
        assert last["role"] == "user"
        assert texts_of(last) == (
            f"That was an answer in words. Call {what} now; do not answer in words."
        )


@every_kind
def test_a_second_answer_in_words_is_an_error_that_has_it(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    model = model_at(server, name).bind_tools([add], tool_choice="any")
    with pytest.raises(errors.MessageError, match=r"in words twice.*It answered: 'Really three\.'"):
        call_model(model, [*ASKED, AIMessage("Really three.")])
    assert server.requests == []


@every_kind
def test_a_result_of_a_tool_is_a_good_end(server: LocalDashScope, name: str) -> None:
    call = {"type": "tool_call", "id": "1", "name": "add", "args": {"a": 1, "b": 2}}
    messages = [
        HumanMessage("?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("3", tool_call_id="1"),
    ]
    model_at(server, name).bind_tools([add], tool_choice="any").invoke(messages)
    assert len(server.requests[0].messages) in {3, 4}  # with the prompt that offers tools


def test_a_server_of_ones_own_may_go_on_with_an_answer(server: LocalDashScope) -> None:
    base_url = server.base_url.replace("/api/v1", "/v1")
    model = ChatQwenAudio(model="mine", base_url=base_url, protocol="openai", max_retries=0)
    with contextlib.suppress(errors.NotFoundError):  # of a path that the test server does not have
        model.invoke(ASKED, tools=[ADD])
    assert server.requests[-1].json["messages"][-1] == {"role": "assistant", "content": "Three."}
