"""The connections of the clients: counted, and able to break on purpose.

All that is used of uvicorn, private parts included, is here and in `_live_connection.py`.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from langchain_qwen_audio.local._linger import LINGER_0
from langchain_qwen_audio.local._traffic import Traffic

_KEEP_ALIVE_S = 75
_HEADERS = [(b"server", b"langchain-qwen-audio local test server")]


class Connections:
    """All connections of one server."""

    def __init__(self, app: Callable[..., Any], traffic: Traffic) -> None:
        """Serve an ASGI application and count in `traffic`."""
        self._config = Config(
            app,
            interface="asgi3",
            lifespan="off",
            ws=_live_connection(),
            ws_per_message_deflate=False,
            proxy_headers=False,
            log_config=None,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._config.load()
        self._state = ServerState()
        self._state.default_headers = _HEADERS
        self._traffic = traffic

    def make(self) -> "Connection":
        """Make the protocol of a new connection."""
        return Connection(self._config, self._state, self._traffic)

    async def close(self) -> None:
        """Close them all, without waiting for their responses."""
        for connection in list(self._state.connections):
            connection.shutdown()
        for task in self._state.tasks:
            task.cancel()
        while self._state.connections or self._state.tasks:  # noqa: ASYNC110  # in this very loop
            await asyncio.sleep(0)


def _live_connection() -> Any:
    """Find what serves WebSockets; without wsproto, requests for one are plain GETs."""
    if find_spec("wsproto") is None:
        return "none"
    from langchain_qwen_audio.local._live_connection import WebSocketConnection

    return WebSocketConnection


class Connection(H11Protocol):
    """Uvicorn's HTTP/1.1 on one socket.

    An ASGI application never sees its socket, and ASGI has no message that breaks a connection. So
    each request finds its connection in `scope["state"]["connection"]`.
    """

    def __init__(self, config: Config, state: ServerState, traffic: Traffic) -> None:
        """Serve `config.app` and count in `traffic`."""
        super().__init__(config, state, {"connection": self})
        # Our own logger: uvicorn's belong to the application, which may run under uvicorn itself.
        self.logger = logging.getLogger("langchain_qwen_audio.local")
        self.access_log = False
        self.traffic = traffic

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count a new connection."""
        # asyncio sets this only on sockets made with proto=IPPROTO_TCP, which create_server's are
        # not; without it every reply on a kept connection waits 40 ms for a delayed ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.traffic.accepted += 1
        self.traffic.open += 1
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a closed connection."""
        self.traffic.open -= 1
        if self._is_answering():
            self.traffic.disconnects += 1
        super().connection_lost(exc)

    def reset(self) -> None:
        """Break the connection with a TCP RST."""
        if self._is_answering():  # otherwise the client left first, and the socket is closed
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0
            )
        self.shutdown()

    def end(self) -> None:
        """Send what is written, then close the connection in mid-response."""
        self._give_up()
        self.transport.close()

    def shutdown(self) -> None:
        """Drop the connection without waiting for its response."""
        self._give_up()
        self.transport.abort()

    def _is_answering(self) -> bool:
        return (
            self.cycle is not None
            and not self.cycle.response_complete
            and not self.cycle.disconnected
        )

    def _give_up(self) -> None:
        """Have uvicorn take the client for gone: it would log an unfinished response."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
