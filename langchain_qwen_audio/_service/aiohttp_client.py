"""The client for async calls: httpx over aiohttp, which is faster.

Imported with the first async call: it imports aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from langchain_qwen_audio._certificates import ssl_context
from langchain_qwen_audio._service.httpx_client import KEEPALIVE_S, SharedClientMixin, http_options
from langchain_qwen_audio._service.proxies import AsyncRoutedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PIECE_BYTES = 256 * 1024


class SharedAsyncClient(SharedClientMixin, httpx.AsyncClient):
    """For async calls."""


def new_async_http() -> httpx.AsyncClient:
    """Make a client for the async calls of one event loop.

    Raises:
        APIConnectionError: The environment names certificates that are not there.
    """
    return SharedAsyncClient(**http_options(), transport=AsyncRoutedTransport(_new_transport))


def _new_transport(proxy: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
    if proxy and proxy.url.scheme.startswith("socks"):  # which aiohttp cannot use
        return httpx.AsyncHTTPTransport(verify=ssl_context(), proxy=proxy)
    if proxy and proxy.auth:  # back into the URL: aiohttp warns of how httpx-aiohttp passes it on
        username, password = proxy.auth
        proxy.url = proxy.url.copy_with(username=username, password=password)
        proxy.auth = None
    return _InPieces(AiohttpTransport(verify=ssl_context(), proxy=proxy, client=_new_session))


def _new_session() -> aiohttp.ClientSession:
    """Make a session that keeps no cookies and sets no limit."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ssl=ssl_context())
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )
    # aiohttp repeats GET requests by itself, and has no public way to say no; here retries are
    # counted.
    session._retry_connection = False  # noqa: SLF001
    return session


class _InPieces(httpx.AsyncBaseTransport):
    """Sends large bodies piece by piece, so that the loop goes on meanwhile."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_whole = isinstance(request.stream, httpx.ByteStream)  # others come in pieces
        if is_whole and len(request.content) > PIECE_BYTES:
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
