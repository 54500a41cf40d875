"""The httpx client that all sync calls share.

Connections are kept, but nothing else is: the key and the host travel with each request.
"""

from __future__ import annotations

import functools
from typing import Any

import httpx

from langchain_qwen_audio._certificates import ssl_context
from langchain_qwen_audio._service.default_timeouts import DEFAULT_TIMEOUT_S
from langchain_qwen_audio._service.proxies import RoutedTransport
from langchain_qwen_audio._service.time_limits import BoundedBackend

KEEPALIVE_S = 30.0  # an idle connection is kept this long, so that the next turn needs no handshake

HEADERS = {"user-agent": "langchain-qwen-audio"}


class _NoCookies(httpx.Cookies):
    """Keeps no cookies, since accounts share the connections, and does not look for any."""

    def extract_cookies(self, response: httpx.Response) -> None: ...


_NO_COOKIES = _NoCookies()


# Parsing an address takes httpx 30 µs, a tenth of a request, and it is nearly always the same one.
_parse_url = functools.lru_cache(maxsize=64)(httpx.URL)


class SharedClient(httpx.Client):
    """For sync calls, on sockets whose every read is bounded."""

    cookies = property(lambda _: _NO_COOKIES)

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Make a request, as httpx does."""
        return super().build_request(method, _parse_url(url), **options)


def _bounded(transport: httpx.HTTPTransport) -> httpx.HTTPTransport:
    # httpx has no public way to say how sockets are opened; httpcore below has.
    transport._pool._network_backend = BoundedBackend()  # noqa: SLF001
    return transport


def new_http() -> httpx.Client:
    """Make the client for sync calls.

    Raises:
        APIConnectionError: The environment names certificates that are not there.
    """
    transport = RoutedTransport(_new_transport)
    return SharedClient(headers=HEADERS, timeout=DEFAULT_TIMEOUT_S, transport=transport)


def _new_transport(proxy: httpx.Proxy | None) -> httpx.BaseTransport:
    limits = httpx.Limits(max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_S)
    return _bounded(httpx.HTTPTransport(verify=ssl_context(), limits=limits, proxy=proxy))
