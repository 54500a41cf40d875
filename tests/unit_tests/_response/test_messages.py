"""Recorded and scripted replies → messages, chunks, usage and errors, through the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio._response.usage import to_usage_metadata
from langchain_qwen_audio.local import (
    END,
    RESET,
    RawReply,
    Reply,
    error_reply,
    sse_event,
    stream_error_reply,
)
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.rows import each_row, every_mode, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

WIRE = Path(__file__).parents[1] / "data" / "wire"
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream;charset=UTF-8"}
WELCOME = "这段音频说的是:'欢迎使用阿里云'"


def recorded(name: str) -> list[dict[str, Any]]:
    text = (WIRE / name).read_text(encoding="utf-8")
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return [json.loads(text)]


def body(payload: dict[str, Any]) -> RawReply:
    return RawReply(200, JSON, [json.dumps(payload).encode()])


def events(*payloads: dict[str, Any] | str, end: Any = ()) -> RawReply:
    steps = [sse_event(payload, number) for number, payload in enumerate(payloads, 1)]
    return RawReply(200, SSE, [*steps, *end])


def as_asked(payload: dict[str, Any]) -> Callable[..., RawReply]:
    """Reply with one body, or with a stream of one event where a stream is requested."""
    return lambda request: (events if "x-dashscope-sse" in request.headers else body)(payload)


def usage(text: int, audio: int, output: int) -> dict[str, Any]:
    return {
        "input_tokens": text + audio,
        "output_tokens": output,
        "total_tokens": text + audio + output,
        "input_token_details": {"audio": audio},
    }


def metadata(request_id: str) -> dict[str, Any]:
    return {
        "model_name": "qwen-audio-turbo-latest",
        "model_provider": "dashscope",
        "finish_reason": "stop",
        "normalized_finish_reason": "stop",
        "request_id": request_id,
    }


# --- recorded replies -------------------------------------------------------------------------

RECORDINGS = [
    ("basic.json", 0, WELCOME, usage(33, 85, 10)),
    ("local_file.json", 0, WELCOME, usage(33, 85, 10)),
    ("multi_turn.jsonl", 0, WELCOME, usage(33, 85, 10)),
    ("multi_turn.jsonl", 1, "阿里巴巴集团是一家总部位于中国杭州的", usage(56, 85, 74)),
    ("voice_chat.json", 0, "当然可以", usage(28, 237, 28)),
]


@two_modes
@each_row("recording", RECORDINGS)
def test_a_recorded_reply_gives_what_it_says(
    call_model: CallModel,
    server: LocalDashScope,
    model: ChatQwenAudio,
    recording: tuple[str, int, str, Any],
) -> None:
    name, turn, beginning, counted = recording
    reply = recorded(name)[turn]
    server.script(as_asked(reply))
    message = call_model(model, "?")
    assert message.content == reply["output"]["choices"][0]["message"]["content"][0]["text"]
    assert message.text.startswith(beginning)
    assert message.usage_metadata == counted
    assert message.response_metadata == metadata(reply["request_id"])


def test_the_recorded_total_is_what_the_issue_says(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(as_asked(recorded("basic.json")[0]))
    assert model.invoke("?").usage_metadata == {
        "input_tokens": 118,
        "output_tokens": 10,
        "total_tokens": 128,
        "input_token_details": {"audio": 85},
    }


@two_streams
def test_the_recorded_stream_yields_every_fragment_and_its_usage_once(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(events(*recorded("stream.jsonl")))
    chunks = chunks_of(model, "?")
    fragments = ["这段", "音频", "说的是", ":'欢迎", "使用", "阿里", "云", "'"]
    assert [chunk.content for chunk in chunks] == [*fragments, ""]
    assert [chunk.usage_metadata for chunk in chunks] == [None] * 8 + [usage(33, 85, 10)]
    assert [chunk.response_metadata for chunk in chunks[:-1]] == [{}] * 8
    assert [chunk.chunk_position for chunk in chunks] == [None] * 8 + ["last"]


def test_added_up_chunks_equal_the_invoked_message(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for _ in range(2):
        server.script(events(*recorded("stream.jsonl")))
    whole = recorded("stream.jsonl")[-1]
    whole["output"]["choices"][0]["message"]["content"] = [{"text": WELCOME}]
    server.script(body(whole), body(whole))
    answers = [way(model, "?") for way in (stream, astream, invoke, ainvoke)]
    expected = answers[2].model_copy(update={"id": None})
    assert expected == AIMessage(
        WELCOME,
        usage_metadata=usage(33, 85, 10),
        response_metadata=metadata("f877cf8d-6109-9e84-b68f-9c618e0975fe"),
    )
    assert [answer.model_copy(update={"id": None}) for answer in answers] == [expected] * 4


# --- streams ----------------------------------------------------------------------------------

FRAGMENTS = {
    "repeated": ("ha", "ha", "ha"),
    "prefix of the next": ("a", "ab", "abc"),
    "white space": (" ", "\n", " a "),
    "the word null": ("null", " is ", "null"),
    "half an emoji sequence": ("👩", "\u200d", "💻"),
}


@two_streams
@each_row("fragments", FRAGMENTS)
def test_every_fragment_survives(
    chunks_of: Callable[..., list[AIMessageChunk]],
    server: LocalDashScope,
    model: ChatQwenAudio,
    fragments: tuple[str, ...],
) -> None:
    server.script(Reply(fragments=fragments))
    assert [chunk.content for chunk in chunks_of(model, "?")] == [*fragments, ""]


@two_modes
@each_row("fragments", [("", "a", "", "", "b", ""), ("", ""), ()])
def test_empty_fragments_break_nothing(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, fragments: tuple[str, ...]
) -> None:
    server.script(Reply(fragments=fragments))
    message = call_model(model, "?")
    assert message.content == "".join(fragments)
    assert message.response_metadata["finish_reason"] == "stop"


@every_mode
def test_a_text_in_the_final_event_is_kept(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(as_asked(recorded("basic.json")[0]))
    assert call_model(model, "?").content == WELCOME


@two_streams
def test_the_string_null_never_surfaces(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(events(*recorded("stream.jsonl")))
    assert "null" not in "".join(
        chunk.model_dump_json(exclude_none=True) for chunk in chunks_of(model, "?")
    )


@every_mode
def test_heartbeats_unknown_events_and_done_are_skipped(
    call_model: CallModel, model: ChatQwenAudio, server: LocalDashScope
) -> None:
    first, *rest = events(*recorded("stream.jsonl"), "[DONE]").steps
    noise = b':heartbeat\n\nid:0\nevent:ping\ndata:{}\n\nevent:mystery\ndata:{"x":1}\n\n'
    streamed = RawReply(200, SSE, [noise, first, noise, *rest])
    server.script(
        lambda request: streamed if "x-dashscope-sse" in request.headers else Reply(WELCOME)
    )
    assert call_model(model, "?").content == WELCOME


@every_mode
def test_a_length_cut_is_told(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(Reply("a b", finish_reason="length"))
    assert call_model(model, "?").response_metadata["finish_reason"] == "length"


ENDINGS: dict[str, tuple[Any, ...]] = {"in order": (), "cut off": (END,), "reset": (RESET,)}


@each_row("ending", ENDINGS)
@each_row("way", [stream, astream])
def test_a_stream_without_its_final_event_is_an_error_that_holds_the_text(
    server: LocalDashScope, model: ChatQwenAudio, way: CallModel, ending: tuple[Any, ...]
) -> None:
    server.script(events(*recorded("stream.jsonl")[:4], end=ending))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        way(model, "?")
    if ending != (RESET,):  # a reset may overtake what was sent before it
        assert caught.value.text == "这段音频说的是"
    assert len(server.requests) == 1


@each_row("way", [stream, astream])
def test_a_stream_without_any_event_is_an_error(
    server: LocalDashScope, model: ChatQwenAudio, way: CallModel
) -> None:
    server.script(*[RawReply(200, SSE, [b""])] * 3)
    with pytest.raises(errors.QwenAudioError):
        way(model, "?")


# --- usage ------------------------------------------------------------------------------------

USAGE: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "none": (None, None),
    "empty": ({}, None),
    "Qwen-Audio": (
        {"audio_tokens": 85, "output_tokens": 10, "input_tokens": 33},
        usage(33, 85, 10),
    ),
    "Qwen-Audio, voice chat": (
        {"audio_tokens": 237, "output_tokens": 28, "input_tokens": 28},
        usage(28, 237, 28),
    ),
    "text only": (
        {"output_tokens": 10, "input_tokens": 33},
        {"input_tokens": 33, "output_tokens": 10, "total_tokens": 43},
    ),
    "captioner, its details include the audio": (
        {
            "input_tokens": 160,
            "output_tokens": 399,
            "total_tokens": 559,
            "input_tokens_details": {"audio_tokens": 152, "text_tokens": 8},
            "output_tokens_details": {"text_tokens": 399},
        },
        usage(8, 152, 399),
    ),
    "speech recognition, details only": (
        {
            "input_tokens_details": {"text_tokens": 0},
            "output_tokens_details": {"text_tokens": 6},
            "seconds": 1,
        },
        {"input_tokens": 0, "output_tokens": 6, "total_tokens": 6},
    ),
    "details only, with audio": (
        {
            "input_tokens_details": {"text_tokens": 2, "audio_tokens": 42},
            "output_tokens_details": {"text_tokens": 6},
        },
        usage(2, 42, 6),
    ),
    "the total says that audio is inside": (
        {"input_tokens": 118, "audio_tokens": 85, "output_tokens": 10, "total_tokens": 128},
        usage(33, 85, 10),
    ),
    "the total says that audio is apart": (
        {"input_tokens": 33, "audio_tokens": 85, "output_tokens": 10, "total_tokens": 128},
        usage(33, 85, 10),
    ),
    "reasoning": (
        {
            "input_tokens": 5,
            "output_tokens": 9,
            "total_tokens": 14,
            "output_tokens_details": {"text_tokens": 2, "reasoning_tokens": 7},
        },
        {
            "input_tokens": 5,
            "output_tokens": 9,
            "total_tokens": 14,
            "output_token_details": {"reasoning": 7},
        },
    ),
}


@each_row("reported, counted", USAGE)
def test_usage_counts_audio_once_as_part_of_the_input(
    reported: dict[str, Any] | None, counted: dict[str, Any] | None
) -> None:
    assert to_usage_metadata(reported) == counted


@two_modes
@each_row("name", ["Qwen-Audio", "captioner, its details include the audio"])
def test_usage_comes_once_in_calls_and_streams(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, name: str
) -> None:
    reported, counted = USAGE[name]
    server.script(Reply(fragments=("a", "b", "c"), usage=reported))
    assert call_model(model, "?").usage_metadata == counted


# --- failures ---------------------------------------------------------------------------------

REFUSAL = {"code": "InvalidParameter", "message": "The audio is empty", "request_id": "r-1"}
REFUSED = json.dumps(REFUSAL).encode()
COMPAT = b'{"error":{"message":"The audio is empty","code":"invalid_parameter_error"}}'
FAILURES: dict[str, RawReply] = {
    "status with JSON": RawReply(400, JSON, [REFUSED]),
    "status with JSON of the compatible mode": RawReply(400, JSON, [COMPAT]),
    "status with an SSE-framed body": RawReply(
        400, SSE, [sse_event(REFUSAL, 1, event="error", status=400)]
    ),
    "status with an SSE-framed body said to be JSON": RawReply(
        400, JSON, [sse_event(REFUSAL, 1, event="error", status=400)]
    ),
    "200 with a code": RawReply(200, JSON, [REFUSED]),
}
IN_STREAM: dict[str, RawReply] = {
    "event:error first": stream_error_reply([], "InvalidParameter", "The audio is empty"),
    "event:error in mid-stream": stream_error_reply(
        ["a", "b"], "InvalidParameter", "The audio is empty"
    ),
    "a code in mid-stream": events(recorded("stream.jsonl")[0], REFUSAL),
}


@two_modes
@each_row("reply", FAILURES)
def test_every_form_of_a_refusal_raises(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, reply: RawReply
) -> None:
    server.script(reply)
    with pytest.raises(errors.InvalidRequestError, match="The audio is empty"):
        call_model(model, "?")
    assert len(server.requests) == 1


@each_row("way", [stream, astream])
@each_row("reply", IN_STREAM)
def test_every_form_of_a_refusal_within_a_stream_raises(
    server: LocalDashScope, model: ChatQwenAudio, reply: RawReply, way: CallModel
) -> None:
    server.script(reply)
    with pytest.raises(errors.InvalidRequestError, match="The audio is empty"):
        way(model, "?")
    assert len(server.requests) == 1


@each_row("streaming", [True, False])
def test_an_error_tells_code_status_and_request_id(
    server: LocalDashScope, model: ChatQwenAudio, *, streaming: bool
) -> None:
    server.script(RawReply(400, JSON, [REFUSED]))
    with pytest.raises(errors.InvalidRequestError) as caught:
        (stream if streaming else invoke)(model, "?")
    told = caught.value
    assert (told.code, told.status, told.request_id) == ("InvalidParameter", 400, "r-1")


STATUSES = [
    (401, "InvalidApiKey", errors.AuthenticationError),
    (403, "AccessDenied.Unpurchased", errors.PermissionDeniedError),
    (400, "Arrearage", errors.PermissionDeniedError),
    (404, "ModelNotFound", errors.NotFoundError),
    (400, "DataInspectionFailed", errors.ContentFilterError),
    (429, "Throttling.RateQuota", errors.RateLimitError),
    (500, "InternalError.Algo", errors.APIError),
    (418, "SomethingNew", errors.InvalidRequestError),
]


@two_modes
@each_row("case", STATUSES)
def test_the_code_decides_the_class_of_an_error(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, case: tuple[int, str, Any]
) -> None:
    status, code, error = case
    server.script(error_reply(status, code, "no"))
    with pytest.raises(error) as caught:
        call_model(model, "?", max_retries=0)
    assert type(caught.value) is error


NO_ANSWERS: dict[str, RawReply] = {
    "no choices": body({"output": {"choices": []}, "request_id": "r"}),
    "no output": body({"request_id": "r"}),
    "no message": body({"output": {"choices": [{"finish_reason": "stop"}]}}),
    "no JSON": RawReply(200, JSON, [b"<html>502</html>"]),
    "a list": RawReply(200, JSON, [b"[]"]),
    "nothing": RawReply(200, JSON, [b""]),
    "HTML": RawReply(200, {"content-type": "text/html"}, [b"<html>Log in</html>"]),
}


@two_modes
@each_row("reply", NO_ANSWERS)
def test_a_reply_without_an_answer_is_an_error_not_an_empty_text(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, reply: RawReply
) -> None:
    server.script(reply)
    with pytest.raises(errors.APIError):
        call_model(model, "?", max_retries=0)
