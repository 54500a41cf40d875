"""`stream_events(version="v3")`: the same answer as `stream`, in events."""

from __future__ import annotations

import asyncio
import base64
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import AIMessage, message_chunk_to_message
from langchain_core.messages.ai import add_ai_message_chunks

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._protocols.openai import OpenAIProtocol
from langchain_qwen_audio._response.events import EventWriter
from langchain_qwen_audio._response.messages import Origin
from langchain_qwen_audio._response.stream import StreamDecoder
from langchain_qwen_audio.local import END, RawReply, Reply, sse_event
from tests.unit_tests.conftest import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_qwen_audio.local import LocalDashScope

PCM = bytes(range(250)) * 200
SPEAKS = {"model": "qwen3.5-omni-flash", "modalities": ["text", "audio"]}
CALLS = ({"name": "add", "arguments": '{"a": 1}'}, {"name": "add", "arguments": '{"a": '})
Events = list[dict[str, Any]]


def now(model: ChatQwenAudio, question: Any = "?") -> tuple[Events, AIMessage]:
    streamed: Any = model.stream_events(question, version="v3")
    return list(streamed), streamed.output


def later(model: ChatQwenAudio, question: Any = "?") -> tuple[Events, AIMessage]:
    async def collect() -> tuple[Events, AIMessage]:
        streamed: Any = await model.astream_events(question, version="v3")
        return [event async for event in streamed], await streamed.output

    return asyncio.run(collect())


@pytest.fixture(autouse=True)
def _beta() -> Iterator[None]:
    """Take LangChain's word that version v3 is in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is in beta")
        yield


@pytest.fixture(params=[now, later], ids=["sync", "async"])
def events_of(request: pytest.FixtureRequest) -> Callable[..., tuple[Events, AIMessage]]:
    way: Callable[..., tuple[Events, AIMessage]] = request.param
    return way


def model_at(server: LocalDashScope, **options: Any) -> ChatQwenAudio:
    settings = {"model": "qwen3.8-omni-flash", "max_retries": 0, **options}
    return ChatQwenAudio(base_url=server.base_url, api_key="local", **settings)


def deltas(events: Events, kind: str) -> Events:
    found = (event["delta"] for event in events if event["event"] == "content-block-delta")
    return [delta for delta in found if delta["type"] == kind]


def test_speech_comes_in_pieces_and_whole(
    server: LocalDashScope, events_of: Callable[..., tuple[Events, AIMessage]]
) -> None:
    server.script(Reply("Hello you", audio=PCM, audio_piece=999))
    events, output = events_of(model_at(server, **SPEAKS))
    pieces = [base64.b64decode(delta["data"]) for delta in deltas(events, "data-delta")]
    assert len(pieces) > 10
    assert b"".join(pieces)[44:] == PCM
    assert "".join(delta["text"] for delta in deltas(events, "text-delta")) == "Hello you"
    started = [event["content"] for event in events if event["event"] == "content-block-start"]
    assert [block.get("mime_type") for block in started] == [None, "audio/wav"]
    assert "base64" not in started[1]
    assert output.text == "Hello you"
    whole = Audio.from_message(output)
    assert whole.data[44:] == PCM
    assert whole.duration_s == len(PCM) / 48_000
    finished = [event for event in events if event["event"] == "content-block-finish"]
    assert base64.b64decode(finished[1]["content"]["base64"]) == whole.data


def test_reasoning_calls_and_usage_come_through(
    server: LocalDashScope, events_of: Callable[..., tuple[Events, AIMessage]]
) -> None:
    reply = Reply("Let me see.", reasoning="Hm, well", tool_calls=CALLS, request_id="r")
    server.script(reply, reply)
    model = model_at(server)
    events, output = events_of(model)
    added_up = stream(model, "?")
    assert [event["event"] for event in (events[0], events[-1])] == [
        "message-start",
        "message-finish",
    ]
    assert events[0]["id"] == output.id
    assert "".join(it["reasoning"] for it in deltas(events, "reasoning-delta")) == "Hm, well"
    assert [call["args"] for call in output.tool_calls] == [{"a": 1}]
    assert [call["args"] for call in output.invalid_tool_calls] == ['{"a": ]']
    assert output.usage_metadata == added_up.usage_metadata
    assert events[-1]["normalized_finish_reason"] == "tool_call"
    assert output.response_metadata == {**added_up.response_metadata, "output_version": "v1"}


def test_calls_in_the_text_come_through(
    server: LocalDashScope, events_of: Callable[..., tuple[Events, AIMessage]]
) -> None:
    server.script('Well.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>')
    model = model_at(server, model="qwen-audio-turbo-latest")
    tool = {"name": "add", "description": "Add.", "parameters": {"type": "object"}}
    _, output = events_of(model.bind_tools([tool]))
    assert output.text == "Well."
    assert [(call["name"], call["args"]) for call in output.tool_calls] == [("add", {"a": 1})]
    assert output.response_metadata["finish_reason"] == "stop"
    assert output.response_metadata["normalized_finish_reason"] == "tool_call"


def test_a_stream_that_breaks_off_raises_what_stream_raises(
    server: LocalDashScope, events_of: Callable[..., tuple[Events, AIMessage]]
) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Half"}, "finish_reason": None}]}
    server.script(RawReply(200, {"content-type": "text/event-stream"}, [sse_event(chunk, 1), END]))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        events_of(model_at(server))
    assert caught.value.text == "Half"


def test_a_refusal_is_not_lost(
    server: LocalDashScope, events_of: Callable[..., tuple[Events, AIMessage]]
) -> None:
    delta = {"content": "", "refusal": "I cannot."}
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
    steps = [sse_event(chunk, 1), b"data: [DONE]\n\n"]
    server.script(RawReply(200, {"content-type": "text/event-stream"}, steps))
    _, output = events_of(model_at(server))
    (block,) = output.content_blocks
    assert block["type"] == "non_standard"
    assert block["value"] == {"type": "refusal", "refusal": "I cannot."}
    assert output.response_metadata["normalized_finish_reason"] == "refusal"
    model_at(server).invoke([("user", "?"), output, ("user", "Why?")])
    assert server.requests[-1].messages[1]["content"] == "I cannot."


# --- any stream -------------------------------------------------------------------------------

CUT_JSON = '{"a": [1, {"b": "ü\\" }"}], "c": "d"}'
texts = st.text("ab<>/{}\n ü", max_size=6)
delta = st.one_of(
    st.fixed_dictionaries({"content": texts}),
    st.fixed_dictionaries({"reasoning_content": texts}),
    st.fixed_dictionaries({"refusal": texts}),
    st.builds(
        lambda index, end: {
            "tool_calls": [{"index": index, "function": {"arguments": CUT_JSON[:end]}}]
        },
        st.integers(0, 2),
        st.integers(0, len(CUT_JSON)),
    ),
    st.builds(
        lambda index, name: {
            "tool_calls": [{"index": index, "id": f"{name}{index}", "function": {"name": name}}]
        },
        st.integers(0, 2),
        st.sampled_from(["add", "sub"]),
    ),
    st.builds(lambda data: {"audio": {"data": base64.b64encode(data).decode()}}, st.binary()),
)


def named_once(deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out repeated names: LangChain adds them up."""
    known = set()
    left = []
    for delta in deltas:
        (call,) = delta.get("tool_calls", [{}])
        if "id" not in call or call["index"] not in known:
            left.append(delta)
        known |= {call["index"]} if "id" in call else set()
    return left


