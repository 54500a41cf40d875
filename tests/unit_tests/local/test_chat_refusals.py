"""Everything the compatible path refuses, with its status, its code and its words."""

from typing import Any

import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply

from ._client import (
    ASR,
    CAPTIONER,
    CHAT,
    OMNI_3,
    OMNI_35,
    OMNI_38,
    OMNI_TURBO,
    assert_chat_refused,
    chat,
    chunks_of,
    clip,
    data_uri,
    message_of,
    post,
    said,
    text,
    user,
    wav,
)

INVALID_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
INVALID = "Required parameter(s) missing or invalid, please check the request parameters."
STREAM_ONLY = (
    "This model only support stream mode, please enable the stream parameter to access the model."
)
PARTS = "Supported values are: 'text','image_url','video_url' and 'video'."
UNASKED = 'messages with role "tool" must be a response to a preceeding message with "tool_calls".'
CHOICE = "Input should be 'auto', 'none', 'required' or one of the tools: parameters.tool_choice"

AUDIO = clip(data_uri(wav(0.1)))
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
SPEECH = {"modalities": ["text", "audio"], "stream": True}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "3", "tool_call_id": "c1"}


def assert_invalid(response: Any, message: str) -> None:
    assert_chat_refused(response, 400, "invalid_parameter_error", message)
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["param"] is None


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer"}, {"authorization": "Basic k"}])
def test_a_key_is_required(server: LocalDashScope, header: dict[str, str]) -> None:
    response = post(server.compatible_base_url + CHAT, headers=header, json={})
    assert_chat_refused(response, 401, "invalid_api_key", "Invalid API-key provided.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", INVALID),
        (b"[]", INVALID),
        (b"{}", 'Required parameter "model" missing from request.'),
        (b'{"model":"qwen3.8-omni-flash"}', "Required input parameter missing from request."),
        (
            b'{"model":"qwen3.8-omni-flash","messages":[]}',
            "Required input parameter missing from request.",
        ),
        (b'{"model":"qwen3.8-omni-flash","messages":[1]}', INVALID),
    ],
)
def test_a_body_must_be_a_request(server: LocalDashScope, body: bytes, message: str) -> None:
    headers = {"authorization": "Bearer local"}
    url = server.compatible_base_url + CHAT
    assert_invalid(post(url, headers=headers, content=body), message)


# name: the messages, and what is said to them
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
        [user(AUDIO), {**said("Hi"), "audio": {"id": "audio_1"}}, user(AUDIO)],
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
    "a result that nobody asked for": ([user(text("Hi")), RESULT], UNASKED),
    "a result of another call": (
        [user(text("Hi")), CALLING, {**RESULT, "tool_call_id": "c2"}],
        UNASKED,
    ),
    "a result that comes late": ([CALLING, RESULT, user(text("Hi")), RESULT], UNASKED),
    "a call that is none": (
        [{**CALLING, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {}}}]}],
        "Input should be a valid tool call: messages.tool_calls",
    ),
}


@pytest.mark.parametrize(("messages", "message"), MESSAGES.values(), ids=MESSAGES)
def test_messages(server: LocalDashScope, messages: list[Any], message: str) -> None:
    assert_invalid(chat(server, *messages), message)


@pytest.mark.parametrize("form", ["wav", "mp3", "m4a", "opus", "amr", "3gp"])
def test_formats_have_names(server: LocalDashScope, form: str) -> None:
    server.script("ok")
    assert message_of(chat(server, user(clip(data_uri(wav()), format=form))))["content"] == "ok"


def test_the_last_message_asks(server: LocalDashScope) -> None:
    refused = chat(server, user(text("Hi")), said("Hi"))
    assert_chat_refused(refused, 500, "internal_error", "list index out of range")
    assert refused.json()["error"]["type"] == "internal_error"


def test_a_data_uri_has_10_mib_encoded(server: LocalDashScope) -> None:
    fits = "data:;base64,".ljust(10_485_760, "A")
    server.script("ok")
    assert message_of(chat(server, user(clip(fits))))["content"] == "ok"
    refused = chat(server, user(clip(fits + "A")))
    assert_invalid(refused, "Exceeded limit on max bytes per data-uri item : 10485760")


def not_supported(model: str, what: str) -> str:
    return f"The model `{model}` does not support {what}."


