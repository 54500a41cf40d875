"""Each error of aiohttp → the error of httpx that the SDK, retries and messages know."""

from __future__ import annotations

from unittest.mock import Mock

import aiohttp
import httpx
import pytest

from langchain_qwen_audio._service.aiohttp_errors import RaisingHttpx
from langchain_qwen_audio._service.time_limits import CallTimeout, Timer, extensions_of
from tests.unit_tests.rows import each_row
from tests.unit_tests.waiting import HANG_S


def timer_of(limit_s: float) -> Timer:
    extensions = extensions_of(CallTimeout(limit_s))
    return Timer(httpx.Request("GET", "http://host", extensions=extensions))


KINDS: dict[str, tuple[BaseException, type[httpx.HTTPError]]] = {
    "no connection in time": (aiohttp.ConnectionTimeoutError("slow"), httpx.ConnectTimeout),
    "no reply in time": (TimeoutError("slow"), httpx.ReadTimeout),
    "no connection": (aiohttp.ClientConnectorError(Mock(), OSError("no")), httpx.ConnectError),
    "no name": (aiohttp.ClientConnectorDNSError(Mock(), OSError("no")), httpx.ConnectError),
    "no proxy": (aiohttp.ClientProxyConnectionError(Mock(), OSError("no")), httpx.ProxyError),
    "a proxy that refuses": (aiohttp.ClientHttpProxyError(Mock(), ()), httpx.ProxyError),
    "no URL": (aiohttp.InvalidURL("no"), httpx.UnsupportedProtocol),
    "another scheme": (aiohttp.NonHttpUrlClientError("no"), httpx.UnsupportedProtocol),
    "the end in place of a reply": (aiohttp.ServerDisconnectedError(), httpx.ReadError),
    "a reset": (aiohttp.ClientOSError(104, "no"), httpx.ReadError),
    "a body that breaks off": (aiohttp.ClientPayloadError("no"), httpx.ReadError),
}


@each_row("error, kind", KINDS)
def test_an_error_of_aiohttp_is_raised_as_one_of_httpx(
    error: BaseException, kind: type[httpx.HTTPError]
) -> None:
    with pytest.raises(httpx.HTTPError) as caught, RaisingHttpx(timer_of(HANG_S)):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error


def test_a_connection_that_takes_as_long_as_a_whole_reply_may_is_such_a_reply() -> None:
    with pytest.raises(httpx.ReadTimeout, match="no whole reply"), RaisingHttpx(timer_of(0)):
        raise aiohttp.ConnectionTimeoutError("slow")


def test_errors_of_other_kinds_stay_as_they_are() -> None:
    with pytest.raises(KeyError), RaisingHttpx(timer_of(HANG_S)):
        raise KeyError("a fault of this package")
