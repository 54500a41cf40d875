"""Many calls at once leave an event loop's other tasks their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableLambda

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._turns import FIRST, PER_TURN, Turns
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests.faults import LAST, SSE, event


async def most_in_a_turn(counted: list[Any], *calls: Any) -> int:
    """Run calls, and find how many more were counted in one turn than in the one before."""
    running = asyncio.gather(*calls)
    most = before = 0
    while not running.done():
        await asyncio.sleep(0)
        most, before = max(most, len(counted) - before), len(counted)
    await running
    return most


async def test_a_turn_has_so_many_places() -> None:
    turns, taken = Turns(), []

    async def take(number: int) -> None:
        await turns.take()
        taken.append(number)

    assert await most_in_a_turn(taken, *map(take, range(5 * PER_TURN))) == PER_TURN
    assert taken == list(range(5 * PER_TURN))


async def test_a_place_is_free_again_in_the_next_turn() -> None:
    turns = Turns()
    for _ in range(3):
        await asyncio.gather(*(turns.take() for _ in range(PER_TURN)))
        await asyncio.sleep(0)


async def test_those_that_begin_go_first_and_then_older_streams() -> None:
    turns, taken = Turns(), []
    older, newer = turns.new_rank(), turns.new_rank()

    async def take(rank: int) -> None:
        await turns.take(rank)
        taken.append(rank)

    ranks = [newer] * PER_TURN + [newer, older, FIRST] * PER_TURN
    await asyncio.gather(*map(take, ranks))
    assert taken[PER_TURN:] == sorted([newer, older, FIRST] * PER_TURN)


async def test_who_is_cancelled_while_waiting_takes_no_place() -> None:
    turns, taken = Turns(), []

    async def take(number: int) -> None:
        await turns.take()
        taken.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(3 * PER_TURN)]
    await asyncio.sleep(0)
    for task in tasks[PER_TURN : 2 * PER_TURN]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert taken == [*range(PER_TURN), *range(2 * PER_TURN, 3 * PER_TURN)]


async def ainvoke(model: ChatQwenAudio) -> None:
    await model.ainvoke("?")


async def astream(model: ChatQwenAudio) -> None:
    assert "".join([chunk.text async for chunk in model.astream("?")]) == "ok"


async def astream_in_a_chain(model: ChatQwenAudio) -> None:
    """Stream by way of a function, which LangChain core must know as an async generator's."""
    chain: RunnableLambda[str, AIMessageChunk] = RunnableLambda(model.astream)
    assert "".join([chunk.text async for chunk in chain.astream("?")]) == "ok"


@pytest.mark.parametrize("call_model", [ainvoke, astream, astream_in_a_chain])
async def test_many_calls_at_once_begin_in_several_turns(
    call_model: Callable[[ChatQwenAudio], Awaitable[None]],
) -> None:
    begun: list[Any] = []

    class Counting(AsyncCallbackHandler):
        async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
            begun.append(None)

    async with LocalDashScope(reply="ok") as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", callbacks=[Counting()])
        await model.ainvoke("?")
        calls = [call_model(model) for _ in range(3 * PER_TURN)]
        assert await most_in_a_turn(begun, *calls) <= PER_TURN
    assert len(begun) == 1 + 3 * PER_TURN


async def test_streams_take_events_that_came_together_in_several_turns() -> None:
    chunks: list[Any] = []
    together = RawReply(200, SSE, [event("a") * 100 + LAST])
    async with LocalDashScope(reply=lambda _: together) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")

        async def follow() -> None:
            async for chunk in model.astream("?"):
                chunks.append(chunk.text)  # noqa: PERF401  # one by one

        assert await most_in_a_turn(chunks, *(follow() for _ in range(3))) <= 2 * PER_TURN
    assert chunks.count("a") == 300
