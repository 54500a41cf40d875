"""The OpenAI-compatible path: what it refuses, and the bytes of its replies."""

import base64
import re
from typing import Any

import aiohttp
import pytest

from langchain_qwen_audio.local import (
    LocalDashScope,
    Reply,
    compatible_error_reply,
    compatible_stream_error_reply,
)
from tests.unit_tests.local._client import (
    ASR,
    CHAT,
    OMNI_3,
    OMNI_38,
    OMNI_TURBO,
    assert_chat_refused,
    assert_chunks,
    assistant_text,
    chat,
    chat_request,
    clip,
    data_uri,
    deltas_of,
    message_of,
    post,
    text,
    user,
    wav,
)

SPEECH = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
USAGE = {"stream_options": {"include_usage": True}}
ANNOTATIONS = [{"type": "audio_info", "language": "zh", "emotion": "neutral"}]
CALL = {"id": "c1", "name": "add", "arguments": '{"a": 1}'}


def test_a_reply_has_the_documented_shape(server: LocalDashScope) -> None:
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
def test_usage_comes_only_on_request(server: LocalDashScope, options: dict[str, Any]) -> None:
    server.script("ok")
    chunks = assert_chunks(chat(server, stream=True, **options))
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


def test_reasoning_comes_first_without_content(server: LocalDashScope) -> None:
    server.script(*[Reply("The answer", reasoning="Let me see")] * 2)
    assert message_of(chat(server)) == {
        "role": "assistant",
        "content": "The answer",
        "reasoning_content": "Let me see",
    }
    _, *deltas, _, last = assert_chunks(chat(server, stream=True, **USAGE))
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
    chunks = assert_chunks(chat(server, stream=True))
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
def test_speech_is_one_base64_text_split_anywhere(server: LocalDashScope, piece: int) -> None:
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
        usage = assert_chunks(chat(server, model=model, **options))[-1]["usage"]
        assert usage["completion_tokens_details"] == {"text_tokens": 1, "audio_tokens": tokens}
        assert usage["completion_tokens"] == 1 + tokens


def test_usage_and_model_can_be_replaced(server: LocalDashScope) -> None:
    server.script(*[Reply("a", usage={"x": 1}, model="m")] * 2)
    body = chat(server).json()
    assert (body["usage"], body["model"]) == ({"x": 1}, "m")
    *chunks, last = assert_chunks(chat(server, stream=True, **USAGE))
    assert last["usage"] == {"x": 1}
    assert {it["usage"] for it in chunks} == {None}


def test_recognition_has_annotations_and_seconds(server: LocalDashScope) -> None:
    server.script(*[Reply("One two", annotations=ANNOTATIONS)] * 2)
    asr = {"model": ASR, "asr_options": {"language": "zh", "enable_itn": False}}
    body = chat(server, user(clip(data_uri(wav()))), **asr).json()
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "One two",
        "annotations": ANNOTATIONS,
    }
    assert body["usage"] == {
        "prompt_tokens": 25,
        "completion_tokens": 2,
        "total_tokens": 27,
        "completion_tokens_details": {"text_tokens": 2},
        "prompt_tokens_details": {"audio_tokens": 25, "text_tokens": 0},
        "seconds": 1,
    }
    first, *deltas = deltas_of(chat(server, user(clip(data_uri(wav()))), stream=True, **asr))
    assert first == {"content": "", "role": "assistant", "annotations": ANNOTATIONS}
    assert [it["content"] for it in deltas] == ["One", " two", ""]
    assert all((it["role"], it["annotations"]) == (None, ANNOTATIONS) for it in deltas)


def test_history_counts(server: LocalDashScope) -> None:
    server.script("ok")
    system = {"role": "system", "content": "Be brief."}
    one = user(clip(data_uri(wav())), text("One"))
    body = chat(server, system, one, assistant_text("Hi"), user(text("Two"))).json()
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
    frames = {"type": "video", "video": ["https://example.com/a.png"] * 2, "fps": 2}
    message = user(image, video, frames, clip(data_uri(wav())), text("?"))
    assert message_of(chat(server, message))["content"] == "ok"


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


