"""What LangChain users write → the exact JSON on the wire, through the public model."""

from __future__ import annotations

import base64
import copy
import functools
import io
import logging
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool

import langchain_qwen_audio
from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._media.local_files import path_of_file_url
from langchain_qwen_audio._media.mime_types import normalize_mime_type
from langchain_qwen_audio.errors import AudioError, MessageError
from tests.unit_tests.conftest import astream, invoke
from tests.unit_tests.fuzz import deep
from tests.unit_tests.recordings import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

WELCOME = Path(langchain_qwen_audio.__file__).parent / "samples" / "welcome.wav"
URL = "https://example.com/a%20b.wav?x=1#t=2"
QUESTION = {"type": "text", "text": "What is said?"}
ADD: Any = {"type": "tool_call", "id": "1", "name": "add", "args": {"a": "é"}}
ADD_ON_WIRE = {
    "id": "1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": "é"}'},
}
SEE_NEXT = [{"text": "[audio: see the next message]"}]


@functools.cache
def clip(container: str, codec: str, rate: int = 16_000, samples: int = 8_000) -> bytes:
    """Some silence, really encoded."""
    file = io.BytesIO()
    # Without the encoder's own remarks, so that a WAV is nothing but header and samples.
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as output:
        stream: Any = output.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame(stream.format.name, layout="mono", samples=samples)
        frame.sample_rate = rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_uri(data: bytes, mime_type: str) -> str:
    return f"data:{mime_type};base64,{b64(data)}"


WAV = clip("wav", "pcm_s16le")
MP3 = clip("mp3", "libmp3lame")
WAV_URI = data_uri(WAV, "audio/wav")
MP3_URI = data_uri(MP3, "audio/mpeg")


def sent(call_model: CallModel, server: LocalDashScope, messages: Any) -> list[dict[str, Any]]:
    """Call the model; return the messages on the wire; the rest of the body is as always."""
    server.clear()
    before = copy.deepcopy(messages)
    call_model(ChatQwenAudio(base_url=server.base_url, api_key="local", local_files=True), messages)
    assert messages == before, "the messages were changed"
    (request,) = server.requests
    incremental = {"incremental_output": True} if "stream" in call_model.__name__ else {}
    assert request.json == {
        "model": "qwen-audio-turbo-latest",
        "input": {"messages": request.messages},
        "parameters": {"result_format": "message", **incremental},
    }
    return request.messages


def assert_refused(
    call_model: CallModel, server: LocalDashScope, messages: Any, error: type[Exception], match: str
) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", local_files=True)
    with pytest.raises(error, match=match):
        call_model(model, messages)
    assert server.requests == [], "a refused message was sent"


# --- audio in every block format --------------------------------------------------------------

