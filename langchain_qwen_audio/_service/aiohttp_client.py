"""Async requests over aiohttp, in place of an httpx client below the SDK's async transport.

The models of httpx, its client and a transport for it would take longer than all the rest of a
call. Imported with the first async call.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import aiohttp
import httpx

from langchain_qwen_audio._certificates import ssl_context
from langchain_qwen_audio._service.aiohttp_errors import RaisingHttpx
from langchain_qwen_audio._service.aiohttp_response import AiohttpResponse, Response
from langchain_qwen_audio._service.basic_auth import with_basic_auth
from langchain_qwen_audio._service.httpx_client import HEADERS, KEEPALIVE_S
from langchain_qwen_audio._service.json_body import JsonBody
from langchain_qwen_audio._service.leftover_bytes import Connector
from langchain_qwen_audio._service.proxies import (
    EnvironmentProxy,
    Proxies,
    UnusableProxy,
    naming_proxy,
)
from langchain_qwen_audio._service.read_timeouts import AsyncTimedClient, check_stream
from langchain_qwen_audio._service.time_limits import CallTimeout, Timer, extensions_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping

PIECE_BYTES = 256 * 1024
MAX_HEAD_BYTES = 100 * 1024  # of a reply; as httpcore has it, so that sync and async take the same


class AiohttpRequest(NamedTuple):
    """A request, as aiohttp takes it, and its limits, as httpx keeps them."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | AsyncIterable[bytes] | None
    extensions: dict[str, Any]


def _for_aiohttp(request: AiohttpRequest | httpx.Request) -> AiohttpRequest:
    if isinstance(request, httpx.Request):
        request = _of_httpx(request)
    url, headers = with_basic_auth(request.url, request.headers)
    return request._replace(url=url, headers=headers)


def _of_httpx(request: httpx.Request) -> AiohttpRequest:
    headers = dict(request.headers)
    try:
        body: Any = request.content or None
    except httpx.RequestNotRead:
        body = request.stream
        headers.pop("transfer-encoding", None)  # which aiohttp adds
    return AiohttpRequest(request.method, str(request.url), headers, body, request.extensions)


class AiohttpClient:
    """Has what the SDK's transport calls of httpx's client, and what uploads do.

    Args:
        proxy: The proxy that all requests go through, if there is one.
    """

    is_closed = False

    def __init__(self, proxy: httpx.Proxy | None = None) -> None:
        self._proxy = None if proxy is None else _with_password(proxy)

    @functools.cached_property
    def _session(self) -> aiohttp.ClientSession:
        """A session that keeps no cookies and sets no limit; opened where its loop runs."""
        connector = Connector(limit=0, keepalive_timeout=KEEPALIVE_S, ssl=ssl_context())
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_HEAD_BYTES // 4,
        )
        # aiohttp repeats GET requests by itself, and has no public way to say no; here retries are
        # counted.
        session._retry_connection = False  # noqa: SLF001
        return session

    def build_request(
        self,
        method: str,
        url: str,
        *,
        timeout: CallTimeout,
        json: JsonBody | None = None,
        headers: Mapping[str, str] | None = None,
        **form: Any,
    ) -> Any:
        """Make a request; httpx writes what is no JSON, such as forms."""
        sent = {**HEADERS, **(headers or {})}
        extensions = extensions_of(timeout)
        if json is None:
            return httpx.Request(method, url, headers=sent, extensions=extensions, **form)
        sent.setdefault("Content-Type", "application/json")
        return AiohttpRequest(method, url, sent, json.content, extensions)

    async def request(self, method: str, url: str, **options: Any) -> AiohttpResponse:
        """Make a request, send it, and read the whole reply."""
        return await self.send(self.build_request(method, url, **options))

    async def send(
        self, request: AiohttpRequest | httpx.Request, *, stream: bool = False
    ) -> AiohttpResponse:
        """Send a request, and read the whole reply unless it is a stream.

        Raises:
            httpx.HTTPError: The request failed, or took too long.
        """
        timer = Timer(request)
        with RaisingHttpx(timer):
            async with asyncio.timeout(timer.wait_s):
                response = AiohttpResponse(await self._send(request), timer)
                if not stream or response.is_error:
                    await response.read()
        if stream:
            check_stream(response)
        return response

    async def open(self, request: httpx.Request, **_: Any) -> AiohttpResponse:
        """Send a request, and read none of the reply's body, whatever its status is."""
        timer = Timer(request)
        with RaisingHttpx(timer):
            async with asyncio.timeout(timer.wait_s):
                return AiohttpResponse(await self._send(request), timer)

    async def _send(self, request: AiohttpRequest | httpx.Request) -> aiohttp.ClientResponse:
        request = _for_aiohttp(request)
        response = await self._session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=_in_pieces(request),
            allow_redirects=False,
            timeout=_only_connecting(request.extensions["timeout"]["connect"]),
            proxy=self._proxy,
        )
        if response.status == httpx.codes.SWITCHING_PROTOCOLS:
            response.close()  # which aiohttp leaves to who speaks the other protocol
            raise httpx.RemoteProtocolError("status 101 came, and no request asks for it")
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        if "_session" in self.__dict__:
            await self._session.close()


