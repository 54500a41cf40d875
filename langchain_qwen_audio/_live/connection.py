"""One WebSocket to the service: JSON events out and in, over aiohttp.

Imported with the first session: it imports aiohttp. What breaks is one of our errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import httpx
from pydantic_core import from_json

from langchain_qwen_audio._certificates import ssl_context
from langchain_qwen_audio._live.client_events import kind_of
from langchain_qwen_audio._live.service_errors import close_error, handshake_error
from langchain_qwen_audio._service.json_body import encode_json
from langchain_qwen_audio._service.proxies import Proxies
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio._service.time_limits import MAX_CONNECT_S
from langchain_qwen_audio._service.transport_errors import redacted, translated
from langchain_qwen_audio.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    InvalidRequestError,
    QwenAudioError,
)

if TYPE_CHECKING:
    from langchain_qwen_audio._live.address import LiveAddress
    from langchain_qwen_audio._live.client_events import RawEvent

logger = logging.getLogger(__name__)

PING_S = 20.0  # between two signs of life that are requested
MAX_EVENT_BYTES = 16 * 1024 * 1024
_CLOSE_S = 2.0


@dataclass
class LiveConnection:
    """A WebSocket, once `open` has returned.

    Attributes:
        address: Where it goes, and with which key.
        timeout: Seconds to wait for the connection.
    """

    address: LiveAddress
    timeout: float
    _session: aiohttp.ClientSession = field(init=False)
    _socket: aiohttp.ClientWebSocketResponse = field(init=False)
    _response: aiohttp.ClientResponse = field(init=False)
    _transport: asyncio.Transport | None = field(init=False)
    _pings: asyncio.Task[None] = field(init=False)

    async def open(self, max_retries: int) -> Self:
        """Connect; what fails for the moment is tried again.

        Raises:
            QwenAudioError: There is no connection.
        """
        attempts = Attempts(self.address.model, max_retries)
        trusted = await asyncio.to_thread(ssl_context)
        while True:
            try:
                await self._connect(trusted)
                # aiohttp has no public way to break a connection.
                self._response = self._socket._response  # noqa: SLF001
                connection = self._response.connection
                self._transport = connection.transport if connection else None
                self._pings = asyncio.create_task(self._ping())
                return self
            except QwenAudioError as error:
                await asyncio.sleep(attempts.wait_s(error))

    async def _connect(self, trusted: Any) -> None:
        no_redirects = aiohttp.TraceConfig()
        no_redirects.on_request_redirect.append(_refuse_redirect)
        self._session = aiohttp.ClientSession(
            trace_configs=[no_redirects],
            connector=aiohttp.TCPConnector(ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(sock_connect=min(self.timeout, MAX_CONNECT_S)),
        )
        try:
            with translated(self.address.api_key, self.address.model):
                self._socket = await self._shake_hands()
        except BaseException:
            await self._session.close()
            raise

    async def _shake_hands(self) -> aiohttp.ClientWebSocketResponse:
        try:
            async with asyncio.timeout(self.timeout):
                return await self._session.ws_connect(
                    self.address.url,
                    headers=self.address.headers,
                    proxy=_find_proxy(self.address.url),
                    autoping=False,
                    max_msg_size=MAX_EVENT_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                )
        except TimeoutError as error:
            if isinstance(error, aiohttp.ClientError):
                raise
            raise APITimeoutError(
                f"the service did not open the session within {self.timeout:g} s"
            ) from error
        except aiohttp.WSServerHandshakeError as error:
            headers = {name.lower(): value for name, value in (error.headers or {}).items()}
            raise handshake_error(
                error.status, error.message, headers, self.address.model
            ) from error

    async def send(self, event: RawEvent | bytes) -> None:
        """Send an event as JSON, or samples as they are.

        Raises:
            APIConnectionError: The connection is broken.
            MessageError: A text holds half a character.
        """
        with translated(self.address.api_key, self.address.model):
            if isinstance(event, bytes):
                await self._socket.send_bytes(event)
            else:
                await self._socket.send_str(encode_json(event).decode())
            await asyncio.sleep(0)  # aiohttp does not, as long as the socket takes more

    async def receive(self) -> RawEvent | None:
        """Receive the next event; None is a sign of life that is no event.

        Raises:
            QwenAudioError: The session has ended, or what came is no event.
        """
        with translated(self.address.api_key, self.address.model):
            message = await self._socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    return _read_event(redacted(self.address.api_key, message.data))
                case aiohttp.WSMsgType.PING:
                    await self._socket.pong(message.data)
                    return None
                case aiohttp.WSMsgType.PONG:
                    return None
                case aiohttp.WSMsgType.BINARY:
                    raise APIError(f"{len(message.data)} bytes came, expected an event in JSON")
                case aiohttp.WSMsgType.CLOSE:
                    raise close_error(message.data, str(message.extra or ""), self.address.model)
                case _:
                    reason = str(message.data or "")
                    raise close_error(
                        None, reason, self.address.model
                    ) from self._socket.exception()

    async def _ping(self) -> None:
        """Request signs of life, so that a connection that is gone is noticed."""
        with contextlib.suppress(aiohttp.ClientError, OSError):  # which `receive` reports
            while True:
                await asyncio.sleep(PING_S)
                await self._socket.ping()

    @property
    def close_code(self) -> int | None:
        """The code that it was closed with; None while it is open."""
        return self._socket.close_code

    async def close(self) -> None:
        """Close it, if it is open; wait for the service's answer for 2 s."""
        self._pings.cancel()
        try:
            await asyncio.wait([self._pings])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * _CLOSE_S):
                    await self._socket.close()
        finally:  # what is unsent would wait for a service that does not read
            if self._transport is not None:
                self._transport.abort()
            self._response.close()  # or aiohttp warns, if it was cancelled before the socket closed
            await self._session.close()


async def _refuse_redirect(_session: Any, _context: Any, redirect: Any) -> None:
    """Stay at the address that the user named: aiohttp cannot be told to."""
    where = redirect.response.headers.get("location", "nowhere")
    raise InvalidRequestError(
        f"the service redirects the session to {where}; base_url must be where the service is",
        status=redirect.response.status,
    )


def _find_proxy(url: str) -> str | None:
    """Find the environment's proxy for a WebSocket.

    Raises:
        APIConnectionError: It is one that aiohttp cannot use.
    """
    proxy = Proxies().find(httpx.URL(url.replace("ws", "http", 1)))
    if proxy is None:
        return None
    if not proxy.url.startswith(("http://", "https://")):
        raise APIConnectionError(
            f"{proxy}: a live session cannot use this proxy, only one of http:// or https://",
            is_retryable=False,
        )
    return proxy.url


def _read_event(text: str) -> RawEvent:
    try:
        event = from_json(text)
    except ValueError as error:
        raise APIError(f"what came is no JSON: {text[:200]!r}") from error
    if not isinstance(event, dict) or not isinstance(kind_of(event), str):
        raise APIError(f"what came is no event: {text[:200]!r}")
    return event
