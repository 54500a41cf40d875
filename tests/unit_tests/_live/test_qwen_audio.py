"""Live sessions of Qwen-Audio, over a real WebSocket: what differs from those of Omni."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import ChatQwenAudio, Cost
from langchain_qwen_audio._live import reader_task
from langchain_qwen_audio._live.address import live_address
from langchain_qwen_audio._live.client_events import create_text
from langchain_qwen_audio.errors import (
    APIError,
    InvalidRequestError,
    NotFoundError,
    QwenAudioError,
    StreamInterruptedError,
    StreamTimeoutError,
)
from langchain_qwen_audio.live import (
    AudioDelta,
    ErrorReported,
    InputTranscript,
    InputTranscriptDelta,
    LiveEvent,
    LiveSession,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from langchain_qwen_audio.local import CloseCode, LiveReply, LocalDashScope, Reply
from tests.unit_tests.rows import each_row
from tests.unit_tests.waiting import HANG_S, wait_until

from .conversations import end_of, live_model, read_answer, received, say, silence, tone

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "qwen-audio-3.1-realtime-plus"
SPEECH = bytes(range(250)) * 2
HELLO = Reply("Hi you", audio=SPEECH, input_transcript="Hello there")
BEGUN: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": {"id": "r1"}},
    {"type": "response.audio_transcript.delta", "response_id": "r1", "delta": "Hel"},
)
USAGE = {
    "total_tokens": 3_000_000,
    "input_tokens": 2_000_000,
    "output_tokens": 1_000_000,
    "input_tokens_details": {"text_tokens": 1_000_000, "audio_tokens": 1_000_000},
    "output_tokens_details": {"text_tokens": 0, "audio_tokens": 1_000_000},
}


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


def qwen_audio(server: LocalDashScope, **settings: Any) -> ChatQwenAudio:
    return live_model(server, **{"model": MODEL, **settings})


def kinds(events: list[LiveEvent]) -> list[type]:
    return [type(event) for event in events]


def sent(server: LocalDashScope) -> list[str]:
    """The types of events that the server received."""
    return [event["type"] for event in received(server.live_sessions[0])]


async def fall_silent(session: LiveSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the service say a last thing, after which its silence is the end."""
    monkeypatch.setattr(reader_task, "_UNCONFIRMED_END_S", 0.01)
    await session._link.send(create_text("Bye."))
    assert [event async for event in session] == []


async def test_a_turn_by_hand_is_exact_both_ways(server: LocalDashScope) -> None:
    server.script(HELLO)
    more = {"enable_speech_emotion": False, "max_history_turns": 5}
    model = qwen_audio(server, voice="longanhuan_v3.1", model_kwargs=more)
    async with model.session(instructions="Be brief.", turn_detection=None) as session:
        await session.send_audio(tone(0.1))
        await session.commit()
        await session.finish()
        events = [event async for event in session]
    (record,) = server.live_sessions
    assert record.request.query == {"model": MODEL}
    assert received(record) == [
        {
            "type": "session.update",
            "session": {
                "modalities": ["text", "audio"],
                "voice": "longanhuan_v3.1",
                "input_audio_format": "pcm",
                "output_audio_format": "pcm",
                "turn_detection": None,
                "instructions": "Be brief.",
                **more,
            },
        },
        {"type": "input_audio_buffer.append", "audio": 4268},
        {"type": "input_audio_buffer.commit"},
        {"type": "response.create"},
    ]
    (first, second, heard, started, *spoken, finished) = events
    assert isinstance(started, ResponseStarted)
    item_id = first.item_id  # type: ignore[union-attr]
    assert [first, second, heard] == [
        InputTranscriptDelta("", item_id, "Hello"),
        InputTranscriptDelta("Hello", item_id, " there"),
        InputTranscript("Hello there", item_id),
    ]
    assert spoken == [
        TextDelta("Hi", started.response_id),
        AudioDelta(SPEECH[:250], started.response_id),
        TextDelta(" you", started.response_id),
        AudioDelta(SPEECH[250:], started.response_id),
    ]
    assert isinstance(finished, ResponseFinished)
    assert finished.status == "completed"
    assert [(it.type, it.content) for it in session.messages] == [
        ("system", "Be brief."),
        ("human", "Hello there"),
        ("ai", "Hi you"),
    ]


