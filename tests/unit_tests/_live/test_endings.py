"""How live sessions and live transcription end: nothing is lost in silence, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
from typing import TYPE_CHECKING, Any

import pybase64
import pytest
from langchain_core.callbacks import AsyncCallbackHandler

from langchain_qwen_audio._live import reader_task
from langchain_qwen_audio._media.resampling import Resampler
from langchain_qwen_audio.errors import (
    APIError,
    AudioError,
    StreamInterruptedError,
    StreamTimeoutError,
)
from langchain_qwen_audio.live import ErrorReported, LiveEvent, LiveSession, ResponseFinished
from langchain_qwen_audio.local import CloseCode, LiveReply, LocalDashScope, Reply
from tests.unit_tests.rows import each_row
from tests.unit_tests.waiting import HANG_S, wait_until

from .conversations import MODEL, collect, live_model, read_answer, received, silence, tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.outputs import LLMResult

QWEN_AUDIO = "qwen-audio-3.1-realtime-plus"
OMNI_3_8 = "qwen3.8-omni-flash-realtime"
ASR = "qwen3-asr-flash-realtime"
STREAMING = "qwen-audio-3.1-asr-flash-streaming"
BEGUN: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": {"id": "r1"}},
    {"type": "response.text.delta", "response_id": "r1", "delta": "Hel"},
)
DONE = {"type": "response.done", "response": {"id": "r1", "status": "completed"}}
FAILED = {"type": "response.done", "response": {"id": "r1", "status": "failed"}}


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


class Held(AsyncCallbackHandler):
    """Takes its time to be told of a beginning or an end, until it is let go."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.calls: list[str] = []

    async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        await self._note("start")

    async def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        await self._note("end")

    async def on_llm_error(self, error: BaseException, **_: Any) -> None:
        await self._note("error")

    async def _note(self, what: str) -> None:
        if what == self._where:
            self.reached.set()
            await self.go.wait()
        self.calls.append(what)


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def read_all(session: LiveSession) -> list[LiveEvent]:
    return [event async for event in session]


@each_row("model", [MODEL, OMNI_3_8, QWEN_AUDIO])
async def test_finish_while_callbacks_are_told_of_the_end_of_an_answer_loses_neither(
    server: LocalDashScope, model: str
) -> None:
    held = Held("end")
    llm = live_model(server, model=model, callbacks=[held])
    async with llm.session(turn_detection=None) as session:
        await session.send_text("?")
        await held.reached.wait()
        await session.finish()
        held.go.set()
        *_, last = await read_all(session)
    assert isinstance(last, ResponseFinished)
    assert held.calls == ["start", "end"]


async def test_finish_waits_for_tools_of_an_answer_of_whose_end_callbacks_are_told(
    server: LocalDashScope,
) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    held = Held("end")
    server.script(Reply(tool_calls=[{"name": "add", "arguments": {"a": 2, "b": 3}}]), "It is 5.")
    llm = live_model(server, callbacks=[held])
    async with llm.session(turn_detection=None, tools=[add]) as session:
        await session.send_text("2 and 3?")
        await held.reached.wait()
        await session.finish()
        held.go.set()
        await read_all(session)
    assert session.messages[-1].text == "It is 5."
    assert received(server.live_sessions[0])[-1] == {"type": "session.finish"}


async def test_an_answer_that_failed_in_a_finished_session_is_over_before_the_session_is(
    server: LocalDashScope,
) -> None:
    held = Held("end")
    server.script(LiveReply([*BEGUN, FAILED]))
    llm = live_model(server, model=QWEN_AUDIO, callbacks=[held])
    async with llm.session(turn_detection=None) as session:
        await session.send_text("?")
        await session.finish()
        reading = asyncio.create_task(read_all(session))
        await held.reached.wait()
        await let_others_run()  # who reads has read the error
        held.go.set()
        *_, reported, finished = await reading
    assert isinstance(reported, ErrorReported)
    assert isinstance(finished, ResponseFinished)