BLOCK_FORMATS: dict[str, tuple[dict[str, Any], str]] = {
    "v1 url": ({"type": "audio", "url": URL}, URL),
    "v1 url with id, index and extras": (
        {"type": "audio", "url": URL, "id": "x", "index": 1, "extras": {"cache": True}},
        URL,
    ),
    "v1 url with a data URI": ({"type": "audio", "url": WAV_URI}, WAV_URI),
    "v1 url, scheme in capitals": ({"type": "audio", "url": "HTTPS://h/a"}, "https://h/a"),
    "v1 base64": ({"type": "audio", "base64": b64(WAV), "mime_type": "audio/wav"}, WAV_URI),
    "v1 base64 without type": ({"type": "audio", "base64": b64(WAV)}, WAV_URI),
    "v1 base64 with a data URI": ({"type": "audio", "base64": WAV_URI}, WAV_URI),
    "v1 base64 in lines": ({"type": "audio", "base64": base64.encodebytes(WAV).decode()}, WAV_URI),
    "v1 base64 without padding": ({"type": "audio", "base64": b64(MP3).rstrip("=")}, MP3_URI),
    "v1 base64 in the URL-safe alphabet": (
        {"type": "audio", "base64": base64.urlsafe_b64encode(MP3).decode()},
        MP3_URI,
    ),
    "v1 file_id with a URL": ({"type": "audio", "file_id": URL}, URL),
    "v0 url": ({"type": "audio", "source_type": "url", "url": URL}, URL),
    "v0 base64": (
        {"type": "audio", "source_type": "base64", "data": b64(WAV), "mime_type": "audio/wav"},
        WAV_URI,
    ),
    "v0 id": ({"type": "audio", "source_type": "id", "id": URL}, URL),
    "openai input_audio": (
        {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}},
        WAV_URI,
    ),
    "openai input_audio with a data URI": (
        {"type": "input_audio", "input_audio": {"data": MP3_URI, "format": "mp3"}},
        MP3_URI,
    ),
    "openai input_audio with a URL": (
        {"type": "input_audio", "input_audio": {"data": URL, "format": "wav"}},
        URL,
    ),
    "openai input_audio without format": (
        {"type": "input_audio", "input_audio": {"data": b64(MP3)}},
        MP3_URI,
    ),
    "media with base64": (
        {"type": "media", "mime_type": "audio/wav", "data": b64(WAV)},
        WAV_URI,
    ),
    "media with bytes": ({"type": "media", "mime_type": "audio/wav", "data": WAV}, WAV_URI),
    "media with a URI": ({"type": "media", "mime_type": "audio/wav", "file_uri": URL}, URL),
    "v1 file with base64": (
        {"type": "file", "mime_type": "audio/wav", "base64": b64(WAV)},
        WAV_URI,
    ),
    "v1 file with url": ({"type": "file", "mime_type": "audio/wav", "url": URL}, URL),
    "v0 file with base64": (
        {"type": "file", "source_type": "base64", "data": b64(MP3), "mime_type": "audio/mpeg"},
        MP3_URI,
    ),
    "v0 file with url": (
        {"type": "file", "source_type": "url", "url": URL, "mime_type": "audio/mpeg"},
        URL,
    ),
    "openai file": (
        {"type": "file", "file": {"filename": "a.wav", "file_data": WAV_URI}},
        WAV_URI,
    ),
    "openai file without name": ({"type": "file", "file": {"file_data": MP3_URI}}, MP3_URI),
    "v1 file without information": (
        {"type": "file", "mime_type": "application/octet-stream", "base64": b64(WAV)},
        WAV_URI,
    ),
    "v1 file without a label": ({"type": "file", "base64": b64(WAV)}, WAV_URI),
    "v1 file with a wrong label": (
        {"type": "file", "mime_type": "image/png", "base64": b64(WAV)},
        WAV_URI,
    ),
    "v1 file with a URL that says nothing": (
        {"type": "file", "mime_type": "application/octet-stream", "url": URL},
        URL,
    ),
    "v1 file with a data URI": (
        {"type": "file", "url": WAV_URI.replace("audio/wav", "text/plain")},
        WAV_URI,
    ),
    "media without information": (
        {"type": "media", "mime_type": "application/octet-stream", "data": WAV},
        WAV_URI,
    ),
    "media with a wrong label": (
        {"type": "media", "mime_type": "video/avi", "data": b64(MP3)},
        MP3_URI,
    ),
    "openai file with a wrong label": (
        {"type": "file", "file": {"file_data": MP3_URI.replace("audio/mpeg", "text/plain")}},
        MP3_URI,
    ),
    "audio_url": ({"type": "audio_url", "audio_url": {"url": URL}}, URL),
    "audio_url with a data URI": ({"type": "audio_url", "audio_url": {"url": WAV_URI}}, WAV_URI),
    "audio_url as str": ({"type": "audio_url", "audio_url": URL}, URL),
    "dashscope": ({"audio": URL}, URL),
    "dashscope with a data URI": ({"audio": WAV_URI}, WAV_URI),
    "dashscope with a type": ({"type": "audio", "audio": URL}, URL),
    "non_standard": ({"type": "non_standard", "value": {"audio": URL}}, URL),
    "model card of Qwen2-Audio": ({"type": "audio", "audio_url": URL}, URL),
    "gemini inline_data": ({"inline_data": {"mime_type": "audio/wav", "data": b64(WAV)}}, WAV_URI),
    "gemini inline_data with bytes": (
        {"inline_data": {"mime_type": "audio/wav", "data": WAV}},
        WAV_URI,
    ),
    "gemini inlineData": ({"inlineData": {"mimeType": "audio/mp3", "data": b64(MP3)}}, MP3_URI),
    "gemini file_data": ({"file_data": {"mime_type": "audio/wav", "file_uri": URL}}, URL),
    "gemini fileData": ({"fileData": {"mimeType": "audio/wav", "fileUri": URL}}, URL),
    "like anthropic's images": (
        {
            "type": "audio",
            "source": {"type": "base64", "media_type": "audio/wav", "data": b64(WAV)},
        },
        WAV_URI,
    ),
    "like anthropic's images at URLs": (
        {"type": "audio", "source": {"type": "url", "url": URL}},
        URL,
    ),
    "like anthropic's documents": (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "audio/wav", "data": b64(WAV)},
        },
        WAV_URI,
    ),
    "bedrock with bytes": ({"audio": {"format": "wav", "source": {"bytes": WAV}}}, WAV_URI),
    "bedrock with base64": ({"audio": {"format": "wav", "source": {"bytes": b64(WAV)}}}, WAV_URI),
    "ai sdk file": ({"type": "file", "mediaType": "audio/wav", "data": b64(WAV)}, WAV_URI),
    "ai sdk file with a data URI": (
        {"type": "file", "mediaType": "audio/wav", "url": WAV_URI},
        WAV_URI,
    ),
    "ai sdk file at a URL": ({"type": "file", "mediaType": "audio/wav", "data": URL}, URL),
    "ai sdk 4 file": ({"type": "file", "mimeType": "audio/wav", "data": b64(WAV)}, WAV_URI),
    "langchain.js": ({"type": "audio", "mimeType": "audio/wav", "data": b64(WAV)}, WAV_URI),
    "mcp audio": ({"type": "audio", "data": b64(WAV), "mimeType": "audio/wav"}, WAV_URI),
    "mcp resource": (
        {
            "type": "resource",
            "resource": {"uri": "a://b", "mimeType": "audio/wav", "blob": b64(WAV)},
        },
        WAV_URI,
    ),
    "mistral": ({"type": "input_audio", "input_audio": b64(MP3)}, MP3_URI),
    "pydantic ai binary": (
        {"kind": "binary", "data": b64(WAV), "media_type": "audio/wav"},
        WAV_URI,
    ),
    "pydantic ai url": ({"kind": "audio-url", "url": URL}, URL),
    "llama-index": ({"block_type": "audio", "audio": b64(WAV), "format": "wav"}, WAV_URI),
    "llama-index at a URL": ({"block_type": "audio", "audio": None, "url": URL}, URL),
}
# Sync and async differ only in what follows the encoder; these two go through all of it.
two_ways = pytest.mark.parametrize("call_model", [invoke, astream], ids=["invoke", "astream"])


