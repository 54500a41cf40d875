"""Endpoints → SDK clients on pooled connections, per process (sync) and per event loop (async).

All models share the pools: the key and the host travel with each request. Nothing here depends on
the SDK's module globals.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import importlib
import os
import sys
import threading
import weakref
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx

from langchain_qwen_audio._profiles import Protocol
from langchain_qwen_audio._watch import anote_start, awatch_response, note_start, watch_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dashscope import AsyncClient, Client

DEFAULT_TIMEOUT_S = 300.0  # the service itself cuts a call off after about as long
PIECE_BYTES = 256 * 1024
KEEPALIVE_S = 30.0  # an idle connection is kept this long, so that the next turn needs no handshake


@dataclass(frozen=True)
class Endpoint:
    """Where requests go, and as whom."""

    base_url: str
    api_key: str = field(repr=False)
    workspace: str = ""
    protocol: Protocol = "native"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say so, for requests that the SDK does not make."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return headers | ({"X-DashScope-WorkSpace": self.workspace} if self.workspace else {})


_lock = threading.Lock()
_http: httpx.Client | None = None
_loops: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
_making: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    weakref.WeakKeyDictionary()
)
_inherited: list[object] = []  # a parent process's connections: neither used nor closed here


def _forget_after_fork() -> None:
    global _http, _lock
    _inherited.extend([_http, dict(_loops)])
    _http, _lock = None, threading.Lock()
    _loops.clear()
    _sdk_client.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _sdk_options(endpoint: Endpoint) -> dict[str, Any]:
    # Everything is given, so that nothing is picked up from the SDK's globals or its file.
    return {
        "base_url": endpoint.base_url,
        "api_key": endpoint.api_key,
        "workspace": endpoint.workspace,
        "region": "cn-beijing",
        "protocol": endpoint.protocol,
        "timeout": DEFAULT_TIMEOUT_S,
        "max_retries": 0,
        "config_path": os.devnull,
    }


@functools.lru_cache(maxsize=128)
def _sdk_client(endpoint: Endpoint, http: httpx.Client) -> Client:
    from dashscope import Client

    return Client(**_sdk_options(endpoint), http_client=http)


@functools.lru_cache(maxsize=128)
def _sdk_async_client(endpoint: Endpoint, http: httpx.AsyncClient) -> AsyncClient:
    from dashscope import AsyncClient

    return AsyncClient(**_sdk_options(endpoint), http_client=http)


def sync_client(endpoint: Endpoint, http: httpx.Client | None) -> Client:
    global _http  # noqa: PLW0603
    if http is None:
        with _lock:
            if _http is None:
                _http = _new_http()
            http = _http
    _hook(http, note_start, watch_response)
    return _sdk_client(endpoint, http)


async def async_client(endpoint: Endpoint, http: httpx.AsyncClient | None) -> AsyncClient:
    # Importing the SDK and reading certificates take long enough to be felt in an event loop.
    if "langchain_qwen_audio._failures" not in sys.modules:
        await asyncio.to_thread(importlib.import_module, "langchain_qwen_audio._failures")
    if http is None:
        http = await _loop_http(asyncio.get_running_loop())
    _hook(http, anote_start, awatch_response)
    return _sdk_async_client(endpoint, http)


def _hook(http: httpx.Client | httpx.AsyncClient, on_request: Any, on_response: Any) -> None:
    """Have the requests to the service watched, on a user's own client too."""
    for kind, hook in (("request", on_request), ("response", on_response)):
        if hook not in http.event_hooks[kind]:
            http.event_hooks[kind].append(hook)


def _http_options() -> dict[str, Any]:
    return {
        "headers": {"user-agent": "langchain-qwen-audio"},
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # accounts share the pool
        "timeout": DEFAULT_TIMEOUT_S,
    }


def _new_http() -> httpx.Client:
    limits = httpx.Limits(max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_S)
    return httpx.Client(**_http_options(), limits=limits)


def _new_async_http() -> httpx.AsyncClient:
    import aiohttp
    from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

    class Http(HttpxAiohttpClient):
        """httpx over aiohttp, with a session that keeps no cookies and sets no limit."""

        def _init_transport(self, *args: Any, **kwargs: Any) -> httpx.AsyncBaseTransport:
            return own_session(super()._init_transport(*args, **kwargs))

        def _init_proxy_transport(
            self, proxy: httpx.Proxy, *args: Any, **kwargs: Any
        ) -> httpx.AsyncBaseTransport:
            if proxy.auth:  # back into the URL: aiohttp warns of how httpx-aiohttp passes it on
                username, password = proxy.auth
                proxy.url = proxy.url.copy_with(username=username, password=password)
                proxy.auth = None
            return own_session(super()._init_proxy_transport(proxy, *args, **kwargs))

    def own_session(transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        assert isinstance(transport, AiohttpTransport)  # noqa: S101

        def session() -> aiohttp.ClientSession:
            connector = aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEPALIVE_S, ssl=transport.ssl_context
            )
            session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
            # aiohttp repeats GET requests by itself, and has no public way to say no; here
            # retries are counted.
            session._retry_connection = False  # noqa: SLF001
            return session

        transport.client = session
        return InPieces(transport)

    class InPieces(httpx.AsyncBaseTransport):
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

    return Http(**_http_options())


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), PIECE_BYTES):
            yield bytes(self._body[at : at + PIECE_BYTES])


async def _loop_http(loop: asyncio.AbstractEventLoop) -> httpx.AsyncClient:
    """Find the loop's own connections, or make them."""
    if loop not in _loops:
        async with _making.setdefault(loop, asyncio.Lock()):  # many first calls make them once
            if loop not in _loops:
                _loops[loop] = await asyncio.to_thread(_new_async_http)
                _close_with(loop)
    return _loops[loop]


def _close_with(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop's connections when the loop is closed, however that comes about.

    Sockets can only be closed while their loop still runs, and a loop tells nobody that it is
    going to be closed; so its `close` is made to do it first.
    """
    close = loop.close

    def close_connections_first() -> None:
        http = _loops.pop(loop, None)
        if http is not None and not loop.is_closed() and not loop.is_running():
            _sdk_async_client.cache_clear()  # it holds on to `http`, and so to the loop
            loop.run_until_complete(_aclose(http))
        close()

    with contextlib.suppress(AttributeError):  # a loop that cannot be told
        loop.close = close_connections_first  # type: ignore[method-assign]


async def _aclose(http: httpx.AsyncClient) -> None:
    await http.aclose()
    await asyncio.sleep(0)  # transports close one turn of the loop later


@atexit.register
def _close_all() -> None:
    if _http is not None:
        _http.close()
    for loop in list(_loops):
        if not loop.is_closed() and not loop.is_running():
            loop.close()
