"""Responses of the service on their way to the SDK: timed.

These are httpx event hooks. They see every response of the client, and touch only the service's.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# Where the service answers.
_PATHS = ("/multimodal-generation/generation", "/chat/completions")
_TIMER = "langchain_qwen_audio_timer"


class Timer:
    """Ends a body that trickles: a whole reply by its total time, a stream between events.

    A connection that is silent is ended by httpx itself; one that sends a byte now and then, or
    heartbeats and nothing else, is not.

    Attributes:
        limit_s: How long what is awaited may take.
        awaited: What that is, for errors.
    """

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s = limit_s
        self.awaited = "whole reply"
        self.restart()

    def restart(self) -> None:
        """Begin to wait for the next event; how long the last one was looked at does not count."""
        self._since = time.monotonic()

    def check(self) -> None:
        """End the body when what is awaited takes too long."""
        if self.limit_s is not None and time.monotonic() - self._since > self.limit_s:
            raise httpx.ReadTimeout(f"no {self.awaited} within {self.limit_s:g} s")


def note_start(request: httpx.Request) -> None:
    """Remember when a request began."""
    if request.url.path.endswith(_PATHS):
        timer = Timer(request.extensions.get("timeout", {}).get("read"))
        request.extensions = {**request.extensions, _TIMER: timer}


async def anote_start(request: httpx.Request) -> None:
    """Remember when a request began."""
    note_start(request)


def watch_response(response: httpx.Response) -> None:
    """Time the body."""
    if _TIMER in response.request.extensions:
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101
        response.stream = _Timed(response.stream, response.request.extensions[_TIMER])


async def awatch_response(response: httpx.Response) -> None:
    """Time the body."""
    if _TIMER in response.request.extensions:
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
        response.stream = _AsyncTimed(response.stream, response.request.extensions[_TIMER])


def time_events(response: httpx.Response) -> Timer:
    """Time what comes between the events of a response, not the whole of it."""
    timer: Timer = response.request.extensions[_TIMER]
    timer.awaited = "event"
    return timer


def is_stream(response: httpx.Response) -> bool:
    """Tell a stream of events, which a refusal is not, from a whole reply."""
    return response.is_success and "text/event-stream" in response.headers.get("content-type", "")


class _Timed(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, timer: Timer) -> None:
        self._stream, self._timer = stream, timer

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._timer.check()
            yield piece

    def close(self) -> None:
        self._stream.close()


class _AsyncTimed(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, timer: Timer) -> None:
        self._stream, self._timer = stream, timer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._stream)
        while True:
            try:
                # aiohttp does not time a body whose framing it could not read.
                async with asyncio.timeout(self._timer.limit_s):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise httpx.ReadTimeout(f"nothing within {self._timer.limit_s:g} s") from error
            self._timer.check()
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
