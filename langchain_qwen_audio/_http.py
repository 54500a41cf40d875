"""httpx clients as requests to the service want them: quick with JSON, and without cookies.

Connections are kept, but nothing else is: the key and the host travel with each request.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any

import httpx
from pydantic_core import PydanticSerializationError, to_json

DEFAULT_TIMEOUT_S = 300.0  # the service itself cuts a call off after about as long
KEEPALIVE_S = 30.0  # an idle connection is kept this long, so that the next turn needs no handshake


class _NoCookies(httpx.Cookies):
    """Keeps no cookies, since accounts share the connections, and does not look for any."""

    def extract_cookies(self, response: httpx.Response) -> None: ...


_NO_COOKIES = _NoCookies()


class Frugal:
    """What is in front of httpx's own methods in the sync and in the async client."""

    cookies = property(lambda _: _NO_COOKIES)

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Make a request, as httpx does."""
        request: httpx.Request = super().build_request(  # type: ignore[misc]
            method, _parsed(url), **_written(options)
        )
        return request


# Parsing an address takes httpx 30 µs, a tenth of a request, and it is nearly always the same one.
_parsed = functools.lru_cache(maxsize=64)(httpx.URL)


def _written(options: dict[str, Any]) -> dict[str, Any]:
    """Write the body, if it is JSON: httpx would take longer for that than for all the rest."""
    if options.get("json") is None:
        return options
    try:
        content = to_json(options["json"])
    except PydanticSerializationError:  # httpx says better what is wrong
        return options
    headers = {"Content-Type": "application/json", **(options.get("headers") or {})}
    return {**options, "json": None, "content": content, "headers": headers}


class Http(Frugal, httpx.Client):
    """For sync calls."""


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Read the certificates, which takes some 20 ms, once for all loops."""
    return httpx.create_ssl_context()


def http_options() -> dict[str, Any]:
    """Say what both clients are made with."""
    return {
        "verify": _ssl_context(),
        "headers": {"user-agent": "langchain-qwen-audio"},
        "timeout": DEFAULT_TIMEOUT_S,
    }


def new_http() -> httpx.Client:
    """Make a client for sync calls."""
    limits = httpx.Limits(max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_S)
    return Http(**http_options(), limits=limits)
