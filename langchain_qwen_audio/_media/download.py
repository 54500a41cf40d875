"""A URL → its bytes, fetched here, from the public network only.

Uses the SSRF-safe client of LangChain core, which checks every address that a name resolves to
and every hop of a redirect. That client is internal to LangChain core; this is the only place
that knows it, and tests hold what is expected of it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import httpx

from langchain_qwen_audio._certificates import ssl_context

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024 * 1024
MAX_S = 120.0  # for the whole download
SILENCE_S = 20.0  # between two pieces of it


class FetchError(Exception):
    """The URL cannot be fetched; the message says why, in words that can follow a colon."""


def fetch(url: str) -> bytes:
    """Download `url`.

    Raises:
        FetchError: It is not reachable, not public, too large or too slow.
        APIConnectionError: The environment names certificates that are not there.
    """
    from langchain_core._security import ssrf_safe_client

    body = _Body()
    with (
        _explained(),
        ssrf_safe_client(timeout=SILENCE_S, verify=ssl_context()) as client,
        client.stream("GET", url) as response,
    ):
        body.expect(response)
        for piece in response.iter_bytes():
            body.add(piece)
    return bytes(body.data)


async def afetch(url: str) -> bytes:
    """Download `url`; see `fetch`."""
    from langchain_core._security import ssrf_safe_async_client

    body = _Body()
    with _explained():
        async with (
            ssrf_safe_async_client(timeout=SILENCE_S, verify=ssl_context()) as client,
            client.stream("GET", url) as response,
        ):
            body.expect(response)
            async for piece in response.aiter_bytes():
                body.add(piece)
    return bytes(body.data)


class _Body:
    """What has arrived so far, within limits."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._deadline = time.monotonic() + MAX_S

    def expect(self, response: httpx.Response) -> None:
        if response.status_code != httpx.codes.OK:
            raise FetchError(f"the server answered {response.status_code}")
        length = response.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MAX_BYTES:
            raise FetchError(f"it is {int(length):,} bytes long, at most {MAX_BYTES:,} are taken")

    def add(self, piece: bytes) -> None:
        self.data += piece
        if len(self.data) > MAX_BYTES:
            raise FetchError(f"it is longer than {MAX_BYTES:,} bytes")
        if time.monotonic() > self._deadline:
            raise FetchError(f"it took longer than {MAX_S:.0f} s")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from langchain_core._security import SSRFBlockedError

    try:
        yield
    except SSRFBlockedError as error:
        raise FetchError(f"it is not on the public network ({error})") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise FetchError(f"{type(error).__name__}: {error}") from error
