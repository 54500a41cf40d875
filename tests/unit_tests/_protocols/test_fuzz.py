"""Anything in, anything back: nothing is dropped or changed, and nothing leaves the error tree."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._request.messages import map_messages
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    Part,
    RequestMessage,
    TextPart,
)
from langchain_qwen_audio.local import LocalDashScope, RawReply, sse_event
from tests.unit_tests.conftest import invoke, stream
from tests.unit_tests.faults import JSON, LAST, SSE, body, event, payload, sse
from tests.unit_tests.recordings import tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit_tests.conftest import CallModel

CALLS = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def service() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


@pytest.fixture
def once(service: LocalDashScope) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=service.base_url, api_key="local", max_retries=0)


# --- messages ---------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CLIPS = [Audio.from_bytes(wav(tone(0.02, hertz=200 + 50 * n))) for n in range(4)]
URLS = ["https://host/a.wav", "oss://bucket/b.wav", "http://host/c?d=e"]


def block_formats(clip: Audio) -> list[dict[str, Any]]:
    """Write one clip in every block format."""
    data, uri = clip.base64, f"data:audio/wav;base64,{clip.base64}"
    return [
        clip.to_block(),
        {"type": "audio", "base64": data, "mime_type": "audio/wav"},
        {"type": "audio", "source_type": "base64", "data": data, "mime_type": "audio/wav"},
        {"type": "audio", "url": uri},
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": uri, "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": uri}},
        {"type": "media", "data": data, "mime_type": "audio/wav"},
        {"type": "file", "file": {"file_data": uri, "filename": "a.wav"}},
        {"audio": uri},
    ]


texts = WORDS.map(lambda text: {"type": "text", "text": text})
bare_texts = WORDS
clips = st.sampled_from(CLIPS).flatmap(lambda clip: st.sampled_from(block_formats(clip)))
links = st.sampled_from(URLS).map(lambda url: {"type": "audio", "url": url})
good_blocks = st.one_of(texts, bare_texts, clips, links)
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
KINDS = [
    *("text", "audio", "input_audio", "audio_url", "image", "image_url", "file", "media", "x"),
    *("video", "video_url"),
]
KEYS = [
    *("text", "audio", "base64", "data", "url", "input_audio", "audio_url", "file", "mime_type"),
    *("image", "image_url", "video", "video_url", "fps"),
]
junk_blocks = st.builds(
    lambda kind, rest: {"type": kind, **rest},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(KEYS), junk, max_size=3),
)


def contents(blocks: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return WORDS | st.lists(blocks, max_size=4)


calls = st.lists(
    st.builds(
        lambda name, args: {"name": name, "args": args, "id": "call", "type": "tool_call"},
        WORDS,
        st.dictionaries(WORDS, WORDS, max_size=2),
    ),
    max_size=2,
)


def conversations(blocks: st.SearchStrategy[Any]) -> st.SearchStrategy[list[BaseMessage]]:
    content = contents(blocks)
    return st.lists(
        st.one_of(
            st.builds(HumanMessage, content),
            st.builds(SystemMessage, content),
            st.builds(ChatMessage, content, role=st.sampled_from(["user", "critic"])),
            st.builds(ToolMessage, content, tool_call_id=WORDS),
            st.builds(
                AIMessage,
                contents(st.one_of(texts, clips)),
                tool_calls=calls,
                additional_kwargs=st.sampled_from([{}, {"reasoning_content": "because"}]),
            ),
        ),
        min_size=1,
        max_size=5,
    )


def said(messages: list[BaseMessage]) -> list[str]:
    """List the texts of messages in order."""
    found = []
    for message in messages:
        blocks = [message.content] if isinstance(message.content, str) else message.content
        for block in blocks:
            text = block if isinstance(block, str) else block.get("text")
            if isinstance(text, str):
                found.append(text)
    return found


def digests(messages: list[BaseMessage]) -> list[str]:
    """List the recordings of messages: a URL, or the clip whose base64 a block holds."""
    found = []
    for message in messages:
        for block in message.content if isinstance(message.content, list) else []:
            text = json.dumps(block)
            found += [clip.digest for clip in CLIPS if clip.base64 in text]
            found += [url for url in URLS if url in text]
    return found


def sent_texts(mapped: list[RequestMessage[Part]]) -> list[str]:
    parts = [part for message in mapped for part in message.content]
    return [part.text for part in parts if isinstance(part, TextPart)]


def sent_audio(mapped: list[RequestMessage[Part]]) -> list[str]:
    """List the recordings of request messages: digests, and URLs."""
    found = []
    for part in (part for message in mapped for part in message.content):
        match part:
            case AudioPart(audio):
                found.append(audio.digest)
            case AudioUrlPart(url):
                found.append(url)
    return found


@given(conversations(good_blocks))
def test_every_text_and_recording_is_sent_once_and_nothing_is_changed(
    messages: list[BaseMessage],
) -> None:
    before = copy.deepcopy(messages)
    mapped = map_messages(messages)
    assert messages == before
    if any(isinstance(message, ToolMessage) for message in messages):  # their audio moves
        assert sorted(sent_audio(mapped)) == sorted(digests(messages))
    else:
        assert sent_audio(mapped) == digests(messages)
    added = "[audio: see the next message]"
    assert [text for text in sent_texts(mapped) if text != added] == said(messages)


@given(conversations(st.one_of(good_blocks, junk_blocks)), st.booleans())
def test_junk_is_sent_whole_or_refused_by_a_class_of_ours(
    messages: list[BaseMessage], is_omni: bool
) -> None:
    before = copy.deepcopy(messages)
    try:
        mapped = map_messages(messages, image_inputs=is_omni, video_inputs=is_omni)
    except errors.InvalidRequestError as error:
        refused = str(error)
    else:
        refused = ""
        for text in said(messages):
            assert text in sent_texts(mapped)
    assert refused[:9] in {"", "messages["}  # it says which
    assert messages == before


# --- replies ----------------------------------------------------------------------------------

NAMES = [
    *("output", "choices", "message", "content", "text", "role", "finish_reason", "usage"),
    *("input_tokens", "output_tokens", "audio_tokens", "input_tokens_details", "code", "error"),
    *("output_tokens_details", "request_id", "reasoning_content", "tool_calls", "annotations"),
]
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 9), WORDS, st.sampled_from(["null", "stop"])
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
USAGE = {"input_tokens": 1, "output_tokens": 1, "input_tokens_details": {"audio_tokens": 1}}


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Take a right reply and put something else in one or two of its places."""
    reply: Any = copy.deepcopy(payload("ab", "stop", usage=USAGE))
    for _ in range(draw(st.integers(1, 2))):
        place = reply
        while True:
            inner = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not inner:
                break
            key = draw(st.sampled_from(inner))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(values)
            break
    return dict(reply)