@two_ways
def test_every_block_format_of_audio_becomes_one_element(
    call_model: CallModel, server: LocalDashScope
) -> None:
    messages = [HumanMessage([block, QUESTION]) for block, _ in BLOCK_FORMATS.values()]
    assert sent(call_model, server, messages) == [
        {"role": "user", "content": [{"audio": expected}, {"text": "What is said?"}]}
        for _, expected in BLOCK_FORMATS.values()
    ]


def test_every_block_format_of_audio_is_taken_in_an_answer(server: LocalDashScope) -> None:
    hear = {"type": "text", "text": "Hear:"}
    answers = [AIMessage([hear, block]) for block, _ in BLOCK_FORMATS.values()]
    assert sent(invoke, server, [*answers, HumanMessage("Again")])[:-1] == [
        {"role": "assistant", "content": [{"text": "Hear:"}, {"audio": expected}]}
        for _, expected in BLOCK_FORMATS.values()
    ]


def test_every_block_format_of_audio_in_a_tool_message_moves_to_the_user(
    server: LocalDashScope,
) -> None:
    for name, (block, expected) in BLOCK_FORMATS.items():
        messages = [
            HumanMessage("Go"),
            AIMessage("", tool_calls=[ADD]),
            ToolMessage([block], tool_call_id="1"),
        ]
        assert sent(invoke, server, messages)[2:] == [
            {"role": "tool", "content": SEE_NEXT, "tool_call_id": "1"},
            {"role": "user", "content": [{"audio": expected}]},
        ], name


def test_audio_alone_is_a_question(call_model: CallModel, server: LocalDashScope) -> None:
    messages = [HumanMessage([Audio.from_path(WELCOME).to_block()])]
    assert sent(call_model, server, messages) == [
        {"role": "user", "content": [{"audio": data_uri(WELCOME.read_bytes(), "audio/wav")}]}
    ]


def test_messages_as_dicts_and_tuples_are_taken(server: LocalDashScope) -> None:
    messages = [
        {"role": "system", "content": "Be brief"},
        ("human", [{"type": "audio", "url": URL}]),
    ]
    assert sent(invoke, server, messages) == [
        {"role": "system", "content": [{"text": "Be brief"}]},
        {"role": "user", "content": [{"audio": URL}]},
    ]


# --- the type of a clip -----------------------------------------------------------------------

CLAIMS = [
    (WAV, "audio/wav", ["", "audio/wav", "AUDIO/WAV", "audio/x-wav", "audio/wave"]),
    (WAV, "audio/wav", ["audio/vnd.wave", "audio/x-pn-wav", "audio/wav; codecs=1"]),
    (MP3, "audio/mpeg", ["audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/x-mpeg"]),
    (clip("3gp", "aac"), "audio/3gpp", ["audio/3gpp", "audio/3gp"]),
    (clip("adts", "aac"), "audio/aac", ["audio/aac", "audio/aacp", "audio/x-aac"]),
    (read("pyav.amr"), "audio/amr", ["audio/amr"]),
]
# The service does not document these, so that what travels may be something else.
CLAIMS_OF_OTHERS = [
    (clip("ipod", "aac"), "audio/mp4", ["audio/mp4", "audio/m4a", "audio/x-m4a", "video/mp4"]),
    (
        clip("webm", "libopus", 48_000),
        "audio/webm",
        ["audio/webm", "audio/webm;codecs=opus", "video/webm"],
    ),
    (
        clip("ogg", "libopus", 48_000),
        "audio/ogg",
        ["audio/ogg", "audio/opus", "application/ogg", "audio/ogg; codecs=opus"],
    ),
    (clip("flac", "flac"), "audio/flac", ["audio/flac", "audio/x-flac"]),
    (clip("aiff", "pcm_s16be"), "audio/aiff", ["audio/aiff", "audio/x-aiff"]),
]


def each_claim(claims: list[tuple[bytes, str, list[str]]]) -> list[tuple[bytes, str, str]]:
    return [(data, actual, claim) for data, actual, claimed in claims for claim in claimed]


def test_a_clip_leaves_as_one_data_uri_of_its_registered_type(server: LocalDashScope) -> None:
    rows = each_claim(CLAIMS)
    blocks: list[Any] = [
        {"type": "audio", "base64": b64(it), "mime_type": claim} for it, _, claim in rows
    ]
    (message,) = sent(invoke, server, [HumanMessage(blocks)])
    assert message["content"] == [{"audio": data_uri(data, actual)} for data, actual, _ in rows]


