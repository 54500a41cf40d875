"""What aiohttp would do in another way than httpx: large heads, other protocols, repeats."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio._service.aiohttp_client import AiohttpClient
from langchain_qwen_audio._service.time_limits import CallTimeout
from langchain_qwen_audio.local import RawReply
from tests.unit_tests.calling_modes import ainvoke, calls_in, invoke
from tests.unit_tests.faults import (
    JSON,
    LAST,
    LONG,
    SSE,
    Fault,
    answer,
    assert_outcome,
    body,
    event,
    every_call,
    every_way,
    passing,
    payload,
)
from tests.unit_tests.rows import every_mode
from tests.unit_tests.sockets import http, raw_server
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from tests.unit_tests.calling_modes import CallModel

call_whole = calls_in(invoke, ainvoke)

HEADS = {
    "a header of 64 KB": {"x": "a" * 65_000},
    "2,000 headers": {f"x{number}": "a" for number in range(2_000)},
}
FAULTS = {
    **{
        f"{name}, whole": Fault(body(payload("a", "stop"), headers=headers), whole=answer("a"))
        for name, headers in HEADS.items()
    },
    **{
        f"{name}, stream": Fault(
            RawReply(200, {**SSE, **headers}, [event("a"), LAST]), streamed=answer("a")
        )
        for name, headers in HEADS.items()
    },
    "a header of 300 KB": every_way(
        RawReply(200, {**JSON, "x": "a" * 300_000}, [LONG]),
        passing(errors.APIConnectionError, "the connection broke"),
    ),
}


@every_call(FAULTS)
def test_heads_of_replies_have_the_same_limits_sync_and_async(fault: Fault, way: CallModel) -> None:
    assert_outcome(fault, way, max_retries=0)


def test_a_long_reason_is_taken(call_whole: CallModel) -> None:
    reply = http("ok").replace(b" OK\r", b" " + b"a" * 65_000 + b"\r", 1)
    with raw_server([reply]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)
        assert call_whole(model, "?").text == "ok"


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n"


@every_mode
def test_another_protocol_is_a_broken_connection(call_model: CallModel) -> None:
    with raw_server([SWITCHING]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)
        with pytest.raises(errors.APIConnectionError, match="the connection broke"):
            call_model(model, "?")


async def test_a_connection_with_another_protocol_is_closed() -> None:
    with raw_server([SWITCHING], [SWITCHING]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)
        with pytest.raises(errors.APIConnectionError):
            await model.ainvoke("?")
        with pytest.raises(errors.APIConnectionError):
            await anext(model.astream("?"))
        await asyncio.to_thread(wait_until, lambda: server.ended == 2)


async def test_a_get_request_on_a_connection_that_breaks_is_not_repeated() -> None:
    def refuse() -> None:
        raise ConnectionResetError  # which ends the connection

    with raw_server([http("ok")], [refuse], [http("repeated")]) as server:
        async with contextlib.aclosing(AiohttpClient()) as client:

            async def fetch() -> Any:
                return await client.request("GET", server.base_url, timeout=CallTimeout(HANG_S))

            assert (await fetch()).status_code == httpx.codes.OK
            with pytest.raises(httpx.ReadError):
                await fetch()
    assert (server.requests, server.connections) == (2, 1)
