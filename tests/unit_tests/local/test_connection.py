"""One connection, and the private parts of uvicorn that it is built on."""

import asyncio
import inspect
import socket
from importlib.metadata import version
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from langchain_qwen_audio.local._connection import Connections
from langchain_qwen_audio.local._traffic import Traffic

CHANGED = (
    f"uvicorn {version('uvicorn')} has changed private parts that local/_connection.py "
    "uses: adapt it, or bound uvicorn in pyproject.toml."
)


@pytest.mark.asyncio
async def test_uvicorn_has_the_private_parts_that_are_used() -> None:
    """Fail by name where uvicorn changes, before other tests fail in strange ways."""
    parameters = list(inspect.signature(H11Protocol.__init__).parameters)
    assert parameters[:4] == ["self", "config", "server_state", "app_state"], CHANGED
    for method in ("connection_made", "connection_lost", "shutdown"):
        assert callable(getattr(H11Protocol, method, None)), f"{CHANGED} ({method})"
    connection = Connections(_app, Traffic()).make()
    for name in ("cycle", "transport", "logger", "access_log"):
        assert hasattr(connection, name), f"{CHANGED} (H11Protocol.{name})"
    cycle = inspect.getsource(RequestResponseCycle.__init__)
    for name in ("disconnected", "response_complete", "message_event"):
        assert f"self.{name}" in cycle, f"{CHANGED} (RequestResponseCycle.{name})"
    for name in ("connections", "tasks", "default_headers"):
        assert hasattr(ServerState(), name), f"{CHANGED} (ServerState.{name})"


async def _app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    connection = scope["state"]["connection"]
    sock = connection.transport.get_extra_info("socket")
    no_delay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    headers = [(b"x-no-delay", str(int(bool(no_delay))).encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.asyncio
async def test_small_replies_are_sent_at_once() -> None:
    """Without TCP_NODELAY each reply on a kept connection waits 40 ms for a delayed ACK."""
    traffic = Traffic()
    connections = Connections(_app, traffic)
    server = await asyncio.get_running_loop().create_server(connections.make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b"x-no-delay: 1" in await reader.read()
    assert (traffic.accepted, traffic.disconnects) == (1, 0)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