def test_a_claim_by_any_name_is_right(caplog: pytest.LogCaptureFixture) -> None:
    for data, actual, claim in each_claim(CLAIMS + CLAIMS_OF_OTHERS):
        assert Audio.from_bytes(data, mime_type=claim).mime_type == actual, claim
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("claim", "samples"),
    [("audio/wav", 9_000), ("audio/unheard-of", 11_000), ("text/plain", 13_000)],
)
def test_a_wrong_claim_is_logged_and_the_bytes_decide(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture, claim: str, samples: int
) -> None:
    # A clip of its own, since the same bytes may be looked at once only.
    data = clip("mp3", "libmp3lame", samples=samples)
    block = {"type": "audio", "base64": b64(data), "mime_type": claim}
    with caplog.at_level(logging.WARNING):
        (message,) = sent(invoke, server, [HumanMessage([block])])
    assert message["content"] == [{"audio": data_uri(data, "audio/mpeg")}]
    (warning,) = caplog.messages
    assert warning.startswith("messages[0].content[0]")
    assert claim in warning
    assert warning.endswith("is audio/mpeg")


def test_a_claimed_type_is_reduced_to_its_registered_name() -> None:
    registered = {
        "audio/MP3": "audio/mpeg",
        " audio/x-m4a ; codecs=mp4a": "audio/mp4",
        "audio/webm;codecs=opus": "audio/webm",
        "audio/unheard-of": "audio/unheard-of",
        "": "",
    }
    assert {claim: normalize_mime_type(claim) for claim in registered} == registered


NOT_AUDIO: dict[str, tuple[dict[str, Any], str]] = {
    "base64 of a text": ({"base64": b64(b"hello, this is no sound at all")}, "not usable audio"),
    "base64 of nothing": ({"base64": "data:audio/wav;base64,"}, "is empty"),
    "no base64": ({"base64": "höre"}, "base64 is expected"),
    "half a header": ({"base64": b64(WAV[:20])}, "not usable audio"),
    "a file that is not there": ({"url": "file:///not/there.wav"}, "No such file"),
    "a file on another machine": ({"url": "file://server/share/a.wav"}, "another machine"),
    "a directory": ({"url": "file:///tmp"}, "not a regular file"),
    "an endless file": ({"url": "file:///dev/zero"}, "not a regular file"),
}


def test_what_is_not_audio_is_not_sent(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, (source, match) in NOT_AUDIO.items():
        messages = [HumanMessage([QUESTION, {"type": "audio", **source}])]
        with subtests.test(name):
            assert_refused(call_model, server, messages, AudioError, match)


# --- references -------------------------------------------------------------------------------

OSS_BLOCKS: dict[str, Callable[[str], dict[str, Any]]] = {
    "v1 url": lambda url: {"type": "audio", "url": url},
    "v1 file_id": lambda url: {"type": "audio", "file_id": url},
    "v0 id": lambda url: {"type": "audio", "source_type": "id", "id": url},
    "openai input_audio": lambda url: {"type": "input_audio", "input_audio": {"data": url}},
    "media": lambda url: {"type": "media", "mime_type": "audio/wav", "file_uri": url},
    "audio_url": lambda url: {"type": "audio_url", "audio_url": {"url": url}},
    "dashscope": lambda url: {"audio": url},
}


@pytest.fixture
def oss_url(server: LocalDashScope) -> str:
    """A clip uploaded the way the service documents it."""
    base, key = server.base_url, {"authorization": "Bearer local"}
    query = {"action": "getPolicy", "model": "qwen-audio-turbo-latest"}
    policy = httpx.get(f"{base}/uploads", params=query, headers=key, verify=False).json()["data"]
    fields = {
        "OSSAccessKeyId": policy["oss_access_key_id"],
        "Signature": policy["signature"],
        "policy": policy["policy"],
        "key": f"{policy['upload_dir']}/a.wav",
        "x-oss-object-acl": policy["x_oss_object_acl"],
        "x-oss-forbid-overwrite": policy["x_oss_forbid_overwrite"],
        "success_action_status": "200",
    }
    upload = httpx.post(
        policy["upload_host"], data=fields, files={"file": ("a.wav", WAV)}, verify=False
    )
    assert upload.status_code == 200, upload.text
    server.clear()
    return f"oss://{fields['key']}"


def test_an_oss_reference_passes_through_and_switches_the_resolve_header_on(
    call_model: CallModel, server: LocalDashScope, oss_url: str, subtests: pytest.Subtests
) -> None:
    on_wire = [{"role": "user", "content": [{"audio": oss_url}]}]
    for name, make_block in OSS_BLOCKS.items():
        with subtests.test(name):
            assert sent(call_model, server, [HumanMessage([make_block(oss_url)])]) == on_wire
            assert server.requests[0].headers["x-dashscope-ossresourceresolve"] == "enable"


def test_the_resolve_header_is_absent_otherwise(
    call_model: CallModel, server: LocalDashScope
) -> None:
    blocks: list[Any] = [{"type": "audio", "url": url} for url in (URL, WAV_URI)]
    sent(call_model, server, [HumanMessage(blocks)])
    assert "x-dashscope-ossresourceresolve" not in server.requests[0].headers


FILE_URLS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "plain": ("a.wav", Path.as_uri),
    "space, percent, hash, question": ("100% a#b?c.wav", Path.as_uri),
    "unicode": ("你好 é.wav", Path.as_uri),
    "unicode, not percent-encoded": ("你好 é.wav", lambda path: f"file://{path}"),
    "localhost": ("a.wav", lambda path: f"file://localhost{path}"),
    "scheme in capitals": ("a.wav", lambda path: f"FILE://{path}"),
    "no suffix": ("recording", Path.as_uri),
    "wrong suffix": ("a.mp3", Path.as_uri),
}


