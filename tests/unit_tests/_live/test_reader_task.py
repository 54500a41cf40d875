"""How long a live session waits for the service, and what keeps it waiting."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._live import connection as live_connection
from langchain_qwen_audio._live import reader_task
from langchain_qwen_audio.errors import APIConnectionError, StreamTimeoutError
from langchain_qwen_audio.live import ResponseFinished
from langchain_qwen_audio.local import LiveReply, LocalDashScope, Reply
from tests.unit_tests.waiting import HANG_S

from .conversations import MODEL, live_model, service_that_goes_on

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


async def test_a_request_begins_the_time_for_its_answer(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_SILENT_S", HANG_S)
    server.script(LiveReply([math.inf]))
    async with live_model(server, timeout=0.3).session(turn_detection=None) as session:
        await session.send_text("?")
        with pytest.raises(StreamTimeoutError, match=r"silent for 0\.3 s"):
            await anext(session)


async def test_a_sign_of_life_is_no_answer(unused_tcp_port: int) -> None:
    async def only_ping(socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            await socket.ping()
            await asyncio.sleep(0.01)

    async with service_that_goes_on(unused_tcp_port, only_ping) as address:
        model = ChatQwenAudio(model=MODEL, base_url=address, api_key="x", timeout=0.3)
        async with asyncio.timeout(HANG_S), model.session(turn_detection=None) as session:
            await session.send_text("?")
            with pytest.raises(StreamTimeoutError, match=r"silent for 0\.3 s"):
                await anext(session)


async def test_signs_of_life_keep_a_session_that_is_silent(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_connection, "PING_S", 0.05)
    monkeypatch.setattr(reader_task, "_SILENT_S", 1.0)

    async def answer_pings(socket: web.WebSocketResponse) -> None:
        for _ in range(30):  # which take more than a second
            message = await socket.receive()
            assert message.type is web.WSMsgType.PING
            await socket.pong(message.data)
        await socket.send_json({"type": "response.created", "response": {"id": "r1"}})
        await socket.receive()

    async with service_that_goes_on(unused_tcp_port, answer_pings) as address:
        model = ChatQwenAudio(model=MODEL, base_url=address, api_key="x")
        async with model.session(turn_detection=None) as session:
            await anext(session)


async def test_a_request_in_the_moment_in_which_the_time_is_over_is_no_error_of_its_own(
    server: LocalDashScope,
) -> None:
    async with live_model(server).session(turn_detection=None) as session:
        await asyncio.sleep(0)  # it begins to read
        limit = session._link.task._limit
        limit.reschedule(asyncio.get_running_loop().time())
        while not limit.expired():  # noqa: ASYNC110  # which is so before the task knows of it
            await asyncio.sleep(0)
        session._link.task.expect()
        with pytest.raises(StreamTimeoutError):
            await anext(session)


async def test_a_task_that_reads_does_not_wait_for_its_own_end(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_task, "_END_S", 2 * HANG_S)

    async def break_off(_: object) -> None:
        raise APIConnectionError("it is broken")

    server.script(Reply("ok", delay_s=0.05))
    session = live_model(server).session(turn_detection=None)
    async with asyncio.timeout(HANG_S), session:
        await session.send_text("?")
        await session.finish()  # which is sent after the answer, by the task that reads
        monkeypatch.setattr(session._link.connection, "send", break_off)
        while not isinstance(await anext(session), ResponseFinished):
            pass
        with pytest.raises(APIConnectionError, match="it is broken"):
            await anext(session)
