"""A connection on which bytes came after a reply → closed, and not used again.

httpcore would take such bytes for the reply to the next request on the connection, which may be
another account's. It tells nobody of them, so that its own objects are looked at; a test holds that
they are still found there. aiohttp closes such connections by itself.
"""

from __future__ import annotations

from typing import Any

import httpx

# From httpx's stream of a body to the h11 connection that it is read from.
_WAY = ("_stream", "_httpcore_stream", "_stream", "_connection", "_h11_state")


def close_if_unread(response: httpx.Response, stream: httpx.SyncByteStream) -> None:
    """Close the socket of a response whose body is read to its end, if more than that came."""
    found: Any = stream
    for name in _WAY:
        found = getattr(found, name, None)
    if found is not None and found.trailing_data[0]:
        response.extensions["network_stream"].close()