# name: the model, the messages, the other fields, and what is said to them
MODELS: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "turbo without a stream": (OMNI_TURBO, [], {}, STREAM_ONLY),
    "3 without a stream": (OMNI_3, [], {"stream": False}, STREAM_ONLY),
    "3.5 without a stream": (OMNI_35, [], {}, STREAM_ONLY),
    "options of a stream without one": (
        OMNI_38,
        [],
        {"stream_options": {"include_usage": True}},
        "The 'stream_options' parameter is only allowed when 'stream' is true.",
    ),
    "speech without a stream": (
        OMNI_35,
        [],
        {"modalities": ["text", "audio"]},
        "'audio' output only support with stream=true",
    ),
    "speech of a model that has none": (
        OMNI_38,
        [],
        SPEECH,
        not_supported(OMNI_38, "'audio' output"),
    ),
    "speech of speech recognition": (
        ASR,
        [user(AUDIO)],
        SPEECH,
        not_supported(ASR, "'audio' output"),
    ),
    "speech alone": (
        OMNI_3,
        [],
        {"modalities": ["audio"], "stream": True},
        "Input should be ['text'] or ['text','audio']: parameters.modalities",
    ),
    "a voice that turbo has not": (
        OMNI_TURBO,
        [],
        {**SPEECH, "audio": {"voice": "Tina", "format": "wav"}},
        "Input should be 'Cherry', 'Serena', 'Ethan' or 'Chelsie': parameters.audio.voice",
    ),
    "speech in another format": (
        OMNI_3,
        [],
        {**SPEECH, "audio": {"voice": "Tina", "format": "mp3"}},
        "Input should be 'wav': parameters.audio.format",
    ),
    "a voice that is no object": (
        OMNI_3,
        [],
        {**SPEECH, "audio": "Tina"},
        "Input should be a valid dictionary: parameters.audio",
    ),
    "speech of turbo after a system message": (
        OMNI_TURBO,
        [SYSTEM, user(AUDIO)],
        SPEECH,
        "'audio' output is not supported with a system message.",
    ),
    "speech with thoughts": (
        OMNI_3,
        [],
        {**SPEECH, "enable_thinking": True},
        "'audio' output is not supported when enable_thinking is true.",
    ),
    "speech with tools": (
        OMNI_35,
        [],
        {**SPEECH, "tools": [TOOL]},
        "'audio' output is not supported with tools.",
    ),
    "tools of turbo": (
        OMNI_TURBO,
        [],
        {"stream": True, "tools": [TOOL]},
        not_supported(OMNI_TURBO, "tools"),
    ),
    "tools of the captioner": (
        CAPTIONER,
        [user(AUDIO)],
        {"tools": [TOOL]},
        not_supported(CAPTIONER, "tools"),
    ),
    "two clips for turbo": (
        OMNI_TURBO,
        [user(AUDIO, AUDIO)],
        {"stream": True},
        f"The model `{OMNI_TURBO}` takes 1 audio per message.",
    ),
    "two clips for 3": (
        OMNI_3,
        [user(AUDIO, text("?"), AUDIO)],
        {"stream": True},
        f"The model `{OMNI_3}` takes 1 audio per message.",
    ),
    "an image and audio for turbo": (
        OMNI_TURBO,
        [user(AUDIO, IMAGE)],
        {"stream": True},
        f"The model `{OMNI_TURBO}` takes text and one other modality per message.",
    ),
    "an image and audio for 3": (
        OMNI_3,
        [user(AUDIO, IMAGE, text("?"))],
        {"stream": True},
        f"The model `{OMNI_3}` takes text and one other modality per message.",
    ),
    "no tools": (OMNI_38, [], {"tools": []}, "[] is too short - 'tools'"),
    "tools in no list": (
        OMNI_38,
        [],
        {"tools": TOOL},
        "Input should be a valid list: parameters.tools",
    ),
    "a tool without its wrapping": (
        OMNI_38,
        [],
        {"tools": [TOOL["function"]]},
        "Input should be a valid function: parameters.tools",
    ),
    "a choice that is none": (
        OMNI_38,
        [],
        {"tools": [TOOL], "tool_choice": "any"},
        CHOICE,
    ),
    "a tool that is not there": (
        OMNI_38,
        [],
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
        CHOICE,
    ),
}


@pytest.mark.parametrize(("model", "messages", "fields", "message"), MODELS.values(), ids=MODELS)
def test_models(
    server: LocalDashScope, model: str, messages: list[Any], fields: dict[str, Any], message: str
) -> None:
    assert_invalid(chat(server, *messages, model=model, **fields), message)


# name: the model, the messages and the other fields
TAKEN: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "a clip in each of two messages": (OMNI_3, [user(AUDIO), said("Hi"), user(AUDIO)], {}),
    "an image after a clip": (OMNI_TURBO, [user(AUDIO), said("Hi"), user(IMAGE)], {}),
    "many clips and an image": (OMNI_35, [user(AUDIO, IMAGE, AUDIO, text("?"))], {}),
    "speech of 3 after a system message": (OMNI_3, [SYSTEM, user(AUDIO)], SPEECH),
    "a system message for turbo": (OMNI_TURBO, [SYSTEM, user(AUDIO)], {}),
    "a voice that turbo has": (OMNI_TURBO, [], {**SPEECH, "audio": {"voice": "Ethan"}}),
    "any voice": (OMNI_35, [], {**SPEECH, "audio": {"voice": "Any", "format": "wav"}}),
    "no thoughts": (OMNI_TURBO, [], {"enable_thinking": True}),
    "a call without tools": (OMNI_38, [user(text("Hi")), CALLING, RESULT], {}),
    "a stream of any": (CAPTIONER, [user(AUDIO)], {}),
}


@pytest.mark.parametrize(("model", "messages", "fields"), TAKEN.values(), ids=TAKEN)
def test_what_is_taken(
    server: LocalDashScope, model: str, messages: list[Any], fields: dict[str, Any]
) -> None:
    server.script(Reply("ok"))
    chunks_of(chat(server, *messages, model=model, **{"stream": True, **fields}))


def test_errors_are_json_when_a_stream_was_asked_for(server: LocalDashScope) -> None:
    response = chat(server, model="x", stream=True)
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]["code"] == "model_not_found"