# --- what is refused ---

INVALID_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
INVALID = "Required parameter(s) missing or invalid, please check the request parameters."
PARTS = "Supported values are: 'text','image_url','video_url' and 'video'."
UNKNOWN_CALL = (
    'messages with role "tool" must be a response to a preceeding message with "tool_calls".'
)

AUDIO = clip(data_uri(wav(0.1)))
WRITTEN_CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [WRITTEN_CALL]}
RESULT = {"role": "tool", "content": "3", "tool_call_id": "c1"}


def assert_invalid(response: Any, message: str) -> None:
    assert_chat_refused(response, 400, "invalid_parameter_error", message)
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["param"] is None


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer"}, {"authorization": "Basic k"}])
def test_a_key_is_required(server: LocalDashScope, header: dict[str, str]) -> None:
    response = post(server.compatible_base_url + CHAT, headers=header, json={})
    assert_chat_refused(response, 401, "invalid_api_key", "Invalid API-key provided.")


def test_a_body_must_be_a_request(server: LocalDashScope) -> None:
    rows: list[tuple[bytes, str]] = [
        (b"{", INVALID),
        (b"[]", INVALID),
        (b"{}", 'Required parameter "model" missing from request.'),
        (b'{"model":"qwen3.8-omni-flash"}', "Required input parameter missing from request."),
        (
            b'{"model":"qwen3.8-omni-flash","messages":[]}',
            "Required input parameter missing from request.",
        ),
        (b'{"model":"qwen3.8-omni-flash","messages":[1]}', INVALID),
    ]
    for body, message in rows:
        headers = {"authorization": "Bearer local"}
        url = server.compatible_base_url + CHAT
        assert_invalid(post(url, headers=headers, content=body), message)


# name: the messages, and the error
MESSAGES: dict[str, tuple[list[Any], str]] = {
    "raw base64": ([user(clip(data_uri(wav())[13:], format="wav"))], INVALID_URL),
    "a data URI without base64": ([user(clip("data:audio/wav,RIFF"))], INVALID_URL),
    "broken base64": ([user(clip("data:;base64,not base64!"))], INVALID_URL),
    "a path": ([user(clip("file:///tmp/a.wav"))], INVALID_URL),
    "a temporary file without its header": ([user(clip("oss://a/b.wav"))], INVALID_URL),
    "no audio": ([user({"type": "input_audio", "input_audio": {"data": None}})], INVALID_URL),
    "an image's path": (
        [user({"type": "image_url", "image_url": {"url": "/tmp/a.png"}})],  # noqa: S108
        INVALID_URL,
    ),
    "a video's path": (
        [user({"type": "video_url", "video_url": {"url": "/tmp/a.mp4"}})],  # noqa: S108
        INVALID_URL,
    ),
    "a frame's path": (
        [user({"type": "video", "video": ["https://h/a.png", "/tmp/a.png"]})],  # noqa: S108
        INVALID_URL,
    ),
    "a frame that is none": ([user({"type": "video", "video": [1, 2]})], INVALID_URL),
    "a video that is none": (
        [user({"type": "video", "video": "https://h/a.mp4"})],
        "Input should be a valid dictionary: content.video",
    ),
    "audio without data": (
        [user({"type": "input_audio", "input_audio": {"format": "wav"}})],
        "Input should be a valid dictionary: content.input_audio",
    ),
    "text that is none": (
        [user({"type": "text", "text": 1})],
        "Input should be a valid dictionary: content.text",
    ),
    "a format that is none": (
        [user(clip(data_uri(wav()), format="mpeg"))],
        "Unsupported format: mpeg: input_audio.format",
    ),
    "a part of another protocol": (
        [user({"type": "audio_url", "audio_url": {"url": "data:;base64,"}})],
        f"Invalid value: audio_url. {PARTS}",
    ),
    "a native part": ([user({"audio": "data:;base64,"})], INVALID),
    "a text among the parts": ([user("Hi")], INVALID),
    "no content": (
        [{"role": "user"}],
        "Input should be a valid string or list: messages.0.content",
    ),
    "a content that is one part": (
        [{"role": "user", "content": text("Hi")}],
        "Input should be a valid string or list: messages.0.content",
    ),
    "an unknown role": (
        [{"role": "developer", "content": "Hi"}],
        "developer is not one of ['system', 'assistant', 'user', 'tool'] - 'messages.0.role'",
    ),
    "audio of the assistant": (
        [user(AUDIO), {"role": "assistant", "content": [AUDIO]}, user(AUDIO)],
        "A message of the role assistant should be text.",
    ),
    "speech of the assistant": (
        [user(AUDIO), {**assistant_text("Hi"), "audio": {"id": "audio_1"}}, user(AUDIO)],
        "An assistant message should be text.",
    ),
    "audio in a system message": (
        [{"role": "system", "content": [AUDIO]}, user(AUDIO)],
        "A message of the role system should be text.",
    ),
    "audio of a tool": (
        [user(text("Hi")), CALLING, {**RESULT, "content": [AUDIO]}],
        "A message of the role tool should be text.",
    ),
    "a result without a call": ([user(text("Hi")), RESULT], UNKNOWN_CALL),
    "a result of another call": (
        [user(text("Hi")), CALLING, {**RESULT, "tool_call_id": "c2"}],
        UNKNOWN_CALL,
    ),
    "a result that comes late": ([CALLING, RESULT, user(text("Hi")), RESULT], UNKNOWN_CALL),
    "a call that is none": (
        [{**CALLING, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {}}}]}],
        "Input should be a valid tool call: messages.tool_calls",
    ),
}


