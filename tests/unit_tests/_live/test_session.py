"""Live voice sessions, over a real WebSocket."""

from __future__ import annotations

import asyncio
import gc
import math
import tracemalloc
from typing import TYPE_CHECKING, Any

import httpx
import pybase64
import pytest
from aiohttp import web
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool as make_tool

from langchain_qwen_audio import Audio, ChatQwenAudio, Cost
from langchain_qwen_audio._live import connection as live_connection
from langchain_qwen_audio._live import reader_task
from langchain_qwen_audio._live.address import live_address
from langchain_qwen_audio._live.client_events import create_response
from langchain_qwen_audio.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AudioError,
    AuthenticationError,
    InvalidRequestError,
    MessageError,
    NotFoundError,
    QwenAudioError,
    RateLimitError,
    StreamInterruptedError,
    StreamTimeoutError,
)
from langchain_qwen_audio.live import (
    AudioDelta,
    ErrorReported,
    InputTranscript,
    InputTranscriptDelta,
    LiveSession,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from langchain_qwen_audio.local import (
    END,
    RESET,
    CloseCode,
    LiveReply,
    LocalDashScope,
    RawReply,
    Reply,
    error_reply,
)
from tests.unit_tests.rows import each_row
from tests.unit_tests.test_docs import SAMPLE
from tests.unit_tests.waiting import HANG_S, wait_until

from .conversations import (
    MODEL,
    end_of,
    live_model,
    read_answer,
    received,
    say,
    service_that_goes_on,
    silence,
    tone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.outputs import LLMResult

SPEECH = bytes(range(250)) * 2
SPOKEN = Reply(fragments=("Hello", " there"), audio=SPEECH, input_transcript="Hi you")
USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_tokens_details": {"text_tokens": 5, "audio_tokens": 15},
    "output_tokens_details": {"text_tokens": 4, "audio_tokens": 6},
}


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail() -> None:
    """Fail."""
    raise OSError("the disk is full")


async def test_half_a_character_is_one_clear_error_and_the_talk_goes_on(
    server: LocalDashScope,
) -> None:
    server.script(Reply("Yes."))
    async with live_model(server).session(turn_detection=None) as session:
        with pytest.raises(MessageError, match="half a character"):
            await session.send_text("a\ud800b")
        assert session.messages == []
        await session.send_text("?")
        assert end_of(await read_answer(session)).message.text == "Yes."
    with pytest.raises(MessageError, match=r"instructions: .*half a character"):
        async with live_model(server).session(instructions="\ud800"):
            pass


def odd() -> str:
    """Return half a character."""
    return "\ud800"


async def test_half_a_character_of_a_tool_is_an_error_that_says_where(
    server: LocalDashScope,
) -> None:
    described = make_tool(add, description="\ud800")
    with pytest.raises(MessageError, match=r"tools\[0\].*description: .*half a character"):
        async with live_model(server).session(tools=[described]):
            pass
    server.script(Reply(tool_calls=[{"name": "odd", "arguments": "{}"}]))
    async with live_model(server).session(tools=[odd], turn_detection=None) as session:
        await session.send_text("?")
        await read_answer(session)
        with pytest.raises(MessageError, match=r"output: .*half a character"):
            await asyncio.wait_for(read_answer(session), HANG_S)


async def test_a_turn_is_exact_both_ways(server: LocalDashScope) -> None:
    server.script(Reply("Hi you", input_transcript="Hello"))
    model = live_model(server, voice="Tina", temperature=0.5)
    async with model.session(instructions="Be brief.", turn_detection=None) as session:
        await session.send_audio(tone(0.1))
        await session.commit()
        await session.finish()
        events = [event async for event in session]
    (record,) = server.live_sessions
    assert record.request.query == {"model": MODEL}
    assert record.request.headers["authorization"] == "Bearer local"
    assert received(record) == [
        {
            "type": "session.update",
            "session": {
                "modalities": ["text", "audio"],
                "voice": "Tina",
                "input_audio_format": "pcm",
                "output_audio_format": "pcm",
                "input_audio_transcription": {"model": "qwen3-asr-flash-realtime"},
                "turn_detection": None,
                "instructions": "Be brief.",
                "temperature": 0.5,
            },
        },
        {"type": "input_audio_buffer.append", "audio": 4268},
        {"type": "input_audio_buffer.commit"},
        {"type": "response.create"},
        {"type": "session.finish"},
    ]
    assert pybase64.b64decode(record.received[1]["audio"]) == tone(0.1)
    *_, started, first, second, finished = events
    assert isinstance(started, ResponseStarted)
    item_id = events[0].item_id  # type: ignore[union-attr]
    assert events[:-4] == [
        InputTranscriptDelta("", item_id, "Hello"),
        InputTranscript("Hello", item_id),
    ]
    assert [first, second] == [TextDelta(it, started.response_id) for it in ("Hi", " you")]
    assert isinstance(finished, ResponseFinished)
    assert finished.status == "completed"
    assert [(it.type, it.content) for it in session.messages] == [
        ("system", "Be brief."),
        ("human", "Hello"),
        ("ai", "Hi you"),
    ]


async def test_speech_usage_and_cost_are_those_of_the_answer(server: LocalDashScope) -> None:
    server.script(Reply(**{**vars(SPOKEN), "usage": USAGE}))
    model = live_model(server, region="cn-beijing")
    async with model.session(turn_detection=None) as session:
        events = await say(session)
    pieces = [event for event in events if isinstance(event, AudioDelta)]
    assert b"".join(piece.pcm for piece in pieces) == SPEECH
    assert {piece.sample_rate for piece in pieces} == {24_000}
    answer = end_of(events).message
    assert answer.text == "Hello there"
    assert answer.usage_metadata == {
        "input_tokens": 20,
        "output_tokens": 10,
        "total_tokens": 30,
        "input_token_details": {"audio": 15},
        "output_token_details": {"audio": 6},
    }
    assert answer.response_metadata["model_name"] == MODEL
    assert answer.response_metadata["finish_reason"] == "stop"
    assert Cost.of(answer).amount is not None


async def test_the_service_finds_the_ends_of_turns(server: LocalDashScope) -> None:
    server.script(SPOKEN)
    async with live_model(server).session() as session:
        await session.send_audio(silence(0.2) + tone(0.5) + silence(1))
        events = await read_answer(session)
        server.script("again")
        await session.send_audio(tone(0.5))
        await session.commit()
        more = await read_answer(session)
    assert events[:2] == [SpeechStarted(0.2), SpeechStopped(1.5)]
    assert [type(event) for event in more[:3]] == [SpeechStarted, SpeechStopped, ResponseStarted]


@each_row(
    "detection, pause_s",
    [("server_vad", 1.2), ({"type": "server_vad", "silence_duration_ms": 2000}, 2.4)],
)
async def test_a_turn_that_is_ended_by_hand_has_a_pause_that_is_long_enough(
    server: LocalDashScope, detection: Any, pause_s: float
) -> None:
    async with live_model(server).session(turn_detection=detection) as session:
        await session.send_audio(tone(0.5))
        await session.commit()
        await read_answer(session)
    assert b"".join(_audio(server)) == tone(0.5) + silence(pause_s)


async def test_speech_interrupts_the_answer_and_what_was_not_played(server: LocalDashScope) -> None:
    server.script(Reply(**{**vars(SPOKEN), "pause_s": 0.01, "audio": SPEECH * 100}), "next")
    async with live_model(server).session() as session:
        await session.send_audio(tone(0.5) + silence(1))
        async for event in session:
            if isinstance(event, AudioDelta):
                break
        await session.send_audio(tone(0.5) + silence(1))
        events = await read_answer(session)
        answer = await read_answer(session)
    assert not any(isinstance(event, AudioDelta) for event in events)
    assert end_of(events).status == "cancelled"
    assert end_of(answer).message.text == "next"
    assert [it.type for it in session.messages] == ["human", "ai", "human", "ai"]


async def test_hanging_up_can_be_cancelled_and_leaves_no_connection(server: LocalDashScope) -> None:
    begun = asyncio.Event()

    async def hold() -> None:
        async with live_model(server).session():
            begun.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await begun.wait()
    holding.cancel()
    await asyncio.sleep(0)  # now it hangs up
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
    gc.collect()  # aiohttp warns of a client session that was not closed


async def test_a_turn_by_hand_interrupts_the_answer_too(server: LocalDashScope) -> None:
    server.script(Reply("one two", pause_s=math.inf), "done")
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_text("Talk.")
        async for event in session:
            if isinstance(event, ResponseStarted):
                break
        await session.send_audio(tone(0.1))
        await session.commit()
        ends = [end_of(await read_answer(session)) for _ in range(2)]
    assert [(it.status, it.message.text) for it in ends] == [
        ("cancelled", ""),
        ("completed", "done"),
    ]


@each_row("ends_itself", [True, False])
async def test_an_interrupted_answer_ends_even_if_the_service_does_not_say_so(
    server: LocalDashScope, ends_itself: bool
) -> None:
    item = {"type": "response.output_item.done", "response_id": "r1", "item": {}}
    late = {"type": "response.text.delta", "response_id": "r1", "delta": "lost"}
    done = {"type": "response.done", "response": {"id": "r1", "status": "cancelled"}}
    again = {"type": "response.created", "response": {"id": "r2"}}
    whole = {"type": "response.done", "response": {"id": "r2", "status": "completed"}}
    rest: list[dict[str, Any]] = [item, late, done] if ends_itself else [again, late, whole]
    server.script(LiveReply(BEGUN), LiveReply(rest), "next")
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_text("?")
        async for event in session:
            if isinstance(event, TextDelta):
                break
        await session.interrupt()
        await session._link.send(create_response())  # for the rest to be sent
        first = end_of(await read_answer(session))
        if not ends_itself:
            assert end_of(await read_answer(session)).message.text == ""
        await session.send_text("Go on.")
        second = end_of(await read_answer(session))
    assert (first.status, first.message.text) == ("cancelled", "Hel")
    assert second.message.text == "next"


async def test_a_text_waits_for_the_end_of_the_answer_that_it_interrupts(
    server: LocalDashScope,
) -> None:
    server.script(LiveReply(BEGUN), LiveReply([CloseCode(1011)]))
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_text("?")
        async for event in session:
            if isinstance(event, TextDelta):
                break
        waiting = asyncio.create_task(session.send_text("No."))
        events = server.live_sessions[0].received
        await asyncio.to_thread(wait_until, lambda: "No." in str(events))
        assert events[-1]["type"] == "conversation.item.create"
        assert not waiting.done()
        await session._link.send(create_response())  # for the session to break
        with pytest.raises(APIError, match="the service failed"):
            await waiting


class Recorder(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    async def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.calls.append(("start", [it.text for it in messages[0]]))
        assert "local" not in str(serialized.get("kwargs", {}).get("api_key"))

    async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.calls.append(("token", token))

    async def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.calls.append(("end", response.generations[0][0].text))

    async def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.calls.append(("error", str(error)))


async def test_callbacks_see_each_answer_as_a_run(server: LocalDashScope) -> None:
    server.script(Reply("Hi you", input_transcript="Hello"), LiveReply([*BEGUN, CloseCode(1011)]))
    recorder = Recorder()
    async with live_model(server, callbacks=[recorder]).session(turn_detection=None) as session:
        await say(session)
        with pytest.raises(APIError):
            await say(session)
    said = ["Hello", "Hi you", "[speech without a transcript]"]
    assert recorder.calls == [
        ("start", said[:1]),
        *[("token", "Hi"), ("token", " you"), ("end", "Hi you")],
        ("start", said),
        *[("token", "Hel"), ("error", "the service failed (close code 1011)")],
    ]


async def test_speech_that_was_interrupted_is_not_read_any_more(server: LocalDashScope) -> None:
    audio = {"type": "response.audio.delta", "response_id": "r1", "delta": "AAAA"}
    speech = {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100}
    done = {"id": "r1", "status": "cancelled"}
    end = {"type": "response.done", "response": done}
    server.script(LiveReply([*BEGUN, audio, audio, speech, audio, end]))
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_audio(tone(0.1))
        await session.commit()
        while len(session.messages) < 2:  # noqa: ASYNC110  # the answer ends, and nothing is read
            await asyncio.sleep(0.01)
        events = await read_answer(session)
    assert [type(it) for it in events] == [
        ResponseStarted,
        TextDelta,
        SpeechStarted,
        ResponseFinished,
    ]
    assert session.messages[-1].text == "Hel"


async def test_interrupting_by_hand_drops_the_speech_that_was_not_read(
    server: LocalDashScope,
) -> None:
    audio = {"type": "response.audio.delta", "response_id": "r1", "delta": "AAAA"}
    end = {"type": "response.done", "response": {"id": "r1", "status": "cancelled"}}
    last = {**BEGUN[1], "delta": "lo"}
    server.script(LiveReply([*BEGUN, audio, last]), LiveReply([audio, end]))
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_text("?")
        while session._link.reader.text != "Hello":  # noqa: ASYNC110  # all came, and is not read
            await asyncio.sleep(0.01)
        await session.interrupt()
        await session._link.send(create_response())  # for the rest to be sent
        events = await read_answer(session)
    assert [type(it) for it in events] == [ResponseStarted, TextDelta, TextDelta, ResponseFinished]


async def test_an_answer_is_interrupted_by_hand_and_by_a_text(server: LocalDashScope) -> None:
    stalled = Reply("one two", pause_s=math.inf, input_transcript="Hi")
    server.script(stalled, stalled, "done")
    async with live_model(server).session(turn_detection=None) as session:
        await session.interrupt()  # nothing to interrupt
        await session.send_audio(tone(0.1))
        await session.commit()
        async for event in session:
            if isinstance(event, ResponseStarted):
                break
        await session.interrupt()
        cancelled = await read_answer(session)
        await session.send_text("Say it again.")
        async for event in session:
            if isinstance(event, ResponseStarted):
                break
        await session.send_text("No, do not.")
        again = await read_answer(session)
        last = await read_answer(session)
    ends = [end_of(events) for events in (cancelled, again, last)]
    assert [it.status for it in ends] == ["cancelled", "cancelled", "completed"]
    kinds = [event["type"] for event in received(server.live_sessions[0])]
    assert kinds[3:] == [
        "response.create",
        "response.cancel",
        *("conversation.item.create", "response.create"),
        "response.cancel",
        *("conversation.item.create", "response.create"),
    ]
    texts = [it.content for it in session.messages if isinstance(it, HumanMessage)]
    assert texts == ["Hi", "Say it again.", "No, do not."]


async def test_tools_are_run_and_answered(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[dict[str, Any]] = [
        {"name": "add", "arguments": {"a": 2, "b": 3}, "id": "c1"},
        {"name": "fail", "arguments": {}, "id": "c2"},
        {"name": "gone", "arguments": {}, "id": "c3"},
        {"name": "add", "arguments": "[1]", "id": "c4"},
    ]
    server.script(Reply(tool_calls=calls), "It is 5.")
    session_of = live_model(server).session
    async with session_of(tools=[add, fail], turn_detection=None) as session:
        called = await say(session)
        answered = await read_answer(session)
    assert isinstance(called[-1], ResponseFinished)
    assert [call["id"] for call in end_of(called).message.tool_calls] == ["c1", "c2", "c3"]
    assert [it.call["id"] for it in answered if isinstance(it, ToolStarted)] == ["c1", "c2", "c3"]
    results = {
        it.message.tool_call_id: (it.message.status, it.message.text)
        for it in answered
        if isinstance(it, ToolFinished)
    }
    assert results == {
        "c1": ("success", "5"),
        "c2": ("error", "Error: OSError: the disk is full"),
        "c3": ("error", "Error: there is no tool 'gone', only add, fail"),
        "c4": ("error", "Error: the arguments are not a JSON object: expected a JSON object"),
    }
    (record,) = server.live_sessions
    (settings, *_, last) = received(record)
    assert [tool["function"]["name"] for tool in settings["session"]["tools"]] == ["add", "fail"]
    assert last == {"type": "response.create"}
    outputs = [event["item"] for event in record.received if "item" in event]
    assert {"type": "function_call_output", "call_id": "c1", "output": "5"} in outputs
    assert [it.type for it in session.messages] == ["human", "ai", *["tool"] * 4, "ai"]
    assert "the tool fail failed" in caplog.text


async def test_tools_of_one_answer_run_at_the_same_time_and_are_runs_of_their_own(
    server: LocalDashScope,
) -> None:
    class Runs(AsyncCallbackHandler):
        async def on_tool_start(self, serialized: Any, *_: Any, **__: Any) -> None:
            started.append(serialized["name"])

    started: list[str] = []
    met = asyncio.Barrier(2)

    @make_tool
    async def meet() -> str:
        """Meet the other one."""
        await met.wait()
        return "met"

    meet.callbacks = [Runs()]
    calls: list[dict[str, Any]] = [{"name": "meet", "arguments": {}, "id": it} for it in "ab"]
    server.script(Reply(tool_calls=calls), "Both met.")
    async with live_model(server).session(tools=[meet], turn_detection=None) as session:
        await say(session)
        answered = await read_answer(session)
    results = [it.message.text for it in answered if isinstance(it, ToolFinished)]
    assert results == ["met", "met"]
    assert started == ["meet", "meet"]


async def test_a_recording_that_a_tool_returns_is_no_empty_result(server: LocalDashScope) -> None:
    def record() -> Audio:
        """Record with the microphone."""
        return Audio.from_path(SAMPLE)

    server.script(Reply(tool_calls=[{"name": "record", "arguments": {}, "id": "c1"}]), "Sorry.")
    async with live_model(server).session(tools=[record], turn_detection=None) as session:
        await say(session)
        answered = await read_answer(session)
    (result,) = [it.message for it in answered if isinstance(it, ToolFinished)]
    reason = "Error: it returned file, and a live session sends text alone"
    assert (result.status, result.text) == ("error", reason)
    (sent,) = [it["item"] for it in server.live_sessions[0].received if "call_id" in str(it)]
    assert sent["output"] == reason


async def test_a_finished_session_ends_after_the_results_of_tools(server: LocalDashScope) -> None:
    call = {"name": "add", "arguments": {"a": 2, "b": 3}}
    server.script(Reply(tool_calls=[call]), "It is 5.")
    async with live_model(server).session(tools=[add]) as session:
        await session.send_text("How much is 2 and 3?")
        await session.finish()
        events = [event async for event in session]
    assert isinstance(events[-1], ResponseFinished)
    assert end_of(events).message.text == "It is 5."


async def test_a_chat_model_takes_the_conversation_on(server: LocalDashScope) -> None:
    call = {"name": "add", "arguments": {"a": 2, "b": 3}}
    server.script(Reply(tool_calls=[call]), Reply("5", input_transcript="never sent"), "ok")
    async with live_model(server).session(instructions="Add.", tools=[add]) as session:
        await session.send_text("2 and 3?")
        await read_answer(session)
        await read_answer(session)
    kinds = (SystemMessage, HumanMessage, AIMessage, ToolMessage, AIMessage)
    assert [type(it) for it in session.messages] == [*kinds]
    chat = live_model(server, model="qwen3.5-omni-flash", streaming=True)
    assert chat.invoke([*session.messages, HumanMessage("And 1?")]).text == "ok"
    roles = [message["role"] for message in server.requests[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_a_turn_without_a_transcript_says_so(server: LocalDashScope) -> None:
    async with live_model(server).session(turn_detection=None) as session:
        await say(session)
    assert session.messages[0].text == "[speech without a transcript]"


@each_row("sample_rate, size", [(16_000, 32_000), (8_000, 32_000), (44_100, 32_000)])
async def test_samples_of_any_rate_are_converted(
    server: LocalDashScope, sample_rate: int, size: int
) -> None:
    samples = tone(1.0, sample_rate)
    async with live_model(server).session(turn_detection=None) as session:
        for at in range(0, len(samples), 999):  # in the middle of samples
            await session.send_audio(samples[at : at + 999], sample_rate=sample_rate)
        await session.commit()
        await read_answer(session)
    sent = b"".join(_audio(server))
    assert abs(len(sent) - size) <= 4
    if sample_rate == 16_000:
        assert sent == samples


async def test_a_recording_is_sent_as_its_samples(server: LocalDashScope) -> None:
    recording = Audio.from_path(SAMPLE)
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_audio(recording)
        await session.commit()
        await read_answer(session)
        with pytest.raises(AudioError, match="str came, expected an Audio"):
            await session.send_audio("welcome.wav")  # type: ignore[arg-type]
    pieces = list(_audio(server))
    assert b"".join(pieces) == b"".join(recording.decode(16_000))
    assert max(map(len, pieces)) <= 16_000


def _audio(server: LocalDashScope) -> Iterator[bytes]:
    (record,) = server.live_sessions
    return (pybase64.b64decode(it["audio"]) for it in record.received if "audio" in it)


BEGUN: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": {"id": "r1"}},
    {"type": "response.text.delta", "response_id": "r1", "delta": "Hel"},
)
INVALID = {"type": "invalid_request_error", "code": "invalid_value", "message": "bad", "param": "x"}
FAILED = {"type": "server_error", "code": "InternalError", "message": "it broke"}


@each_row(
    "steps, error, match",
    [
        ((RESET,), StreamInterruptedError, "the connection broke"),
        ((END,), StreamInterruptedError, "the connection broke"),
        (("{not json",), APIError, "no JSON"),
        (("[1]",), APIError, "no event"),
        (({"type": "response.text.delta"},), APIError, "cannot be read"),
        (({"type": "response.audio.delta", "delta": "?"},), APIError, "cannot be read"),
        (({"type": "error", "error": FAILED},), APIError, "it broke"),
        ((CloseCode(1000),), StreamInterruptedError, "ended the session"),
        ((CloseCode(1007, "Invalid payload data"),), InvalidRequestError, "Invalid payload"),
        ((CloseCode(1009),), InvalidRequestError, "too large"),
        ((CloseCode(1011, "oops"),), APIError, "failed .close code 1011.: oops"),
        ((CloseCode(1011, "Model not exist."),), NotFoundError, "Model not exist"),
        ((CloseCode(1013),), StreamInterruptedError, "overloaded"),
        ((CloseCode(4321),), StreamInterruptedError, "close code 4321"),
        ((math.inf,), StreamTimeoutError, "silent for 2 s"),
    ],
)
async def test_a_session_that_breaks_is_an_error_with_the_text_so_far(
    server: LocalDashScope,
    steps: tuple[Any, ...],
    error: type[QwenAudioError],
    match: str,
) -> None:
    server.script(LiveReply([*BEGUN, *steps]))
    model = live_model(server, timeout=2.0 if math.inf in steps else HANG_S)
    async with model.session(turn_detection=None) as session:
        with pytest.raises(error, match=match) as caught:
            await say(session)
        with pytest.raises(error):  # again: it stays broken
            await session.send_text("?")
        with pytest.raises(error):
            await anext(session)
    assert caught.value.text == "Hel"


async def test_an_error_of_one_event_does_not_end_the_session(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(LiveReply([{"type": "error", "error": INVALID}, {"type": "new.kind"}]), "fine")
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_audio(tone(0.1))
        await session.commit()
        event = await anext(session)
        assert isinstance(event, ErrorReported)
        assert isinstance(event.error, InvalidRequestError)
        assert event.error.code == "invalid_value"
        answer = await say(session)
    assert end_of(answer).message.text == "fine"
    assert "bad (x)" in caplog.text


KEY = "sk-swordfish-0123456789"


@pytest.mark.parametrize(
    "step",
    [
        {"type": "error", "error": {"type": "invalid_request_error", "message": f"key {KEY}"}},
        {"type": "error", "error": {"type": "server_error", "message": f"key {KEY}"}},
        {"type": "response.created", "nonsense": KEY},
        f"no JSON: {KEY}",
        CloseCode(1008, f"Incorrect API key provided: {KEY}"),
    ],
    ids=["of one event", "of the session", "unreadable", "no JSON", "close code"],
)
async def test_the_key_is_in_no_error_and_in_no_log_even_if_the_service_repeats_it(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture, step: Any
) -> None:
    caplog.set_level("DEBUG")
    server.script(LiveReply([step, CloseCode(1000)]))
    told: list[object] = []
    async with live_model(server, api_key=KEY).session(turn_detection=None) as session:
        await session.send_text("?")
        try:
            async for event in session:
                told.append(event)  # noqa: PERF401  # what came before an error counts too
        except QwenAudioError as error:
            told += [error, vars(error), error.__cause__]
    assert KEY not in f"{told}{caplog.text}"
    assert "[key]" in f"{told}"


async def test_a_response_that_failed_says_why(server: LocalDashScope) -> None:
    failed = {"id": "r1", "status": "failed", "status_details": {"error": FAILED}}
    server.script(LiveReply([*BEGUN, {"type": "response.done", "response": failed}]))
    async with live_model(server).session(turn_detection=None) as session:
        *_, reported, finished = await say(session)
    assert isinstance(reported, ErrorReported)
    assert isinstance(finished, ResponseFinished)
    assert finished.status == "failed"


@each_row(
    "settings, reply, error, match",
    [
        ({"api_key": "wrong"}, None, AuthenticationError, "status 401"),
        (
            {"model": "qwen3-omni-flash-realtime-2025-09-15"},
            None,
            NotFoundError,
            "status 404",
        ),
        ({}, error_reply(429, "Throttling", "slow down"), RateLimitError, "status 429"),
        ({}, RawReply(301, {"location": "http://127.0.0.1:1/"}), InvalidRequestError, "redirects"),
        ({"voice": "V" * 3}, None, None, ""),
    ],
)
async def test_a_session_that_is_not_opened_is_an_error(
    settings: dict[str, Any],
    reply: RawReply | None,
    error: type[QwenAudioError] | None,
    match: str,
) -> None:
    with LocalDashScope(reply="ok", api_keys=["local"]) as server:
        if reply:
            server.script(reply)
        session = live_model(server, max_retries=0, **settings).session()
        if error is None:
            async with session:
                return
        with pytest.raises(error, match=match):
            await session.__aenter__()
        assert server.live_sessions == []


async def test_opening_is_retried(server: LocalDashScope) -> None:
    server.script(error_reply(503, "ServiceUnavailable", "later"), "fine")
    async with live_model(server, max_retries=1).session(turn_detection=None) as session:
        assert end_of(await say(session)).message.text == "fine"


async def test_no_service_and_a_silent_one_are_errors(unused_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}/api/v1"
    model = ChatQwenAudio(model=MODEL, base_url=address, api_key="x", max_retries=0, timeout=0.3)
    with pytest.raises(APIConnectionError, match="no connection"):
        await model.session().__aenter__()

    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", unused_tcp_port):
        with pytest.raises(APITimeoutError, match=r"within 0\.3 s"):
            await model.session().__aenter__()
        await left.wait()


async def test_settings_that_the_service_does_not_take_are_an_error(server: LocalDashScope) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 10}
    with pytest.raises(InvalidRequestError, match="from 200 to 6000"):
        await live_model(server).session(turn_detection=detection).__aenter__()


@each_row(
    "settings, arguments, error, match",
    [
        ({"model": "qwen3.5-omni-flash"}, {}, NotFoundError, "models that have one: qwen3.5-omni"),
        ({"stop": ["x"]}, {}, InvalidRequestError, "does not take stop"),
        ({"base_url": "http://127.0.0.1:1/v1"}, {}, InvalidRequestError, "address of DashScope"),
        ({"http_async_client": httpx.AsyncClient()}, {}, InvalidRequestError, "cannot use it"),
        ({"enable_search": True}, {"tools": [add]}, InvalidRequestError, "one of them"),
        (
            {"model": "qwen3.8-omni-flash-realtime", "base_url": None},
            {},
            InvalidRequestError,
            "pass workspace=",
        ),
        (
            {"model": "qwen3-omni-flash-realtime"},
            {"turn_detection": "semantic_vad"},
            InvalidRequestError,
            "this model has server_vad, and None",
        ),
        ({}, {"tools": [dict]}, TypeError, "a LangChain tool or a function"),
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
        live_model(server, **settings).session(**arguments)


async def test_a_session_runs_once_and_only_in_async_with(server: LocalDashScope) -> None:
    session = live_model(server).session()
    with pytest.raises(InvalidRequestError, match="async with"):
        await session.send_text("?")
    async with session:
        pass
    with pytest.raises(InvalidRequestError, match="not open"):
        await session.send_text("?")
    with pytest.raises(InvalidRequestError, match="runs once"):
        await session.__aenter__()
    with pytest.raises(StopAsyncIteration):
        await anext(session)


@each_row("model", [MODEL, "qwen3.8-omni-flash-realtime"])
async def test_an_end_that_was_requested_is_none(server: LocalDashScope, model: str) -> None:
    """Qwen3.8 does not confirm the end."""
    async with live_model(server, model=model).session() as session:
        await session.finish()
        assert [event async for event in session] == []
    assert server.live_sessions[0].sent[-1]["type"] == (  # type: ignore[index]
        "session.finished" if model == MODEL else "session.updated"
    )


async def test_a_connection_that_is_gone_is_noticed(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_SILENT_S", 0.05)  # less than a ping takes to come
    async with live_model(server).session() as session:
        with pytest.raises(StreamTimeoutError, match=r"silent for 0\.05 s"):
            await anext(session)


async def test_a_service_that_does_not_read_is_an_error_for_who_sends(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_connection, "_CLOSE_S", 0.05)
    left = asyncio.Event()

    async def take_nothing(_: web.WebSocketResponse) -> None:
        await left.wait()

    async with service_that_goes_on(unused_tcp_port, take_nothing) as address:
        model = ChatQwenAudio(model=MODEL, base_url=address, api_key="x", timeout=0.3)
        async with model.session(turn_detection=None) as session:
            await session.commit()
            with pytest.raises(StreamTimeoutError, match=r"silent for 0\.3 s"):
                await session.send_audio(bytes(64_000_000))
        left.set()


async def test_signs_of_life_are_requested_and_given(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_connection, "PING_S", 0.01)
    kinds: asyncio.Queue[web.WSMsgType] = asyncio.Queue()

    async def ping(socket: web.WebSocketResponse) -> None:
        await socket.ping()
        async for message in socket:
            kinds.put_nowait(message.type)

    async with service_that_goes_on(unused_tcp_port, ping) as address:
        model = ChatQwenAudio(model=MODEL, base_url=address, api_key="x")
        async with model.session(), asyncio.timeout(HANG_S):
            missing = {web.WSMsgType.PING, web.WSMsgType.PONG}
            while missing:
                missing.discard(await kinds.get())


async def test_a_session_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        address = "http://service.invalid/api/v1"
        model = ChatQwenAudio(model=MODEL, base_url=address, api_key="x", max_retries=0)
        with pytest.raises(QwenAudioError):
            await model.session().__aenter__()
    assert b"service.invalid" in lines[0]


async def test_a_slow_reader_is_no_silence_of_the_service(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("a ", "slow ", "reader")))
    async with live_model(server, timeout=3.0).session(turn_detection=None) as session:
        session._events._max_bytes = 1
        await session.send_text("?")
        await asyncio.sleep(3.3)
        assert end_of(await read_answer(session)).message.text == "a slow reader"


@pytest.mark.parametrize(
    ("proxy", "host", "found"),
    [
        ("", "example.com", None),
        ("http://proxy:8080", "example.com", "http://proxy:8080"),
        ("http://proxy:8080", "127.0.0.1", None),
        ("socks5://proxy:1080", "example.com", "cannot use this proxy"),
    ],
)
def test_the_proxies_of_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch, proxy: str, host: str, found: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    url = f"wss://{host}/api-ws/v1/realtime"
    if found and not found.startswith("http"):
        with pytest.raises(APIConnectionError, match=found):
            live_connection._find_proxy(url)
    else:
        assert live_connection._find_proxy(url) == found


@each_row(
    "settings, url",
    [
        ({}, "wss://dashscope.aliyuncs.com/api-ws/v1/realtime?model=" + MODEL),
        (
            {"workspace": "ws1", "region": "ap-southeast-1"},
            "wss://ws1.ap-southeast-1.maas.aliyuncs.com/api-ws/v1/realtime?model=" + MODEL,
        ),
        (
            {"base_url": "https://gateway/ali/compatible-mode/v1/"},
            "wss://gateway/ali/api-ws/v1/realtime?model=" + MODEL,
        ),
    ],
)
def test_a_session_goes_to_the_host_of_the_model(settings: dict[str, Any], url: str) -> None:
    model = ChatQwenAudio(**{"model": MODEL, "api_key": "x", "base_url": None, **settings})
    assert live_address(model).url == url


async def test_turns_with_interruptions_leave_no_memory_behind(server: LocalDashScope) -> None:
    reply = Reply("one two three", audio=SPEECH * 200, pause_s=0.001, input_transcript="Hi")
    server.script(*[reply] * 13)
    async with live_model(server).session(turn_detection=None) as session:
        tracemalloc.start()
        await _talk(session, 3)
        before = _held()
        await _talk(session, 10)
        after = _held()
        tracemalloc.stop()
    assert len(session.messages) == 26
    assert after - before < 200_000  # the speech of the turns between has 1 MB


async def _talk(session: LiveSession, turns: int) -> None:
    """Take turns, and interrupt every other answer."""
    for turn in range(turns):
        await session.send_audio(tone(0.1))
        await session.commit()
        async for event in session:
            if isinstance(event, AudioDelta) and turn % 2:
                await session.interrupt()
            if isinstance(event, ResponseFinished):
                break


def _held() -> int:
    here = tracemalloc.Filter(inclusive=True, filename_pattern="*/langchain_qwen_audio/_live/*")
    traces = tracemalloc.take_snapshot().filter_traces([here]).traces
    return sum(trace.size for trace in traces)


async def test_who_sends_without_a_pause_leaves_others_their_turn(server: LocalDashScope) -> None:
    turns: list[int] = []

    async def note() -> None:
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    async with live_model(server).session(turn_detection=None) as session:
        noting = asyncio.create_task(note())
        for _ in range(50):
            await session.send_audio(bytes(640))
        noting.cancel()
    assert len(turns) >= 50


async def test_sessions_at_once_do_not_mix(server: LocalDashScope) -> None:
    model = live_model(server)
    server.script(*[lambda request: request.query["model"]] * 30)

    async def talk(number: int) -> str:
        async with model.session(turn_detection=None) as session:
            await session.send_text(f"number {number}")
            *_, end = await read_answer(session)
            assert isinstance(end, ResponseFinished)
            return session.messages[0].text

    texts = await asyncio.gather(*map(talk, range(30)))
    assert texts == [f"number {number}" for number in range(30)]
    assert len(server.live_sessions) == 30