@pytest.mark.parametrize("detection", ["server_vad", "smart_turn"])
async def test_the_service_finds_the_ends_of_turns_and_finish_waits_for_the_last_answer(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch, detection: Any
) -> None:
    monkeypatch.setattr(reader_task, "_UNCONFIRMED_END_S", HANG_S)
    server.script(HELLO, "again")
    async with qwen_audio(server).session(turn_detection=detection) as session:
        await session.send_audio(silence(0.2) + tone(0.5) + silence(1))
        first = await read_answer(session)
        await session.send_audio(tone(0.5))
        await session.finish()
        last = await read_answer(session)
        await fall_silent(session, monkeypatch)
    begin = [SpeechStarted, SpeechStopped]
    assert first[:2] == [SpeechStarted(0.2), SpeechStopped(1.5)]
    assert kinds(last) == [*begin, ResponseStarted, TextDelta, ResponseFinished]
    assert sent(server)[:-1] == ["session.update", *["input_audio_buffer.append"] * 6]
    wait_until(lambda: server.live_sessions[0].close_code == 1000)


async def test_finish_ends_a_session_with_turn_detection_in_which_nothing_was_said(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_UNCONFIRMED_END_S", 0.05)
    async with qwen_audio(server).session() as session:
        await session.finish()
        assert [event async for event in session] == []
        with pytest.raises(InvalidRequestError, match="not open"):
            await session.send_text("?")
    assert sent(server) == ["session.update"]


async def test_finish_by_hand_ends_at_once_when_all_was_said(server: LocalDashScope) -> None:
    async with qwen_audio(server).session(turn_detection=None) as session:
        await session.send_text("?")
        await read_answer(session)
        await session.finish()
        assert [event async for event in session] == []
        with pytest.raises(InvalidRequestError, match="not open"):
            await session.send_text("?")


async def test_finish_by_hand_waits_for_a_transcript_that_comes_after_the_answer(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_UNCONFIRMED_END_S", 2 * HANG_S)

    def heard(kind: str, **fields: Any) -> dict[str, Any]:
        kind = f"conversation.item.input_audio_transcription.{kind}"
        return {"type": kind, "item_id": "i1", "content_index": 0, **fields}

    server.script(
        LiveReply(
            [
                {"type": "input_audio_buffer.committed", "item_id": "i1"},
                *BEGUN,
                {"type": "response.done", "response": {"id": "r1", "status": "completed"}},
                heard("delta", text="He", stash="l"),
                heard("delta", text="Hell", stash="o"),
                heard("completed", transcript="Hello"),
            ]
        )
    )
    session = qwen_audio(server).session(turn_detection=None)
    async with asyncio.timeout(HANG_S), session:
        await session.send_text("?")
        await session.finish()
        *_, first, second, last = [event async for event in session]
    assert [first, second, last] == [
        InputTranscriptDelta("He", "i1", "l"),
        InputTranscriptDelta("ll", "i1", "o"),
        InputTranscript("Hello", "i1"),
    ]
    assert [it.text for it in session.messages] == ["?", "Hello", "Hel"]


async def test_a_finished_session_waits_for_a_slow_tool_of_its_last_turn(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_UNCONFIRMED_END_S", HANG_S)
    limits: list[float] = []

    async def wait() -> str:
        """Wait."""
        limits.append(session._link.task._wait_s)
        return "waited"

    server.script(Reply(tool_calls=[{"name": "wait", "arguments": {}, "id": "c1"}]), "done")
    async with qwen_audio(server).session(tools=[wait]) as session:
        await session.send_audio(tone(0.5))
        await session.finish()
        await read_answer(session)
        events = await read_answer(session)
        await fall_silent(session, monkeypatch)
    assert limits == [reader_task._SILENT_S]  # not that of the end
    assert kinds(events) == [
        *(ToolStarted, ToolFinished),
        *(ResponseStarted, TextDelta, ResponseFinished),
    ]
    assert end_of(events).message.text == "done"
    (settings, *_) = received(server.live_sessions[0])
    assert [set(tool) for tool in settings["session"]["tools"]] == [{"type", "function"}]


async def test_sounds_without_a_meaning_are_no_turn(server: LocalDashScope) -> None:
    place = {"item_id": "i1"}
    ambient = "conversation.item.ambient_audio_transcription"
    server.script(
        LiveReply(
            [
                {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, **place},
                {
                    "type": "input_audio_buffer.speech_stopped",
                    "audio_end_ms": 300,
                    "reason": "turn_invalid",
                    **place,
                },
                {"type": f"{ambient}.delta", "item_id": "a1", "text": "hm", "stash": ""},
                {"type": f"{ambient}.completed", "item_id": "a1", "transcript": "hm"},
                {"type": "voiceprint_audio_list.in_progress", "item_id": "vp1"},
                {"type": "voiceprint_audio_list.failed", "item_id": "vp1", "reason": "no file"},
                *BEGUN,
                {"type": "response.done", "response": {"id": "r1", "status": "completed"}},
            ]
        )
    )
    async with qwen_audio(server).session(turn_detection="smart_turn") as session:
        await session.send_text("?")
        started, stopped, failed, *_ = await read_answer(session)
    assert [started, stopped] == [SpeechStarted(0.1), SpeechStopped(0.3, is_turn=False)]
    assert isinstance(failed, ErrorReported)
    assert "a voice of turn_detection is not used: no file" in str(failed.error)
    assert [it.text for it in session.messages] == ["?", "Hel"]


async def test_an_answer_is_interrupted_by_speech_and_by_hand(server: LocalDashScope) -> None:
    stalled = Reply("one two", audio=SPEECH, pause_s=math.inf)
    server.script(stalled, stalled, "done")
    async with qwen_audio(server).session() as session:
        await session.send_text("Talk.")
        async for event in session:
            if isinstance(event, TextDelta | ResponseStarted):
                break
        await session.send_audio(tone(0.5) + silence(1))
        by_speech = await read_answer(session)
        async for event in session:
            if isinstance(event, ResponseStarted):
                break
        await session.send_text("No.")
        by_hand, last = [await read_answer(session) for _ in range(2)]
    ends = [end_of(events) for events in (by_speech, by_hand, last)]
    assert [it.status for it in ends] == ["cancelled", "cancelled", "completed"]
    assert [it.message.usage_metadata for it in ends[:2]] == [None, None]
    events: Any = server.live_sessions[0].sent
    dones = [it["response"] for it in events if it["type"] == "response.done"]
    assert [it.get("status_details", {}).get("reason") for it in dones] == [
        "turn_detected",
        "client_cancelled",
        None,
    ]


FAILED = {"type": "server_error", "code": "InternalError", "message": "LLM connection failed"}
BUSY = {
    "type": "invalid_request_error",
    "code": "invalid_value",
    "message": "Cannot create response while another response is in progress.",
    "param": "response.create",
}
DONE = {"id": "r1", "status": "failed", "status_details": {"type": "failed"}}


@each_row(
    "steps, error, match",
    [
        (({"type": "error", "error": FAILED},), APIError, "LLM connection failed"),
        (({"type": "error", "error": FAILED}, CloseCode(1011)), APIError, "LLM connection failed"),
        ((CloseCode(1011),), APIError, "the service failed"),
        ((CloseCode(1000),), StreamInterruptedError, "ended the session"),
        ((math.inf,), StreamTimeoutError, r"silent for 0\.5 s"),
    ],
)
@each_row("detection", ["smart_turn", None])
async def test_an_error_of_the_service_ends_the_session(
    server: LocalDashScope,
    steps: tuple[Any, ...],
    error: type[QwenAudioError],
    match: str,
    detection: Any,
) -> None:
    server.script(LiveReply([*BEGUN, *steps]))
    async with qwen_audio(server, timeout=0.5).session(turn_detection=detection) as session:
        await session.send_text("?")
        await session.finish()  # an answer that is cut off is no end in good order
        with pytest.raises(error, match=match) as caught:
            await read_answer(session)
    assert caught.value.text == "Hel"


async def test_an_answer_that_stalls_in_a_finished_session_is_no_end_in_good_order(
    server: LocalDashScope,
) -> None:
    server.script(LiveReply([*BEGUN, math.inf]))
    async with qwen_audio(server, timeout=0.5).session() as session:
        await session.send_audio(tone(0.5))
        await session.finish()
        with pytest.raises(StreamTimeoutError, match=r"silent for 0\.5 s"):
            await read_answer(session)


@each_row(
    "steps, match",
    [
        (({"type": "error", "error": BUSY},), r"in progress\. \(response\.create\)"),
        ((*BEGUN, {"type": "response.done", "response": DONE}), "reported an error"),
    ],
)
async def test_an_error_of_one_event_or_answer_does_not_end_the_session(
    server: LocalDashScope, steps: tuple[Any, ...], match: str
) -> None:
    server.script(LiveReply(steps), "fine")
    async with qwen_audio(server).session(turn_detection=None) as session:
        await session.send_text("?")
        async for event in session:
            if isinstance(event, ErrorReported):
                break
        await session.send_text("Again?")
        await session.finish()
        events = [event, *[event async for event in session]]
    (reported,) = [it for it in events if isinstance(it, ErrorReported)]
    assert re.search(match, str(reported.error))
    assert end_of(events).message.text == "fine"


@each_row(
    "settings, arguments, error, match",
    [
        ({"temperature": 0.5}, {}, InvalidRequestError, "it takes enable_search, search_options"),
        ({}, {"turn_detection": "semantic_vad"}, InvalidRequestError, "server_vad, smart_turn"),
        ({"base_url": None}, {}, InvalidRequestError, "pass workspace="),
        ({"enable_search": True}, {"tools": [len]}, InvalidRequestError, "one of them"),
        ({"model": "qwen-audio-3.9-realtime-plus"}, {}, NotFoundError, "has no live voice session"),
    ],
)
def test_what_a_session_does_not_take_is_refused_before_it(
    server: LocalDashScope,
    settings: dict[str, Any],
    arguments: dict[str, Any],
    error: type[Exception],
    match: str,
) -> None:
    with pytest.raises(error, match=match):
        qwen_audio(server, **settings).session(**arguments)


def test_sessions_are_on_the_hosts_of_workspaces() -> None:
    model = ChatQwenAudio(model=MODEL, api_key="x", workspace="ws1", base_url=None)
    host = "wss://ws1.cn-beijing.maas.aliyuncs.com"
    assert (
        live_address(model, workspace_only=True).url == f"{host}/api-ws/v1/realtime?model={MODEL}"
    )


async def test_a_setting_that_the_service_does_not_take_is_an_error(
    server: LocalDashScope,
) -> None:
    model = qwen_audio(server, model_kwargs={"max_history_turns": 51})
    with pytest.raises(InvalidRequestError, match=r"max_history_turns: 51"):
        await model.session().__aenter__()


async def test_an_answer_has_a_cost(server: LocalDashScope) -> None:
    server.script(Reply("Hi", audio=SPEECH, usage=USAGE))
    async with qwen_audio(server, region="cn-beijing").session(turn_detection=None) as session:
        answer = end_of(await say(session)).message
    assert Cost.of(answer).amount == 5 + 40 + 150