def test_a_file_of_a_human_is_read_and_nothing_is_uploaded(
    call_model: CallModel, server: LocalDashScope, tmp_path: Path
) -> None:
    for name, _ in FILE_URLS.values():
        (tmp_path / name).write_bytes(WAV)
    messages = [
        HumanMessage([{"type": "audio", "url": make_url(tmp_path / name)}])
        for name, make_url in FILE_URLS.values()
    ]
    read_of_each = [{"role": "user", "content": [{"audio": WAV_URI}]}] * len(FILE_URLS)
    assert sent(call_model, server, messages) == read_of_each
    assert "x-dashscope-ossresourceresolve" not in server.requests[0].headers


def test_a_file_url_names_a_path_drive_included() -> None:
    paths = {
        "file:///tmp/a%20b.wav": "/tmp/a b.wav",  # noqa: S108
        "file://localhost/tmp/a.wav": "/tmp/a.wav",  # noqa: S108
        "file://D:/a%20b.wav": "D:/a b.wav",  # the way DashScope's own examples write it
        "file:///D:/a%20b.wav": "D:/a b.wav" if os.name == "nt" else "/D:/a b.wav",
    }
    assert {url: path_of_file_url(url) for url in paths} == {
        url: Path(path) for url, path in paths.items()
    }


FILE_URL_ELSEWHERE: dict[str, list[AnyMessage]] = {
    "system": [SystemMessage([{"type": "audio", "url": WELCOME.as_uri()}]), HumanMessage("?")],
    "assistant": [AIMessage([{"type": "audio", "url": WELCOME.as_uri()}]), HumanMessage("?")],
    "assistant, dashscope's own": [AIMessage([{"audio": WELCOME.as_uri()}]), HumanMessage("?")],
    "tool": [ToolMessage([{"type": "audio", "url": WELCOME.as_uri()}], tool_call_id="1")],
}


def test_a_file_is_read_for_humans_only(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    match = r"^messages\[0\].content\[0\]: a file://"
    for name, messages in FILE_URL_ELSEWHERE.items():
        with subtests.test(name):
            assert_refused(call_model, server, messages, MessageError, match)


@pytest.mark.parametrize("role", [HumanMessage, SystemMessage])
def test_what_only_answers_hold_is_refused_elsewhere(
    server: LocalDashScope,
    role: type[HumanMessage | SystemMessage],
    subtests: pytest.Subtests,
) -> None:
    for kind in ("reasoning", "thinking", "tool_call", "invalid_tool_call"):
        messages = [role([{"type": kind, kind: "Hm."}, QUESTION])]
        with subtests.test(kind):
            match = f"a block of type '{kind}' came"
            assert_refused(invoke, server, messages, MessageError, match)


def test_a_text_file_named_wav_is_refused(
    call_model: CallModel, server: LocalDashScope, tmp_path: Path
) -> None:
    path = tmp_path / "secret.wav"
    path.write_text("password: swordfish\n" * 9)
    messages = [HumanMessage([{"type": "audio", "url": path.as_uri()}])]
    assert_refused(call_model, server, messages, AudioError, "not usable audio")


@pytest.mark.parametrize("key", ["url", "base64", "file_id", "audio"])
def test_a_bare_path_is_refused_with_the_cure(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch, key: str, subtests: pytest.Subtests
) -> None:
    monkeypatch.chdir(WELCOME.parent)
    cure = r"^messages\[0\].content\[0\].*Audio\.from_path"
    here = str(WELCOME)
    for path in (here, "welcome.wav", "./welcome.wav", "~/welcome.wav", r"C:\welcome.wav"):
        messages = [HumanMessage([{"type": "audio", key: path}])]
        with subtests.test(path):
            assert_refused(invoke, server, messages, (MessageError, AudioError), cure)  # type: ignore[arg-type]


# --- text is text -----------------------------------------------------------------------------

TEXTS = {
    "name of a file here": "note.wav",
    "relative path": "./note.wav",
    "path": str(WELCOME),
    "file URL": WELCOME.as_uri(),
    "oss URL": "oss://bucket/a.wav",
    "home": "~",
    "path in the home": "~/a.wav",
    "data URI": WAV_URI,
    "https URL": URL,
    "JSON of audio that is local": f'[{{"type": "audio", "url": "{WELCOME.as_uri()}"}}]',
    "JSON that is no audio": '[{"type": "text", "text": "a"}]',
    "JSON that mentions a file": '{"path": "file:///etc/passwd", "audio_found": true}',
    "nothing": "",
    "white space": " \n\t ",
}


EVERY_KIND: list[Any] = [
    SystemMessage,
    HumanMessage,
    AIMessage,
    functools.partial(ToolMessage, tool_call_id="1"),
    functools.partial(FunctionMessage, name="f"),
    functools.partial(ChatMessage, role="user"),
]


@two_ways
def test_text_is_text_in_every_role(
    call_model: CallModel,
    server: LocalDashScope,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "note.wav").write_bytes(WAV)
    monkeypatch.chdir(tmp_path)
    for name, text in TEXTS.items():
        messages = [
            make(content=content)
            for make in EVERY_KIND
            for content in (text, [text], [{"type": "text", "text": text}])
        ]
        wire = sent(call_model, server, messages)
        assert [message["content"] for message in wire] == [[{"text": text}]] * len(messages), name
        assert "x-dashscope-ossresourceresolve" not in server.requests[0].headers, name


ROLES: list[tuple[str, Callable[[str], AnyMessage]]] = [
    ("system", SystemMessage),
    ("user", HumanMessage),
    ("assistant", AIMessage),
    ("tool", functools.partial(ToolMessage, tool_call_id="1")),
]
unicode_texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(st.sampled_from(ROLES), unicode_texts)), unicode_texts)
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_text_arrives_once_in_order_verbatim(
    server: LocalDashScope, history: list[tuple[Any, str]], question: str
) -> None:
    messages = [*[make(text) for (_, make), text in history], HumanMessage(question)]
    wire = sent(invoke, server, messages)
    assert [(message["role"], message["content"]) for message in wire] == [
        *[(role, [{"text": text}]) for (role, _), text in history],
        ("user", [{"text": question}]),
    ]