said_bytes = st.one_of(
    mutated().map(lambda reply: json.dumps(reply).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
)
lines = st.one_of(
    said_bytes.map(lambda data: b"data:" + data + b"\n\n"),
    st.sampled_from([event("a"), LAST, b":\n\n", b"data:[DONE]\n\n", b"event:error\n", b"id:1\n"]),
    st.binary(max_size=20),
)


def assert_answers_or_fails(way: CallModel, model: ChatQwenAudio) -> None:
    failures: list[errors.QwenAudioError] = []
    try:
        assert isinstance(way(model, "?").content, str | list)
    except errors.QwenAudioError as error:
        failures.append(error)
    assert all(error.message.strip() for error in failures)


@pytest.mark.parametrize("way", [invoke, stream])
@given(data=said_bytes, status=st.sampled_from([200, 200, 200, 204, 302, 400, 401, 429, 500]))
@CALLS
def test_any_body_is_an_answer_or_an_error_of_ours(
    service: LocalDashScope, once: ChatQwenAudio, way: CallModel, data: bytes, status: int
) -> None:
    service.script(RawReply(status, JSON, [data] if status != 204 else []))
    assert_answers_or_fails(way, once)


@given(events=st.lists(lines, max_size=5))
@CALLS
def test_any_stream_is_an_answer_or_an_error_of_ours(
    service: LocalDashScope, once: ChatQwenAudio, events: list[bytes]
) -> None:
    service.script(RawReply(200, SSE, [b"", *events]))
    assert_answers_or_fails(stream, once)


# --- sums -------------------------------------------------------------------------------------


@given(fragments=st.lists(WORDS, max_size=8), at_the_end=st.booleans())
@CALLS
def test_chunks_add_up_to_the_invoked_message(
    service: LocalDashScope, once: ChatQwenAudio, fragments: list[str], *, at_the_end: bool
) -> None:
    text = "".join(fragments)
    usage = {"input_tokens": 3, "output_tokens": 4, "audio_tokens": 25}
    last = "." if at_the_end else ""
    events = [sse_event(payload(fragment, usage=usage), 1) for fragment in fragments]
    service.script(
        sse(*events, event(last, "stop", usage=usage)),
        body(payload(text + last, "stop", usage=usage)),
    )
    whole, streamed = (way(once, "?") for way in (stream, invoke))
    assert streamed.model_copy(update={"id": None}) == whole.model_copy(update={"id": None})
