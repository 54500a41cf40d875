"""A stand-in to ask, a model to ask with, and the four ways to ask."""

from __future__ import annotations

import asyncio
import functools
import operator
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Ask(Protocol):
    """Ask a model in one of its four ways, and wait for the whole answer."""

    __name__: str

    def __call__(self, model: Any, messages: Any, /, **options: Any) -> AIMessage: ...


def _whole(chunks: Iterable[AIMessageChunk]) -> AIMessage:
    message = message_chunk_to_message(functools.reduce(operator.add, chunks))
    assert isinstance(message, AIMessage)
    return message


def invoke(model: Any, messages: Any, /, **options: Any) -> AIMessage:
    answer: AIMessage = model.invoke(messages, **options)
    return answer


def ainvoke(model: Any, messages: Any, /, **options: Any) -> AIMessage:
    answer: AIMessage = asyncio.run(model.ainvoke(messages, **options))
    return answer


def stream(model: Any, messages: Any, /, **options: Any) -> AIMessage:
    return _whole(stream_chunks(model, messages, **options))


def astream(model: Any, messages: Any, /, **options: Any) -> AIMessage:
    return _whole(astream_chunks(model, messages, **options))


def stream_chunks(model: Any, messages: Any, /, **options: Any) -> list[AIMessageChunk]:
    return list(model.stream(messages, **options))


def astream_chunks(model: Any, messages: Any, /, **options: Any) -> list[AIMessageChunk]:
    async def collect() -> list[AIMessageChunk]:
        return [chunk async for chunk in model.astream(messages, **options)]

    return asyncio.run(collect())


@pytest.fixture(params=[invoke, ainvoke, stream, astream], ids=lambda way: way.__name__)
def ask(request: pytest.FixtureRequest) -> Ask:
    way: Ask = request.param
    return way


@pytest.fixture(params=[stream_chunks, astream_chunks], ids=["stream", "astream"])
def chunks_of(request: pytest.FixtureRequest) -> Callable[..., list[AIMessageChunk]]:
    way: Callable[..., list[AIMessageChunk]] = request.param
    return way


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


@pytest.fixture
def model(server: LocalDashScope) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, api_key="local")