LONE_SURROGATES: dict[str, list[AnyMessage]] = {
    "str": [HumanMessage("a\ud800b")],
    "block": [HumanMessage([{"type": "text", "text": "\udfff"}])],
    "system": [SystemMessage("\ud83d"), HumanMessage("?")],
    "name of a tool": [
        AIMessage("", tool_calls=[{**ADD, "name": "\ud800"}]),
        ToolMessage("1", tool_call_id="1"),
    ],
    "URL": [HumanMessage([{"type": "audio", "url": "https://h/\ud800"}])],
}


def test_a_lone_surrogate_is_one_clear_error(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, messages in LONE_SURROGATES.items():
        with subtests.test(name):
            assert_refused(call_model, server, messages, MessageError, r"messages\[0\].*UTF-8")


def test_a_lone_surrogate_in_what_was_answered_ends_no_conversation(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    called = AIMessage("a\ud83d", tool_calls=[{**ADD, "args": {"a": "\ud800"}}])
    result = ToolMessage("caf\udce9.wav", tool_call_id="1")
    call_model(model, [HumanMessage("?"), called, result, HumanMessage([QUESTION])])
    _, sent_call, sent_result, _ = server.requests[-1].messages
    assert sent_call["content"] == [{"text": "a\ufffd"}]
    assert sent_call["tool_calls"][0]["function"]["arguments"] == r'{"a": "\ud800"}'
    assert sent_result["content"] == [{"text": "caf\ufffd.wav"}]


NOT_JSON = {
    "a date": datetime(2026, 1, 1, tzinfo=UTC),
    "bytes": b"a",
    "a set": {1},
    "not a number": math.nan,
    "nested too deep": deep(20_000),
}


def test_arguments_that_are_no_json_are_one_clear_error(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    match = r"messages\[1\]\.tool_calls\[0\]: its args cannot"
    for name, value in NOT_JSON.items():
        called = AIMessage("", tool_calls=[{**ADD, "args": {"a": value}}])
        messages = [HumanMessage("?"), called, ToolMessage("1", tool_call_id="1")]
        with subtests.test(name):
            assert_refused(invoke, server, messages, MessageError, match)


def test_no_message_is_a_clear_error(call_model: CallModel, server: LocalDashScope) -> None:
    assert_refused(call_model, server, [], MessageError, "at least one")


# --- messages ---------------------------------------------------------------------------------

THINKING: list[Any] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
    {"type": "text", "text": "I add."},
    {"type": "tool_use", "id": "1", "name": "add", "input": {"a": "é"}},
]
CONVERSATIONS: dict[str, tuple[list[AnyMessage], list[dict[str, Any]]]] = {
    "several systems": (
        [SystemMessage("a"), SystemMessage([{"type": "text", "text": "b"}]), HumanMessage("c")],
        [
            {"role": "system", "content": [{"text": "a"}]},
            {"role": "system", "content": [{"text": "b"}]},
            {"role": "user", "content": [{"text": "c"}]},
        ],
    ),
    "a system in the middle and consecutive roles": (
        [
            HumanMessage("a"),
            HumanMessage("b"),
            AIMessage("c"),
            AIMessage("d"),
            SystemMessage("e"),
            HumanMessage("f"),
        ],
        [
            {"role": role, "content": [{"text": text}]}
            for role, text in zip(
                ["user", "user", "assistant", "assistant", "system", "user"], "abcdef", strict=True
            )
        ],
    ),
    "names": (
        [SystemMessage("a", name="s"), AIMessage("b", name="bot"), HumanMessage("c", name="Ann")],
        [
            {"role": "system", "name": "s", "content": [{"text": "a"}]},
            {"role": "assistant", "name": "bot", "content": [{"text": "b"}]},
            {"role": "user", "name": "Ann", "content": [{"text": "c"}]},
        ],
    ),
    "a role of one's own": (
        [
            ChatMessage(content="a", role="critic"),
            ChatMessage(content=[{"audio": URL}], role="user"),
        ],
        [
            {"role": "critic", "content": [{"text": "a"}]},
            {"role": "user", "content": [{"audio": URL}]},
        ],
    ),
    "a function": (
        [FunctionMessage(content="3", name="add")],
        [{"role": "tool", "name": "add", "content": [{"text": "3"}]}],
    ),
    "strings and blocks in one list": (
        [HumanMessage(["a", {"type": "text", "text": "b"}, {"audio": URL}, "c"])],
        [
            {
                "role": "user",
                "content": [{"text": "a"}, {"text": "b"}, {"audio": URL}, {"text": "c"}],
            }
        ],
    ),
    "text blocks with more in them": (
        [HumanMessage([{"type": "text", "text": "a", "id": "1", "cache_control": {"type": "x"}}])],
        [{"role": "user", "content": [{"text": "a"}]}],
    ),
    "a plain-text document": (
        [HumanMessage([{"type": "text-plain", "text": "a", "mime_type": "text/plain"}])],
        [{"role": "user", "content": [{"text": "a"}]}],
    ),
    "tool calls": (
        [AIMessage("I add.", tool_calls=[ADD]), ToolMessage("3", tool_call_id="1")],
        [
            {"role": "assistant", "content": [{"text": "I add."}], "tool_calls": [ADD_ON_WIRE]},
            {"role": "tool", "content": [{"text": "3"}], "tool_call_id": "1"},
        ],
    ),
    "tool calls as blocks": (
        [AIMessage([ADD], tool_calls=[ADD]), ToolMessage("3", tool_call_id="1")],
        [
            {"role": "assistant", "content": [], "tool_calls": [ADD_ON_WIRE]},
            {"role": "tool", "content": [{"text": "3"}], "tool_call_id": "1"},
        ],
    ),
    "an invalid tool call": (
        [
            AIMessage(
                "",
                invalid_tool_calls=[
                    {"type": "invalid_tool_call", "id": "1", "name": "f", "args": "{", "error": "x"}
                ],
            ),
            ToolMessage("no JSON", tool_call_id="1", status="error"),
        ],
        [
            {
                "role": "assistant",
                "content": [{"text": ""}],
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}
                ],
            },
            {"role": "tool", "content": [{"text": "no JSON"}], "tool_call_id": "1"},
        ],
    ),
    "reasoning as a block": (
        [
            AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "a"}]),
            HumanMessage("b"),
        ],
        [
            {"role": "assistant", "content": [{"text": "a"}], "reasoning_content": "Hm."},
            {"role": "user", "content": [{"text": "b"}]},
        ],
    ),
    "reasoning beside a string": (
        [AIMessage("a", additional_kwargs={"reasoning_content": "Hm."}), HumanMessage("b")],
        [
            {"role": "assistant", "content": [{"text": "a"}], "reasoning_content": "Hm."},
            {"role": "user", "content": [{"text": "b"}]},
        ],
    ),
    "an answer of Claude's": (
        [
            AIMessage(
                THINKING,
                tool_calls=[ADD],
                response_metadata={"model_provider": "anthropic"},
            ),
            ToolMessage([{"type": "text", "text": "3"}], tool_call_id="1"),
        ],
        [
            {
                "role": "assistant",
                "content": [{"text": "I add."}],
                "reasoning_content": "Hm.",
                "tool_calls": [ADD_ON_WIRE],
            },
            {"role": "tool", "content": [{"text": "3"}], "tool_call_id": "1"},
        ],
    ),
    "an answer of nobody's in the format of Claude": (
        [AIMessage(THINKING, tool_calls=[ADD]), ToolMessage("3", tool_call_id="1")],
        [
            {
                "role": "assistant",
                "content": [{"text": "I add."}],
                "reasoning_content": "Hm.",
                "tool_calls": [ADD_ON_WIRE],
            },
            {"role": "tool", "content": [{"text": "3"}], "tool_call_id": "1"},
        ],
    ),
}


