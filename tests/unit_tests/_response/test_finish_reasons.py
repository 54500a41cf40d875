"""Why an answer ended, in LangChain's words; what the service filtered is a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langchain_core.exceptions import ModelRefusalError
from pydantic import BaseModel

from langchain_qwen_audio.local import Reply
from tests.unit_tests.models import OMNI_3_8, QWEN_AUDIO, add, model_at
from tests.unit_tests.rows import each_row, every_mode, two_modes

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

CALL = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
IN_TEXT = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>'
ENDINGS: dict[str, tuple[str, Reply, str, str]] = {
    "stop": (QWEN_AUDIO, Reply("a"), "stop", "stop"),
    "length": (OMNI_3_8, Reply("a", finish_reason="length"), "length", "length"),
    "native calls": (OMNI_3_8, Reply(tool_calls=[CALL]), "tool_calls", "tool_call"),
    "native calls with stop": (
        OMNI_3_8,
        Reply(tool_calls=[CALL], finish_reason="stop"),
        "stop",
        "tool_call",
    ),
    "calls in the text": (QWEN_AUDIO, Reply(IN_TEXT), "stop", "tool_call"),
    "filtered": (OMNI_3_8, Reply("a", finish_reason="content_filter"), "content_filter", "refusal"),
    "a word of another server": (OMNI_3_8, Reply("a", finish_reason="abort"), "abort", "other"),
}


@two_modes
@each_row("ending", ENDINGS)
def test_an_answer_says_in_both_words_why_it_ended(
    call_model: CallModel, server: LocalDashScope, ending: tuple[str, Reply, str, str]
) -> None:
    name, reply, raw, word = ending
    server.script(reply)
    metadata = call_model(model_at(server, name).bind_tools([add]), "?").response_metadata
    assert (metadata["finish_reason"], metadata["normalized_finish_reason"]) == (raw, word)


@every_mode
def test_what_the_service_filters_is_a_refusal_beside_the_text(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(Reply("Well, ", finish_reason="content_filter"))
    answer = call_model(model_at(server, QWEN_AUDIO), "?")
    assert answer.text == "Well, "
    block = {name: it for name, it in answer.content_blocks[-1].items() if name != "index"}
    extras = {"finish_reason": "content_filter"}
    assert block == {"type": "refusal", "refusal": "", "extras": extras}


class Topic(BaseModel):
    """A topic."""

    name: str


@each_row("method", ["function_calling", "json_schema"])
@each_row("name", [OMNI_3_8, QWEN_AUDIO])
def test_structured_output_of_what_was_filtered_is_a_refusal(
    server: LocalDashScope, name: str, method: str
) -> None:
    server.script(*[Reply("", finish_reason="content_filter")] * 2)
    model = model_at(server, name, reasoning_effort="none" if name == OMNI_3_8 else None)
    with pytest.raises(ModelRefusalError):
        model.with_structured_output(Topic, method=method).invoke("?")  # type: ignore[arg-type]
    raw = model.with_structured_output(Topic, method=method, include_raw=True)  # type: ignore[arg-type]
    found = raw.invoke("?")
    assert found["parsed"] is None
    assert isinstance(found["parsing_error"], ModelRefusalError)
