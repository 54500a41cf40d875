"""Live sessions of the local test server, as a bare WebSocket client sees them."""

import asyncio
import base64
import gc
import json
import math
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply
from langchain_qwen_audio.local import _connection as connection
from tests.unit_tests.waiting import wait_until

OMNI = "qwen3.5-omni-flash-realtime"
ASR = "qwen3-asr-flash-realtime"
QWEN_AUDIO = "qwen-audio-3.1-realtime-plus"
LOUD = (b"\x00\x10" * 160 + b"\x00\xf0" * 160) * 25  # 500 ms
QUIET = bytes(32_000)
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(200)).decode()
IDS = ("event_id", "item_id", "response_id", "previous_item_id")


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send_json({"event_id": "mine", "type": kind, **fields})

    async def append(self, pcm: bytes) -> None:
        await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    async def read(self, *, until: str) -> list[dict[str, Any]]:
        """Read events, without their ids."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] != until:
            event = json.loads(await self._socket.receive_str())
            events.append({name: event[name] for name in event if name not in IDS})
        return events

    async def kinds(self, *, until: str) -> list[str]:
        return [event["type"] for event in await self.read(until=until)]


async def test_a_client_that_leaves_within_an_answer_is_no_error_of_the_server(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(Reply(fragments=("word",) * 5000))
    async with connected(server) as client:
        await client.send("response.create")
        await client.read(until="response.audio_transcript.delta")
    await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
    server.stop()
    gc.collect()  # when asyncio reports errors of tasks that nobody has seen
    assert caplog.text == ""


@asynccontextmanager
async def connected(
    server: LocalDashScope, model: str = OMNI, **session: Any
) -> AsyncIterator[Client]:
    url = server.base_url.replace("/api/v1", f"/api-ws/v1/realtime?model={model}")
    key = {"authorization": "Bearer k"}
    async with aiohttp.ClientSession() as http, http.ws_connect(url, headers=key) as socket:
        client = Client(socket)
        await client.read(until="session.created")
        if session:
            await client.send("session.update", session=session)
            await client.read(until="session.updated")
        yield client


TURN = [
    "input_audio_buffer.committed",
    "conversation.item.created",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
]
ANSWER = ["response.created", "response.output_item.added", "conversation.item.created"]
PART = "response.content_part"


async def test_a_text_answer_has_the_documented_events(server: LocalDashScope) -> None:
    server.script(Reply("Hi", input_transcript="Hello"))
    async with connected(server, modalities=["text"], turn_detection=None) as client:
        await client.append(LOUD)
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        events = await client.read(until="response.done")
    assert [event["type"] for event in events] == [
        *TURN,
        *ANSWER,
        f"{PART}.added",
        *("response.text.delta", "response.text.done"),
        f"{PART}.done",
        *("response.output_item.done", "response.done"),
    ]
    response = events[-1]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "text", "text": "Hi"}]
    assert response["usage"]["input_tokens_details"] == {"text_tokens": 0, "audio_tokens": 7}


async def test_a_spoken_answer_follows_a_pause(server: LocalDashScope) -> None:
    server.script(Reply("Hi", audio=b"\x01\x02" * 4, input_transcript="Hello"))
    async with connected(server) as client:
        await client.append(LOUD + QUIET)
        events = await client.read(until="response.done")
    assert [event["type"] for event in events] == [
        *("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"),
        *TURN,
        *ANSWER,
        f"{PART}.added",
        *("response.audio_transcript.delta", "response.audio.delta"),
        *("response.audio_transcript.done", "response.audio.done"),
        f"{PART}.done",
        *("response.output_item.done", "response.done"),
    ]
    assert [events[0]["audio_start_ms"], events[1]["audio_end_ms"]] == [0, 1300]


async def test_a_tool_call_has_the_documented_events(server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[{"name": "add", "arguments": "{}", "id": "c1"}]))
    async with connected(server) as client:
        await client.send("response.create")
        events = await client.read(until="response.done")
        item = {"type": "function_call_output", "call_id": "c1", "output": "5"}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        assert (await client.read(until="conversation.item.created"))[0]["item"]["output"] == "5"
    arguments = "response.function_call_arguments"
    assert [event["type"] for event in events] == [
        *ANSWER,
        *[f"{arguments}.delta"] * 2,
        f"{arguments}.done",
        *("response.output_item.done", "response.done"),
    ]
    assert events[5]["call_id"] == "c1"
    assert events[5]["name"] == "add"


async def test_without_a_script_it_says_what_it_is(unscripted: LocalDashScope) -> None:
    schema = {"name": "note", "description": "Note.", "parameters": {"type": "object"}}
    async with connected(unscripted, tools=[{"type": "function", "function": schema}]) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        events = await client.read(until="response.done")
        item["content"] = [{"type": "input_text", "text": "Call note."}]
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        called = await client.read(until="response.done")
    (content,) = events[-1]["response"]["output"][0]["content"]
    assert content["transcript"].startswith("[local test server: Whisper tiny.en, not qwen3.5")
    assert called[-1]["response"]["output"][0]["name"] == "note"


async def test_a_model_that_transcribes_sends_what_is_sure_and_the_rest(
    server: LocalDashScope,
) -> None:
    server.script(Reply(fragments=("Hello", " there")))
    async with connected(server, ASR, input_audio_format="pcm", sample_rate=16_000) as client:
        await client.append(LOUD)
        await client.send("session.finish")
        events = await client.read(until="session.finished")
    *_, first, second, completed, _ = events
    assert [(it["text"], it["stash"]) for it in (first, second)] == [
        ("", "Hello"),
        ("Hello", " there"),
    ]
    assert completed["transcript"] == "Hello there"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a type": ({"type": "new"}, "Unsupported event type"),
    "no type": ({}, "cannot be read"),
    "audio": ({"type": "input_audio_buffer.append", "audio": "?"}, "Invalid audio"),
    "a commit": ({"type": "input_audio_buffer.commit"}, "turn_detection null"),
    "a cancellation": ({"type": "response.cancel"}, "no active response"),
    "an item": ({"type": "conversation.item.create", "item": {}}, "Invalid item"),
    "a setting": ({"type": "session.update", "session": {"x": 1}}, "Unknown parameter: 'x'"),
    "no settings": ({"type": "session.update"}, "Missing required parameter"),
    "modalities": (
        {"type": "session.update", "session": {"modalities": ["audio"]}},
        r"Invalid modalities: \['audio'\]",
    ),
    "detection": (
        {"type": "session.update", "session": {"turn_detection": {"type": "x"}}},
        "Supported types are",
    ),
    "tools": ({"type": "session.update", "session": {"tools": [1]}}, "valid function"),
}


async def test_what_is_wrong_is_an_error_event_and_the_session_goes_on(
    server: LocalDashScope,
) -> None:
    async with connected(server) as client:
        for sent, message in BAD.values():
            await client._socket.send_json({"event_id": "mine", **sent})
            (event,) = await client.read(until="error")
            assert event["error"]["type"] == "invalid_request_error"
            assert event["error"]["event_id"] == "mine"
            assert re.search(message, event["error"]["message"])
        await client.send("input_audio_buffer.clear")
        await client.read(until="input_audio_buffer.cleared")


def qwen_audio_of(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


BAD_OF_QWEN_AUDIO: dict[str, tuple[dict[str, Any], str]] = {
    "the end": ({"type": "session.finish"}, "Unsupported event type"),
    "an image": ({"type": "input_image_buffer.append", "image": JPEG}, "Unsupported event type"),
    "nothing to answer": ({"type": "response.create"}, "without input"),
    "a parameter of Omni": (qwen_audio_of(temperature=1), "Unknown parameter: 'temperature'"),
    "detection": (qwen_audio_of(turn_detection={"type": "semantic_vad"}), "Supported types are"),
    "emotion": (qwen_audio_of(enable_speech_emotion="yes"), "Invalid enable_speech_emotion"),
    "a format": (qwen_audio_of(input_audio_format="wav"), "Invalid input_audio_format"),
    "history": (qwen_audio_of(max_history_turns=0), "Invalid max_history_turns: 0"),
    "a transcriber": (qwen_audio_of(input_audio_transcription={"model": "x"}), "Invalid input_aud"),
    "search with tools": (
        qwen_audio_of(
            enable_search=True, tools=[{"type": "function", "function": {"name": "note"}}]
        ),
        "exclude each other",
    ),
}


async def test_qwen_audio_refuses_what_it_does_not_have(server: LocalDashScope) -> None:
    async with connected(server, QWEN_AUDIO) as client:
        for sent, message in BAD_OF_QWEN_AUDIO.values():
            await client._socket.send_json(sent)
            (event,) = await client.read(until="error")
            assert event["error"]["type"] == "invalid_request_error"
            assert re.search(message, event["error"]["message"])
    async with connected(server, "qwen-audio-3.0-realtime-plus") as client:
        await client.send("session.update", session={"output_audio": {}})
        (event,) = await client.read(until="error")
        assert event["error"]["param"] == "session.output_audio"


async def test_settings_of_qwen_audio_have_their_time(server: LocalDashScope) -> None:
    async with connected(server, QWEN_AUDIO, voice="longanhuan_v3.1") as client:
        await client.send("session.update", session={"voice": "beth_v3.1"})
        (updated,) = await client.read(until="session.updated")
        assert updated["session"]["voice"] == "longanhuan_v3.1"  # the first one stays
        assert updated["session"]["input_audio_transcription"] == {"model": "fun-asr"}
        await client.append(QUIET)
        await client.send("session.update", session={"turn_detection": None})
        (event,) = await client.read(until="error")
        assert event["error"]["param"] == "session.turn_detection"
        await client.send("input_audio_buffer.commit")  # is ignored, and so is the next one
        await client.send("input_audio_buffer.clear")
        await client.send("session.update", session={"instructions": "Be brief."})
        assert await client.kinds(until="session.updated") == ["session.updated"]


async def test_qwen_audio_has_one_response_at_a_time(server: LocalDashScope) -> None:
    server.script(Reply("one two", pause_s=math.inf, input_transcript="Hello"), "next")
    smart = {"type": "smart_turn"}
    async with connected(server, QWEN_AUDIO, turn_detection=smart) as client:
        await client.append(LOUD + QUIET)
        events = await client.read(until="response.created")
        assert [event["type"] for event in events] == [
            *("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"),
            *TURN,
            "response.created",
        ]
        assert {name: events[4][name] for name in ("text", "stash")} == {
            "text": "",
            "stash": "Hello",
        }
        assert events[-1]["response"]["voice"] == "longanqian_v3.1"
        await client.send("response.create")
        *_, refused = await client.read(until="error")
        assert refused["error"] == {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": "Cannot create response while another response is in progress.",
            "param": "response.create",
            "event_id": "mine",
        }
        await client.append(LOUD)
        *_, done = await client.read(until="response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        assert "usage" not in done["response"]
        await client.send("response.create")  # while somebody speaks
        await client.read(until="error")
        await client.append(QUIET)
        assert (await client.read(until="response.done"))[-1]["response"]["status"] == "completed"


IMAGES: dict[str, tuple[Any, str]] = {
    "PNG": ("iVBORw0KGgo=", "expected a JPG"),
    "no base64": ("/9j/!", "expected a JPG"),
    "no text": (1, "expected a JPG"),
    "large": ("/9j/" + "A" * 256 * 1024, "more than 262144"),
}


async def test_images_are_part_of_a_turn_with_sound(unscripted: LocalDashScope) -> None:
    async with connected(unscripted, modalities=["text"], turn_detection=None) as client:
        await client.send("input_image_buffer.append", image=JPEG)
        (event,) = await client.read(until="error")
        assert event["error"]["message"] == "Error append image before append audio."
        await client.append(QUIET)
        for image, message in IMAGES.values():
            await client.send("input_image_buffer.append", image=image)
            (event,) = await client.read(until="error")
            assert message in event["error"]["message"]
        for _ in range(2):  # the second time without an image
            await client.send("input_image_buffer.append", image=JPEG)
            await client.send("input_audio_buffer.clear")
            await client.read(until="input_audio_buffer.cleared")
            await client.append(QUIET)
        await client.send("input_image_buffer.append", image=JPEG)
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        *_, done = await client.read(until="response.done")
    assert "It does not look at images." in done["response"]["output"][0]["content"][0]["text"]


async def test_connections_are_counted_and_closed_with_the_server() -> None:
    server = LocalDashScope(reply="ok").start()
    try:
        async with connected(server) as client:
            assert server.open_connections == 1
            await asyncio.to_thread(server.stop)
            assert (await client._socket.receive()).type == aiohttp.WSMsgType.CLOSE
    finally:
        server.stop()
    assert server.open_connections == 0


async def test_without_wsproto_a_request_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    with LocalDashScope(reply="ok") as server:
        url = server.base_url.replace("/api/v1", f"/api-ws/v1/realtime?model={OMNI}")
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            assert "wsproto is not installed" in await response.text()
