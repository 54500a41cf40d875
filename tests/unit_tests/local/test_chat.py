"""Chats by the compatible path that are answered, and the wire they are answered on."""

import base64
import re
from typing import Any

import aiohttp
import httpx
import pytest

from langchain_qwen_audio.local import (
    END,
    LocalDashScope,
    RawReply,
    Reply,
    compatible_error_reply,
    compatible_stream_error_reply,
)

from ._client import (
    ASR,
    OMNI_3,
    OMNI_38,
    OMNI_TURBO,
    ask,
    chat,
    chat_request,
    chunks_of,
    clip,
    data_uri,
    deltas_of,
    get,
    message_of,
    said,
    text,
    text_of,
    user,
    wav,
)

SPEECH = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
USAGE = {"stream_options": {"include_usage": True}}
CALL = {"id": "c1", "name": "add", "arguments": '{"a": 1}'}


def test_answer_has_the_documented_shape(server: LocalDashScope) -> None:
    server.script(Reply("欢迎使用阿里云", request_id="r-1"))
    response = chat(server, user(clip(data_uri(wav())), text("What is said?")))
    body = response.json()
    assert isinstance(body.pop("created"), int)
    assert body == {
        "choices": [
            {
                "message": {"role": "assistant", "content": "欢迎使用阿里云"},
                "finish_reason": "stop",
                "index": 0,
                "logprobs": None,
            }
        ],
        "object": "chat.completion",
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "total_tokens": 18,
            "completion_tokens_details": {"text_tokens": 7},
            "prompt_tokens_details": {"audio_tokens": 7, "text_tokens": 4},
        },
        "system_fingerprint": None,
        "model": OMNI_38,
        "id": "chatcmpl-r-1",
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "r-1"


def chunk(choices: str, usage: str = "null") -> str:
    return (
        f'data: {{"choices":[{choices}],"object":"chat.completion.chunk","usage":{usage},'
        f'"created":1,"system_fingerprint":null,"model":"{OMNI_38}","id":"chatcmpl-r"}}\n\n'
    )


def choice(delta: str, finish: str = "null") -> str:
    return f'{{"delta":{delta},"finish_reason":{finish},"index":0,"logprobs":null}}'


def test_stream_is_exactly_these_bytes(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("这段", "云"), request_id="r"))
    response = chat(server, stream=True, **USAGE)
    usage = (
        '{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4,'
        '"completion_tokens_details":{"text_tokens":3},"prompt_tokens_details":{"text_tokens":1}}'
    )
    assert re.sub(r'"created":\d+', '"created":1', response.text) == (
        chunk(choice('{"content":"","role":"assistant"}'))
        + chunk(choice('{"content":"这段"}'))
        + chunk(choice('{"content":"云"}'))
        + chunk(choice('{"content":""}', '"stop"'))
        + chunk("", usage)
        + "data: [DONE]\n\n"
    )
    assert response.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert response.headers["x-request-id"] == "r"


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
def test_usage_comes_only_when_it_is_asked_for(
    server: LocalDashScope, options: dict[str, Any]
) -> None:
    server.script("ok")
    chunks = chunks_of(chat(server, stream=True, **options))
    assert all(it["choices"] and it["usage"] is None for it in chunks)


@pytest.mark.asyncio
async def test_another_client_reads_the_same(server: LocalDashScope) -> None:
    server.script("One two")
    arguments = chat_request(server, user(text("Hi")), stream=True)
    options = {name: arguments[name] for name in ("url", "headers", "json")}
    async with aiohttp.ClientSession() as session, session.post(**options) as response:
        lines = [line async for line in response.content]
    assert [line[:6] for line in lines[::2]] == [b"data: "] * 5
    assert set(lines[1::2]) == {b"\n"}
    assert lines[-2] == b"data: [DONE]\n"


def test_thoughts_come_first_without_content(server: LocalDashScope) -> None:
    server.script(*[Reply("The answer", reasoning="Let me see")] * 2)
    assert message_of(chat(server)) == {
        "role": "assistant",
        "content": "The answer",
        "reasoning_content": "Let me see",
    }
    _, *deltas, _, last = chunks_of(chat(server, stream=True, **USAGE))
    assert [it["choices"][0]["delta"] for it in deltas] == [
        {"content": None, "reasoning_content": "Let"},
        {"content": None, "reasoning_content": " me"},
        {"content": None, "reasoning_content": " see"},
        {"content": "The", "reasoning_content": None},
        {"content": " answer", "reasoning_content": None},
    ]
    assert last["usage"]["completion_tokens"] == 5
    assert last["usage"]["completion_tokens_details"] == {"text_tokens": 2, "reasoning_tokens": 3}


