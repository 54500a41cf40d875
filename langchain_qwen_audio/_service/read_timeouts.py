"""Any httpx client → the same client, whose responses are timed, and read as what they are.

A whole reply has a limit, and so has the time between the events of a stream. The wrapped client,
which may be a user's own, is left as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx

from langchain_qwen_audio._service.aiohttp_response import AiohttpResponse, Response
from langchain_qwen_audio._service.basic_auth import with_basic_auth
from langchain_qwen_audio._service.error_codes import check_response
from langchain_qwen_audio._service.json_body import with_content
from langchain_qwen_audio._service.leftover_bytes import aclose_if_unread, close_if_unread
from langchain_qwen_audio._service.time_limits import Timer, with_deadline
from langchain_qwen_audio.errors import APIConnectionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class TimedClient:
    """A sync client whose responses are timed; it has what the SDK's transport calls."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Make a request, as httpx does."""
        return _build(self._http, method, url, options)

    def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Make a request, send it, and read the whole reply."""
        return self.send(self.build_request(method, url, **options))

    def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send a request, and read the whole reply unless it is a stream.

        Raises:
            APIConnectionError: The user has closed the client.
            httpx.HTTPError: The request failed, or took too long.
        """
        response = self.open(request)
        if not stream or response.is_error:
            with contextlib.closing(response):
                response.read()
        if stream:
            check_stream(response)
        return response

    def open(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, and read none of the reply's body, whatever its status is.

        Args:
            request: The request.
            **options: As httpx's `send` takes them.
        """
        _require_open(self._http)
        timer = Timer(request)
        with timer.bounding_reads():
            response = self._http.send(request, stream=True, **options)
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101
        response.stream = _TimedStream(response, response.stream, timer)
        _read_as_utf8(response)
        return response


class AsyncTimedClient:
    """An async client whose responses are timed; it has what the SDK's transport calls."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Make a request, as httpx does."""
        return _build(self._http, method, url, options)

    async def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Make a request, send it, and read the whole reply."""
        return await self.send(self.build_request(method, url, **options))

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send a request, and read the whole reply unless it is a stream; see `TimedClient`."""
        response = await self.open(request)
        if not stream or response.is_error:
            async with contextlib.aclosing(response):
                await response.aread()
        if stream:
            check_stream(response)
        return response

    async def open(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, and read none of the reply's body; see `TimedClient`."""
        _require_open(self._http)
        timer = Timer(request)
        async with _timed(timer):
            response = await self._http.send(request, stream=True, **options)
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
        response.stream = _AsyncTimedStream(response, response.stream, timer)
        _read_as_utf8(response)
        return response

    async def aclose(self) -> None:
        """Close the client below."""
        await self._http.aclose()


def _build(
    http: httpx.Client | httpx.AsyncClient,
    method: str,
    url: httpx.URL | str,
    options: dict[str, Any],
) -> httpx.Request:
    """Make a request whose URL, which httpx logs, has no password in it."""
    options = with_deadline(with_content(options))
    bare, headers = with_basic_auth(str(url), options.get("headers") or {})
    return http.build_request(method, bare, **{**options, "headers": headers})


def _require_open(http: httpx.Client | httpx.AsyncClient) -> None:
    if http.is_closed:
        raise APIConnectionError(
            "the http_client or http_async_client of this model is closed: keep it open as long "
            "as the model is used"
        )


def _read_as_utf8(response: httpx.Response) -> None:
    """Read JSON and events as the UTF-8 that they are, whatever charset a header names."""
    response.encoding = "utf-8"


def check_stream(response: Response) -> None:
    """Raise what a stream's status refuses, before the SDK stumbles over an unknown form of it."""
    if response.is_error:
        check_response(response)


def time_events(response: Response) -> Timer:
    """Time what comes between the events of a response, not the whole of it."""
    timed = response.stream if isinstance(response, httpx.Response) else response
    assert isinstance(timed, _TimedStream | _AsyncTimedStream | AiohttpResponse)  # noqa: S101
    timed.timer.awaited = "event"
    return timed.timer


class _TimedStream(httpx.SyncByteStream):
    def __init__(
        self, response: httpx.Response, stream: httpx.SyncByteStream, timer: Timer
    ) -> None:
        self._response, self._stream, self.timer = response, stream, timer

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._stream)
        while True:
            with self.timer.bounding_reads():
                piece = next(pieces, None)
            if piece is None:
                return
            self.timer.check()
            yield piece

    def close(self) -> None:
        close_if_unread(self._response, self._stream)
        self._stream.close()


class _AsyncTimedStream(httpx.AsyncByteStream):
    def __init__(
        self, response: httpx.Response, stream: httpx.AsyncByteStream, timer: Timer
    ) -> None:
        self._response, self._stream, self.timer = response, stream, timer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._stream)
        while True:
            async with _timed(self.timer):  # httpx bounds each read alone
                piece = await anext(pieces, None)
            if piece is None:
                return
            self.timer.check()
            yield piece

    async def aclose(self) -> None:
        await aclose_if_unread(self._response, self._stream)
        await self._stream.aclose()


@contextlib.asynccontextmanager
async def _timed(timer: Timer) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timer.wait_s):
            yield
    except TimeoutError as error:
        raise timer.error() from error