@functools.lru_cache(maxsize=64)
def _only_connecting(limit_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=limit_s)


def _with_password(proxy: httpx.Proxy) -> str:
    """Write a proxy's password into its URL, where aiohttp looks for it."""
    if proxy.auth is None:
        return str(proxy.url)
    username, password = proxy.auth
    return str(proxy.url.copy_with(username=username, password=password))


def _in_pieces(request: AiohttpRequest) -> Any:
    """Take a large body apart, so that the loop goes on while it is sent."""
    body = request.body
    if not isinstance(body, bytes) or len(body) <= PIECE_BYTES:
        return body
    request.headers.setdefault("Content-Length", str(len(body)))
    return _pieces(body)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for at in range(0, len(view), PIECE_BYTES):
        yield bytes(view[at : at + PIECE_BYTES])


class RoutedClient:
    """The same; each request goes straight, or through the proxy of the environment for it."""

    is_closed = False

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._ways = proxies.connect(_new_way)

    def build_request(self, method: str, url: str, **options: Any) -> Any:
        """Make a request."""
        return self._way(url)[1].build_request(method, url, **options)

    async def request(self, method: str, url: str, **options: Any) -> Response:
        """Make a request, send it, and read the whole reply."""
        proxy, way = self._way(url)
        with naming_proxy(proxy):
            return await way.request(method, url, **options)

    async def send(self, request: Any, *, stream: bool = False) -> Response:
        """Send a request, and read the whole reply unless it is a stream."""
        proxy, way = self._way(request.url)
        with naming_proxy(proxy):
            return await way.send(request, stream=stream)

    async def open(self, request: httpx.Request, **options: Any) -> Response:
        """Send a request, and read none of the reply's body, whatever its status is."""
        proxy, way = self._way(request.url)
        with naming_proxy(proxy):
            return await way.open(request, **options)

    async def aclose(self) -> None:
        """Close all connections."""
        for way in self._ways.values():
            if not isinstance(way, UnusableProxy):
                await way.aclose()

    def _way(
        self, url: str | httpx.URL
    ) -> tuple[EnvironmentProxy | None, AiohttpClient | AsyncTimedClient]:
        url = httpx.URL(url)
        proxy = self._proxies.find(url)
        way = self._ways[proxy]
        if isinstance(way, UnusableProxy):
            raise way.error(url.host)
        return proxy, way


AsyncHttp: TypeAlias = AiohttpClient | RoutedClient | AsyncTimedClient


def _new_way(proxy: httpx.Proxy | None) -> AiohttpClient | AsyncTimedClient:
    if proxy and proxy.url.scheme.startswith("socks"):  # which aiohttp cannot use
        transport = httpx.AsyncHTTPTransport(verify=ssl_context(), proxy=proxy)
        return AsyncTimedClient(httpx.AsyncClient(headers=HEADERS, transport=transport))
    return AiohttpClient(proxy)


def new_async_http() -> AiohttpClient | RoutedClient:
    """Make what sends the async requests of one event loop.

    Raises:
        APIConnectionError: The environment names certificates that are not there.
    """
    ssl_context()  # read here, which may be a thread
    proxies = Proxies()
    return RoutedClient(proxies) if proxies.by_scheme else AiohttpClient()
