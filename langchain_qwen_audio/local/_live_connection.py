"""A connection that has become a WebSocket: uvicorn's, on wsproto. Counted, and able to break."""

import logging
import socket
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState

from langchain_qwen_audio.local._linger import LINGER_0


class WebSocketConnection(WSProtocol):
    """Uvicorn's WebSocket on one socket, which an HTTP connection hands over."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        """Take over from the connection in `app_state`."""
        super().__init__(config, server_state, {"connection": self})
        self.logger = logging.getLogger("langchain_qwen_audio.local")
        self._traffic = app_state["connection"].traffic

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a closed connection."""
        self._traffic.open -= 1
        super().connection_lost(exc)

    def reset(self) -> None:
        """Break the connection with a TCP RST."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0
        )
        self.transport.abort()

    def end(self) -> None:
        """Close the socket (TCP FIN) without a closing frame."""
        self.transport.close()

    def shutdown(self) -> None:
        """Close the session, without waiting for a client that does not read."""
        super().shutdown()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
