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
from typing import TYPE_CHECKING, Any

import httpx

from langchain_qwen_audio._http import DEFAULT_TIMEOUT_S, new_http
from langchain_qwen_audio._profiles import Protocol
from langchain_qwen_audio._watch import anote_start, awatch_response, note_start, watch_response

if TYPE_CHECKING:
    from dashscope import AsyncClient, Client


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
                _http = new_http()
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


async def _loop_http(loop: asyncio.AbstractEventLoop) -> httpx.AsyncClient:
    """Find the loop's own connections, or make them."""
    if loop not in _loops:
        async with _making.setdefault(loop, asyncio.Lock()):  # many first calls make them once
            if loop not in _loops:
                _loops[loop] = await asyncio.to_thread(_new_async_http)
                _close_with(loop)
    return _loops[loop]


def _new_async_http() -> httpx.AsyncClient:
    from langchain_qwen_audio._async_http import new_async_http

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
