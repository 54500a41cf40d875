"""Calls that are left: their connections are closed, and the others stay usable."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply, error_reply
from tests.unit_tests.conftest import ainvoke, astream, stream
from tests.unit_tests.faults import JSON, event, sse
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.unit_tests.conftest import CallModel

ENDLESS = Reply(fragments=("a", "b", "c"), pause_s=math.inf)


def assert_left(server: LocalDashScope, model: ChatQwenAudio) -> None:
    """Wait until the server has seen the client leave, and send a request once more."""
    wait_until(lambda: (server.open_connections, server.disconnects) == (0, 1))
    assert model.invoke("?").content == "ok"


def test_closing_a_stream_closes_its_connection(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(ENDLESS)
    chunks = model.stream("?")
    assert next(chunks).content == "a"
    chunks.close()  # type: ignore[attr-defined]
    assert_left(server, model)


def test_breaking_out_of_a_stream_closes_its_connection(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(ENDLESS)
    for chunk in model.stream("?"):
        assert chunk.content == "a"
        break
    assert_left(server, model)


async def test_breaking_out_of_an_async_stream_closes_its_connection(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(ENDLESS)
    async for chunk in model.astream("?"):
        assert chunk.content == "a"
        break
    await asyncio.to_thread(assert_left, server, model)
    assert (await model.ainvoke("?")).content == "ok"


class FailingHandler(BaseCallbackHandler):
    raise_error = True

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("way", [stream, astream])
def test_a_callback_that_fails_closes_the_connection(
    server: LocalDashScope, model: ChatQwenAudio, way: CallModel
) -> None:
    server.script(ENDLESS)
    with pytest.raises(ZeroDivisionError):
        way(model, "?", config={"callbacks": [FailingHandler()]})
    assert_left(server, model)


CANCELLED: dict[str, tuple[Any, Any]] = {
    "ainvoke before the answer": (ainvoke, RawReply(steps=[math.inf])),
    "ainvoke in the middle of a body": (ainvoke, RawReply(200, JSON, [b"{", math.inf])),
    "astream before the first event": (astream, sse(b"", math.inf)),
    "astream in the middle": (astream, sse(event("a"), math.inf)),
}


@pytest.mark.parametrize(("way", "fault"), CANCELLED.values(), ids=CANCELLED)
async def test_cancelling_closes_the_connection_and_leaves_the_pool_usable(
    server: LocalDashScope, model: ChatQwenAudio, way: Any, fault: RawReply
) -> None:
    async def call_model() -> None:
        if way is ainvoke:
            await model.ainvoke("?")
        async for _ in model.astream("?"):
            pass

    server.script(fault)
    task = asyncio.create_task(call_model())
    await asyncio.to_thread(wait_until, lambda: len(server.requests) == 1)
    await asyncio.sleep(0.1)  # so that it is probably reading; the outcome is the same if not
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(assert_left, server, model)
    assert (await model.ainvoke("?")).content == "ok"
    assert len(server.requests) == 3


async def test_cancelling_ends_the_wait_for_a_retry(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    told = {"retry-after": "30"}
    server.script(error_reply(429, "Throttling.RateQuota", "slow down", headers=told))
    task = asyncio.create_task(model.ainvoke("?"))
    await asyncio.to_thread(wait_until, lambda: len(server.requests) == 1)
    await asyncio.sleep(0.1)  # so that it probably waits already
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(server.requests) == 1
