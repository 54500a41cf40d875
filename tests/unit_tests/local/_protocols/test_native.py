"""DashScope's own protocol: what it refuses, and the bytes of its replies."""

import json
from typing import Any

import pytest

from langchain_qwen_audio.local import (
    LocalDashScope,
    RawReply,
    Reply,
    error_reply,
    sse_event,
    stream_error_reply,
)
from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import QWEN_AUDIO
from langchain_qwen_audio.local._protocols.native import write_native
from langchain_qwen_audio.local._tokens import InputTokens
from tests.unit_tests.local._client import (
    ASR,
    CAPTIONER,
    GENERATION,
    MODEL,
    QUESTION,
    assert_events,
    assert_refused,
    assistant,
    data_uri,
    generate,
    message_of,
    post,
    text_of,
    user,
    wav,
)

INVALID_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
INVALID = "Required parameter(s) missing or invalid, please check the request parameters."
MODAL = "The item of content should be a message of a certain modal"
CALL = {"id": "c1", "name": "add", "arguments": '{"a": 1}'}
ANNOTATIONS = [{"type": "audio_info", "language": "zh", "emotion": "neutral"}]
AUDIO = {"audio": data_uri(wav(2, amplitude=0))}


# --- whole replies ---


def test_a_reply_has_the_documented_shape(server: LocalDashScope) -> None:
    server.script(Reply("欢迎使用阿里云", request_id="r-1"))
    response = generate(server, user({"audio": data_uri(wav())}, QUESTION))
    assert response.json() == {
        "output": {
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": [{"text": "欢迎使用阿里云"}]},
                }
            ]
        },
        "usage": {"input_tokens": 4, "audio_tokens": 25, "output_tokens": 7},
        "request_id": "r-1",
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "r-1"


def test_recognition_has_annotations_and_its_own_usage(server: LocalDashScope) -> None:
    server.script(Reply("欢迎", annotations=ANNOTATIONS))
    response = generate(server, user(AUDIO), model=ASR)
    message = {"role": "assistant", "content": [{"text": "欢迎"}], "annotations": ANNOTATIONS}
    assert message_of(response) == message
    assert response.json()["usage"] == {
        "input_tokens_details": {"text_tokens": 0},
        "output_tokens_details": {"text_tokens": 2},
        "seconds": 2,
    }


def test_the_usage_of_the_captioner_includes_its_audio(server: LocalDashScope) -> None:
    server.script("A tone.")
    assert generate(server, user(AUDIO), model=CAPTIONER).json()["usage"] == {
        "input_tokens": 25,
        "output_tokens": 3,
        "total_tokens": 28,
        "input_tokens_details": {"audio_tokens": 25, "text_tokens": 0},
        "output_tokens_details": {"text_tokens": 3},
    }


def test_tool_calls_come_whole(server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[CALL]))
    (choice,) = generate(server).json()["output"]["choices"]
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert choice == {
        "finish_reason": "tool_calls",
        "message": {
            "role": "assistant",
            "content": [],
            "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}],
        },
    }


# --- streams ---


def test_an_incremental_stream_is_exactly_these_bytes(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("这段", "", "云"), request_id="r"))
    response = generate(server, stream=True, incremental_output=True)

    def event(number: int, content: str, finish: str, tokens: int) -> str:
        return (
            f"id:{number}\nevent:result\n:HTTP_STATUS/200\n"
            f'data:{{"output":{{"choices":[{{"finish_reason":"{finish}","message":'
            f'{{"role":"assistant","content":{content}}}}}]}},'
            f'"usage":{{"input_tokens":4,"output_tokens":{tokens}}},"request_id":"r"}}\n\n'
        )

    assert response.content.decode() == (
        event(1, '[{"text":"这段"}]', "null", 2)
        + event(2, "[]", "null", 2)
        + event(3, '[{"text":"云"}]', "null", 3)
        + event(4, "[]", "stop", 3)
    )
    assert response.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert response.headers["x-request-id"] == "r"


def test_a_stream_is_cumulative_by_default(server: LocalDashScope) -> None:
    server.script("One two")
    messages = [
        event["output"]["choices"][0]["message"]
        for event in assert_events(generate(server, stream=True))
    ]
    texts = [[part["text"] for part in message["content"]] for message in messages]
    assert texts == [["One"], ["One two"], ["One two"]]


def test_without_the_header_nothing_streams(server: LocalDashScope) -> None:
    server.script("One two")
    assert text_of(generate(server, incremental_output=True)) == "One two"