def test_calls_come_whole(server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[CALL, {"name": "now", "arguments": {"zone": "北京"}}]))
    body = chat(server).json()
    first, second = body["choices"][0]["message"]["tool_calls"]
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert body["choices"][0]["message"]["content"] == ""
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert first == {"index": 0, "id": "c1", "type": "function", "function": function}
    assert second["function"] == {"name": "now", "arguments": '{"zone": "北京"}'}
    assert re.fullmatch(r"call_[0-9a-f]{24}", second["id"])


def test_calls_stream_by_name_first_and_then_by_pieces_of_arguments(
    server: LocalDashScope,
) -> None:
    server.script(Reply("Now", tool_calls=[CALL, {"name": "now", "arguments": "{}"}]))
    chunks = chunks_of(chat(server, stream=True))
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    deltas = [it["choices"][0]["delta"] for it in chunks[1:-1]]
    assert deltas[0] == {"content": "Now"}
    assert deltas[1] == {
        "content": None,
        "tool_calls": [
            {
                "index": 0,
                "id": "c1",
                "type": "function",
                "function": {"name": "add", "arguments": ""},
            }
        ],
    }
    assert deltas[2]["tool_calls"] == [
        {"index": 0, "id": "", "type": "function", "function": {"arguments": "{"}}
    ]
    calls = [it["tool_calls"][0] for it in deltas[1:]]
    written = [
        "".join(c["function"]["arguments"] for c in calls if c["index"] == n) for n in (0, 1)
    ]
    assert written == ['{"a": 1}', "{}"]


def test_another_reason_to_finish_may_be_given(server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[CALL], finish_reason="length"))
    assert chat(server).json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("piece", [1, 3, 4, 7, 4096])
def test_speech_is_one_base64_text_cut_anywhere(server: LocalDashScope, piece: int) -> None:
    pcm = bytes(range(50))
    server.script(Reply("Hi", audio=pcm, audio_piece=piece))
    deltas = deltas_of(chat(server, model=OMNI_3, stream=True, **SPEECH))
    spoken = [it["audio"] for it in deltas if "audio" in it]
    pieces = [it["data"] for it in spoken]
    assert base64.b64decode("".join(pieces)) == pcm
    assert [len(it) for it in pieces[:-1]] == [piece] * (len(pieces) - 1)
    assert len({(it["id"], it["expires_at"]) for it in spoken}) == 1
    assert re.fullmatch(r"audio_[0-9a-f-]{36}", spoken[0]["id"])
    assert [it.get("content") for it in deltas[:2]] == ["", "Hi"]


def test_speech_costs_tokens_by_the_second(server: LocalDashScope) -> None:
    options = {"stream": True, **USAGE, **SPEECH}
    for model, tokens in ((OMNI_TURBO, 50), (OMNI_3, 25)):
        server.script(Reply("Hi", audio=bytes(96_000)))
        usage = chunks_of(chat(server, model=model, **options))[-1]["usage"]
        assert usage["completion_tokens_details"] == {"text_tokens": 1, "audio_tokens": tokens}
        assert usage["completion_tokens"] == 1 + tokens


def test_speech_is_cut_in_pieces_of_something() -> None:
    with pytest.raises(ValueError, match="audio_piece must be 1 or more, not 0"):
        Reply(audio=b"12", audio_piece=0)


def test_usage_and_model_can_be_replaced(server: LocalDashScope) -> None:
    server.script(*[Reply("a", usage={"x": 1}, model="m")] * 2)
    body = chat(server).json()
    assert (body["usage"], body["model"]) == ({"x": 1}, "m")
    *chunks, last = chunks_of(chat(server, stream=True, **USAGE))
    assert last["usage"] == {"x": 1}
    assert {it["usage"] for it in chunks} == {None}


def test_history_counts(server: LocalDashScope) -> None:
    server.script("ok")
    system = {"role": "system", "content": "Be brief."}
    one = user(clip(data_uri(wav())), text("One"))
    body = chat(server, system, one, said("Hi"), user(text("Two"))).json()
    assert body["usage"]["prompt_tokens_details"] == {"audio_tokens": 7, "text_tokens": 6}


