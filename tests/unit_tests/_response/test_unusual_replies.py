"""Replies that say something else than a text: what becomes of each, in every way to call."""

from __future__ import annotations

import itertools
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.exceptions import ModelRefusalError
from langchain_core.messages import AIMessage, HumanMessage

from langchain_qwen_audio import ChatQwenAudio, Transcript, errors
from langchain_qwen_audio.local import RawReply, sse_event
from tests.unit_tests.conftest import astream, invoke, stream
from tests.unit_tests.rows import each_row, two_modes, two_protocols

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope, ReceivedRequest
    from tests.unit_tests.conftest import CallModel

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}


def native(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **message}
    return {"output": {"choices": [{"finish_reason": finish, "message": message}]}}


def compatible(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **message}
    return {"choices": [{"index": 0, "finish_reason": finish, "message": message}]}


def scripted(*payloads: dict[str, Any], headers: dict[str, str] = SSE) -> Any:
    """Reply with the last of some payloads, or, where a stream is requested, with all."""

    def reply(request: ReceivedRequest) -> RawReply:
        if "x-dashscope-sse" in request.headers or request.json.get("stream"):
            deltas = [_with_delta(payload) for payload in payloads]
            events = [sse_event(payload, n) for n, payload in enumerate(deltas, 1)]
            return RawReply(200, headers, events)
        return RawReply(200, JSON, [json.dumps(payloads[-1]).encode()])

    return reply


def _with_delta(payload: dict[str, Any]) -> dict[str, Any]:
    if "choices" not in payload:
        return payload
    choices = [{**it, "delta": it["message"], "message": None} for it in payload["choices"]]
    return {**payload, "choices": choices}


