"""Images beside audio: in every block format for the models that see, refused for all others."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_qwen_audio import ChatQwenAudio, errors
from tests.unit_tests.conftest import invoke
from tests.unit_tests.recordings import QUESTION, TWO_WAYS, tone, wav

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

URL = "https://example.com/a%20b.png?x=1#t"
CLIP = base64.b64encode(wav(tone(0.5))).decode()
AUDIO = {"type": "audio", "base64": CLIP, "mime_type": "audio/wav"}
SENT_AUDIO = {
    "type": "input_audio",
    "input_audio": {"data": f"data:audio/wav;base64,{CLIP}", "format": "wav"},
}
TURBO, OMNI_3 = "qwen-omni-turbo", "qwen3-omni-flash"
OMNI_3_5, OMNI_3_8 = "qwen3.5-omni-flash", "qwen3.8-omni-flash"
SEE = [TURBO, OMNI_3, OMNI_3_5, "qwen3.5-omni-plus", OMNI_3_8]
BLIND = [
    *("qwen-audio-turbo", "qwen-audio-turbo-latest"),
    *("qwen3-asr-flash", "qwen3-omni-30b-a3b-captioner"),
]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# The beginnings of files, which is all that is looked at.
FILES = {
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(8),
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(8),
    "image/gif": b"GIF89a" + bytes(8),
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP" + bytes(8),
    "image/bmp": b"BM" + bytes(8),
}
PNG = FILES["image/png"]
PNG_URI = f"data:image/png;base64,{b64(PNG)}"
IMAGE = {"type": "image", "url": URL}


def model_at(server: LocalDashScope, name: str, **fields: Any) -> ChatQwenAudio:
    settings = {"base_url": server.base_url, "api_key": "local", "max_retries": 0, **fields}
    return ChatQwenAudio(model=name, **settings)


def seen(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


BLOCK_FORMATS: dict[str, tuple[dict[str, Any], str]] = {
    "v1 url": (IMAGE, URL),
    "v1 url with id, index and extras": (
        {**IMAGE, "id": "x", "index": 1, "extras": {"cache": True}},
        URL,
    ),
    "v1 url, http": ({"type": "image", "url": "http://h/a"}, "http://h/a"),
    "v1 url with a data URI": ({"type": "image", "url": PNG_URI}, PNG_URI),
    "v1 base64": ({"type": "image", "base64": b64(PNG), "mime_type": "image/png"}, PNG_URI),
    "v1 base64 with a data URI": (
        {"type": "image", "base64": PNG_URI, "mime_type": "image/png"},
        PNG_URI,
    ),
    "v0 url": ({"type": "image", "source_type": "url", "url": URL}, URL),
    "v0 base64": (
        {"type": "image", "source_type": "base64", "data": b64(PNG), "mime_type": "image/png"},
        PNG_URI,
    ),
    "bytes": ({"type": "image", "data": PNG, "mime_type": "image/png"}, PNG_URI),
    "openai image_url": ({"type": "image_url", "image_url": {"url": URL}}, URL),
    "openai image_url with a data URI": (
        {"type": "image_url", "image_url": {"url": PNG_URI}},
        PNG_URI,
    ),
    "openai image_url as str": ({"type": "image_url", "image_url": URL}, URL),
    "dashscope": ({"image": URL}, URL),
    "dashscope with a type": ({"type": "image", "image": URL}, URL),
    "non_standard": ({"type": "non_standard", "value": {"image": URL}}, URL),
}


@TWO_WAYS
def test_every_block_format_of_an_image_becomes_one_part_beside_the_audio(
    call_model: CallModel, server: LocalDashScope
) -> None:
    messages = [HumanMessage([AUDIO, block, QUESTION]) for block, _ in BLOCK_FORMATS.values()]
    before = copy.deepcopy(messages)
    call_model(model_at(server, OMNI_3_5), messages)
    assert messages == before, "the messages were changed"
    assert server.requests[0].json == {
        "model": OMNI_3_5,
        "messages": [
            {"role": "user", "content": [SENT_AUDIO, seen(url), QUESTION]}
            for _, url in BLOCK_FORMATS.values()
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_every_model_that_sees_takes_an_image_and_a_question(
    call_model: CallModel, server: LocalDashScope
) -> None:
    message = HumanMessage([IMAGE, QUESTION])
    for name in SEE:
        assert call_model(model_at(server, name), [message]).content == "ok", name
        on_wire = server.requests[-1].messages
        assert on_wire == [{"role": "user", "content": [seen(URL), QUESTION]}], name


def test_the_type_of_an_image_is_read_from_its_bytes(server: LocalDashScope) -> None:
    claims = ("", "image/png", "image/jpeg", "text/plain")
    blocks: list[Any] = [
        {"type": "image", "base64": b64(data), "mime_type": claimed}
        for data in FILES.values()
        for claimed in claims
    ]
    model_at(server, OMNI_3_8).invoke([HumanMessage(blocks)])
    assert server.requests[0].messages[0]["content"] == [
        seen(f"data:{mime_type};base64,{b64(data)}")
        for mime_type, data in FILES.items()
        for _ in claims
    ]


def test_an_image_of_another_type_is_what_it_claims_to_be(server: LocalDashScope) -> None:
    block = {"type": "image", "base64": b64(b"II*\x00"), "mime_type": "image/tiff"}
    model_at(server, OMNI_3_8).invoke([HumanMessage([block])])
    (part,) = server.requests[0].messages[0]["content"]
    assert part == seen(f"data:image/tiff;base64,{b64(b'II*' + bytes(1))}")


def test_the_order_of_several_images_and_clips_is_kept(server: LocalDashScope) -> None:
    second = {"type": "image", "base64": b64(PNG), "mime_type": "image/png"}
    model_at(server, OMNI_3_8).invoke(
        [HumanMessage([QUESTION, IMAGE, AUDIO, second, AUDIO, QUESTION])]
    )
    assert server.requests[0].messages[0]["content"] == [
        *(QUESTION, seen(URL), SENT_AUDIO, seen(PNG_URI), SENT_AUDIO, QUESTION)
    ]


def test_images_of_earlier_turns_stay(server: LocalDashScope) -> None:
    messages = [
        SystemMessage("Be brief"),
        HumanMessage([IMAGE, QUESTION]),
        AIMessage("A cat"),
        HumanMessage([AUDIO]),
    ]
    for name in (TURBO, OMNI_3, OMNI_3_5):
        model_at(server, name).invoke(messages)
        assert server.requests[-1].messages == [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [seen(URL), QUESTION]},
            {"role": "assistant", "content": "A cat"},
            {"role": "user", "content": [SENT_AUDIO]},
        ]


@TWO_WAYS
@pytest.mark.parametrize("blocks", [[AUDIO, IMAGE], [IMAGE, QUESTION, AUDIO]])
def test_an_image_and_audio_in_one_message_are_refused_where_they_do_not_mix(
    call_model: CallModel, server: LocalDashScope, blocks: list[Any]
) -> None:
    for name in (TURBO, "qwen2.5-omni-7b", OMNI_3, "qwen3-omni-flash-2025-12-01"):
        with pytest.raises(errors.MessageError, match="send the image by itself") as caught:
            call_model(model_at(server, name), [SystemMessage("Be brief"), HumanMessage(blocks)])
        assert caught.value.message.startswith(f"messages[1]: {name} takes text and one other kind")
    assert server.requests == []


def assert_is_refused(
    call_model: CallModel, server: LocalDashScope, name: str, image: dict[str, Any]
) -> None:
    with pytest.raises(errors.MessageError, match=r"messages\[0\]\.content\[1\]: .*text and audio"):
        call_model(model_at(server, name), [HumanMessage([AUDIO, image])])
    assert server.requests == []


@TWO_WAYS
def test_images_are_refused_where_they_are_not_seen(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name in BLIND:
        with subtests.test(name):
            assert_is_refused(call_model, server, name, IMAGE)


def test_images_are_refused_in_every_form(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, (block, _) in BLOCK_FORMATS.items():
        with subtests.test(name):
            assert_is_refused(invoke, server, BLIND[0], block)


NO_IMAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a path": ({"type": "image", "url": "C:/a.png"}, "not the beginning|http.* URL"),
    "an uploaded file": ({"type": "image", "url": "oss://bucket/a.png"}, "http.* URL, or base64"),
    "an id": ({"type": "image", "file_id": "file-1"}, "http.* URL, or base64"),
    "nothing": ({"type": "image", "url": ""}, "http.* URL, or base64"),
    "a number": ({"image": 1}, "http.* URL, or base64"),
    "a list": ({"type": "image_url", "image_url": {"url": [URL]}}, "http.* URL, or base64"),
    "another data URI": (
        {"type": "image", "url": "data:text/plain;base64,AAAA"},
        "http.* URL, or base64",
    ),
    "base64 of what is no image": (
        {"type": "image", "base64": b64(b"hello"), "mime_type": "text/plain"},
        "not the beginning of a known image",
    ),
    "a recording": (
        {"type": "image", "base64": CLIP, "mime_type": "audio/wav"},
        "not the beginning of a known image",
    ),
    "a document": (
        {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf"},
        "block of type 'file'",
    ),
}


def test_what_is_no_image_is_refused_with_its_place(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, (block, why) in NO_IMAGES.items():
        match = rf"messages\[0\]\.content\[1\]: .*({why})"
        with subtests.test(name), pytest.raises(errors.MessageError, match=match):
            invoke(model_at(server, OMNI_3_8), [HumanMessage([QUESTION, block])])
    assert server.requests == []


@pytest.mark.parametrize("name", [OMNI_3, OMNI_3_8])
def test_an_image_that_a_tool_returned_goes_into_a_users_message(
    server: LocalDashScope, name: str
) -> None:
    calls: list[Any] = [{"type": "tool_call", "id": "1", "name": "draw", "args": {}}]
    messages: list[Any] = []
    wire: list[dict[str, Any]] = []
    for block, url in BLOCK_FORMATS.values():
        result = ToolMessage([block], tool_call_id="1")
        messages += [HumanMessage("Draw"), AIMessage("", tool_calls=calls), result]
        wire += [
            {"role": "tool", "content": "[image: see the next message]", "tool_call_id": "1"},
            {"role": "user", "content": [seen(url)]},
        ]
    model_at(server, name).invoke(messages)
    sent = server.requests[0].messages
    assert [it for number, it in enumerate(sent) if number % 4 > 1] == wire


def test_images_go_along_natively_where_that_is_told(server: LocalDashScope) -> None:
    model = model_at(server, OMNI_3_8, protocol="native")
    with pytest.raises(errors.InvalidRequestError):  # the local test server has no such path
        model.invoke([HumanMessage([AUDIO, IMAGE, QUESTION])])
    assert server.requests[0].messages == [
        {
            "role": "user",
            "content": [
                {"audio": f"data:audio/wav;base64,{CLIP}"},
                {"image": URL},
                {"text": QUESTION["text"]},
            ],
        }
    ]