def test_messages_are_refused(server: LocalDashScope) -> None:
    for messages, message in MESSAGES.values():
        assert_invalid(chat(server, *messages), message)


def test_formats_have_names(server: LocalDashScope) -> None:
    for form in ("wav", "mp3", "m4a", "opus", "amr", "3gp"):
        server.script("ok")
        reply = chat(server, user(clip(data_uri(wav()), format=form)))
        assert message_of(reply)["content"] == "ok", form


def test_the_last_message_is_no_answer(server: LocalDashScope) -> None:
    refused = chat(server, user(text("Hi")), assistant_text("Hi"))
    assert_chat_refused(refused, 500, "internal_error", "list index out of range")
    assert refused.json()["error"]["type"] == "internal_error"


def test_a_data_uri_has_10_mib_encoded(server: LocalDashScope) -> None:
    fits = "data:;base64,".ljust(10_485_760, "A")
    server.script("ok")
    assert message_of(chat(server, user(clip(fits))))["content"] == "ok"
    refused = chat(server, user(clip(fits + "A")))
    assert_invalid(refused, "Exceeded limit on max bytes per data-uri item : 10485760")


def test_errors_are_json_when_a_stream_was_requested(server: LocalDashScope) -> None:
    response = chat(server, model="x", stream=True)
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]["code"] == "model_not_found"


TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CHOICE = "Input should be 'auto', 'none', 'required' or one of the tools: parameters.tool_choice"
# name: the fields, and the error
FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "options of a stream without one": (
        {"stream_options": {"include_usage": True}},
        "The 'stream_options' parameter is only allowed when 'stream' is true.",
    ),
    "no tools": ({"tools": []}, "[] is too short - 'tools'"),
    "tools in no list": ({"tools": TOOL}, "Input should be a valid list: parameters.tools"),
    "a tool without its wrapping": (
        {"tools": [TOOL["function"]]},
        "Input should be a valid function: parameters.tools",
    ),
    "a choice that is none": ({"tools": [TOOL], "tool_choice": "any"}, CHOICE),
    "a tool that is not there": (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
        CHOICE,
    ),
    "speech alone": (
        {"modalities": ["audio"], "stream": True},
        "Input should be ['text'] or ['text','audio']: parameters.modalities",
    ),
    "a voice that is no object": (
        {"modalities": ["text", "audio"], "stream": True, "audio": "Tina"},
        "Input should be a valid dictionary: parameters.audio",
    ),
}


def test_fields_are_refused(server: LocalDashScope) -> None:
    for fields, message in FIELDS.values():
        assert_invalid(chat(server, **fields), message)