@pytest.fixture(params=["native", "openai"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def model_of(server: LocalDashScope, protocol: str) -> ChatQwenAudio:
    name = "qwen-audio-turbo-latest" if protocol == "native" else "qwen3.8-omni-flash"
    return ChatQwenAudio(model=name, base_url=server.base_url, api_key="local", max_retries=0)


def write(protocol: str, content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return (native if protocol == "native" else compatible)(content, finish, **message)


# --- content ----------------------------------------------------------------------------------

REFUSALS = {
    "a field": {"content": "", "refusal": "I cannot."},
    "a field beside null": {"content": None, "refusal": "I cannot."},
    "a part": {"content": [{"type": "refusal", "refusal": "I cannot."}]},
}


@two_modes
@two_protocols
@each_row("message", REFUSALS)
def test_a_refusal_is_langchains_block(
    call_model: CallModel, server: LocalDashScope, protocol: str, message: dict[str, Any]
) -> None:
    server.script(scripted(write(protocol, **message)))
    answer = call_model(model_of(server, protocol), "?")
    (block,) = answer.content_blocks
    assert (block["type"], block["refusal"]) == ("refusal", "I cannot.")  # type: ignore[typeddict-item]
    assert answer.text == ""


@two_protocols
def test_a_refusal_is_no_structured_output(server: LocalDashScope, protocol: str) -> None:
    server.script(scripted(write(protocol, "", refusal="I cannot.")))
    model = model_of(server, protocol).with_structured_output(None, method="json_mode")
    with pytest.raises(ModelRefusalError, match="I cannot"):
        model.invoke("?")


@two_protocols
def test_a_refusal_in_the_history_is_sent_as_text(server: LocalDashScope, protocol: str) -> None:
    refused = AIMessage([{"type": "refusal", "refusal": "I cannot."}])
    model_of(server, protocol).invoke([HumanMessage("?"), refused, HumanMessage("Why?")])
    content = server.requests[-1].messages[1]["content"]
    assert content in ("I cannot.", [{"text": "I cannot."}])


@two_modes
@two_protocols
@each_row("content", [[{"box": [1]}], [5], [{"type": "audio", "audio": "AAAA"}]])
def test_unknown_parts_alone_are_an_error(
    call_model: CallModel, server: LocalDashScope, protocol: str, content: Any
) -> None:
    server.script(scripted(write(protocol, content)))
    with pytest.raises(errors.APIError, match="it has no text, only"):
        call_model(model_of(server, protocol), "?")


# No source says that the service sends the whole text again where increments were requested: what
# looks like that may be what the model wrote.
INCREMENTS = {
    "the same twice": (["Yes.", "Yes."], "Yes.Yes."),
    "numbers that begin alike": (["1", "10", "100"], "110100"),
    "a text that begins as the one before": (["a", "ab", "abc"], "aababc"),
}


@two_protocols
@each_row("parts, text", INCREMENTS)
def test_increments_are_added_whatever_they_look_like(
    server: LocalDashScope, protocol: str, parts: list[str], text: str
) -> None:
    *first, last = parts
    payloads = [*(write(protocol, it, None) for it in first), write(protocol, last)]
    for call in (stream, astream):
        server.script(scripted(*payloads))
        assert call(model_of(server, protocol), "?").text == text


def test_unknown_parts_beside_a_text_are_logged(
    call_model: CallModel, server: LocalDashScope, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(scripted(write(protocol, [{"text": "ab"}, {"box": [1]}])))
    with caplog.at_level(logging.WARNING):
        assert call_model(model_of(server, protocol), "?").text == "ab"
    assert "left out: ['box']" in caplog.text


@two_modes
@two_protocols
def test_two_answers_are_not_mixed(
    call_model: CallModel, server: LocalDashScope, protocol: str
) -> None:
    payload = write(protocol, "a")
    choices = payload.get("output", payload)["choices"]
    choices.append({**choices[0], "index": 1})
    server.script(scripted(payload))
    with pytest.raises(errors.APIError, match="several answers"):
        call_model(model_of(server, protocol), "?")


def test_a_second_answer_in_events_of_its_own_is_not_mixed(server: LocalDashScope) -> None:
    first, second = compatible("a", None), compatible("b")
    second["choices"][0]["index"] = 1
    server.script(scripted(first, second))
    with pytest.raises(errors.APIError, match="several answers") as caught:
        stream(model_of(server, "openai"), "?")
    assert caught.value.text == "a"


@two_modes
@two_protocols
def test_several_answers_are_not_requested(
    call_model: CallModel, server: LocalDashScope, protocol: str
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="one answer at a time"):
        call_model(model_of(server, protocol), "?", n=2)
    assert server.requests == []
    assert call_model(model_of(server, protocol), "?", n=1).text


# --- the end ----------------------------------------------------------------------------------


@two_modes
@two_protocols
@each_row("finish", [None, "null", ""])
def test_an_answer_without_a_finish_reason_is_not_whole(
    call_model: CallModel, server: LocalDashScope, protocol: str, finish: Any
) -> None:
    server.script(scripted(write(protocol, "ab", finish)))
    with pytest.raises((errors.APIError, errors.StreamInterruptedError), match="finish"):
        call_model(model_of(server, protocol), "?")


CUT_ARGUMENTS = ['{"a": 1', '{"a": "b', '{"a": [', '{"a": "b\\', "[1]", "5", "x", '{"a": 1}}']


@two_modes
@two_protocols
@each_row("arguments", CUT_ARGUMENTS)
def test_a_call_that_was_cut_off_is_invalid(
    call_model: CallModel, server: LocalDashScope, protocol: str, arguments: str
) -> None:
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": arguments}}
    server.script(scripted(write(protocol, "", "length", tool_calls=[call])))
    answer = call_model(model_of(server, protocol), "?")
    assert answer.tool_calls == []
    (invalid,) = answer.invalid_tool_calls
    assert (invalid["name"], invalid["id"]) == ("f", "1")
    assert (invalid["args"] or "").startswith(arguments)


@two_modes
@two_protocols
@each_row("arguments", ["", "{}", '{"a": "x\ny"}', None])
def test_a_whole_call_is_valid(
    call_model: CallModel, server: LocalDashScope, protocol: str, arguments: str | None
) -> None:
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": arguments}}
    server.script(scripted(write(protocol, "", tool_calls=[call])))
    answer = call_model(model_of(server, protocol), "?")
    assert answer.invalid_tool_calls == []
    assert [call["args"] for call in answer.tool_calls] == [
        json.loads(arguments or "{}", strict=False)
    ]


# --- characters -------------------------------------------------------------------------------

SURROGATES = {
    r'"a\ud83db"': "a\ufffdb",
    r'"\ude00"': "\ufffd",
    r'"\ud83d\ud83d\ude00"': "\ufffd\U0001f600",
    r'"\ud83d\ude00"': "\U0001f600",
    r'"\\ud83d"': r"\ud83d",
}


@two_modes
@each_row("written, text", SURROGATES.items())
def test_half_a_character_is_replaced_as_bytes_that_are_none_are(
    call_model: CallModel, server: LocalDashScope, written: str, text: str
) -> None:
    data = json.dumps(native("TEXT")).replace('"TEXT"', written).encode()

    def reply(request: ReceivedRequest) -> RawReply:
        if "x-dashscope-sse" in request.headers:
            return RawReply(200, SSE, [b"data:" + data + b"\n\n"])
        return RawReply(200, JSON, [data])

    server.script(reply, "ok")
    model = model_of(server, "native")
    answer = call_model(model, "?")
    assert answer.text == text
    assert call_model(model, [HumanMessage("?"), answer, HumanMessage("?")]).text == "ok"


@two_modes
@two_protocols
def test_half_a_character_in_a_call_is_sent_back_as_it_came(
    call_model: CallModel, server: LocalDashScope, protocol: str
) -> None:
    arguments = r'{"a": "\ud83d"}'
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": arguments}}
    server.script(scripted(write(protocol, "", tool_calls=[call])), "ok")
    model = model_of(server, protocol)
    answer = call_model(model, "?")
    call_model(model, [HumanMessage("?"), answer, HumanMessage("?")])
    (sent,) = server.requests[-1].messages[1]["tool_calls"]
    assert sent["function"]["arguments"] == arguments


CHARSETS = ["utf-8", "UTF-8", "gbk", "hex", "rot13", "idna", "undefined", "utf-16", "x", '"']
KINDS = itertools.cycle(["text/event-stream", "Text/Event-Stream", "TEXT/EVENT-STREAM"])
LABELS = [f"{kind} ; charset={charset}" for charset, kind in zip(CHARSETS, KINDS, strict=False)]


@each_row("label", LABELS)
@each_row("way", [stream, astream])
def test_a_stream_is_utf_8_however_it_is_labelled(
    server: LocalDashScope, way: CallModel, label: str
) -> None:
    server.script(scripted(native("é你"), headers={"content-type": label}))
    assert way(model_of(server, "native"), "?").text == "é你"


@each_row("charset", CHARSETS)
@each_row("status", [200, 400])
def test_json_is_utf_8_however_it_is_labelled(
    server: LocalDashScope, charset: str, status: int
) -> None:
    refusal = {"code": "InvalidParameter", "message": "你 error"}
    data = json.dumps(native("é你") if status == 200 else refusal, ensure_ascii=False).encode()
    server.script(RawReply(status, {"content-type": f"application/json;charset={charset}"}, [data]))
    if status == 200:
        assert invoke(model_of(server, "native"), "?").text == "é你"
        return
    with pytest.raises(errors.InvalidRequestError, match="你 error"):
        invoke(model_of(server, "native"), "?")


@each_row(
    "annotations", [[5], [{"type": "audio_info", "language": 5, "emotion": ["x"]}], [None, []]]
)
def test_odd_annotations_tell_nothing(server: LocalDashScope, annotations: Any) -> None:
    server.script(scripted(native("a", annotations=annotations)))
    answer = invoke(model_of(server, "native"), "?")
    assert answer.response_metadata["annotations"] == annotations
    assert Transcript.from_message(answer) == Transcript(text=answer.text)
    assert (
        Transcript.from_message(AIMessage("", response_metadata={"annotations": 5})) == Transcript()
    )