@pytest.mark.parametrize("incremental", [True, False])
def test_tool_calls_stream(server: LocalDashScope, incremental: bool) -> None:
    server.script(Reply("Now", tool_calls=[CALL], request_id="r"))
    events = assert_events(generate(server, stream=True, incremental_output=incremental))
    choices = [event["output"]["choices"][0] for event in events]
    assert [it["finish_reason"] for it in choices[-2:]] == ["null", "tool_calls"]
    arguments = [
        call["function"]["arguments"]
        for it in choices
        for call in it["message"].get("tool_calls", [])
    ]
    if incremental:
        assert "".join(arguments) == '{"a": 1}'
        assert choices[-1]["message"] == {"role": "assistant", "content": []}
    else:
        assert arguments[:2] == ["", "{"]
        assert arguments[-2:] == ['{"a": 1}'] * 2
        assert [it["message"]["content"] for it in choices] == [[{"text": "Now"}]] * len(choices)


def write(reply: Reply, *, incremental: bool = True) -> RawReply:
    request = ModelRequest(MODEL, QWEN_AUDIO, [], stream=True, incremental=incremental)
    return write_native(reply, request, InputTokens(33, 85))


def payloads_of(reply: RawReply) -> list[dict[str, Any]]:
    events = [step for step in reply.steps if isinstance(step, bytes)]
    return [json.loads(event.split(b"\ndata:")[1]) for event in events]


# name: the reply, whether it is incremental, and of each chunk: content, finish reason, tokens
CHUNKS: dict[str, tuple[Reply, bool, list[tuple[list[str], str, int]]]] = {
    "what is new": (
        Reply(fragments=("ha", "ha", "", "!")),
        True,
        [
            *((["ha"], "null", 1), (["ha"], "null", 2), ([], "null", 2), (["!"], "null", 3)),
            ([], "stop", 3),
        ],
    ),
    "all so far": (
        Reply(fragments=("ha", "ha", "", "!")),
        False,
        [
            *((["ha"], "null", 1), (["haha"], "null", 2), (["haha"], "null", 2)),
            *((["haha!"], "null", 3), (["haha!"], "stop", 3)),
        ],
    ),
    "another ending": (
        Reply("a b", finish_reason="length"),
        True,
        [(["a"], "null", 1), ([" b"], "null", 2), ([], "length", 2)],
    ),
    "nothing": (Reply(""), True, [([], "stop", 0)]),
}


@pytest.mark.parametrize(("reply", "incremental", "chunks"), CHUNKS.values(), ids=CHUNKS)
def test_chunks(reply: Reply, incremental: bool, chunks: list[tuple[list[str], str, int]]) -> None:
    payloads = payloads_of(write(reply, incremental=incremental))
    choices = [payload["output"]["choices"][0] for payload in payloads]
    texts = [[part["text"] for part in it["message"]["content"]] for it in choices]
    reasons = [it["finish_reason"] for it in choices]
    counts = [payload["usage"].pop("output_tokens") for payload in payloads]
    assert list(zip(texts, reasons, counts, strict=True)) == chunks
    assert all(it["usage"] == {"input_tokens": 33, "audio_tokens": 85} for it in payloads)
    assert len({payload["request_id"] for payload in payloads}) == 1


def test_usage_and_model_can_be_replaced() -> None:
    chunks = payloads_of(write(Reply("a", usage={"seconds": 1}, model="m")))
    assert [(it["usage"], it["model"]) for it in chunks] == [({"seconds": 1}, "m")] * 2


def test_the_delay_is_before_the_first_chunk_and_the_pauses_between() -> None:
    steps = write(Reply(fragments=("a", "b"), delay_s=5, pause_s=2)).steps
    waits = [step if isinstance(step, float | int) else "event" for step in steps]
    assert waits == [5, "event", 2, "event", 2, "event"]


def test_an_event_has_no_blank_after_a_colon() -> None:
    expected = 'id:3\nevent:result\n:HTTP_STATUS/200\ndata:{"a":"这段"}\n\n'
    assert sse_event({"a": "这段"}, 3) == expected.encode()
    assert sse_event('{"output":{"cho', 1).endswith(b'\ndata:{"output":{"cho\n\n')


# --- errors ---


def test_an_error_is_a_native_body() -> None:
    reply = error_reply(429, "Throttling", "Slow down.", headers={"retry-after": "1"})
    (body,) = reply.steps
    assert isinstance(body, bytes)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    request_id = reply.headers["x-request-id"]
    error = {"code": "Throttling", "message": "Slow down.", "request_id": request_id}
    assert json.loads(body) == error