@each_row("where, told", [("start", ["start", "error"]), ("end", ["start", "end"])])
async def test_leaving_while_callbacks_are_told_tells_them_to_the_end(
    server: LocalDashScope, where: str, told: list[str]
) -> None:
    held = Held(where)

    async def leave() -> None:
        async with live_model(server, callbacks=[held]).session(turn_detection=None) as session:
            await session.send_text("?")
            await held.reached.wait()

    leaving = asyncio.create_task(leave())
    await held.reached.wait()
    await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
    assert not leaving.done()
    held.go.set()
    await leaving
    assert held.calls == told


class Raises(AsyncCallbackHandler):
    raise_error = True

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        raise self._error


@each_row(
    "raised, error, match",
    [
        (asyncio.CancelledError("mine"), StreamInterruptedError, "a callback that raised"),
        (TimeoutError("of a trace"), TimeoutError, "of a trace"),
        (OSError("no disk"), OSError, "no disk"),
    ],
)
async def test_what_a_callback_raises_ends_the_session(
    server: LocalDashScope, raised: BaseException, error: type[Exception], match: str
) -> None:
    llm = live_model(server, callbacks=[Raises(raised)])
    async with asyncio.timeout(HANG_S), llm.session(turn_detection=None) as session:
        await session.send_text("?")
        with pytest.raises(error, match=match):
            await read_all(session)


async def last_words(samples: bytes) -> AsyncIterator[bytes]:
    yield samples


@each_row("model", [ASR, STREAMING])
async def test_a_close_before_the_last_sentences_is_an_error(
    server: LocalDashScope, model: str
) -> None:
    server.script("Hello", LiveReply([CloseCode(1000)]))
    transcription = live_model(server, model=model).transcribe_live(
        last_words(tone(0.5) + silence(2) + tone(0.5))
    )
    while not (await anext(transcription)).is_final:
        pass
    with pytest.raises(StreamInterruptedError, match=r"ended the session \(close code 1000"):
        await anext(transcription)


async def test_a_close_before_the_last_answer_is_an_error_where_the_end_is_confirmed(
    server: LocalDashScope,
) -> None:
    server.script(LiveReply([CloseCode(1000)]))
    async with live_model(server).session() as session:
        await session.send_audio(tone(0.5))
        await session.finish()
        with pytest.raises(StreamInterruptedError, match="close code 1000"):
            await read_all(session)


async def test_a_session_that_the_service_ends_before_it_was_told_to_is_an_error(
    server: LocalDashScope,
) -> None:
    server.script(LiveReply([*BEGUN, {"type": "session.finished"}]))
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_text("?")
        with pytest.raises(StreamInterruptedError, match="too early") as caught:
            await read_all(session)
    assert caught.value.text == "Hel"


async def test_a_session_that_ends_within_its_last_answer_is_an_error(
    server: LocalDashScope,
) -> None:
    server.script(LiveReply([*BEGUN, {"type": "session.finished"}]))
    async with live_model(server).session() as session:
        await session.send_audio(tone(0.5))
        await session.finish()  # the answer to it begins after that
        with pytest.raises(StreamInterruptedError, match="too early"):
            await read_all(session)


@each_row(
    "model, end",
    [
        (ASR, {"type": "session.finished"}),
        (STREAMING, {"header": {"event": "task-finished"}, "payload": {}}),
    ],
)
async def test_a_transcription_that_the_service_ends_before_its_source_is_an_error(
    server: LocalDashScope, model: str, end: dict[str, Any]
) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield tone(0.5) + silence(2)
        await asyncio.Event().wait()  # somebody thinks

    server.script(LiveReply([end]))
    with pytest.raises(StreamInterruptedError, match="too early"):
        await collect(live_model(server, model=model), source())


@each_row("model", [ASR, STREAMING])
async def test_a_source_that_raises_a_cancellation_is_an_error(
    server: LocalDashScope, model: str
) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield tone(0.1)
        device = asyncio.ensure_future(asyncio.Event().wait())
        device.cancel()
        await device

    with pytest.raises(AudioError, match="the source") as caught:
        async with asyncio.timeout(HANG_S):
            await collect(live_model(server, model=model), source())
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


