"""The queue between a connection and who reads its events."""

from __future__ import annotations

import asyncio

import pytest

from langchain_qwen_audio._live.event_queue import EventQueue
from langchain_qwen_audio.live import AudioDelta, LiveEvent, TextDelta
from tests.unit_tests.waiting import HANG_S


async def test_a_slow_reader_holds_the_connection_up() -> None:
    queue: EventQueue[LiveEvent] = EventQueue(max_bytes=2000)
    await queue.put(AudioDelta(bytes(1000), "a"))
    second = asyncio.ensure_future(queue.put(AudioDelta(bytes(1000), "a")))
    await asyncio.sleep(0)
    assert not second.done()
    await queue.get()
    await second


async def test_each_event_that_is_read_makes_room() -> None:
    queue: EventQueue[LiveEvent] = EventQueue(max_bytes=3000)
    for name in "ab":
        await queue.put(AudioDelta(bytes(900), name))
    third = asyncio.ensure_future(queue.put(AudioDelta(bytes(900), "c")))
    await asyncio.sleep(0)
    assert not third.done()
    assert await queue.get() == AudioDelta(bytes(900), "a")
    async with asyncio.timeout(HANG_S):
        await third


async def test_an_event_larger_than_the_bound_passes() -> None:
    queue: EventQueue[LiveEvent] = EventQueue(max_bytes=10)
    await queue.put(AudioDelta(bytes(1000), "a"))
    assert await queue.get() == AudioDelta(bytes(1000), "a")


async def test_silencing_an_answer_drops_its_speech_and_makes_room() -> None:
    queue: EventQueue[LiveEvent] = EventQueue(max_bytes=3000)
    for event in (AudioDelta(bytes(900), "a"), TextDelta("x", "a"), AudioDelta(bytes(4), "b")):
        await queue.put(event)
    waiting = asyncio.ensure_future(queue.put(AudioDelta(bytes(900), "b")))
    await asyncio.sleep(0)
    queue.silence("a")
    await waiting
    await queue.put(AudioDelta(b"late", "a"))
    queue.end()
    left = [await queue.get() for _ in range(3)]
    assert left == [TextDelta("x", "a"), AudioDelta(bytes(4), "b"), AudioDelta(bytes(900), "b")]
    with pytest.raises(StopAsyncIteration):
        await queue.get()


async def test_who_waits_is_told_of_the_end() -> None:
    queue: EventQueue[LiveEvent] = EventQueue()
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.end(OSError("gone"))
    queue.end()
    with pytest.raises(OSError, match="gone"):
        await waiting
