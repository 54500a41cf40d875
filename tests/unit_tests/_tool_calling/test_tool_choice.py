"""The ways to say which tool is to be called, through `bind_tools`, `bind` and `invoke`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import errors
from langchain_qwen_audio._tool_calling.tool_choice import normalize_choice
from tests.unit_tests.models import ADD, OMNI_3_8, QWEN_AUDIO, add, chosen, model_at
from tests.unit_tests.rows import each_row, two_modes

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

NOW = {"type": "function", "function": {"name": "now"}}
FORMS: dict[str, tuple[Any, str | None]] = {
    "nothing": (None, None),
    "False": (False, None),
    "True": (True, "any"),
    "any": ("any", "any"),
    "required": ("required", "any"),
    "auto": ("auto", "auto"),
    "none": ("none", "none"),
    "a name": ("now", "now"),
    "chat completions": (NOW, "now"),
    "responses": ({"type": "function", "name": "now"}, "now"),
    "Anthropic's name": ({"type": "tool", "name": "now"}, "now"),
    "Anthropic's any": ({"type": "any"}, "any"),
    "Anthropic's auto": ({"type": "auto"}, "auto"),
}
UNKNOWN = ["tomorrow", {}, {"type": "allowed_tools"}, {"function": 5}, {"function": {}}, 5, ["now"]]


@each_row("choice, one", FORMS)
def test_each_form_is_reduced_to_one(choice: Any, one: str | None) -> None:
    assert normalize_choice(choice, ["add", "now"]) == one


@each_row("choice", UNKNOWN)
def test_other_forms_are_refused(choice: Any) -> None:
    with pytest.raises(ValueError, match=r"tool_choice is .*; expected auto, none, any or one of"):
        normalize_choice(choice, ["add", "now"])


CALLED = [form for form in FORMS.values() if form[1] == "now"]


@two_modes
@each_row("choice, one", CALLED)
def test_the_endpoint_gets_its_own_form(
    call_model: CallModel, server: LocalDashScope, choice: Any, one: str
) -> None:
    call_model(model_at(server, OMNI_3_8), "?", tools=[ADD, NOW], tool_choice=choice)
    assert server.requests[0].parameters["tool_choice"] == chosen(one)


@each_row("choice, one", CALLED)
def test_the_prompt_gets_the_name(server: LocalDashScope, choice: Any, one: str) -> None:
    model_at(server, QWEN_AUDIO).bind(tools=[ADD, NOW], tool_choice=choice).invoke("?")
    assert (
        f"must call the function {one} now" in server.requests[0].messages[0]["content"][0]["text"]
    )


@two_modes
def test_a_choice_of_a_call_that_is_not_there_is_refused(
    call_model: CallModel, server: LocalDashScope
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="tool_choice is 'tomorrow'"):
        call_model(model_at(server, OMNI_3_8), "?", tools=[ADD], tool_choice="tomorrow")
    assert server.requests == []


# --- no tools, and strict ones ----------------------------------------------------------------


@two_modes
@each_row("name", [OMNI_3_8, QWEN_AUDIO])
@each_row("choice", [None, "auto", "none"])
def test_no_tools_are_none(
    call_model: CallModel, server: LocalDashScope, name: str, choice: str | None
) -> None:
    model = model_at(server, name)
    call_model(model.bind_tools([], tool_choice=choice, parallel_tool_calls=False), "?")
    call_model(model, "?")
    bound, bare = server.requests
    assert bound.json == bare.json


def test_a_call_of_no_tool_cannot_be_forced(server: LocalDashScope) -> None:
    with pytest.raises(errors.InvalidRequestError, match="no tools came"):
        model_at(server, OMNI_3_8).bind_tools([], tool_choice="any").invoke("?")
    assert server.requests == []


def test_strict_is_written_into_each_tool(server: LocalDashScope) -> None:
    model_at(server, OMNI_3_8).bind_tools([add], strict=True).invoke("?")
    request = server.requests[0]
    assert "strict" not in request.json
    (tool,) = request.parameters["tools"]
    assert tool["function"]["strict"] is True
    assert tool["function"]["parameters"]["additionalProperties"] is False
