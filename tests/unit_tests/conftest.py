"""A local test server, a model that uses it, the four calling modes, and numbered recordings."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._service import retries
from langchain_qwen_audio._service.jobs import Polling
from langchain_qwen_audio.local import LocalDashScope

from .calling_modes import (
    CallModel,
    ainvoke,
    astream,
    astream_chunks,
    calls_in,
    invoke,
    stream,
    stream_chunks,
)
from .loading import archive, counting, load, minute, ten
from .rows import forget_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from langchain_core.messages import AIMessageChunk

__all__ = [
    "CallModel",
    "ainvoke",
    "archive",
    "astream",
    "astream_chunks",
    "calls_in",
    "counting",
    "invoke",
    "load",
    "minute",
    "stream",
    "stream_chunks",
    "ten",
]

# Whisper is run by several tests at once: more threads than cores only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A deadline measures the machine, and so does the check for examples that are made too slowly.
hypothesis.settings.register_profile(
    "any speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any speed")


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.default_int_handler(number, frame)


# asyncio.run() sets a handler of its own in the place of the default one alone, and Python then
# writes out the whole result of what ran, only to find that it is no number of a handler.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupt)


@pytest.fixture(autouse=True)
def backoff_s(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let a first retry come at once; return the seconds that it really waits."""
    seconds = retries.FIRST_BACKOFF_S
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.01)
    return seconds


@pytest.fixture(autouse=True)
def _nothing_of_another_server() -> None:
    forget_servers()


@pytest.fixture
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at jobs again at once, where nothing says how often: the default is 3 s."""
    monkeypatch.setattr(Polling, "wait_s", lambda *_: 0.01)


# The files that take longest, so that no process works on one of them when the others are done.
LONGEST = {
    *("test_installs", "test_notebooks", "test_site", "test_docs", "test_hostile_audio"),
    *("test_worker_pool", "test_chains", "test_cli", "test_cli_mcp", "test_connection_pool"),
    *("test_read_timeouts", "test_time_limits", "test_browser", "test_browser_trouble"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)


# What collecting makes stays: to look through it for garbage takes a fifth of the time.
gc.disable()


def pytest_collection_finish() -> None:
    """Keep the garbage collector from visiting thousands of collected tests again and again."""
    gc.freeze()
    gc.enable()


# The modes share all that makes a request: one of the whole answers, one of streams, one sync and
# one async. Folders and files whose rules depend on the mode have all four.
call_model = calls_in(invoke, astream)


@pytest.fixture(params=[stream_chunks, astream_chunks], ids=["stream", "astream"])
def chunks_of(request: pytest.FixtureRequest) -> Callable[..., list[AIMessageChunk]]:
    way: Callable[..., list[AIMessageChunk]] = request.param
    return way


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let a program that a test starts be interrupted: a job in the background ignores SIGINT.

    What ignores it hands that down to what it starts. A handler of one's own is not handed down.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


@pytest.fixture
def model(server: LocalDashScope) -> ChatQwenAudio:
    # The tests write their messages themselves, and may name files in them.
    return ChatQwenAudio(base_url=server.base_url, api_key="local", local_files=True)