def test_an_error_in_a_stream_follows_the_fragments() -> None:
    reply = stream_error_reply(["a", "b"], "DataInspectionFailed", "No.")
    *begun, failed = payloads_of(reply)
    contents = [it["output"]["choices"][0]["message"]["content"] for it in begun]
    assert contents == [[{"text": "a"}], [{"text": "b"}]]
    assert isinstance(reply.steps[-1], bytes)
    assert reply.steps[-1].startswith(b"id:3\nevent:error\n:HTTP_STATUS/400\ndata:")
    assert failed["code"] == "DataInspectionFailed"
    assert len({payload["request_id"] for payload in [*begun, failed]}) == 1


# --- what is refused, and what is not ---


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer"}, {"authorization": "Basic k"}])
def test_a_key_is_required(server: LocalDashScope, header: dict[str, str]) -> None:
    response = post(server.base_url + GENERATION, headers=header, json={})
    assert_refused(response, 401, "InvalidApiKey", "Invalid API-key provided.")


def test_keys_can_be_restricted() -> None:
    with LocalDashScope(api_keys={"right"}, reply="ok") as server:
        assert text_of(generate(server, key="right")) == "ok"
        refused = generate(server, key="wrong")
        assert_refused(refused, 401, "InvalidApiKey", "Invalid API-key provided.")


EMPTY = "Required input parameter missing from request."
BODIES = {
    b"{": ("InvalidParameter", INVALID),
    b"[]": ("InvalidParameter", INVALID),
    b"{}": ("BadRequest.EmptyModel", 'Required parameter "model" missing from request.'),
    b'{"model":"qwen-audio-turbo"}': ("BadRequest.EmptyInput", EMPTY),
    b'{"model":"qwen-audio-turbo","parameters":[1]}': ("InvalidParameter", INVALID),
    b'{"model":"qwen-audio-turbo","input":{"messages":[]}}': ("BadRequest.EmptyInput", EMPTY),
    b'{"model":"qwen-audio-turbo","input":{"messages":[1]}}': ("InvalidParameter", INVALID),
}


def test_a_body_must_be_a_request(server: LocalDashScope) -> None:
    for body, error in BODIES.items():
        headers = {"authorization": "Bearer local"}
        response = post(server.base_url + GENERATION, headers=headers, content=body)
        assert_refused(response, 400, *error)


def test_content_is_a_list_of_known_parts(server: LocalDashScope) -> None:
    rows: list[object] = [
        "What is said?",
        ["What is said?"],
        [{}],
        [{"text": None}],
        [{"type": "text", "text": "What is said?"}],
        [{"input_audio": {"data": "https://example.com/a.wav"}}],
    ]
    for content in rows:
        refused = generate(server, {"role": "user", "content": content})
        assert_refused(refused, 400, "InvalidParameter", MODAL)


def test_audio_is_a_url(server: LocalDashScope) -> None:
    rows: list[object] = [
        data_uri(wav())[13:],
        "data:audio/wav,RIFF",
        "data:;base64,not base64!",
        "file:///tmp/a.wav",
        "oss://dashscope-instant/a.wav",
        "",
        {"url": "https://example.com/a.wav"},
    ]
    for audio in rows:
        refused = generate(server, user({"audio": audio}))
        assert_refused(refused, 400, "InvalidParameter", INVALID_URL)


def test_the_last_message_is_no_answer(server: LocalDashScope) -> None:
    refused = generate(server, user(QUESTION), assistant("Hi"))
    assert_refused(refused, 500, "InternalError.Algo", "list index out of range")


def test_a_data_uri_has_10_mib_encoded(server: LocalDashScope) -> None:
    fits = "data:;base64,".ljust(10_485_760, "A")
    server.script("ok")
    assert text_of(generate(server, user({"audio": fits}))) == "ok"
    refused = generate(server, user({"audio": fits + "A"}))
    message = "Exceeded limit on max bytes per data-uri item : 10485760"
    assert_refused(refused, 400, "InvalidParameter", message)


def test_errors_are_json_when_a_stream_was_requested(server: LocalDashScope) -> None:
    response = generate(server, model="x", stream=True)
    assert response.status_code == 404
    assert json.loads(response.content)["code"] == "ModelNotFound"


def test_history_and_system_messages_are_taken(server: LocalDashScope) -> None:
    server.script("ok", "ok")
    system = {"role": "system", "content": [{"text": "Be brief."}]}
    history = [system, user({"audio": data_uri(wav())}), assistant("Hi"), user(QUESTION)]
    usage = generate(server, *history).json()["usage"]
    assert usage == {"input_tokens": 8, "audio_tokens": 25, "output_tokens": 1}
    result = {"role": "tool", "content": [{"text": "4"}]}
    assert text_of(generate(server, user(QUESTION), result)) == "ok"
