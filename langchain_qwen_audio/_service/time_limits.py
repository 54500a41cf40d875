"""How long a request may take: the silence that is waited for, and the end of the whole call.

httpx bounds each read from the socket, and so never ends a reply of which a byte comes now and
then, in its headers or its body.
"""

from __future__ import annotations

import contextlib
import math
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, MutableMapping

MAX_CONNECT_S = 10.0
_DEADLINE = "langchain_qwen_audio.deadline"  # a request's extension


class CallTimeout(httpx.Timeout):
    """The timeouts of a request, and the end of the call that it belongs to.

    Args:
        silence_s: Seconds to wait for each sign of life.
        deadline: When the call must have ended, on the monotonic clock.
    """

    def __init__(self, silence_s: float, deadline: float = math.inf) -> None:
        super().__init__(silence_s, connect=min(silence_s, MAX_CONNECT_S))
        self.deadline = deadline

    @property
    def left_s(self) -> float | None:
        """Seconds that are left of the call; None if it has no end."""
        return None if self.deadline == math.inf else max(0.0, self.deadline - time.monotonic())


def with_deadline(options: dict[str, Any]) -> dict[str, Any]:
    """Write the end of the call into the options of a request, where httpx keeps it."""
    timeout = options.get("timeout")
    if not isinstance(timeout, CallTimeout):
        return options
    return {**options, "extensions": {_DEADLINE: timeout.deadline}}


def extensions_of(timeout: CallTimeout) -> dict[str, Any]:
    """Write limits as the extensions of a request, where httpx keeps them."""
    return {"timeout": timeout.as_dict(), _DEADLINE: timeout.deadline}


class Timed(Protocol):
    """A request with limits, of httpx or not."""

    @property
    def extensions(self) -> MutableMapping[str, Any]:
        """Where `extensions_of` are."""


class Timer:
    """Ends a reply when what is awaited of it takes too long, or the whole call does.

    Attributes:
        awaited: What is awaited, for errors.
    """

    def __init__(self, request: Timed) -> None:
        limit_s = request.extensions.get("timeout", {}).get("read")
        self._limit_s = math.inf if limit_s is None else limit_s
        self._deadline: float = request.extensions.get(_DEADLINE, math.inf)
        self.awaited = "whole reply"
        self.restart()

    def restart(self) -> None:
        """Begin to wait for the next event; how long the last one was looked at does not count."""
        self._since = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return min(self._since + self._limit_s, self._deadline) - time.monotonic()

    @property
    def wait_s(self) -> float | None:
        """Seconds that are left, as asyncio takes them: None if there is no end."""
        left_s = self.left_s
        return None if left_s == math.inf else left_s

    def error(self) -> httpx.ReadTimeout:
        """Say what took too long."""
        if self._deadline <= self._since + self._limit_s:
            return httpx.ReadTimeout("the call took longer than its total_timeout")
        return httpx.ReadTimeout(f"no {self.awaited} within {self._limit_s:g} s")

    def check(self) -> None:
        """End the reply when it takes too long.

        Raises:
            httpx.ReadTimeout: It does.
        """
        if self.left_s < 0:
            raise self.error()

    @contextlib.contextmanager
    def bounding_reads(self) -> Iterator[None]:
        """Bound what is read meanwhile from the sockets of a `BoundedBackend`."""
        token = _timer.set(self)
        try:
            yield
        except httpx.TimeoutException as error:
            if self.left_s < 0:
                raise self.error() from error
            raise
        finally:
            _timer.reset(token)


_timer: ContextVar[Timer | None] = ContextVar("timer", default=None)


class BoundedBackend(httpcore.SyncBackend):
    """Opens sockets of which no read outlasts the timer of the request."""

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        """Open a socket."""
        return _BoundedStream(super().connect_tcp(*args, **options))


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _shorter(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _shorter(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _BoundedStream(
            self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout))
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _shorter(timeout: float | None) -> float | None:
    timer = _timer.get()
    left_s = timer.left_s if timer else math.inf
    if left_s == math.inf:
        return timeout
    if left_s <= 0:
        raise httpcore.ReadTimeout("too late")
    return left_s if timeout is None else min(timeout, left_s)
