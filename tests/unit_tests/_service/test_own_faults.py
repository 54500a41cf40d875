"""A fault of this package is a traceback: never an error of the service, and never retried."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio._protocols.native import NativeProtocol
from langchain_qwen_audio._request.parts import RequestMessage, TextPart
from langchain_qwen_audio._service.client import Service, ServiceRequest
from langchain_qwen_audio._service.endpoint import Endpoint
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio.local import LocalDashScope


class CannotWrite(NativeProtocol):
    def write(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise KeyError("planted")


class CannotRead(NativeProtocol):
    def read(self, body: Any) -> Any:
        raise KeyError("planted")


async def _collect(service: Service, request: ServiceRequest) -> None:
    async for _ in service.astream(request):
        pass


WAYS: dict[str, Callable[[Service, ServiceRequest], object]] = {
    "call": Service.call,
    "acall": lambda service, request: asyncio.run(service.acall(request)),
    "stream": lambda service, request: list(service.stream(request)),
    "astream": lambda service, request: asyncio.run(_collect(service, request)),
}


@each_row("way", WAYS)
@each_row("protocol, requests", [(CannotWrite(), 0), (CannotRead(), 1)])
def test_a_fault_of_our_own_is_raised_as_it_is(
    server: LocalDashScope,
    way: Callable[[Service, ServiceRequest], object],
    protocol: NativeProtocol,
    requests: int,
) -> None:
    request = ServiceRequest(
        model="qwen-audio-turbo-latest",
        protocol=protocol,
        messages=[RequestMessage("user", [TextPart("?")])],
        parameters={},
        timeout=5,
        max_retries=2,
    )
    with pytest.raises(KeyError, match="planted"):
        way(Service(Endpoint(server.base_url, "local")), request)
    assert len(server.requests) == requests