def test_content_may_be_a_text_alone(server: LocalDashScope) -> None:
    server.script("ok", "ok")
    assert message_of(chat(server, {"role": "user", "content": "Hi"}))["content"] == "ok"
    parts = {"role": "assistant", "content": [text("Hi")]}
    response = chat(server, {"role": "user", "content": "Hi"}, parts, user(text("Hi")))
    assert message_of(response)["content"] == "ok"


def test_images_and_videos_are_taken(server: LocalDashScope) -> None:
    server.script("ok")
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    video = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
    frames = {"type": "video", "video": ["https://example.com/a.png"]}
    asked = user(image, video, frames, clip(data_uri(wav())), text("?"))
    assert message_of(chat(server, asked))["content"] == "ok"


def test_temporary_files_are_resolved(server: LocalDashScope) -> None:
    headers = {"x-dashscope-ossresourceresolve": "enable"}
    refused = chat(server, user(clip("oss://a/b.wav")), headers=headers)
    message = "Failed to download multimodal content: no such temporary file."
    assert refused.json()["error"]["message"] == message


def test_requests_are_logged_with_their_body(server: LocalDashScope) -> None:
    server.script("ok")
    chat(server, user(text("Hi")), seed=7, stream=True)
    (request,) = server.requests
    assert (request.kind, request.path) == ("chat", "/compatible-mode/v1/chat/completions")
    assert request.messages == [user(text("Hi"))]
    assert request.parameters == {"seed": 7, "stream": True}


def test_both_paths_take_from_the_same_queue(server: LocalDashScope) -> None:
    server.script("one", Reply("two"), lambda request: request.kind)
    assert text_of(ask(server)) == "one"
    assert message_of(chat(server))["content"] == "two"
    assert message_of(chat(server))["content"] == "chat"


# --- natively ---


def test_calls_natively(server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[CALL]))
    (choice,) = ask(server).json()["output"]["choices"]
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert choice == {
        "finish_reason": "tool_calls",
        "message": {
            "role": "assistant",
            "content": [],
            "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}],
        },
    }


@pytest.mark.parametrize("incremental", [True, False])
def test_calls_stream_natively(server: LocalDashScope, incremental: bool) -> None:
    server.script(Reply("Now", tool_calls=[CALL], request_id="r"))
    response = ask(server, stream=True, incremental_output=incremental)
    blocks = [block.split("\ndata:")[1] for block in response.text.split("\n\n")[:-1]]
    choices = [httpx.Response(200, text=it).json()["output"]["choices"][0] for it in blocks]
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


# --- faults ---


def test_errors_can_be_scripted(server: LocalDashScope) -> None:
    headers = {"retry-after": "1"}
    server.script(compatible_error_reply(429, "limit_requests", "Slow down.", headers=headers))
    response = chat(server)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    request_id = response.headers["x-request-id"]
    assert response.json() == {
        "error": {
            "message": "Slow down.",
            "type": "limit_requests",
            "code": "limit_requests",
            "param": None,
        },
        "request_id": request_id,
        "id": f"chatcmpl-{request_id}",
    }


def test_a_stream_can_fail(server: LocalDashScope) -> None:
    server.script(compatible_stream_error_reply(["a", "b"], "data_inspection_failed", "No."))
    response = chat(server, stream=True)
    *chunks, failure, rest = response.text.split("\n\n")
    assert (response.status_code, rest) == (200, "")
    assert [re.findall(r'"content":"(.*?)"', it) for it in chunks] == [[""], ["a"], ["b"]]
    assert failure.startswith('data: {"error":{"message":"No.","type":"invalid_request_error"')
    assert f'"request_id":"{response.headers["x-request-id"]}"' in failure


def test_a_stream_can_break(server: LocalDashScope) -> None:
    server.script(RawReply(steps=[b'data: {"choices":[]}\n\n', END]))
    with httpx.stream("POST", **chat_request(server, user(text("Hi")), model=ASR)) as response:
        assert response.status_code == 400  # a refused request takes no reply
    with (
        httpx.stream("POST", **chat_request(server, user(text("Hi")))) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        response.read()


def test_a_failing_function_is_told(server: LocalDashScope) -> None:
    server.script(lambda _: str(1 / 0))
    error = chat(server).json()["error"]
    assert (error["type"], error["code"]) == ("internal_error", "internal_error")
    assert "ZeroDivisionError" in error["message"]


def test_an_unknown_path_is_not_found(server: LocalDashScope) -> None:
    response = get(server.compatible_base_url + "/models")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
