"""The page alone, without the local test server: an ASGI application → a server until Ctrl-C."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket

    from langchain_qwen_audio._web_page.access import PageGuard

_STOP_S = 2  # for answers that are coming when Ctrl-C does


def serve_page(page: PageGuard, listening: socket.socket) -> None:
    """Serve the page until the process is interrupted."""
    config = uvicorn.Config(
        page,
        ws="wsproto",
        log_level="warning",
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop without the traceback that uvicorn logs for each answer that it cuts off."""
        logging.getLogger("uvicorn.error").disabled = True
        await super().shutdown(sockets)
