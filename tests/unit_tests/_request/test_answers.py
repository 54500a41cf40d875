"""Answers of other providers in the history: what they say outside of their content."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import errors
from tests.unit_tests.models import CLIP, OMNI_3_8, QWEN_AUDIO, URI, model_at

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

DATA = base64.b64encode(CLIP).decode()
OPENAI, GEMINI, ANTHROPIC = "openai", "google_genai", "anthropic"


def answer(provider: str, content: Any = "", metadata: Any = (), **beside: Any) -> AIMessage:
    about = {"model_provider": provider, **dict(metadata)}
    return AIMessage(content, additional_kwargs=beside, response_metadata=about)


SPOKEN = {"id": "audio_1", "data": DATA, "transcript": "Hello there", "expires_at": 1}
IN_WORDS: dict[str, tuple[AIMessage, str]] = {
    "ChatOpenAI's speech": (answer(OPENAI, audio=SPOKEN), "Hello there"),
    "the same in blocks": (answer(OPENAI, [], audio=SPOKEN), "Hello there"),
    "the same with a text": (answer(OPENAI, "Hello", audio=SPOKEN), "Hello"),
    "ChatOpenAI's refusal": (answer(OPENAI, refusal="No."), "No."),
    "the same beside blocks": (answer(OPENAI, [], refusal="No."), "No."),
    "the same of an unknown provider": (AIMessage("", additional_kwargs={"refusal": "No."}), "No."),
    "Anthropic's refusal": (
        answer(
            ANTHROPIC,
            metadata={
                "stop_reason": "refusal",
                "stop_details": {"type": "refusal", "category": "x", "explanation": "No."},
            },
        ),
        "No.",
    ),
    "Gemini's refusal": (answer(GEMINI, metadata={"finish_reason": "SAFETY"}), ""),
    "this package's refusal of v3": (
        AIMessage([{"type": "non_standard", "value": {"type": "refusal", "refusal": "No."}}]),
        "No.",
    ),
    "a refusal beside a text": (
        AIMessage([{"type": "text", "text": "Well. "}, {"type": "refusal", "refusal": "No."}]),
        "Well. No.",
    ),
    "nothing": (AIMessage(""), ""),
}
AUDIO_ALONE = {
    "ChatOpenAI's speech without a transcript": answer(OPENAI, audio={**SPOKEN, "transcript": ""}),
    "Gemini's speech": answer(GEMINI, audio=CLIP),
}


def sent(server: LocalDashScope) -> Any:
    return server.requests[-1].messages[1]["content"]


@pytest.mark.parametrize("name", [OMNI_3_8, QWEN_AUDIO])
def test_what_an_answer_says_is_sent_in_words(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    messages = [it for it, _ in IN_WORDS.values()]
    call_model(model_at(server, name), [HumanMessage("a"), *messages, HumanMessage("b")])
    contents = [it["content"] for it in server.requests[-1].messages[1:-1]]
    written = [
        content if name == OMNI_3_8 else "".join(part["text"] for part in content)
        for content in contents
    ]
    assert written == [text for _, text in IN_WORDS.values()]


def test_thoughts_and_calls_of_other_providers_stay(server: LocalDashScope) -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    block = {"type": "custom_tool_call", "call_id": "c", "name": "run", "input": "x", "id": "i"}
    call = {"name": "run", "args": {"__arg1": "x"}, "id": "c"}
    history = [
        AIMessage([thinking, {"type": "text", "text": "Well."}]),
        AIMessage([block], tool_calls=[call], response_metadata={"model_provider": OPENAI}),
        ToolMessage("y", tool_call_id="c"),
    ]
    model_at(server, OMNI_3_8).invoke([HumanMessage("a"), *history, HumanMessage("b")])
    _, thought, called, *_ = server.requests[-1].messages
    assert (thought["content"], thought["reasoning_content"]) == ("Well.", "Hm.")
    assert (called["content"], called["tool_calls"][0]["function"]["name"]) == ("", "run")


@pytest.mark.parametrize("message", AUDIO_ALONE.values(), ids=AUDIO_ALONE)
def test_audio_alone_is_sent_or_refused(server: LocalDashScope, message: AIMessage) -> None:
    messages = [HumanMessage("a"), message, HumanMessage("b")]
    model_at(server, QWEN_AUDIO).invoke(messages)
    assert sent(server) == [{"audio": URI}]
    with pytest.raises(errors.MessageError, match=r"^messages\[1\]: an answer came that has audio"):
        model_at(server, OMNI_3_8).invoke(messages)