def chunks_of(deltas: list[dict[str, Any]], *, as_blocks: bool) -> list[ChatGenerationChunk]:
    decoder, read = StreamDecoder(Origin("m"), as_blocks=as_blocks), OpenAIProtocol().read
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    bodies = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks = [chunk for body in [*bodies, last] for chunk in decoder.decode(read(body))]
    return [*chunks, *decoder.finish()]


def essence(message: AIMessage) -> dict[str, Any]:
    """Say what a message holds, whichever way it came."""
    blocks: list[Any] = [block.get("value", block) for block in message.content_blocks]
    speech = [block["base64"] for block in blocks if block["type"] == "audio"]
    calls = {name: getattr(message, name) for name in ("tool_calls", "invalid_tool_calls")}
    return {
        "text": message.text,
        "reasoning": "".join(it["reasoning"] for it in blocks if it["type"] == "reasoning"),
        "refusal": "".join(it["refusal"] for it in blocks if it["type"] == "refusal"),
        "speech": Audio.from_message(message).data if any(speech) else b"",
        "calls": json.dumps(calls, sort_keys=True),
        "usage": message.usage_metadata,
        "metadata": {**message.response_metadata, "output_version": None},
    }


@settings(max_examples=100)
@given(st.lists(delta, max_size=8).map(named_once), st.booleans())
def test_events_add_up_to_what_chunks_add_up_to(
    deltas: list[dict[str, Any]], as_blocks: bool
) -> None:
    if any("audio" in delta for delta in deltas):
        as_blocks = True
    chunks = chunks_of(deltas, as_blocks=as_blocks)
    writer, streamed = EventWriter("id"), ChatModelStream()
    events = [event for chunk in chunks for event in writer.write(chunk)]
    for event in [*events, *writer.finish()]:
        streamed.dispatch(event)
    messages: list[Any] = [chunk.message for chunk in chunks]
    added_up: Any = message_chunk_to_message(add_ai_message_chunks(*messages))
    assert essence(streamed.output) == essence(added_up)
