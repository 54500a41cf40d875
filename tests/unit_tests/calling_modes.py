"""The four modes of calling a model, as functions that return the whole answer."""

from __future__ import annotations

import asyncio
import functools
import operator
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

if TYPE_CHECKING:
    from collections.abc import Iterable


class CallModel(Protocol):
    """Call a model in one of its four modes, and wait for the whole answer."""

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


def calls_in(*modes: CallModel) -> Any:
    """Make a fixture that runs a test once for each of some modes."""

    @pytest.fixture(params=modes, ids=lambda mode: mode.__name__)
    def call_model(request: pytest.FixtureRequest) -> CallModel:
        mode: CallModel = request.param
        return mode

    return call_model