@each_row("model", [ASR, STREAMING])
@each_row("steps", range(1, 12))
async def test_hanging_up_that_is_cancelled_at_any_time_leaves_no_task_behind(
    server: LocalDashScope, model: str, steps: int
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield tone(0.5) + silence(2)

    transcription = live_model(server, model=model).transcribe_live(endless())
    await anext(transcription)
    closing = asyncio.create_task(transcription.aclose())
    for _ in range(steps):
        await asyncio.sleep(0)
    closing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await closing
    await let_others_run()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_source_that_takes_its_time_to_end_does_not_hold_the_connection(
    server: LocalDashScope,
) -> None:
    may_end = asyncio.Event()

    async def stubborn() -> AsyncIterator[bytes]:
        yield tone(0.5) + silence(2)
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    transcription = live_model(server, model=STREAMING).transcribe_live(stubborn())
    await anext(transcription)
    closing = asyncio.create_task(transcription.aclose())
    await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
    may_end.set()
    await closing


OTHER = {"type": "invalid_request_error", "code": "invalid_value", "message": "no image"}
REFUSED = {**OTHER, "message": "busy", "param": "response.create"}


@pytest.mark.parametrize("error", [{**OTHER, "event_id": "event_1"}, OTHER])
async def test_an_answer_is_awaited_also_after_another_event_was_refused(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch, error: dict[str, Any]
) -> None:
    monkeypatch.setattr(reader_task, "_SILENT_S", HANG_S)
    server.script(LiveReply([{"type": "error", "error": error}, math.inf]))
    async with live_model(server, timeout=0.3).session(turn_detection=None) as session:
        await session.send_text("?")
        assert isinstance(await anext(session), ErrorReported)
        with pytest.raises(StreamTimeoutError, match=r"silent for 0\.3 s"):
            await anext(session)


async def test_finish_waits_for_an_answer_also_after_another_event_was_refused(
    server: LocalDashScope,
) -> None:
    server.script(LiveReply([{"type": "error", "error": OTHER}, *BEGUN, DONE]))
    async with live_model(server, model=QWEN_AUDIO).session(turn_detection=None) as session:
        await session.send_text("?")
        await session.finish()
        *_, last = await read_all(session)
    assert isinstance(last, ResponseFinished)
    assert last.message.text == "Hel"


@each_row("is_named", [True, False])
async def test_an_answer_whose_request_was_refused_is_not_awaited(
    server: LocalDashScope, is_named: bool
) -> None:
    def refuse(_: object) -> LiveReply:
        request = server.live_sessions[0].received[-1]
        error = {**OTHER, "event_id": request["event_id"]} if is_named else REFUSED
        return LiveReply([{"type": "error", "error": error}])

    server.script(refuse)
    async with live_model(server).session(turn_detection=None) as session:
        await session.send_text("?")
        await session.finish()
        (event,) = await read_all(session)
    assert isinstance(event, ErrorReported)


async def test_a_text_waits_for_the_end_of_an_answer_of_whose_beginning_callbacks_are_told(
    server: LocalDashScope,
) -> None:
    held = Held("start")
    server.script(Reply("one two", pause_s=math.inf), "done")
    llm = live_model(server, model=QWEN_AUDIO, callbacks=[held])
    async with llm.session(turn_detection=None) as session:
        await session.send_text("Talk.")
        await held.reached.wait()
        sending = asyncio.create_task(session.send_text("No."))
        (record,) = server.live_sessions
        await asyncio.to_thread(wait_until, lambda: "No." in str(record.received))
        await let_others_run()
        assert not sending.done()
        held.go.set()
        events = [*await read_answer(session), *await read_answer(session)]
        await sending
    ends = [it.status for it in events if isinstance(it, ResponseFinished)]
    assert ends == ["cancelled", "completed"]
    assert not any(isinstance(it, ErrorReported) for it in events)


async def test_a_tool_that_raises_a_cancellation_failed_and_the_session_goes_on(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask_a_task() -> str:
        """Ask a task that was cancelled."""
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        return str(await task)

    def give_up() -> str:
        """Give up."""
        raise asyncio.CancelledError("enough")

    calls: list[dict[str, Any]] = [
        {"name": name, "arguments": {}, "id": name} for name in ("ask_a_task", "give_up")
    ]
    server.script(Reply(tool_calls=calls), "Sorry.")
    session_of = live_model(server).session
    async with (
        asyncio.timeout(HANG_S),
        session_of(tools=[ask_a_task, give_up], turn_detection=None) as session,
    ):
        await session.send_text("?")
        await session.finish()
        await read_all(session)
    *_, first, second, answer = session.messages
    assert [getattr(it, "status", None) for it in (first, second)] == ["error", "error"]
    assert [it.text for it in (first, second, answer)] == [
        "Error: CancelledError: ",
        "Error: CancelledError: enough",
        "Sorry.",
    ]
    assert "the tool give_up failed" in caplog.text


async def test_a_session_ends_also_if_the_last_answer_is_over_before_its_request_has_returned(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()
    server.script(Reply(tool_calls=[{"name": "hold", "arguments": {}, "id": "c1"}]), "done")

    async def hold() -> str:
        """Hold up the request of the next answer."""
        request = session._request_response

        async def request_slowly() -> None:
            await request()
            await answered.wait()

        monkeypatch.setattr(session, "_request_response", request_slowly)
        return "held"

    session = live_model(server).session(tools=[hold], turn_detection=None)
    async with asyncio.timeout(HANG_S), session:
        await session.send_text("?")
        await session.finish()
        await read_answer(session)
        await read_answer(session)
        await let_others_run()
        answered.set()
        assert await read_all(session) == []


async def test_a_tool_that_returns_after_the_session_broke_is_no_error_that_nobody_sees(
    server: LocalDashScope,
) -> None:
    broken, unseen = asyncio.Event(), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))

    async def wait() -> str:
        """Wait."""
        await broken.wait()
        return "late"

    call = {"type": "response.function_call_arguments.done", "response_id": "r1"}
    call |= {"call_id": "c1", "name": "wait", "arguments": "{}"}
    server.script(LiveReply([*BEGUN, call, DONE, CloseCode(1011)]))
    async with live_model(server).session(tools=[wait], turn_detection=None) as session:
        await session.send_text("?")
        with pytest.raises(APIError, match="close code 1011"):
            await read_all(session)
        broken.set()
        await let_others_run()
    gc.collect()  # when asyncio reports errors of tasks that nobody has seen
    assert unseen == []


async def test_leaving_cancels_a_tool_that_runs(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    server.script(Reply(tool_calls=[{"name": "wait", "arguments": {}, "id": "c1"}]))
    async with live_model(server).session(tools=[wait], turn_detection=None) as session:
        await session.send_text("?")
        await begun.wait()
    assert cancelled.is_set()
    assert "failed" not in caplog.text
    assert [it.type for it in session.messages] == ["human", "ai"]


@pytest.mark.parametrize(
    ("model", "detection"),
    [(MODEL, "server_vad"), (MODEL, None), (OMNI_3_8, None), (QWEN_AUDIO, "server_vad")],
)
async def test_finish_sends_what_the_conversion_of_samples_has_held_back(
    server: LocalDashScope, model: str, detection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_UNCONFIRMED_END_S", 0.05)
    samples, conversion = tone(1.0, 44_100), Resampler(44_100, 16_000)
    async with live_model(server, model=model).session(turn_detection=detection) as session:
        await session.send_audio(samples, sample_rate=44_100)
        await session.finish()
        await read_all(session)
    events = server.live_sessions[0].received
    sent = b"".join(pybase64.b64decode(it["audio"]) for it in events if "audio" in it)
    assert sent.startswith(conversion.feed(samples) + conversion.flush())


@each_row("model", [ASR, STREAMING])
async def test_live_transcription_sends_it_too(model: str) -> None:
    samples, conversion = tone(1.0, 44_100), Resampler(44_100, 16_000)

    async def source() -> AsyncIterator[bytes]:
        yield samples

    with LocalDashScope(reply="ok") as server:
        asr = live_model(server, model=model)
        async for _ in asr.transcribe_live(source(), sample_rate=44_100):
            pass
    events = server.live_sessions[0].received
    pieces = [it["audio"] for it in events if "audio" in it]
    sent = b"".join(it if isinstance(it, bytes) else pybase64.b64decode(it) for it in pieces)
    assert sent == conversion.feed(samples) + conversion.flush()
