"""aiohttp's errors → httpx's, which the SDK and the rest of this package know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import httpx

if TYPE_CHECKING:
    from types import TracebackType

    from langchain_qwen_audio._service.time_limits import Timer


class RaisingHttpx:
    """Raises what aiohttp raises within as the error of httpx; a class, as each request is felt.

    Args:
        timer: What a `TimeoutError` within is an error of.
    """

    def __init__(self, timer: Timer) -> None:
        self._timer = timer

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        match exc:
            case aiohttp.ConnectionTimeoutError() if self._timer.left_s > 0:
                raise httpx.ConnectTimeout(str(exc)) from exc
            case TimeoutError():
                raise self._timer.error() from exc
            case aiohttp.ClientError():
                raise _kind_of(exc)(str(exc)) from exc


def _kind_of(error: aiohttp.ClientError) -> type[httpx.TransportError]:
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return httpx.ProxyError
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol
        case _:
            return httpx.ReadError
