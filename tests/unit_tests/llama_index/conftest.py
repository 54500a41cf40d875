"""A LlamaIndex model, and the four ways to call it."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from llama_index.core.llms import ChatMessage, ChatResponse

from langchain_qwen_audio.llama_index import QwenAudio

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope


_LEFT_OPEN = "ignore::pytest.PytestUnraisableExceptionWarning"


class CallModel(Protocol):
    """Call a model in one of its four ways, and take all its responses."""

    __name__: str

    def __call__(
        self, llm: QwenAudio, messages: Sequence[ChatMessage], /, **options: Any
    ) -> list[ChatResponse]: ...


def chat(llm: QwenAudio, messages: Sequence[ChatMessage], /, **options: Any) -> list[ChatResponse]:
    return [llm.chat(messages, **options)]


def achat(llm: QwenAudio, messages: Sequence[ChatMessage], /, **options: Any) -> list[ChatResponse]:
    return [asyncio.run(llm.achat(messages, **options))]


def stream_chat(
    llm: QwenAudio, messages: Sequence[ChatMessage], /, **options: Any
) -> list[ChatResponse]:
    return list(llm.stream_chat(messages, **options))


def astream_chat(
    llm: QwenAudio, messages: Sequence[ChatMessage], /, **options: Any
) -> list[ChatResponse]:
    async def collect() -> list[ChatResponse]:
        return [response async for response in await llm.astream_chat(messages, **options)]

    return asyncio.run(collect())


@pytest.fixture(params=[chat, achat, stream_chat, astream_chat], ids=lambda way: way.__name__)
def call_model(request: pytest.FixtureRequest) -> CallModel:
    way: CallModel = request.param
    return way


@pytest.fixture(params=[stream_chat, astream_chat], ids=lambda way: way.__name__)
def streamed(request: pytest.FixtureRequest) -> CallModel:
    way: CallModel = request.param
    return way


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the garbage collector close what LlamaIndex leaves open: loops and SQLite."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(_LEFT_OPEN))


@pytest.fixture(autouse=True, scope="module")
def left_open() -> Iterator[None]:
    """Close it before another module's tests are blamed for it."""
    yield
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    sys.unraisablehook = hook


@pytest.fixture(autouse=True)
def no_event_loop() -> None:
    """Say that there is no event loop: LlamaIndex would make one, and never close it."""
    asyncio.set_event_loop(None)


@pytest.fixture
def llm(server: LocalDashScope) -> QwenAudio:
    return QwenAudio(base_url=server.base_url, api_key="local")


def llm_at(server: LocalDashScope, model: str, **fields: Any) -> QwenAudio:
    return QwenAudio(base_url=server.base_url, api_key="local", model=model, **fields)
