"""What a model cannot take is refused here, with the reason, and not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.calling_modes import invoke
from tests.unit_tests.models import (
    ADD,
    ASR,
    BLOCK,
    CAPTIONER,
    INPUT_AUDIO,
    OMNI_3,
    OMNI_3_5,
    OMNI_3_8,
    SPEECH,
    SYSTEM,
    TURBO,
    URI,
    is_compatible,
    model_at,
    user,
)
from tests.unit_tests.recordings import QUESTION, TWO_WAYS, tone

if TYPE_CHECKING:
    from tests.unit_tests.calling_modes import CallModel

AT_URL = {"audio": "https://example.com/a.mp3"}
OPTIONS: dict[str, Any] = {"language": "zh"}
SCHEMA = {"title": "Call", "description": "A call.", "type": "object", "properties": {}}
JSON_OBJECT = {"response_format": {"type": "json_object"}}


class Refused(NamedTuple):
    """A request, and why it is not sent."""

    name: str
    messages: list[BaseMessage]
    why: str
    fields: dict[str, Any] = {}  # noqa: RUF012


def alone(name: str) -> dict[str, Refused]:
    """List what a model refuses that takes a recording and nothing else."""
    one = "takes one recording and no conversation"
    return {
        f"{name}: text": Refused(name, [user(BLOCK, QUESTION)], "takes a recording and no text"),
        f"{name}: text alone": Refused(name, [HumanMessage("?")], "takes a recording and no text"),
        f"{name}: nothing": Refused(name, [user()], "takes one recording, and none came"),
        f"{name}: two clips": Refused(name, [user(BLOCK, BLOCK)], "1 recording a message, and 2"),
        f"{name}: two messages": Refused(name, [user(BLOCK), user(BLOCK)], "2 user messages came"),
        f"{name}: history": Refused(name, [user(BLOCK), AIMessage("a"), user(BLOCK)], one),
        f"{name}: tool results": Refused(
            name, [user(BLOCK), ToolMessage("3", tool_call_id="1"), user(BLOCK)], one
        ),
        f"{name}: tools": Refused(name, [user(BLOCK)], "calls no tools", {"tools": [ADD]}),
        f"{name}: JSON": Refused(name, [user(BLOCK)], "has no response_format", JSON_OBJECT),
        f"{name}: thinking": Refused(
            name, [user(BLOCK)], "has no thinking mode", {"enable_thinking": True}
        ),
        f"{name}: speech": Refused(name, [user(BLOCK)], "has no speech output", SPEECH),
    }


REFUSED: dict[str, Refused] = {
    **alone(ASR),
    **alone(CAPTIONER),
    f"{OMNI_3_8}: clips that are no URLs": Refused(
        OMNI_3_8, [user(*[BLOCK] * 200), user(*[BLOCK] * 51)], "250 recordings that are no URLs"
    ),
    f"{OMNI_3_8}: clips at URLs": Refused(
        OMNI_3_8,
        [user(*[AT_URL] * 2_049)],
        "takes 2,048 recordings at URLs in a request, and 2,049",
    ),
    f"{CAPTIONER}: system message": Refused(
        CAPTIONER, [SYSTEM, user(BLOCK)], "takes no system message: it captions"
    ),
    f"{CAPTIONER}: asr_options": Refused(
        CAPTIONER, [user(BLOCK)], "takes no asr_options", {"asr_options": OPTIONS}
    ),
    "Omni: asr_options": Refused(
        OMNI_3_5, [user(BLOCK)], "takes no asr_options", {"asr_options": OPTIONS}
    ),
    "Qwen-Audio: asr_options": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "takes no asr_options", {"asr_options": OPTIONS}
    ),
    "Qwen-Audio: JSON": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "with_structured_output", JSON_OBJECT
    ),
    "Qwen-Audio: thinking": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "qwen3.8-omni-flash has one", {"enable_thinking": True}
    ),
    "Qwen-Audio: speech": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "qwen3.5-omni-plus have it", SPEECH
    ),
    "turbo: two clips": Refused(TURBO, [user(BLOCK, BLOCK)], "1 recording a message, and 2"),
    "3-flash: two clips": Refused(OMNI_3, [user(BLOCK, BLOCK)], "1 recording a message, and 2"),
    "turbo: thinking": Refused(
        TURBO, [user(BLOCK)], "has no thinking mode", {"enable_thinking": True}
    ),
    "3.5: thinking": Refused(
        OMNI_3_5, [user(BLOCK)], "has no thinking mode", {"enable_thinking": True}
    ),
    "3-flash: an effort": Refused(
        OMNI_3, [user(BLOCK)], "has no reasoning_effort", {"reasoning_effort": "low"}
    ),
    "3.5: an effort": Refused(
        OMNI_3_5, [user(BLOCK)], r"no thinking mode \(reasoning_effort", {"reasoning_effort": "low"}
    ),
    "3.8: an effort and a budget": Refused(
        OMNI_3_8,
        [user(BLOCK)],
        "reasoning_effort or thinking_budget, and both came",
        {"reasoning_effort": "low", "thinking_budget": 99},
    ),
    "3.5: speech and a budget": Refused(
        OMNI_3_5, [user(BLOCK)], "has no thinking mode", {**SPEECH, "thinking_budget": 99}
    ),
    "turbo: a long clip": Refused(
        TURBO,
        [user(Audio.from_array(tone(181, 8_000), 8_000).to_block())],
        "181.0 s long.* at most 180 s",
    ),
    "Omni: a document": Refused(
        OMNI_3_5,
        [user({"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf"})],
        "block of type 'file'",
    ),
}


def assert_is_refused(
    call_model: CallModel, server: LocalDashScope, case: Refused, **fields: Any
) -> None:
    options = {key: value for key, value in case.fields.items() if key in {"tools", *JSON_OBJECT}}
    fields |= {key: value for key, value in case.fields.items() if key not in options}
    with pytest.raises(errors.InvalidRequestError, match=case.why):
        call_model(model_at(server, case.name, **fields), case.messages, **options)
    assert server.requests == []


@TWO_WAYS
def test_what_a_model_cannot_take_is_refused_with_the_reason_and_not_sent(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, case in REFUSED.items():
        with subtests.test(name):
            assert_is_refused(call_model, server, case)


def test_it_is_refused_in_the_compatible_protocol_too(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, case in REFUSED.items():
        if case.name in {ASR, CAPTIONER}:
            with subtests.test(name):
                assert_is_refused(invoke, server, case, protocol="openai")


@pytest.mark.parametrize("name", [ASR, CAPTIONER])
def test_no_structured_output_of_a_model_that_takes_no_instructions(
    server: LocalDashScope, name: str, subtests: pytest.Subtests
) -> None:
    match = "calls no tools and writes no JSON"
    for method in ("function_calling", "json_schema", "json_mode"):
        chain = model_at(server, name).with_structured_output(SCHEMA, method=method)
        with subtests.test(method), pytest.raises(errors.InvalidRequestError, match=match):
            chain.invoke([user(BLOCK)])
    assert server.requests == []


def test_several_clips_are_taken_where_they_may_be(server: LocalDashScope) -> None:
    for name in (OMNI_3_5, OMNI_3_8, "qwen-audio-turbo"):
        model_at(server, name).invoke([user(BLOCK, BLOCK, QUESTION)])
        first, second, _ = server.requests[-1].messages[0]["content"]
        assert first == second == (INPUT_AUDIO if is_compatible(name) else {"audio": URI}), name


THINKING: list[tuple[dict[str, Any], str | None, bool | None]] = [
    ({}, "any", False),
    ({}, "add", False),
    ({}, "auto", None),
    ({}, None, None),
    ({"enable_thinking": False}, "any", False),
    ({"enable_thinking": True}, "auto", True),
    ({"reasoning_effort": "none"}, "any", None),
    ({"reasoning_effort": "low"}, "auto", None),
]


def test_a_model_that_must_call_does_not_think(
    call_model: CallModel, server: LocalDashScope
) -> None:
    """https://github.com/cloudwego/eino/issues/994 has what the service says otherwise."""
    for fields, choice, sent in THINKING:
        server.script("Done.")
        model = ChatQwenAudio(model=OMNI_3_8, base_url=server.base_url, api_key="local", **fields)
        call_model(model.bind_tools([ADD], tool_choice=choice), "Add 1 and 2.")
        assert server.requests[-1].json.get("enable_thinking") is sent, (fields, choice)


def test_thinking_and_a_forced_call_are_refused_together(
    call_model: CallModel, server: LocalDashScope
) -> None:
    for fields in (
        {"enable_thinking": True},
        {"reasoning_effort": "low"},
        {"thinking_budget": 99},
    ):
        model = model_at(server, OMNI_3_8, **fields)
        with pytest.raises(errors.InvalidRequestError, match="in thinking mode"):
            call_model(model.bind_tools([ADD], tool_choice="any"), "Add 1 and 2.")
    assert server.requests == []


def test_how_much_a_model_thinks_is_sent_as_the_service_names_it(
    call_model: CallModel, server: LocalDashScope
) -> None:
    names = ("reasoning_effort", "thinking_budget", "enable_thinking")
    for fields in (
        {"reasoning_effort": "minimal"},
        {"reasoning_effort": "none"},
        {"thinking_budget": 99},
    ):
        call_model(model_at(server, OMNI_3_8, **fields), "2 + 2?")
        sent = server.requests[-1].json
        assert {name: sent[name] for name in names if name in sent} == fields
