"""Private parts of other packages that are used here: a change of theirs is told by name.

uvicorn's are in tests/unit_tests/local/test_connection.py.
"""

from __future__ import annotations

import asyncio
import importlib
from inspect import signature
from typing import Any

from aiohttp import ClientSession
from aiohttp.client_proto import ResponseHandler

from tests.unit_tests.rows import each_row

PARTS = {
    "a client without redirects to private networks": (
        *("langchain_core._security", "ssrf_safe_client", ["timeout", "verify"]),
    ),
    "the same, async": (
        "langchain_core._security",
        "ssrf_safe_async_client",
        ["timeout", "verify"],
    ),
    "the SDK's sync transport": (
        *("dashscope.v2.transport.http", "SyncTransport.open_stream", ["json", "base_url"]),
    ),
    "the SDK's async transport": (
        *("dashscope.v2.transport.http", "AsyncTransport.open_stream", ["json", "base_url"]),
    ),
    "what takes a connection from aiohttp's pool": (
        *("aiohttp.connector", "TCPConnector._get", ["key", "traces"]),
    ),
    "what gives it back": (
        *("aiohttp.connector", "TCPConnector._release", ["key", "protocol", "should_close"]),
    ),
    "a look at a socket": ("httpcore._utils", "is_socket_readable", ["sock"]),
}


@each_row("module, name, arguments", PARTS)
def test_a_private_part_that_is_used_is_still_there(
    module: str, name: str, arguments: list[str]
) -> None:
    part: Any = importlib.import_module(module)
    for step in name.split("."):
        part = getattr(part, step, None)
        assert part is not None, f"{module}.{name} is gone: see who uses it here"
    accepted = signature(part).parameters
    takes_any = any(it.kind is it.VAR_KEYWORD for it in accepted.values())
    missing = [it for it in arguments if it not in accepted]
    assert takes_any or not missing, f"{module}.{name} no longer takes {missing}"


async def test_aiohttp_still_has_its_switch_for_repeated_requests() -> None:
    async with ClientSession() as session:
        assert hasattr(session, "_retry_connection"), "aiohttp has no _retry_connection any more"


async def test_aiohttps_protocol_still_keeps_what_comes_without_a_parser() -> None:
    protocol = ResponseHandler(asyncio.get_running_loop())
    assert hasattr(protocol, "_parser"), "aiohttp's protocol has no _parser any more"
    protocol._parser = None
    assert not protocol.should_close
    protocol.data_received(b"HTTP/1.1 200 OK\r\n")
    assert protocol.should_close, "aiohttp's protocol does not tell of bytes any more"
