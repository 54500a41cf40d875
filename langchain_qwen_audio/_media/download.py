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
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024 * 1024
MAX_S = 120.0  # for the whole download
SILENCE_S = 20.0  # between two pieces of it


def fetch(url: str) -> bytes:
    """Download `url`.

    Raises:
        AudioError: It is not reachable, not public, too large or too slow.
        APIConnectionError: The environment names certificates that are not there.
    """
    from langchain_core._security import ssrf_safe_client

    body = _Body()
    with (
        _explained(url),
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
    with _explained(url):
        async with (
            ssrf_safe_async_client(timeout=SILENCE_S, verify=ssl_context()) as client,
            client.stream("GET", url) as response,
        ):
            body.expect(response)
            async for piece in response.aiter_bytes():
                body.add(piece)
    return bytes(body.data)


class _FetchError(Exception):
    """Why a URL cannot be fetched, in words that can follow a colon."""


class _Body:
    """What has arrived so far, within limits."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._deadline = time.monotonic() + MAX_S

    def expect(self, response: httpx.Response) -> None:
        if response.status_code != httpx.codes.OK:
            raise _FetchError(f"the server answered {response.status_code}")
        length = response.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MAX_BYTES:
            raise _FetchError(f"it is {int(length):,} bytes long, at most {MAX_BYTES:,} are taken")

    def add(self, piece: bytes) -> None:
        self.data += piece
        if len(self.data) > MAX_BYTES:
            raise _FetchError(f"it is longer than {MAX_BYTES:,} bytes")
        if time.monotonic() > self._deadline:
            raise _FetchError(f"it took longer than {MAX_S:.0f} s")


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    from langchain_core._security import SSRFBlockedError

    try:
        yield
    except _FetchError as error:
        raise AudioError(f"{url}: it cannot be fetched: {error}") from error
    except SSRFBlockedError as error:
        reason = f"it is not on the public network ({error})"
        raise AudioError(f"{url}: it cannot be fetched: {reason}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise AudioError(f"{url}: it cannot be fetched: {reason}") from error
