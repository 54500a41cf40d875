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

# Where the service answers, and what every event there has that says something: heartbeats do not.
_SIGNS = {"/multimodal-generation/generation": b'"output"', "/chat/completions": b'"choices"'}
_BEGAN = "langchain_qwen_audio_began"


def note_start(request: httpx.Request) -> None:
    """Remember when a request began."""
    request.extensions = {**request.extensions, _BEGAN: time.monotonic()}


async def anote_start(request: httpx.Request) -> None:
    """Remember when a request began."""
    note_start(request)


def watch_response(response: httpx.Response) -> None:
    """Time the body."""
    if sign := _sign(response):
        response.stream = _Timed(response, sign)


async def awatch_response(response: httpx.Response) -> None:
    """Time the body."""
    if sign := _sign(response):
        response.stream = _AsyncTimed(response, sign)


def is_stream(response: httpx.Response) -> bool:
    """Tell a stream of events, which a refusal is not, from a whole reply."""
    return response.is_success and "text/event-stream" in response.headers.get("content-type", "")


def _sign(response: httpx.Response) -> bytes:
    path = response.request.url.path
    return next((sign for end, sign in _SIGNS.items() if path.endswith(end)), b"")


class _Timer:
    """Ends a body that trickles: a whole reply by its total time, a stream between events.

    A connection that is silent is ended by httpx itself; one that sends a byte now and then, or
    heartbeats and nothing else, is not.
    """

    def __init__(self, response: httpx.Response, sign: bytes) -> None:
        extensions = response.request.extensions
        self.limit_s = extensions.get("timeout", {}).get("read")
        self._since = extensions.get(_BEGAN, time.monotonic())
        self._sign = sign if is_stream(response) else b""
        self._tail = b""

    def check(self, piece: bytes) -> None:
        now = time.monotonic()
        if self._sign:
            if self._sign in piece or self._sign in self._tail + piece[: len(self._sign)]:
                self._since = now
            self._tail = (self._tail + piece[-len(self._sign) :])[-len(self._sign) :]
        if self.limit_s is not None and now - self._since > self.limit_s:
            what = "no event" if self._sign else "no whole reply"
            raise httpx.ReadTimeout(f"{what} within {self.limit_s:g} s")


class _Timed(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, sign: bytes) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101
        self._stream, self._timer = response.stream, _Timer(response, sign)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._timer.check(piece)
            yield piece

    def close(self) -> None:
        self._stream.close()


class _AsyncTimed(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, sign: bytes) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
        self._stream, self._timer = response.stream, _Timer(response, sign)

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
            self._timer.check(piece)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
