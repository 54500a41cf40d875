"""The client for async calls: httpx over aiohttp, which is faster.

Imported with the first async call: it imports aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

from langchain_qwen_audio._http import KEEPALIVE_S, Frugal, http_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PIECE_BYTES = 256 * 1024


class AsyncHttp(Frugal, HttpxAiohttpClient):
    """For async calls, on sessions that keep no cookies and set no limit."""

    def _init_transport(self, *args: Any, **kwargs: Any) -> httpx.AsyncBaseTransport:
        return _with_own_session(super()._init_transport(*args, **kwargs))

    def _init_proxy_transport(
        self, proxy: httpx.Proxy, *args: Any, **kwargs: Any
    ) -> httpx.AsyncBaseTransport:
        if proxy.auth:  # back into the URL: aiohttp warns of how httpx-aiohttp passes it on
            username, password = proxy.auth
            proxy.url = proxy.url.copy_with(username=username, password=password)
            proxy.auth = None
        return _with_own_session(super()._init_proxy_transport(proxy, *args, **kwargs))


def new_async_http() -> httpx.AsyncClient:
    """Make a client for the async calls of one event loop."""
    return AsyncHttp(**http_options())


def _with_own_session(transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    assert isinstance(transport, AiohttpTransport)  # noqa: S101

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEPALIVE_S, ssl=transport.ssl_context
        )
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        # aiohttp repeats GET requests by itself, and has no public way to say no; here retries are
        # counted.
        session._retry_connection = False  # noqa: SLF001
        return session

    transport.client = session
    return _InPieces(transport)


class _InPieces(httpx.AsyncBaseTransport):
    """Sends large bodies piece by piece, so that the loop goes on meanwhile."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if len(request.content) > PIECE_BYTES:
            request = httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                stream=_Pieces(request.content),
                extensions=request.extensions,
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), PIECE_BYTES):
            yield bytes(self._body[at : at + PIECE_BYTES])
