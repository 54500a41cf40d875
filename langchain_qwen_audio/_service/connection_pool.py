"""Endpoints → SDK clients on pooled connections, per process (sync) and per event loop (async).

All models share the pools: the key and the host travel with each request. Nothing here depends on
the SDK's module globals.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import httpx
from dashscope import AsyncClient, Client
from dashscope.v2.transport.http import AsyncTransport, SyncTransport

from langchain_qwen_audio._locks import ForkSafeLock
from langchain_qwen_audio._service.default_timeouts import DEFAULT_TIMEOUT_S
from langchain_qwen_audio._service.httpx_client import new_http
from langchain_qwen_audio._service.read_timeouts import AsyncTimedClient, TimedClient

if TYPE_CHECKING:
    from langchain_qwen_audio._service.aiohttp_client import (
        AiohttpClient,
        AsyncHttp,
        RoutedClient,
    )
    from langchain_qwen_audio._service.endpoint import Endpoint


_lock = ForkSafeLock()
_http: httpx.Client | None = None
_loops: dict[asyncio.AbstractEventLoop, AiohttpClient | RoutedClient] = {}
_making: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    weakref.WeakKeyDictionary()
)
_inherited: list[object] = []  # a parent process's connections: neither used nor closed here


def _forget_after_fork() -> None:
    global _http  # noqa: PLW0603
    _inherited.extend([_http, dict(_loops)])
    _http = None
    _loops.clear()
    _connection.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _sdk_options(endpoint: Endpoint) -> dict[str, Any]:
    # Everything is given, so that nothing is picked up from the SDK's globals or its file.
    return {
        "base_url": endpoint.base_url,
        "api_key": endpoint.api_key,
        "workspace": endpoint.workspace,
        "region": "cn-beijing",
        "protocol": "native",
        "timeout": DEFAULT_TIMEOUT_S,
        "max_retries": 0,
        "config_path": os.devnull,
    }


class ServiceConnection(NamedTuple):
    """The SDK's transport to one endpoint, and the client below it."""

    transport: SyncTransport
    http: TimedClient


class AsyncServiceConnection(NamedTuple):
    """The same for async calls."""

    transport: AsyncTransport
    http: AsyncHttp


@functools.lru_cache(maxsize=128)
def _connection(endpoint: Endpoint, http: httpx.Client) -> ServiceConnection:
    timed = TimedClient(http)
    # The SDK calls what a `TimedClient` has, and nothing else of httpx's client.
    client = Client(**_sdk_options(endpoint), http_client=cast("httpx.Client", timed))
    return ServiceConnection(client.transport, timed)


@functools.lru_cache(maxsize=128)
def _async_connection(
    endpoint: Endpoint, http: httpx.AsyncClient | AiohttpClient | RoutedClient
) -> AsyncServiceConnection:
    timed = AsyncTimedClient(http) if isinstance(http, httpx.AsyncClient) else http
    client = AsyncClient(**_sdk_options(endpoint), http_client=cast("httpx.AsyncClient", timed))
    return AsyncServiceConnection(client.transport, timed)


def connect(endpoint: Endpoint, http: httpx.Client | None) -> ServiceConnection:
    """Find the connection to an endpoint, on the user's own client or the shared one."""
    return _connection(endpoint, _shared_http() if http is None else http)


async def aconnect(endpoint: Endpoint, http: httpx.AsyncClient | None) -> AsyncServiceConnection:
    """Find the connection to an endpoint; see `connect`."""
    if http is not None:
        return _async_connection(endpoint, http)
    loop = asyncio.get_running_loop()
    return _async_connection(endpoint, _loops.get(loop) or await _new_loop_http(loop))


def _shared_http() -> httpx.Client:
    global _http  # noqa: PLW0603
    if _http is None:
        # Outside of the lock, since other packages are imported meanwhile, which may call here.
        made = new_http()
        with _lock:
            if _http is None:
                _http = made
        if _http is not made:
            made.close()
    return _http


async def _new_loop_http(loop: asyncio.AbstractEventLoop) -> AiohttpClient | RoutedClient:
    async with _making.setdefault(loop, asyncio.Lock()):  # many first calls make them once
        if loop not in _loops:
            _loops[loop] = await asyncio.to_thread(_new_async_http)
            _close_with(loop)
    return _loops[loop]


def _new_async_http() -> AiohttpClient | RoutedClient:
    from langchain_qwen_audio._service.aiohttp_client import new_async_http

    return new_async_http()


def _close_with(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop's connections when the loop is closed, however that comes about.

    Sockets can only be closed while their loop still runs, and a loop tells nobody that it is
    going to be closed; so its `close` is made to do it first.
    """
    close = loop.close

    def close_connections_first() -> None:
        http = _loops.pop(loop, None)
        if http is not None and not loop.is_closed() and not loop.is_running():
            _async_connection.cache_clear()  # it holds on to `http`, and so to the loop
            loop.run_until_complete(_aclose(http))
        close()

    with contextlib.suppress(AttributeError):  # a loop that cannot be told
        loop.close = close_connections_first  # type: ignore[method-assign]


async def _aclose(http: AiohttpClient | RoutedClient) -> None:
    await http.aclose()
    await asyncio.sleep(0)  # transports close one turn of the loop later


@atexit.register
def _close_all() -> None:
    if _http is not None:
        _http.close()
    for loop in list(_loops):
        if not loop.is_closed() and not loop.is_running():
            loop.close()