@two_ways
def test_every_message_leaves_as_the_service_documents_it(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, (messages, wire) in CONVERSATIONS.items():
        with subtests.test(name):
            assert sent(call_model, server, messages) == wire


@tool
def record() -> list[Any]:
    """Record."""
    return [{"type": "text", "text": "Kitchen:"}, {"type": "audio", "base64": b64(WAV)}]


@tool
def listen() -> dict[str, Any]:
    """Listen."""
    return {"type": "input_audio", "input_audio": {"data": b64(MP3), "format": "mp3"}}


@tool
def locate() -> list[Any]:
    """Locate."""
    return [{"type": "audio", "url": WELCOME.as_uri()}]


def called(tool_: Any, call_id: str) -> ToolMessage:
    message = tool_.invoke({"type": "tool_call", "id": call_id, "name": tool_.name, "args": {}})
    assert isinstance(message, ToolMessage)
    assert isinstance(message.content, str), "LangChain core no longer makes JSON of audio"
    return message


def test_audio_that_core_made_json_of_moves_behind_the_run_of_tool_messages(
    call_model: CallModel, server: LocalDashScope
) -> None:
    calls = [{**ADD, "id": "1"}, {**ADD, "id": "2"}, {**ADD, "id": "3"}]
    messages: list[AnyMessage] = [
        HumanMessage("Go"),
        AIMessage("", tool_calls=calls),
        called(record, "1"),
        ToolMessage("nothing", tool_call_id="2"),
        called(listen, "3"),
        HumanMessage("Well?"),
    ]
    assert sent(call_model, server, messages)[2:] == [
        {"role": "tool", "name": "record", "content": [{"text": "Kitchen:"}], "tool_call_id": "1"},
        {"role": "tool", "content": [{"text": "nothing"}], "tool_call_id": "2"},
        {"role": "tool", "name": "listen", "content": SEE_NEXT, "tool_call_id": "3"},
        {"role": "user", "content": [{"audio": WAV_URI}, {"audio": MP3_URI}]},
        {"role": "user", "content": [{"text": "Well?"}]},
    ]


def test_two_runs_of_tool_messages_keep_their_own_audio(server: LocalDashScope) -> None:
    messages = [
        called(record, "1"),
        AIMessage("", tool_calls=[{**ADD, "id": "2"}]),
        called(listen, "2"),
    ]
    wire = sent(invoke, server, messages)
    assert [message["role"] for message in wire] == ["tool", "user", "assistant", "tool", "user"]
    assert wire[1]["content"] == [{"audio": WAV_URI}]
    assert wire[4]["content"] == [{"audio": MP3_URI}]


def test_json_of_a_tool_that_names_a_local_file_stays_text(
    call_model: CallModel, server: LocalDashScope
) -> None:
    message = called(locate, "1")
    assert sent(call_model, server, [message])[0]["content"] == [{"text": message.content}]


# --- what no model here takes -----------------------------------------------------------------

PNG = b64(b"\x89PNG\r\n\x1a\n")
UNTAKEN: dict[str, dict[str, Any]] = {
    "openai image": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    "v1 image": {"type": "image", "base64": PNG, "mime_type": "image/png"},
    "v0 image": {"type": "image", "source_type": "url", "url": "https://h/a.png"},
    "v1 video": {"type": "video", "url": "https://h/a.mp4"},
    "media of video": {"type": "media", "mime_type": "video/avi", "data": PNG},
    "v1 file": {"type": "file", "base64": b64(b"%PDF-1.7"), "mime_type": "application/pdf"},
    "openai file": {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}},
    "v1 file of text": {"type": "file", "base64": b64(b"a,b"), "mime_type": "text/csv"},
    "v1 file at a URL": {"type": "file", "url": URL, "mime_type": "text/csv"},
    "openai file by id": {"type": "file", "file": {"file_id": "file-abc"}},
    "dashscope image": {"image": "https://h/a.png"},
    "unknown": {"type": "hologram", "data": "x"},
    "wrapped unknown": {"type": "non_standard", "value": {"type": "hologram"}},
    "without a type": {"note": "x"},
    "empty": {},
    "audio without audio": {"type": "audio", "mime_type": "audio/wav"},
    "audio with an empty URL": {"type": "audio", "url": ""},
    "audio with only a block id": {"type": "audio", "id": "lc_1"},
    "audio that is a list": {"audio": [URL]},
    "bedrock on S3": {"audio": {"format": "wav", "source": {"s3Location": {"uri": "s3://b/a"}}}},
    "anthropic by id": {"type": "audio", "source": {"type": "file", "file_id": "file_011"}},
    "anthropic document": {"type": "document", "source": {"type": "text", "data": "a"}},
    "gemini image": {"inline_data": {"mime_type": "image/png", "data": PNG}},
    "gradio image": {"type": "file", "file": {"path": "/tmp/a.png"}},  # noqa: S108
    "gradio relative path": {"type": "file", "file": {"path": "a.wav"}},
    "mcp link": {"type": "resource_link", "uri": URL, "mimeType": "audio/wav"},
    "openai realtime": {"type": "input_audio", "audio": b64(WAV)},
    "samples of a data set": {"array": [0.0], "sampling_rate": 16_000},
    "audio with an unknown scheme": {"type": "audio", "url": "ftp://h/a.wav"},
    "data URI without base64": {"type": "audio", "url": "data:audio/wav,RIFF"},
}


@two_ways
def test_what_the_model_does_not_take_is_refused_by_its_place(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, block in UNTAKEN.items():
        messages = [SystemMessage("Be brief"), HumanMessage([QUESTION, block])]
        with subtests.test(name):
            place = r"^messages\[1\]\.content\[1\]: "
            assert_refused(call_model, server, messages, MessageError, place)


@pytest.mark.parametrize("make", [make for _, make in ROLES], ids=[role for role, _ in ROLES])
def test_a_refusal_says_what_the_model_takes_in_every_role(
    server: LocalDashScope, make: Callable[..., AnyMessage], subtests: pytest.Subtests
) -> None:
    match = r"^messages\[0\]\.content\[0\]: .* takes text and audio"
    for name in ("openai image", "v1 image", "v1 video", "unknown"):
        messages = [make([UNTAKEN[name]]), HumanMessage("?")]
        with subtests.test(name):
            assert_refused(invoke, server, messages, MessageError, match)


def test_a_message_that_is_no_message_is_refused(
    call_model: CallModel, server: LocalDashScope
) -> None:
    messages = [HumanMessage("?"), RemoveMessage(id="1")]
    assert_refused(call_model, server, messages, MessageError, r"^messages\[1\]: a RemoveMessage")
